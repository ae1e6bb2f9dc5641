"""Flows that come while a call is up: fetched, told after a recording, put in place of the one that runs."""

from __future__ import annotations

from typing import Any

import pytest

from callwright.flows.effects import (
    Answer,
    Answered,
    Begin,
    Cancel,
    Dial,
    DropPeer,
    Effect,
    Enter,
    Expired,
    Fetch,
    FetchFailed,
    Finish,
    FlowFetched,
    Input,
    Judged,
    Key,
    KeysSent,
    Leave,
    PeerAnswered,
    PlayEnded,
    PostRecording,
    RecordCall,
    Recorded,
    Replace,
    Say,
    Start,
    StopPlay,
    StopRecord,
    Timer,
    Verdict,
)
from callwright.flows.schema import Flow, compile_flow
from callwright.flows.settings import FlowSettings
from callwright.reasons import Reason
from support.flow_driver import RECORDING, Driver, told

URL = "https://flows.test/first"
FETCH = {"id": "f", "action": "fetchCallFlow", "options": {"url": URL}}
PAUSE = {"id": "w", "action": "pause", "options": {"length": 2}}
PLAY = {"id": "p", "action": "play", "options": {"media": "file:a.wav"}}
ASK = {"id": "a", "action": "play", "options": {"media": "file:a.wav"}, "onKeypressVar": "x"}
TRANSFER = {"id": "t", "action": "transfer", "options": {"destination": "31205550199"}}
RECORD = {"id": "r", "action": "record", "options": {"onFinish": "/done"}}
HANGUP = {"id": "h", "action": "hangup"}
TO_PAUSE = Start(Timer.PAUSE, 2.0)
ENDED = Finish(Reason.FLOW_ENDED)
HUNG_UP = Finish(Reason.FLOW_ENDED, everybody=True)
GONE = Finish(Reason.FLOW_UNAVAILABLE, "HTTP 500")


def flow(*steps: dict[str, Any], **head: Any) -> Flow:
    return compile_flow({"steps": list(steps), **head})


def test_a_fetched_flow_takes_the_place_of_the_one_that_asked() -> None:
    """Nobody is answered for it, variables go with it, and what followed is forgotten."""
    inputs = [Begin(False), FlowFetched(flow(TRANSFER), "https://flows.test/b")]
    assert told([FETCH, PLAY], inputs) == [
        Enter("f", "fetchCallFlow"),
        Fetch(URL, {}),
        Leave("f", "fetched"),
        Enter("t", "transfer"),
        Dial("31205550199", False, None),
    ]


def test_variables_and_the_place_a_flow_came_from_go_with_a_fetch() -> None:
    again = {**FETCH, "options": {"url": "https://other.test/"}}
    got = told([ASK, FETCH], [Begin(True), Key("1"), FlowFetched(flow(again), "https://flows.test/b")])
    assert [effect for effect in got if isinstance(effect, Fetch)] == [
        Fetch(URL, {"x": "1"}),
        Fetch("https://other.test/", {"x": "1"}, "https://flows.test/b"),
    ]


def test_a_fetched_flow_may_have_the_call_recorded_and_bounds_of_its_own() -> None:
    driver = Driver(flow(PLAY, FETCH, record=True))
    for happened in (Begin(False), Answered(), PlayEnded()):
        driver.feed(happened)
    assert RecordCall() not in driver.feed(FlowFetched(flow(PLAY, record=True, maxDuration=60), URL))
    assert driver.state.flow.max_duration == 60

    assert told([PLAY, FETCH], [Begin(True), PlayEnded(), FlowFetched(flow(PAUSE, record=True), URL)])[-4:] == [
        Leave("f", "fetched"),
        RecordCall(),
        Enter("w", "pause"),
        TO_PAUSE,
    ]


def test_a_flow_that_cannot_be_had_ends_the_call() -> None:
    assert told([FETCH, PLAY], [Begin(False), FetchFailed("HTTP 500")])[2:] == [Leave("f", "failed", "HTTP 500"), GONE]


@pytest.mark.parametrize(
    ("fallback", "inputs", "last"),
    [
        ([PAUSE], [Answered(), Expired(Timer.PAUSE)], GONE),
        ([HANGUP], [], GONE),
        # a fallback that fetches in vain is none, and one that does not recovers
        ([FETCH], [FetchFailed("HTTP 404", flow(PAUSE))], Finish(Reason.FLOW_UNAVAILABLE, "HTTP 404")),
        ([FETCH], [FlowFetched(flow(HANGUP), URL)], HUNG_UP),
        # nor is one that cannot be heard the fault that ends the call
        ([PLAY], [Answered(), PlayEnded("HTTP 404")], GONE),
    ],
)
def test_a_fallback_is_heard_first(fallback: list[dict[str, Any]], inputs: list[Input], last: Effect) -> None:
    answers = FlowSettings(fallback_answers=True)
    got = told([FETCH], [Begin(False), FetchFailed("HTTP 500", flow(*fallback)), *inputs], answers)
    assert got[2:4] == [Leave("f", "failed", "HTTP 500"), Enter(fallback[0]["id"], fallback[0]["action"])]
    assert got[-1] == last


def test_a_fallback_is_for_those_who_are_on_the_line() -> None:
    """Whoever was not answered is refused; a call we placed was answered by whom it was placed to."""
    failed = FetchFailed("HTTP 500", flow(PAUSE))
    assert told([FETCH], [Begin(False), failed])[2:] == [Leave("f", "failed", "HTTP 500"), GONE]
    for steps, inputs in (([PAUSE, FETCH], [Begin(False), Answered(), Expired(Timer.PAUSE)]), ([FETCH], [Begin(True)])):
        assert told(steps, [*inputs, failed])[-2:] == [Enter("w", "pause"), TO_PAUSE]


