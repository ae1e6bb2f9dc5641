"""The entries of a journal in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from callwright.calls import journal
from callwright.telephony import RtpCounters

# What legs, recordings and flows are called: ``leg 1``. A recording or a flow that is not among them is called by its id.
Names = Mapping[UUID, str]

MOST_STEPS = 6  # of a flow, whose steps are told one by one as they begin


def sentence(entry: journal.Entry, names: Names) -> str:
    """One entry in words."""
    return SENTENCES[type(entry)](entry, names)


def _leg(leg: UUID | None, names: Names) -> str:
    return "a leg" if leg is None else names.get(leg, "a leg")


def _recording(recording: UUID, names: Names) -> str:
    return names.get(recording, f"recording {recording}")


def _steps(flow: Mapping[str, Any] | None, before: str) -> str:
    actions = [str(step.get("action")) for step in (flow or {}).get("steps", ())]
    more = f" and {len(actions) - MOST_STEPS} more" if len(actions) > MOST_STEPS else ""
    return f"{before}{', '.join(actions[:MOST_STEPS])}{more}" if actions else ""


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""


def _leg_made(entry: journal.LegMade, names: Names) -> str:
    made = entry.leg
    return f"leg {made.n} begins, {made.direction.value}, {made.source} to {made.destination}"


def _leg_moved(entry: journal.LegMoved, names: Names) -> str:
    reason = "" if entry.reason is None or entry.reason.value == entry.status.value else f", {entry.reason.value}"
    code = "" if entry.sip_code is None or str(entry.sip_code) in entry.detail else f", SIP {entry.sip_code}"
    return f"{_leg(entry.leg, names)} is {entry.status.value}{reason}{code}{_bracketed(entry.detail)}"


def _leg_addressed(entry: journal.LegAddressed, names: Names) -> str:
    facts = [f"its SIP Call-ID is {entry.sip_call_id}"] if entry.sip_call_id else []
    facts += [f"its final SIP code is {entry.sip_code}"] if entry.sip_code is not None else []
    return f"{_leg(entry.leg, names)}: {', '.join(facts) or 'nothing new'}"


def _flow_started(entry: journal.FlowStarted, names: Names) -> str:
    flow = "the flow" if entry.flow_id is None else names.get(entry.flow_id, f"the flow {entry.flow_id}")
    return f"{flow} begins{_steps(entry.flow, ': ')}"


def _flow_answered(entry: journal.FlowAnswered, names: Names) -> str:
    asked = "told of the recording" if entry.how == "on_finish" else "asked for the next flow"
    return f"{entry.url} was {asked}: {entry.error or entry.status}{_steps(entry.flow, ', ')}"


def _recording_moved(entry: journal.RecordingMoved, names: Names) -> str:
    ended = f" after {entry.duration_ms / 1000:g} s ({entry.outcome})" if entry.outcome else ""
    return f"{_recording(entry.recording, names)} is {entry.status}{ended}{_bracketed(entry.detail)}"


_HEARD = {"voice": "begins to speak", "silence": "falls silent", "beep": "beeps"}


def _voice_heard(entry: journal.VoiceHeard, names: Names) -> str:
    return f"{_leg(entry.leg, names)} {_HEARD.get(entry.what, entry.what)} after {entry.after_us / 1e6:.2f} s"


def _party_added(entry: journal.PartyAdded, names: Names) -> str:
    how = "is added" if entry.referrer is None else f"is called in the place of {_leg(entry.referrer, names)}"
    return f"{_leg(entry.leg, names)} {how}"


def _refer_received(entry: journal.ReferReceived, names: Names) -> str:
    answer = f"refused with {entry.sip_code}, {entry.refused}" if entry.refused else "accepted"
    return f"{_leg(entry.leg, names)} asks to be replaced by {entry.target}: {answer}"


def _refer_ended(entry: journal.ReferEnded, names: Names) -> str:
    code = "" if entry.sip_code is None else f", SIP {entry.sip_code}"
    return f"the transfer of {_leg(entry.leg, names)} is {entry.outcome}{code}{_bracketed(entry.detail)}"


def _leg_last(entry: journal.LegLast, names: Names) -> str:
    code = "" if entry.sip_code is None else f", SIP {entry.sip_code} {entry.sip_phrase}".rstrip()
    sound = "" if entry.counters is None else _sound(entry.counters)
    return f"{_leg(entry.leg, names)} is over: {entry.cause}{code}{_bracketed(entry.reason or entry.detail)}{sound}"


def _sound(counters: RtpCounters) -> str:
    sound = (
        f"; sound: {counters.sent} packets sent, {counters.received} received, {counters.lost} lost, "
        f"jitter {counters.jitter_ms:.1f} ms{_mos(counters.mos)}"
    )
    if counters.far_lost is not None:
        jitter = "" if counters.far_jitter_ms is None else f", jitter {counters.far_jitter_ms:.1f} ms"
        sound += f"; the far end reports {counters.far_lost} lost{jitter}{_mos(counters.far_mos)}"
    return sound if counters.round_trip_ms is None else f"{sound}; round trip {counters.round_trip_ms:.0f} ms"


def _mos(mos: float | None) -> str:
    return "" if mos is None else f", MOS {mos:.1f}"


def _call_labelled(entry: journal.CallLabelled, names: Names) -> str:
    metadata = ", ".join(f"{name}={value!r}" for name, value in entry.metadata.items())
    its_metadata = f"; its metadata: {metadata}" if metadata else ""
    left_out = f"; left out: {'; '.join(entry.left_out)}" if entry.left_out else ""
    return f"the call's tags are: {', '.join(entry.tags) or 'none'}{its_metadata}{left_out}"


def _asked(entry: journal.Asked, names: Names) -> str:
    return f"asked from outside: {entry.what}{'' if entry.leg is None else f' of {_leg(entry.leg, names)}'}"


SENTENCES: Mapping[type[journal.Entry], Callable[[Any, Names], str]] = {
    journal.CallMade: lambda entry, names: f"the call is made, {entry.call.source} to {entry.call.destination}",
    journal.LegMade: _leg_made,
    journal.CallMoved: lambda entry, names: f"the call is {entry.status.value}",
    journal.LegMoved: _leg_moved,
    journal.LegIntends: lambda entry, names: f"{_leg(entry.leg, names)} is {'to be answered' if entry.intent else 'settled'}",
    journal.LegAddressed: _leg_addressed,
    journal.FlowStarted: _flow_started,
    journal.StepStarted: lambda entry, names: f"step {entry.step} begins: {entry.action}",
    journal.StepEnded: lambda entry, names: f"step {entry.step} ends: {entry.outcome}{_bracketed(entry.detail)}",
    journal.DigitPressed: lambda entry, names: (
        f"{_leg(entry.leg, names)} pressed {entry.digit} for {entry.duration_ms} ms ({entry.means})"
    ),
    journal.MediaFetched: lambda entry, names: f"{entry.url} was fetched: {entry.error or entry.status}",
    journal.StepSkipped: lambda entry, names: f"step {entry.step} is left out{_bracketed(entry.detail)}",
    journal.VariableSet: lambda entry, names: f"{entry.variable} is {entry.value!r}",
    journal.KeysSent: lambda entry, names: f"{entry.keys} is pressed towards {_leg(entry.leg, names)}",
    journal.FlowAnswered: _flow_answered,
    journal.RecordingMade: lambda entry, names: (
        f"{_recording(entry.recording, names)} of {_leg(entry.leg, names)} begins ({entry.type})"
    ),
    journal.RecordingMoved: _recording_moved,
    journal.TranscriptionWanted: lambda entry, names: (
        f"{_recording(entry.recording, names)} is to be written down ({entry.language})"
    ),
    journal.VoiceHeard: _voice_heard,
    journal.Judged: lambda entry, names: f"{_leg(entry.leg, names)} was answered by: {entry.verdict} ({entry.basis})",
    journal.PartyAdded: _party_added,
    journal.ReferReceived: _refer_received,
    journal.ReferSent: lambda entry, names: f"{_leg(entry.leg, names)} is asked to call {entry.target} in our place",
    journal.ReferEnded: _refer_ended,
    journal.FlowLeft: lambda entry, names: f"the flow is left: {entry.detail}",
    journal.Bridged: lambda entry, names: f"{_leg(entry.leg, names)} and {_leg(entry.other, names)} talk ({entry.how})",
    journal.Unbridged: lambda entry, names: f"{_leg(entry.leg, names)} talks to nobody any more",
    journal.Held: lambda entry, names: f"{_leg(entry.leg, names)} asks for {entry.direction}",
    journal.SessionRefreshed: lambda entry, names: f"{_leg(entry.leg, names)} renews the session",
    journal.Asked: _asked,
    journal.TimerLate: lambda entry, names: f"the server was {entry.late_us / 1e6:.3f} s late ({entry.timer})",
    journal.LegLast: _leg_last,
    journal.LateAnswerReleased: lambda entry, names: f"{_leg(entry.leg, names)} was answered after it was given up; let go",
    journal.ForkReleased: lambda entry, names: f"{_leg(entry.leg, names)} was answered by a second branch; that one was let go",
    journal.Ignored: lambda entry, names: f"ignored: {entry.event}",
    journal.CallLabelled: _call_labelled,
    journal.Settled: lambda entry, names: f"the server was not there; what lived is ended, {entry.reason.value}",
}
