"""Whatever happens in a rehearsed call, its replay does the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from callwright.rehearsal.outcome import Outcome
from callwright.replay import exporting
from callwright.replay.scenario_file import document_of
from callwright.scenarios.document import Scenario
from callwright.scenarios.reading import read, read_file
from callwright.scenarios.running import simulate
from callwright.scenarios.surroundings import settings_of
from support.replayed import again, in_short
from support.scenario_strategies import scenarios

FILES = sorted((Path(__file__).parents[2] / "acceptance" / "scenarios").glob("*.yaml"))
WRITTEN = [script.scenario for file in FILES for script in read_file(file)]


def ends(scenario: Scenario) -> bool:
    """Callees who have themselves replaced by one another may do so for hours."""
    return not any(act.transfers_to for party in scenario.callees.values() for act in party.acts)


@settings(max_examples=50, derandomize=True, suppress_health_check=list(HealthCheck))
@given(scenarios())
def test_a_generated_call_replayed_is_the_same(scenario: Scenario) -> None:
    assume(ends(scenario))
    outcome = simulate(scenario).outcome
    assume(isinstance(outcome, Outcome))
    assert isinstance(outcome, Outcome)
    replayed, found = again(outcome, settings=settings_of(scenario))
    assert in_short(replayed, found) == []


@pytest.mark.parametrize("scenario", WRITTEN, ids=lambda scenario: scenario.name)
def test_a_call_of_the_flow_engines_suite_replayed_is_the_same_and_so_is_its_export(scenario: Scenario) -> None:
    outcome = simulate(scenario).outcome
    assert isinstance(outcome, Outcome)
    replayed, found = again(outcome, settings=settings_of(scenario))
    assert (in_short(replayed, found), replayed.missing) == ([], [])
    if replayed.plan.flow is None:
        return  # it was never begun, and so is on no record
    exported = exporting.scenario_of(outcome.journal, settings_of(scenario))
    (script,) = read(document_of(exported).encode(), "call.yaml", Path())
    assert [one.sentence for one in simulate(script.scenario).differences] == []
    assert exporting.goes_otherwise(exported, settings_of(scenario)) == ""
