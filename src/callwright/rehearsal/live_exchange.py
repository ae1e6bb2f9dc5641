"""One engine for many rehearsals at once: each has a line of its own, and sees the legs of that alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec

from callwright import telephony
from callwright.log import Log
from callwright.telephony import Command, Engine, Event, Target

log = Log("rehearsal")

NOT_FOUND = (404, "Not Found")


class Wires(Protocol):
    """What a line asks of whoever has the telephones."""

    def reach(self, command: telephony.Originate) -> Target:
        """Somebody is called: the telephone that is to ring."""
        ...

    def referred(self, command: telephony.Refer) -> None:
        """A far end is asked to call somebody else."""
        ...

    def left(self, leg: UUID) -> None:
        """A leg is over."""
        ...


class Line:
    """Implements `telephony.Engine` for one rehearsal."""

    def __init__(self, exchange: Exchange, wires: Wires) -> None:
        self._exchange = exchange
        self._wires = wires
        self.sink: Callable[[Event], None] = lambda event: None

    def attach(self, sink: Callable[[Event], None]) -> None:
        self.sink = sink

    def submit(self, command: Command) -> None:
        if isinstance(command, telephony.Originate):
            self._exchange.owns(command.leg, self)
            command = msgspec.structs.replace(command, target=self._wires.reach(command))
        elif isinstance(command, telephony.Refer):
            self._wires.referred(command)
        self._exchange.engine.submit(command)

    def unhealthy(self) -> str | None:
        return self._exchange.engine.unhealthy()

    def heard(self, event: Event) -> None:
        self.sink(event)
        if isinstance(event, telephony.Refused | telephony.Ended):
            self._wires.left(event.leg)


class _Expected(NamedTuple):
    line: Line
    arrives: Callable[[UUID], None]


class Exchange:
    """Gives what arrives to the line that it is for: an incoming leg is known by its Call-ID."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._lines: dict[UUID, Line] = {}
        self._expected: dict[str, _Expected] = {}
        engine.attach(self._heard)

    def owns(self, leg: UUID, line: Line) -> None:
        self._lines[leg] = line

    def expect(self, sip_call_id: str, line: Line, arrives: Callable[[UUID], None]) -> None:
        """Somebody will call; `arrives` is told the leg before the line is."""
        self._expected[sip_call_id] = _Expected(line, arrives)

    def forget(self, sip_call_id: str) -> None:
        self._expected.pop(sip_call_id, None)

    def _heard(self, event: Event) -> None:
        if isinstance(event, telephony.Incoming):
            expected = self._expected.pop(event.sip_call_id, None)
            if expected is None:
                log.warning("stranger_called", address=event.address)
                code, phrase = NOT_FOUND
                self.engine.submit(telephony.Reject(id=1, call=event.leg, leg=event.leg, code=code, phrase=phrase))
                return
            self.owns(event.leg, expected.line)
            expected.arrives(event.leg)
        over = isinstance(event, telephony.Refused | telephony.Ended)
        line = self._lines.pop(event.leg, None) if over else self._lines.get(event.leg)
        if line is not None:
            line.heard(event)
