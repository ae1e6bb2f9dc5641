"""``callwright calls``: which there are, each by itself, and all of them as a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

import typer

from callwright.cli.options import Json, Test, world_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from callwright.cli.control import Control

calls = typer.Typer(
    name="calls", help="The record: which calls there are, as a table or a file.", no_args_is_help=True, rich_markup_mode=None
)

PAGE = 1_000
Status = Annotated[list[str] | None, typer.Option(help="Such as ended; several with commas between, or repeated.")]
Way = Annotated[str | None, typer.Option("--direction", help="incoming or outgoing.")]
Party = "31612345678, or a part of it: 316*, *5678, or with --since, 31 days ago at most, *345*."
Source = Annotated[str | None, typer.Option(help=f"Who called: {Party}")]
Destination = Annotated[str | None, typer.Option(help="Who was called, in the same way.")]
Number = Annotated[str | None, typer.Option(help="Of one of your numbers: its digits or its id.")]
Flow = Annotated[str | None, typer.Option(metavar="FLOW_ID", help="That this flow answered.")]
Reason = Annotated[list[str] | None, typer.Option(help="Why they ended, such as busy; several as with --status.")]
Tag = Annotated[list[str] | None, typer.Option(help="With this tag; repeated, with all of them.")]
Metadata = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="With this value; repeated, with all of them.")]
Since = Annotated[str | None, typer.Option(help="Made since: 90s, 10m, 2h or 3d ago, or a time such as 2026-05-04T10:00:00Z.")]
Until = Annotated[str | None, typer.Option(help="Made before: so long ago, or a time.")]
EndedSince = Annotated[str | None, typer.Option(help="Ended since: so long ago, or a time.")]
EndedUntil = Annotated[str | None, typer.Option(help="Ended before: so long ago, or a time.")]
Least = Annotated[int | None, typer.Option("--duration-from", min=0, metavar="SECONDS", help="That lasted so long or longer.")]
Most = Annotated[int | None, typer.Option("--duration-to", min=0, metavar="SECONDS", help="That lasted so long or shorter.")]
Oldest = Annotated[bool, typer.Option("--oldest", help="Oldest first, instead of newest.")]


@calls.command("list")
def list_calls(
    context: typer.Context,
    status: Status = None,
    direction: Way = None,
    source: Source = None,
    destination: Destination = None,
    number: Number = None,
    flow: Flow = None,
    reason: Reason = None,
    tag: Tag = None,
    metadata: Metadata = None,
    since: Since = None,
    until: Until = None,
    ended_since: EndedSince = None,
    ended_until: EndedUntil = None,
    duration_from: Least = None,
    duration_to: Most = None,
    oldest: Oldest = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    test: Test = False,
    json: Json = False,
) -> None:
    """List calls, newest first."""
    from callwright.cli import show
    from callwright.cli.control import reach
    from callwright.cli.words import said_of_filters

    query = _query(context.params)
    with reach(context.obj) as control, said_of_filters():
        found, total = _some(control, query, limit, world_of(test))
    if json:
        show.as_json(found)
        return
    show.table(
        ("Id", "Made", "", "From", "To", "Status", "Why", "Seconds", "Tags"),
        [_row(call) for call in found],
        empty="There is no such call.",
        whole=(0,),
    )
    if len(found) < total["count"] or not total["exact"]:
        which = "oldest" if oldest else "newest"
        of = f"{total['count']}" if total["exact"] else f"{total['count']} or more"
        show.aside(f"These are the {which} {len(found)} of {of}; --limit shows more.")


@calls.command("show")
def show_call(
    context: typer.Context,
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID")],
    test: Annotated[bool, typer.Option("--test", help="Look in the test world alone; else in both.")] = False,
    json: Json = False,
) -> None:
    """Show what is on record about a call and its legs; its story is told by: callwright journal CALL_ID."""
    from callwright.cli import show
    from callwright.cli.control import reach

    with reach(context.obj) as control:
        call = _found(control, call_id, ("test",) if test else ("live", "test"))
    if json:
        show.as_json(call)
        return
    for line in _lines(call):
        show.line(line)


@calls.command("export")
def export(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file that is not there yet; - writes to standard output.")],
    form: Annotated[
        str | None, typer.Option("--format", help="csv or ndjson; without it as FILE ends, and csv if that says nothing.")
    ] = None,
    status: Status = None,
    direction: Way = None,
    source: Source = None,
    destination: Destination = None,
    number: Number = None,
    flow: Flow = None,
    reason: Reason = None,
    tag: Tag = None,
    metadata: Metadata = None,
    since: Since = None,
    until: Until = None,
    ended_since: EndedSince = None,
    ended_until: EndedUntil = None,
    duration_from: Least = None,
    duration_to: Most = None,
    oldest: Oldest = False,
    test: Test = False,
) -> None:
    """Write all calls, or those that are asked for, to a file with a line for each, newest first."""
    from callwright.cli import show
    from callwright.cli.control import reach
    from callwright.cli.words import said_of_filters

    query = _query(context.params)
    form = form or ("ndjson" if file.endswith((".ndjson", ".jsonl")) else "csv")
    path = f"/api/calls/export?{_encoded([*query, ('format', form)])}"
    with reach(context.obj) as control, said_of_filters():
        if file == "-":
            try:
                control.copy(path, sys.stdout.buffer.write, world=world_of(test))
                sys.stdout.buffer.flush()
            except BrokenPipeError:  # whoever reads has enough
                show.no_more()
                raise typer.Exit(1) from None
        else:
            _write(control, path, file, world_of(test))


def _write(control: Control, path: str, file: str, world: str) -> None:
    """A file that is all there, or none."""
    from pathlib import Path

    from callwright.cli import show
    from callwright.errors import CallwrightError

    try:
        with open(file, "xb") as opened:
            try:
                control.copy(path, opened.write, world=world)
                opened.flush()
            except BaseException:
                Path(file).unlink()
                raise
            size = opened.tell()
    except FileExistsError:
        raise CallwrightError(f"{file} is there already. Name another file, or remove it first.") from None
    except OSError as error:
        raise CallwrightError(f"{file} cannot be written: {error.strerror or error}.") from error
    show.aside(f"{file} has {size} bytes.")


def _query(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The options of a command as parameters of the interface."""
    from datetime import UTC, datetime

    from callwright.cli.moments import ago

    now = datetime.now(UTC)  # one for all, so that 31 days ago and now are 31 days apart
    words = ((name, text) for name in ("status", "reason", "tag") for text in given[name] or ())
    query = [*words, *_metadata(given["metadata"] or ())]
    for name in ("direction", "source", "destination", "number", "flow"):
        query += [(name, given[name])] if given[name] is not None else []
    # Until now is what is meant where a range needs an end.
    until = "0s" if given["since"] is not None and given["until"] is None else given["until"]
    for option, name, text in (
        ("--since", "createdFrom", given["since"]),
        ("--until", "createdTo", until),
        ("--ended-since", "endedFrom", given["ended_since"]),
        ("--ended-until", "endedTo", given["ended_until"]),
    ):
        query += [(name, ago(text, option, now))] if text is not None else []
    for option, name in (("duration_from", "durationFrom"), ("duration_to", "durationTo")):
        query += [(name, str(given[option]))] if given[option] is not None else []
    return [*query, ("sort", "oldest" if given["oldest"] else "newest")]


