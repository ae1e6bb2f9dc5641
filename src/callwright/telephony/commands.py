"""What call control asks of an engine. Rules that every engine keeps are in `callwright.telephony`."""

from __future__ import annotations

from enum import Enum
from uuid import UUID

import msgspec


class Target(msgspec.Struct, frozen=True):
    """Where an outgoing leg goes: the user and host of the request URI and the address to send it to."""

    user: str
    host: str
    port: int = 5060
    username: str = ""
    password: str = ""


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
    """Play local WAV files (8 kHz, 16 bit, mono) one after the other; `repeat` 0 means until stopped.

    `more`: further files follow in `PlayMore`, while these play. Silence is heard when they come late; repeating begins
    with the first file again once the last has been named.
    """

    files: tuple[str, ...]
    repeat: int = 1
    stop_on_digit: bool = False
    more: bool = False


class PlayMore(Command, frozen=True, kw_only=True):
    """Further files for the `Play` whose id is `play`; for one that is over, nothing. `more` as there.

    With no file and without `more` it says that there are no further ones.
    """

    play: int
    files: tuple[str, ...] = ()
    more: bool = False


class Stop(Command, frozen=True, kw_only=True):
    """Stop what is being played on the leg."""


class SendDigits(Command, frozen=True, kw_only=True):
    digits: str
    tone_ms: int = 100
    gap_ms: int = 100


class Tracks(Enum):
    """Which sound of a leg a recording holds."""

    FROM = "from"  # mono: what the far end says
    TO = "to"  # mono: what the far end hears
    MIX = "mix"  # mono: both in one
    BOTH = "both"  # two channels: what the far end says, what it hears


class StartRecording(Command, frozen=True, kw_only=True):
    """Record a leg into a new file at `path`: 8 kHz, 16 bit (`callwright.audiofile`).

    It ends by `StopRecording`, after `max_ms`, after `silence_ms` in which the far end said nothing, by one of the keys of
    `stop_keys` (whose sound is not kept), or with the leg. `key` is the secret to seal the file with (AES-256), empty for
    a plain WAV. Several recordings of a leg may run at once.
    """

    recording: UUID
    path: str
    tracks: Tracks = Tracks.FROM
    max_ms: int | None = None
    silence_ms: int | None = None
    stop_keys: str = ""
    key: bytes = b""


class PauseRecording(Command, frozen=True, kw_only=True):
    """Keep silence in place of sound until `ResumeRecording`, so that what follows stays at its time.

    As with that and `StopRecording`, nothing for a recording that is over or never was.
    """

    recording: UUID


class ResumeRecording(Command, frozen=True, kw_only=True):
    recording: UUID


class StopRecording(Command, frozen=True, kw_only=True):
    """End a recording: `RecordingFinished` follows."""

    recording: UUID


class Listen(Command, frozen=True, kw_only=True):
    """Tell of the far end's voice and of beeps, in `Voice` and `Beep`, until `Unlisten`."""


class Unlisten(Command, frozen=True, kw_only=True):
    pass


class Bridge(Command, frozen=True, kw_only=True):
    """Let this leg, which is in no conversation, and `other` hear each other. `Bridged` follows, for this leg.

    When `other` is in a conversation the leg joins that, and all of them hear each other. The leg is refused while it is in
    one itself; it may follow an `Unbridge` of either at once.
    """

    other: UUID


class Unbridge(Command, frozen=True, kw_only=True):
    """Take this leg out of its conversation: `Unbridged` follows. Others go on; one that is left alone is told so too.

    Before the leg hears anybody this undoes its `Bridge`, and nothing may follow.
    """


class Hold(Command, frozen=True, kw_only=True):
    """Put an answered leg on hold: it may hear what is played to it, and is not heard. `Held` follows when it has agreed.

    It stays in its conversation and hears that; who is to hear a tune alone is parted first.
    """


class Resume(Command, frozen=True, kw_only=True):
    """Take a leg off the hold that `Hold` put it on."""


class Refer(Command, frozen=True, kw_only=True):
    """Ask the far end of an answered leg to call `target` instead of us (REFER, RFC 3515): a blind transfer.

    `Referred` follows, once. The leg stays as it is; whoever asked hangs it up, or not.
    """

    target: str


class AcceptRefer(Command, frozen=True, kw_only=True):
    """Take a transfer the far end asked for (`ReferArrived`): it is told "accepted", and then of `ReferProgress`."""


class RejectRefer(Command, frozen=True, kw_only=True):
    """Refuse a transfer the far end asked for."""

    code: int
    phrase: str


class ReferProgress(Command, frozen=True, kw_only=True):
    """Tell the far end that asked for a transfer how the new call goes (NOTIFY with a sipfrag); 200 and above end it."""

    code: int
    phrase: str
