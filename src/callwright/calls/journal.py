"""The journal: what happened to a call, in order, complete enough to make its rows again.

Each entry is written in the commit of what it tells. Entries of kind `CallMade`, `LegMade`, `CallMoved`, `LegMoved` and
`CallLabelled` carry the rows' changes; the others are what a reader or a replay wants to know.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from callwright.calls.model import Call, CallStatus, Leg, LegStatus
from callwright.reasons import Reason
from callwright.telephony import RtpCounters


def _snake(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("_")


class Entry(msgspec.Struct, frozen=True, kw_only=True, tag=_snake, tag_field="kind"):
    """One line; its `kind` on the wire is the class's name, ``leg_moved``."""


class CallMade(Entry, frozen=True, kw_only=True):
    call: Call


class LegMade(Entry, frozen=True, kw_only=True):
    leg: Leg


class CallMoved(Entry, frozen=True, kw_only=True):
    status: CallStatus


class LegMoved(Entry, frozen=True, kw_only=True):
    leg: UUID
    status: LegStatus
    reason: Reason | None = None
    detail: str = ""
    sip_code: int | None = None


class LegIntends(Entry, frozen=True, kw_only=True):
    """The leg is to be answered; None when that is settled."""

    leg: UUID
    intent: str | None


class LegAddressed(Entry, frozen=True, kw_only=True):
    """What signalling told of the leg without changing its status: its SIP Call-ID, its final code."""

    leg: UUID
    sip_call_id: str = ""
    sip_code: int | None = None


class FlowStarted(Entry, frozen=True, kw_only=True):
    """`flow` is the flow as it was stored or sent."""

    flow_id: UUID | None
    flow: dict[str, Any]


class StepStarted(Entry, frozen=True, kw_only=True):
    step: str
    action: str


class StepEnded(Entry, frozen=True, kw_only=True):
    step: str
    outcome: str
    detail: str = ""


class DigitPressed(Entry, frozen=True, kw_only=True):
    leg: UUID
    digit: str
    duration_ms: int
    means: str


class MediaFetched(Entry, frozen=True, kw_only=True):
    url: str
    status: int | None
    error: str = ""


class StepSkipped(Entry, frozen=True, kw_only=True):
    """A step was left out, as its conditions do not hold."""

    step: str
    detail: str = ""


class VariableSet(Entry, frozen=True, kw_only=True):
    variable: str
    value: str


class KeysSent(Entry, frozen=True, kw_only=True):
    """A step presses keys towards a leg; `keys` holds its pauses too."""

    leg: UUID
    keys: str


class FlowAnswered(Entry, frozen=True, kw_only=True):
    """What came of asking a URL for the next flow; `how` is ``fetch`` (contract §4.4) or ``on_finish`` (§4.5).

    `flow` is the flow that came, `error` says why there is none; `cause` is a word for that.
    """

    url: str
    how: str
    status: int | None = None
    flow: dict[str, Any] | None = None
    cause: str = ""
    error: str = ""


class RecordingMade(Entry, frozen=True, kw_only=True):
    """A recording of a leg begins; `type`, `tracks`, `file` and `key_id` are those of its row."""

    recording: UUID
    leg: UUID
    type: str
    tracks: str
    file: str
    key_id: str = ""


class RecordingMoved(Entry, frozen=True, kw_only=True):
    """`outcome` is what ended it (`telephony.RecordOutcome`), empty while it lasts."""

    recording: UUID
    status: str
    outcome: str = ""
    duration_ms: int = 0
    detail: str = ""


class TranscriptionWanted(Entry, frozen=True, kw_only=True):
    recording: UUID
    language: str


class VoiceHeard(Entry, frozen=True, kw_only=True):
    """While it is found out who answered a leg: its far end began to speak, fell silent, or beeped.

    `what` is ``voice``, ``silence`` or ``beep``; `after_us` is since it was listened for, also where it was told later.
    """

    leg: UUID
    what: str
    after_us: int


class Judged(Entry, frozen=True, kw_only=True):
    """Who answered a leg, and what that was read from."""

    leg: UUID
    verdict: str
    basis: str


class PartyAdded(Entry, frozen=True, kw_only=True):
    """A leg was made beside the flow: by the API, or for the party `referrer` asked for (REFER)."""

    leg: UUID
    referrer: UUID | None = None