def _metadata(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r}: write NAME=VALUE, such as customer=42", param_hint="--metadata")
        yield f"metadata.{name}", value


def _encoded(query: Sequence[tuple[str, str]]) -> str:
    """A space is %20: a plus is one, as numbers begin with it."""
    return urlencode(query, quote_via=quote)


def _some(
    control: Control, query: Sequence[tuple[str, str]], most: int, world: str
) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
    """The first `most`, page by page, and how many there are; a page may be short although there is more."""
    found: list[dict[str, Any]] = []
    after: list[tuple[str, str]] = []
    while True:
        limit = ("limit", str(min(PAGE, most - len(found))))
        page = control.get(f"/api/calls?{_encoded([*query, limit, *after])}", world=world)
        found += page["data"]
        if page["next"] is None or len(found) == most:
            return found, page["total"]
        after = [("cursor", page["next"])]


def _found(control: Control, call_id: str, worlds: Sequence[str]) -> dict[str, Any]:
    """A call, in whichever of the worlds it is."""
    from callwright.cli.control import Refused

    for world in worlds:
        try:
            found: dict[str, Any] = control.get(f"/api/calls/{quote(call_id, safe='')}", world=world)
            return found
        except Refused as refused:
            if refused.status != 404 or world == worlds[-1]:
                raise
    raise AssertionError(worlds)


def _row(call: Mapping[str, Any]) -> tuple[object, ...]:
    from callwright.cli.moments import short

    return (
        call["id"],
        short(call["createdAt"]),
        "in" if call["direction"] == "incoming" else "out",
        call["source"],
        call["destination"],
        call["status"],
        call["reason"],
        call["duration"] or None,
        " ".join(call["tags"]),
    )


def _lines(call: Mapping[str, Any]) -> Iterator[str]:
    """What is on record, and of each leg why it ended and what to do about it."""
    from callwright.cli.moments import short

    yield f"call {call['id']} ({call['world']}), {call['direction']}, {call['source']} to {call['destination']}"
    reason = f", {call['reason']}" if call["reason"] else ""
    yield f"{call['status']}{reason}, {call['duration']} s"
    for what, name in (("made", "createdAt"), ("answered", "answeredAt"), ("ended", "endedAt")):
        if call[name] is not None:
            yield f"{what} {short(call[name])}"
    for what, name in (("number", "numberId"), ("flow", "flowId"), ("webhook", "webhookUrl")):
        if call[name] is not None:
            yield f"{what} {call[name]}"
    if call["tags"]:
        yield f"tags {', '.join(call['tags'])}"
    for name, value in call["metadata"].items():
        yield f"{name}={value}"
    for leg in call["legs"]:
        yield f"leg {leg['n']} {leg['id']}, {leg['direction']}, {leg['source']} to {leg['destination']}, {leg['status']}"
        if leg["reason"] is not None:
            code = f" (SIP {leg['sipCode']})" if leg["sipCode"] is not None else ""
            yield f"  {leg['reason']['sentence']}{code} {leg['reason']['remedy']}"
