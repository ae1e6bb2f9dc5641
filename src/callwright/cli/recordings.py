"""``callwright recordings``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO
from urllib.parse import quote

import typer

from callwright.cli.options import Json, Test, world_of

if TYPE_CHECKING:
    from callwright.cli.control import Control

recordings = typer.Typer(name="recordings", help="Recordings.", no_args_is_help=True, rich_markup_mode=None)

PAGE = 1_000
PORTION = 1 << 22


@recordings.command("list")
def list_recordings(
    context: typer.Context,
    call: Annotated[str | None, typer.Option(metavar="CALL_ID", help="Those of one call.")] = None,
    test: Test = False,
    json: Json = False,
) -> None:
    """List the recordings of a world or a call, newest first."""
    from callwright.cli import show
    from callwright.cli.control import reach

    only = "" if call is None else f"&call={quote(call, safe='')}"
    found: list[dict[str, Any]] = []
    with reach(context.obj) as control:
        total = 1
        while len(found) < total:
            page = control.get(f"/api/recordings?limit={PAGE}&offset={len(found)}{only}", world=world_of(test))
            found += page["data"]
            total = page["total"] if page["data"] else 0
    if json:
        show.as_json(found)
        return
    show.table(
        ("Id", "Call", "Type", "Status", "Seconds", "Storage", "Sealed", "Made"),
        [
            (one["id"], one["callId"], one["type"], one["status"], f"{one['durationMs'] / 1000:.1f}", one["storage"],
             "yes" if one["sealed"] else "", one["createdAt"])
            for one in found
        ],
        empty="There is no recording.",
    )  # fmt: skip


@recordings.command("export")
def export(
    context: typer.Context,
    recording_id: Annotated[str, typer.Argument(metavar="RECORDING_ID")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file that is not there yet; - writes to standard output.")],
    test: Test = False,
) -> None:
    """Write a recording to a WAV file, wherever it is kept, and opened if it is sealed."""
    from callwright.cli import show
    from callwright.cli.control import reach
    from callwright.errors import CallwrightError

    with reach(context.obj) as control:
        control.read(_portion(recording_id, 0, 1), world=world_of(test))  # before a file is made
        if file == "-":
            _copy(control, recording_id, world_of(test), sys.stdout.buffer)
            return
        try:
            with open(file, "xb") as opened:
                size = _copy(control, recording_id, world_of(test), opened)
        except OSError as error:
            raise CallwrightError(f"{file} cannot be written: {error.strerror}.") from error
    show.aside(f"{size} bytes are in {file}.")


@recordings.command("rewrap")
def rewrap(context: typer.Context, json: Json = False) -> None:
    """Seal what is sealed with an older key of recordings.keys with the first one; no file is touched.

    Then the older keys can be taken out of the settings. Exit status: 0 all of it is, 1 some cannot be opened.
    """
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj, answer_s=3_600) as control:
        done = control.ask("POST", "/api/recordings/rewrap")
    lost = {name: count for what in ("recordings", "transcriptions") for name, count in done[what]["lost"].items()}
    if json:
        show.as_json(done)
    else:
        show.aside(
            f"{done['recordings']['renewed']} recordings and {done['transcriptions']['renewed']} transcripts "
            f"are sealed with the key {done['key']} now."
        )
        if lost:
            show.aside(f"Not opened, because these keys are missing from recordings.keys: {', '.join(sorted(lost))}.")
    raise typer.Exit(1 if lost else 0)


def _portion(recording_id: str, offset: int, length: int) -> str:
    return f"/api/recordings/{quote(recording_id, safe='')}/sound?offset={offset}&length={length}"


def _copy(control: Control, recording_id: str, world: str, to: BinaryIO) -> int:
    size = 0
    while True:
        portion = control.read(_portion(recording_id, size, PORTION), world=world)
        to.write(portion)
        size += len(portion)
        if len(portion) < PORTION:
            return size
