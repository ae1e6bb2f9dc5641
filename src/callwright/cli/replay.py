"""``callwright replay``: a past call once more, and what is not as it was."""

from __future__ import annotations

import json as json_
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from callwright import ids
from callwright.calls import journal
from callwright.calls.rows import Told
from callwright.calls.sentences import sentence
from callwright.cli import show
from callwright.cli.control import Control, Refused, reach
from callwright.cli.files import Unreadable, read_bytes
from callwright.cli.place import Place
from callwright.clock import from_rfc3339
from callwright.errors import CallwrightError, Problem
from callwright.replay import exporting, record, scenario_file
from callwright.replay.differences import Difference, differences
from callwright.replay.inputs import NothingToReplay
from callwright.replay.playing import Replayed, replay
from callwright.replay.record import Line, Reader
from callwright.scenarios.rules import flow_in
from callwright.scenarios.screen import with_short_urls

# What is shown fits a screen: lines before and after the first difference, and differences after it.
BEFORE, AFTER, REST = 4, 3, 12
WIDTH = 110


class NotReplayed(CallwrightError):
    """A call cannot be replayed."""


def run(place: Place, call_id: str, flow: str | None, export: Path | None, worlds: tuple[str, ...], *, json: bool) -> int:
    """Replay a call and print how that went; return the exit status."""
    try:
        return _run(place, call_id, flow, export, worlds, json=json)
    except CallwrightError as error:  # a difference has the status that errors have elsewhere
        remedy = getattr(error, "remedy", None)
        show.aside(f"callwright: {error}" + (f"\n{remedy}" if remedy else ""))
        return 2


def _run(place: Place, call_id: str, flow: str | None, export: Path | None, worlds: tuple[str, ...], *, json: bool) -> int:
    printed = export == scenario_file.STDOUT
    if printed and json:
        raise NotReplayed("--json and --export - both write to standard output. Name a file for the scenario.")
    told, body = _read(place, call_id, flow, worlds)
    settings = place.settings().settings
    otherwise = ""
    try:
        replayed = replay(told, settings, body)
        if export is not None:
            scenario = exporting.scenario_of(told, settings, body)
            scenario_file.write(export, scenario)
            otherwise = exporting.goes_otherwise(scenario, settings)
    except NothingToReplay as error:
        raise NotReplayed(f"The call {call_id} cannot be replayed. {error}") from error
    except Problem as problem:
        where = f" ({problem.parameter})" if problem.parameter else ""
        raise NotReplayed(f"The flow cannot be run: {problem.message}{where}") from problem
    found = differences(replayed.recorded, replayed.replayed, replayed.steps)
    notes = [*replayed.missing, *_unfinished(replayed), *([otherwise] if otherwise else [])]
    if json:
        show.as_json(_as_json(call_id, replayed, found, notes))
    else:
        tell = show.aside if printed else show.line
        for line in lines(replayed, found):
            tell(line)
        for note in notes:
            show.aside(note)
    if export is not None and not printed:
        show.aside(f"The scenario is in {export}. Run it with: callwright flow test {export}")
    return 1 if found or otherwise else 0


def _read(place: Place, call_id: str, flow: str | None, worlds: tuple[str, ...]) -> tuple[list[Told], dict[str, Any] | None]:
    path = f"/api/calls/{quote(call_id, safe='')}"
    with reach(place) as control:
        for world in worlds:
            try:
                entries = control.get(f"{path}/journal", world=world)["data"]
                break
            except Refused as refused:
                if refused.status != 404 or world == worlds[-1]:
                    raise
        body = None if flow is None else _flow(control, flow, world)
    try:
        return record.read_told(entries, from_rfc3339), body
    except msgspec.ValidationError as error:
        raise NotReplayed(
            f"The journal of {call_id} has a line that this version does not know ({error}). Use the version of the server."
        ) from error


def _flow(control: Control, named: str, world: str) -> dict[str, Any]:
    """A file in JSON or XML, or the id of a stored flow."""
    if not Path(named).exists() and ids.parse(named) is not None:
        found: dict[str, Any] = control.get(f"/api/flows/{named}", world=world)
    else:
        try:
            found = flow_in(read_bytes(named))
        except Problem as problem:
            raise Unreadable(f"{named} is no flow: {problem.message}") from problem
    return {name: found[name] for name in ("steps", "record", "maxDuration") if found.get(name) is not None}


def _unfinished(replayed: Replayed) -> Iterator[str]:
    if not replayed.plan.over and not replayed.plan.missing:
        yield "The record does not go to the end of the call, which may be up still: it was replayed as far as it goes."


