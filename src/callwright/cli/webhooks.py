"""``callwright webhooks`` and ``endpoints``: who is told what, and how those do that are told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from callwright.cli.options import Json, Test, world_of

if TYPE_CHECKING:
    from callwright.cli.control import Control

webhooks = typer.Typer(
    name="webhooks", help="Who is told what happens, and how it is signed.", no_args_is_help=True, rich_markup_mode=None
)
endpoints = typer.Typer(
    name="endpoints", help="How the programs do that are told: limits, failures.", no_args_is_help=True, rich_markup_mode=None
)

PAGE = 1_000
# A test is given this long to be tried, and looked after so often.
OUTCOME_S, LOOK_S = 60.0, 0.2
WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK_ID")]
Token = Annotated[str | None, typer.Option(help="What its callbacks are signed with, instead of the signing key.")]
Events = Annotated[
    str | None,
    typer.Option(
        metavar="TYPES",
        help="What it hears of besides calls: leg, recording, transcription, webhook, with commas between; "
        "default goes by the settings.",
    ),
]
EndpointUrl = Annotated[str, typer.Argument(metavar="URL", help="A URL that is sent to; its query does not matter.")]


@webhooks.command("list")
def list_webhooks(context: typer.Context, test: Test = False, json: Json = False) -> None:
    """List the webhooks of a world and of its numbers, newest first."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj) as control:
        found = _all(control, "/api/webhooks", world_of(test))
    if json:
        show.as_json(found)
        return
    show.table(
        ("Id", "Of", "Hears of", "URL"),
        [(one["id"], one["number"] or "all calls", _events(one), one["url"]) for one in found],
        empty=f"There is no webhook. Make one with: callwright webhooks create URL{_option(test)}",
        whole=(0,),
    )


@webhooks.command("create")
def create_webhook(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="Where to post.")],
    token: Token = None,
    events: Events = None,
    number: Annotated[str | None, typer.Option(help="Tell of the calls of this number alone.")] = None,
    test: Test = False,
    json: Json = False,
) -> None:
    """Make a webhook and print its id. A number has one: a second takes the place of the first."""
    from callwright.cli import show
    from callwright.cli.control import reach

    body: dict[str, Any] = {"url": url, **_wanted_events(events)}
    if token is not None:
        body["token"] = token
    with reach(context.obj, making=True) as control:
        if number is None:
            made = control.ask("POST", "/api/webhooks", body, world=world_of(test))
        else:
            made = control.ask("PUT", f"/api/numbers/{quote(number, safe='')}/webhook", body, world=world_of(test))
    if json:
        show.as_json(made)
        return
    print(made["id"])
    show.aside(f"See that it works: callwright webhooks test {made['id']}{_option(test)}")


