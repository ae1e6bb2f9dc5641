"""The suite of the flow engine, twice: every scenario in virtual time, and all of them at once over real SIP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from callwright.rehearsal.live import LiveStage, live_stage
from callwright.scenarios.live import play_live
from callwright.scenarios.reading import Script, read_file
from callwright.scenarios.running import Result, simulate

FOLDER = Path(__file__).parent / "scenarios"
SCRIPTS = [script for file in sorted(FOLDER.glob("*.yaml")) for script in read_file(file)]
# No machine is to be measured here: what hangs on times is decided in virtual time. A stall may still upset a call, as a
# pause of seconds in what is said ends a recording; one that differs is called again, when all is quiet.
TOLERANCE_S = 1.0
AGAIN = 2

each = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.scenario.name)


@pytest.fixture(scope="module")
def over_sip() -> dict[str, Result]:
    return asyncio.run(_all_over_sip())


async def _all_over_sip() -> dict[str, Result]:
    async with live_stage() as stage:
        results = dict(zip(_names(SCRIPTS), await asyncio.gather(*(_play(stage, one) for one in SCRIPTS)), strict=True))
        for _ in range(AGAIN):
            differing = [one for one in SCRIPTS if not results[one.scenario.name].met]
            for name in _names(differing):
                print("called again:", name, *(one.sentence for one in results[name].differences))
            results |= zip(_names(differing), await asyncio.gather(*(_play(stage, one) for one in differing)), strict=True)
        return results


async def _play(stage: LiveStage, script: Script) -> Result:
    return await play_live(stage, script.scenario, tolerance=TOLERANCE_S)


def _names(scripts: list[Script]) -> list[str]:
    return [one.scenario.name for one in scripts]


@each
def test_a_scenario_comes_true_in_virtual_time(script: Script) -> None:
    assert [one.sentence for one in simulate(script.scenario).differences] == []


@each
def test_a_scenario_comes_true_over_sip(script: Script, over_sip: dict[str, Result]) -> None:
    assert [one.sentence for one in over_sip[script.scenario.name].differences] == []


def test_every_scenario_has_a_name_of_its_own() -> None:
    assert len(set(_names(SCRIPTS))) == len(SCRIPTS) > 90
