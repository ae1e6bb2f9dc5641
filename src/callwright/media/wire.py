"""What the core and a media process say to each other (`ipc` frames). A stream carries the sound of one leg."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from callwright.telephony import RtpCounters

TICK_LATE_MS: Final = (1, 2, 5, 10, 20, 50, 100)


class ToMedia(msgspec.Struct, frozen=True, tag=True):
    stream: UUID


class Open(ToMedia, frozen=True):
    """Take a port pair; `Opened` or `OpenFailed` follows."""


class Connect(ToMedia, frozen=True):
    """Set, or change, the far side: where sound goes and what was agreed.

    `payload_type` is 0 (PCMU) or 8 (PCMA); `event_type` that of telephone-event, None when it was not agreed.
    `send` and `receive` say which ways sound may flow: on hold the far side hears nothing from us or we drop what comes.
    `ptime_ms` is how much the far side wants in a packet; 20 is sent whatever it asks between 10 and 60. `mapped_type` is
    the law's number in packets, both ways, when the far side mapped it to a dynamic one (RFC 3551 §3).
    """

    address: str
    port: int
    payload_type: int
    event_type: int | None
    send: bool = True
    receive: bool = True
    ptime_ms: int = 20
    mapped_type: int | None = None


class Play(ToMedia, frozen=True):
    """`more`: further files follow in `PlayMore`."""

    play: int
    files: tuple[str, ...]
    repeat: int
    stop_on_digit: bool
    more: bool = False


class PlayMore(ToMedia, frozen=True):
    """Further files for a play that runs; for another, nothing."""

    play: int
    files: tuple[str, ...]
    more: bool = False


class Stop(ToMedia, frozen=True):
    pass


class SendDigits(ToMedia, frozen=True):
    digits: str
    tone_ms: int
    gap_ms: int


class Record(ToMedia, frozen=True):
    """As `telephony.StartRecording`; `tracks` is a value of `telephony.Tracks`."""

    recording: UUID
    path: str
    tracks: str
    max_ms: int | None = None
    silence_ms: int | None = None
    stop_keys: str = ""
    key: bytes = b""


class PauseRecord(ToMedia, frozen=True):
    """Keep silence in place of sound, or sound again."""

    recording: UUID
    paused: bool


class StopRecord(ToMedia, frozen=True):
    recording: UUID


class Listen(ToMedia, frozen=True):
    """Whether to tell of voice and beeps."""

    on: bool


class DetectDigits(ToMedia, frozen=True):
    """Whether to look for keys in the sound itself; telephone-events, where they were agreed, go before."""

    on: bool


class Join(ToMedia, frozen=True):
    """Let a stream hear, and be heard in, the conversation that `other` is in, or the two form one.

    `Joined` follows: once for each of two that form one, for the first named alone when it comes to others.
    """

    other: UUID


class Part(ToMedia, frozen=True):
    """Take a stream out of its conversation; `Parted` follows for it, and for one that is left alone."""


class Close(ToMedia, frozen=True):
    """Give the ports back; `Closed` follows with the stream's counters."""


CoreMessage = (
    Open
    | Connect
    | Play
    | PlayMore
    | Stop
    | SendDigits
    | Record
    | PauseRecord
    | StopRecord
    | Listen
    | DetectDigits
    | Join
    | Part
    | Close
)


class ToCore(msgspec.Struct, frozen=True, tag=True):
    stream: UUID


class Opened(ToCore, frozen=True):
    port: int


class OpenFailed(ToCore, frozen=True):
    detail: str


class DigitHeard(ToCore, frozen=True):
    """`inband`: found in the sound, and not sent as an event."""

    digit: str
    duration_ms: int
    inband: bool = False


class PlayBegan(ToCore, frozen=True):
    play: int


class PlayEnded(ToCore, frozen=True):
    """`outcome` is a value of `telephony.PlayOutcome`."""

    play: int
    outcome: str
    detail: str = ""


class RecordBegan(ToCore, frozen=True):
    recording: UUID


class RecordEnded(ToCore, frozen=True):
    """`outcome` is a value of `telephony.RecordOutcome`; `duration_ms` is the length of the sound in the file."""

    recording: UUID
    outcome: str
    duration_ms: int
    detail: str = ""


class VoiceChanged(ToCore, frozen=True):
    """The far side began or ceased to speak, so many milliseconds ago."""

    speaking: bool
    ago_ms: int


class BeepHeard(ToCore, frozen=True):
    """A beep ended."""


class Joined(ToCore, frozen=True):
    other: UUID
    how: str


class Parted(ToCore, frozen=True):
    """Not joined any more, or not at all: `Join` named a stream that is not open."""


class WentSilent(ToCore, frozen=True):
    """No packet came for `media.silence_s` seconds while the stream may receive. Sent once per silence."""


class HeardAgain(ToCore, frozen=True):
    """A packet came after `WentSilent`."""


class Dropped(msgspec.Struct, frozen=True, omit_defaults=True):
    """Datagrams that came and were not used, and packets that could not be sent, by reason.

    `early`: before the far side was known; `stranger`: from elsewhere than the locked source; `payload_type`: one that
    was not agreed; `stray`: a number or source out of all order, once; `payload_size`: not 5 to 120 ms of sound; `held`:
    while `receive` was off; `control`: RTCP on the RTP port; `failures`: errors of ours, with a traceback in the log.
    """

    early: int = 0
    stranger: int = 0
    malformed: int = 0
    payload_type: int = 0
    payload_size: int = 0
    stray: int = 0
    held: int = 0
    control: int = 0
    stranger_control: int = 0
    malformed_control: int = 0
    unsendable: int = 0
    failures: int = 0


class Closed(ToCore, frozen=True):
    counters: RtpCounters
    dropped: Dropped = Dropped()


class Load(ToCore, frozen=True):
    """Every second: streams open and the worst lateness of a tick in milliseconds. `stream` is zero.

    `ticks` counts the second's ticks by their lateness, up to each bound of `TICK_LATE_MS` and beyond the last;
    `skipped`: ticks left out because the process was stalled; `strays`: commands for streams that are not open;
    `failures`: errors of ours that were survived; `ports`: pairs that are free now.
    """

    streams: int
    late_ms: float
    skipped: int = 0
    strays: int = 0
    failures: int = 0
    ports: int = 0
    ticks: tuple[int, ...] = ()


MediaMessage = (
    Opened
    | OpenFailed
    | DigitHeard
    | PlayBegan
    | PlayEnded
    | RecordBegan
    | RecordEnded
    | VoiceChanged
    | BeepHeard
    | Joined
    | Parted
    | WentSilent
    | HeardAgain
    | Closed
    | Load
)
