"""Re-INVITEs over SIP, theirs and ours, and messages that come several times: what changes, and what must not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from callwright import telephony
from callwright.calls import journal
from callwright.calls.model import Call
from support.sip_peer import Caller, Message, Peer, sdp
from support.sip_stage import SipStage, gone, hung_up, pause, transfer

pytestmark = pytest.mark.asyncio(loop_scope="module")

REVERSED = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive", "sendrecv": "sendrecv"}


def direction_of(message: Message) -> str:
    return next(line[2:] for line in message.body.split("\r\n") if line[2:] in REVERSED)


async def let_go(stage: SipStage, a: Peer, caller: Caller, b: Peer, call: Call) -> None:
    """End a call and see that it was a sound one till then."""
    await gone(a, caller)
    await hung_up(b)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "caller_hangup"), ("outgoing", "hangup", "peer_gone")])


def shown(stage: SipStage, call: Call) -> Any:
    return stage.told(call), stage.legs(call), stage.calls_to(call.destination)


@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_hold_and_resume_by_the_far_end(stage: SipStage, a: Peer, b: Peer, who: str) -> None:
    caller, callee, call = await stage.talk(a, b)
    dialog, leg = (caller, 0) if who == "caller" else (callee, 1)
    before = shown(stage, call)
    for version, says in enumerate(("sendonly", "inactive", "recvonly", "sendrecv"), 2):
        dialog.invite(sdp(version, says))
        ok = await dialog.hears(200)
        dialog.ack(ok)
        assert direction_of(ok) == REVERSED[says]
    leg_id = stage.leg_id(call, leg)
    await stage.until(lambda: len(stage.entries(call, journal.Held)) == 4)
    assert stage.entries(call, journal.Held) == [
        journal.Held(leg=leg_id, direction=says) for says in ("sendonly", "inactive", "recvonly", "sendrecv")
    ]
    assert shown(stage, call) == before
    await let_go(stage, a, caller, b, call)


async def test_a_refresh_and_one_without_an_offer_are_journalled(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, _, call = await stage.talk(a, b)
    before = shown(stage, call)
    caller.invite(sdp())  # the very same
    first = await caller.hears(200)
    caller.ack(first)
    caller.invite("")
    offer = await caller.hears(200)
    assert (first.body.count("m=audio"), "PCMA/8000" in offer.body, direction_of(offer)) == (1, True, "sendrecv")
    caller.ack(offer, sdp(2))
    refreshed = journal.SessionRefreshed(leg=stage.leg_id(call, 0))
    await stage.until(lambda: stage.entries(call, journal.SessionRefreshed) == [refreshed, refreshed])
    assert shown(stage, call) == before
    await let_go(stage, a, caller, b, call)


async def test_an_offer_that_cannot_be_taken_leaves_the_session(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, _, call = await stage.talk(a, b)
    for wrong in ("AVP 18", "SAVP 0"):
        caller.invite(sdp(2).replace("AVP 0", wrong))
        caller.ack(await caller.hears(488))
    caller.send("UPDATE")  # a session timer
    await a.ok("UPDATE")
    await let_go(stage, a, caller, b, call)


# ours -----------------------------------------------------------------------------------------------------------------


async def hold(stage: SipStage, call: Call, leg: UUID, kind: Any = telephony.Hold) -> None:
    actor = stage.switch._by_call[call.id]
    actor.command(kind, leg)
    actor.submit()


async def test_our_hold_and_resume(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, _, call = await stage.talk(a, b)
    leg = stage.leg_id(call, 1)
    for kind, ours, theirs in ((telephony.Hold, "sendonly", "recvonly"), (telephony.Resume, "sendrecv", "sendrecv")):
        await hold(stage, call, leg, kind)
        invite = await b.get("INVITE")
        assert (direction_of(invite), invite.param("To", "tag")) == (ours, "far")
        b.reply(invite, 200, body=sdp(2, theirs))
        await b.get("ACK")
        held = journal.Held(leg=leg, direction=theirs)
        await stage.until(lambda held=held: held in stage.entries(call))
    await let_go(stage, a, caller, b, call)


async def test_a_refresh_by_the_far_end_does_not_end_our_hold(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, callee, call = await stage.talk(a, b)
    await hold(stage, call, stage.leg_id(call, 1))
    b.reply(await b.get("INVITE"), 200, body=sdp(2, "recvonly"))
    await b.get("ACK")
    await stage.until(lambda: stage.entries(call, journal.Held))
    callee.invite(sdp(3))
    ok = await b.get(200)
    callee.ack(ok)
    assert direction_of(ok) == "sendonly"
    await let_go(stage, a, caller, b, call)


async def test_glare_is_tried_again_with_the_session_as_it_is_then(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, callee, call = await stage.talk(a, b)
    leg = stage.leg_id(call, 1)
    await hold(stage, call, leg)
    ours = await b.get("INVITE")
    callee.invite(sdp(2, "sendrecv"))
    callee.ack(await callee.hears(491))
    b.reply(ours, 491, "Request Pending")
    callee.invite(sdp(3))  # theirs is first to come back
    ok = await callee.hears(200)
    callee.ack(ok)
    again = await b.get("INVITE")
    assert (direction_of(again), again.cseq[0]) == ("sendonly", ours.cseq[0] + 1)

    def version(message: Message) -> int:
        return int(message.body.partition("o=")[2].split()[2])

    assert version(again) == version(ok) + 1
    b.reply(again, 200, body=sdp(4, "recvonly"))
    await b.get("ACK")
    await stage.until(lambda: stage.entries(call, journal.Held) == [journal.Held(leg=leg, direction="recvonly")])
    await let_go(stage, a, caller, b, call)


@pytest.mark.parametrize("code", [408, 481])
async def test_a_far_end_that_lost_the_dialog(stage: SipStage, a: Peer, b: Peer, code: int) -> None:
    _, _, call = await stage.talk(a, b)
    await hold(stage, call, stage.leg_id(call, 1))
    b.reply(await b.get("INVITE"), code, "Gone")
    await b.get("ACK")
    await hung_up(b)
    await hung_up(a)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "flow_ended"), ("outgoing", "hangup", "dialog_lost")])


async def test_any_other_refusal_keeps_the_session(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, _, call = await stage.talk(a, b)
    leg = stage.leg_id(call, 1)
    await hold(stage, call, leg)
    b.reply(await b.get("INVITE"), 488, "Not Acceptable Here")
    await b.get("ACK")
    await stage.until(lambda: not stage.sip_engine._legs.alive[leg].offering)
    assert (stage.outcome(call)[0], stage.entries(call, journal.Held)) == ("ongoing", [])
    await hold(stage, call, leg)  # it is not on hold, so that it can be asked again
    b.reply(await b.get("INVITE"), 200, body=sdp(2, "recvonly"))
    await b.get("ACK")
    await let_go(stage, a, caller, b, call)


# several times over ---------------------------------------------------------------------------------------------------


class Stuttering(Peer):
    """A far end each of whose datagrams arrives three times."""

    def send(self, data: str | bytes) -> None:
        for _ in range(3):
            super().send(data)


async def repeated(peer: Peer, what: str | int, method: str | None = None, *, times: int = 3) -> Message:
    """The first of a message of ours that comes again and again, because nobody answers."""
    await peer.get(what)
    while len(peer.seen(what, method)) < times:
        await peer.again(what)
    first, *others = peer.seen(what, method)
    assert {other.raw for other in others} == {first.raw}
    return first


async def test_everything_repeated_is_one_call(stage: SipStage, another: Callable[..., Peer]) -> None:
    a, b = another(Stuttering), another(Stuttering)
    number = await stage.answers(transfer(b), pause())
    caller = a.call(number)
    caller.invite()
    invite = await repeated(b, "INVITE")
    b.reply(invite, 180, "Ringing")
    b.reply(invite, 200, body=sdp())
    await b.get("ACK")
    ok = await repeated(a, 200, "INVITE")
    caller.ack(ok)
    call = await stage.call_to(number)
    await stage.reaches(call, "ongoing", "ongoing")
    caller.invite(sdp(2, "sendonly"))
    held = await a.get(200)
    while held.cseq != (2, "INVITE"):
        held = await a.get(200)
    caller.ack(held)
    callee = b.called(invite)
    callee.send("BYE")
    await b.ok("BYE")
    await stage.reaches(call, "ongoing", "hangup")
    await stage.switch.hang_up_call(stage.world.id, call.id)
    bye = await repeated(a, "BYE")
    a.reply(bye, 200)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "api_hangup"), ("outgoing", "hangup", "callee_hangup")])
    assert [call.id] == [one.id for one in stage.calls_to(number)]
    assert len(stage.entries(call, journal.Held)) == 1
    assert stage.told(call) == [
        ("callCreated", "starting", ["starting"]),
        ("callUpdated", "starting", ["starting", "starting"]),
        ("callUpdated", "starting", ["ringing", "ringing"]),
        ("callUpdated", "ongoing", ["ringing", "ongoing"]),
        ("callUpdated", "ongoing", ["ongoing", "ongoing"]),
        ("callUpdated", "ongoing", ["ongoing", "hangup"]),
        ("callUpdated", "ended", ["hangup", "hangup"]),
    ]


async def test_a_repeated_cancel_and_our_repeated_cancel(stage: SipStage, another: Callable[..., Peer]) -> None:
    a, b = another(Stuttering), another(Stuttering)
    caller, invite, call = await stage.rings(a, b)
    caller.send("CANCEL", branch=a.seen(180)[0].branch, cseq=1)
    await repeated(a, 487)  # until it is acknowledged
    cancel = await repeated(b, "CANCEL")
    b.reply(cancel, 200)
    b.reply(invite, 487, "Request Terminated")
    assert (await b.get("ACK")).branch == invite.branch
    caller.ack(a.seen(487)[0])
    assert await stage.over(call) == (
        "no_answer",
        [("incoming", "no_answer", "caller_cancelled"), ("outgoing", "hangup", "caller_gone")],
    )


async def test_our_answer_is_repeated_until_its_ack(stage: SipStage, a: Peer) -> None:
    number = await stage.answers(pause())
    caller = a.call(number)
    caller.invite()
    caller.ack(await repeated(a, 200))
    call = await stage.call_to(number)
    await gone(a, caller)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "caller_hangup")])


async def test_ringing_that_takes_over_from_a_lost_cancel(stage: SipStage, a: Peer, b: Peer) -> None:
    """The CANCEL's answer is lost, and so is the first 487."""
    caller, invite, call = await stage.rings(a, b)
    await stage.switch.hang_up_call(stage.world.id, call.id)
    caller.ack(await a.get(603))
    cancel = await repeated(b, "CANCEL", times=2)
    b.reply(cancel, 200)
    b.reply(invite, 487, "Request Terminated")
    assert {(await b.get("ACK")).branch, cancel.branch} == {invite.branch}
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "api_hangup"), ("outgoing", "hangup", "api_hangup")])
