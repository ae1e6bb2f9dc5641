"""Calls changed while they are up, over SIP: parties added, hold, blind transfers both ways, another flow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from callwright.calls import journal
from callwright.calls.model import Call
from callwright.flows.schema import compile_flow
from callwright.telephony import ReferOutcome
from support.sip_peer import Caller, Message, Peer, sdp
from support.sip_stage import SipStage, gone, hung_up, pause

pytestmark = pytest.mark.asyncio(loop_scope="module")


def at(peer: Peer) -> str:
    return f"sip:4000@127.0.0.1:{peer.port}"


def direction_of(message: Message) -> str:
    return next(line[2:] for line in message.body.split("\r\n") if line[2:] in ("sendrecv", "sendonly", "recvonly", "inactive"))


async def answers(peer: Peer) -> Caller:
    """A far end takes the call that comes."""
    invite = await peer.get("INVITE")
    peer.reply(invite, 200, body=sdp())
    await peer.get("ACK")
    return peer.called(invite)


async def added(stage: SipStage, call: Call, peer: Peer) -> Caller:
    await stage.switch.add_party(stage.world.id, call.id, at(peer), None)
    return await answers(peer)


async def told(peer: Peer) -> str:
    """The line of the NOTIFY that comes, answered."""
    notify = await peer.get("NOTIFY")
    peer.reply(notify, 200)
    return notify.body.strip()


async def until_told(peer: Peer, line: str) -> None:
    while await told(peer) != line:  # 100, and repetitions
        pass


async def test_those_whom_the_caller_leaves_talk_on(stage: SipStage, a: Peer, b: Peer, another: Callable[..., Peer]) -> None:
    """L1 to L3"""
    c = another()
    caller, _, call = await stage.talk(a, b)
    third = await added(stage, call, c)
    await stage.reaches(call, "ongoing", "ongoing", "ongoing")
    leg = stage.leg_id(call, 2)
    await stage.until(lambda: leg in [entry.leg for entry in stage.entries(call, journal.Bridged)])
    await gone(a, caller)
    await stage.reaches(call, "hangup", "ongoing", "ongoing")
    await b.nothing("BYE", within=0.2)
    await gone(c, third)
    await hung_up(b)
    assert await stage.over(call) == (
        "ended",
        [("incoming", "hangup", "caller_hangup"), ("outgoing", "hangup", "peer_gone"), ("outgoing", "hangup", "callee_hangup")],
    )


async def test_a_caller_is_handed_from_one_agent_to_the_next(
    stage: SipStage, a: Peer, b: Peer, another: Callable[..., Peer]
) -> None:
    """L1, L8: on hold, a party added, the first agent leaves, off hold."""
    c = another()
    _, callee, call = await stage.talk(a, b)
    leg = stage.leg_id(call, 0)
    await stage.switch.hold_leg(stage.world.id, leg, on=True)
    invite = await a.get("INVITE")
    assert direction_of(invite) == "sendonly"
    a.reply(invite, 200, body=sdp(2, "recvonly"))
    await a.get("ACK")
    third = await added(stage, call, c)
    await stage.reaches(call, "ongoing", "ongoing", "ongoing")
    await gone(b, callee)
    await stage.switch.hold_leg(stage.world.id, leg, on=False)
    invite = await a.get("INVITE")
    assert direction_of(invite) == "sendrecv"
    a.reply(invite, 200, body=sdp(3))
    await a.get("ACK")
    await gone(c, third)
    await hung_up(a)
    left = ("outgoing", "hangup", "callee_hangup")
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "flow_ended"), left, left])


@pytest.mark.parametrize("which", ["caller", "callee"])
async def test_a_far_end_puts_another_in_its_place(
    stage: SipStage, a: Peer, b: Peer, another: Callable[..., Peer], which: str
) -> None:
    """L4"""
    c = another()
    caller, callee, call = await stage.talk(a, b)
    peer, dialog, stays = (a, caller, b) if which == "caller" else (b, callee, a)
    dialog.send("REFER", fields=[f"Refer-To: <{at(c)}>"])
    await peer.get(202)
    third = await answers(c)
    await until_told(peer, "SIP/2.0 200 OK")
    await hung_up(peer)
    await stays.nothing("BYE", within=0.2)
    await gone(c, third)
    await hung_up(stays)
    status, legs = await stage.over(call)
    assert (status, sorted(leg[2] for leg in legs)[-1]) == ("ended", "referred")


async def test_a_transfer_that_fails_leaves_those_who_talk(
    stage: SipStage, a: Peer, b: Peer, another: Callable[..., Peer]
) -> None:
    """L5: the referrer is told, and may go on; or it left at once, and the caller's flow goes on."""
    c = another()
    caller, callee, call = await stage.talk(a, b, pause())
    callee.send("REFER", fields=[f"Refer-To: <{at(c)}>"])
    await b.get(202)
    invite = await c.get("INVITE")
    c.reply(invite, 486, "Busy Here")
    await c.get("ACK")
    await until_told(b, "SIP/2.0 486 Busy Here")
    callee.send("REFER", fields=[f"Refer-To: <{at(c)}>"])
    invite = await c.get("INVITE")
    c.reply(invite, 180, "Ringing")
    await gone(b, callee)
    c.reply(invite, 603, "Decline")
    await c.get("ACK")
    await stage.until(lambda: "step-2" in [entry.step for entry in stage.entries(call, journal.StepStarted)])
    await a.nothing("BYE", within=0.2)
    await gone(a, caller)
    assert (await stage.over(call))[1][:2] == [
        ("incoming", "hangup", "caller_hangup"),
        ("outgoing", "hangup", "callee_hangup"),
    ]


async def test_a_far_end_is_asked_to_call_someone_else(stage: SipStage, a: Peer, b: Peer) -> None:
    """L6"""
    _, callee, call = await stage.talk(a, b)
    leg = stage.leg_id(call, 1)
    asking = asyncio.ensure_future(stage.switch.refer_leg(stage.world.id, call.id, leg, "31205550199"))
    refer = await b.get("REFER")
    assert "sip:31205550199@127.0.0.1:9" in refer.get("Refer-To")
    b.reply(refer, 202, "Accepted")
    callee.send(
        "NOTIFY",
        "SIP/2.0 200 OK\r\n",
        kind="message/sipfrag;version=2.0",
        fields=["Event: refer", "Subscription-State: terminated;reason=noresource"],
    )
    await b.ok("NOTIFY")
    referral = await asking
    assert referral is not None
    assert (referral.outcome, referral.sip_code) == (ReferOutcome.DONE, 200)
    await hung_up(b)
    await hung_up(a)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "flow_ended"), ("outgoing", "hangup", "referred")])


async def test_another_flow_takes_over(stage: SipStage, a: Peer, b: Peer) -> None:
    """L7"""
    await stage.talk(a, b)
    (call,) = [call for call in stage.calls() if call.live]
    body = {"steps": [pause(0.1)]}
    await stage.switch.replace_flow(stage.world.id, call.id, compile_flow(body), body)
    await hung_up(b)
    await hung_up(a)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "flow_ended"), ("outgoing", "hangup", "flow_replaced")])
