"""Has the parties do what their scripts say, at the times and upon the prompts these name."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol
from uuid import UUID

from callwright.clock import Clock
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.prompts import Prompt
from callwright.simulator.talk import spoken_s


class FarEnds(Protocol):
    """What can be done at the far end of an answered leg. A leg that is over by then is no error."""

    def press(self, leg: UUID, key: str) -> None: ...

    def say(self, leg: UUID, text: str, seconds: float) -> None: ...

    def beep(self, leg: UUID) -> None: ...

    def hold(self, leg: UUID) -> None: ...

    def resume(self, leg: UUID) -> None: ...

    def transfer(self, leg: UUID, target: str) -> None: ...

    def hang_up(self, leg: UUID) -> None: ...


class _Role:
    def __init__(self, party: Party) -> None:
        self.party = party
        self.answered = False
        self.upon: deque[Act] = deque(act for act in party.acts if act.hears)
        self.timers: list[asyncio.TimerHandle] = []


class Performer:
    def __init__(self, clock: Clock, far_ends: FarEnds) -> None:
        self._clock = clock
        self._far_ends = far_ends
        self._roles: dict[UUID, _Role] = {}

    def join(self, leg: UUID, party: Party) -> None:
        """A leg has this party at its far end."""
        self._roles[leg] = _Role(party)

    def unheard(self, leg: UUID) -> Act | None:
        """The first act that still waits for a text; those behind it wait for that one."""
        role = self._roles.get(leg)
        return role.upon[0] if role is not None and role.upon else None

    def answered(self, leg: UUID) -> None:
        role = self._roles.get(leg)
        if role is None or role.answered:
            return
        role.answered = True
        for act in role.party.acts:
            if not act.hears:
                self._later(role, leg, act.at or 0.0, act)

    def began(self, leg: UUID, prompt: Prompt) -> None:
        self._hears(leg, prompt, interrupts=True)

    def ended(self, leg: UUID, prompt: Prompt) -> None:
        self._hears(leg, prompt, interrupts=False)

    def left(self, leg: UUID) -> None:
        role = self._roles.get(leg)
        if role is not None:
            for timer in role.timers:
                timer.cancel()

    def _hears(self, leg: UUID, prompt: Prompt, *, interrupts: bool) -> None:
        role = self._roles.get(leg)
        if role is None or not role.upon:
            return
        act = role.upon[0]
        if act.interrupts is interrupts and act.hears.casefold() in (prompt.text or prompt.url).casefold():
            role.upon.popleft()
            self._later(role, leg, act.after, act)

    def _later(self, role: _Role, leg: UUID, seconds: float, act: Act) -> None:
        for n, key in enumerate(act.press):
            self._at(role, seconds + n * role.party.key_gap, partial(self._far_ends.press, leg, key))
        if not act.press:
            self._at(role, seconds, partial(self._do, leg, act))

    def _at(self, role: _Role, seconds: float, do: Callable[[], None]) -> None:
        role.timers.append(self._clock.call_later(seconds, do))

    def _do(self, leg: UUID, act: Act) -> None:
        far = self._far_ends
        if act.says or act.speaks_for is not None:
            far.say(leg, act.says, spoken_s(act.says) if act.speaks_for is None else act.speaks_for)
        elif act.beeps:
            far.beep(leg)
        elif act.holds:
            far.hold(leg)
        elif act.resumes:
            far.resume(leg)
        elif act.transfers_to:
            far.transfer(leg, act.transfers_to)
        elif act.hangs_up:
            far.hang_up(leg)
