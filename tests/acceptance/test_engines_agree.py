"""Property: whatever happens, a call over the simulator and one over real SIP come to the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from callwright.rehearsal.live import live_stage
from callwright.scenarios.document import Scenario
from callwright.scenarios.live import play_live
from callwright.scenarios.running import simulate
from support.scenario_strategies import batch, told

AT_ONCE = 100
# A machine that stalls longer than a hair (`scenario_strategies`) may change who is first. An engine that is wrong is wrong
# each time; one that is wrong by chance may pass, so whoever is called again is printed (`pytest -rP` shows it).
AGAIN = 2


@pytest.mark.parametrize("count", [20, pytest.param(400, marks=pytest.mark.long)])
def test_both_engines_come_to_the_same(count: int) -> None:
    scenarios = {one.name: one for one in batch(count)}
    expected = {name: told(simulate(one).outcome) for name, one in scenarios.items()}
    seen = asyncio.run(_over_sip(scenarios, expected))
    differing = [name for name in scenarios if seen[name] != expected[name]]
    for name in differing:
        print(scenarios[name], expected[name], seen[name], sep="\n")
    assert differing == []


async def _over_sip(scenarios: dict[str, Scenario], expected: dict[str, Any]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    async with live_stage() as stage:
        few = asyncio.Semaphore(AT_ONCE)

        async def play(name: str) -> None:
            async with few:
                seen[name] = told((await play_live(stage, scenarios[name])).outcome)

        await asyncio.gather(*map(play, scenarios))
        for _ in range(AGAIN):
            again = [name for name in scenarios if seen[name] != expected[name]]
            for name in again:
                print("called again:", name, _differing(expected[name], seen[name]))
            await asyncio.gather(*map(play, again))
    return seen


def _differing(expected: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    return {key: (expected.get(key), seen.get(key)) for key in expected | seen if expected.get(key) != seen.get(key)}
