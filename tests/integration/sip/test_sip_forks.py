"""An INVITE of ours that a proxy forks: the first answer is the call, and every other is acknowledged and let go."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from callwright.sip import wire
from support.signalling import Core
from support.sip_peer import Message, Peer, sdp

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def placed(core: Core, peer: Peer) -> tuple[UUID, Message]:
    leg = uuid4()
    core.send(wire.PlaceLeg(leg, "3000", "127.0.0.1", "127.0.0.1", peer.port, "1000", sdp()))
    return leg, await peer.get("INVITE")


async def let_go(peer: Peer, invite: Message, tag: str) -> Message:
    """The ACK and the BYE of one branch."""
    ack, bye = await peer.get("ACK"), await peer.get("BYE")
    for request, cseq in ((ack, invite.cseq[0]), (bye, invite.cseq[0] + 1)):
        assert request.param("To", "tag") == tag
        assert (request.get("From"), request.get("Call-ID")) == (invite.get("From"), invite.get("Call-ID"))
        assert request.cseq[0] == cseq
    assert len({invite.branch, ack.branch, bye.branch}) == 3
    return bye


async def end(core: Core, peer: Peer, leg: UUID) -> None:
    core.send(wire.EndLeg(leg))
    bye = await peer.get("BYE")
    assert bye.param("To", "tag") == "one"
    peer.reply(bye, 200)
    assert await core.take(wire.LegEnded, leg) == wire.LegEnded(leg, "us")
    await core.take(wire.DialogOver, leg)
    assert core.about(leg) == []


async def test_a_second_branch_is_acknowledged_and_let_go(core: Core, peer: Peer) -> None:
    leg, invite = await placed(core, peer)
    for tag in ("two", "one"):
        peer.reply(invite, 180, "Ringing", tag=tag)
    peer.reply(invite, 200, body=sdp(), tag="one")
    assert (await peer.get("ACK")).param("To", "tag") == "one"
    await core.take(wire.LegAnswered, leg)

    second = Peer(core.address)  # the other branch is another telephone
    answer = {"body": sdp(2), "fields": [f"Contact: <sip:second@127.0.0.1:{second.port}>"], "tag": "two"}
    peer.reply(invite, 200, **answer)  # type: ignore[arg-type]
    bye = await let_go(second, invite, "two")
    assert bye.uri == f"sip:second@127.0.0.1:{second.port}"
    peer.reply(invite, 200, **answer)  # type: ignore[arg-type]
    await second.get("ACK")
    assert {message.raw for message in second.seen("BYE")} == {bye.raw}  # a repeat has its BYE under way
    second.reply(bye, 200)
    assert await core.take(wire.ForkReleased, leg) == wire.ForkReleased(leg)
    core.said[:] = [message for message in core.said if not isinstance(message, wire.LegProgress)]
    await end(core, peer, leg)
    second.close()


async def test_a_repeat_of_the_first_answer_with_other_fields_is_no_branch(core: Core, peer: Peer) -> None:
    leg, invite = await placed(core, peer)
    peer.reply(invite, 200, body=sdp(), tag="one")
    await peer.get("ACK")
    await core.take(wire.LegAnswered, leg)
    peer.reply(invite, 200, body=sdp(), fields=["Server: another"], tag="one")
    assert (await peer.get("ACK", "BYE")).what == "ACK"
    peer.reply(invite, 180, "Ringing", tag="two")  # a branch that only rings needs nothing
    await end(core, peer, leg)


async def test_a_branch_behind_proxies_gets_its_bye_by_their_way(core: Core, peer: Peer) -> None:
    leg, invite = await placed(core, peer)
    peer.reply(invite, 200, body=sdp(), tag="one")
    await peer.get("ACK")
    await core.take(wire.LegAnswered, leg)
    route = f"<sip:127.0.0.1:{peer.port};lr>"
    fields = [f"Record-Route: {route}", "Contact: <sip:second@192.0.2.1>"]
    peer.reply(invite, 200, body=sdp(), fields=fields, tag="two")
    bye = await let_go(peer, invite, "two")
    assert (bye.uri, bye.get("Route")) == ("sip:second@192.0.2.1", route)
    peer.reply(bye, 481, "Gone")
    await core.take(wire.ForkReleased, leg)
    await end(core, peer, leg)


async def test_branches_after_the_end_and_behind_our_cancel_are_let_go_too(core: Core, peer: Peer) -> None:
    leg, invite = await placed(core, peer)
    peer.reply(invite, 180, "Ringing", tag="one")
    await core.take(wire.LegProgress, leg)
    core.send(wire.EndLeg(leg))
    peer.reply(await peer.get("CANCEL"), 200)
    for tag in ("one", "two"):
        peer.reply(invite, 200, body=sdp(), tag=tag)
        peer.reply(await let_go(peer, invite, tag), 200)
    assert await core.take(wire.LegEnded, leg) == wire.LegEnded(leg, "us", "late_answer")
    await core.take(wire.DialogOver, leg)
    await core.take(wire.ForkReleased, leg)
    assert core.about(leg) == []


async def test_an_answered_invite_is_forgotten_after_its_time(core: Core, peer: Peer) -> None:
    leg, invite = await placed(core, peer)
    peer.reply(invite, 200, body=sdp(), tag="one")
    await peer.get("ACK")
    await core.take(wire.LegAnswered, leg)
    for _ in range(6):  # 64 T1 are 3.2 s here
        await core.load()
    peer.reply(invite, 200, body=sdp(), tag="late")
    await peer.nothing("ACK", "BYE", within=0.2)
    await end(core, peer, leg)
