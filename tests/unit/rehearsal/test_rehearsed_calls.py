"""Calls of a rehearsal: what parties do upon what they hear, and what the outcome tells."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from callwright.calls.model import CallStatus
from callwright.clock import VirtualLoop
from callwright.errors import NotFound
from callwright.reasons import Reason
from callwright.rehearsal.outcome import Outcome
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.platform import Rehearsal, rehearse
from callwright.rehearsal.web import Reply
from callwright.settings import Settings
from callwright.settings.http import CompatibilitySection
from callwright.simulator.talk import spoken_s

NUMBER, CALLER, AGENT = "31205550100", "31600000001", "31612345678"
ASK: dict[str, Any] = {
    "id": "ask",
    "action": "say",
    "options": {"payload": "Press one for sales.", "language": "en-GB", "voice": "female"},
    "onKeypressVar": "choice",
    "maxNumKeys": 1,
}


def called(
    steps: list[dict[str, Any]],
    *acts: Act,
    replies: dict[str, list[Reply]] | None = None,
    settings: Settings | None = None,
    **callees: Party,
) -> Outcome:
    """A call to a number with a flow, to its end."""

    async def story(rehearsal: Rehearsal) -> Outcome:
        await rehearsal.own(NUMBER, {"steps": steps})
        for number, party in callees.items():
            rehearsal.network.expect(number.removeprefix("n"), party)
        for url, given in (replies or {}).items():
            rehearsal.web.script(url, given)
        return await rehearsal.over(await rehearsal.dial(NUMBER, CALLER, Party(acts=acts)))

    return rehearse(story, settings)


def test_a_caller_presses_a_key_once_it_has_heard_the_question() -> None:
    outcome = called([ASK, {"action": "pause", "options": {"length": 1}}], Act(hears="for SALES", after=2.0, press="1"))
    (spoken,) = outcome.spoken
    assert (spoken.text, spoken.leg, spoken.at, spoken.outcome) == ("Press one for sales.", 1, 0.0, "done")
    assert spoken.seconds == spoken_s("Press one for sales.")
    assert [(one.key, one.leg) for one in outcome.pressed] == []  # the flow was over a second after it was said
    assert outcome.seconds == spoken.seconds + 1


def test_a_caller_interrupts_and_the_flow_goes_on_with_its_key() -> None:
    outcome = called([ASK], Act(hears="press one", interrupts=True, after=0.5, press="1"))
    assert [(one.seconds, one.outcome) for one in outcome.spoken] == [(0.5, "digit")]
    assert [(one.key, one.at) for one in outcome.pressed] == [("1", 0.5)]
    assert outcome.variables == {"choice": "1"}
    assert outcome.call.status is CallStatus.ENDED
    assert [one.event for one in outcome.webhooks] == ["callCreated", "callUpdated", "callUpdated"]
    assert [one.payload["status"] for one in outcome.webhooks] == ["starting", "ongoing", "ended"]


def test_acts_upon_a_text_wait_for_one_another() -> None:
    steps = [ASK, {**ASK, "id": "again"}]
    twice = [Act(hears="Press one", interrupts=True, after=0.2, press=key) for key in "12"]
    assert [one.key for one in called(steps, *twice).pressed] == ["1", "2"]


def test_callees_of_a_transfer_answer_refuse_and_hang_up() -> None:
    transfer = {"action": "transfer", "options": {"destination": AGENT}}
    talked = called([transfer], **{f"n{AGENT}": Party(answer_after=2.0, acts=(Act(at=5.0, hangs_up=True),))})
    assert [(leg.direction.value, leg.status.value) for leg in talked.legs] == [("incoming", "hangup"), ("outgoing", "hangup")]
    assert talked.seconds == 7.0
    busy = called([transfer], **{f"n{AGENT}": Party(outcome="busy")})
    assert [leg.status.value for leg in busy.legs] == ["busy", "busy"]


@pytest.mark.parametrize(("collapse", "told"), [(False, "busy"), (True, "ended")])
def test_callbacks_follow_the_switches_of_the_settings(collapse: bool, told: str) -> None:
    settings = Settings(compatibility=CompatibilitySection(collapse_statuses=collapse))
    transfer = {"action": "transfer", "options": {"destination": AGENT}}
    busy = called([transfer], settings=settings, **{f"n{AGENT}": Party(outcome="busy")})
    assert [leg.status.value for leg in busy.legs] == ["busy", "busy"]
    assert busy.call.status is CallStatus.BUSY
    assert busy.webhooks[-1].payload["status"] == told


def test_a_callee_that_is_silent_is_given_up() -> None:
    silent = called([{"action": "transfer", "options": {"destination": AGENT}}], **{f"n{AGENT}": Party(outcome="no_response")})
    leg = silent.legs[1]
    assert (leg.status.value, leg.reason, silent.since(leg.updated_us)) == ("failed", Reason.NO_RESPONSE, 32.0)


def test_what_is_said_into_a_recording_is_known() -> None:
    record = {"action": "record", "options": {"timeout": 2}}
    outcome = called([record], Act(at=1.0, says="my name is Alice"))
    (recording,) = outcome.recordings
    assert (recording.heard, recording.outcome, recording.status) == ("my name is Alice", "silence", "done")
    assert recording.seconds == pytest.approx(1.0 + spoken_s("my name is Alice") + 2.0)


def test_a_flow_comes_from_a_scripted_web_service() -> None:
    url = "https://shop.example/next"
    fetch = {"action": "fetchCallFlow", "options": {"url": url}}
    replies = {url: [Reply(status=500), Reply(flow={"steps": [{"action": "pause", "options": {"length": 2}}]}, after=1.0)]}
    outcome = called([fetch], replies=replies)
    assert [(one.status, one.method, one.url) for one in outcome.fetches] == [(500, "GET", url), (200, "GET", url)]
    assert outcome.fetches[0].query["destination"] == NUMBER
    assert outcome.seconds == pytest.approx(3.1)
    assert outcome.call.status is CallStatus.ENDED


def test_a_web_service_without_a_script_is_not_there() -> None:
    outcome = called([{"action": "fetchCallFlow", "options": {"url": "https://shop.example/next"}}])
    assert "https://shop.example/next is not in the script" in outcome.fetches[0].fault


def test_a_number_that_nobody_has() -> None:
    async def story(rehearsal: Rehearsal) -> None:
        await rehearsal.dial(NUMBER, CALLER, Party())

    with pytest.raises(NotFound, match="refused with 404"):
        rehearse(story)


def test_what_is_outside_of_the_loop_is_waited_for_where_that_is_said() -> None:
    async def ask() -> bytes:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        here, there = socket.socketpair()
        with here, there, loop.outside():
            here.setblocking(False)
            receiving = asyncio.ensure_future(loop.sock_recv(here, 5))
            await loop.run_in_executor(None, there.sendall, b"hello")
            async with asyncio.timeout(60.0):
                received = await receiving
        began = loop.time()
        await asyncio.sleep(3600.0)
        assert loop.time() - began == pytest.approx(3600.0)
        return received

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(ask()) == b"hello"