class ReferReceived(Entry, frozen=True, kw_only=True):
    """The far end of a leg asks to be replaced by another; `refused` says why it may not, with `sip_code`."""

    leg: UUID
    target: str
    referred_by: str = ""
    sip_code: int = 202
    refused: str = ""


class ReferSent(Entry, frozen=True, kw_only=True):
    """The far end of a leg is asked to call someone else in our place."""

    leg: UUID
    target: str


class ReferEnded(Entry, frozen=True, kw_only=True):
    """What became of a REFER, of theirs or ours (`telephony.ReferOutcome`)."""

    leg: UUID
    outcome: str
    sip_code: int | None = None
    detail: str = ""


class FlowLeft(Entry, frozen=True, kw_only=True):
    """The flow is over, or its party gone, and those who talk go on without it."""

    detail: str


class Bridged(Entry, frozen=True, kw_only=True):
    leg: UUID
    other: UUID
    how: str


class Unbridged(Entry, frozen=True, kw_only=True):
    leg: UUID


class Held(Entry, frozen=True, kw_only=True):
    leg: UUID
    direction: str


class SessionRefreshed(Entry, frozen=True, kw_only=True):
    """The far end renewed the session with a re-INVITE that left the direction of sound as it was."""

    leg: UUID


class Asked(Entry, frozen=True, kw_only=True):
    """Someone outside asked for something: ``hang_up``, ``shut_down``, ``replace_flow``, ``add_party``, ``hold``,
    ``unhold``, ``refer``, ``pause_recording``, ``resume_recording``.
    """

    what: str
    leg: UUID | None = None


class TimerLate(Entry, frozen=True, kw_only=True):
    """What was due came later by more than a tick of sound, as the machine was busy or the disk slow; `timer` is a word."""

    timer: str
    late_us: int


class LegLast(Entry, frozen=True, kw_only=True):
    """The engine's last word on a leg: final SIP code, Reason header and sound counters."""

    leg: UUID
    cause: str
    sip_code: int | None
    sip_phrase: str = ""
    reason: str = ""
    detail: str = ""
    counters: RtpCounters | None = None


class LateAnswerReleased(Entry, frozen=True, kw_only=True):
    """Row P7: an answer crossed our CANCEL and was let go."""

    leg: UUID


class ForkReleased(Entry, frozen=True, kw_only=True):
    """Row P8: a second branch answered the INVITE, and was let go."""

    leg: UUID


class Ignored(Entry, frozen=True, kw_only=True):
    """An event that came when its leg was over, or that no table row covers."""

    leg: UUID | None
    event: str


class CallLabelled(Entry, frozen=True, kw_only=True):
    """Its tags and metadata are these from now on; `left_out` says what a flow wanted to write and did not fit."""

    tags: tuple[str, ...]
    metadata: dict[str, str]
    left_out: tuple[str, ...] = ()


class Settled(Entry, frozen=True, kw_only=True):
    """The call was ended on the record by a successor of the node that carried it; its rows are touched now."""

    reason: Reason


AnyEntry = (
    CallMade
    | LegMade
    | CallMoved
    | LegMoved
    | LegIntends
    | LegAddressed
    | FlowStarted
    | StepStarted
    | StepEnded
    | DigitPressed
    | MediaFetched
    | StepSkipped
    | VariableSet
    | KeysSent
    | FlowAnswered
    | RecordingMade
    | RecordingMoved
    | TranscriptionWanted
    | VoiceHeard
    | Judged
    | PartyAdded
    | ReferReceived
    | ReferSent
    | ReferEnded
    | FlowLeft
    | Bridged
    | Unbridged
    | Held
    | SessionRefreshed
    | Asked
    | TimerLate
    | LegLast
    | LateAnswerReleased
    | ForkReleased
    | Ignored
    | CallLabelled
    | Settled
)

_decoder: msgspec.json.Decoder[AnyEntry] = msgspec.json.Decoder(AnyEntry)
_encoder = msgspec.json.Encoder()


def encode(entry: Entry) -> bytes:
    return _encoder.encode(entry)


def decode(row: bytes) -> AnyEntry:
    return _decoder.decode(row)
