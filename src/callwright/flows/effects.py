"""What a flow is told, and what it wants done: the words between the interpreter and whoever runs it.

A is the party the flow talks to, B the party of a transfer.
"""

from __future__ import annotations

from enum import Enum
from uuid import UUID

import msgspec

from callwright.calls.labels import Relabelling
from callwright.flows.model import Flow
from callwright.reasons import Reason


class Party(Enum):
    A = "a"
    B = "b"


class Timer(Enum):
    """What a flow waits for; one of each runs at most."""

    PAUSE = "pause"
    KEYS = "keys"  # the next key of several


class Verdict(Enum):
    """Who answered."""

    HUMAN = "human"
    MACHINE = "machine"
    SILENCE = "silence"  # nobody said anything in the time that was given
    UNSURE = "unsure"


# What happened


class Input(msgspec.Struct, frozen=True):
    pass


class Begin(Input, frozen=True):
    """Start the flow; `answered` for a call we placed, whose flow runs once it is answered."""

    answered: bool


class Replace(Input, frozen=True):
    """Leave what is being done, and go on with another flow. `url` is where it came from, if from anywhere.

    It may come after `Finish` too, for a call that was kept up beyond its flow: what is remembered of the call holds on.
    What was still to follow of effects before does not follow any more, except `Answered` and `Judged` of A.
    """

    flow: Flow
    url: str = ""


class Answered(Input, frozen=True):
    """A is answered, as asked by `Answer`."""


class PlayEnded(Input, frozen=True):
    """What `Say` or `Play` asked for is over, also when it was stopped; `fault` says why it could not be heard."""

    fault: str = ""


class Key(Input, frozen=True):
    """A pressed a key: one of ``0-9*#A-D``."""

    key: str


class Expired(Input, frozen=True):
    timer: Timer


class KeysSent(Input, frozen=True):
    """All keys of `SendKeys` have been pressed."""


class Recorded(Input, frozen=True):
    """The recording of a record step is over. `outcome` is what ended it (`telephony.RecordOutcome`), for the journal."""

    recording: UUID
    outcome: str
    fault: str = ""


class FlowFetched(Input, frozen=True):
    """The flow that `Fetch` or `PostRecording` asked for is there; `url` is where it was found in the end."""

    flow: Flow
    url: str


class FetchFailed(Input, frozen=True):
    """It could not be had. `fallback` is what the operator wants callers to hear instead, if anything."""

    fault: str
    fallback: Flow | None = None


class Judged(Input, frozen=True):
    """What `Judge` asked for; without `party`, of whom it was asked last."""

    verdict: Verdict
    party: Party | None = None


class PeerAnswered(Input, frozen=True):
    """B answered."""


class PeerFailed(Input, frozen=True):
    """B ended before it answered, for this reason."""

    reason: Reason


class PeerGone(Input, frozen=True):
    """B had answered and is over; A is still there."""


# What is to be done


class Effect(msgspec.Struct, frozen=True):
    pass


class Answer(Effect, frozen=True):
    """Answer A; `Answered` must follow."""


class Say(Effect, frozen=True):
    """Speak to A, `repeat` times; `PlayEnded` must follow. With `stop_on_key` the first key ends it at once."""

    text: str
    language: str
    gender: str
    repeat: int = 1
    stop_on_key: bool = False


class Play(Effect, frozen=True):
    """Play these URLs to A; `PlayEnded` must follow."""

    urls: tuple[str, ...]
    stop_on_key: bool = False


class StopPlay(Effect, frozen=True):
    """Stop what `Say` or `Play` began, or is still being fetched for; `PlayEnded` does not follow any more."""


class Start(Effect, frozen=True):
    """`Expired` must follow after so many seconds, unless `Cancel` comes first or the timer is started anew."""

    timer: Timer
    seconds: float


class Cancel(Effect, frozen=True):
    timer: Timer


class Record(Effect, frozen=True):
    """Record what A says; `Recorded` must follow. Seconds, None for no limit of the step's own.

    `stop_keys` are the keys that end it. `transcribe` is the language to have it written down in, None for not at all.
    """

    max_length: float | None
    silence: float | None
    stop_keys: str
    beep: bool
    transcribe: str | None = None


class StopRecord(Effect, frozen=True):
    """End the recording of `Record`; `Recorded` does not follow any more."""


class RecordCall(Effect, frozen=True):
    """Record the whole call from here on (the flow's option ``record``)."""


class SendKeys(Effect, frozen=True):
    """Press keys towards A; ``w`` and ``,`` are pauses. `KeysSent` must follow. Milliseconds, None for the settings'."""

    keys: str
    tone_ms: int | None
    gap_ms: int | None


class Fetch(Effect, frozen=True):
    """Ask a URL for the next flow (contract §4.4); `FlowFetched` or `FetchFailed` must follow.

    A relative `url` is relative to `base`, where this flow came from.
    """

    url: str
    variables: dict[str, str]
    base: str = ""


class PostRecording(Effect, frozen=True):
    """Tell a URL of a recording and take the next flow from its answer (contract §4.5); followed as `Fetch` is."""

    url: str
    recording: UUID
    variables: dict[str, str]
    base: str = ""


class Judge(Effect, frozen=True):
    """Find out who answered, within `timeout_ms`; `Judged` must follow, after A or B was. One that was asked for before and
    not answered is not answered any more.

    `wait`: of a machine, tell only once it can be spoken to: after its beep, or its greeting.
    """

    party: Party
    wait: bool
    timeout_ms: int


class Dial(Effect, frozen=True):
    """Make B; `PeerAnswered` or `PeerFailed` must follow. `ring_timeout` in seconds, None for the setting's.

    `record` is what the step's option of that name says.
    """

    destination: str
    mask: bool
    ring_timeout: int | None
    record: str | None = None


class Connect(Effect, frozen=True):
    """Bridge A and B; `PeerGone` follows when B is over."""


class DropPeer(Effect, frozen=True):
    """End B; neither `PeerFailed` nor `PeerGone` follows any more. `reason` is for its leg."""

    reason: Reason


class Finish(Effect, frozen=True):
    """The flow is over: end every leg for this reason.

    Those who were added beside the flow may talk on, unless `everybody` is to hang up.
    """

    reason: Reason
    detail: str = ""
    everybody: bool = False


class Enter(Effect, frozen=True):
    """A step begins (for the journal)."""

    step: str
    action: str


class Leave(Effect, frozen=True):
    """A step is over (for the journal). `outcome` is a word."""

    step: str
    outcome: str
    detail: str = ""


class Skip(Effect, frozen=True):
    """A step is left out, as its conditions do not hold (for the journal)."""

    step: str
    detail: str = ""


class Label(Effect, frozen=True):
    """Write tags and metadata on the call's record; `left_out` says what of them cannot be written, for the journal."""

    change: Relabelling
    left_out: tuple[str, ...] = ()


class Store(Effect, frozen=True):
    """A variable has a value now (for the journal)."""

    variable: str
    value: str
