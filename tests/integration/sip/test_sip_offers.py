"""Offers within a call: hold, refresh and renewal by the far end, our own, and both at once."""

from __future__ import annotations

import pytest

from callwright.sip import wire
from support.signalling import Core
from support.sip_peer import Caller, Message, Peer, sdp

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def answered(core: Core, peer: Peer) -> tuple[Caller, wire.LegArrived]:
    call = peer.call()
    call.invite()
    arrived = await core.take(wire.LegArrived)
    core.send(wire.SendAnswer(arrived.leg, sdp()))
    call.ack(await peer.get(200))
    await core.take(wire.AnswerSent, arrived.leg)
    return call, arrived


async def hang_up(core: Core, peer: Peer, call: Caller, arrived: wire.LegArrived) -> None:
    """End the call and see that it was one till then."""
    call.send("BYE")
    await peer.ok("BYE")
    assert (await core.take(wire.LegEnded, arrived.leg)).who == "far"
    # The peer writes its Contact otherwise in responses than in requests.
    assert [message for message in core.about(arrived.leg) if not isinstance(message, wire.DialogMoved)] == []


async def offered(core: Core, peer: Peer, arrived: wire.LegArrived, offer: str) -> Message:
    core.send(wire.SendOffer(arrived.leg, offer))
    return await peer.get("INVITE")


