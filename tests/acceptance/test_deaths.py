"""SIGKILL and SIGSTOP for signalling, media and the core, with calls in every state (lifecycle rows R1 and R2).

Over real SIP with real processes. A frozen process is one that is killed for its silence: a child by the core, the core
by the service manager.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from support.deaths import PAUSE, Call, Cast, ServiceManager, child_of, family, gone
from support.ports import free_port
from support.server import Server, Webserver, in_order, record, until
from support.sip_peer import Message

SETTINGS = {"webhooks.retry": "1,1,1,1,1,1,1,1,1,1", "media.processes": "2"}
STATES = ("ringing", "answered", "unacknowledged", "bridged")
KINDS = pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
WATCHDOG_S = 2.5
HUNG_UP = record("ended", ("incoming", "hangup", "caller_hangup", 200), ("outgoing", "hangup", "peer_gone", 200))


@pytest.fixture
def web() -> Iterator[Webserver]:
    service = Webserver()
    yield service
    service.close()


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """What a test starts; a death leaves errors in the log, so they are not stopped but killed."""
    started: list[Server] = []
    yield started
    for server in started:
        server.kill()


@pytest.fixture
def server(tmp_path: Path, servers: list[Server]) -> Server:
    servers.append(Server.start(tmp_path / "server", SETTINGS))
    return servers[-1]


@pytest.fixture
async def cast(server: Server, web: Webserver) -> AsyncIterator[Cast]:
    made = Cast(server, web)
    yield made
    made.close()


async def both_ways(cast: Cast) -> list[Call]:
    """A call in each state in each of two media processes."""
    calls = [await cast.call(state) for state in STATES for _ in range(2)]
    assert sorted((call.state, call.media) for call in calls) == sorted(
        (state, media) for state in STATES for media in ("media-1", "media-2")
    )
    return calls


def ends(call: Call, reason: str) -> Any:
    """The record of a call that was in this state when a part it needs died."""
    if call.state == "ringing":
        code = 503 if reason == "media_lost" else None
        return record("failed", ("incoming", "failed", reason, code), ("outgoing", "failed", reason, None))
    legs = [("incoming", "hangup", reason, 200), ("outgoing", "hangup", reason, 200)]
    return record("ended", *legs[: 2 if call.state == "bridged" else 1])


def told(call: Call) -> Any:
    """The callbacks of such a call."""
    if call.state == "ringing":
        between = [("starting", "starting starting"), ("starting", "ringing ringing"), ("failed", "failed failed")]
    elif call.state == "bridged":
        between = [
            ("starting", "starting starting"),
            ("starting", "ringing ringing"),
            ("ongoing", "ringing ongoing"),
            ("ongoing", "ongoing ongoing"),
            ("ended", "hangup hangup"),
        ]
    else:
        between = [("ongoing", "ongoing"), ("ended", "hangup")]
    return in_order(("starting", "starting"), *between)


async def settled(server: Server, web: Webserver, calls: list[Call], reason: str) -> None:
    """Record and callbacks of every call are right."""
    for call in calls:
        expected = ends(call, reason)
        await asyncio.to_thread(until, partial(server.record, call.id), lambda seen, expected=expected: seen == expected)
        assert await asyncio.to_thread(web.told, call.id) == told(call), call.state


async def takes_calls(server: Server, cast: Cast) -> None:
    """As before the death."""
    call = await cast.call("bridged")
    call.caller.send("BYE")
    await call.caller.peer.get(200)
    assert call.callee is not None
    call.callee.reply(await call.callee.get("BYE"), 200)
    assert await asyncio.to_thread(server.ended, call.id) == HUNG_UP
    await asyncio.to_thread(server.idle)


def nobody_left(server: Server) -> None:
    """Wait until every far end is known to be gone."""

    def dialogs() -> int:
        with closing(sqlite3.connect(server.folder / "data" / "callwright.db")) as database:
            count: int = database.execute("SELECT COUNT(*) FROM legs WHERE dialog IS NOT NULL").fetchone()[0]
            return count

    until(dialogs, lambda count: count == 0, what="that no dialog is kept")


@KINDS
async def test_signalling(how: signal.Signals, server: Server, web: Webserver, cast: Cast) -> None:
    calls = await both_ways(cast)
    pid = child_of(server, "signalling")
    os.kill(pid, how)
    await cast.let_go(calls)
    await settled(server, web, calls, "signalling_lost")
    await asyncio.to_thread(gone, [pid])
    ringing = next(call for call in calls if call.state == "ringing")
    ringing.caller.send("BYE")
    assert (await ringing.caller.peer.get(481)).cseq[1] == "BYE"
    await asyncio.to_thread(nobody_left, server)
    await takes_calls(server, cast)


@KINDS
async def test_a_media_process(how: signal.Signals, server: Server, web: Webserver, cast: Cast) -> None:
    """R1: what had its sound there ends; what has it elsewhere goes on."""
    calls = await both_ways(cast)
    lost = [call for call in calls if call.media == "media-1"]
    kept = [call for call in calls if call.media == "media-2"]
    os.kill(child_of(server, "media-1"), how)
    (ringing,) = [call for call in lost if call.state == "ringing"]
    assert ringing.callee is not None
    # The one that waits for its ACK hears BYE after it, as RFC 3261 §15 wants.
    (unacknowledged,) = [call for call in lost if call.state == "unacknowledged"]
    unacknowledged.caller.ack(await unacknowledged.caller.peer.again(200))
    await cast.let_go(lost)
    cancel = await ringing.callee.get("CANCEL")
    ringing.callee.reply(cancel, 200)
    assert ringing.invite is not None
    ringing.callee.reply(ringing.invite, 487, "Request Terminated")
    ringing.caller.ack(await ringing.caller.peer.get(503))
    await settled(server, web, lost, "media_lost")
    for call in kept:
        alive_legs = {"ringing": ("ringing", "ringing"), "bridged": ("ongoing", "ongoing")}.get(call.state, ("ongoing",))
        await asyncio.to_thread(server.reaches, call.id, *alive_legs)
        assert all(not peer.seen("BYE") for peer in call.ends)
    (bridged,) = [call for call in kept if call.state == "bridged"]
    bridged.caller.send("BYE")
    await bridged.caller.peer.get(200)
    await asyncio.to_thread(until, partial(server.record, bridged.id), lambda seen: seen == HUNG_UP)


@KINDS
async def test_the_core(how: signal.Signals, tmp_path: Path, web: Webserver, servers: list[Server]) -> None:
    """Everything dies with the core; its successor ends what was answered, and tells what nobody was told."""
    manager = ServiceManager(tmp_path / "notify", WATCHDOG_S)
    port = free_port()
    start: dict[str, Any] = {"settings": SETTINGS, "sip_port": port, "environment": manager.environment}
    first = await asyncio.to_thread(lambda: Server.start(tmp_path / "server", **start))
    servers.append(first)
    cast = Cast(first, web)
    try:
        web.status = 503
        calls = await both_ways(cast)
        assert {"READY=1", "WATCHDOG=1"} == set(manager.hear())
        children = family(first)
        os.kill(first.process.pid, how)
        killed_us = time.time_ns() // 1000
        await asyncio.to_thread(gone, children)
        await asyncio.to_thread(manager.watch, first)
        assert (manager.said[-1] == "killed by the watchdog") is (how is signal.SIGSTOP)
        seen_us = last_seen(first, calls)
        web.status = 200
        waiting = asyncio.create_task(cast.let_go(calls))
        second = await asyncio.to_thread(lambda: Server.start(tmp_path / "server", keys=first.keys, **start))
        servers.append(second)
        await waiting
        await settled(second, web, calls, "node_restarted")
        ended_when_last_seen(second, seen_us, killed_us)
        answered = next(call for call in calls if call.state == "answered")
        answered.caller.send("BYE")
        await answered.caller.peer.get(481)
        await asyncio.to_thread(nobody_left, second)
        assert second.logged(level="error") == []
        shown = [second.live.get(f"/calls/{call.id}/legs").content for call in calls] + [second.journal(calls[-1].id)]
        assert "dialog" not in str(shown)
        others = Cast(second, web)
        try:
            await takes_calls(second, others)
        finally:
            others.close()
    finally:
        cast.close()
        manager.close()


async def test_one_death_after_the_other(tmp_path: Path, web: Webserver, servers: list[Server]) -> None:
    """A far end that has not answered our BYE hears another from every successor, until it has."""
    port = free_port()
    start = partial(Server.start, tmp_path / "server", SETTINGS, sip_port=port)
    first = await asyncio.to_thread(start)
    servers.append(first)
    cast = Cast(first, web)
    try:
        call = await cast.call("answered")
        peer, branches = call.caller.peer, set[str]()

        async def another_bye() -> Message:
            while (bye := await peer.get("BYE")).branch in branches:
                pass  # the same again, because nobody answers
            branches.add(bye.branch)
            return bye

        for _ in range(2):
            os.kill(child_of(first, "signalling"), signal.SIGKILL)
            await another_bye()
        children = family(first)
        first.kill()
        await asyncio.to_thread(gone, children)  # one of them has the port
        second = await asyncio.to_thread(start, keys=first.keys)
        servers.append(second)
        peer.reply(await another_bye(), 481, "Call/Transaction Does Not Exist")
        await asyncio.to_thread(nobody_left, second)
        assert second.record(call.id) == ends(call, "signalling_lost")
        # What the dead server was about to note as taken is told again.
        assert list(dict.fromkeys(await asyncio.to_thread(web.told, call.id))) == told(call)
        os.kill(child_of(second, "signalling"), signal.SIGKILL)
        await asyncio.to_thread(until, lambda: len(second.logged(event="child_up", child="signalling")), lambda ups: ups == 2)
        call.caller.send("BYE")
        assert (await peer.get(481)).cseq[1] == "BYE"
        assert {bye.branch for bye in peer.seen("BYE")} == branches, "and none after that"
    finally:
        cast.close()


def last_seen(server: Server, calls: list[Call]) -> dict[str, int]:
    """When each call was last there, as a dead server left it: its last line, or the last heartbeat if that came later."""
    with closing(sqlite3.connect(server.folder / "data" / "callwright.db")) as database:
        ((heartbeat_us,),) = database.execute("SELECT heartbeat_us FROM nodes")
        touched = "SELECT MAX(at_us) FROM journal WHERE call_id = ?"
        return {call.id: max(heartbeat_us, database.execute(touched, (UUID(call.id).bytes,)).fetchone()[0]) for call in calls}


def ended_when_last_seen(server: Server, seen_us: dict[str, int], killed_us: int) -> None:
    """R2: a stamp a second says when the node was last there; what came after is when the record was touched."""
    with closing(sqlite3.connect(server.folder / "data" / "callwright.db")) as database:
        for call, at_us in seen_us.items():
            key = (UUID(call).bytes,)
            (ended_us, updated_us) = database.execute("SELECT ended_us, updated_us FROM calls WHERE id = ?", key).fetchone()
            legs = database.execute("SELECT ended_us, updated_us FROM legs WHERE call_id = ?", key).fetchall()
            assert ended_us == at_us
            assert killed_us < updated_us
            assert set(legs) == {(ended_us, updated_us)}


async def test_a_child_that_dies_too_often(server: Server, web: Webserver, cast: Cast) -> None:
    """More than five deaths a minute: no call is taken until the child has lived for a minute."""
    call = await cast.call("answered")
    assert call.media == "media-1"
    for _ in range(6):
        pid = child_of(server, "media-2")
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(until, partial(child_of, server, "media-2"), lambda now, pid=pid: now != pid)
    (said,) = server.logged(event="child_unhealthy")
    assert (said["child"], said["deaths"]) == ("media-2", 6)
    assert server.live.get("/api/health").content["parts"] == {"database": "ok", "engine": "unhealthy", "admission": "ok"}
    refused = cast.peer().call(call.number)
    refused.invite()
    answer = await refused.peer.get(503)
    assert answer.get("Retry-After") == "5"
    refused.ack(answer)
    placed = server.live.post("/calls", {"source": "31205550100", "destination": "31205550101", "callFlow": {"steps": [PAUSE]}})
    assert placed.status == 503
    assert "media-2 died more than 5 times within 60 s" in str(placed.content)
    await asyncio.to_thread(server.reaches, call.id, "ongoing")


@pytest.mark.parametrize("signals", [1, 2], ids=["once, and the drain is over", "twice"])
async def test_a_drain(signals: int, tmp_path: Path, web: Webserver, servers: list[Server]) -> None:
    """R3: what is up may go on for drain.seconds, nothing new is taken; a second signal ends all at once."""
    manager = ServiceManager(tmp_path / "notify", WATCHDOG_S)
    drain_s = 2 if signals == 1 else 600
    settings = {**SETTINGS, "drain.seconds": str(drain_s)}
    start = partial(Server.start, tmp_path / "server", settings, environment=manager.environment)
    server = await asyncio.to_thread(start)
    servers.append(server)
    cast = Cast(server, web)
    try:
        calls = [await cast.call(state) for state in ("answered", "bridged")]
        ringing = await cast.call("ringing")
        assert "STOPPING=1" not in manager.hear()
        asked = time.monotonic()
        await asyncio.to_thread(server.ask_to_stop)
        if signals == 2:
            late = cast.peer().call(calls[0].number)
            late.invite()
            late.ack(await late.peer.get(503))
            server.process.send_signal(signal.SIGTERM)
        assert ringing.callee is not None
        assert ringing.invite is not None
        await cast.let_go(calls)
        ringing.callee.reply(await ringing.callee.get("CANCEL"), 200)
        ringing.callee.reply(ringing.invite, 487, "Request Terminated")
        ringing.caller.ack(await ringing.caller.peer.get(603))
        assert signals == 2 or time.monotonic() - asked > drain_s
        await asyncio.to_thread(server.stopped)
        assert manager.hear()[-1] in ("STOPPING=1", "WATCHDOG=1")
        assert manager.said.count("STOPPING=1") == 1
        for call, legs in [(calls[0], 1), (calls[1], 2), (ringing, 2)]:
            assert kept(server, call) == ("ended", [("hangup", "shutdown")] * legs)
            told = await asyncio.to_thread(web.told, call.id)
            assert (told[-1].call, told[-1].legs) == ("ended", ("hangup",) * legs)
    finally:
        cast.close()
        manager.close()


def kept(server: Server, call: Call) -> tuple[str, list[tuple[str, str]]]:
    """A call as a stopped server left it on disk."""
    with closing(sqlite3.connect(server.folder / "data" / "callwright.db")) as database:
        key = (UUID(call.id).bytes,)
        ((status,),) = database.execute("SELECT status FROM calls WHERE id = ?", key)
        return status, database.execute("SELECT status, reason FROM legs WHERE call_id = ? ORDER BY n", key).fetchall()