def test_a_call_that_only_fetches_is_let_go() -> None:
    driver = Driver(flow(FETCH), FlowSettings(fetches=5))
    driver.feed(Begin(False))
    for _ in range(4):
        driver.feed(FlowFetched(flow(FETCH), URL))
    assert driver.feed(FlowFetched(flow(FETCH), URL)) == (
        Leave("f", "fetched"),
        Enter("f", "fetchCallFlow"),
        Finish(Reason.FLOW_LOOP, "more than 5 flows were fetched"),
    )


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        (FlowFetched(flow(PAUSE), URL), [Enter("w", "pause"), TO_PAUSE]),
        (FetchFailed("HTTP 500"), [GONE]),
        (FetchFailed("HTTP 500", flow(HANGUP)), [Enter("h", "hangup"), GONE]),
    ],
)
@pytest.mark.parametrize("fault", ["", "disk full"])
def test_whoever_is_told_of_a_recording_says_what_follows(fault: str, answer: Input, after: list[Effect]) -> None:
    """Also of one that failed."""
    left = Leave("r", "failed", fault) if fault else Leave("r", "recorded", "silence")
    got = told([RECORD, PLAY], [Begin(True), Recorded(RECORDING, "silence", fault), answer])
    assert got[2:] == [left, PostRecording("/done", RECORDING, {}), *after]


MACHINES = {"id": "s", "action": "say", "options": {"payload": "Hello."}}
SEND = {"id": "k", "action": "sendKeys", "options": {"keys": "1"}}
PIN = {**ASK, "maxNumKeys": 4}


@pytest.mark.parametrize(
    ("step", "inputs", "stopped"),
    [
        (PLAY, [], [StopPlay()]),
        (PAUSE, [], [Cancel(Timer.PAUSE)]),
        (RECORD, [], [StopRecord()]),
        (SEND, [], []),
        (FETCH, [], []),
        (MACHINES, [], []),
        (TRANSFER, [], [DropPeer(Reason.FLOW_REPLACED)]),
        (TRANSFER, [PeerAnswered()], [DropPeer(Reason.FLOW_REPLACED)]),
        (
            {**TRANSFER, "options": {"destination": "1", "ifMachine": "delay"}},
            [PeerAnswered()],
            [DropPeer(Reason.FLOW_REPLACED)],
        ),
        (PIN, [Key("1")], [Cancel(Timer.KEYS)]),
        ({**TRANSFER, "maxNumKeys": 2}, [Key("1")], [DropPeer(Reason.FLOW_REPLACED), Cancel(Timer.KEYS)]),
    ],
)
def test_a_flow_that_is_replaced_leaves_nothing_running(
    step: dict[str, Any], inputs: list[Input], stopped: list[Effect]
) -> None:
    driver = Driver(flow(step))
    for happened in (Begin(True), *inputs):
        driver.feed(happened)
    assert list(driver.feed(Replace(flow({**PAUSE, "id": "new"})))) == [
        *stopped,
        Leave(step["id"], "replaced"),
        Enter("new", "pause"),
        TO_PAUSE,
    ]
    # what was on its way means nothing any more
    for late in (PlayEnded(), KeysSent(), Recorded(RECORDING, "key"), FlowFetched(flow(HANGUP), URL), FetchFailed("")):
        assert driver.feed(late) == ()


def test_a_flow_is_replaced_while_its_recording_is_being_told_of() -> None:
    driver = Driver(flow(RECORD))
    for happened in (Begin(True), Recorded(RECORDING, "key")):
        driver.feed(happened)
    assert driver.feed(Replace(flow(PAUSE))) == (Enter("w", "pause"), TO_PAUSE)


def test_an_answer_that_is_on_its_way_serves_the_next_flow() -> None:
    got = told([PLAY], [Begin(False), Replace(flow(PAUSE)), Answered()])
    assert got == [Enter("p", "play"), Answer(), Leave("p", "replaced"), Enter("w", "pause"), TO_PAUSE]


def test_a_flow_that_has_not_begun_is_replaced_without_a_word() -> None:
    assert told([PLAY], [Replace(flow(HANGUP)), Begin(False)]) == [Enter("h", "hangup"), HUNG_UP]


def test_variables_and_the_verdict_outlive_a_flow() -> None:
    driver = Driver(flow(MACHINES, ASK, PAUSE))
    for happened in (Begin(True), Judged(Verdict.MACHINE), PlayEnded(), Key("7")):
        driver.feed(happened)
    met = {"conditions": [{"variable": "x", "operator": "==", "value": "7"}]}
    hang_up = {**MACHINES, "options": {"payload": "Hello.", "ifMachine": "hangup"}, **met}
    assert driver.feed(Replace(flow(hang_up)))[-3:] == (
        Enter("s", "say"),
        Leave("s", "machine"),
        Finish(Reason.MACHINE),
    )


def test_a_call_that_outlives_its_flow_takes_another() -> None:
    """Those who were added may talk on; what is known of the caller holds."""
    driver = Driver(flow(ASK))
    for happened in (Begin(False), Answered(), Key("7")):
        driver.feed(happened)
    assert driver.over
    assert driver.feed(Key("1")) == ()
    driver.over = False
    met = {"conditions": [{"variable": "x", "operator": "==", "value": "7"}]}
    assert driver.feed(Replace(flow({**MACHINES, **met}))) == (Enter("s", "say"), Say("Hello.", "en-GB", "female"))
