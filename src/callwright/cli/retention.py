"""``callwright retention``: what is kept for how long, what would go now, and erasing one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from callwright.cli.options import Json, Test, world_of

if TYPE_CHECKING:
    from callwright.cli.place import Place

MOST_DAYS = 36_500  # as of the setting

retention = typer.Typer(name="retention", help="How long calls are kept.", no_args_is_help=True, rich_markup_mode=None)


@retention.command("show")
def show_retention(
    context: typer.Context,
    calls: Annotated[
        int | None, typer.Option(min=0, max=MOST_DAYS, metavar="DAYS", help="As if this were the setting retention.calls.")
    ] = None,
    json: Json = False,
) -> None:
    """Say how long calls are kept, and how many would go now. Nothing is deleted.

    Of them those stay that still wait for something, such as callbacks that are not settled.
    """
    from callwright.cli import show

    told = _told(context.obj, calls)
    if json:
        show.as_json(told)
        return
    kept = [("calls", told["calls"]), *((f"tag {one['tag']}", one["days"]) for one in told["tags"])]
    show.table(("Calls", "Kept for"), [(what, f"{days} days" if days else "ever") for what, days in kept], empty="")
    looks = " The server looks a minute after it starts, and then every hour." if any(days for _, days in kept) else ""
    show.aside(f"{told['old']} calls are older than that and would go now.{looks}")


@retention.command("forget")
def forget(
    context: typer.Context,
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID")],
    test: Test = False,
    json: Json = False,
) -> None:
    """Erase one call that is over, with its legs, journal, recordings, transcriptions and callbacks, at once and for good."""
    from callwright.cli import show
    from callwright.cli.control import Refused, reach

    with reach(context.obj) as control:
        try:
            control.ask("DELETE", f"/api/calls/{quote(call_id, safe='')}/record", world=world_of(test))
        except Refused as refused:
            if refused.status == 404 and refused.remedy is None:
                refused.remedy = (
                    "Leave --test out if it is of the live world." if test else "Say --test if it is of the test world."
                )
            raise
        served = control.served
    if json:
        show.as_json({"forgotten": call_id})
    else:
        show.aside(f"Call {call_id} is forgotten." + ("" if served else " Files of its recordings go when the server runs."))


def _told(place: Place, calls: int | None) -> dict[str, Any]:
    from callwright.clock import SystemClock
    from callwright.errors import DataFolderError
    from callwright.retention import rows
    from callwright.retention.rules import Rules
    from callwright.settings import rooms
    from callwright.store.survey import Survey

    rules = rooms.retention(place.settings().settings)
    if calls is not None:
        rules = Rules(calls, rules.tags)
    if not place.folder.database.exists():
        raise DataFolderError(f"{place.folder.root} holds no Callwright data. Name another folder with --data")
    survey = Survey.of(place.folder.database)
    try:
        if survey.history().pending:
            raise DataFolderError("The database is of an older version: start this version's server there once.")
        now_us = SystemClock().now_us()
        old = sum(rows.count_old(survey, rules, block, now_us) for block in rows.blocks(survey, rules, now_us))
    finally:
        survey.close()
    return {"calls": rules.calls, "tags": [{"tag": tag, "days": days} for tag, days in rules.tags.items()], "old": old}
