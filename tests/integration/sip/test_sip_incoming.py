"""Incoming calls: how they arrive, are answered, refused, cancelled and ended."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from callwright.sip import wire
from callwright.sip.settings import SignallingSettings
from support.signalling import Core
from support.sip_peer import Caller, Peer, sdp

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def answered(core: Core, peer: Peer, **options: str) -> tuple[Caller, wire.LegArrived]:
    call = peer.call(**options)
    call.invite()
    arrived = await core.take(wire.LegArrived)
    core.send(wire.SendAnswer(arrived.leg, sdp()))
    call.ack(await peer.get(200))
    await core.take(wire.AnswerSent, arrived.leg)
    return call, arrived


async def test_arrival_says_what_the_invite_says(core: Core, peer: Peer) -> None:
    call = peer.call("2000")
    call.invite(fields=["Max-Forwards: 12", "X-Callwright-Hops: 3"])
    arrived = await core.take(wire.LegArrived)
    assert arrived == wire.LegArrived(
        leg=arrived.leg,
        source="1000",
        destination="2000",
        sdp=sdp(),
        sip_call_id=call.call_id,
        address="127.0.0.1",
        port=peer.port,
        trunk=None,
        hops=3,
        max_forwards=12,
        dialog=arrived.dialog,
    )
    assert arrived.leg.version == 7
    call.cancel()


@pytest.mark.parametrize(
    ("caller", "source"),
    [
        ("<sip:+15551230001@example.org>", "+15551230001"),
        ('"Jos\u00e9, B" <sip:0031-20.123%204@example.org;user=phone>', "0031-20.123 4"),
        ("<tel:+1-555-123-0002>", "+1-555-123-0002"),
        ("<sip:alice@example.org:5070>", "sip:alice@example.org"),
        ('"\u00c5sa" <sip:pe\u00e9r@example.org>', "sip:pe\u00e9r@example.org"),  # 0x85 inside the name ends no line
        ("<sip:%00%0A%E2%80%A8%E2%80%AE@example.org>", "sip:%00%0A%E2%80%A8%E2%80%AE@example.org"),
        ("<sip:a%40b%3Bc%3Fd%25%20e;x=1@example.org>", "sip:a%40b%3Bc%3Fd%25%20e@example.org"),
        ("<sip:gateway.example.org>", "sip:gateway.example.org"),
        ("<sip:anonymous@anonymous.invalid>", "sip:anonymous@anonymous.invalid"),
    ],
)
async def test_source_is_the_user_of_a_number_else_the_uri(core: Core, peer: Peer, caller: str, source: str) -> None:
    call = peer.call(caller=caller)
    call.invite()
    arrived = await core.take(wire.LegArrived)
    assert arrived.source == source
    core.send(wire.SendReject(arrived.leg, 486, "Busy Here"))
    busy = await peer.get(486)
    assert busy.get("From").startswith(caller[:13])
    call.ack(busy)


@pytest.mark.parametrize(
    ("uri", "destination"),
    [
        ("tel:+15551234;phone-context=example.org;npdi", "+15551234"),
        ("sip:+15551234;isub=1@127.0.0.1", "+15551234"),
        ("sip:alice%40home@127.0.0.1", "alice@home"),
        ("sip:%1B%C2%85@127.0.0.1", "%1B%C2%85"),
        ("sip:127.0.0.1", "sip:127.0.0.1"),
    ],
)
async def test_destination_is_the_user_of_the_request_uri(core: Core, peer: Peer, uri: str, destination: str) -> None:
    call = peer.call(uri=uri)
    call.invite()
    arrived = await core.take(wire.LegArrived)
    assert arrived.destination == destination
    core.send(wire.SendAnswer(arrived.leg, sdp()))
    ok = await peer.get(200)
    assert ok.get("To").startswith(f"<{uri}>;tag=")
    call.ack(ok)
    call.send("BYE")
    await peer.ok("BYE")


async def test_multipart_body_gives_its_description(core: Core, peer: Peer) -> None:
    body = (
        f"--x\r\nContent-Type: application/isup\r\n\r\nzz\r\n--x\r\nContent-Type: application/sdp\r\n\r\n{sdp()}\r\n--x--\r\n"
    )
    call = peer.call()
    call.invite(body, kind="multipart/mixed;boundary=x")
    arrived = await core.take(wire.LegArrived)
    assert arrived.sdp.split() == sdp().split()
    call.cancel()


async def test_body_that_is_not_ascii_arrives_whole(core: Core, peer: Peer) -> None:
    described = sdp().replace("s=-", "s=\u00c5\u4e2d\U0001f4de")
    call = peer.call()
    call.invite(described)
    arrived = await core.take(wire.LegArrived)
    assert arrived.sdp == described
    core.send(wire.SendAnswer(arrived.leg, described))
    ok = await peer.get(200)
    assert (int(ok.get("Content-Length")), ok.body) == (len(described.encode()), described)
    call.ack(ok)
    call.send("BYE")


async def test_credentials_nobody_asked_for(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite(fields=["Authorization: rubbish"])
    leg = (await core.take(wire.LegArrived)).leg
    core.send(wire.EndLeg(leg))
    call.ack(await peer.get(603))


async def test_trying_waits_for_something_better(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    arrived = await core.take(wire.LegArrived)
    await peer.get(100)
    core.send(wire.SendProgress(arrived.leg))
    ringing = await peer.get(180)
    core.send(wire.SendAnswer(arrived.leg, sdp()))
    ok = await peer.get(200)
    call.ack(ok)
    assert ringing.param("To", "tag") == ok.param("To", "tag") != ""

    quick = peer.call()
    quick.invite()
    core.send(wire.SendAnswer((await core.take(wire.LegArrived)).leg, sdp()))
    quick.ack(await peer.get(200))
    await peer.nothing(100, within=0.3)
    for ended in (call, quick):
        ended.send("BYE")
        await peer.ok("BYE")


async def test_several_18x_then_answer(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    leg = (await core.take(wire.LegArrived)).leg
    for description in ("", sdp(), "", sdp(2)):
        core.send(wire.SendProgress(leg, description))
    core.send(wire.SendAnswer(leg, sdp(2)))
    call.ack(await peer.get(200))
    assert [(m.what, m.body) for m in peer.log] == [(180, ""), (183, sdp()), (180, ""), (183, sdp(2)), (200, sdp(2))]
    call.send("BYE", fields=['Reason: Q.850;cause=16;text="bye, bye"'])
    await peer.ok("BYE")
    assert await core.take(wire.LegEnded, leg) == wire.LegEnded(leg, "far", reason='Q.850;cause=16;text="bye, bye"')


async def test_ringing_is_told_again_each_minute() -> None:
    core = await Core(SignallingSettings(t1_s=0.005, max_late_ms=10_000.0)).start()
    peer = Peer(core.address)
    call = peer.call()
    call.invite()
    leg = (await core.take(wire.LegArrived)).leg
    core.send(wire.SendProgress(leg))
    told = [await peer.get(180) for _ in range(3)]  # RFC 3261 §13.3.1.1; a minute is 0.6 s here
    assert len({message.raw for message in told}) == 1
    assert all(later.at - earlier.at > 0.4 for earlier, later in pairwise(told))
    core.send(wire.SendAnswer(leg, sdp()))
    call.ack(await peer.get(200))
    await peer.nothing(180, within=0.8)
    peer.close()
    await core.stop()


async def test_cancel_while_ringing(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    leg = (await core.take(wire.LegArrived)).leg
    core.send(wire.SendProgress(leg))
    ringing = await peer.get(180)
    call.cancel(fields=['Reason: SIP;cause=200;text="Call completed elsewhere"'])
    accepted = await peer.get(200)
    terminated = await peer.get(487)
    assert len({m.param("To", "tag") for m in (ringing, accepted, terminated)}) == 1
    call.ack(terminated)
    reason = 'SIP;cause=200;text="Call completed elsewhere"'
    assert await core.take(wire.LegFailed, leg) == wire.LegFailed(leg, 487, "Request Terminated", "cancelled", reason)
    # whatever the core wanted of it comes too late
    core.send(wire.SendAnswer(leg, sdp()), wire.EndLeg(leg), wire.SendReject(leg, 486, "Busy Here"))
    await peer.nothing(487, 200, 486, 603, within=0.3)
    assert core.about(leg) == []


async def test_cancel_before_any_response(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    call.cancel()
    call.ack(await peer.get(487))
    leg = (await core.take(wire.LegArrived)).leg
    assert await core.take(wire.LegFailed, leg) == wire.LegFailed(leg, 487, "Request Terminated", "cancelled")
    assert len(peer.seen(487)) == 1


async def test_expires_is_a_cancel(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite(fields=["Expires: 3"])
    leg = (await core.take(wire.LegArrived)).leg
    call.ack(await peer.get(487))
    assert await core.take(wire.LegFailed, leg) == wire.LegFailed(leg, 487, "Request Terminated", "cancelled")


async def test_bye_of_the_early_dialog(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    leg = (await core.take(wire.LegArrived)).leg
    core.send(wire.SendProgress(leg))
    call.learn(await peer.get(180))
    call.send("BYE")
    assert {(await peer.get(200, 487)).what, (await peer.get(200, 487)).what} == {200, 487}
    assert await core.take(wire.LegFailed, leg) == wire.LegFailed(leg, 487, "Request Terminated", "cancelled")


async def test_we_are_busy(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    leg = (await core.take(wire.LegArrived)).leg
    core.send(wire.SendReject(leg, 486, "Busy Here", reason="Q.850;cause=17", retry_after_s=9))
    busy = await peer.get(486)
    assert (busy.start, busy.get("Reason"), busy.get("Retry-After")) == ("SIP/2.0 486 Busy Here", "Q.850;cause=17", "9")
    call.ack(busy)
    assert await core.take(wire.LegFailed, leg) == wire.LegFailed(leg, 486, "Busy Here")
    await peer.nothing(486, within=0.3)


async def test_rejection_is_repeated_until_its_ack(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    core.send(wire.SendReject((await core.take(wire.LegArrived)).leg, 404, "Not\r\nFound: x"))
    await peer.get(404)
    again = await peer.get(404)
    assert again.start == "SIP/2.0 404 Not  Found: x"
    call.ack(again)
    await asyncio.sleep(0.05)
    count = len(peer.seen(404))
    await peer.nothing(404, within=0.5)
    assert len(peer.seen(404)) == count


async def test_hang_up_before_the_answer_is_a_decline(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    leg = (await core.take(wire.LegArrived)).leg
    core.send(wire.EndLeg(leg, "Q.850;cause=21"))
    declined = await peer.get(603)
    assert declined.get("Reason") == "Q.850;cause=21"
    call.ack(declined)
    assert await core.take(wire.LegFailed, leg) == wire.LegFailed(leg, 603, "Decline")


async def test_bye_waits_for_the_ack(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    leg = (await core.take(wire.LegArrived)).leg
    core.send(wire.SendAnswer(leg, sdp()), wire.EndLeg(leg, "Q.850;cause=16"))
    ok = await peer.get(200)
    assert await core.take(wire.LegEnded, leg) == wire.LegEnded(leg, "us")
    await peer.nothing("BYE", within=0.2)
    call.ack(ok)
    bye = await peer.get("BYE")
    assert bye.get("Reason") == "Q.850;cause=16"
    peer.reply(bye, 200)


async def test_far_bye_while_our_bye_waits(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    leg = (await core.take(wire.LegArrived)).leg
    core.send(wire.SendAnswer(leg, sdp()), wire.EndLeg(leg))
    call.learn(await peer.get(200))
    call.send("BYE")
    await peer.ok("BYE")
    repeats = len(peer.seen(200, "INVITE"))
    await peer.nothing("BYE", within=0.3)
    assert len(peer.seen(200, "INVITE")) == repeats  # their BYE says that they have it
    assert [type(m) for m in core.about(leg)] == [wire.AnswerSent, wire.LegEnded, wire.DialogOver]


async def test_crossing_byes(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    core.send(wire.EndLeg(arrived.leg))
    bye = await peer.get("BYE")
    call.send("BYE")
    peer.reply(bye, 200)
    await peer.ok("BYE")
    assert await core.take(wire.LegEnded, arrived.leg) == wire.LegEnded(arrived.leg, "us")
    assert await core.take(wire.DialogOver, arrived.leg) == wire.DialogOver(arrived.leg)
    assert core.about(arrived.leg) == []


async def test_repeats_raise_one_call(core: Core, peer: Peer) -> None:
    call = peer.call()
    invite = call.invite()
    peer.send(invite)
    leg = (await core.take(wire.LegArrived)).leg
    core.send(wire.SendAnswer(leg, sdp()))
    ok = await peer.get(200)
    peer.send(invite)
    await peer.get(200)
    call.ack(ok)
    bye = call.send("BYE")
    await peer.ok("BYE")
    peer.send(bye)
    await peer.ok("BYE")
    await core.take(wire.LegEnded, leg)
    await asyncio.sleep(1.3)  # the dialog is freed after a second
    peer.send(bye)
    await peer.ok("BYE")
    assert [type(m) for m in core.about(leg)] == [wire.AnswerSent]


async def test_ack_never_arrives(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    leg = (await core.take(wire.LegArrived)).leg
    core.send(wire.SendAnswer(leg, sdp()))
    first = await peer.get(200)
    bye = await peer.get("BYE", within=4.5)
    assert 3.0 < bye.at - first.at < 4.0
    peer.reply(bye, 200)
    assert await core.take(wire.LegEnded, leg) == wire.LegEnded(leg, "us", "no_ack")
    # RFC 3261 §13.3.1.4: the interval doubles up to T2, which is 0.4 s here
    times = [message.at for message in peer.seen(200)]
    assert len(times) in (10, 11)
    assert max(later - earlier for earlier, later in pairwise(times)) < 0.6


async def test_late_offer_is_answered_in_the_ack(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite("")
    arrived = await core.take(wire.LegArrived)
    assert arrived.sdp == ""
    core.send(wire.SendAnswer(arrived.leg, sdp(3)))
    call.ack(await peer.get(200), sdp(4, "recvonly"))
    assert await core.take(wire.OfferAnswered, arrived.leg) == wire.OfferAnswered(arrived.leg, 200, sdp(4, "recvonly"))
    call.send("BYE")


async def test_contact_by_name_is_reached_where_the_invite_came_from(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer, contact="<sip:peer@no-such-host.invalid;transport=tcp>")
    core.send(wire.EndLeg(arrived.leg))
    bye = await peer.get("BYE")
    assert bye.uri == "sip:peer@no-such-host.invalid;transport=tcp"
    peer.reply(bye, 200)
    assert call.call_id == bye.get("Call-ID")


async def test_tel_caller_is_written_back_as_it_came(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer, caller="<tel:+15550100>")
    core.send(wire.EndLeg(arrived.leg))
    bye = await peer.get("BYE")
    assert bye.get("To") == call.caller
    peer.reply(bye, 200)
