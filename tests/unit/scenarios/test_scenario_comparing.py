"""What is expected against what came: one difference for each thing, at its place, with its time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callwright.rehearsal.outcome import Delivered, Outcome
from callwright.scenarios.aligning import align
from callwright.scenarios.comparing import differences
from callwright.scenarios.document import (
    Expected,
    ExpectedFetch,
    ExpectedLeg,
    ExpectedPrompt,
    ExpectedRecording,
    ExpectedWebhook,
)
from callwright.scenarios.reading import read
from callwright.scenarios.refusal import Refusal
from callwright.scenarios.running import GoesInCircles, Result, simulate
from callwright.scenarios.spans import span

SURVEY = """
name: survey
flow:
  steps:
    - id: ask
      action: say
      options: {payload: "Press one for sales, two for service.", language: en-GB}
      onKeypressVar: choice
      maxNumKeys: 1
    - {id: wait, action: pause, options: {length: 5}, onKeypressVar: choice, maxNumKeys: 1}
    - {id: keys, action: sendKeys, options: {keys: "12"}}
    - {id: label, action: tag, options: {tags: [menu], metadata: {choice: "{{choice}}"}}}
    - {id: record, action: record, options: {timeout: 1}}
    - {id: next, action: fetchCallFlow, options: {url: https://a.example/next}}
caller:
  source: 31600000009
  acts:
    - {hears: press one, after: 1, press: 2}
    - {at: 4, says: I like it}
web:
  https://a.example/next: [{flow: {steps: [{action: hangup}]}}]
expect: {status: ended}
"""


@pytest.fixture(scope="module")
def survey() -> Result:
    (script,) = read(SURVEY.encode(), "survey.yaml", Path())
    result = simulate(script.scenario)
    assert result.met
    return result


def compared(result: Result, **expected: Any) -> list[tuple[str, str, str]]:
    """Expectations are as they are in a file."""
    wanted = msgspec.convert(expected, Expected)
    scenario = msgspec.structs.replace(result.scenario, expect=wanted)
    return [(one.where, one.expected, one.seen) for one in differences(scenario, result.outcome)]


def test_everything_may_be_expected(survey: Result) -> None:
    expected = {
        "status": "ended",
        "reason": "flow_ended",
        "duration": "5..8",
        "ends": "..8",
        "legs": [
            {"direction": "incoming", "source": "31600000009", "status": "hangup", "reason": "flow_ended", "duration": "5.."}
        ],
        "spoken": [{"contains": "press ONE", "language": "en-GB", "leg": 1, "at": "0", "outcome": "done"}],
        "steps": ["ask", "wait", "keys", "tag", "record", "fetchCallFlow", "hangup"],
        "pressed": "2",
        "keys_sent": ["12"],
        "variables": {"choice": "2", "other": ""},
        "recordings": [{"type": "ivr", "status": "done", "outcome": "silence", "heard": "I like  it", "leg": 1}],
        "fetches": [{"url": "https://a.example/next", "method": "GET", "query": {"destination": "31205550100"}, "status": 200}],
        "webhooks": ["starting", "callUpdated ongoing", {"status": "ended", "legs": ["hangup"]}],
        "tags": ["menu"],
        "metadata": {"choice": "2"},
    }
    assert set(expected) == {*Expected.__struct_fields__} - {"refused"}
    assert compared(survey, **expected) == []


@pytest.mark.parametrize(
    ("expected", "difference"),
    [
        ({"status": "busy"}, ("status", "busy", "ended")),
        ({"reason": "caller_hangup"}, ("reason", "caller_hangup", "flow_ended")),
        ({"duration": "3"}, ("duration", "3 s", "5.6 s")),
        ({"duration": "7..9"}, ("duration", "7 to 9 s", "5.6 s")),
        ({"ends": "7.."}, ("ends", "at least 7 s", "5.6 s")),
        ({"legs": []}, ("legs[1]", "nothing", "an incoming leg from 31600000009 to 31205550100, hangup")),
        ({"legs": [{"status": "hangup"}, {"destination": "31"}]}, ("legs[2]", "a leg to 31", "nothing")),
        ({"legs": [{"sip_code": 486}]}, ("legs[1].sip_code", "486", "200")),
        ({"spoken": ["Press one."]}, ("spoken[1]", '"Press one."', '"Press one for sales, two for service."')),
        ({"spoken": [{"contains": "three"}]}, ("spoken[1]", 'a text with "three"', '"Press one for sales, two for service."')),
        ({"spoken": [{"url": "u"}]}, ("spoken[1]", "the sound u", '"Press one for sales, two for service."')),
        ({"spoken": [{"outcome": "digit"}]}, ("spoken[1].outcome", "digit", "done")),
        ({"spoken": []}, ("spoken[1]", "nothing", '"Press one for sales, two for service."')),
        ({"pressed": ""}, ("pressed", "nothing", "'2'")),
        ({"pressed": "21"}, ("pressed", "'21'", "'2'")),
        ({"keys_sent": ["12", "3"]}, ("keys_sent[2]", "'3'", "nothing")),
        ({"keys_sent": []}, ("keys_sent[1]", "nothing", "'12'")),
        ({"fetches": []}, ("fetches[1]", "nothing", "GET https://a.example/next")),
        ({"fetches": [{"status": 200}, {"method": "POST"}]}, ("fetches[2]", "POST a request", "nothing")),
        ({"recordings": [{"type": "ivr"}, {}]}, ("recordings[2]", "a recording", "nothing")),
        ({"keys_sent": ["21"]}, ("keys_sent[1]", "'21'", "'12'")),
        ({"variables": {"choice": "1"}}, ("variables.choice", "'1'", "'2'")),
        ({"variables": {"other": "1"}}, ("variables.other", "'1'", "nothing")),
        ({"recordings": [{"heard": "nothing"}]}, ("recordings[1].heard", '"nothing"', '"I like it"')),
        ({"recordings": []}, ("recordings[1]", "nothing", 'a recording (ivr) of "I like it"')),
        ({"fetches": [{"query": {"source": "1"}}]}, ("fetches[1].query.source", "1", "31600000009")),
        ({"fetches": [{"fault": "nobody"}]}, ("fetches[1].fault", '"nobody"', "nothing")),
        ({"webhooks": ["starting", "ongoing"]}, ("webhooks[3]", "nothing", "callUpdated ended")),
        ({"webhooks": ["starting", "ongoing", {"legs": ["busy"]}]}, ("webhooks[3].legs", "busy", "hangup")),
        ({"steps": ["ask", "wait", "keys", "label", "record", "next"]}, ("steps[7]", "nothing", "step-1 (hangup)")),
        ({"tags": []}, ("tags", "none", "menu")),
        ({"metadata": {"queue": "x"}}, ("metadata.queue", "'x'", "nothing")),
        ({"refused": 404}, ("refused", "a refusal with 404", "a call, which is ended")),
    ],
)
def test_differences(survey: Result, expected: dict[str, Any], difference: tuple[str, str, str]) -> None:
    assert compared(survey, **expected) == [difference]


WRONG: dict[str, Any] = {"leg": 9, "status": "x", "sip_code": 404, "legs": ["x"], "query": {"callID": "x"}, "told": {"id": "x"}}
TIMED = {"at", "seconds", "duration"}
PARTS = {
    "legs": ExpectedLeg,
    "spoken": ExpectedPrompt,
    "recordings": ExpectedRecording,
    "fetches": ExpectedFetch,
    "webhooks": ExpectedWebhook,
}


@pytest.mark.parametrize(("name", "field"), [(name, field) for name, part in PARTS.items() for field in part.__struct_fields__])
def test_no_key_of_an_expectation_is_passed_over(survey: Result, name: str, field: str) -> None:
    wrong = 300 if (name, field) == ("fetches", "status") else "9999" if field in TIMED else WRONG.get(field, "x")
    part = msgspec.structs.replace(PARTS[name](), **{field: wrong})
    others = {"webhooks": [ExpectedWebhook(), ExpectedWebhook()]}.get(name, [])
    scenario = msgspec.structs.replace(survey.scenario, expect=Expected(**{name: [part, *others]}))
    assert [one.where[: len(name)] for one in differences(scenario, survey.outcome)][:1] == [name]


def test_one_thing_too_many_is_one_difference(survey: Result) -> None:
    steps = ["ask", "wait", "keys", "dance", "tag", "record", "fetchCallFlow", "hangup"]
    assert compared(survey, steps=steps) == [("steps[4]", "dance", "nothing")]
    del steps[2:4]
    assert compared(survey, steps=steps) == [("steps[3]", "nothing", "keys (sendKeys)")]


def test_differences_have_their_time(survey: Result) -> None:
    scenario = msgspec.structs.replace(survey.scenario, expect=Expected(spoken=["x"], pressed="1", status="busy"))
    found = {one.where: one.at for one in differences(scenario, survey.outcome)}
    assert found == {"spoken[1]": 0.0, "pressed": 3.46, "status": 5.6}


def test_the_tolerance_widens_numbers_and_spans(survey: Result) -> None:
    for duration, tolerance, met in (("5.5", 0.05, False), ("5.5", 0.1, True), ("5..5.5", 0.05, False), ("5..5.5", 0.1, True)):
        scenario = msgspec.structs.replace(survey.scenario, expect=Expected(duration=duration), tolerance=tolerance)
        assert (differences(scenario, survey.outcome) == []) is met
        assert differences(scenario, survey.outcome, tolerance=1.0) == []


def test_a_call_that_is_refused(survey: Result) -> None:
    refusal = Refusal(404, "The call to 31205550100 was refused with 404 Not Found.")
    (difference,) = differences(survey.scenario, refusal)
    assert difference.sentence == (
        "refused: expected a call, but there was a refusal with 404: The call to 31205550100 was refused with 404 Not Found."
    )
    for code, met in ((404, True), (503, False)):
        scenario = msgspec.structs.replace(survey.scenario, expect=Expected(refused=code))
        assert (differences(scenario, refusal) == []) is met


def test_callbacks_that_are_really_posted_are_to_be_taken(survey: Result) -> None:
    assert isinstance(survey.outcome, Outcome)
    posted = [
        Delivered(url="http://a/b", event="callCreated", sequence=1, state="delivered", attempts=1, status=200, fault=""),
        Delivered(url="http://a/b", event="callUpdated", sequence=2, state="exhausted", attempts=3, status=500, fault="no"),
    ]
    outcome = msgspec.structs.replace(survey.outcome, deliveries=posted)
    (difference,) = differences(survey.scenario, outcome)
    assert difference.sentence == ("deliveries[2]: expected callUpdated, delivered to http://a/b, but there was exhausted: no.")


def test_what_the_script_wanted_and_what_never_came_is_noted() -> None:
    text = """
    name: x
    flow: {steps: [{action: pause, options: {length: 2}}, {action: fetchCallFlow, options: {url: https://b.example}}]}
    caller: {acts: [{hears: press one, press: 1}]}
    wishes: [{at: 1, holds: true}, {at: 100, hangs_up: true}]
    expect: {status: busy}
    """
    (script,) = read(text.encode(), "a.yaml", Path())
    assert simulate(script.scenario).notes == (
        'Leg 1 waits for the end of "press one", which it never heard: it did not press 1.',
        "What was asked at 1 s (hold) was refused: The leg talks to nobody; its flow has it.",
        "What was to be asked at 100 s (hang up) never was: the call was over.",
    )


def test_a_call_that_goes_in_circles_is_ended_and_no_outcome() -> None:
    text = """
    name: x
    flow: {steps: [{action: transfer, options: {destination: "31612345678"}}]}
    callees: {31612345678: {acts: [{at: 1, transfers_to: "31612345678"}]}}
    expect: {status: ended}
    """
    (script,) = read(text.encode(), "a.yaml", Path())
    with pytest.raises(GoesInCircles, match=r"more than 100 legs after .* s: parties transfer in circles"):
        simulate(script.scenario)


@given(st.lists(st.integers(0, 4), max_size=8), st.lists(st.integers(0, 4), max_size=8))
def test_lists_are_aligned(expected: list[int], seen: list[int]) -> None:
    pairs = list(align(expected, seen, lambda one, other: one == other))
    assert [i for i, _ in pairs if i is not None] == list(range(len(expected)))
    assert [j for _, j in pairs if j is not None] == list(range(len(seen)))
    assert all(i is not None or j is not None for i, j in pairs)
    if expected == seen:
        assert pairs == [(n, n) for n in range(len(seen))]


def test_long_lists_are_aligned_place_by_place() -> None:
    expected, seen = list(range(2_000)), [-1, *range(2_000)]
    assert len(list(align(expected, seen, lambda one, other: one == other))) == 2_001


@pytest.mark.parametrize(("text", "low", "high"), [("12", 12, 12), ("10..14", 10, 14), (" 10 .. ", 10, float("inf"))])
def test_spans(text: str, low: float, high: float) -> None:
    assert span(text)[:2] == (low, high)


@pytest.mark.parametrize("text", ["..", "14..10", "x"])
def test_no_spans(text: str) -> None:
    with pytest.raises(ValueError):
        span(text)
