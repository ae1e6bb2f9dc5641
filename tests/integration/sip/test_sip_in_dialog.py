"""Requests other than INVITE: inside a call, and those that belong to none."""

from __future__ import annotations

import pytest

from callwright.sip import wire
from support.signalling import Core
from support.sip_peer import Caller, Peer, sdp

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REFER, NOTIFY"


async def answered(core: Core, peer: Peer) -> tuple[Caller, wire.LegArrived]:
    call = peer.call()
    call.invite()
    arrived = await core.take(wire.LegArrived)
    core.send(wire.SendAnswer(arrived.leg, sdp()))
    call.ack(await peer.get(200))
    await core.take(wire.AnswerSent, arrived.leg)
    return call, arrived


async def test_info_is_passed_on(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.send("INFO", "Signal=5\r\nDuration=160\r\n", kind="application/dtmf-relay;x=y")
    await peer.ok("INFO")
    call.send("INFO")
    await peer.ok("INFO")
    assert [await core.take(wire.InfoArrived, arrived.leg) for _ in range(2)] == [
        wire.InfoArrived(arrived.leg, "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"),
        wire.InfoArrived(arrived.leg, "", ""),
    ]
    call.send("BYE")
    await core.take(wire.LegEnded, arrived.leg)


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("OPTIONS", "", 200),
        ("UPDATE", "", 200),  # refreshes a session timer
        ("UPDATE", sdp(2), 405),
        ("MESSAGE", "", 405),
        ("SUBSCRIBE", "", 405),
        ("NOTIFY", "", 489),  # about nothing
        ("PRACK", "", 405),
        ("FOO", "", 405),
    ],
)
@pytest.mark.parametrize("state", ["ringing", "answered", "offer waits", "our offer is out"])
async def test_every_method_is_answered_and_the_call_goes_on(
    core: Core, peer: Peer, method: str, body: str, code: int, state: str
) -> None:
    if state == "ringing":
        call = peer.call()
        call.invite()
        arrived = await core.take(wire.LegArrived)
        core.send(wire.SendProgress(arrived.leg))
        call.learn(await peer.get(180))
    else:
        call, arrived = await answered(core, peer)
    if state == "offer waits":
        call.invite(sdp(2))
        await core.take(wire.OfferArrived, arrived.leg)
    if state == "our offer is out":
        core.send(wire.SendOffer(arrived.leg, sdp(2)))
        peer.reply(await peer.get("INVITE"), 100, "Trying")
    call.send(method, body)
    response = await peer.get(code)
    assert response.cseq[1] == method
    assert response.get("Allow") == ("" if (method, code) in (("UPDATE", 200), ("NOTIFY", 489)) else ALLOW)
    assert core.about(arrived.leg) == []
    call.send("BYE")
    await core.take(wire.LegFailed if state == "ringing" else wire.LegEnded, arrived.leg)


async def test_required_extension_inside_a_call(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.send("INFO", fields=["Require: timer"])
    assert (await peer.get(420)).get("Unsupported") == "timer"
    call.send("BYE")
    await core.take(wire.LegEnded, arrived.leg)


async def test_second_invite_before_the_answer(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    arrived = await core.take(wire.LegArrived)
    core.send(wire.SendProgress(arrived.leg))
    call.learn(await peer.get(180))
    call.invite(sdp(2))
    early = await peer.get(500)
    assert early.get("Retry-After") != ""
    assert core.about(arrived.leg) == []
    core.send(wire.EndLeg(arrived.leg))


async def test_old_cseq(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.send("INFO", "x", kind="text/plain")
    await peer.get(200)
    call.send("INFO", "y", kind="text/plain", cseq=1)
    assert (await peer.get(500)).cseq == (1, "INFO")
    call.send("BYE")
    await core.take(wire.LegEnded, arrived.leg)
    assert core.about(arrived.leg) == [wire.InfoArrived(arrived.leg, "text/plain", "x")]


async def test_options_outside_of_a_call(core: Core, peer: Peer) -> None:
    peer.call().send("OPTIONS")
    response = await peer.get(200)
    assert (response.get("Allow"), response.get("Accept")) == (ALLOW, "application/sdp")


@pytest.mark.parametrize(
    ("method", "known_tag", "code"),
    [
        ("FOO", False, 405),
        ("REGISTER", False, 405),
        ("MESSAGE", False, 405),
        ("BYE", True, 481),
        ("INVITE", True, 481),
        ("INFO", True, 481),
        ("REFER", False, 481),
        ("NOTIFY", False, 481),
        ("CANCEL", False, 481),
    ],
)
async def test_requests_that_belong_to_no_call(core: Core, peer: Peer, method: str, known_tag: bool, code: int) -> None:
    call = peer.call()
    if known_tag:
        call.to += ";tag=zz"
    call.send(method, cseq=1)
    response = await peer.get(code)
    assert response.cseq == (1, method)
    assert core.said == []


async def test_request_right_after_the_end(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    core.send(wire.EndLeg(arrived.leg))
    bye = await peer.get("BYE")
    call.send("INFO")
    assert (await peer.get(500, 481)).start == "SIP/2.0 481 Call/Transaction Does Not Exist"
    peer.reply(bye, 200)


async def test_bye_with_an_old_cseq_after_the_end(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.send("BYE")
    assert (await peer.get(200)).cseq == (2, "BYE")
    await core.take(wire.LegEnded, arrived.leg)
    call.send("BYE", cseq=1)
    assert (await peer.get(500, 481, 200)).start == "SIP/2.0 481 Call/Transaction Does Not Exist"
    call.send("BYE", cseq=2)  # the same number under another branch is no repeat
    assert (await peer.get(500, 481, 200)).start == "SIP/2.0 481 Call/Transaction Does Not Exist"
    assert core.about(arrived.leg) == []


async def test_stray_ack_and_response_are_ignored(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.send("ACK", cseq=1)
    peer.send(call.text("OPTIONS").replace(f"OPTIONS {call.uri} SIP/2.0", "SIP/2.0 200 OK"))
    await peer.nothing(200, 400, 481, within=0.2)


async def test_bye_with_an_also_that_cannot_be_read(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.send("BYE", fields=["Also: <bad"])
    await peer.ok("BYE")
    assert await core.take(wire.LegEnded, arrived.leg) == wire.LegEnded(arrived.leg, "far")
    await peer.nothing(400, within=0.1)
