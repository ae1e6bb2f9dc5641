"""What a call came to, as a story that a failing test shows: one line for each thing that happened, with its time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

from callwright.calls import journal
from callwright.rehearsal.outcome import Outcome, Posted, Spoken

LONGEST = 100


class _Line(NamedTuple):
    """What happened at a time; what happened at one time is told in order of `place`."""

    at: float
    place: float
    text: str


def story(outcome: Outcome) -> str:
    """The whole of it. Times are seconds since the call was made."""
    call = outcome.call
    why = "" if call.reason is None else f" ({call.reason.value})"
    after = "after" if outcome.over else "at"
    head = f"{call.source} -> {call.destination}: {call.status.value}{why} {after} {outcome.seconds:g} s"
    lines = sorted((*_of_journal(outcome), *_of_sound(outcome), *_of_web(outcome)))
    told = [f"{line.at:9.2f}  {line.text}" for line in lines]
    notes = [f"           {note}" for note in outcome.notes]
    return "\n".join([head, *told, *notes])


def webhook(posted: Posted) -> str:
    """A callback in short: its event, and the status of what it is about.

    A call's is ``callUpdated ended``.
    """
    return f"{posted.event} {posted.payload.get('status', '')}".strip()


def _of_journal(outcome: Outcome) -> Iterator[_Line]:
    number: dict[UUID, int] = {leg.id: leg.n for leg in outcome.legs}
    for place, told in enumerate(outcome.journal):
        text = _entry(told.entry, number)
        if text:
            yield _Line(outcome.since(told.at_us), place, text)


def _entry(entry: journal.Entry, number: Mapping[UUID, int]) -> str:
    """Empty for what is not told, or told elsewhere."""
    match entry:
        case journal.LegMade(leg=leg):
            return f"leg {leg.n} {leg.direction.value} {leg.source} -> {leg.destination}"
        case journal.LegMoved(leg=leg_id, status=status, reason=reason):
            return f"leg {number[leg_id]} is {status.value}" + ("" if reason is None else f" ({reason.value})")
        case journal.StepStarted(step=step, action=action):
            return f"step {step}: {action}"
        case journal.StepSkipped(step=step, detail=detail):
            return f"step {step} is left out: {detail}"
        case journal.DigitPressed(leg=leg_id, digit=digit):
            return f"leg {number[leg_id]} presses {digit}"
        case journal.KeysSent(leg=leg_id, keys=keys):
            return f"leg {number[leg_id]} is sent the keys {keys}"
        case journal.VariableSet(variable=variable, value=value):
            return f"variable {variable} = {_short(value)}"
        case journal.Asked(what=what):
            return f"asked from outside: {what}"
    return ""


def _of_sound(outcome: Outcome) -> Iterator[_Line]:
    for spoken in outcome.spoken:
        yield _after_its_step(outcome, spoken.at, f"leg {spoken.leg} hears {_heard(spoken)}")
    for recording in outcome.recordings:
        said = f", {_short(recording.heard)}" if recording.heard else ""
        ended = f", ended by {recording.outcome}" if recording.outcome else ""
        text = f"leg {recording.leg} is recorded for {recording.seconds:g} s{said}{ended}"
        yield _after_its_step(outcome, recording.at, text)


def _of_web(outcome: Outcome) -> Iterator[_Line]:
    for fetch in outcome.fetches:
        yield _after_its_step(outcome, fetch.at, f"{fetch.method} {fetch.url} -> {fetch.fault or fetch.status}")
    for posted in outcome.webhooks:
        yield _Line(posted.at, len(outcome.journal), f"webhook {webhook(posted)}")
    for one in outcome.deliveries:
        if one.state != "delivered":
            text = f"{one.event} was not delivered to {one.url}: {one.fault or 'its time was over'}"
            yield _Line(outcome.seconds, len(outcome.journal) + 1, text)


def _after_its_step(outcome: Outcome, at: float, text: str) -> _Line:
    """For what the journal has no entry of: it comes of the step that is under way then."""
    steps = [
        place
        for place, told in enumerate(outcome.journal)
        if isinstance(told.entry, journal.StepStarted) and outcome.since(told.at_us) <= at
    ]
    return _Line(at, steps[-1] + 0.5 if steps else -1.0, text)


def _heard(spoken: Spoken) -> str:
    what = _short(spoken.text) if spoken.text else spoken.url
    if spoken.seconds is None:
        return what
    cut = "" if spoken.outcome in ("done", None) else f", cut off by {spoken.outcome}"
    return f"{what} for {spoken.seconds:g} s{cut}"


def _short(text: str) -> str:
    return f'"{text}"' if len(text) <= LONGEST else f'"{text[: LONGEST - 1]}…"'
