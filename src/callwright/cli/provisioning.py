"""``callwright keys``, ``numbers`` and ``flows``."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from callwright.cli.options import Json, Test, world_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callwright.cli.control import Control

keys = typer.Typer(name="keys", help="Access keys and signing keys.", no_args_is_help=True, rich_markup_mode=None)
numbers = typer.Typer(name="numbers", help="Telephone numbers.", no_args_is_help=True, rich_markup_mode=None)
flows = typer.Typer(name="flows", help="Call flows.", no_args_is_help=True, rich_markup_mode=None)

PAGE = 1_000
FlowId = Annotated[str, typer.Argument(metavar="FLOW_ID")]


class Kind(Enum):
    LIVE = "live"
    TEST = "test"


@keys.command("list")
def list_keys(context: typer.Context, json: Json = False) -> None:
    """List the access keys, revoked ones too."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj) as control:
        found = control.get("/api/keys")["data"]
    if json:
        show.as_json(found)
        return
    show.table(
        ("Id", "World", "Ends in", "Label", "Made", "Revoked"),
        [(key["id"], key["kind"], key["ending"], key["label"], key["createdAt"], key["revokedAt"]) for key in found],
        empty="There is no key. Make one with: callwright keys create test",
    )


@keys.command("create")
def create_key(
    context: typer.Context,
    kind: Annotated[Kind, typer.Argument(help="The world it opens.")],
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    json: Json = False,
) -> None:
    """Make an access key and print it; it cannot be read again."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj, making=True) as control:
        made = control.ask("POST", "/api/keys", {"kind": kind.value, "label": label})
    if json:
        show.as_json(made)
    else:
        print(made["key"])
        show.aside(f"Its id is {made['id']}. The key is not shown again.")


@keys.command("revoke")
def revoke_key(context: typer.Context, key_id: Annotated[str, typer.Argument(metavar="KEY_ID")]) -> None:
    """Stop an access key from opening anything."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj) as control:
        control.ask("DELETE", f"/api/keys/{quote(key_id, safe='')}")
    show.aside(f"The key {key_id} opens nothing any more.")


@keys.command("signing")
def show_signing_key(context: typer.Context, test: Test = False, json: Json = False) -> None:
    """Print the key that callbacks are signed with."""
    from callwright.cli import show
    from callwright.cli.control import reach
    from callwright.cli.moments import short

    with reach(context.obj, making=True) as control:
        found = control.get("/api/keys/signing", world=world_of(test))
    if json:
        show.as_json(found)
        return
    print(found["signingKey"])
    if found["oldUntil"]:
        show.aside(f"The key before it is good until {short(found['oldUntil'])} UTC: {found['oldSigningKey']}")


@keys.command("rotate-signing")
def rotate_signing_key(
    context: typer.Context,
    overlap: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN",
            help="How long the key of today stays good, such as 2h or 3d; 0 for no longer. Else webhooks.rotation_overlap.",
        ),
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Make no key: let the one that was replaced be good no more.")
    ] = False,
    test: Test = False,
    json: Json = False,
) -> None:
    """Make another key to sign callbacks with, and print it."""
    from callwright.cli import show
    from callwright.cli.control import reach
    from callwright.cli.moments import overlap_of, short

    if finish and overlap is not None:
        raise typer.BadParameter("--finish ends the overlap, so there is none to give.", param_hint="--overlap")
    seconds = None if overlap is None else overlap_of(overlap)
    with reach(context.obj) as control:
        if finish:
            found = control.ask("POST", "/api/keys/signing/rotate/finish", world=world_of(test))
        else:
            found = control.ask("POST", "/api/keys/signing/rotate", {"overlap": seconds}, world=world_of(test))
    if json:
        show.as_json(found)
        return
    print(found["signingKey"])
    if finish and not found["finished"]:
        show.aside("No rotation was under way, so nothing has changed.")
    if found["oldUntil"] is None:
        show.aside("Callbacks are signed with this key alone.")
        return
    option = " --test" if test else ""
    until = f"{short(found['oldUntil'])} UTC"
    show.aside(f"The key before it stays good until {until}, and headers with one signature have its until then.")
    show.aside(f"Once every receiver knows the new key: callwright keys rotate-signing --finish{option}")


