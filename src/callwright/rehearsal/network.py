"""The telephone network of a rehearsal: who can be called, who calls, and what the far ends do."""

from __future__ import annotations

from typing import NamedTuple, Protocol
from uuid import UUID

from callwright import ids
from callwright.clock import Clock
from callwright.rehearsal.ear import Ear
from callwright.rehearsal.parties import Party
from callwright.rehearsal.performer import Performer
from callwright.rehearsal.prompts import Prompts, RehearsedFiles
from callwright.simulator import engine as simulator
from callwright.simulator.engine import SimulatedEngine
from callwright.simulator.settings import SimulatorSettings
from callwright.telephony import Target


class Said(NamedTuple):
    """What a party said, from when to when (wall time)."""

    leg: UUID
    text: str
    from_us: int
    to_us: int


class Network(Protocol):
    """`ear` is the engine that call control is given."""

    @property
    def ear(self) -> Ear: ...

    @property
    def said(self) -> list[Said]: ...

    def route(self, destination: str) -> Target: ...

    def expect(self, destination: str, party: Party) -> None:
        """Whoever is called there is this party; where nobody is expected, whoever `simulator.magic` has,
        or somebody who answers and stays."""
        ...

    async def dial(self, number: str, source: str, party: Party) -> UUID:
        """A party calls; the leg that arrives."""
        ...


class SimulatedNetwork:
    """Legs of the simulator, on any clock. Implements `Network` and `FarEnds`."""

    def __init__(self, clock: Clock, prompts: Prompts) -> None:
        self._clock = clock
        self._parties: dict[str, Party] = {}
        self._engine = SimulatedEngine(clock, SimulatorSettings(), RehearsedFiles(prompts), overhears=self._overhears)
        self._performer = Performer(clock, self)
        self.ear = Ear(self._engine, self._performer, prompts, self._party)
        self.said: list[Said] = []

    def route(self, destination: str) -> Target:
        return simulator.route(destination)

    def expect(self, destination: str, party: Party) -> None:
        self._parties[destination] = party
        self._engine.expect(destination, party.script)

    async def dial(self, number: str, source: str, party: Party) -> UUID:
        leg = ids.uuid7(self._clock.now_us())
        self._performer.join(leg, party)
        self._engine.call_in(leg, source, number, party.script)
        return leg

    def _party(self, destination: str) -> Party:
        return self._parties.get(destination, Party())

    # what far ends do

    def press(self, leg: UUID, key: str) -> None:
        if self._engine.has(leg):
            self._engine.far_presses(leg, key)

    def say(self, leg: UUID, text: str, seconds: float) -> None:
        if self._engine.has(leg):
            self._engine.far_says(leg, text, seconds)

    def _overhears(self, leg: UUID, text: str, seconds: float) -> None:
        now_us = self._clock.now_us()
        self.said.append(Said(leg, text, now_us, now_us + round(seconds * 1e6)))

    def beep(self, leg: UUID) -> None:
        if self._engine.has(leg):
            self._engine.far_beeps(leg)

    def hold(self, leg: UUID) -> None:
        if self._engine.has(leg):
            self._engine.far_holds(leg, "sendonly")

    def resume(self, leg: UUID) -> None:
        if self._engine.has(leg):
            self._engine.far_holds(leg, "sendrecv")

    def transfer(self, leg: UUID, target: str) -> None:
        if self._engine.has(leg):
            self._engine.far_asks_for_transfer(leg, target)

    def hang_up(self, leg: UUID) -> None:
        if self._engine.has(leg):
            self._engine.far_hangs_up(leg)
