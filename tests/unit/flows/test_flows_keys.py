"""Keys: what they stop, how they are collected, and where they lead."""

from __future__ import annotations

from typing import Any

import pytest

from callwright.flows import interpreter
from callwright.flows.effects import (
    Answered,
    Begin,
    Cancel,
    Connect,
    DropPeer,
    Effect,
    Enter,
    Expired,
    Finish,
    Input,
    Judged,
    Key,
    KeysSent,
    Leave,
    PeerAnswered,
    PeerFailed,
    PeerGone,
    PlayEnded,
    PostRecording,
    Recorded,
    Replace,
    Skip,
    Start,
    StopPlay,
    StopRecord,
    Store,
    Timer,
    Verdict,
)
from callwright.flows.schema import compile_flow
from callwright.flows.settings import FlowSettings
from callwright.reasons import Reason
from support.flow_driver import RECORDING, Driver, told

OPTIONS: dict[str, dict[str, Any]] = {
    "say": {"payload": "Press a key.", "ifMachine": "continue"},
    "play": {"media": "file:a.wav"},
    "pause": {"length": 2},
    "record": {},
    "transfer": {"destination": "31205550199"},
    "sendKeys": {"keys": "1"},
}
NEXT = {"id": "next", "action": "hangup"}
GOAL = {"id": "goal", "action": "hangup"}
WAIT = Start(Timer.KEYS, 5.0)
LATE = Expired(Timer.KEYS)
ENDED = Finish(Reason.FLOW_ENDED)
HUNG_UP = Finish(Reason.FLOW_ENDED, everybody=True)
ON = [Enter("next", "hangup"), HUNG_UP]
THERE = [Enter("goal", "hangup"), HUNG_UP]


def pressed(keys: str) -> list[Input]:
    return [Key(key) for key in keys]


def after(step: dict[str, Any], *inputs: Input, settings: FlowSettings | None = None) -> list[Effect]:
    """What follows the beginning of a step, on a call we placed."""
    one = {"id": "a", "options": OPTIONS[step["action"]], **step}
    return told([one, NEXT, GOAL], [Begin(True), *inputs], settings)[2:]