@webhooks.command("show")
def show_webhook(context: typer.Context, webhook_id: WebhookId, test: Test = False) -> None:
    """Print a webhook as JSON; its token is printed by webhooks secret."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj) as control:
        show.as_json(control.get(_path(webhook_id), world=world_of(test)))


@webhooks.command("set")
def set_webhook(
    context: typer.Context,
    webhook_id: WebhookId,
    url: Annotated[str | None, typer.Option(help="Where to post from now on.")] = None,
    token: Token = None,
    no_token: Annotated[bool, typer.Option("--no-token", help="Sign with the signing key alone.")] = False,
    events: Events = None,
    test: Test = False,
    json: Json = False,
) -> None:
    """Change a webhook; what is not named stays. A token is changed at once: rotate lets the old one be good for a while."""
    from callwright.cli import show
    from callwright.cli.control import reach

    if no_token and token is not None:
        raise typer.BadParameter("--token and --no-token cannot go together", param_hint="--no-token")
    body: dict[str, Any] = _wanted_events(events)
    if url is not None:
        body["url"] = url
    if token is not None or no_token:
        body["token"] = token
    if not body:
        raise typer.BadParameter("name what to change: --url, --token, --no-token or --events")
    with reach(context.obj) as control:
        changed = control.ask("PATCH", _path(webhook_id), body, world=world_of(test))
    if json:
        show.as_json(changed)
    else:
        show.aside(f"The webhook {webhook_id} posts to {changed['url']} and hears of {_events(changed)}.")


@webhooks.command("delete")
def delete_webhook(context: typer.Context, webhook_id: WebhookId, test: Test = False) -> None:
    """Delete a webhook. What it was still to be told is not sent, unless another that asks for it has the same URL.

    Its token signs nothing any more.
    """
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj) as control:
        control.ask("DELETE", _path(webhook_id), world=world_of(test))
    show.aside(f"The webhook {webhook_id} is deleted.")


@webhooks.command("test")
def send_example(
    context: typer.Context,
    webhook_id: WebhookId,
    event: Annotated[str, typer.Option(help="What to send an example of; webhooks types lists them.")] = "callCreated",
    test: Test = False,
    json: Json = False,
) -> None:
    """Send a webhook an example, once, and tell how it went. Exit status: 0 it was taken, 1 it was not."""
    from callwright.cli import show
    from callwright.cli.control import reach
    from callwright.cli.deliveries import attempt_line

    with reach(context.obj, server_only=True) as control:
        path = f"{_path(webhook_id)}/test"
        sent = control.ask("POST", path, {"event": event}, world=world_of(test))
        told = _outcome(control, f"/api/deliveries/{sent['id']}", world_of(test))
    if json:
        show.as_json(told)
    else:
        for attempt in told["attemptLog"]:
            print(attempt_line(attempt))
        if not told["attemptLog"]:
            show.aside(
                f"It was not tried within {OUTCOME_S:.0f} s, perhaps as its host does not answer at all. "
                f"callwright endpoints list{_option(test)} tells; callwright deliveries show {sent['id']}{_option(test)} later."
            )
        elif told["state"] != "delivered":
            show.aside(f"What was sent and answered: callwright deliveries show {sent['id']} --attempt 1{_option(test)}")
    raise typer.Exit(0 if told["state"] == "delivered" else 1)


@webhooks.command("rotate")
def rotate_token(
    context: typer.Context,
    webhook_id: WebhookId,
    token: Annotated[str | None, typer.Option(help="The new token; one is made without it.")] = None,
    overlap: Annotated[
        str | None, typer.Option(metavar="SPAN", help="How long the old one stays good, such as 2h or 3d; 0 for no longer.")
    ] = None,
    finish: Annotated[bool, typer.Option("--finish", help="Let the old one be good no more.")] = False,
    test: Test = False,
    json: Json = False,
) -> None:
    """Give a webhook another token. For a while callbacks are signed with both, so that nothing is refused meanwhile."""
    from callwright.cli import show
    from callwright.cli.control import reach
    from callwright.cli.moments import overlap_of, short

    if finish and (token is not None or overlap is not None):
        raise typer.BadParameter("--finish takes nothing else", param_hint="--finish")
    body: dict[str, Any] = {} if token is None else {"token": token}
    if overlap is not None:
        body["overlap"] = overlap_of(overlap)
    path = f"{_path(webhook_id)}/rotate"
    with reach(context.obj) as control:
        told = control.ask("POST", f"{path}/finish" if finish else path, None if finish else body, world=world_of(test))
    if json:
        show.as_json(told)
    elif finish:
        none = "No rotation was under way, so nothing has changed."
        show.aside("The new token alone is good now." if told["finished"] else none)
    else:
        print(told["token"])
        former = "The token before" if told["oldToken"] else "The signing key, as it had no token before,"
        show.aside(
            f"{former} is good until {short(told['oldUntil'])} UTC. Give the new one to the receiver, then: "
            f"callwright webhooks rotate {webhook_id} --finish{_option(test)}"
            if told["oldUntil"]
            else "It holds at once."
        )


@webhooks.command("secret")
def show_secret(context: typer.Context, webhook_id: WebhookId, test: Test = False, json: Json = False) -> None:
    """Print what a webhook's callbacks are verified with, in the form that libraries for Standard Webhooks take."""
    from callwright.cli import show
    from callwright.cli.control import reach
    from callwright.cli.moments import short

    with reach(context.obj) as control:
        told = control.get(f"{_path(webhook_id)}/secret", world=world_of(test))
    if json:
        show.as_json(told)
        return
    if told["secret"] is None:
        show.aside(f"It has no token: its callbacks are signed with the signing key. callwright keys signing{_option(test)}")
        raise typer.Exit(1)
    print(told["secret"])
    show.aside(f"Its token is {told['token']}")
    if told["oldUntil"]:
        former = (
            f"{told['oldSecret']} (token {told['oldToken']})"
            if told["oldToken"]
            else f"the signing key, callwright keys signing{_option(test)}"
        )
        show.aside(f"Until {short(told['oldUntil'])} UTC this is good too: {former}")


