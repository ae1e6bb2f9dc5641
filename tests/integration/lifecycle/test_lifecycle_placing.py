"""Legs that are placed over SIP, by POST /calls and by transfers: whether they can be, how they ring, fail and are given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from callwright.calls import journal
from callwright.errors import Unavailable
from callwright.trunks.routes import Routes, Trunk
from support.sip_peer import Peer, sdp
from support.sip_stage import SipStage, cancelled, gone, hung_up, pause, transfer

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHY = 'Q.850;cause=17;text="busy"'
CHALLENGE = 'Digest realm="x", nonce="n{}", algorithm=MD5, qop="auth"'


@pytest_asyncio.fixture(loop_scope="module")
async def trunk(stage: SipStage, b: Peer) -> AsyncIterator[Peer]:
    """B is the carrier that numbers are sent to."""
    before = stage.routes
    stage.routes = Routes([Trunk("carrier", "127.0.0.1", b.port, "bob", "secret")], ["127.0.0.1"], ["112"])
    yield b
    stage.routes = before


# by POST /calls -------------------------------------------------------------------------------------------------------


async def test_a_call_is_placed_answered_and_ends_with_its_flow(stage: SipStage, b: Peer) -> None:
    call = await stage.place(f"sip:3000@127.0.0.1:{b.port}", [pause(0.1)])
    invite = await b.get("INVITE")
    b.reply(invite, 180, "Ringing")
    b.reply(invite, 200, body=sdp())
    await b.get("ACK")
    await hung_up(b)
    assert await stage.over(call) == ("ended", [("outgoing", "hangup", "flow_ended")])
    assert stage.told(call) == [
        ("callCreated", "queued", ["starting"]),
        ("callUpdated", "starting", ["starting"]),
        ("callUpdated", "starting", ["ringing"]),
        ("callUpdated", "ongoing", ["ongoing"]),
        ("callUpdated", "ended", ["hangup"]),
    ]


@pytest.mark.parametrize(
    ("destination", "reason", "detail"),
    [
        ("sip:3000@[2001:db8::7]:5060", "no_route", "IPv6 is not supported; name the host, or give its IPv4 address"),
        ("sip:3000@192.0.2.7", "not_allowed", "the host 192.0.2.7:5060 is not a trunk's and not in sip.allow_hosts"),
        ("112", "not_allowed", "112 is an emergency number; those are never dialled (calls.emergency_numbers)"),
        ("mailto:someone", "no_route", "the destination is neither a number nor a sip: URI this server can reach"),
    ],
    ids=["IPv6", "host not allowed", "emergency number", "no way there"],
)
async def test_a_placed_call_without_a_way(stage: SipStage, destination: str, reason: str, detail: str) -> None:
    call = await stage.place(destination, [pause()])
    assert await stage.over(call) == ("failed", [("outgoing", "failed", reason)])
    assert stage.legs(call)[0].detail == detail
    assert stage.entries(call, journal.LegLast) == []  # there was no INVITE


async def test_a_call_over_the_limit_is_not_placed(stage: SipStage, a: Peer) -> None:
    caller, call = await stage.answered(a)
    limit, stage.switch.admission._max_live = stage.switch.admission._max_live, 1
    before = len(stage.calls())
    try:
        with pytest.raises(Unavailable, match="1 calls are live"):
            await stage.place("31205550199", [pause()])
    finally:
        stage.switch.admission._max_live = limit
    assert len(stage.calls()) == before
    await gone(a, caller)
    await stage.over(call)


# by a transfer --------------------------------------------------------------------------------------------------------


async def test_the_caller_is_told_and_answered_when_the_callee_is(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, callee, call = await stage.talk(a, b)
    invite = b.seen("INVITE")[0]
    assert invite.get("Call-ID") not in ("", caller.call_id)
    assert stage.legs(call)[1].sip_call_id == invite.get("Call-ID")
    assert (invite.get("User-Agent"), invite.all("P-Asserted-Identity")) == ("Callwright", [])
    assert invite.get("From").startswith("<sip:1000@127.0.0.1>;tag=")
    assert (invite.get("X-Callwright-Hops"), invite.get("Max-Forwards")) == ("1", "69")
    await gone(a, caller)
    await hung_up(b)
    assert callee.call_id == invite.get("Call-ID")
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "caller_hangup"), ("outgoing", "hangup", "peer_gone")])
    assert stage.told(call) == [
        ("callCreated", "starting", ["starting"]),
        ("callUpdated", "starting", ["starting", "starting"]),
        ("callUpdated", "starting", ["ringing", "ringing"]),
        ("callUpdated", "ongoing", ["ringing", "ongoing"]),
        ("callUpdated", "ongoing", ["ongoing", "ongoing"]),
        ("callUpdated", "ended", ["hangup", "hangup"]),
    ]


async def test_mask_shows_the_called_number(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, invite, call = await stage.rings(a, b, mask=True)
    assert invite.get("From").startswith(f"<sip:{call.destination}@127.0.0.1>;tag=")
    assert "1000" not in b.log[0].raw.decode()
    caller.send("BYE")
    await cancelled(b, invite)
    await stage.over(call)


async def test_more_18x_are_told_once(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, invite, call = await stage.rings(a, b)
    for code, body in ((180, ""), (183, sdp()), (181, ""), (183, sdp(2))):
        b.reply(invite, code, "Progress", body=body)
    b.reply(invite, 486, "Busy Here")
    await b.get("ACK")
    caller.ack(await a.get(486))
    await stage.over(call)
    assert [legs for _, _, legs in stage.told(call)] == [
        ["starting"], ["starting", "starting"], ["ringing", "ringing"], ["busy", "busy"],
    ]  # fmt: skip
    assert list(dict.fromkeys(message.what for message in a.log if message.what != 100)) == [180, 486]


async def test_early_media_reaches_the_caller_where_it_is_wanted(stage: SipStage, a: Peer, b: Peer) -> None:
    with stage.calls_with(early_media=True):
        number = await stage.answers(transfer(b))
        a.call(number).invite()
        invite = await b.get("INVITE")
    b.reply(invite, 183, "Session Progress", body=sdp())
    progress = await a.get(183)
    assert "m=audio" in progress.body
    call = await stage.call_to(number)
    await stage.reaches(call, "ringing", "ringing")
    b.reply(invite, 480, "Gone")
    await a.get(480)
    await stage.over(call)


@pytest.mark.parametrize(
    ("destination", "reason"),
    [("sip:3000@[::1]", "no_route"), ("sip:3000@192.0.2.7", "not_allowed"), ("112", "not_allowed")],
    ids=["no route", "host not allowed", "emergency number"],
)
async def test_a_transfer_that_cannot_be_placed(stage: SipStage, a: Peer, destination: str, reason: str) -> None:
    number = await stage.answers(transfer(destination))
    caller = a.call(number)
    caller.invite()
    caller.ack(await a.get(503))
    call = await stage.call_to(number)
    assert await stage.over(call) == ("failed", [("incoming", "failed", reason), ("outgoing", "failed", reason)])


async def test_a_transfer_over_the_pace(stage: SipStage, a: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.switch._pace, "take", lambda: False)
    number = await stage.answers(transfer("31205550199"))
    caller = a.call(number)
    caller.invite()
    caller.ack(await a.get(503))
    call = await stage.call_to(number)
    assert await stage.over(call) == ("failed", [("incoming", "failed", "limit"), ("outgoing", "failed", "limit")])


FAILURES = [
    (486, 486, "busy", "busy"),  # P3
    (600, 486, "busy", "busy"),
    (408, 480, "no_answer", "no_answer"),  # P4
    (480, 480, "no_answer", "no_answer"),
    (487, 480, "no_answer", "no_answer"),
    (302, 503, "failed", "redirect_refused"),  # P5
    (401, 503, "failed", "auth_failed"),  # nobody gave us credentials for this host
    (404, 503, "failed", "rejected"),
    (503, 503, "failed", "rejected"),
    (603, 503, "failed", "rejected"),
]


@pytest.mark.parametrize(("code", "told", "status", "reason"), FAILURES)
async def test_a_callee_that_refuses(stage: SipStage, a: Peer, b: Peer, code: int, told: int, status: str, reason: str) -> None:
    caller, invite, call = await stage.rings(a, b)
    b.reply(invite, code, "No", fields=[f"Reason: {WHY}", "Contact: <sip:elsewhere@127.0.0.1:9>"])
    assert (await b.get("ACK")).branch == invite.branch
    final = await a.get(told)
    caller.ack(final)
    assert final.get("Reason") == WHY
    assert await stage.over(call) == (status, [("incoming", status, reason), ("outgoing", status, reason)])
    assert {one.branch for one in b.seen("INVITE")} == {invite.branch}  # a redirect is not followed


async def test_the_ring_timer(stage: SipStage, a: Peer, b: Peer) -> None:
    with stage.calls_with(ring_timeout=1.0):
        caller, invite, call = await stage.rings(a, b)
    await cancelled(b, invite)
    caller.ack(await a.get(480))
    assert await stage.over(call) == (
        "no_answer",
        [("incoming", "no_answer", "ring_timeout"), ("outgoing", "no_answer", "ring_timeout")],
    )


async def test_a_callee_that_says_nothing(stage: SipStage, a: Peer, b: Peer) -> None:
    number = await stage.answers(transfer(b))
    caller = a.call(number)
    began = asyncio.get_running_loop().time()
    caller.invite()
    final = await a.get(503)
    caller.ack(final)
    assert final.at - began > 3.1  # 64 T1, a tenth of RFC 3261's 32 s
    call = await stage.call_to(number)
    assert await stage.over(call) == ("failed", [("incoming", "failed", "no_response"), ("outgoing", "failed", "no_response")])
    assert len({invite.raw for invite in b.seen("INVITE")}) == 1


async def test_nobody_is_there(stage: SipStage, a: Peer) -> None:
    nobody = Peer(stage.address)
    nobody.close()
    number = await stage.answers(transfer(nobody))
    caller = a.call(number)
    caller.invite()
    caller.ack(await a.get(503))
    call = await stage.call_to(number)
    assert await stage.over(call) == ("failed", [("incoming", "failed", "unreachable"), ("outgoing", "failed", "unreachable")])


@pytest.mark.parametrize(("code", "field"), [(401, "WWW-Authenticate"), (407, "Proxy-Authenticate")])
async def test_a_trunk_that_is_never_satisfied(stage: SipStage, trunk: Peer, code: int, field: str) -> None:
    call = await stage.place("31205550199", [pause()])
    for n in range(2):
        invite = await trunk.get("INVITE")
        assert bool(invite.get("Authorization") or invite.get("Proxy-Authorization")) is (n == 1)
        trunk.reply(invite, code, "Who are you?", fields=[f"{field}: {CHALLENGE.format(n)}"])
        assert (await trunk.get("ACK")).branch == invite.branch
    assert await stage.over(call) == ("failed", [("outgoing", "failed", "auth_failed")])
    assert len({invite.branch for invite in trunk.seen("INVITE")}) == 2


async def test_a_trunk_that_challenges_invite_and_bye(stage: SipStage, trunk: Peer) -> None:
    call = await stage.place("31205550199", [pause(0.1)])
    asks = [f"Proxy-Authenticate: {CHALLENGE.format(1)}"]
    trunk.reply(await trunk.get("INVITE"), 407, "Who are you?", fields=asks)
    await trunk.get("ACK")
    trunk.reply(await trunk.get("INVITE"), 200, body=sdp())
    bye = await trunk.get("BYE")
    trunk.reply(bye, 407, "Who are you?", fields=asks)
    while (again := await trunk.get("BYE")).branch == bye.branch:
        pass  # sent again before it was challenged
    assert (again.cseq[0], "secret" in again.raw.decode()) == (bye.cseq[0] + 1, False)
    trunk.reply(again, 200)
    assert await stage.over(call) == ("ended", [("outgoing", "hangup", "flow_ended")])


# given up by us -------------------------------------------------------------------------------------------------------


async def test_the_longest_duration_is_over_while_the_callee_rings(stage: SipStage, a: Peer, b: Peer) -> None:
    with stage.calls_with(max_duration=1.0):
        number = await stage.answers(pause(0.05), transfer(b))
        caller = a.call(number)
        caller.invite()
        caller.ack(await a.get(200))
        invite = await b.get("INVITE")
        b.reply(invite, 180, "Ringing")
        await hung_up(a)
        await cancelled(b, invite)
    assert await stage.over(await stage.call_to(number)) == (
        "ended",
        [("incoming", "hangup", "max_duration"), ("outgoing", "hangup", "max_duration")],
    )


async def late_answer(stage: SipStage, b: Peer, invite: Any) -> None:
    """B's 200 crosses our CANCEL."""
    await b.get("CANCEL")
    b.reply(invite, 200, body=sdp())
    assert (await b.get("ACK", "BYE")).what == "ACK"
    await hung_up(b)


