"""The entries of a journal in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from callwright.calls import journal
from callwright.calls.model import CallStatus, Direction, LegStatus
from callwright.reasons import Reason
from callwright.telephony import RtpCounters

# What legs, recordings and flows are called: ``leg 1``. A recording or a flow that is not among them is called by its id.
Names = Mapping[UUID, str]

MOST_STEPS = 6  # of a flow, whose steps are told one by one as they begin
_BRACKETS = re.compile(r" \([^)]*\)")


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


def _plain(word: str) -> str:
    """A word of ours as people write it; one that is not in the tables below may be of a newer server."""
    return word.replace("_", " ")


def why(reason: Reason) -> str:
    """A reason within a sentence, without what is in brackets.

    >>> why(Reason.REDIRECT_REFUSED), why(Reason.INTERNAL)
    ('the far end redirected the call, which is not followed', 'Callwright failed to carry the call on')
    """
    told = _BRACKETS.sub("", reason.sentence).rstrip(".")
    return told if told.startswith("Callwright") else told[0].lower() + told[1:]


def _call_made(entry: journal.CallMade, names: Names) -> str:
    comes = "comes in" if entry.call.direction is Direction.INCOMING else "is placed"
    return f"the call {comes}, {entry.call.source} to {entry.call.destination}"


_CALL = {
    CallStatus.ENDED: "is over",
    CallStatus.NO_ANSWER: "is over: nobody answered",
    CallStatus.BUSY: "is over: busy",
    CallStatus.FAILED: "is over: it failed",
}


def _call_moved(entry: journal.CallMoved, names: Names) -> str:
    return f"the call {_CALL.get(entry.status) or f'is {entry.status.value}'}"


_LEG = {
    LegStatus.ONGOING: "is answered",
    LegStatus.HANGUP: "ends",
    LegStatus.NO_ANSWER: "was not answered",  # a caller by us, or a callee by whoever is there
    LegStatus.FAILED: "failed",
}


def _leg_moved(entry: journal.LegMoved, names: Names) -> str:
    reason = "" if entry.reason is None or entry.reason.value == entry.status.value else f": {why(entry.reason)}"
    usual = entry.status is LegStatus.ONGOING and entry.sip_code == 200
    code = "" if entry.sip_code is None or usual or str(entry.sip_code) in entry.detail else f", SIP {entry.sip_code}"
    moved = _LEG.get(entry.status) or f"is {entry.status.value}"
    return f"{_leg(entry.leg, names)} {moved}{reason}{code}{_bracketed(entry.detail)}"


def _leg_addressed(entry: journal.LegAddressed, names: Names) -> str:
    facts = [f"its SIP Call-ID is {entry.sip_call_id}"] if entry.sip_call_id else []
    facts += [f"its final SIP code is {entry.sip_code}"] if entry.sip_code is not None else []
    return f"{_leg(entry.leg, names)}: {', '.join(facts) or 'nothing new'}"


_STEP = {"keys": "keys were pressed", "talked": "the conversation is over", "left": "who was called has left"}
_REASONS = {reason.value: why(reason) for reason in Reason}


def _step_ended(entry: journal.StepEnded, names: Names) -> str:
    outcome = _STEP.get(entry.outcome) or _REASONS.get(entry.outcome) or _plain(entry.outcome)
    detail = _plain(entry.detail) if entry.outcome == "recorded" else entry.detail
    return f"step {entry.step} ends: {outcome}{_bracketed(detail)}"


_MEANS = {"rfc4733": "as an event of RFC 4733", "info": "by SIP INFO", "inband": "as a tone", "simulated": "simulated"}


def _digit_pressed(entry: journal.DigitPressed, names: Names) -> str:
    means = _MEANS.get(entry.means, entry.means)
    return f"{_leg(entry.leg, names)} pressed {entry.digit} for {entry.duration_ms} ms, {means}"


def _http(status: int | None) -> str:
    return f"HTTP {status}" if status else "done"


def _flow_started(entry: journal.FlowStarted, names: Names) -> str:
    flow = "the flow" if entry.flow_id is None else names.get(entry.flow_id, f"the flow {entry.flow_id}")
    return f"{flow} begins{_steps(entry.flow, ': ')}"


def _flow_answered(entry: journal.FlowAnswered, names: Names) -> str:
    asked = "told of the recording" if entry.how == "on_finish" else "asked for the next flow"
    return f"{entry.url} was {asked}: {entry.error or _http(entry.status)}{_steps(entry.flow, ', ')}"


_RECORDED = {"ivr": "by a record step", "transfer": "by a transfer step", "call": "of the whole call"}
_RECORDING = {"recording": "is going on", "failed": "failed"}
_RECORDING_ENDED = {"silence": "silence fell", "max_length": "its longest duration", "key": "a key was pressed"}


def _recording_made(entry: journal.RecordingMade, names: Names) -> str:
    made = _RECORDED.get(entry.type, entry.type)
    return f"{_recording(entry.recording, names)} of {_leg(entry.leg, names)} begins, {made}"


def _recording_moved(entry: journal.RecordingMoved, names: Names) -> str:
    ended = ""
    if entry.outcome:
        by = "" if entry.outcome == entry.status else f": {_RECORDING_ENDED.get(entry.outcome, _plain(entry.outcome))}"
        ended = f" after {entry.duration_ms / 1000:g} s{by}"
    moved = _RECORDING.get(entry.status) or f"is {entry.status}"
    return f"{_recording(entry.recording, names)} {moved}{ended}{_bracketed(entry.detail)}"


_HEARD = {"voice": "begins to speak", "silence": "falls silent", "beep": "beeps"}


def _voice_heard(entry: journal.VoiceHeard, names: Names) -> str:
    return f"{_leg(entry.leg, names)} {_HEARD.get(entry.what, entry.what)} after {entry.after_us / 1e6:.2f} s"


_JUDGED = {
    "human": "{} was answered by a human",
    "machine": "{} was answered by a machine",
    "silence": "{} was answered, and nobody says anything",
    "unsure": "whether a human or a machine answered {} is not known",
}


def _judged(entry: journal.Judged, names: Names) -> str:
    told = _JUDGED.get(entry.verdict, "{} was answered by: " + entry.verdict)
    return f"{told.format(_leg(entry.leg, names))}{_bracketed(entry.basis)}"


def _party_added(entry: journal.PartyAdded, names: Names) -> str:
    how = "is added" if entry.referrer is None else f"is called in the place of {_leg(entry.referrer, names)}"
    return f"{_leg(entry.leg, names)} {how}"


def _refer_received(entry: journal.ReferReceived, names: Names) -> str:
    answer = f"refused with SIP {entry.sip_code}, {entry.refused}" if entry.refused else "accepted"
    return f"{_leg(entry.leg, names)} asks to be replaced by {entry.target}: {answer}"


_REFERRED = {"failed": "failed", "refused": "was refused", "unknown": "is under way, and nobody will say what comes of it"}


def _refer_ended(entry: journal.ReferEnded, names: Names) -> str:
    code = "" if entry.sip_code is None else f", SIP {entry.sip_code}"
    ended = _REFERRED.get(entry.outcome) or f"is {entry.outcome}"
    return f"the transfer of {_leg(entry.leg, names)} {ended}{code}{_bracketed(entry.detail)}"


_HELD = {
    "sendrecv": "is not on hold any more, and talks and listens",
    "sendonly": "puts us on hold, and goes on sending sound",
    "recvonly": "listens and sends no sound",
    "inactive": "puts us on hold, without any sound",
}


def _held(entry: journal.Held, names: Names) -> str:
    return f"{_leg(entry.leg, names)} {_HELD.get(entry.direction) or f'asks for {entry.direction}'}"


_TALK = {"relay": "packets are passed on", "mix": "sound is mixed"}


def _bridged(entry: journal.Bridged, names: Names) -> str:
    how = _TALK.get(entry.how, entry.how)
    return f"{_leg(entry.leg, names)} and {_leg(entry.other, names)} talk ({how})"


_CAUSES = {
    "hangup": "hung up",
    "no_response": "no answer of any kind",
    "auth_failed": "our credentials were refused",
    "bad_sdp": "its session description cannot be used",
    "media_capacity": "no media process could take it",
    "no_ack": "our answer was never acknowledged",
    "dialog_lost": "the far end no longer knows it",
    "media_lost": "the media process died",
    "signalling_lost": "the signalling process died",
}


def _leg_last(entry: journal.LegLast, names: Names) -> str:
    code = "" if entry.sip_code is None else f", SIP {entry.sip_code} {entry.sip_phrase}".rstrip()
    sound = "" if entry.counters is None else _sound(entry.counters)
    cause = _CAUSES.get(entry.cause) or _plain(entry.cause)
    return f"{_leg(entry.leg, names)} is gone from the wire: {cause}{code}{_bracketed(entry.reason or entry.detail)}{sound}"


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


_WISHES = {
    "hang_up": "to be hung up",
    "shut_down": "to be ended, as the server stops",
    "forget": "to be let go, as the database takes nothing",
    "replace_flow": "to have another flow",
    "add_party": "to have somebody added",
    "hold": "to be put on hold",
    "unhold": "to be taken off hold",
    "refer": "to be transferred",
    "label": "to have other tags or metadata",
    "pause_recording": "to have its recording paused",
    "resume_recording": "to have its recording go on",
}


def _asked(entry: journal.Asked, names: Names) -> str:
    whom = "the call" if entry.leg is None else _leg(entry.leg, names)
    return f"asked from outside: {whom} is {_WISHES.get(entry.what) or _plain(entry.what)}"


_TIMERS = {
    "pause": "the end of a pause",
    "keys": "going on without a further key",
    "ring": "giving up who did not answer",
    "max_duration": "ending the call after its longest duration",
    "keys_out": "the next key to be sent",
    "key_to_come": "going on without the end of a key",
    "judge": "finding out who answered",
}


def _timer_late(entry: journal.TimerLate, names: Names) -> str:
    return f"the server was {entry.late_us / 1e6:.3f} s late with {_TIMERS.get(entry.timer) or _plain(entry.timer)}"


def _ignored(entry: journal.Ignored, names: Names) -> str:
    """The event is called by its class, ``PlayFinished``."""
    event = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in entry.event).strip()
    return f"ignored: {event}{'' if entry.leg is None else f' of {_leg(entry.leg, names)}'}"


SENTENCES: Mapping[type[journal.Entry], Callable[[Any, Names], str]] = {
    journal.CallMade: _call_made,
    journal.LegMade: _leg_made,
    journal.CallMoved: _call_moved,
    journal.LegMoved: _leg_moved,
    journal.LegIntends: lambda entry, names: (
        f"{_leg(entry.leg, names)} is {'to be answered' if entry.intent else 'no longer to be answered'}"
    ),
    journal.LegAddressed: _leg_addressed,
    journal.FlowStarted: _flow_started,
    journal.StepStarted: lambda entry, names: f"step {entry.step} begins: {entry.action}",
    journal.StepEnded: _step_ended,
    journal.DigitPressed: _digit_pressed,
    journal.MediaFetched: lambda entry, names: f"{entry.url} was fetched: {entry.error or _http(entry.status)}",
    journal.StepSkipped: lambda entry, names: f"step {entry.step} is left out{_bracketed(entry.detail)}",
    journal.VariableSet: lambda entry, names: f"the variable {entry.variable} is {entry.value!r}",
    journal.KeysSent: lambda entry, names: f"{entry.keys} is pressed for {_leg(entry.leg, names)} to hear",
    journal.FlowAnswered: _flow_answered,
    journal.RecordingMade: _recording_made,
    journal.RecordingMoved: _recording_moved,
    journal.TranscriptionWanted: lambda entry, names: (
        f"{_recording(entry.recording, names)} is to be written down ({entry.language})"
    ),
    journal.VoiceHeard: _voice_heard,
    journal.Judged: _judged,
    journal.PartyAdded: _party_added,
    journal.ReferReceived: _refer_received,
    journal.ReferSent: lambda entry, names: f"{_leg(entry.leg, names)} is asked to call {entry.target} in our place",
    journal.ReferEnded: _refer_ended,
    journal.FlowLeft: lambda entry, names: f"the flow is left: {entry.detail}",
    journal.Bridged: _bridged,
    journal.Unbridged: lambda entry, names: f"{_leg(entry.leg, names)} talks to nobody any more",
    journal.Held: _held,
    journal.SessionRefreshed: lambda entry, names: f"{_leg(entry.leg, names)} renews the session",
    journal.Asked: _asked,
    journal.TimerLate: _timer_late,
    journal.LegLast: _leg_last,
    journal.LateAnswerReleased: lambda entry, names: f"{_leg(entry.leg, names)} was answered after it was given up; let go",
    journal.ForkReleased: lambda entry, names: f"{_leg(entry.leg, names)} was answered by a second branch; that one was let go",
    journal.Ignored: _ignored,
    journal.CallLabelled: _call_labelled,
    journal.Settled: lambda entry, names: f"what the server left behind is ended: {why(entry.reason)}",
}
