"""A leg as the engine sees it: its phase, its stream, its call, and the tables of what a phase takes.

incoming   ARRIVED ── Answer ──> PREPARING ── SendAnswer ──> ANSWERING ── AnswerSent ──> ANSWERED
outgoing   PREPARING ── PlaceLeg ──> CALLING ── LegAnswered ──> ANSWERED
any        ── we end it ──> LEAVING ── signalling's last word ──> CLOSING ── sound closed ──> last event
any        ── the far end ends it ──────────────────────────────> CLOSING
"""

from __future__ import annotations

import asyncio
from enum import Enum
from uuid import UUID

from callwright.sip.offer import Agreed, Local
from callwright.sip.sdp import SENDRECV, Session
from callwright.sip.streams import MediaProcess
from callwright.telephony import (
    AcceptRefer,
    Answer,
    Bridge,
    Cause,
    Command,
    Ended,
    HangUp,
    Hold,
    Listen,
    Originate,
    PauseRecording,
    Play,
    PlayMore,
    Refer,
    ReferProgress,
    Refused,
    Reject,
    RejectRefer,
    Resume,
    ResumeRecording,
    Ring,
    RtpCounters,
    SendDigits,
    StartRecording,
    Stop,
    StopRecording,
    Unbridge,
    Unlisten,
)


class Phase(Enum):
    """Where a leg is; the value completes the sentence "the leg is …"."""

    ARRIVED = "not answered"
    PREPARING = "being prepared"
    CALLING = "not answered by the far end"
    ANSWERING = "being answered"
    ANSWERED = "answered"
    LEAVING = "being ended"
    CLOSING = "over"


class StreamState(Enum):
    NONE = "none"
    OPENING = "opening"
    OPEN = "open"
    CONNECTED = "connected"
    CLOSING = "closing"


# Those that wait in `Leg.held` while the stream is being opened.
HELD: frozenset[type[Command]] = frozenset(
    {
        Play,
        PlayMore,
        Stop,
        SendDigits,
        StartRecording,
        PauseRecording,
        ResumeRecording,
        StopRecording,
        Listen,
        Unlisten,
    }
)
SOUND: frozenset[type[Command]] = HELD | {Bridge, Unbridge}
TRANSFERS: frozenset[type[Command]] = frozenset({Refer, AcceptRefer, RejectRefer, ReferProgress})
GONE = frozenset({Phase.LEAVING, Phase.CLOSING})

# Sound before the answer is for legs with early media only (`Leg.audible`).
TAKES: dict[Phase, frozenset[type[Command]]] = {
    Phase.ARRIVED: SOUND | {Ring, Answer, Reject, HangUp},
    Phase.PREPARING: frozenset({HangUp}),
    Phase.CALLING: SOUND | {HangUp},
    Phase.ANSWERING: frozenset({HangUp}),
    Phase.ANSWERED: SOUND | TRANSFERS | {HangUp, Hold, Resume},
    Phase.LEAVING: frozenset({HangUp}),
    Phase.CLOSING: frozenset({HangUp}),
}


class Call:
    """What the legs of a call share: the highest command id seen, one media process, and the law to prefer.

    `streams` counts the open streams; while it is above zero `media` is the process that has them all.
    """

    __slots__ = ("id", "last_command", "law", "legs", "media", "retired_ns", "streams")

    def __init__(self, call_id: UUID) -> None:
        self.id = call_id
        self.last_command = 0
        self.legs = 0
        self.media: MediaProcess | None = None
        self.streams = 0
        self.law: int | None = None
        self.retired_ns = 0


class Seat:
    """A leg's place in a conversation.

    `legs` is shared by all who are in it. `asked` is the leg that this one was to hear, until `Bridged` says that it does.
    `sent`: media was told to join it, to `anchor`; `joined`: media said that it did. `told`: call control knows that it hears
    somebody, which is what `Unbridged` ends.
    """

    __slots__ = ("anchor", "asked", "joined", "legs", "parting", "sent", "timer", "told")

    def __init__(self, legs: list[Leg], asked: UUID | None = None) -> None:
        self.legs = legs
        self.asked = asked
        self.anchor: UUID | None = None
        self.sent = False
        self.joined = False
        self.parting = False
        self.told = False
        self.timer: asyncio.TimerHandle | None = None


