"""The port between call control and whatever carries calls: commands in, events out.

The switch speaks only this. An engine (the simulator, SIP) takes a `Command` and accepts or refuses it at once;
what becomes of it arrives later as events. Rules every engine keeps, and the conformance suite checks:

* A command's id grows with each command of a call; one that was seen before changes nothing.
* Events of a leg carry ``seq`` 1, 2, 3 …, wall time and monotonic time.
* Every leg has exactly one last event, `Refused` (it was never answered) or `Ended`, whoever ended it.
* Every accepted `Play` has one `PlayFinished`, before the leg's last event. Every `Bridged` has one `Unbridged`: on the leg
  that was told to part, or on the survivor when the other leg ends.
* Events are never delivered from inside `submit`.
* A fact of the far end (its BYE, its 200) is acted on at once by the engine and reported afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol
from uuid import UUID

import msgspec

from callwright.errors import CallwrightError


class Target(msgspec.Struct, frozen=True):
    """Where an outgoing leg goes: the user and host of the request URI and the address to send it to."""

    user: str
    host: str
    port: int = 5060
    username: str = ""
    password: str = ""


class Cause(Enum):
    """Why a leg is over, as an engine sees it."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    CANCELLED = "cancelled"  # by the caller (incoming), or by us (outgoing) before the answer
    REJECTED = "rejected"
    REDIRECTED = "redirected"
    AUTH_FAILED = "auth_failed"
    NO_RESPONSE = "no_response"
    UNREACHABLE = "unreachable"
    NO_COMMON_CODEC = "no_common_codec"
    BAD_SDP = "bad_sdp"
    MEDIA_CAPACITY = "media_capacity"
    HANGUP = "hangup"
    NO_ACK = "no_ack"
    DIALOG_LOST = "dialog_lost"
    MEDIA_LOST = "media_lost"
    SIGNALLING_LOST = "signalling_lost"


class Who(Enum):
    FAR = "far"
    US = "us"


class RtpCounters(msgspec.Struct, frozen=True):
    """What one leg's sound came to. Times in milliseconds; a `mos` is an estimate by the E-model (ITU-T G.107).

    Of what came from the far end, `mos` tells; of what it received of ours, `far_*`, which are its own words (RTCP) and
    None where it said none, as is `round_trip_ms`.
    """

    sent: int = 0
    received: int = 0
    lost: int = 0
    late: int = 0
    duplicate: int = 0
    reordered: int = 0
    jitter_ms: float = 0.0
    mos: float | None = None
    round_trip_ms: float | None = None
    far_lost: int | None = None
    far_jitter_ms: float | None = None
    far_mos: float | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    call: UUID
    leg: UUID


class Originate(Command, frozen=True, kw_only=True):
    """Place a leg. `caller` is a number or URI; `hops` counts passes through this server.

    `sip_call_id` is the Call-ID to give its INVITE, so that the record has it from the start; empty: the engine's choice.
    """

    caller: str
    target: Target
    sip_call_id: str = ""
    hops: int = 0
    max_forwards: int = 70


class Ring(Command, frozen=True, kw_only=True):
    """Tell the caller that the far end rings; with `early_media`, open sound towards it before the answer."""

    early_media: bool = False


class Answer(Command, frozen=True, kw_only=True):
    """Answer an incoming leg. `Answered` follows when the answer has left, or `Refused` if a CANCEL came first."""


class Reject(Command, frozen=True, kw_only=True):
    """Refuse an incoming leg that is not answered."""

    code: int
    phrase: str
    reason: str = ""
    retry_after_s: int | None = None


class HangUp(Command, frozen=True, kw_only=True):
    """End a leg whatever its state: BYE when answered, CANCEL when outgoing and not, 603 when incoming and not.

    `reason` is a ``Reason:`` header value (RFC 3326) to pass on, or empty.
    """

    reason: str = ""


class Play(Command, frozen=True, kw_only=True):
    """Play local WAV files (8 kHz, 16 bit, mono) one after the other; `repeat` 0 means until stopped."""

    files: tuple[str, ...]
    repeat: int = 1
    stop_on_digit: bool = False


class Stop(Command, frozen=True, kw_only=True):
    """Stop what is being played on the leg."""


class SendDigits(Command, frozen=True, kw_only=True):
    digits: str
    tone_ms: int = 100
    gap_ms: int = 100


class Bridge(Command, frozen=True, kw_only=True):
    """Let this leg and `other` hear each other."""

    other: UUID


class Unbridge(Command, frozen=True, kw_only=True):
    """Part this leg from the one it is bridged with."""


