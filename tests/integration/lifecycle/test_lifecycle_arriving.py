"""Calls that come in over SIP: what becomes none, how one is answered, refused and given up by its caller."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from callwright.calls import journal
from callwright.calls.lifecycle import ANSWERING
from support.sip_peer import Caller, Peer, sdp
from support.sip_stage import SipStage, cancelled, gone, hung_up, pause, transfer

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHY = 'SIP;cause=200;text="Call completed elsewhere"'
SAY = {"action": "say", "options": {"payload": "Hello.", "language": "en-GB", "voice": "female"}}


async def refused(a: Peer, number: str, code: int, body: str | None = None, **options: Any) -> Any:
    """Call a number, be refused, and acknowledge it."""
    caller = a.call(number)
    caller.invite(body, **options)
    final = await a.get(*range(200, 700))
    assert final.what == code
    caller.ack(final)
    return final


# what becomes no call -------------------------------------------------------------------------------------------------


async def test_an_unknown_number(stage: SipStage, a: Peer) -> None:
    await refused(a, "31205559999", 404)
    assert stage.calls_to("31205559999") == []


async def test_a_call_that_went_round_too_often(stage: SipStage, a: Peer) -> None:
    number = await stage.answers(pause())
    await refused(a, number, 483, fields=["X-Callwright-Hops: 6"])
    assert stage.calls_to(number) == []


async def test_no_room_for_another_call(stage: SipStage, a: Peer) -> None:
    number = await stage.answers(pause())
    stage.switch.admission.draining = True
    try:
        assert (await refused(a, number, 503)).get("Retry-After") == "5"
    finally:
        stage.switch.admission.draining = False
    assert stage.calls_to(number) == []


# what arrives and cannot be answered ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "reason", "detail"),
    [
        (sdp(), 480, "no_flow", ""),
        (sdp().replace("AVP 0", "AVP 18"), 488, "no_common_codec", "PCMU or PCMA at 8 kHz over RTP/AVP is needed"),
        (sdp().replace("m=audio", "m=audio x"), 488, "bad_offer", "m=audio"),
        (
            sdp().replace("c=IN IP4 127.0.0.1", "c=IN IP6 2001:db8::7"),
            488,
            "bad_offer",
            "c=IN IP6 2001:db8::7: IPv6 is not supported; offer an IPv4 address",
        ),
    ],
    ids=["no flow", "no common codec", "bad description", "IPv6"],
)
async def test_a_call_that_cannot_be_answered(stage: SipStage, a: Peer, body: str, code: int, reason: str, detail: str) -> None:
    number = await stage.answers(pause())
    if reason == "no_flow":
        number = f"9{number}"
        await stage.number(number, None)
    await refused(a, number, code, body)
    call = await stage.call_to(number)
    assert await stage.over(call) == ("failed", [("incoming", "failed", reason)])
    assert detail in stage.legs(call)[0].detail
    assert [told[1:] for told in stage.told(call)] == [("starting", ["starting"]), ("failed", ["failed"])]


async def test_a_flow_that_cannot_be_had(stage: SipStage, a: Peer) -> None:
    number = await stage.answers({"action": "fetchCallFlow", "options": {"url": "http://app.test/flow"}})
    await refused(a, number, 503)
    call = await stage.call_to(number)
    assert await stage.over(call) == ("failed", [("incoming", "failed", "flow_unavailable")])


async def test_a_text_that_nobody_can_say_after_the_answer(stage: SipStage, a: Peer) -> None:
    _, call = await stage.answered(a, pause(0.05), SAY)
    await hung_up(a)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "speech_unavailable")])


async def test_a_hangup_step(stage: SipStage, a: Peer) -> None:
    number = await stage.answers({"action": "hangup"})
    await refused(a, number, 603)
    assert await stage.over(await stage.call_to(number)) == ("ended", [("incoming", "hangup", "flow_ended")])


# answered -------------------------------------------------------------------------------------------------------------


async def test_it_is_told_once_it_is_answered(stage: SipStage, a: Peer) -> None:
    caller, call = await stage.answered(a)
    await gone(a, caller)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "caller_hangup")])
    assert stage.told(call) == [
        ("callCreated", "starting", ["starting"]),
        ("callUpdated", "ongoing", ["ongoing"]),
        ("callUpdated", "ended", ["hangup"]),
    ]
    intents = [entry.intent for entry in stage.entries(call, journal.LegIntends)]
    assert (intents, stage.legs(call)[0].sip_code) == ([ANSWERING], 200)


async def test_an_offer_in_the_200_is_answered_in_the_ack(stage: SipStage, a: Peer) -> None:
    number = await stage.answers(pause())
    caller = a.call(number)
    caller.invite("")
    ok = await a.get(200)
    assert "m=audio" in ok.body
    caller.ack(ok, sdp())
    call = await stage.call_to(number)
    await stage.reaches(call, "ongoing")
    await gone(a, caller)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "caller_hangup")])


async def test_a_caller_without_an_offer_is_connected_to_the_callee(stage: SipStage, a: Peer, b: Peer) -> None:
    number = await stage.answers(transfer(b))
    caller = a.call(number)
    caller.invite("")
    b.reply(await b.get("INVITE"), 200, body=sdp())
    await b.get("ACK")
    ok = await a.get(200)
    call = await stage.call_to(number)
    await stage.reaches(call, "ongoing", "ongoing")
    assert stage.entries(call, journal.Bridged) == []  # there is nowhere to send sound to yet
    caller.ack(ok, sdp())
    (joined,) = await stage.until(lambda: stage.entries(call, journal.Bridged), "that both hear each other")
    assert joined.how == "relay"
    await gone(a, caller)
    await hung_up(b)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "caller_hangup"), ("outgoing", "hangup", "peer_gone")])


async def test_no_ack(stage: SipStage, a: Peer) -> None:
    number = await stage.answers(pause())
    began = asyncio.get_running_loop().time()
    a.call(number).invite()
    await a.get(200)
    bye = await a.get("BYE")
    a.reply(bye, 200)
    assert bye.at - began > 3.1  # 64 T1, a tenth of RFC 3261's 32 s
    assert await stage.over(await stage.call_to(number)) == ("ended", [("incoming", "hangup", "no_ack")])


# given up by the caller -----------------------------------------------------------------------------------------------


@contextmanager
def slow_media(stage: SipStage) -> Iterator[None]:
    """Media takes its time, so that an answer that is on record has not left yet."""
    assert stage.media.pid is not None
    os.kill(stage.media.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(stage.media.pid, signal.SIGCONT)


async def given_up(a: Peer, caller: Caller, how: str) -> None:
    if how == "CANCEL":
        caller.cancel(fields=[f"Reason: {WHY}"])
        await a.ok("CANCEL")
    else:
        caller.send("BYE", fields=[f"Reason: {WHY}"])
    terminated = next(iter(a.seen(487)), None) or await a.get(487)
    caller.ack(terminated)


async def test_cancel_while_being_answered(stage: SipStage, a: Peer) -> None:
    number = await stage.answers(pause())
    caller = a.call(number)
    with slow_media(stage):
        caller.invite()
        call = await stage.call_to(number)
        await stage.until(lambda: stage.legs(call)[0].intent == ANSWERING)
        await given_up(a, caller, "CANCEL")
        await stage.reaches(call, "no_answer")
    assert await stage.over(call) == ("no_answer", [("incoming", "no_answer", "caller_cancelled")])


async def test_cancel_while_being_answered_after_the_callee(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, invite, call = await stage.rings(a, b)
    with slow_media(stage):
        b.reply(invite, 200, body=sdp())
        await b.get("ACK")
        await stage.until(lambda: stage.legs(call)[0].intent == ANSWERING)
        caller.send("CANCEL", branch=_branch_of(a, caller), cseq=1, fields=[f"Reason: {WHY}"])
        caller.ack(await a.get(487))
        await hung_up(b, reason=WHY)
    assert await stage.over(call) == (
        "ended",
        [("incoming", "no_answer", "caller_cancelled"), ("outgoing", "hangup", "caller_gone")],
    )


def _branch_of(a: Peer, caller: Caller) -> str:
    return a.seen(180)[0].branch or caller.branch


@pytest.mark.parametrize("how", ["CANCEL", "BYE"])
async def test_the_caller_gives_up_while_the_callee_rings(stage: SipStage, a: Peer, b: Peer, how: str) -> None:
    caller, invite, call = await stage.rings(a, b)
    await given_up(a, caller, how)
    await cancelled(b, invite, reason=WHY)
    assert await stage.over(call) == (
        "no_answer",
        [("incoming", "no_answer", "caller_cancelled"), ("outgoing", "hangup", "caller_gone")],
    )
    assert stage.legs(call)[0].sip_code == 487


async def test_the_caller_gives_up_before_anything_was_heard_of_the_callee(stage: SipStage, a: Peer, b: Peer) -> None:
    number = await stage.answers(transfer(b))
    caller = a.call(number)
    caller.invite()
    invite = await b.get("INVITE")
    await given_up(a, caller, "CANCEL")
    await b.nothing("CANCEL", within=0.1)
    b.reply(invite, 100, "Trying")
    await cancelled(b, invite, reason=WHY)
    assert await stage.over(await stage.call_to(number)) == (
        "no_answer",
        [("incoming", "no_answer", "caller_cancelled"), ("outgoing", "hangup", "caller_gone")],
    )