@numbers.command("list")
def list_numbers(context: typer.Context, test: Test = False, json: Json = False) -> None:
    """List the numbers of a world, newest first."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj) as control:
        found = list(_all(control, "/api/numbers", world_of(test)))
    if json:
        show.as_json(found)
        return
    show.table(
        ("Number", "Flow", "Id", "Made"),
        [(number["number"], number["flowId"] or "default", number["id"], number["createdAt"]) for number in found],
        empty="There is no number. Add one with: callwright numbers add NUMBER",
    )


@numbers.command("add")
def add_number(
    context: typer.Context,
    number: str,
    flow: Annotated[
        str | None, typer.Option(metavar="FLOW_ID", help="The flow that answers it; else the default flow.")
    ] = None,
    test: Test = False,
    json: Json = False,
) -> None:
    """Register a number, or bind one that is there to a flow."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj, making=True) as control:
        made = control.ask("POST", "/api/numbers", {"number": number, "flowId": flow}, world=world_of(test))
    if json:
        show.as_json(made)
    else:
        answered_by = f"flow {made['flowId']}" if made["flowId"] else "the default flow"
        show.aside(f"{made['number']} is a number of the {world_of(test)} world, answered by {answered_by}.")


@numbers.command("remove")
def remove_number(context: typer.Context, number: str, test: Test = False) -> None:
    """Give a number up; its calls stay on record."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj) as control:
        control.ask("DELETE", f"/api/numbers/{quote(number, safe='')}", world=world_of(test))
    show.aside(f"{number} is no number of the {world_of(test)} world any more.")


@flows.command("list")
def list_flows(context: typer.Context, test: Test = False, json: Json = False) -> None:
    """List the flows of a world, newest first."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj) as control:
        found = list(_all(control, "/api/flows", world_of(test)))
    if json:
        show.as_json(found)
        return
    show.table(
        ("Id", "Title", "Default", "Steps", "Changed"),
        [(flow["id"], flow["title"], "yes" if flow["default"] else "", _actions(flow), flow["updatedAt"]) for flow in found],
        empty="There is no flow. Save one with: callwright flows save FILE",
    )


@flows.command("show")
def show_flow(context: typer.Context, flow_id: FlowId, test: Test = False) -> None:
    """Print a flow as JSON."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj) as control:
        show.as_json(control.get(f"/api/flows/{quote(flow_id, safe='')}", world=world_of(test)))


@flows.command("save")
def save_flow(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The flow as JSON; - reads standard input.")],
    replace: Annotated[str | None, typer.Option(metavar="FLOW_ID", help="Put it in the place of this flow.")] = None,
    test: Test = False,
    json: Json = False,
) -> None:
    """Save a flow and print its id."""
    from callwright.cli import show
    from callwright.cli.control import reach
    from callwright.cli.files import read_bytes

    body = read_bytes(file)
    with reach(context.obj, making=True) as control:
        if replace is None:
            saved = control.ask("POST", "/api/flows", body, world=world_of(test))
        else:
            saved = control.ask("PUT", f"/api/flows/{quote(replace, safe='')}", body, world=world_of(test))
    if json:
        show.as_json(saved)
        return
    for warning in saved.get("warnings", ()):
        show.aside(f"Warning: {warning['message']}")
    print(saved["id"])


@flows.command("bind")
def bind_flow(
    context: typer.Context, flow_id: FlowId, number: Annotated[list[str], typer.Argument()], test: Test = False
) -> None:
    """Let a flow answer numbers; those that are not there yet are registered."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj) as control:
        path = f"/api/flows/{quote(flow_id, safe='')}/numbers"
        bound = control.ask("POST", path, {"numbers": number}, world=world_of(test))["data"]
    show.aside(f"The flow {flow_id} answers {', '.join(one['number'] for one in bound)}.")


@flows.command("default")
def default_flow(context: typer.Context, flow_id: FlowId, test: Test = False) -> None:
    """Let a flow answer all numbers of the world that have none of their own."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj) as control:
        control.ask("POST", f"/api/flows/{quote(flow_id, safe='')}/default", world=world_of(test))
    show.aside(f"The flow {flow_id} is the default of the {world_of(test)} world.")


def _all(control: Control, path: str, world: str) -> Iterator[dict[str, Any]]:
    offset, total = 0, 1
    while offset < total:
        page = control.get(f"{path}?limit={PAGE}&offset={offset}", world=world)
        yield from page["data"]
        total = page["total"]
        offset += PAGE


def _actions(flow: dict[str, Any]) -> str:
    return ", ".join(step["action"] for step in flow["steps"])
