"""Who answered: the rule by itself, over made-up greetings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callwright.flows.effects import Verdict
from callwright.switch.judging import TOLD_WITHIN_US, Ear, Heard, Outcome, hear, next_us

Story = list[tuple[float, Heard]]
V, S, B = Heard.VOICE, Heard.SILENCE, Heard.BEEP


def judged(story: Story, *, wait: bool = False, timeout_s: float = 7.0, patience_s: float = 30.0) -> tuple[Outcome, float]:
    """Listen as the switch does, looking again when nothing is heard; the outcome and when it was known, in seconds."""
    ear = Ear(wait=wait, timeout_us=round(timeout_s * 1e6), patience_us=round(max(patience_s, timeout_s) * 1e6))
    told = [(round(at * 1e6), heard) for at, heard in story]
    while True:
        look_us = next_us(ear)
        at_us, heard = told.pop(0) if told and told[0][0] <= look_us else (look_us, Heard.TIME)
        ear, outcome = hear(ear, heard, at_us)
        if outcome is not None:
            return outcome, at_us / 1e6


@pytest.mark.parametrize(
    ("story", "verdict", "known_s"),
    [
        ([(0.4, V), (1.2, S)], Verdict.HUMAN, 2.2),
        ([(0.4, V), (1.0, S), (1.4, V), (2.0, S)], Verdict.HUMAN, 3.0),  # a breath is no end
        ([(0.4, V)], Verdict.MACHINE, 3.0),
        ([(0.4, V), (1.4, S), (2.0, V)], Verdict.MACHINE, 3.0),
        ([(0.4, V), (2.6, S), (3.1, V)], Verdict.MACHINE, 3.1),  # longer than a person's, with a breath in it
        ([], Verdict.SILENCE, 3.2),
        ([(0.5, B)], Verdict.MACHINE, 0.5),
        ([(2.95, V), (3.3, S)], Verdict.HUMAN, 4.3),
    ],
)
def test_greetings(story: Story, verdict: Verdict, known_s: float) -> None:
    outcome, at = judged(story)
    assert (outcome.verdict, round(at, 6)) == (verdict, known_s)


@pytest.mark.parametrize(
    ("story", "timeout_s", "verdict"),
    [([(0.3, V)], 1.0, Verdict.UNSURE), ([], 1.0, Verdict.SILENCE), ([(0.3, V), (0.8, S)], 1.0, Verdict.UNSURE)],
)
def test_too_little_time(story: Story, timeout_s: float, verdict: Verdict) -> None:
    outcome, at = judged(story, timeout_s=timeout_s)
    assert (outcome.verdict, at) == (verdict, timeout_s + TOLD_WITHIN_US / 1e6)


@pytest.mark.parametrize(
    ("story", "known_s", "basis"),
    [
        ([(0.4, V), (6.0, S), (6.5, B)], 6.5, "a beep 6.5 s after the answer"),
        ([(0.4, V), (6.0, S)], 8.2, "a greeting of more than 2.4 s; 2 s of silence after it"),
        ([(0.4, V), (6.0, S), (7.0, V), (9.0, S)], 11.2, "a greeting of more than 2.4 s; 2 s of silence after it"),
        ([(0.4, V)], 30.2, "a greeting of more than 2.4 s; it spoke on for 30.0 s"),
    ],
    ids=["beep", "silence", "a pause in it", "no end"],
)
def test_a_machine_that_is_waited_for(story: Story, known_s: float, basis: str) -> None:
    outcome, at = judged(story, wait=True)
    assert (outcome.verdict, round(at, 6), outcome.basis) == (Verdict.MACHINE, known_s, basis)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    steps = draw(st.lists(st.tuples(st.floats(0.02, 4), st.sampled_from([V, S, V, S, B])), max_size=12))
    at, story = 0.0, []
    for step, heard in steps:
        at += step
        story.append((at, heard))
    return story


@given(stories(), st.booleans(), st.floats(0.4, 10))
def test_it_is_known_in_time(story: Story, wait: bool, timeout_s: float) -> None:
    outcome, at = judged(story, wait=wait, timeout_s=timeout_s)
    assert at <= (30.0 if wait else timeout_s) + TOLD_WITHIN_US / 1e6 + 1e-6
    assert outcome.basis


@given(stories(), st.booleans(), st.lists(st.floats(0, 31), max_size=5))
def test_looking_more_often_changes_nothing(story: Story, wait: bool, looks: list[float]) -> None:
    known, _ = judged(story, wait=wait)
    more = sorted([*story, *((at, Heard.TIME) for at in looks)], key=lambda told: told[0])
    assert judged(more, wait=wait)[0].verdict is known.verdict
