"""IPv6 is not spoken: whoever uses it over SIP is told so, in words, and the next call goes well."""

from __future__ import annotations

from uuid import uuid4

import pytest

from callwright.sip import wire
from support.signalling import Core
from support.sip_peer import Peer, sdp

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
async def test_a_via_is_refused(core: Core, peer: Peer, method: str) -> None:
    call = peer.call()
    text = call.text(method, sdp() if method == "INVITE" else "")
    peer.send(text.replace(f"UDP {peer.host}:{peer.port}", f"UDP [2001:db8::7]:{peer.port}"))
    refused = await peer.get(400)
    assert (refused.start, refused.cseq) == ("SIP/2.0 400 IPv6 Via Is Not Supported", (1, method))
    assert core.said == []


async def test_a_contact_is_refused(core: Core, peer: Peer) -> None:
    call = peer.call(contact="<sip:peer@[2001:db8::7]:5060>")
    call.invite()
    refused = await peer.get(400)
    assert refused.start == "SIP/2.0 400 IPv6 Contact Is Not Supported"
    call.ack(refused)
    assert (await core.take(wire.TurnedAway)).detail == ("Contact has the address [2001:db8::7]; only IPv4 is spoken here")


async def test_behind_a_proxy_of_both_worlds_it_is_a_call(core: Core, peer: Peer) -> None:
    call = peer.call(contact="<sip:peer@[2001:db8::7]:5060>")
    call.invite(fields=[f"Record-Route: <sip:127.0.0.1:{peer.port};lr>"])
    arrived = await core.take(wire.LegArrived)
    core.send(wire.SendAnswer(arrived.leg, sdp()))
    call.ack(await peer.get(200))
    core.send(wire.EndLeg(arrived.leg))
    bye = await peer.get("BYE")
    assert (bye.uri, bye.get("Route")) == ("sip:peer@[2001:db8::7]:5060", f"<sip:127.0.0.1:{peer.port};lr>")
    peer.reply(bye, 200)


async def test_a_request_uri_is_only_a_name_for_us(core: Core, peer: Peer) -> None:
    call = peer.call(uri="sip:2000@[2001:db8::1]:5060")
    call.invite()
    arrived = await core.take(wire.LegArrived)
    assert arrived.destination == "2000"
    core.send(wire.EndLeg(arrived.leg))
    call.ack(await peer.get(603))


async def test_a_callee_that_moves_there_is_let_go_where_it_was_reached(core: Core, peer: Peer) -> None:
    leg = uuid4()
    core.send(wire.PlaceLeg(leg, "3000", "127.0.0.1", "127.0.0.1", peer.port, "1000", sdp()))
    invite = await peer.get("INVITE")
    peer.reply(invite, 200, body=sdp(), fields=["Contact: <sip:peer@[2001:db8::7]:5060>"])
    assert (await peer.get("ACK")).uri == "sip:peer@[2001:db8::7]:5060"
    await core.take(wire.LegAnswered, leg)
    core.send(wire.EndLeg(leg))
    peer.reply(await peer.get("BYE"), 200)
    assert await core.take(wire.LegEnded, leg) == wire.LegEnded(leg, "us")
