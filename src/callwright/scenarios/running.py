"""Plays scenarios: one on any rehearsal, or one on a platform of its own in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from callwright.clock import Clock, SystemClock
from callwright.egress import Transport
from callwright.errors import CallwrightError, Problem
from callwright.flows.schema import compile_flow
from callwright.rehearsal.outcome import Outcome
from callwright.rehearsal.platform import Rehearsal, TurnedAway, rehearse
from callwright.rehearsal.prompts import SoundReply
from callwright.scenarios.comparing import Difference, differences
from callwright.scenarios.document import Caller, Scenario, Wish
from callwright.scenarios.refusal import Refusal
from callwright.scenarios.rules import read_flow
from callwright.scenarios.surroundings import settings_of
from callwright.settings import Settings
from callwright.telephony import Event

MOST_LEGS = 100


class GoesInCircles(CallwrightError):
    """A call has more legs than a scenario can mean."""


class FlowUnreadable(CallwrightError):
    """The flow of a scenario cannot be read."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a scenario. `took_s` is in real seconds."""

    scenario: Scenario
    outcome: Outcome | Refusal
    differences: list[Difference]
    took_s: float = 0.0

    @property
    def met(self) -> bool:
        return not self.differences

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the script did not come to pass."""
        return self.outcome.notes if isinstance(self.outcome, Outcome) else ()


def simulate(
    scenario: Scenario,
    folder: Path = Path(),
    settings: Settings | None = None,
    *,
    real_web: bool = False,
    deliver_to: str = "",
) -> Result:
    """Run a scenario in virtual time. `folder` is where its flow lies, where that is a file.

    With `real_web` requests that no script answers go out; callbacks are posted to `deliver_to`, if it is given. Raises
    `FlowUnreadable` and `SettingsError`.
    """
    time_of_day = SystemClock()
    began_ns = time_of_day.mono_ns()
    scenario = with_flow(scenario, folder)
    settings = settings_of(scenario, settings)
    outcome = rehearse(
        lambda rehearsal: _told(rehearsal, scenario, deliver_to) if deliver_to else play(rehearsal, scenario),
        settings,
        beyond=_outside(settings) if real_web else None,
    )
    took_s = (time_of_day.mono_ns() - began_ns) / 1e9
    return Result(scenario=scenario, outcome=outcome, differences=differences(scenario, outcome), took_s=took_s)


def _outside(settings: Settings) -> Callable[[Clock], Transport]:
    from callwright.rehearsal.delivering import real_door  # with a library for HTTP, which nothing else needs

    return lambda clock: real_door(clock, settings)


async def _told(rehearsal: Rehearsal, scenario: Scenario, url: str) -> Outcome | Refusal:
    from callwright.rehearsal.delivering import Deliveries

    async with Deliveries(rehearsal) as deliveries:
        await deliveries.tell(url)
        outcome = await play(rehearsal, scenario)
        return outcome if isinstance(outcome, Refusal) else await deliveries.deliver(outcome)


def with_flow(scenario: Scenario, folder: Path) -> Scenario:
    """The scenario with its flow in the place of its flow's file. Raises `FlowUnreadable`."""
    if not isinstance(scenario.flow, str):
        return scenario
    path = folder / scenario.flow
    try:
        flow = read_flow(path)
    except OSError as error:
        raise FlowUnreadable(f"The flow {path} cannot be read: {error.strerror}.") from error
    except Problem as problem:
        raise FlowUnreadable(f"The flow {path} cannot be used: {problem.message}") from problem
    return msgspec.structs.replace(scenario, flow=flow)


