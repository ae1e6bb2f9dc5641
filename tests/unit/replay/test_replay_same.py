"""A replay on the flow that a call had: nothing is different."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from callwright.calls import journal
from callwright.calls.labels import Relabelling
from callwright.flows.schema import compile_flow
from callwright.rehearsal.outcome import Outcome
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.platform import Rehearsal
from callwright.rehearsal.web import Reply
from support.replayed import AGENT, OTHER, again, called, pause, placed, say, transfer

URL = "https://shop.example/next"
ASK = say("Press one for sales.", "ask", onKeypressVar="choice", maxNumKeys=1)
HELLO = "hello " * 12
TALK = transfer()
ANSWERS = {AGENT: Party(answer_after=2.0)}


def record(**options: Any) -> dict[str, Any]:
    return {"action": "record", "options": options}


FETCH = {"action": "fetchCallFlow", "options": {"url": URL}}
CALLS: dict[str, Any] = {
    "hears it all": lambda: called([ASK, pause(1)]),
    "hangs up within": lambda: called([ASK, pause(1)], Act(at=0.5, hangs_up=True)),
    "interrupts": lambda: called([ASK, pause(1)], Act(hears="press one", interrupts=True, after=0.5, press="1")),
    "keys without an end": lambda: called([say("A pin.", onKeypressVar="pin", endKey="#"), pause(1)], Act(at=0.1, press="12")),
    "plays": lambda: called([{"action": "play", "options": {"media": ["https://a.example/1.wav", "https://a.example/2.wav"]}}]),
    "sends keys": lambda: called([{"action": "sendKeys", "options": {"keys": "1w2,3"}}, pause(1)]),
    "talks": lambda: called([TALK, pause(1)], callees={AGENT: Party(answer_after=2.0, acts=(Act(at=5.0, hangs_up=True),))}),
    "leaves who talks": lambda: called([TALK], Act(at=7.0, hangs_up=True), callees=ANSWERS),
    "busy": lambda: called([TALK, ASK], callees={AGENT: Party(outcome="busy")}),
    "fails": lambda: called([TALK], callees={AGENT: Party(outcome="fail", sip_code=603)}),
    "nobody answers": lambda: called([transfer(ringTimeout=5), ASK], callees={AGENT: Party(outcome="no_answer")}),
    "early media": lambda: called([TALK], callees={AGENT: Party(early_media=True, acts=(Act(at=1.0, hangs_up=True),))}),
    "recorded transfer": lambda: called([transfer(record="both")], Act(at=7.0, hangs_up=True), callees=ANSWERS, record=True),
    "silence ends": lambda: called([record(timeout=2), ASK], Act(at=1.0, says="my name is Alice")),
    "a key ends": lambda: called([record(finishOnKey="#"), ASK], Act(at=2.0, press="#")),
    "its length ends": lambda: called([record(maxLength=3), ASK]),
    "recorded till the end": lambda: called([record(transcribe=True, transcribeLanguage="en-GB")], Act(at=3.0, hangs_up=True)),
    "told of": lambda: called([record(maxLength=1, onFinish=URL)], web={URL: [Reply(flow={"steps": [ASK]}, after=0.7)]}),
    "told of at last": lambda: called([record(onFinish=URL)], Act(at=2.0, hangs_up=True), web={URL: [Reply(status=204)]}),
    "fetches": lambda: called([FETCH], web={URL: [Reply(status=500), Reply(flow={"steps": [ASK]}, after=1.0)]}),
    "fetches in vain": lambda: called([FETCH], web={URL: [Reply(body="<html>")]}),
    "machine": lambda: called([transfer(ifMachine="hangup"), ASK], callees={AGENT: Party(acts=(Act(at=0.1, says=HELLO),))}),
    "machine that beeps": lambda: placed(
        [say("Your parcel is here."), pause(1)], Party(acts=(Act(at=0.2, says=HELLO), Act(at=6.5, beeps=True)))
    ),
    "a person": lambda: placed([say("Your parcel is here.")], Party(acts=(Act(at=0.4, says="Hello?"),)), tags=("vip",)),
    "nobody speaks": lambda: placed([say("Your parcel is here.")], Party()),
    "placed and refused": lambda: placed([say("Your parcel is here.")], Party(outcome="busy")),
    "hold": lambda: called(
        [TALK], Act(at=4.0, holds=True), Act(at=6.0, resumes=True), Act(at=9.0, hangs_up=True), callees=ANSWERS
    ),
    "asks for a transfer": lambda: called(
        [TALK], Act(at=4.0, transfers_to=OTHER), callees={**ANSWERS, OTHER: Party(acts=(Act(at=9.0, hangs_up=True),))}
    ),
    "tags": lambda: called([{"action": "tag", "options": {"tags": ["vip"]}}, ASK]),
    "left out": lambda: called(
        [{**ASK, "conditions": [{"variable": "choice", "operator": "==", "value": "2"}]}, pause(1)],
    ),
    "longest": lambda: called([pause(60)], maxDuration=5),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_same_flow_does_the_same(name: str) -> None:
    outcome: Outcome = CALLS[name]()
    replayed, found = again(outcome)
    assert found == []
    assert (len(replayed.recorded) > 3, replayed.missing) == (True, [])
    # not a mirror: ids are new, and the statuses of legs were found again
    assert [leg.id for leg in outcome.legs] != [
        line.entry.leg.id for line in replayed.replayed if isinstance(line.entry, journal.LegMade)
    ]


async def hang_up(rehearsal: Rehearsal, call: Any) -> None:
    await rehearsal.switch.hang_up_call(rehearsal.world.id, call)


async def hang_up_second(rehearsal: Rehearsal, call: Any) -> None:
    await rehearsal.switch.hang_up_leg(rehearsal.world.id, rehearsal.leg(call, 2))


async def replace(rehearsal: Rehearsal, call: Any) -> None:
    body = {"steps": [say("Something else."), pause(2)]}
    await rehearsal.switch.replace_flow(rehearsal.world.id, call, compile_flow(body), body)


async def add(rehearsal: Rehearsal, call: Any) -> None:
    await rehearsal.switch.add_party(rehearsal.world.id, call, OTHER, None)


async def hold(rehearsal: Rehearsal, call: Any) -> None:
    await rehearsal.switch.hold_leg(rehearsal.world.id, rehearsal.leg(call, 1), on=True)


async def unhold(rehearsal: Rehearsal, call: Any) -> None:
    await rehearsal.switch.hold_leg(rehearsal.world.id, rehearsal.leg(call, 1), on=False)


async def refer(rehearsal: Rehearsal, call: Any) -> None:
    await rehearsal.switch.refer_leg(rehearsal.world.id, call, rehearsal.leg(call, 1), OTHER)


async def label(rehearsal: Rehearsal, call: Any) -> None:
    await rehearsal.switch.label_call(rehearsal.world.id, call, Relabelling(added=("late",), metadata={"who": "me"}))


async def drain(rehearsal: Rehearsal, call: Any) -> None:
    asyncio.get_running_loop().create_task(rehearsal.switch.drain(0.0))


ASKED: dict[str, Any] = {
    "hang up": {5.0: hang_up},
    "hang up a leg": {5.0: hang_up_second},
    "another flow": {5.0: replace},
    "another party": {5.0: add, 9.0: hang_up},
    "hold": {5.0: hold, 8.0: unhold, 9.0: hang_up},
    "refer": {5.0: refer},
    "labels": {5.0: label, 6.0: hang_up},
    "shut down": {5.0: drain},
}


@pytest.mark.parametrize("name", ASKED)
def test_what_was_asked_from_outside_is_asked_again(name: str) -> None:
    _, found = again(called([transfer(), pause(2)], callees=ANSWERS, asked=ASKED[name]))
    assert found == []
