"""What holds for every flow, whatever happens to it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from callwright.flows import effects as fx
from callwright.flows.effects import Effect, Finish, Input
from callwright.flows.interpreter import Phase, State, step
from callwright.flows.schema import Flow
from callwright.flows.settings import FlowSettings
from support.flow_driver import Driver
from support.flow_strategies import anything, flows

FEW = FlowSettings(fetches=3)


@settings(max_examples=500, deadline=None)
@given(flows, st.booleans(), st.lists(anything, max_size=30))
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


@settings(max_examples=300, deadline=None)
@given(flows, st.booleans(), st.integers(0, 2**32))
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


@settings(max_examples=500, deadline=None)
@given(flows, st.lists(anything, max_size=40))
def test_no_order_of_inputs_confuses_it(flow: Flow, story: list[Input]) -> None:
    """Not even one that cannot be: it finishes once at most, and asks for nothing afterwards."""
    state = State(flow, FEW)
    effects: list[Effect] = []
    for happened in story:
        state, more = step(state, happened)
        effects += more
        assert len(state.keys or "") <= 64
    finishes = [index for index, effect in enumerate(effects) if isinstance(effect, Finish)]
    assert finishes in ([], [len(effects) - 1])
    assert (state.phase is Phase.OVER) == bool(finishes)
