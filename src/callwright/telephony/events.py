"""What an engine tells call control. Rules that every engine keeps are in `callwright.telephony`."""

from __future__ import annotations

from enum import Enum
from uuid import UUID

import msgspec


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


class RecordOutcome(Enum):
    """Why a recording ended."""

    STOPPED = "stopped"  # as asked, or with its leg
    SILENCE = "silence"
    MAX_LENGTH = "max_length"
    KEY = "key"
    FAILED = "failed"
    LOST = "lost"  # with whoever wrote it; its leg ends too


class RecordingStarted(Event, frozen=True, kw_only=True):
    recording: UUID


class RecordingFinished(Event, frozen=True, kw_only=True):
    """The file is written and closed. `duration_ms` is the length of its sound; `detail` says what failed.

    A failed one is left as it is: what was heard until then may be in it.
    """

    recording: UUID
    outcome: RecordOutcome
    duration_ms: int = 0
    detail: str = ""


class Voice(Event, frozen=True, kw_only=True):
    """The far end began, or ceased, to speak; while `Listen` holds. `at_us` is when that was, not when it was found out."""

    speaking: bool


class Beep(Event, frozen=True, kw_only=True):
    """A beep as of an answering machine ended; while `Listen` holds."""


class Bridged(Event, frozen=True, kw_only=True):
    """The leg is in a conversation, which it was asked to have with `other`. That one is in it too, or was until a moment ago.

    `how`: ``relay`` when packets pass through, ``mix`` when sound is decoded and encoded again.
    """

    other: UUID
    how: str


class Unbridged(Event, frozen=True, kw_only=True):
    """The leg is in no conversation any more, and not over. The `other` of a `Bridged` is told it too."""


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


class ReferArrived(Event, frozen=True, kw_only=True):
    """The far end asks us to connect whom it talks to with `target`, and itself out (REFER). It waits for
    `AcceptRefer` or `RejectRefer`. `target` is as it was sent: a number, or a URI.
    """

    target: str
    referred_by: str = ""


class ReferOutcome(Enum):
    """What became of a transfer we asked the far end for."""

    DONE = "done"  # its new call was answered
    FAILED = "failed"  # its new call was not
    REFUSED = "refused"  # it would not
    UNKNOWN = "unknown"  # it took it and told us no more


class Referred(Event, frozen=True, kw_only=True):
    """`sip_code` is of the far end's new call, or of its refusal."""

    outcome: ReferOutcome
    sip_code: int | None = None
    detail: str = ""