async def test_hold_and_resume_by_the_far_end(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    for version, theirs, ours in ((2, "sendonly", "recvonly"), (3, "inactive", "inactive"), (4, "sendrecv", "sendrecv")):
        call.invite(sdp(version, theirs))
        assert await core.take(wire.OfferArrived, arrived.leg) == wire.OfferArrived(arrived.leg, sdp(version, theirs))
        core.send(wire.AnswerOffer(arrived.leg, sdp(version, ours)))
        ok = await peer.get(200)
        assert ok.body == sdp(version, ours)
        call.ack(ok)
    await hang_up(core, peer, call, arrived)


async def test_refresh_with_the_same_description_is_told(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.invite(sdp())
    assert await core.take(wire.OfferArrived, arrived.leg) == wire.OfferArrived(arrived.leg, sdp())
    core.send(wire.AnswerOffer(arrived.leg, sdp()))
    call.ack(await peer.get(200))
    await hang_up(core, peer, call, arrived)


async def test_reinvite_without_an_offer_gets_ours(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.invite("")
    assert await core.take(wire.OfferArrived, arrived.leg) == wire.OfferArrived(arrived.leg, "")
    core.send(wire.AnswerOffer(arrived.leg, sdp(9)))
    ok = await peer.get(200)
    assert ok.body == sdp(9)
    call.ack(ok, sdp(7, "recvonly"))
    assert await core.take(wire.OfferAnswered, arrived.leg) == wire.OfferAnswered(arrived.leg, 200, sdp(7, "recvonly"))
    await hang_up(core, peer, call, arrived)


async def test_an_offer_we_refuse_changes_nothing(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.contact = "<sip:moved@127.0.0.1:9>"
    call.invite(sdp(2))
    await core.take(wire.OfferArrived, arrived.leg)
    core.send(wire.AnswerOffer(arrived.leg, code=488, phrase="Not Acceptable Here"))
    call.ack(await peer.get(488))
    core.send(wire.EndLeg(arrived.leg))
    bye = await peer.get("BYE")
    assert bye.uri.startswith("sip:peer@")
    peer.reply(bye, 200)


async def test_an_offer_the_core_does_not_answer(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.invite(sdp(2))
    await core.take(wire.OfferArrived, arrived.leg)
    call.ack(await peer.get(500))
    core.send(wire.AnswerOffer(arrived.leg, sdp(2)))  # too late
    await hang_up(core, peer, call, arrived)


async def test_reinvite_moves_the_far_end(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    moved = Peer(core.address)
    call.contact = f"<sip:moved@127.0.0.1:{moved.port}>"
    call.invite(sdp(2))
    await core.take(wire.OfferArrived, arrived.leg)
    core.send(wire.AnswerOffer(arrived.leg, sdp(2)))
    call.ack(await peer.get(200))
    core.send(wire.EndLeg(arrived.leg))
    bye = await moved.get("BYE")
    assert bye.uri == f"sip:moved@127.0.0.1:{moved.port}"
    moved.reply(bye, 200)
    moved.close()


async def test_reinvite_that_cannot_be_read_leaves_the_call(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    good, call.contact = call.contact, "<bad"
    call.invite("")
    call.ack(await peer.get(400))
    call.contact = good
    await hang_up(core, peer, call, arrived)


async def test_reinvite_that_is_cancelled_leaves_the_call(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.invite(sdp(2))
    await core.take(wire.OfferArrived, arrived.leg)
    call.cancel(cseq=call.cseq)
    call.ack(await peer.get(487))
    await peer.nothing("BYE", within=0.2)
    await hang_up(core, peer, call, arrived)


async def test_reinvite_without_an_offer_that_is_cancelled_has_no_answer_to_come(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.invite("")
    await core.take(wire.OfferArrived, arrived.leg)
    call.cancel(cseq=call.cseq)
    call.ack(await peer.get(487))
    assert await core.take(wire.OfferAnswered, arrived.leg) == wire.OfferAnswered(arrived.leg, 487, "")
    core.send(wire.AnswerOffer(arrived.leg, sdp(2)))  # it had crossed
    await hang_up(core, peer, call, arrived)


async def test_reinvite_without_an_offer_that_the_core_does_not_answer(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.invite("")
    await core.take(wire.OfferArrived, arrived.leg)
    call.ack(await peer.get(500))
    assert await core.take(wire.OfferAnswered, arrived.leg) == wire.OfferAnswered(arrived.leg, 500, "")
    await hang_up(core, peer, call, arrived)


async def test_our_offer_goes_out_when_theirs_is_cancelled(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.invite(sdp(2))
    await core.take(wire.OfferArrived, arrived.leg)
    core.send(wire.SendOffer(arrived.leg, sdp(3)))
    await peer.nothing("INVITE", within=0.1)
    call.cancel(cseq=call.cseq)
    call.ack(await peer.get(487))
    peer.reply(await peer.get("INVITE"), 200, body=sdp(3))
    assert await core.take(wire.OfferAnswered, arrived.leg) == wire.OfferAnswered(arrived.leg, 200, sdp(3))
    await hang_up(core, peer, call, arrived)


async def test_second_reinvite_before_the_first_is_answered(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.invite(sdp(2))
    await core.take(wire.OfferArrived, arrived.leg)
    call.invite(sdp(3))
    early = await peer.get(500)
    assert 0 <= int(early.get("Retry-After")) <= 10
    call.ack(early)
    core.send(wire.AnswerOffer(arrived.leg, sdp(2)))
    call.ack(await peer.get(200))
    await hang_up(core, peer, call, arrived)


@pytest.mark.parametrize("who", ["far", "us"])
async def test_call_ends_while_an_offer_waits(core: Core, peer: Peer, who: str) -> None:
    call, arrived = await answered(core, peer)
    call.invite(sdp(2))
    await core.take(wire.OfferArrived, arrived.leg)
    if who == "far":
        call.send("BYE")
    else:
        core.send(wire.EndLeg(arrived.leg))
        peer.reply(await peer.get("BYE"), 200)
    call.ack(next(iter(peer.seen(487)), None) or await peer.get(487))
    assert (await core.take(wire.LegEnded, arrived.leg)).who == who


async def test_our_offer(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    invite = await offered(core, peer, arrived, sdp(2, "sendonly"))
    assert (invite.body, invite.param("To", "tag")) == (sdp(2, "sendonly"), call.caller.rpartition("=")[2])
    peer.reply(invite, 100, "Trying")
    peer.reply(invite, 200, body=sdp(2, "recvonly"))
    await peer.get("ACK")
    assert await core.take(wire.OfferAnswered, arrived.leg) == wire.OfferAnswered(arrived.leg, 200, sdp(2, "recvonly"))
    # the very same again is sent too: it refreshes the session
    peer.reply(await offered(core, peer, arrived, sdp(2, "sendonly")), 200, body=sdp(2, "recvonly"))
    await core.take(wire.OfferAnswered, arrived.leg)
    await hang_up(core, peer, call, arrived)


async def test_our_offer_is_answered_with_a_to_that_cannot_be_read(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    invite = await offered(core, peer, arrived, sdp(2))
    lines = ["SIP/2.0 200 OK", *(f"{name}: {invite.get(name)}" for name in ("Via", "From", "Call-ID", "CSeq")), "To: <bad"]
    peer.send("\r\n".join([*lines, f"Contact: {call.contact}", "Content-Length: 0", "", ""]))
    assert (await peer.get("ACK")).get("To") == invite.get("To")
    assert await core.take(wire.OfferAnswered, arrived.leg) == wire.OfferAnswered(arrived.leg, 200, "")
    await hang_up(core, peer, call, arrived)


async def test_our_offer_is_refused(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    peer.reply(await offered(core, peer, arrived, sdp(2)), 488, "Not Acceptable Here")
    assert await core.take(wire.OfferAnswered, arrived.leg) == wire.OfferAnswered(arrived.leg, 488, "")
    await hang_up(core, peer, call, arrived)


@pytest.mark.parametrize("code", [408, 481])
async def test_far_end_no_longer_knows_the_call(core: Core, peer: Peer, code: int) -> None:
    _, arrived = await answered(core, peer)
    peer.reply(await offered(core, peer, arrived, sdp(2)), code, "Gone")
    peer.reply(await peer.get("BYE"), 481)
    assert await core.take(wire.LegEnded, arrived.leg) == wire.LegEnded(arrived.leg, "far", "dialog_lost", code)


async def test_offers_of_ours_wait_for_each_other(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    first = await offered(core, peer, arrived, sdp(2))
    core.send(wire.SendOffer(arrived.leg, sdp(3)), wire.SendOffer(arrived.leg, sdp(4)))
    await core.caught_up()
    await peer.caught_up()
    assert {message.raw for message in peer.seen("INVITE")} == {first.raw}
    peer.reply(first, 200, body=sdp(2))
    second = await peer.get("INVITE")
    assert second.body == sdp(4)  # the latest counts
    peer.reply(second, 200, body=sdp(4))
    assert [(await core.take(wire.OfferAnswered, arrived.leg)).sdp for _ in range(2)] == [sdp(2), sdp(4)]
    await hang_up(core, peer, call, arrived)


async def test_our_offer_waits_for_the_ack(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    arrived = await core.take(wire.LegArrived)
    core.send(wire.SendAnswer(arrived.leg, sdp()), wire.SendOffer(arrived.leg, sdp(2)))
    ok = await peer.get(200)
    await peer.nothing("INVITE", within=0.2)
    call.ack(ok)
    peer.reply(await peer.get("INVITE"), 200, body=sdp(2))
    await core.take(wire.OfferAnswered, arrived.leg)
    core.send(wire.EndLeg(arrived.leg))
    peer.reply(await peer.get("BYE"), 200)


async def test_glare(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    ours = await offered(core, peer, arrived, sdp(2, "sendonly"))
    call.invite(sdp(7, "sendonly"))
    call.ack(await peer.get(491))
    peer.reply(ours, 491, "Request Pending")  # how long we wait now is chance, and may be no time
    call.invite(sdp(8))  # theirs is first to come back
    await core.take(wire.OfferArrived, arrived.leg)
    core.send(wire.AnswerOffer(arrived.leg, sdp(8)))
    call.ack(await peer.get(200))
    again = await peer.get("INVITE")
    assert (again.body, again.cseq[0]) == (sdp(2, "sendonly"), ours.cseq[0] + 1)
    peer.reply(again, 200, body=sdp(2, "recvonly"))
    assert await core.take(wire.OfferAnswered, arrived.leg) == wire.OfferAnswered(arrived.leg, 200, sdp(2, "recvonly"))
    await hang_up(core, peer, call, arrived)


async def test_glare_without_end_is_given_up(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    core.send(wire.SendOffer(arrived.leg, sdp(2)))
    seen = set()
    while len(seen) < 4:
        invite = await peer.get("INVITE")
        if invite.cseq not in seen:
            seen.add(invite.cseq)
            peer.reply(invite, 491, "Request Pending")
    assert await core.take(wire.OfferAnswered, arrived.leg) == wire.OfferAnswered(arrived.leg, 491, "")
    await hang_up(core, peer, call, arrived)


async def test_call_ends_while_our_offer_waits_after_glare(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    peer.reply(await offered(core, peer, arrived, sdp(2)), 491, "Request Pending")
    await hang_up(core, peer, call, arrived)
    await peer.nothing("INVITE", within=0.3)


@pytest.mark.parametrize("who", ["far", "us"])
async def test_call_ends_while_our_offer_is_out(core: Core, peer: Peer, who: str) -> None:
    call, arrived = await answered(core, peer)
    invite = await offered(core, peer, arrived, sdp(2))
    peer.reply(invite, 180, "Ringing")
    if who == "far":
        call.send("BYE")
        assert (await peer.get("CANCEL")).branch == invite.branch
    else:
        core.send(wire.EndLeg(arrived.leg))
        assert {(await peer.get("CANCEL", "BYE")).what, (await peer.get("CANCEL", "BYE")).what} == {"CANCEL", "BYE"}
    peer.reply(invite, 487, "Request Terminated")
    assert (await core.take(wire.LegEnded, arrived.leg)).who == who
