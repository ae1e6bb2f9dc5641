"""What does not become a leg: strangers, too many, extensions, INVITEs that cannot be answered, garbage."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import msgspec
import pytest

from callwright.sip import wire
from callwright.sip.settings import SignallingSettings
from support.signalling import PROGRAM, SETTINGS, Core
from support.sip_peer import Peer, sdp

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def fresh(*program: str, **changes: object) -> AsyncIterator[tuple[Core, Peer]]:
    """A process of its own, for settings of its own."""
    core = await Core(msgspec.structs.replace(SETTINGS, **changes), program=program or PROGRAM).start()
    peer = Peer(core.address)
    try:
        yield core, peer
    finally:
        peer.close()
        out, err = await core.stop()
        assert (out, "sip_fault" in err) == ("", False), err


async def settled(core: Core) -> None:
    """Let more than a second pass since the last report of anything."""
    await asyncio.sleep(1.1)
    core.said.clear()


@pytest.mark.parametrize(
    ("host", "trunk"),
    [("127.0.0.1", None), ("127.0.0.9", "carrier"), ("127.0.0.10", "lab"), ("127.0.0.12", None)],
)
async def test_the_trunk_is_named_by_its_smallest_network(core: Core, host: str, trunk: str | None) -> None:
    peer = Peer(core.address, host)
    call = peer.call()
    call.invite()
    arrived = await core.take(wire.LegArrived)
    assert (arrived.address, arrived.port, arrived.trunk) == (host, peer.port, trunk)
    call.cancel()
    await core.take(wire.LegFailed, arrived.leg)
    peer.close()


# Every address a test may use is loopback, so the rule for loopback is made narrow.
NARROW = """
from ipaddress import IPv4Network
from callwright.sip import gate, process
gate.LOOPBACK = IPv4Network("127.0.0.1/32")
raise SystemExit(process.main())
"""


async def test_strangers() -> None:
    async with fresh("-c", NARROW) as (core, peer):
        stranger, carrier = Peer(core.address, "127.0.0.77"), Peer(core.address, "127.0.0.9")
        call = stranger.call()
        text = call.invite(fields=["Require: x"])  # who asks comes before what is asked
        refused = await stranger.get(403)
        stranger.send(text)
        assert (await stranger.again(403)).raw == refused.raw
        await stranger.nothing(403, 100, within=0.3)  # no transaction is kept, so nothing repeats
        away = await core.take(wire.TurnedAway)
        assert (away.refusal, away.count, away.address) == ("stranger", 1, f"127.0.0.77:{stranger.port}")
        stranger.call().send("OPTIONS")
        assert (await stranger.get(403)).cseq[1] == "OPTIONS"
        told = len(core.loads)
        for asking in (stranger, carrier):  # what cannot be read is answered to those only who may call
            asking.send(asking.call().text("OPTIONS", fields=["X-Pad: " + "x" * 99]).replace("CSeq", "X-CSeq"))
        assert (await carrier.get(400)).start == "SIP/2.0 400 Missing CSeq"
        await stranger.nothing(400, within=0.1)
        for _ in range(2):
            await core.load()
        assert sum(load.garbage for load in core.loads[told:]) == 2
        for friend in (peer, carrier):
            friend.call().invite()
            await core.take(wire.LegArrived)
        assert core.said == []
        stranger.close()
        carrier.close()


async def test_required_extensions(core: Core, peer: Peer) -> None:
    await settled(core)
    for _ in range(3):
        peer.call().invite(fields=["Require: 100rel", "Require: timer, x"])
    refused = await peer.get(420)
    assert refused.get("Unsupported") == "100rel, timer, x"
    assert refused.param("To", "tag") != ""
    first = await core.take(wire.TurnedAway)
    rest = await core.take(wire.TurnedAway)
    address = f"127.0.0.1:{peer.port}"
    assert first == wire.TurnedAway(wire.NO_LEG, "extension", 1, address, "Require: 100rel, timer, x")
    assert rest == wire.TurnedAway(wire.NO_LEG, "extension", 2, address, "Require: 100rel, timer, x")


@pytest.mark.parametrize(
    ("contact", "fields", "body", "code"),
    [
        ("", [], None, 400),
        ("*", [], None, 400),
        ("<mailto:peer@127.0.0.1>", [], None, 400),
        ("<tel:+1555>", [], None, 400),
        ("<sip:a@127.0.0.1>, <sip:b@127.0.0.1>", [], None, 400),
        (None, ["X-Callwright-Hops: many"], None, 400),
        (None, ["Max-Forwards: -1"], None, 400),
        (None, [], "not sdp", 415),
    ],
)
async def test_invites_that_cannot_be_answered(
    core: Core, peer: Peer, contact: str | None, fields: list[str], body: str | None, code: int
) -> None:
    call = peer.call() if contact is None else peer.call(contact=contact)
    text = call.invite(body, fields=fields, **({"kind": "text/plain"} if body else {}))
    refused = await peer.get(code)
    assert refused.get("Accept") == ("application/sdp" if code == 415 else "")
    peer.send(text)
    assert (await peer.again(code)).raw == refused.raw  # a repeat gets the same answer
    call.ack(refused)
    assert [m for m in core.said if isinstance(m, wire.LegArrived)] == []


async def test_closed_by_the_core() -> None:
    async with fresh() as (core, peer):
        for refusal in ("draining", "unhealthy"):
            core.send(wire.Admit(False, refusal))
            await core.caught_up()
            peer.call().invite()
            assert (await peer.get(503)).get("Retry-After") == "5"
            away = await core.take(wire.TurnedAway)
            assert (away.refusal, away.leg) == (refusal, wire.NO_LEG)
        core.send(wire.Admit(True))
        await core.caught_up()
        call = peer.call()
        call.invite()
        assert (await core.take(wire.LegArrived)).sip_call_id == call.call_id


async def test_live_legs_are_limited() -> None:
    async with fresh(max_legs=2) as (core, peer):
        calls = [peer.call() for _ in range(3)]
        for call in calls:
            call.invite()
        refused = await peer.get(503)
        assert refused.get("Call-ID") == calls[2].call_id
        assert refused.get("Retry-After") == "5"
        legs = [(await core.take(wire.LegArrived)).leg for _ in range(2)]
        away = await core.take(wire.TurnedAway)
        assert (away.refusal, away.count, away.detail) == ("over_limit", 1, "2 legs are up (max_legs)")
        assert (await core.load()).live == 2
        core.send(wire.SendReject(legs[0], 486, "Busy Here"))
        calls[0].ack(await peer.get(486))
        again = peer.call()
        again.invite()
        assert (await core.take(wire.LegArrived)).sip_call_id == again.call_id


async def test_new_legs_are_limited_and_ours_count() -> None:
    async with fresh(new_legs_per_s=1.0) as (core, peer):
        calls = [peer.call() for _ in range(3)]
        for call in calls:
            call.invite()
        assert (await core.take(wire.LegArrived)).sip_call_id == calls[0].call_id
        away = await core.take(wire.TurnedAway)
        assert (away.refusal, away.detail) == ("over_limit", "more than 1 new legs a second (sip.new_legs_per_second)")
        for _ in range(2):
            assert (await peer.get(503)).get("Call-ID") != calls[0].call_id
        await asyncio.sleep(1.1)
        for _ in range(2):  # ours are never refused, and count: it takes two seconds to make up for them
            core.send(wire.PlaceLeg(uuid4(), "1", "h", "127.0.0.1", peer.port, "2", sdp()))
            await peer.get("INVITE")
        late = peer.call()
        late.invite()
        assert (await peer.get(503)).get("Call-ID") == late.call_id


async def test_a_late_loop_takes_no_calls() -> None:
    async with fresh(max_late_ms=-1.0) as (core, peer):
        peer.call().invite()
        await peer.get(503)
        assert (await core.take(wire.TurnedAway)).detail.endswith("ms late (sip.max_late_ms)")


@pytest.mark.parametrize("size", [8_000, 60_000])
async def test_large_requests(core: Core, peer: Peer, size: int) -> None:
    call = peer.call()
    call.invite(fields=[f"X-Pad-{number}: {'a' * 900}" for number in range(size // 920)])
    arrived = await core.take(wire.LegArrived)
    assert arrived.sip_call_id == call.call_id
    call.cancel()


async def test_body_shorter_than_its_length(core: Core, peer: Peer) -> None:
    peer.send(peer.call().text("INVITE", sdp()).replace("Content-Length: ", "Content-Length: 9"))
    refused = await peer.get(400)
    assert "Truncated SIP body" in refused.start
    assert refused.param("To", "tag") != ""


GARBAGE = [
    b"\x00" * 40,
    random.Random(1).randbytes(200),
    b"\xff" * 100,
    b"short",
    b"SIP/2.0 200 OK\r\n\r\n" + b"x" * 40,
    b"SIP/2.0 abc OK\r\nVia: x\r\n\r\n" + b"y" * 40,
    b"SIP/2.0 2 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: g\r\nCSeq: 1 OPTIONS\r\n\r\n",
    b"INVITE\r\n" * 10,
    b"INVITE sip:x SIP/2.0\r\nVia: garbage\r\nFrom: x\r\nTo: y\r\nCSeq: z\r\nCall-ID: q\r\n\r\n",
    b"INVITE sip:x@h SIP/2.0\r\nno colon here at all\r\nVia: SIP/2.0/UDP 127.0.0.1\r\n\r\n",
    b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:99999;branch=q\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\n"
    b"Call-ID: gb\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n",
]


async def test_garbage_is_counted_and_not_echoed() -> None:
    core = await Core(SignallingSettings(max_late_ms=10_000.0)).start()
    peer = Peer(core.address)
    for _ in range(20):
        for data in GARBAGE:
            peer.send(data)
            peer.send(data[:-2] + random.Random(len(data)).randbytes(8))
    peer.send(b"\r\n\r\n")
    peer.send(b"")
    for _ in range(3):
        await core.load()
    counted = sum(load.garbage for load in core.loads)
    assert counted >= len(GARBAGE) - 2
    call = peer.call()
    call.invite()
    core.send(wire.SendAnswer((await core.take(wire.LegArrived)).leg, sdp()))
    call.ack(await peer.get(200))
    call.send("BYE")
    await peer.ok("BYE")
    peer.close()
    out, err = await core.stop()
    assert out == ""
    lines = [line for line in err.splitlines() if "sip_garbage" in line]
    assert 1 <= len(lines) <= 5  # one a second
    assert sum(json.loads(line)["count"] for line in lines) == counted
    assert f"127.0.0.1:{peer.port}" in lines[0]
    assert len(err) < 4_000


async def test_an_invite_that_breaks_half_way_leaves_nothing_behind(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite(fields=["Record-Route: <bad"])
    assert (await peer.get(400)).get("Call-ID") == call.call_id
    assert core.said == []
    assert (await core.load()).live == 0
