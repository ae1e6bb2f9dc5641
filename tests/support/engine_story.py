"""What the rules of the engine port are checked with: a driver for each engine, and what it was told and said."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import UUID, uuid4

from callwright.telephony import (
    Answer,
    Answered,
    Bridged,
    Command,
    Ended,
    Engine,
    Event,
    Originate,
    PlayFinished,
    PlayStarted,
    RecordingFinished,
    RecordingStarted,
    Refer,
    ReferOutcome,
    Referred,
    Refused,
    StartRecording,
    Target,
    Unbridged,
    Voice,
)

E = TypeVar("E", bound=Event)

CALL, OTHER_CALL = uuid4(), uuid4()


class Driver(Protocol):
    """An engine and the far side of its legs. Times are those of the engine's clock; nothing here blocks for long."""

    engine: Engine

    def attach(self, sink: Callable[[Event], None]) -> None: ...

    def arrive(self, leg: UUID) -> None:
        """Somebody calls in; the leg has this id."""
        ...

    def target(self, outcome: str) -> Target:
        """Where somebody rings and then ``answers``, is ``busy`` or ``rings`` for ever."""
        ...

    def far_hangs_up(self, leg: UUID) -> None:
        """The far end of a leg gives up or hangs up; nothing when there is no such leg any more."""
        ...

    def far_presses(self, leg: UUID, digit: str) -> None: ...

    def far_speaks(self, leg: UUID, speaking: bool) -> None:
        """The far end of an answered leg begins, or ceases, to speak."""
        ...

    def far_beeps(self, leg: UUID) -> None: ...

    def far_asks_for_transfer(self, leg: UUID, target: str) -> None:
        """The far end of an answered leg sends a REFER; nothing when it is not answered."""
        ...

    def elsewhere(self, outcome: ReferOutcome) -> str:
        """A number that, when a far end is asked to call it, has this outcome; `UNKNOWN` of one that never answers."""
        ...

    def sound(self) -> str:
        """A WAV file of one second; recordings are made beside it."""
        ...

    def settle(self, seconds: float = 60.0) -> None:
        """Let so much time pass."""
        ...

    def left(self) -> list[str]:
        """What the engine and its children still hold: legs, streams, calls, timers."""
        ...


class Story:
    """What is done to an engine and what it says."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.events: list[Event] = []
        self.accepted: dict[UUID, list[UUID]] = {}
        self.referred: dict[UUID, int] = {}
        self._ids = count(1)
        driver.attach(self.events.append)

    def do(self, kind: Callable[..., Command], leg: UUID, *, call: UUID = CALL, **fields: Any) -> int:
        number = next(self._ids)
        self.driver.engine.submit(kind(id=number, call=call, leg=leg, **fields))
        return number

    def record(self, leg: UUID, **fields: Any) -> UUID:
        recording = uuid4()
        path = fields.pop("path", str(Path(self.driver.sound()).parent / f"{recording}.wav"))
        self.do(StartRecording, leg, recording=recording, path=path, **fields)
        self.accepted.setdefault(leg, []).append(recording)
        return recording

    def refer(self, leg: UUID, outcome: ReferOutcome = ReferOutcome.DONE) -> None:
        self.do(Refer, leg, target=self.driver.elsewhere(outcome))
        self.referred[leg] = self.referred.get(leg, 0) + 1

    def originate(self, leg: UUID, outcome: str = "answers") -> int:
        return self.do(Originate, leg, caller="31612345678", target=self.driver.target(outcome))

    def incoming(self) -> UUID:
        leg = uuid4()
        self.driver.arrive(leg)
        return leg

    def answered(self) -> UUID:
        leg = self.incoming()
        self.do(Answer, leg)
        self.driver.settle()
        return leg

    def reached(self) -> UUID:
        leg = uuid4()
        self.originate(leg)
        self.driver.settle()
        return leg

    def of(self, leg: UUID) -> list[Event]:
        return [event for event in self.events if event.leg == leg]

    def seen(self, kind: type[E], leg: UUID | None = None) -> list[E]:
        return [event for event in self.events if isinstance(event, kind) and leg in (None, event.leg)]

    def told(self, leg: UUID) -> list[type[Event]]:
        return [type(event) for event in self.of(leg)]

    def last(self, leg: UUID) -> Any:
        """The leg's last event, after checking everything that is true of any leg that is over."""
        events = self.of(leg)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        timed = [event for event in events if not isinstance(event, Voice)]
        for times in ([event.at_us for event in timed], [event.mono_ns for event in timed]):
            assert times == sorted(times)
        ends = [event for event in events if isinstance(event, Refused | Ended)]
        assert ends == events[-1:], f"the leg was told {self.told(leg)}"
        was_answered = any(isinstance(event, Answered) for event in events)
        end = ends[0]
        assert was_answered == (isinstance(end, Ended) and not end.late_answer)
        started = {event.play for event in events if isinstance(event, PlayStarted)}
        finished = [event.play for event in events if isinstance(event, PlayFinished)]
        assert started <= set(finished)
        assert len(finished) == len(set(finished))
        recorded = [event.recording for event in events if isinstance(event, RecordingFinished)]
        assert {event.recording for event in events if isinstance(event, RecordingStarted)} <= set(recorded)
        assert sorted(recorded) == sorted(self.accepted.get(leg, []))
        assert sum(isinstance(event, Referred) for event in events) == self.referred.get(leg, 0)
        self.check_conversations(events)
        return end

    def check_conversations(self, events: list[Event]) -> None:
        """A leg that is told it hears somebody is not told so again before it is told that it does not."""
        bridged = False
        for event in events:
            if isinstance(event, Bridged):
                assert not bridged
            bridged = isinstance(event, Bridged) or (bridged and not isinstance(event, Unbridged))