@webhooks.command("types")
def list_types(context: typer.Context, json: Json = False) -> None:
    """List what webhooks can hear of."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj, making=True) as control:
        found = control.get("/api/event-types")["data"]
    if json:
        show.as_json(found)
        return
    show.table(
        ("Event", "Type", "Says that"),
        [(one["event"], f"{one['type']}{', always' if one['always'] else ''}", one["sentence"]) for one in found],
        empty="",
        whole=(0, 1),
    )


@endpoints.command("list")
def list_endpoints(context: typer.Context, test: Test = False, json: Json = False) -> None:
    """List endpoints that have failed or were given limits, by URL. A receiver that always did well is not among them."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj) as control:
        found = _all_endpoints(control, world_of(test))
    if json:
        show.as_json(found)
        return
    show.table(
        ("URL", "State", "At once", "A second", "Pending", "Given up"),
        [
            (one["url"], endpoint_state(one), one["concurrency"], one["rate"], _counted(one, "pending"),
             _counted(one, "exhausted"))
            for one in found
        ],
        empty="No endpoint has failed or has limits of its own.",
    )  # fmt: skip


@endpoints.command("limit")
def limit_endpoint(
    context: typer.Context,
    url: EndpointUrl,
    concurrency: Annotated[str | None, typer.Option(help="Requests at once, or default.")] = None,
    rate: Annotated[str | None, typer.Option(help="Requests a second, or default.")] = None,
    test: Test = False,
    json: Json = False,
) -> None:
    """Give an endpoint limits of its own, from now on; default goes by the settings again."""
    from callwright.cli import show
    from callwright.cli.control import reach

    if concurrency is None and rate is None:
        raise typer.BadParameter("name a limit: --concurrency, --rate or both")
    body: dict[str, Any] = {"url": url}
    if concurrency is not None:
        body["concurrency"] = _number(concurrency, int, "--concurrency")
    if rate is not None:
        body["rate"] = _number(rate, float, "--rate")
    with reach(context.obj) as control:
        limited = control.ask("POST", "/api/endpoints", body, world=world_of(test))
    if json:
        show.as_json(limited)
        return
    at_once, a_second = limited["concurrency"], limited["rate"]
    show.aside(
        f"{limited['url']} gets {'as many requests at once as the settings say' if at_once is None else f'{at_once} at once'}, "
        f"{'and as many a second' if a_second is None else f'and {a_second:g} a second'}."
    )


@endpoints.command("enable")
def enable_endpoint(context: typer.Context, url: EndpointUrl, test: Test = False) -> None:
    """Send to an endpoint again that was disabled, or try one at once that is left alone for a while.

    What was given up meanwhile is not sent by itself.
    """
    from callwright.cli import show

    before, known = _switch(context, url, "enable", world_of(test))
    show.aside(f"{known['url']} is sent to again." if before["disabledAt"] else _tried(before))
    if known["exhausted"]:
        show.aside(
            f"{_counted(known, 'exhausted')} were given up. Send them again with: "
            f"callwright deliveries resend --endpoint {known['url']} --failed{_option(test)}"
        )


