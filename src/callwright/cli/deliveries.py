"""``callwright deliveries``: what was sent to whom, how it went, and sending it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

import typer

from callwright.cli.options import Json, Test, world_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from callwright.cli.control import Control

deliveries = typer.Typer(
    name="deliveries", help="What was sent, how it went, sending it again.", no_args_is_help=True, rich_markup_mode=None
)

PAGE = 500
# A long list of ids is sent in pieces.
IDS = 1_000
RESEND_S = 3_600.0
DeliveryIds = Annotated[list[str] | None, typer.Argument(metavar="DELIVERY_ID...")]
Endpoint = Annotated[str | None, typer.Option(metavar="URL", help="Of one endpoint: a URL, whose query does not matter.")]
Since = Annotated[str | None, typer.Option(help="Made since: 90s, 10m, 2h or 3d ago, or a time such as 2026-05-04T10:00:00Z.")]
Until = Annotated[str | None, typer.Option(help="Made before: so long ago, or a time.")]


@deliveries.command("list")
def list_deliveries(
    context: typer.Context,
    endpoint: Endpoint = None,
    call: Annotated[str | None, typer.Option(metavar="CALL_ID")] = None,
    webhook: Annotated[str | None, typer.Option(metavar="WEBHOOK_ID")] = None,
    event: Annotated[str | None, typer.Option(help="An event such as callUpdated, or a type such as leg.")] = None,
    message: Annotated[str | None, typer.Option(metavar="ID", help="The webhook-id that the receiver saw.")] = None,
    state: Annotated[str | None, typer.Option(help="pending, delivered or exhausted; several with commas between.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Those that were given up.")] = False,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    test: Test = False,
    json: Json = False,
) -> None:
    """List deliveries, newest first."""
    from callwright.cli import show
    from callwright.cli.control import reach
    from callwright.cli.moments import ago, short
    from callwright.cli.words import said_of_deliveries

    if failed and state is not None:
        raise typer.BadParameter("--failed stands for --state exhausted: give one of them", param_hint="--failed")
    wanted = {
        "endpoint": endpoint,
        "call": call,
        "webhook": webhook,
        "event": event,
        "message": message,
        "state": "exhausted" if failed else state,
        "from": None if since is None else ago(since, "--since"),
        "to": None if until is None else ago(until, "--until"),
    }
    with reach(context.obj) as control, said_of_deliveries():
        found = _some(control, wanted, limit, world_of(test))
    if json:
        show.as_json(found)
        return
    show.table(
        ("Id", "Made", "Event", "Outcome", "Endpoint"),
        [
            (one["id"], short(one["createdAt"]), f"{one['event']} {one['sequence']}", outcome(one), one["endpoint"])
            for one in found
        ],
        empty="There is no such delivery.",
        whole=(0,),
    )
    if len(found) == limit:
        show.aside(f"These are the newest {limit}; --limit shows more.")


@deliveries.command("show")
def show_delivery(
    context: typer.Context,
    delivery_id: Annotated[str, typer.Argument(metavar="DELIVERY_ID")],
    attempt: Annotated[int | None, typer.Option(min=1, help="All that went to and fro in this attempt.")] = None,
    test: Test = False,
    json: Json = False,
) -> None:
    """Tell how a delivery went, attempt by attempt."""
    from callwright.cli import show
    from callwright.cli.control import reach

    path = f"/api/deliveries/{quote(delivery_id, safe='')}"
    with reach(context.obj) as control:
        told = control.get(path if attempt is None else f"{path}/attempts/{attempt}", world=world_of(test))
    if json:
        show.as_json(told)
        return
    for line in _story(told, test) if attempt is None else _exchange(told):
        show.line(line)


@deliveries.command("resend")
def resend(
    context: typer.Context,
    delivery_ids: DeliveryIds = None,
    endpoint: Endpoint = None,
    since: Since = None,
    until: Until = None,
    failed: Annotated[bool, typer.Option("--failed", help="Those that were given up, which is so without it too.")] = False,
    delivered: Annotated[
        bool, typer.Option("--delivered", help="Those the endpoint has taken already, as after it lost its data.")
    ] = False,
    test: Test = False,
    json: Json = False,
) -> None:
    """Send again, under the same id: the deliveries named, or those that were given up at an endpoint or since a time."""
    from callwright.cli import show
    from callwright.cli.control import reach
    from callwright.cli.moments import ago
    from callwright.cli.words import said_of_deliveries

    if delivery_ids and (endpoint or since or until or failed or delivered):
        raise typer.BadParameter("name deliveries, or say which by options: not both")
    if failed and delivered:
        raise typer.BadParameter("--failed and --delivered cannot go together", param_hint="--delivered")
    body: dict[str, Any] = {"state": "delivered" if delivered else "exhausted"}
    if endpoint is not None:
        body["endpoint"] = endpoint
    if since is not None:
        body["since"] = ago(since, "--since")
    if until is not None:
        body["until"] = ago(until, "--until")
    with reach(context.obj, answer_s=RESEND_S) as control, said_of_deliveries():
        world = world_of(test)
        if delivery_ids and len(delivery_ids) == 1:
            one = control.ask("POST", f"/api/deliveries/{quote(delivery_ids[0], safe='')}/resend", world=world)
            told: dict[str, Any] = {"resent": 1, "wasPending": int(one["was"] == "pending"), "skipped": {}, "held": one["held"]}
        elif delivery_ids:
            told = _resend_these(control, delivery_ids, world)
        else:
            told = control.ask("POST", "/api/deliveries/resend", body, world=world)
    if json:
        show.as_json(told)
    else:
        for line in told_of_resent(told, served=control.served, test=test):
            show.aside(line)
        for why, count in told["skipped"].items():
            show.aside(f"{count} are not: {_SKIPPED.get(why, why)}")
    raise typer.Exit(1 if delivery_ids and told["skipped"] else 0)


def told_of_resent(told: Mapping[str, Any], *, served: bool, test: bool) -> Iterator[str]:
    from callwright.cli.moments import short

    if not served:
        yield f"{told['resent']} are due again, and go when the server runs. Start it: callwright serve"
    else:
        yield f"{told['resent']} are {'due' if told['held'] else 'on their way'} again."
    if told["wasPending"]:
        yield f"{told['wasPending']} of them were pending anyway, and are due now."
    for one in told["held"]:
        yield (
            f"What goes to {one['endpoint']} waits until {short(one['until'])} UTC: {_HELD[one['health']]}. To try it at once: "
            f"callwright endpoints enable {one['endpoint']}{' --test' if test else ''}"
        )


_HELD = {
    "resting": "it asked for a pause, or failed too often in a row",
    "broken": "its host does not answer",
}
_SKIPPED = {
    "waiting": "they are pending, and go out after earlier ones of their call.",
    "endpointDisabled": "their endpoint is disabled. callwright endpoints list tells which; endpoints enable ends it. "
    "Both take --test for the test world.",
    "withdrawn": "no webhook asks for them any more.",
    "emptied": "they were settled so long ago that what they said is not kept any more.",
    "unknown": "there are no such deliveries in this world.",
}


def outcome(one: Mapping[str, Any]) -> str:
    """In a few words what has become of a delivery."""
    last = one["lastError"] if one["lastStatus"] is None else one["lastStatus"]
    return one["state"] if last is None else f"{one['state']} {last}"


def attempt_line(one: Mapping[str, Any]) -> str:
    """An attempt as a line: when, what came of it, how long each phase took, and when it is tried again."""
    result = one["error"] or "taken" if one["status"] is None else f"{one['status']}{'' if one['error'] is None else ' failed'}"
    phases = ((name, one[f"{key}Ms"]) for name, key in _PHASES)
    spans = ", ".join(f"{name} {span:.1f}" for name, span in phases if span is not None)
    detail = f": {one['detail']}" if one["detail"] else ""
    again = f"; again at {one['nextAttemptAt'][:19]}Z" if one["nextAttemptAt"] else ""
    return f"attempt {one['n']} at {one['at'][:23]}Z  {result}{detail} ({spans} ms){again}"


_PHASES = (("DNS", "dns"), ("connect", "connect"), ("TLS", "tls"), ("first byte", "firstByte"), ("total", "total"))


def _story(told: Mapping[str, Any], test: bool) -> Iterator[str]:
    of = "a test" if told["test"] else "of no call" if told["callId"] is None else f"of call {told['callId']}"
    yield f"{told['event']} {told['sequence']} {of}, message {told['messageId']}"
    yield f"to {told['url']} ({told['scope']} webhook)"
    yield from (attempt_line(one) for one in told["attemptLog"])
    if told["state"] == "pending":
        when = told["nextAttemptAt"]
        yield "pending: it waits for an earlier one of its call" if when is None else f"pending: due at {when[:19]}Z"
    elif told["state"] == "exhausted":
        yield f"exhausted ({told['lastError']}); send it again with: callwright deliveries resend {told['id']}" + (
            " --test" if test else ""
        )
    else:
        yield f"delivered at {told['settledAt'][:19]}Z"


def _exchange(told: Mapping[str, Any]) -> Iterator[str]:
    request, answer = told["request"], told["answer"]
    yield attempt_line(told)
    yield ""
    yield f"{request['method']} {request['url']}"
    yield from (f"{name}: {value}" for name, value in request["headers"])
    yield ""
    yield request["rawBody"]
    yield ""
    if answer is None:
        yield "No answer came."
        return
    yield f"{answer['status']}"
    yield from (f"{name}: {value}" for name, value in answer["headers"])
    yield ""
    if answer["encoding"] == "text":
        yield from answer["body"].expandtabs().splitlines()
    else:
        yield f"(base64) {answer['body']}"
    if not told["whole"]:
        yield "(the rest of the answer was not kept, or did not come)"


def _some(control: Control, wanted: Mapping[str, str | None], most: int, world: str) -> list[dict[str, Any]]:
    """The first `most`, page by page; a page may be short although there is more."""
    found: list[dict[str, Any]] = []
    query = {name: value for name, value in wanted.items() if value is not None}
    while len(found) < most:
        query["limit"] = str(min(PAGE, most - len(found)))
        page = control.get(f"/api/deliveries?{urlencode(query, quote_via=quote)}", world=world)
        found += page["data"]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    return found


def _resend_these(control: Control, delivery_ids: list[str], world: str) -> dict[str, Any]:
    resent, pending, skipped, held = 0, 0, dict[str, int](), dict[str, Any]()
    for first in range(0, len(delivery_ids), IDS):
        told = control.ask("POST", "/api/deliveries/resend", {"ids": delivery_ids[first : first + IDS]}, world=world)
        resent += told["resent"]
        pending += told["wasPending"]
        held |= {one["endpoint"]: one for one in told["held"]}
        for why, count in told["skipped"].items():
            skipped[why] = skipped.get(why, 0) + count
    return {"resent": resent, "wasPending": pending, "skipped": skipped, "held": list(held.values())}
