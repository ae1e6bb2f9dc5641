"""What holds for every flow, whatever happens to it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from callwright.flows import effects as fx
from callwright.flows.check import check
from callwright.flows.effects import Effect, Finish, Input
from callwright.flows.interpreter import Phase, State, step
from callwright.flows.schema import Flow
from callwright.flows.settings import FlowSettings
from support.flow_driver import Driver
from support.flow_strategies import anything, bodies, flows
from support.fuzzing import fuzzed

json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**12) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FEW = FlowSettings(fetches=3)


@fuzzed(flow=flows, answered=st.booleans(), story=st.lists(anything, max_size=30))
def test_it_ends_whatever_comes_in_any_order_that_can_be(flow: Flow, answered: bool, story: list[Input]) -> None:
    driver = Driver(flow, FEW)
    driver.feed(fx.Begin(answered))
    for happened in story:
        if driver.over:
            return
        if driver.may_happen(happened):
            driver.feed(happened)
    for _ in range(200):  # nobody presses a key any more, and nothing is fetched
        if driver.over:
            return
        driver.feed(driver.owed()[0])
    raise AssertionError(f"it does not end: {driver.state}")


@fuzzed(body=bodies(), story=st.lists(anything, max_size=20))
def test_a_flow_that_passes_the_check_ends(body: dict[str, Any], story: list[Input]) -> None:
    report = check(body)
    if report.errors:
        return
    driver = Driver(report.passed(), FEW)
    for happened in [fx.Begin(True), *story]:
        if not driver.over and driver.may_happen(happened):
            driver.feed(happened)
    while not driver.over:
        driver.feed(driver.owed()[-1])


@fuzzed(body=bodies(), data=st.data())
def test_nothing_that_is_sent_confuses_the_check(body: dict[str, Any], data: st.DataObject) -> None:
    """It finds what is wrong, and where; it never fails."""
    for _ in range(data.draw(st.integers(1, 4))):
        step = data.draw(st.sampled_from(body["steps"]))
        inside = step["options"] if data.draw(st.booleans()) and isinstance(step.get("options"), dict) else step
        name = data.draw(st.sampled_from(sorted(inside) or ["id"]) | st.text(max_size=8))
        inside[name] = data.draw(json)
    report = check(body)
    assert (report.flow is None) <= bool(report.errors)
    for finding in report.findings:
        assert finding.sentence
        assert finding.parameter
        assert len(finding.sentence) < 1_000


@fuzzed(flow=flows, answered=st.booleans(), seed=st.integers(0, 2**32))
def test_a_caller_who_presses_nothing_passes_each_step_once_at_most(flow: Flow, answered: bool, seed: int) -> None:
    """Only keys jump: no flow runs in circles by itself."""
    driver = Driver(flow)
    entered = [effect for effect in driver.feed(fx.Begin(answered)) if isinstance(effect, fx.Enter | fx.Skip)]
    while not driver.over:
        owed = driver.owed()
        effects = driver.feed(owed[seed % len(owed)])
        entered += [effect for effect in effects if isinstance(effect, fx.Enter | fx.Skip)]
    passed = [effect.step for effect in entered]
    assert passed == [one.id for one in flow.steps[: len(passed)]]


@fuzzed(flow=flows, story=st.lists(anything, max_size=40))
def test_no_order_of_inputs_confuses_it(flow: Flow, story: list[Input]) -> None:
    """Not even one that cannot be: it finishes once at most, and asks for nothing afterwards."""
    state = State(flow, FEW)
    effects: list[Effect] = []
    for happened in story:
        if state.phase is Phase.OVER and isinstance(happened, fx.Replace):
            continue
        state, more = step(state, happened)
        effects += more
        assert len(state.keys or "") <= 64
    finishes = [index for index, effect in enumerate(effects) if isinstance(effect, Finish)]
    assert finishes in ([], [len(effects) - 1])
    assert (state.phase is Phase.OVER) == bool(finishes)