@endpoints.command("disable")
def disable_endpoint(context: typer.Context, url: EndpointUrl, test: Test = False) -> None:
    """Send nothing to an endpoint until it is enabled; what is pending is given up, and can be resent then."""
    from callwright.cli import show

    _, known = _switch(context, url, "disable", world_of(test))
    show.aside(f"Nothing is sent to {known['url']} until: callwright endpoints enable {known['url']}{_option(test)}")


def endpoint_state(one: dict[str, Any]) -> str:
    """In a few words how an endpoint does."""
    from callwright.cli.moments import short

    if one["disabledAt"]:
        return f"disabled {short(one['disabledAt'])}: {one['disabledWhy']}"
    live = one["live"]
    health = "" if live is None else live["health"] + _until(live["until"])
    if one["failingSince"]:
        since = f"failing since {short(one['failingSince'])}"
        return f"{health}, {since}" if health not in ("", "healthy") else since
    return health or "well"


def _until(text: str | None) -> str:
    """The end of a pause; once it is past, the next callback shows whether the endpoint is back."""
    from callwright.cli.moments import is_past, short

    if text is None:
        return ""
    return ", probed with the next callback" if is_past(text) else f" until {short(text)}"


def _tried(before: dict[str, Any]) -> str:
    of = "the pause of its host" if before["live"] and before["live"]["health"] == "broken" else "its rest"
    return f"{before['url']} was not disabled; {of} is over, and what is due there is tried at once, one to begin with."


def _switch(context: typer.Context, url: str, what: str, world: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """An endpoint as it was, and as it is."""
    from callwright.cli.control import Refused, reach

    with reach(context.obj, server_only=True) as control:
        found = control.get(f"/api/endpoints?url={quote(url, safe='')}", world=world)["data"]
        if not found and what == "disable":
            found = [control.ask("POST", "/api/endpoints", {"url": url}, world=world)]
        if not found:
            raise Refused(404, f"Nothing is known of {url} in the {world} world: it has not failed.")
        return found[0], control.ask("POST", f"/api/endpoints/{found[0]['id']}/{what}", world=world)


def _outcome(control: Control, path: str, world: str) -> dict[str, Any]:
    """A delivery once it has been tried, or as it is after `OUTCOME_S`."""
    until = time.monotonic() + OUTCOME_S
    while True:
        told: dict[str, Any] = control.get(path, world=world)
        if told["attempts"] or told["state"] != "pending" or time.monotonic() > until:
            return told
        time.sleep(LOOK_S)


def _all(control: Control, path: str, world: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    total = 1
    while len(found) < total:
        page = control.get(f"{path}?limit={PAGE}&offset={len(found)}", world=world)
        found += page["data"]
        total = page["total"] if page["data"] else 0
    return found


def _all_endpoints(control: Control, world: str) -> list[dict[str, Any]]:
    page = control.get(f"/api/endpoints?limit={PAGE}", world=world)
    found: list[dict[str, Any]] = page["data"]
    while page["next"] is not None:
        page = control.get(f"/api/endpoints?limit={PAGE}&cursor={page['next']}", world=world)
        found += page["data"]
    return found


def _path(webhook_id: str) -> str:
    return f"/api/webhooks/{quote(webhook_id, safe='')}"


def _wanted_events(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    return {"events": None if text == "default" else [name.strip() for name in text.split(",") if name.strip()]}


def _events(one: dict[str, Any]) -> str:
    return "default" if one["events"] is None else ", ".join(one["events"])


def _counted(one: dict[str, Any], name: str) -> str:
    return f"{one[name]}{' or more' if one[name] >= one['countedTo'] else ''}"


def _number(text: str, kind: type[int | float], option: str) -> int | float | None:
    if text == "default":
        return None
    try:
        return kind(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number, nor default", param_hint=option) from None


def _option(test: bool) -> str:
    return " --test" if test else ""