async def play(rehearsal: Rehearsal, scenario: Scenario) -> Outcome | Refusal:
    """Have the call of a scenario, to its end; the scenario has its flow. The platform may be a simulated or a live one.

    Raises `GoesInCircles` for a call of more than `MOST_LEGS` legs, which is hung up.
    """
    assert not isinstance(scenario.flow, str)
    for destination, party in scenario.callees.items():
        rehearsal.network.expect(destination, party)
    for url, replies in scenario.web.items():
        rehearsal.web.script(url, replies)
    for url, given in scenario.sounds.items():
        rehearsal.sounds.script(url, given if isinstance(given, SoundReply) else SoundReply(seconds=given))
    try:
        call_id = await _begin(rehearsal, scenario, scenario.flow)
    except TurnedAway as refusal:
        return Refusal(refusal.sip_code, refusal.message)
    except Problem as problem:
        return Refusal(problem.http, problem.message)
    wishes = _Wishes(rehearsal, call_id, scenario.wishes)
    circles = _Circles(rehearsal, call_id)
    timers = [rehearsal.clock.call_later(wish.at, partial(wishes.ask, wish)) for wish in scenario.wishes]
    outcome = await rehearsal.over(call_id)
    for timer in timers:  # on a stage others go on
        timer.cancel()
    refused = await wishes.refused()
    if circles.found is not None:
        await circles.found
        raise GoesInCircles(f"It had more than {MOST_LEGS} legs after {outcome.seconds:g} s: parties transfer in circles.")
    late = [f"What was to be asked at {wish.at:g} s ({wish.what}) never was: the call was over." for wish in wishes.unasked]
    return msgspec.structs.replace(outcome, notes=(*outcome.notes, *refused, *late))


class _Circles:
    """Hangs up a call of more legs than any scenario means: what is told of it grows with the square of their number."""

    def __init__(self, rehearsal: Rehearsal, call_id: UUID) -> None:
        self._rehearsal = rehearsal
        self._call = call_id
        self._legs: set[UUID] = set()
        self.found: asyncio.Task[None] | None = None
        rehearsal.network.ear.observers.append(self._heard)

    def _heard(self, event: Event) -> None:
        self._legs.add(event.leg)
        if len(self._legs) > MOST_LEGS and self.found is None:
            hanging_up = self._rehearsal.switch.hang_up_call(self._rehearsal.world.id, self._call)
            self.found = asyncio.get_running_loop().create_task(hanging_up)


async def _begin(rehearsal: Rehearsal, scenario: Scenario, flow: Mapping[str, Any]) -> UUID:
    placed = scenario.call
    if placed is None:
        await rehearsal.own(scenario.number, flow)
        caller = scenario.caller or Caller()
        return await rehearsal.dial(scenario.number, caller.source, caller)
    return await rehearsal.place(placed.source, placed.destination, flow, placed, tags=placed.tags, metadata=placed.metadata)


class _Wishes:
    """What is asked of the call from outside, each wish at its time."""

    def __init__(self, rehearsal: Rehearsal, call_id: UUID, wishes: Sequence[Wish]) -> None:
        self._rehearsal = rehearsal
        self._call = call_id
        self.unasked = list(wishes)
        self._asked: list[asyncio.Task[None]] = []
        self._refused: list[str] = []

    def ask(self, wish: Wish) -> None:
        self.unasked.remove(wish)
        self._asked.append(asyncio.get_running_loop().create_task(self._try(wish)))

    async def refused(self) -> list[str]:
        """What came of those that were asked; sentences."""
        await asyncio.gather(*self._asked)
        return self._refused

    async def _try(self, wish: Wish) -> None:
        try:
            await self._do(wish)
        except Problem as problem:
            self._refused.append(f"What was asked at {wish.at:g} s ({wish.what}) was refused: {problem.message}")

    async def _do(self, wish: Wish) -> None:
        switch, world, call = self._rehearsal.switch, self._rehearsal.world.id, self._call
        if wish.adds:
            await switch.add_party(world, call, wish.adds, None)
        elif wish.replaces_flow is not None:
            await switch.replace_flow(world, call, compile_flow(wish.replaces_flow), wish.replaces_flow)
        elif wish.hangs_up and wish.leg is None:
            await switch.hang_up_call(world, call)
        else:
            leg = self._rehearsal.leg(call, wish.leg or 1)
            if wish.hangs_up:
                await switch.hang_up_leg(world, leg)
            elif wish.refers_to:
                await switch.refer_leg(world, call, leg, wish.refers_to)
            else:
                await switch.hold_leg(world, leg, on=wish.holds)