@pytest.mark.parametrize(
    ("step", "inputs", "effects"),
    [
        # one key is enough unless the step says otherwise; the first stops what is heard
        (
            {"action": "play", "onKeypressVar": "x"},
            pressed("1"),
            [StopPlay(), Store("x", "1"), Leave("a", "keys"), *ON],
        ),
        ({"action": "say", "onKeypressGoto": "goal"}, pressed("d"), [StopPlay(), Leave("a", "keys"), *THERE]),
        # without a key the flow simply goes on
        ({"action": "play", "onKeypressVar": "x", "onKeypressGoto": "goal"}, [PlayEnded()], [Leave("a", "played"), *ON]),
        # so many
        (
            {"action": "play", "onKeypressVar": "x", "maxNumKeys": 3},
            pressed("1*3"),
            [StopPlay(), WAIT, WAIT, Cancel(Timer.KEYS), Store("x", "1*3"), Leave("a", "keys"), *ON],
        ),
        # until the end key, which is not kept; keys are the same in any case
        (
            {"action": "play", "onKeypressVar": "x", "endKey": "d"},
            pressed("12aD"),
            [StopPlay(), WAIT, WAIT, WAIT, Cancel(Timer.KEYS), Store("x", "12A"), Leave("a", "keys"), *ON],
        ),
        # the end key alone: nothing was keyed in, and that is an answer too
        (
            {"action": "play", "onKeypressVar": "x", "endKey": "#", "onKeypressGoto": "goal"},
            pressed("#"),
            [StopPlay(), Store("x", ""), Leave("a", "keys"), *THERE],
        ),
        # whichever comes first
        (
            {"action": "play", "onKeypressVar": "x", "endKey": "#", "maxNumKeys": 2},
            pressed("12"),
            [StopPlay(), WAIT, Cancel(Timer.KEYS), Store("x", "12"), Leave("a", "keys"), *ON],
        ),
        # or until none follows
        (
            {"action": "play", "onKeypressVar": "x", "endKey": "#"},
            [*pressed("12"), LATE],
            [StopPlay(), WAIT, WAIT, Store("x", "12"), Leave("a", "keys"), *ON],
        ),
        # what is no key is none
        ({"action": "play", "onKeypressVar": "x"}, pressed("e "), []),
        # a pause is over with the first key
        (
            {"action": "pause", "onKeypressVar": "x", "maxNumKeys": 2},
            pressed("12"),
            [Cancel(Timer.PAUSE), WAIT, Cancel(Timer.KEYS), Store("x", "12"), Leave("a", "keys"), *ON],
        ),
        # keys that are sent are sent in full
        (
            {"action": "sendKeys", "onKeypressVar": "x", "onKeypressGoto": "goal"},
            [*pressed("12"), KeysSent()],
            [Store("x", "1"), Leave("a", "sent"), *THERE],
        ),
        # the end of the step's own work waits for keys that are being collected
        (
            {"action": "sendKeys", "onKeypressVar": "x", "endKey": "#", "onKeypressGoto": "goal"},
            [*pressed("1"), KeysSent(), *pressed("2"), LATE],
            [WAIT, WAIT, Store("x", "12"), Leave("a", "keys"), *THERE],
        ),
        # a conversation is left when all keys are there
        (
            {"action": "transfer", "endKey": "#", "onKeypressGoto": "goal"},
            [PeerAnswered(), *pressed("*#")],
            [Connect(), WAIT, Cancel(Timer.KEYS), DropPeer(Reason.LEFT_BY_KEY), Leave("a", "keys"), *THERE],
        ),
        # so is waiting for one
        (
            {"action": "transfer", "onKeypressVar": "x"},
            pressed("0"),
            [Store("x", "0"), DropPeer(Reason.LEFT_BY_KEY), Leave("a", "keys"), *ON],
        ),
        (
            {"action": "transfer", "onKeypressVar": "x", "maxNumKeys": 2},
            [*pressed("0"), PeerFailed(Reason.BUSY), *pressed("1")],
            [WAIT, Cancel(Timer.KEYS), Store("x", "01"), Leave("a", "keys"), *ON],
        ),
        (
            {"action": "transfer", "onKeypressVar": "x", "maxNumKeys": 2},
            [PeerAnswered(), *pressed("0"), PeerGone(), LATE],
            [Connect(), WAIT, Store("x", "0"), Leave("a", "keys"), *ON],
        ),
    ],
)
def test_stories(step: dict[str, Any], inputs: list[Input], effects: list[Effect]) -> None:
    assert after(step, *inputs) == effects


DONE = Recorded(RECORDING, "key")
URL = "https://flows.test/done"


@pytest.mark.parametrize(
    ("step", "inputs", "effects"),
    [
        # a key that is not the recording's own ends it as any step
        (
            {"onKeypressVar": "x", "options": {"finishOnKey": "#"}},
            pressed("1"),
            [Store("x", "1"), StopRecord(), Leave("a", "keys"), *ON],
        ),
        # one that is has ended it already
        (
            {"onKeypressVar": "x", "onKeypressGoto": "goal", "options": {"finishOnKey": "any"}},
            [*pressed("1"), DONE],
            [Store("x", "1"), Leave("a", "recorded", "key"), *THERE],
        ),
        # its end waits for keys that are being collected
        (
            {"onKeypressVar": "x", "maxNumKeys": 2, "options": {"finishOnKey": "any"}},
            [*pressed("1"), DONE, *pressed("2")],
            [WAIT, Cancel(Timer.KEYS), Store("x", "12"), Leave("a", "keys"), *ON],
        ),
        # whoever is told of a recording decides what follows it
        (
            {"onKeypressVar": "x", "onKeypressGoto": "goal", "options": {"finishOnKey": "#", "onFinish": URL}},
            [*pressed("#"), DONE],
            [Store("x", "#"), Leave("a", "recorded", "key"), PostRecording(URL, RECORDING, {"x": "#"})],
        ),
        (
            {"onKeypressVar": "x", "endKey": "#", "options": {"finishOnKey": "any", "onFinish": URL}},
            [*pressed("1"), DONE, LATE],
            [WAIT, Store("x", "1"), Leave("a", "recorded", "key"), PostRecording(URL, RECORDING, {"x": "1"})],
        ),
        # but not of one that was left for another step
        (
            {"onKeypressVar": "x", "onKeypressGoto": "goal", "options": {"finishOnKey": "#", "onFinish": URL}},
            pressed("0"),
            [Store("x", "0"), StopRecord(), Leave("a", "keys"), *THERE],
        ),
        # where keys lead nowhere else, they do not disturb it
        (
            {"onKeypressVar": "x", "options": {"onFinish": URL}},
            [*pressed("00"), DONE],
            [Store("x", "0"), Leave("a", "recorded", "key"), PostRecording(URL, RECORDING, {"x": "0"})],
        ),
    ],
)
def test_keys_while_recording(step: dict[str, Any], inputs: list[Input], effects: list[Effect]) -> None:
    assert after({"action": "record", **step}, *inputs) == effects


