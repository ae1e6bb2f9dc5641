"""What is kept of a dialog, and the BYE that a successor makes of it for a far end that has heard nothing of the death."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import msgspec
import pytest

from callwright.sip import wire
from support.signalling import SETTINGS, Core
from support.sip_peer import Caller, Message, Peer, sdp

pytestmark = pytest.mark.asyncio(loop_scope="module")


def state(dialog: bytes) -> wire.DialogState:
    return msgspec.msgpack.decode(dialog, type=wire.DialogState)


async def answered(core: Core, peer: Peer, *fields: str, **options: str) -> tuple[Caller, wire.LegArrived, Message]:
    """A caller who is answered: the call, what was told of it, and our 200."""
    call = peer.call(**options)
    call.invite(fields=fields)
    arrived = await core.take(wire.LegArrived)
    core.send(wire.SendAnswer(arrived.leg, sdp()))
    answer = await peer.get(200)
    call.ack(answer)
    await core.take(wire.AnswerSent, arrived.leg)
    return call, arrived, answer


async def reached(core: Core, peer: Peer, *fields: str) -> tuple[Message, wire.LegAnswered]:
    """A callee who answered: our INVITE, and what was told of the answer."""
    leg = uuid4()
    core.send(wire.PlaceLeg(leg, user="3000", host="127.0.0.1", address="127.0.0.1", port=peer.port, caller="1000", sdp=sdp()))
    invite = await peer.get("INVITE")
    peer.reply(invite, 200, body=sdp(), fields=fields)
    await peer.get("ACK")
    return invite, await core.take(wire.LegAnswered, leg)


async def over(core: Core, *legs: object) -> None:
    """Let the signalling process forget legs that the test has ended behind its back."""
    for leg in legs:
        core.send(wire.EndLeg(leg))  # type: ignore[arg-type]
        await core.take(wire.LegEnded, leg)  # type: ignore[arg-type]


async def test_a_caller_gets_a_bye_of_its_dialog(core: Core, peer: Peer) -> None:
    routes = [f"Record-Route: <sip:{host};lr>" for host in (f"127.0.0.1:{peer.port}", "192.0.2.1", "192.0.2.2:5070;x=y")]
    call, arrived, answer = await answered(
        core,
        peer,
        *routes,
        caller='"Ros\u00e9, A" <sip:1000@example.org;x=1>',
        contact="<sip:pe%C3%A9r@192.0.2.9:5090;transport=UDP>",
    )
    core.send(wire.ReleaseDialog(uuid4(), arrived.dialog))
    bye = await peer.get("BYE")
    own = f"127.0.0.1:{core.address[1]}"
    assert bye.start == "BYE sip:pe%C3%A9r@192.0.2.9:5090;transport=UDP SIP/2.0"
    assert (bye.get("From"), bye.get("To"), bye.get("Call-ID")) == (answer.get("To"), call.caller, call.call_id)
    assert bye.all("Route") == [route.partition(": ")[2] for route in routes]
    assert bye.cseq == (state(arrived.dialog).cseq + 1_000, "BYE")
    assert bye.get("Via").startswith(f"SIP/2.0/UDP {own};rport;branch=z9hG4bK")
    assert (bye.get("Contact"), bye.get("Max-Forwards"), bye.body) == (f"<sip:{own}>", "70", "")
    peer.reply(bye, 200)
    await over(core, arrived.leg)
    ours = await peer.get("BYE")
    assert ours.cseq[0] < bye.cseq[0], "the number grows whatever the dead process has sent"
    peer.reply(ours, 481)


async def test_a_callee_gets_a_bye_of_its_dialog(core: Core, peer: Peer) -> None:
    route = f"<sip:127.0.0.1:{peer.port};lr>"
    invite, told = await reached(core, peer, f"Record-Route: {route}", "Contact: <sip:far@192.0.2.1;transport=UDP>")
    core.send(wire.ReleaseDialog(told.leg, told.dialog))
    bye = await peer.get("BYE")
    assert (bye.uri, bye.get("Route")) == ("sip:far@192.0.2.1;transport=UDP", route)
    assert (bye.get("From"), bye.get("To")) == (invite.get("From"), f"{invite.get('To')};tag=far")
    assert bye.get("Call-ID") == invite.get("Call-ID")
    assert bye.cseq[0] > invite.cseq[0]
    peer.reply(bye, 200)
    await over(core, told.leg)
    peer.reply(await peer.get("BYE"), 481)


async def test_a_contact_that_is_a_name_is_reached_where_its_invite_came_from(core: Core, peer: Peer) -> None:
    _, arrived, _ = await answered(core, peer, contact="<sip:peer@phone.example.org>")
    kept = state(arrived.dialog)
    assert (kept.target, kept.address, kept.port) == (b"sip:peer@phone.example.org", "127.0.0.1", peer.port)
    core.send(wire.ReleaseDialog(arrived.leg, arrived.dialog))
    bye = await peer.get("BYE")
    assert bye.uri == "sip:peer@phone.example.org"
    peer.reply(bye, 200)
    await over(core, arrived.leg)
    peer.reply(await peer.get("BYE"), 481)


@pytest.mark.parametrize(("code", "phrase"), [(200, "OK"), (481, "Call/Transaction Does Not Exist"), (401, "Unauthorized")])
async def test_it_is_repeated_until_it_is_answered(core: Core, peer: Peer, code: int, phrase: str) -> None:
    _, arrived, _ = await answered(core, peer)
    core.said.clear()
    begun = asyncio.get_running_loop().time()
    core.send(wire.ReleaseDialog(arrived.leg, arrived.dialog))
    byes = [await peer.get("BYE"), *[await peer.again("BYE") for _ in range(3)]]
    assert len({bye.raw for bye in byes}) == 1
    times = [bye.at - begun for bye in byes]
    # T1, doubling (RFC 3261 §17.1.2.2)
    assert all(at > 0.05 * n - 0.02 for at, n in zip(times, (0, 1, 3, 7), strict=True)), times
    assert core.about(arrived.leg) == []
    peer.reply(byes[0], code, phrase)
    await peer.caught_up()
    await peer.nothing("BYE", within=0.6)
    assert core.about(arrived.leg) == [wire.DialogOver(arrived.leg)]
    await over(core, arrived.leg)
    peer.reply(await peer.get("BYE"), 481)


async def test_a_far_end_that_is_gone_too_is_given_up(core: Core) -> None:
    """64 T1 without an answer; the transaction is forgotten."""
    peer = Peer(core.address)
    _, arrived, _ = await answered(core, peer)
    await over(core, arrived.leg)
    peer.reply(await peer.get("BYE"), 200)
    await core.take(wire.DialogOver, arrived.leg)  # of that one
    begun = asyncio.get_running_loop().time()
    core.send(wire.ReleaseDialog(arrived.leg, arrived.dialog))
    await core.take(wire.DialogOver, arrived.leg, within=15.0)
    assert asyncio.get_running_loop().time() - begun > 3.1
    await peer.caught_up()
    assert peer.seen("BYE")[-1].at - begun > 2.5
    await peer.nothing("BYE", within=0.5)
    assert core.about(arrived.leg) == []
    peer.close()


async def test_a_re_invite_that_moves_the_far_end_is_told(core: Core, peer: Peer) -> None:
    call, arrived, _ = await answered(core, peer)
    elsewhere = Peer(core.address)
    call.contact = f"<sip:elsewhere@127.0.0.1:{elsewhere.port}>"
    call.invite(sdp(2))
    await core.take(wire.OfferArrived, arrived.leg)
    core.send(wire.AnswerOffer(arrived.leg, sdp(2)))
    call.ack(await peer.get(200))
    moved = await core.take(wire.DialogMoved, arrived.leg)
    before, now = state(arrived.dialog), state(moved.dialog)
    assert now == msgspec.structs.replace(
        before, target=f"sip:elsewhere@127.0.0.1:{elsewhere.port}".encode(), port=elsewhere.port, cseq=now.cseq
    )
    call.invite(sdp(3))  # the same Contact again is no news
    await core.take(wire.OfferArrived, arrived.leg)
    core.send(wire.AnswerOffer(arrived.leg, sdp(3)), wire.ReleaseDialog(uuid4(), moved.dialog))
    bye = await elsewhere.get("BYE")
    assert (bye.uri, core.about(arrived.leg)) == (f"sip:elsewhere@127.0.0.1:{elsewhere.port}", [])
    elsewhere.reply(bye, 200)
    call.ack(await peer.get(200))
    await over(core, arrived.leg)
    elsewhere.reply(await elsewhere.get("BYE"), 481)
    elsewhere.close()


async def test_a_successor_ends_what_its_predecessor_answered_before_it_takes_an_invite() -> None:
    settings = msgspec.structs.replace(SETTINGS, t1_s=0.5)
    core = await Core(settings).start()
    peer = Peer(core.address)
    call, arrived, _ = await answered(core, peer)
    invite, told = await reached(core, peer)
    core.process.kill()
    core.process.communicate()
    core.link.close()
    peer.call("2001").invite()  # comes while nobody is there
    await core.start(admit=False)
    await peer.nothing(100, 180, 503, "BYE", within=0.5)
    core.send(wire.ReleaseDialog(arrived.leg, arrived.dialog), wire.ReleaseDialog(told.leg, told.dialog), wire.Admit(True))
    first, second = await peer.get("BYE"), await peer.get("BYE")
    assert {first.get("Call-ID"), second.get("Call-ID")} == {call.call_id, invite.get("Call-ID")}
    peer.reply(first, 200)
    peer.reply(second, 200)
    new = await core.take(wire.LegArrived)
    assert new.destination == "2001"
    assert [message.what for message in peer.log if message.at >= first.at][:2] == ["BYE", "BYE"]
    call.send("BYE")  # what crossed ours belongs to nothing any more
    await peer.get(481)
    await core.stop()
    peer.close()


async def test_a_state_that_cannot_be_read_harms_nobody() -> None:
    core = await Core(SETTINGS).start()
    core.send(wire.ReleaseDialog(uuid4(), b"\x91\x00"))
    await core.load()
    out, err = await core.stop()
    assert (core.process.returncode, out) == (0, "")
    assert '"event":"sip_fault","where":"ReleaseDialog"' in err
