"""Recorded calls as scenarios: each passes as it was written, and does what the call did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from callwright.calls import journal
from callwright.calls.model import CallStatus, LegStatus
from callwright.calls.rows import Told
from callwright.reasons import Reason
from callwright.rehearsal.outcome import Outcome
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.web import Reply
from callwright.replay import exporting
from callwright.replay.scenario_file import NotExportable, document_of
from callwright.scenarios import reading, running
from callwright.settings import Settings
from callwright.settings.steps import FlowsSection
from callwright.settings.telephony import CallsSection
from support.replayed import AGENT, called, pause, placed, say, transfer

URL = "https://shop.example/next"
ASK = say("Press one for sales.", "ask", onKeypressVar="choice", maxNumKeys=1)
PIN = say("Your pin, please.", "pin", onKeypressVar="pin", endKey="#")
LEAVES = Party(answer_after=2.0, acts=(Act(at=5.0, hangs_up=True),))
GREETING = Act(at=0.1, says="hello " * 12)
CALLS: dict[str, Any] = {
    "a key": lambda: called([ASK, pause(1)], Act(hears="press one", interrupts=True, after=0.5, press="1")),
    "several keys": lambda: called([PIN, pause(1)], Act(hears="pin", interrupts=True, after=0.5, press="123#")),
    "hangs up": lambda: called([ASK, pause(9)], Act(hears="press one", after=2.0, hangs_up=True)),
    "talks": lambda: called([transfer(), ASK], callees={AGENT: LEAVES}),
    "busy": lambda: called([transfer(), ASK], callees={AGENT: Party(outcome="busy")}),
    "silent": lambda: called([transfer(), ASK], callees={AGENT: Party(outcome="no_response")}),
    "refused": lambda: called([transfer(), ASK], callees={AGENT: Party(outcome="fail", sip_code=404)}),
    "machine": lambda: called([transfer(ifMachine="hangup"), ASK], callees={AGENT: Party(acts=(GREETING,))}),
    "placed": lambda: placed([say("Your parcel."), pause(1)], Party(acts=(Act(at=0.4, says="Hello?"),)), tags=("vip",)),
    "recorded": lambda: called([{"action": "record", "options": {"timeout": 2}}, ASK], Act(at=1.0, says="my name is Alice")),
    "fetched": lambda: called(
        [{"action": "fetchCallFlow", "options": {"url": URL}}], web={URL: [Reply(flow={"steps": [ASK]}, after=1.0)]}
    ),
    "fetched in vain": lambda: called([{"action": "fetchCallFlow", "options": {"url": URL}}], web={URL: [Reply(status=503)]}),
    "holds": lambda: called([transfer()], Act(at=3.0, holds=True), Act(at=4.0, resumes=True), callees={AGENT: LEAVES}),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_exported_call_passes_and_does_what_it_did(name: str) -> None:
    outcome = CALLS[name]()
    scenario = exporting.scenario_of(outcome.journal, Settings())
    (script,) = reading.read(document_of(scenario).encode(), "call.yaml", Path())
    result = running.simulate(script.scenario)
    assert result.differences == []
    assert exporting.goes_otherwise(scenario, Settings()) == ""
    expected = scenario.expect
    assert expected.variables or outcome.variables == {}
    assert [one.outcome for one in expected.recordings or ()] == [one.outcome for one in outcome.recordings]
    assert expected.pressed == "".join(one.key for one in outcome.pressed)


def test_a_call_whose_flow_was_never_begun_needs_one() -> None:
    outcome = placed([pause(1)], Party(outcome="busy"))
    with pytest.raises(NotExportable, match="give one with --flow"):
        exporting.scenario_of(outcome.journal, Settings())
    scenario = exporting.scenario_of(outcome.journal, Settings(), {"steps": [pause(1)]})
    assert scenario.expect.status == "busy"


def test_a_transfer_that_no_route_led_to_cannot_be_met() -> None:
    outcome = called([transfer(), ASK], callees={AGENT: Party(outcome="busy")})
    told = []
    for line in outcome.journal:
        match line.entry:
            case journal.LegLast(cause="busy"):
                continue
            case journal.LegMoved(status=LegStatus.BUSY):
                line = line._replace(entry=replace(line.entry, status=LegStatus.FAILED, reason=Reason.NO_ROUTE))
        told.append(line)
    with pytest.raises(NotExportable, match=f"No route led to {AGENT}"):
        exporting.scenario_of(told, Settings())


def test_a_key_is_bound_to_what_was_heard_and_not_to_what_it_led_to() -> None:
    outcome = called([ASK, say("Thank you.", "thanks")], Act(hears="press one", interrupts=True, after=0.5, press="1"))
    caller = exporting.scenario_of(outcome.journal, Settings()).caller
    assert caller is not None
    assert [(act.hears, act.press) for act in caller.acts] == [("Press one for sales.", "1")]


def test_settings_that_a_call_hangs_on_are_in_its_scenario() -> None:
    outcome = called([transfer()], callees={AGENT: Party(outcome="no_answer")})
    settings = Settings(flows=FlowsSection(language="nl-NL"), calls=CallsSection(ring_timeout=9.0))
    scenario = exporting.scenario_of(outcome.journal, settings)
    assert scenario.settings == {"calls": {"ring_timeout": 60.0}, "flows": {"language": "nl-NL"}}, "it rang for so long then"
    assert exporting.scenario_of(outcome.journal, Settings()).settings == {}


def test_a_key_of_somebody_who_is_still_listened_to_is_bound_to_nothing() -> None:
    asks = say("Press one.", "ask", onKeypressVar="choice")
    outcome = placed([asks, say("Good bye.")], Party(acts=(GREETING, Act(at=1.0, press="1"))))
    scenario = exporting.scenario_of(outcome.journal, Settings())
    assert exporting.goes_otherwise(scenario, Settings()) == ""
    assert (scenario.expect.variables, scenario.expect.spoken) == ({"choice": "1"}, ["Good bye."])


def waiting(*rest: dict[str, Any]) -> list[dict[str, Any]]:
    return [say("Press one.", "ask", onKeypressVar="c"), {**pause(4, "wait"), "onKeypressVar": "c"}, *rest]


SALES = say("Sales.", "sales", conditions=[{"variable": "c", "operator": "==", "value": "1"}])


@pytest.mark.parametrize("rest", [(SALES, say("Bye.", "bye")), (say("Bye.", "bye"),)], ids=("four steps", "three"))
def test_a_key_of_a_pause_is_bound_to_what_was_heard_before_it(rest: tuple[dict[str, Any], ...]) -> None:
    outcome = called(waiting(*rest), Act(hears="press one", after=1.0, press="1"))
    scenario = exporting.scenario_of(outcome.journal, Settings())
    assert scenario.caller is not None
    assert scenario.caller.acts == (Act(hears="Press one.", after=1.0, press="1"),)
    expected = scenario.expect
    assert (expected.pressed, expected.variables) == ("1", {"c": "1"})
    assert expected.steps == ["ask", "wait", *(step["id"] for step in rest)]
    assert exporting.goes_otherwise(scenario, Settings()) == ""


def test_what_is_expected_is_on_record_even_where_simulation_goes_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = called(waiting(SALES, say("Bye.", "bye")), Act(hears="press one", after=1.0, press="1"))
    wrong = {"hears": "Sales.", "interrupts": True}
    monkeypatch.setattr(exporting._Writer, "_when", lambda *_: wrong)
    scenario = exporting.scenario_of(outcome.journal, Settings())
    expected = scenario.expect
    assert (expected.pressed, expected.steps, expected.variables) == ("1", ["ask", "wait", "sales", "bye"], {"c": "1"})
    assert expected.spoken == ["Press one.", "Sales.", "Bye."]
    assert running.simulate(scenario).differences != []
    told = exporting.goes_otherwise(scenario, Settings())
    assert told.startswith('In simulation the call goes otherwise than it went. Spoken[2]: expected "Sales.", but there was ')
    assert " more. The scenario expects what is on record, and fails until " in told


def broken_off(outcome: Outcome, place: int) -> list[Told]:
    """The journal of a call that was killed with its server after so many lines."""
    kept = outcome.journal[:place]
    at_us, leg = kept[-1].at_us, outcome.legs[0].id
    reason = Reason.NODE_RESTARTED
    ends: list[journal.AnyEntry] = [
        journal.LegMoved(leg=leg, status=LegStatus.FAILED, reason=reason),
        journal.CallMoved(status=CallStatus.FAILED),
        journal.Settled(reason=reason),
    ]
    return [*kept, *(Told(place + n, at_us, entry) for n, entry in enumerate(ends, 1))]


@pytest.mark.parametrize("step", ["ask", "wait", "sales"])
def test_of_a_call_that_was_killed_with_the_server_no_more_is_expected_than_was(step: str) -> None:
    outcome = called(waiting(SALES, say("Bye.", "bye")), Act(hears="press one", after=1.0, press="1"))
    entries = [line.entry for line in outcome.journal]
    begun = next(n for n, one in enumerate(entries) if isinstance(one, journal.StepStarted) and one.step == step)
    answered = next(n for n, one in enumerate(entries) if isinstance(one, journal.CallMoved))
    scenario = exporting.scenario_of(broken_off(outcome, max(begun, answered) + 1), Settings())
    expected = scenario.expect
    steps = ["ask", "wait", "sales"]
    assert expected.steps == steps[: steps.index(step) + 1]
    assert (expected.status, expected.reason, expected.webhooks) == (None, None, None)
    assert expected.legs is not None
    assert [(leg.status, leg.reason) for leg in expected.legs] == [(None, None)]
    assert "Its record breaks off" in scenario.description
    assert exporting.goes_otherwise(scenario, Settings()) == ""
    (script,) = reading.read(document_of(scenario).encode(), "call.yaml", Path())
    assert running.simulate(script.scenario).differences == []
