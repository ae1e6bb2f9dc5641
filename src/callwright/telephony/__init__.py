"""The port between call control and whatever carries calls: commands in, events out.

The switch speaks only this. An engine (the simulator, SIP) takes a `Command` and accepts or refuses it at once;
what becomes of it arrives later as events. Rules every engine keeps, and the conformance suite checks:

* A command's id grows with each command of a call; one that was seen before changes nothing.
* Events of a leg carry ``seq`` 1, 2, 3 …, wall time and monotonic time. These do not go back, but for `Voice`, which says
  when it was.
* Every leg has exactly one last event, `Refused` (it was never answered) or `Ended`, whoever ended it.
* Every accepted `Play` has one `PlayFinished`, every accepted `StartRecording` one `RecordingFinished` and every accepted
  `Refer` one `Referred`, before the leg's last event.
* Legs that hear each other are in a conversation. An accepted `Bridge` has one `Bridged`, on its leg, once it hears another;
  none when it was undone, or one of the two was over, before. `Unbridged` is told to a leg that goes out of a conversation and
  is not over: to the one that was told to part, and to one that nobody is left with. Who still hears somebody is told nothing.
* Events are never delivered from inside `submit`.
* A fact of the far end (its BYE, its 200) is acted on at once by the engine and reported afterwards.
"""

from __future__ import annotations

from callwright.telephony.checks import (
    KEYS,
    is_number,
    is_uri,
    recording_fault,
)
from callwright.telephony.codes import (
    cause_of,
    phrase_of,
)
from callwright.telephony.commands import (
    AcceptRefer,
    Answer,
    Bridge,
    Command,
    HangUp,
    Hold,
    Listen,
    Originate,
    PauseRecording,
    Play,
    PlayMore,
    Refer,
    ReferProgress,
    Reject,
    RejectRefer,
    Resume,
    ResumeRecording,
    Ring,
    SendDigits,
    StartRecording,
    Stop,
    StopRecording,
    Target,
    Tracks,
    Unbridge,
    Unlisten,
)
from callwright.telephony.events import (
    Answered,
    Beep,
    Bridged,
    Cause,
    Digit,
    EarlyMedia,
    Ended,
    Event,
    Forked,
    HeardAgain,
    Held,
    Incoming,
    Moved,
    PlayFinished,
    PlayOutcome,
    PlayStarted,
    RecordingFinished,
    RecordingStarted,
    RecordOutcome,
    ReferArrived,
    ReferOutcome,
    Referred,
    Refreshed,
    Refused,
    Released,
    Ringing,
    RtpCounters,
    Silent,
    Unbridged,
    Voice,
    Who,
)
from callwright.telephony.port import (
    CommandRefused,
    Engine,
)
from callwright.telephony.speech import (
    Speech,
    SpeechUnavailable,
    Transcriber,
    Transcript,
    TranscriptionFailed,
    Utterance,
    Word,
)
from callwright.telephony.uris import (
    USER_SAFE,
    sip_uri,
    user_part,
)

__all__ = [
    "KEYS",
    "USER_SAFE",
    "AcceptRefer",
    "Answer",
    "Answered",
    "Beep",
    "Bridge",
    "Bridged",
    "Cause",
    "Command",
    "CommandRefused",
    "Digit",
    "EarlyMedia",
    "Ended",
    "Engine",
    "Event",
    "Forked",
    "HangUp",
    "HeardAgain",
    "Held",
    "Hold",
    "Incoming",
    "Listen",
    "Moved",
    "Originate",
    "PauseRecording",
    "Play",
    "PlayFinished",
    "PlayMore",
    "PlayOutcome",
    "PlayStarted",
    "RecordOutcome",
    "RecordingFinished",
    "RecordingStarted",
    "Refer",
    "ReferArrived",
    "ReferOutcome",
    "ReferProgress",
    "Referred",
    "Refreshed",
    "Refused",
    "Reject",
    "RejectRefer",
    "Released",
    "Resume",
    "ResumeRecording",
    "Ring",
    "Ringing",
    "RtpCounters",
    "SendDigits",
    "Silent",
    "Speech",
    "SpeechUnavailable",
    "StartRecording",
    "Stop",
    "StopRecording",
    "Target",
    "Tracks",
    "Transcriber",
    "Transcript",
    "TranscriptionFailed",
    "Unbridge",
    "Unbridged",
    "Unlisten",
    "Utterance",
    "Voice",
    "Who",
    "Word",
    "cause_of",
    "is_number",
    "is_uri",
    "phrase_of",
    "recording_fault",
    "sip_uri",
    "user_part",
]
