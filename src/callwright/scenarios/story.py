"""What happened in a rehearsed call, line by line: what was heard and pressed among the lines of its journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

from callwright.calls import journal
from callwright.rehearsal.outcome import Outcome, Spoken

# What a reader of a test has no use for: bookkeeping, and what is told elsewhere.
UNTOLD = (
    journal.CallMade,
    journal.LegIntends,
    journal.LegAddressed,
    journal.LegLast,
    journal.RecordingMade,
    journal.SessionRefreshed,
    journal.Ignored,
)


class Line(NamedTuple):
    """`at` is in seconds since the call was made."""

    at: float
    text: str


def story(outcome: Outcome) -> list[Line]:
    """In the order in which it happened."""
    lines = [*_journal(outcome), *(Line(one.at, _heard(one)) for one in outcome.spoken)]
    return sorted(lines, key=lambda line: line.at)  # what is heard comes after the step that says it


def _heard(one: Spoken) -> str:
    what = f'"{" ".join(one.text.split())}"' if one.text else f"the sound {one.url}"
    if one.seconds is None:
        return f"leg {one.leg} begins to hear {what}"
    end = "" if one.outcome == "done" else f", {one.outcome}"
    return f"leg {one.leg} hears {what} ({one.seconds:g} s{end})"


def _journal(outcome: Outcome) -> Iterator[Line]:
    legs = {leg.id: f"leg {leg.n}" for leg in outcome.legs}

    def leg(leg_id: UUID | None) -> str:
        return "a leg" if leg_id is None else legs.get(leg_id, "a leg")

    for told in outcome.journal:
        entry = told.entry
        if isinstance(entry, UNTOLD):
            continue
        write = SENTENCES.get(type(entry))
        text = type(entry).__name__ if write is None else write(entry, leg)
        yield Line(outcome.since(told.at_us), text)


_Leg = Callable[[UUID | None], str]


def _leg_made(entry: journal.LegMade, leg: _Leg) -> str:
    made = entry.leg
    return f"leg {made.n} begins, {made.direction.value}, {made.source} to {made.destination}"


def _leg_moved(entry: journal.LegMoved, leg: _Leg) -> str:
    reason = "" if entry.reason is None or entry.reason.value == entry.status.value else f", {entry.reason.value}"
    code = "" if entry.sip_code is None or str(entry.sip_code) in entry.detail else f", SIP {entry.sip_code}"
    return f"{leg(entry.leg)} is {entry.status.value}{reason}{code}{_bracketed(entry.detail)}"


def _flow_started(entry: journal.FlowStarted, leg: _Leg) -> str:
    steps = [str(step.get("action")) for step in entry.flow.get("steps", ())]
    more = f" and {len(steps) - 6} more" if len(steps) > 6 else ""
    return f"the flow begins: {', '.join(steps[:6])}{more}"


def _flow_answered(entry: journal.FlowAnswered, leg: _Leg) -> str:
    asked = "told of the recording" if entry.how == "on_finish" else "asked for a flow"
    return f"{entry.url} is {asked}: {entry.error or entry.status}"


def _recording_moved(entry: journal.RecordingMoved, leg: _Leg) -> str:
    ended = f" after {entry.duration_ms / 1000:g} s ({entry.outcome})" if entry.outcome else ""
    return f"the recording is {entry.status}{ended}{_bracketed(entry.detail)}"


def _refer_received(entry: journal.ReferReceived, leg: _Leg) -> str:
    answer = f"refused with {entry.sip_code}, {entry.refused}" if entry.refused else "accepted"
    return f"{leg(entry.leg)} asks to be replaced by {entry.target}: {answer}"


def _refer_ended(entry: journal.ReferEnded, leg: _Leg) -> str:
    code = "" if entry.sip_code is None else f", SIP {entry.sip_code}"
    return f"the transfer of {leg(entry.leg)} is {entry.outcome}{code}{_bracketed(entry.detail)}"


def _labelled(entry: journal.CallLabelled, leg: _Leg) -> str:
    metadata = "".join(f", {name}={value!r}" for name, value in entry.metadata.items())
    return f"the call's tags are: {', '.join(entry.tags) or 'none'}{metadata}"


_HEARD = {"voice": "begins to speak", "silence": "falls silent", "beep": "beeps"}
SENTENCES: dict[type[journal.Entry], Callable[[Any, _Leg], str]] = {
    journal.LegMade: _leg_made,
    journal.LegMoved: _leg_moved,
    journal.CallMoved: lambda entry, leg: f"the call is {entry.status.value}",
    journal.FlowStarted: _flow_started,
    journal.StepStarted: lambda entry, leg: f"step {entry.step} begins: {entry.action}",
    journal.StepEnded: lambda entry, leg: f"step {entry.step} ends: {entry.outcome}{_bracketed(entry.detail)}",
    journal.StepSkipped: lambda entry, leg: f"step {entry.step} is left out{_bracketed(entry.detail)}",
    journal.DigitPressed: lambda entry, leg: f"{leg(entry.leg)} presses {entry.digit}",
    journal.VariableSet: lambda entry, leg: f"{entry.variable} is {entry.value!r}",
    journal.KeysSent: lambda entry, leg: f"{entry.keys} is pressed towards {leg(entry.leg)}",
    journal.MediaFetched: lambda entry, leg: f"{entry.url} is fetched: {entry.error or entry.status}",
    journal.FlowAnswered: _flow_answered,
    journal.RecordingMoved: _recording_moved,
    journal.TranscriptionWanted: lambda entry, leg: f"the recording is to be written down ({entry.language})",
    journal.VoiceHeard: lambda entry, leg: f"{leg(entry.leg)} {_HEARD.get(entry.what, entry.what)}",
    journal.Judged: lambda entry, leg: f"{leg(entry.leg)} was answered by: {entry.verdict} ({entry.basis})",
    journal.PartyAdded: lambda entry, leg: f"{leg(entry.leg)} is added",
    journal.ReferReceived: _refer_received,
    journal.ReferSent: lambda entry, leg: f"{leg(entry.leg)} is asked to call {entry.target}",
    journal.ReferEnded: _refer_ended,
    journal.FlowLeft: lambda entry, leg: f"the flow is left: {entry.detail}",
    journal.Bridged: lambda entry, leg: f"{leg(entry.leg)} and {leg(entry.other)} talk",
    journal.Unbridged: lambda entry, leg: f"{leg(entry.leg)} talks to nobody any more",
    journal.Held: lambda entry, leg: f"{leg(entry.leg)} asks for {entry.direction}",
    journal.Asked: lambda entry, leg: f"asked from outside: {entry.what}{' of ' + leg(entry.leg) if entry.leg else ''}",
    journal.TimerLate: lambda entry, leg: f"this machine is {entry.late_us / 1e6:.2f} s late ({entry.timer})",
    journal.LateAnswerReleased: lambda entry, leg: f"{leg(entry.leg)} was answered after it was given up; let go",
    journal.ForkReleased: lambda entry, leg: f"{leg(entry.leg)} was answered twice; the second is let go",
    journal.CallLabelled: _labelled,
    journal.Settled: lambda entry, leg: f"the server was not there; what lived is ended, {entry.reason.value}",
}


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""
