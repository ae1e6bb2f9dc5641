"""Calls that are up, over SIP: how they are ended by either side, by us, by both at once, and what ends nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callwright.calls import journal
from callwright.reasons import Reason
from callwright.switch.mailbox import Ask
from support.sip_peer import Peer, sdp
from support.sip_stage import SipStage, cancelled, gone, hung_up, pause, transfer

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHY = 'Q.850;cause=16;text="done"'
TALKED = [("incoming", "hangup", "caller_hangup"), ("outgoing", "hangup", "peer_gone")]
LEFT = [("incoming", "hangup", "flow_ended"), ("outgoing", "hangup", "callee_hangup")]


async def test_the_caller_hangs_up(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, _, call = await stage.talk(a, b)
    caller.send("BYE", fields=[f"Reason: {WHY}"])
    await a.ok("BYE")
    bye = await b.get("BYE")
    await stage.until(lambda: not stage.calls_to(call.destination)[0].live)  # our BYE is sent, its 200 is not there yet
    assert (bye.get("Reason"), {one.raw for one in b.seen("BYE")}) == (WHY, {bye.raw})
    b.reply(bye, 200)
    assert await stage.over(call) == ("ended", TALKED)


async def test_the_callee_hangs_up_and_the_flow_goes_on(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, callee, call = await stage.talk(a, b, pause())
    await gone(b, callee, fields=[f"Reason: {WHY}"])
    await stage.reaches(call, "ongoing", "hangup")
    await a.nothing("BYE", within=0.1)
    assert stage.outcome(call) == ("ongoing", [("incoming", "ongoing", ""), ("outgoing", "hangup", "callee_hangup")])
    await gone(a, caller)
    assert (await stage.over(call))[1][0] == ("incoming", "hangup", "caller_hangup")


async def test_the_callee_hangs_up_and_the_flow_is_over(stage: SipStage, a: Peer, b: Peer) -> None:
    _, callee, call = await stage.talk(a, b)
    await gone(b, callee, fields=[f"Reason: {WHY}"])
    await hung_up(a, reason=WHY)
    assert await stage.over(call) == ("ended", LEFT)


@pytest.mark.parametrize("first", ["a", "b"])
async def test_byes_that_cross(stage: SipStage, a: Peer, b: Peer, first: str) -> None:
    caller, callee, call = await stage.talk(a, b)
    peers, dialogs = ((a, b), (caller, callee)) if first == "a" else ((b, a), (callee, caller))
    dialogs[0].send("BYE")
    dialogs[1].send("BYE")
    for peer in peers:
        answer = await peer.get(200)
        assert answer.cseq[1] == "BYE"
        for bye in peer.seen("BYE"):
            peer.reply(bye, 200)
    status, legs = await stage.over(call)
    assert (status, legs) in [("ended", TALKED), ("ended", LEFT)]  # two datagrams on two sockets: either may be read first
    assert [entry.leg for entry in stage.entries(call, journal.LegLast)].count(stage.leg_id(call, 0)) == 1
    assert len(stage.entries(call, journal.LegLast)) == 2


async def test_a_callee_that_fails_is_followed_by_the_next(
    stage: SipStage, a: Peer, b: Peer, another: Callable[..., Peer]
) -> None:
    c = another()
    caller, invite, call = await stage.rings(a, b, transfer(c))
    b.reply(invite, 486, "Busy Here")
    second = await c.get("INVITE")
    assert a.seen(486) == []
    c.reply(second, 200, body=sdp())
    await c.get("ACK")
    caller.ack(await a.get(200))
    await stage.reaches(call, "ongoing", "busy", "ongoing")
    await gone(a, caller)
    await hung_up(c)
    assert await stage.over(call) == (
        "ended",
        [("incoming", "hangup", "caller_hangup"), ("outgoing", "busy", "busy"), ("outgoing", "hangup", "peer_gone")],
    )


async def test_an_answered_caller_whose_callee_fails_hears_the_end_of_the_flow(stage: SipStage, a: Peer, b: Peer) -> None:
    number = await stage.answers(pause(0.05), transfer(b))
    caller = a.call(number)
    caller.invite()
    caller.ack(await a.get(200))
    b.reply(await b.get("INVITE"), 486, "Busy Here", fields=[f"Reason: {WHY}"])
    await hung_up(a, reason=WHY)
    assert await stage.over(await stage.call_to(number)) == (
        "ended",
        [("incoming", "hangup", "flow_ended"), ("outgoing", "busy", "busy")],
    )


@pytest.mark.parametrize("answers", ["before", "behind"])
async def test_the_callees_answer_crosses_the_callers_bye(stage: SipStage, a: Peer, b: Peer, answers: str) -> None:
    number = await stage.answers(pause(0.05), transfer(b))  # an answered caller, who can send a BYE
    caller = a.call(number)
    caller.invite()
    caller.ack(await a.get(200))
    invite = await b.get("INVITE")
    call = await stage.call_to(number)
    if answers == "behind":
        b.reply(invite, 100, "Trying")
        caller.send("BYE")
        await b.get("CANCEL")
        b.reply(invite, 200, body=sdp())
    else:
        b.reply(invite, 200, body=sdp())
        caller.send("BYE")
    assert (await b.get("ACK")).param("To", "tag") == "far"
    await hung_up(b)
    status, (near, far) = await stage.over(call)
    assert (status, near) == ("ended", ("incoming", "hangup", "caller_hangup"))
    answered = stage.legs(call)[1].answered_us is not None
    assert far == ("outgoing", "hangup", "peer_gone" if answered else "caller_gone")
    assert bool(stage.entries(call, journal.LateAnswerReleased)) is not answered
    if answers == "behind":
        assert not answered


# ended from outside --------------------------------------------------------------------------------------------------


async def hang_up(stage: SipStage, call: object) -> None:
    await stage.switch.hang_up_call(stage.world.id, call.id)  # type: ignore[attr-defined]


async def test_delete_while_both_talk(stage: SipStage, a: Peer, b: Peer) -> None:
    _, _, call = await stage.talk(a, b)
    await hang_up(stage, call)
    assert not stage.calls_to(call.destination)[0].live  # committed, whatever the wire does
    await hung_up(a)
    await hung_up(b)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "api_hangup"), ("outgoing", "hangup", "api_hangup")])
    events = stage.told(call)
    await hang_up(stage, call)  # C3: it is over, and nothing more is told
    assert stage.told(call) == events


async def test_delete_while_the_callee_rings(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, invite, call = await stage.rings(a, b)
    await hang_up(stage, call)
    caller.ack(await a.get(603))
    await cancelled(b, invite)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "api_hangup"), ("outgoing", "hangup", "api_hangup")])


async def test_delete_while_the_caller_is_being_answered(stage: SipStage, a: Peer) -> None:
    """The 200 is on its way or not yet: 603, or a BYE behind the ACK."""
    number = await stage.answers(pause())
    caller = a.call(number)
    caller.invite()
    call = await stage.call_to(number)
    await hang_up(stage, call)
    final = await a.get(200, 603)
    caller.ack(final)
    if final.what == 200:
        await hung_up(a)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "api_hangup")])


async def test_delete_of_a_placed_call_in_each_state(stage: SipStage, b: Peer) -> None:
    queued = await stage.place(f"sip:3000@127.0.0.1:{b.port}", [pause()])
    await hang_up(stage, queued)
    assert await stage.over(queued) == ("ended", [("outgoing", "hangup", "api_hangup")])

    dialled = await stage.place(f"sip:3000@127.0.0.1:{b.port}", [pause()])
    invite = await b.get("INVITE")
    while invite.get("Call-ID") != str(stage.leg_id(dialled, 0)):  # of the one before, if it had left already
        invite = await b.get("INVITE")
    await hang_up(stage, dialled)
    await b.nothing("CANCEL", within=0.1)  # there was no 1xx yet (RFC 3261 §9.1)
    b.reply(invite, 180, "Ringing")
    await cancelled(b, invite)
    assert await stage.over(dialled) == ("ended", [("outgoing", "hangup", "api_hangup")])

    talking = await stage.place(f"sip:3000@127.0.0.1:{b.port}", [pause()])
    invite = await b.get("INVITE")
    b.reply(invite, 200, body=sdp())
    await b.get("ACK")
    await stage.reaches(talking, "ongoing")
    await hang_up(stage, talking)
    await hung_up(b)
    assert await stage.over(talking) == ("ended", [("outgoing", "hangup", "api_hangup")])


@pytest.mark.parametrize("which", [0, 1], ids=["caller", "callee"])
async def test_delete_of_one_leg(stage: SipStage, a: Peer, b: Peer, which: int) -> None:
    _, _, call = await stage.talk(a, b)
    await stage.switch.hang_up_leg(stage.world.id, stage.leg_id(call, which))
    await hung_up(a)
    await hung_up(b)
    reasons = ("api_hangup", "peer_gone") if which == 0 else ("flow_ended", "api_hangup")
    assert await stage.over(call) == (
        "ended",
        [("incoming", "hangup", reasons[0]), ("outgoing", "hangup", reasons[1])],
    )


@pytest.mark.parametrize(("which", "callee"), [(0, "caller_gone"), (1, "api_hangup")], ids=["caller", "callee"])
async def test_delete_of_a_ringing_leg(stage: SipStage, a: Peer, b: Peer, which: int, callee: str) -> None:
    caller, invite, call = await stage.rings(a, b)
    await stage.switch.hang_up_leg(stage.world.id, stage.leg_id(call, which))
    await cancelled(b, invite)
    caller.ack(await a.get(603))
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "api_hangup"), ("outgoing", "hangup", callee)])


async def test_the_flow_is_over(stage: SipStage, a: Peer) -> None:
    _, call = await stage.answered(a, pause(0.1))
    await hung_up(a)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "flow_ended")])


@pytest.mark.parametrize("whose", ["flow", "setting"])
async def test_the_longest_duration(stage: SipStage, a: Peer, whose: str) -> None:
    with stage.calls_with(max_duration=0.2 if whose == "setting" else 60.0):
        number = await stage.answers(pause(), **({"maxDuration": 1} if whose == "flow" else {}))
        caller = a.call(number)
        caller.invite()
        caller.ack(await a.get(200))
        await hung_up(a)
        assert await stage.over(await stage.call_to(number)) == ("ended", [("incoming", "hangup", "max_duration")])


async def test_draining_ends_what_lives(stage: SipStage, a: Peer, b: Peer, another: Callable[..., Peer]) -> None:
    _, _, call = await stage.talk(a, b)
    other, ringing = another(), another()
    caller, invite, waiting = await stage.rings(other, ringing)
    for lives in (call, waiting):
        await stage.switch._by_call[lives.id].ask(Ask.SHUT_DOWN)
    await hung_up(a)
    await hung_up(b)
    caller.ack(await other.get(603))
    await cancelled(ringing, invite)
    both = [("incoming", "hangup", "shutdown"), ("outgoing", "hangup", "shutdown")]
    assert (await stage.over(call), await stage.over(waiting)) == (("ended", both), ("ended", both))
    assert {leg.reason for leg in stage.legs(waiting)} == {Reason.SHUTDOWN}
