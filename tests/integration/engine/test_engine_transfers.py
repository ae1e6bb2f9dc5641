"""Blind transfers through the engine and real signalling, as call control and a far end see them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytest.register_assert_rewrite("support.engine_stage")

from callwright.telephony import (  # noqa: E402
    AcceptRefer,
    Ended,
    HangUp,
    Refer,
    ReferArrived,
    ReferOutcome,
    ReferProgress,
    Referred,
)
from support.engine_stage import EngineStage, FarParty, engine_stage  # noqa: E402

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKS = ["Refer-To: <sip:31698765432@example.org>", "Referred-By: <sip:me@example.org>"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[EngineStage]:
    async with engine_stage() as stage:
        yield stage


async def let_go(stage: EngineStage, party: FarParty) -> None:
    """The leg was never hung up on, and can be."""
    assert party.peer.seen("BYE") == []
    stage.do(HangUp, party.leg)
    party.peer.reply(await party.peer.get("BYE"), 200)
    await stage.told(Ended, party.leg)


async def test_a_transfer_that_fails_leaves_the_far_end_where_it_is(stage: EngineStage) -> None:
    a = await stage.party()
    a.dialog.send("REFER", fields=ASKS)
    asked = await stage.told(ReferArrived, a.leg)
    assert (asked.target, asked.referred_by) == ("sip:31698765432@example.org", "sip:me@example.org")
    stage.do(AcceptRefer, a.leg)
    assert (await a.peer.get(202)).cseq[1] == "REFER"
    for code, phrase in ((180, "Ringing"), (486, "Busy Here")):
        stage.do(ReferProgress, a.leg, code=code, phrase=phrase)
    bodies = []
    while not bodies or not bodies[-1].startswith("SIP/2.0 486"):
        notify = await a.peer.get("NOTIFY")
        a.peer.reply(notify, 200)
        bodies.append(notify.body.strip())
    assert list(dict.fromkeys(bodies)) in (
        ["SIP/2.0 100 Trying", "SIP/2.0 486 Busy Here"],
        ["SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 486 Busy Here"],
    )
    await let_go(stage, a)


async def test_a_transfer_that_call_control_does_not_answer_is_refused(stage: EngineStage) -> None:
    a = await stage.party()
    a.dialog.send("REFER", fields=ASKS)
    assert (await a.peer.get(603)).cseq[1] == "REFER"
    await let_go(stage, a)


async def test_the_far_end_transfers(stage: EngineStage) -> None:
    a = await stage.party()
    stage.do(Refer, a.leg, target="31698765432")
    refer = await a.peer.get("REFER")
    assert refer.get("Refer-To") == "<sip:31698765432@127.0.0.1>"
    a.peer.reply(refer, 202, "Accepted")
    for status, state in (("180 Ringing", "active;expires=60"), ("200 OK", "terminated;reason=noresource")):
        fields = ["Event: refer", f"Subscription-State: {state}"]
        a.dialog.send("NOTIFY", f"SIP/2.0 {status}\r\n", fields=fields, kind="message/sipfrag")
        await a.peer.ok("NOTIFY")
    referred = await stage.told(Referred, a.leg)
    assert (referred.outcome, referred.sip_code) == (ReferOutcome.DONE, 200)
    await let_go(stage, a)


async def test_the_far_end_refuses_to_transfer(stage: EngineStage) -> None:
    a = await stage.party()
    stage.do(Refer, a.leg, target="tel:+31698765432")
    a.peer.reply(await a.peer.get("REFER"), 405, "Method Not Allowed")
    referred = await stage.told(Referred, a.leg)
    assert (referred.outcome, referred.sip_code) == (ReferOutcome.REFUSED, 405)
    await let_go(stage, a)


async def test_the_far_end_hangs_up_without_a_word(stage: EngineStage) -> None:
    a = await stage.party()
    stage.do(Refer, a.leg, target="31698765432")
    a.peer.reply(await a.peer.get("REFER"), 202, "Accepted")
    a.dialog.send("BYE")
    await a.peer.ok("BYE")
    ended = await stage.told(Ended, a.leg)
    (referred,) = stage.of(Referred, a.leg)
    assert (referred.outcome, referred.seq < ended.seq) == (ReferOutcome.UNKNOWN, True)
