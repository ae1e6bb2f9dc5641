"""A replay on another flow: exactly what was changed is different."""

from __future__ import annotations

from typing import Any

import pytest

from callwright.calls import journal
from callwright.calls.rows import Told
from callwright.errors import Problem
from callwright.reasons import Reason
from callwright.rehearsal.parties import Act, Party
from callwright.replay.inputs import NothingToReplay
from callwright.replay.playing import replay
from support.replayed import AGENT, OTHER, again, called, in_short, pause, say, transfer

STEPS: list[dict[str, Any]] = [
    say("Welcome to the shop.", "hello"),
    pause(1, "wait"),
    say("Press one for sales.", "ask", onKeypressVar="choice", maxNumKeys=1),
    {"id": "mark", "action": "tag", "options": {"tags": ["asked"]}},
    transfer(name="sales"),
    say("Good bye.", "bye"),
]


@pytest.fixture(scope="module")
def talked() -> Any:
    party = Party(answer_after=2.0, acts=(Act(at=5.0, hangs_up=True),))
    act = Act(hears="press one", interrupts=True, after=0.7, press="1")
    return called(STEPS, act, Act(hears="good", interrupts=True, after=0.3, hangs_up=True), callees={AGENT: party})


def changed(name: str, step: dict[str, Any]) -> dict[str, Any]:
    return {"steps": [step if one["id"] == name else one for one in STEPS]}


def test_a_changed_text_of_the_same_length(talked: Any) -> None:
    replayed, found = again(talked, changed("hello", say("Welcome to the barn.", "hello")))
    assert in_short(replayed, found) == [
        ("changed", "StepStarted", {"payload": ("Welcome to the shop.", "Welcome to the barn.")})
    ]


def test_a_longer_text_takes_longer(talked: Any) -> None:
    _, found = again(talked, changed("hello", say("Welcome to the shop of wonderful things.", "hello")))
    assert [one.kind for one in found] == ["changed", "shift"]
    assert found[1].later_s == pytest.approx((40 - 20) / 15, abs=0.03)


def test_another_destination(talked: Any) -> None:
    replayed, found = again(talked, changed("sales", transfer(OTHER, "sales")))
    assert in_short(replayed, found) == [
        ("changed", "StepStarted", {"destination": (AGENT, OTHER)}),
        ("changed", "LegMade", {"destination": (AGENT, OTHER)}),
    ]


def test_what_is_missing_comes_before_what_is_there_instead_though_a_machine_took_a_moment(talked: Any) -> None:
    first, *rest = talked.journal
    slower = [first, *(Told(line.seq, line.at_us + 1_000, line.entry) for line in rest)]
    _, found = again(slower, {"steps": [say("Welcome to the shop.", "hi"), *STEPS[1:]]})
    assert [one.kind for one in found] == ["missing", "new", "missing", "new"], "its first step, and the end of that"


def test_a_step_less(talked: Any) -> None:
    replayed, found = again(talked, {"steps": [step for step in STEPS if step["id"] != "mark"]})
    assert in_short(replayed, found) == [
        ("missing", "StepStarted", {}),
        ("missing", "CallLabelled", {}),
        ("missing", "StepEnded", {}),
    ]


def test_a_step_less_that_took_time(talked: Any) -> None:
    replayed, found = again(talked, {"steps": [step for step in STEPS if step["id"] != "wait"]})
    assert [(kind, what) for kind, what, _ in in_short(replayed, found)] == [
        ("missing", "StepStarted"),
        ("missing", "StepEnded"),
        ("shift", "StepStarted"),
    ]
    assert found[2].later_s == -1.0


def test_keys_of_a_step_that_is_gone_are_pressed_by_nobody() -> None:
    steps = [say("Press a key for nothing.", "idle", onKeypressVar="idle", maxNumKeys=1), pause(1, "wait"), STEPS[2]]
    recorded = called(steps, Act(hears="nothing", interrupts=True, after=0.4, press="9"))
    replayed, found = again(recorded, {"steps": steps[1:]})
    assert {kind for kind, *_ in in_short(replayed, found)} <= {"missing", "new", "shift"}
    assert not [line for line in replayed.replayed if isinstance(line.entry, journal.DigitPressed | journal.VariableSet)]


def test_another_tag(talked: Any) -> None:
    step = {"id": "mark", "action": "tag", "options": {"tags": ["asked", "twice"]}}
    replayed, found = again(talked, changed("mark", step))
    assert [(kind, what) for kind, what, _ in in_short(replayed, found)] == [
        ("changed", "StepStarted"),
        ("changed", "CallLabelled"),
    ]


def test_a_longer_pause_is_one_shift_of_time(talked: Any) -> None:
    replayed, found = again(talked, changed("wait", pause(4, "wait")))
    assert in_short(replayed, found) == [("changed", "StepStarted", {"length": (1, 4)}), ("shift", "StepEnded", 3.0)]


def test_steps_without_names_are_known_by_what_they_do() -> None:
    steps = [pause(1), say("One."), pause(2), say("Two.")]
    replayed, found = again(called(steps), {"steps": [steps[0], *steps[2:]]})
    assert in_short(replayed, found)[:2] == [("missing", "StepStarted", {}), ("missing", "StepEnded", {})]
    assert [one.kind for one in found[2:]] == ["shift"]


def test_another_key_leads_elsewhere_when_the_flow_says_so(talked: Any) -> None:
    elsewhere = {**STEPS[2], "onKeypressGoto": "bye"}
    _, found = again(talked, changed("ask", elsewhere))
    assert {one.kind for one in found} == {"missing", "shift"}  # nobody is called, and "bye" comes at once
    assert len(found) > 5


def test_a_flow_that_cannot_run_is_refused(talked: Any) -> None:
    with pytest.raises(Problem):
        replay(talked.journal, flow={"steps": [{"action": "fly"}]})


def test_no_journal_and_half_a_journal(talked: Any) -> None:
    with pytest.raises(NothingToReplay, match="does not begin with the call"):
        replay(talked.journal[1:])
    with pytest.raises(NothingToReplay, match="no leg"):
        replay(talked.journal[:1])


@pytest.mark.parametrize("length", [4, 8, 12, 16, 20])
def test_a_call_that_still_lives_is_replayed_as_far_as_it_goes(talked: Any, length: int) -> None:
    replayed = replay(talked.journal[:length])
    assert not replayed.plan.over
    kinds = [type(line.entry) for line in replayed.replayed]
    assert kinds[: len(replayed.recorded)] == [type(line.entry) for line in replayed.recorded]


def test_what_the_server_ended_is_not_replayed(talked: Any) -> None:
    last = talked.journal[9]
    told = [*talked.journal[:10], Told(11, last.at_us + 9_000_000, journal.Settled(reason=Reason.NODE_RESTARTED))]
    replayed, found = again(told)
    assert replayed.missing == ["The server was restarted while the call was up. What that ended is not replayed."]
    assert [one for one in found if one.kind != "new"] == []
