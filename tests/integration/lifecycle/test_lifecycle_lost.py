"""What a call does over SIP when a part is missing: no port for its sound, media or signalling killed under it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
import pytest_asyncio

from callwright.calls import journal
from callwright.sip import wire
from support.sip_peer import Peer, sdp
from support.sip_stage import SipStage, gone, hung_up, pause, sip_stage, transfer

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[SipStage]:
    """In place of the roomy one: there are ports for two legs."""
    async with sip_stage(pairs=2) as stage:
        yield stage
        assert stage.switch.live_calls == 0


async def test_the_default_flow_answers_numbers_that_have_none(stage: SipStage, a: Peer) -> None:
    await stage.number("31205557777", None)
    default = await stage.flows.make(stage.world.id, {"steps": [pause()], "default": True})
    caller = a.call("31205557777")
    caller.invite()
    caller.ack(await a.get(200))
    call = await stage.call_to("31205557777")
    assert [entry.flow_id for entry in stage.entries(call, journal.FlowStarted)] == [default.id]
    await gone(a, caller)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "caller_hangup")])


async def test_no_port_for_the_caller_and_none_for_a_callee(
    stage: SipStage, a: Peer, b: Peer, another: Callable[..., Peer]
) -> None:
    holders = [another(), another()]
    held = [await stage.answered(peer) for peer in holders]

    number = await stage.answers(pause())
    caller = a.call(number)
    caller.invite()
    caller.ack(await a.get(503))
    call = await stage.call_to(number)
    assert await stage.over(call) == ("failed", [("incoming", "failed", "media_capacity")])
    assert stage.legs(call)[0].detail.startswith("media-1: all port pairs of ")

    number = await stage.answers(transfer(b))
    caller = a.call(number)
    caller.invite()
    caller.ack(await a.get(503))
    call = await stage.call_to(number)
    both = [("incoming", "failed", "media_capacity"), ("outgoing", "failed", "media_capacity")]
    assert await stage.over(call) == ("failed", both)
    assert b.log == []  # no INVITE

    for peer, (dialog, live) in zip(holders, held, strict=True):
        await gone(peer, dialog)
        await stage.over(live)


async def test_media_dies_under_a_call_that_is_up(stage: SipStage, a: Peer, b: Peer) -> None:
    _, _, call = await stage.talk(a, b)
    stage.kill(stage.media)
    await hung_up(a)
    await hung_up(b)
    lost = [("incoming", "hangup", "media_lost"), ("outgoing", "hangup", "media_lost")]
    assert await stage.over(call) == ("ended", lost)
    await stage.until(lambda: stage.sip_engine.unhealthy() is None)


async def test_media_dies_under_a_call_that_rings(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, invite, call = await stage.rings(a, b)
    stage.kill(stage.media)
    caller.ack(await a.get(503))
    cancel = await b.get("CANCEL")
    b.reply(cancel, 200)
    b.reply(invite, 487, "Request Terminated")
    lost = [("incoming", "failed", "media_lost"), ("outgoing", "failed", "media_lost")]
    assert await stage.over(call) == ("failed", lost)
    await stage.until(lambda: stage.sip_engine.unhealthy() is None)


async def test_signalling_dies_under_a_call_that_is_up(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, callee, call = await stage.talk(a, b)
    stage.kill(stage.signalling)
    for peer, dialog in ((a, caller), (b, callee)):
        bye = await hung_up(peer)
        assert bye.get("Call-ID") == dialog.call_id
    lost = [("incoming", "hangup", "signalling_lost"), ("outgoing", "hangup", "signalling_lost")]
    assert await stage.over(call) == ("ended", lost)
    callee.send("INFO")
    assert (await b.get(481)).cseq[1] == "INFO"  # the successor knows no dialog
    await stage.until(lambda: stage.sip_engine.unhealthy() is None)


async def test_signalling_dies_under_a_call_that_rings(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, invite, call = await stage.rings(a, b)
    stage.kill(stage.signalling)
    lost = [("incoming", "failed", "signalling_lost"), ("outgoing", "failed", "signalling_lost")]
    assert await stage.over(call) == ("failed", lost)
    await stage.until(lambda: stage.sip_engine.unhealthy() is None)
    caller.cancel()
    assert (await a.get(481)).cseq[1] == "CANCEL"
    b.reply(invite, 200, body=sdp())
    await b.nothing("ACK", within=0.1)  # nobody remembers it; the far end gives it up after 32 s without an ACK


async def test_signalling_dies_while_the_caller_is_being_answered(
    stage: SipStage, a: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its 200 may have left, for all the core knows: the caller gets a BYE of the successor."""
    link = stage.signalling.link
    assert link is not None

    def send(message: msgspec.Struct) -> None:
        if isinstance(message, wire.SendAnswer):
            stage.kill(stage.signalling)  # what is written to it from now on nobody reads
        else:
            passed(message)

    passed = link.send
    monkeypatch.setattr(link, "send", send)
    number = await stage.answers(pause())
    caller = a.call(number)
    caller.invite()
    call = await stage.call_to(number)
    bye = await a.get("BYE")
    assert (bye.get("Call-ID"), bye.param("From", "tag") != "") == (caller.call_id, True)
    a.reply(bye, 481)
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "signalling_lost")])
    await stage.until(lambda: stage.sip_engine.unhealthy() is None)
    assert a.seen(200) == []
