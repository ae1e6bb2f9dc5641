"""A simulated leg, and what the parts of the simulator need of each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from callwright.simulator.files import Tape
from callwright.simulator.settings import Act, CalleeScript
from callwright.telephony import Event


class State(Enum):
    ARRIVED = "arrived"  # incoming, not answered
    DIALLING = "dialling"  # outgoing, not answered
    ANSWERED = "answered"


class Prompt:
    """A `Play`: the length in seconds of all its files so far, and when the last of them will have been heard once."""

    def __init__(self, play: int, repeat: int, stops_on_digit: bool, more: bool) -> None:
        self.play = play
        self.repeat = repeat
        self.stops_on_digit = stops_on_digit
        self.more = more
        self.seconds = 0.0
        self.heard_at = 0.0
        self.timer: asyncio.TimerHandle | None = None


class Saying(NamedTuple):
    """A text that is being said, or was, in simulated seconds; `cut_at` is where a recording was paused in the middle of it."""

    text: str
    began_at: float
    ends_at: float
    cut_at: float | None = None


class Take:
    """A recording under way. `stop_keys` end it, and so do its timers. It `hears` the far end, or only what that hears."""

    def __init__(self, recording: UUID, tape: Tape, stop_keys: str, began_at: float, *, hears: bool) -> None:
        self.recording = recording
        self.tape = tape
        self.stop_keys = stop_keys
        self.began_at = began_at
        self.silence_s: float | None = None
        self.max_s: float | None = None
        self.hears = hears
        self.paused = False
        self.said: list[Saying] = []
        self.start: asyncio.TimerHandle | None = None
        self.limit: asyncio.TimerHandle | None = None
        self.silence: asyncio.TimerHandle | None = None


class Leg:
    """`seq` counts its events, `answered_at` is in simulated seconds, `legs` are those of its conversation, with itself."""

    def __init__(self, call: UUID | None, leg: UUID, state: State, script: CalleeScript) -> None:
        self.call = call
        self.id = leg
        self.state = state
        self.script = script
        self.sip_call_id = ""
        self.seq = 0
        self.legs: list[Leg] = []
        self.direction = "sendrecv"  # as the far end says it
        self.timers: list[asyncio.TimerHandle] = []
        self.prompt: Prompt | None = None
        self.takes: dict[UUID, Take] = {}
        self.talks = False
        self.speaking = False  # and is heard
        self.saying: Saying | None = None
        self.sayings = 0  # that are not over, where one was begun before the other was
        self.listening = False
        # what it is yet to do when the flow asks, when the next of that is due, and whether the last prompt was replied to
        self.waiting: list[Act] = []
        self.due: asyncio.TimerHandle | None = None
        self.replied = False
        self.turned_away: Callable[[int, str], None] | None = None  # who dialled is told the code and phrase
        # transfers: what the far end asked for waits for a word, then for progress; and what we asked it for
        self.asked: asyncio.TimerHandle | None = None
        self.transferring = False
        self.referred: asyncio.TimerHandle | None = None

    @property
    def sends(self) -> bool:
        """Whether the far end is heard: not while it is on hold."""
        return self.direction in ("sendrecv", "sendonly")


class Stage(Protocol):
    """What a part of the simulator needs of the whole. Times are simulated seconds."""

    def emit(self, leg: Leg, kind: Callable[..., Event], **fields: Any) -> None: ...

    def later(self, leg: Leg, seconds: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        """Do something unless the leg is over by then."""
        ...

    def now(self) -> float: ...