def test_where_keys_lead_conditions_count() -> None:
    sales = {**GOAL, "conditions": [{"variable": "x", "operator": "==", "value": "2"}]}
    menu = {"id": "a", "action": "play", "options": OPTIONS["play"], "onKeypressVar": "x", "onKeypressGoto": "goal"}
    last = {"id": "last", "action": "hangup"}
    for key, ways in (("2", THERE), ("1", [Skip("goal", "x == 2"), Enter("last", "hangup"), HUNG_UP])):
        assert told([menu, NEXT, sales, last], [Begin(True), Key(key)])[5:] == ways


def test_a_caller_who_is_not_answered_presses_nothing() -> None:
    step = {"id": "a", "action": "transfer", "options": OPTIONS["transfer"], "onKeypressVar": "x"}
    flow = compile_flow({"steps": [step]})
    state = interpreter.State(flow)
    for happened in (Begin(False), Key("1")):
        state, effects = interpreter.step(state, happened)
    assert effects == ()


def test_whoever_presses_a_key_is_no_machine() -> None:
    steps = [
        {"id": "a", "action": "say", "options": {"payload": "One?", "ifMachine": "hangup"}, "onKeypressVar": "x"},
        {"id": "b", "action": "say", "options": {"payload": "Two.", "ifMachine": "hangup"}},
    ]
    driver = Driver(compile_flow({"steps": steps}))
    for happened in (Begin(True), Key("1"), Judged(Verdict.MACHINE)):
        driver.feed(happened)
    assert driver.state.verdict is Verdict.HUMAN
    assert driver.playing


def test_the_time_between_keys_is_the_operators() -> None:
    step = {"action": "play", "onKeypressVar": "x", "maxNumKeys": 2}
    assert after(step, Key("1"), settings=FlowSettings(key_timeout=2.5)) == [StopPlay(), Start(Timer.KEYS, 2.5)]


def test_ten_thousand_keys_are_sixty_four() -> None:
    step = {"action": "play", "onKeypressVar": "x", "endKey": "#"}
    effects = after(step, *pressed("1" * 10_000))
    assert [effect for effect in effects if isinstance(effect, Store)] == [Store("x", "1" * 64)]


def test_ten_thousand_variables_are_two_hundred_and_fifty_six() -> None:
    driver = Driver(compile_flow({"steps": [{"action": "pause", "options": {"length": 1}}]}))
    driver.feed(Begin(False))
    driver.feed(Answered())
    stored: list[Effect] = []
    for number in range(1_000):
        step = {"action": "pause", "options": {"length": 1}, "onKeypressVar": f"x{number}", "onKeypressGoto": "again"}
        again = {"id": "again", "action": "pause", "options": {"length": 1}}
        driver.feed(Replace(compile_flow({"steps": [step, again]})))
        stored += [effect for effect in driver.feed(Key("1")) if isinstance(effect, Store)]
    assert len(stored) == len(driver.state.variables) == 256


def test_a_caller_who_presses_without_end_is_let_go() -> None:
    menu = {"id": "a", "action": "pause", "options": {"length": 1}, "onKeypressGoto": "a"}
    driver = Driver(compile_flow({"steps": [menu]}))
    driver.feed(Begin(True))
    for _ in range(9_999):
        driver.feed(Key("1"))
    assert driver.feed(Key("1"))[-1] == Finish(Reason.FLOW_LOOP, "more than 10000 steps were taken")