class Hold(Command, frozen=True, kw_only=True):
    """Put an answered leg on hold: it may hear what is played to it, and is not heard. `Held` follows when it has agreed."""


class Resume(Command, frozen=True, kw_only=True):
    """Take a leg off the hold that `Hold` put it on."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    leg: UUID
    seq: int
    at_us: int
    mono_ns: int


class Incoming(Event, frozen=True, kw_only=True):
    """A call arrives. `blocked` says that the engine already knows the leg cannot be answered, and why.

    `dialog` is what the engine needs to end the leg after a death of this process; nobody else reads it, nor shows it.
    """

    source: str
    destination: str
    address: str
    trunk: str | None = None
    hops: int = 0
    max_forwards: int = 70
    sip_call_id: str = ""
    dialog: bytes = b""
    blocked: Cause | None = None
    detail: str = ""


class Ringing(Event, frozen=True, kw_only=True):
    """An 18x without sound."""


class EarlyMedia(Event, frozen=True, kw_only=True):
    """An 18x with sound: the far end can be heard before it answers."""


class Answered(Event, frozen=True, kw_only=True):
    """Outgoing: the far end answered. Incoming: our answer has left. `dialog` is as in `Incoming`."""

    sip_call_id: str = ""
    dialog: bytes = b""


class Moved(Event, frozen=True, kw_only=True):
    """The far end goes on from another address; `dialog` takes the place of the one told before."""

    dialog: bytes


class Refused(Event, frozen=True, kw_only=True):
    """The leg's last event: it was never answered. `reason` is the far end's ``Reason:`` header.

    `unconfirmed`: our answer may have left and the far end may think the leg is up until `Released` follows.
    """

    cause: Cause
    sip_code: int | None = None
    sip_phrase: str = ""
    reason: str = ""
    detail: str = ""
    counters: RtpCounters | None = None
    unconfirmed: bool = False


class Ended(Event, frozen=True, kw_only=True):
    """The leg's last event: it was answered and is over.

    `late_answer`: the far end's answer crossed our CANCEL, so the engine took it and let it go at once. `unconfirmed`: the
    far end may think the leg is up until `Released` follows.
    """

    cause: Cause
    who: Who
    sip_code: int | None = 200
    reason: str = ""
    detail: str = ""
    late_answer: bool = False
    counters: RtpCounters | None = None
    unconfirmed: bool = False


class Released(Event, frozen=True, kw_only=True):
    """The far end of a leg that is over is gone too, or was given up; after an `unconfirmed` end, or an order to release."""


class Digit(Event, frozen=True, kw_only=True):
    """A key was pressed: one of ``0-9*#A-D``."""

    digit: str
    duration_ms: int
    means: str


class PlayStarted(Event, frozen=True, kw_only=True):
    play: int


class PlayOutcome(Enum):
    DONE = "done"
    STOPPED = "stopped"
    DIGIT = "digit"
    FAILED = "failed"


class PlayFinished(Event, frozen=True, kw_only=True):
    """`play` is the id of the command; `detail` says what failed."""

    play: int
    outcome: PlayOutcome
    detail: str = ""


class Bridged(Event, frozen=True, kw_only=True):
    """`how`: ``relay`` when packets pass through, ``mix`` when sound is decoded and encoded again."""

    other: UUID
    how: str


class Unbridged(Event, frozen=True, kw_only=True):
    pass


class Held(Event, frozen=True, kw_only=True):
    """The direction of sound changed, as the far end says it: ``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive``."""

    direction: str


class Refreshed(Event, frozen=True, kw_only=True):
    """The far end renewed the session and left the direction of sound as it was: a re-INVITE, often the very same offer."""


class Forked(Event, frozen=True, kw_only=True):
    """A second branch answered the INVITE of an outgoing leg too; the engine acknowledged it and let it go."""


class Silent(Event, frozen=True, kw_only=True):
    """Nothing was heard from the leg for the configured time, and it is not on hold."""


class HeardAgain(Event, frozen=True, kw_only=True):
    """A leg that was silent is not any more."""


class CommandRefused(CallwrightError):
    """The engine cannot carry out the command."""


class Engine(Protocol):
    """What the switch needs of an engine."""

    def attach(self, sink: Callable[[Event], None]) -> None:
        """Set where events go; called once, before any command."""
        ...

    def submit(self, command: Command) -> None:
        """Take a command or raise `CommandRefused`. Never blocks."""
        ...

    def unhealthy(self) -> str | None:
        """None while calls can be carried, else which part is missing."""
        ...