@pytest.mark.parametrize("after", ["the ring timer", "the caller has gone", "a delete"])
async def test_a_late_answer_is_let_go(stage: SipStage, a: Peer, b: Peer, after: str) -> None:
    with stage.calls_with(ring_timeout=1.0 if after == "the ring timer" else 60.0):
        caller, invite, call = await stage.rings(a, b)
    if after == "the caller has gone":
        caller.send("BYE")
    elif after == "a delete":
        await stage.switch.hang_up_call(stage.world.id, call.id)
    await late_answer(stage, b, invite)
    status, (_, far) = await stage.over(call)
    assert (status, far) == {
        "the ring timer": ("no_answer", ("outgoing", "no_answer", "ring_timeout")),
        "the caller has gone": ("no_answer", ("outgoing", "hangup", "caller_gone")),
        "a delete": ("ended", ("outgoing", "hangup", "api_hangup")),
    }[after]
    assert stage.legs(call)[1].answered_us is None
    assert stage.entries(call, journal.LateAnswerReleased) == [journal.LateAnswerReleased(leg=stage.leg_id(call, 1))]
    assert [legs[1] for _, _, legs in stage.told(call) if len(legs) > 1].count("ongoing") == 0


async def test_a_second_branch_that_answers_is_let_go(stage: SipStage, a: Peer, b: Peer) -> None:
    caller, _, call = await stage.talk(a, b)
    invite = b.seen("INVITE")[0]
    b.reply(invite, 200, body=sdp(2), tag="fork")
    assert (await b.get("ACK")).param("To", "tag") == "fork"
    assert (await hung_up(b)).param("To", "tag") == "fork"
    await stage.until(lambda: stage.entries(call, journal.ForkReleased), "the journal's word of it")
    assert stage.outcome(call)[0] == "ongoing"
    await gone(a, caller)
    while (await hung_up(b)).param("To", "tag") != "far":
        pass  # sent to the fork again before it was taken
    assert await stage.over(call) == ("ended", [("incoming", "hangup", "caller_hangup"), ("outgoing", "hangup", "peer_gone")])
    assert stage.entries(call, journal.ForkReleased) == [journal.ForkReleased(leg=stage.leg_id(call, 1))]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "bad_offer"),
        (sdp().replace("AVP 0", "AVP 18"), "no_common_codec"),
        (sdp().replace("IP4 127", "IP6 ::127"), "bad_offer"),
    ],
    ids=["no description", "another codec", "IPv6"],
)
async def test_an_answer_that_cannot_be_used(stage: SipStage, a: Peer, b: Peer, body: str, reason: str) -> None:
    caller, invite, call = await stage.rings(a, b)
    b.reply(invite, 200, body=body)
    await b.get("ACK")
    await hung_up(b, reason='SIP;cause=488;text="Not Acceptable Here"')
    caller.ack(await a.get(503))
    assert await stage.over(call) == ("failed", [("incoming", "failed", reason), ("outgoing", "failed", reason)])