class Prompt:
    """A `Play` that is not finished. `by_key`: a key that came in an INFO stopped it."""

    __slots__ = ("by_key", "stop_on_digit", "timer")

    def __init__(self, stop_on_digit: bool, timer: asyncio.TimerHandle) -> None:
        self.stop_on_digit = stop_on_digit
        self.timer = timer
        self.by_key = False


class Recording:
    """A recording that is not finished. `timer` waits for it to begin or, once it was told to, to end.

    `by_key`: a key that came in an INFO stopped it.
    """

    __slots__ = ("by_key", "stop_keys", "timer")

    def __init__(self, stop_keys: str, timer: asyncio.TimerHandle) -> None:
        self.stop_keys = stop_keys
        self.timer = timer
        self.by_key = False


class Leg:
    """One leg; its stream has the leg's id."""

    __slots__ = (
        "address",
        "agreed",
        "answered",
        "asked",
        "awaiting_answer",
        "blocked",
        "call",
        "cause",
        "code",
        "counters",
        "detail",
        "detecting",
        "dialog",
        "early",
        "held",
        "id",
        "in_dialog",
        "incoming",
        "key_means",
        "last_key",
        "late_answer",
        "listening",
        "local",
        "media",
        "offer",
        "offered_law",
        "offering",
        "order",
        "ours",
        "outcome",
        "phase",
        "prompts",
        "recordings",
        "referring",
        "seat",
        "seq",
        "sip_call_id",
        "stream",
        "timer",
        "told",
        "transferring",
        "wants",
    )

    def __init__(self, leg_id: UUID, *, incoming: bool, phase: Phase) -> None:
        self.id = leg_id
        self.incoming = incoming
        self.phase = phase
        self.seq = 0
        self.call: Call | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.sip_call_id = ""
        self.dialog = b""  # what a successor of signalling needs to end the leg
        self.in_dialog = False  # our answer may have left, or the far end's has come

        # descriptions: the far end's offer that waits for our answer, what we sent last, what came of it
        self.offer: Session | None = None
        self.offered_law: int | None = None
        self.blocked: Cause | None = None
        self.local: Local | None = None
        self.ours: Session | None = None
        self.awaiting_answer = False
        self.agreed: Agreed | None = None
        # what we want sound to do, and what a re-INVITE of ours says that is under way
        self.wants = SENDRECV
        self.offering: str | None = None

        # an outgoing leg waits for an address and a port, then for the far end; `told` holds what was told of its 18x
        self.order: Originate | None = None
        self.address = ""
        self.told: set[type] = set()

        # sound
        self.media: MediaProcess | None = None
        self.stream = StreamState.NONE
        self.early = False
        self.held: list[Command] = []
        self.prompts: dict[int, Prompt] = {}
        self.recordings: dict[UUID, Recording] = {}
        self.seat: Seat | None = None
        self.listening = False
        # keys: whether media looks for them in the sound, how they come, and the last one with its monotonic time
        self.detecting = False
        self.key_means = ""
        self.last_key = ("", 0)

        # transfers: what the far end asked for waits for an answer, then for progress; and what it was asked for by us
        self.asked: asyncio.TimerHandle | None = None
        self.transferring = False
        self.referring: asyncio.TimerHandle | None = None

        # the end: what we know of it before signalling's last word, and the event that waits for the counters
        self.answered = False
        self.late_answer = False
        self.cause: Cause | None = None
        self.code: int | None = None
        self.detail = ""
        self.outcome: Refused | Ended | None = None
        self.counters: RtpCounters | None = None

    @property
    def audible(self) -> bool:
        """Whether sound commands make sense: the leg is answered, or has early media and may be."""
        return self.phase is Phase.ANSWERED or (self.early and self.phase in (Phase.ARRIVED, Phase.CALLING))