# in words


def lines(replayed: Replayed, found: Sequence[Difference]) -> Iterator[str]:
    """The first difference with what was around it, then the others; a screenful."""
    if not found:
        length = (replayed.recorded[-1].at_us - replayed.recorded[0].at_us) / 1e6
        yield f"No difference: {len(replayed.recorded)} lines, {length:.1f} s of call."
        return
    then, now = _Words(replayed.recorded), _Words(replayed.replayed)
    first = found[0]
    yield f"{len(found)} difference{'s' if len(found) > 1 else ''}; {_head(first)}"
    yield ""
    yield from _around(then, now, first)
    rest = found[1:]
    if rest:
        yield ""
        yield "Then:"
        for one in rest[:REST]:
            yield from _marked(then, now, one)
        if len(rest) > REST:
            yield f"  and {len(rest) - REST} more; --json has them all"


def _head(first: Difference) -> str:
    words = {
        "changed": "the first line that is not as it was:",
        "missing": "the first line that does not come any more:",
        "new": "the first line that did not come then:",
        "shift": "the first thing that takes another time:",
    }
    return words[first.kind]


def _around(then: _Words, now: _Words, first: Difference) -> Iterator[str]:
    """The record around it, or where the record does not have it, the replay."""
    words, place = (then, first.recorded) if first.recorded is not None else (now, first.replayed)
    assert place is not None
    for near in range(max(0, place - BEFORE), place):
        yield f"  {words[near]}"
    yield from _marked(then, now, first)
    for near in range(place + 1, min(len(words), place + 1 + AFTER)):
        yield f"  {words[near]}"


def _marked(then: _Words, now: _Words, one: Difference) -> Iterator[str]:
    if one.kind == "shift":
        assert one.replayed is not None
        how = "later" if one.later_s > 0 else "earlier"
        yield f"~ {now[one.replayed]}"
        yield f"~            from here on {abs(one.later_s):.2f} s {how}"
        return
    if one.recorded is not None:
        yield f"- {then[one.recorded]}"
    if one.replayed is not None:
        yield f"+ {now[one.replayed]}"


class _Words(Sequence[str]):
    """The lines of a journal, with their seconds and, of steps, with what they do."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        reader = Reader()
        self._bodies: dict[int, Mapping[str, Any]] = {}
        for place, line in enumerate(lines):
            reader.read(line.entry)
            if isinstance(line.entry, journal.StepStarted):
                self._bodies[place] = reader.body(line.entry.step)
        self._names = {leg: f"leg {n}" for leg, n in reader.legs.items()}
        self._names |= {recording: f"recording {n}" for recording, n in reader.recordings.items()}

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, place: Any) -> Any:
        line = self._lines[place]
        does = _does(self._bodies[place]) if place in self._bodies else ""
        text = f"{(line.at_us - self._lines[0].at_us) / 1e6:+9.3f}  {sentence(line.entry, self._names)}{does}"
        text = text if len(text) <= WIDTH else with_short_urls(text)
        return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def _does(step: Mapping[str, Any]) -> str:
    """What a step says, plays, calls or waits for."""
    options = step.get("options") or {}
    if "payload" in options:
        return f' "{options["payload"]}"'
    shown = ", ".join(f"{name} {value}" for name, value in options.items() if isinstance(value, str | int | float | list))
    return f" ({shown})" if shown else ""


# as JSON


def _as_json(call_id: str, replayed: Replayed, found: Sequence[Difference], notes: Sequence[str]) -> dict[str, Any]:
    then, now = _Words(replayed.recorded), _Words(replayed.replayed)
    return {
        "call": call_id,
        "same": not found,
        "lines": len(replayed.recorded),
        "notes": list(notes),
        "differences": [
            {
                "kind": one.kind,
                "recorded": None if one.recorded is None else _line(replayed.recorded, then, one.recorded),
                "replayed": None if one.replayed is None else _line(replayed.replayed, now, one.replayed),
                "fields": {name: {"then": before, "now": after} for name, (before, after) in one.fields.items()},
                "laterS": one.later_s,
            }
            for one in found
        ],
    }


def _line(lines: Sequence[Line], words: _Words, place: int) -> dict[str, Any]:
    entry: dict[str, Any] = json_.loads(journal.encode(lines[place].entry))
    at = round((lines[place].at_us - lines[0].at_us) / 1e6, 6)
    if isinstance(made := entry.get("call"), dict):
        made.pop("webhook_token", None)
    return {"at": at, "text": words[place][11:], **entry}
