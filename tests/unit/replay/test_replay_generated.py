"""Whatever happens in a rehearsed call, its replay does the same."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings

from callwright.rehearsal.outcome import Outcome
from callwright.scenarios.document import Scenario
from callwright.scenarios.running import simulate
from callwright.scenarios.surroundings import settings_of
from support.replayed import again, in_short
from support.scenario_strategies import scenarios


def ends(scenario: Scenario) -> bool:
    """Callees who have themselves replaced by one another may do so for hours."""
    return not any(act.transfers_to for party in scenario.callees.values() for act in party.acts)


@settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(scenarios())
def test_a_generated_call_replayed_is_the_same(scenario: Scenario) -> None:
    assume(ends(scenario))
    outcome = simulate(scenario).outcome
    assume(isinstance(outcome, Outcome))
    assert isinstance(outcome, Outcome)
    replayed, found = again(outcome, settings=settings_of(scenario))
    assert in_short(replayed, found) == []
