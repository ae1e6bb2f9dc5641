"""Plays scenarios over real SIP, on a stage that carries many at once."""

from __future__ import annotations

import time
from pathlib import Path

from callwright.rehearsal.live import TOLERANCE_S, LiveStage
from callwright.scenarios.comparing import differences
from callwright.scenarios.document import Scenario
from callwright.scenarios.running import Result, play, with_flow
from callwright.scenarios.surroundings import settings_of
from callwright.settings import Settings


async def play_live(
    stage: LiveStage,
    scenario: Scenario,
    folder: Path = Path(),
    settings: Settings | None = None,
    *,
    tolerance: float = TOLERANCE_S,
) -> Result:
    """As `simulate`, in real time. `tolerance` is the least there is of it. Raises `FlowUnreadable`."""
    began_ns = time.perf_counter_ns()
    scenario = with_flow(scenario, folder)
    async with stage.rehearsal(settings_of(scenario, settings)) as rehearsal:
        outcome = await play(rehearsal, scenario)
    took_s = (time.perf_counter_ns() - began_ns) / 1e9
    found = differences(scenario, outcome, tolerance=tolerance)
    return Result(scenario=scenario, outcome=outcome, differences=found, took_s=took_s)
