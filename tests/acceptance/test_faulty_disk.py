"""A full disk and a locked database under live calls: what goes on, what is refused and how, and that it passes."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.deaths import PAUSE, Call, Cast
from support.disk_faults import (
    Fault,
    LockedFile,
    filled_disk,
    filler,
    in_full_folder,
    in_read_only_folder,
    in_small_folder,
    needs_mounts,
)
from support.server import STOP_S, Server, Webserver, record, until
from support.sip_peer import sdp

SETTINGS = {"webhooks.retry": "1,1,1,1,1,1,1,1,1,1"}
HEARD_S = 2.0
SOME = 0.25  # of the packets: on a busy machine others come later


@pytest.fixture
def web() -> Iterator[Webserver]:
    service = Webserver()
    yield service
    service.close()


class Talk:
    """Sound from the caller of a bridged call, a packet every 20 ms; the callee's end counts what comes."""

    def __init__(self) -> None:
        self._ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for end in self._ends:
            end.bind(("127.0.0.1", 0))
            end.setblocking(False)
        self._number = 0
        self.offer, self.answer = (sdp(port=end.getsockname()[1]) for end in self._ends)

    async def heard(self, port: int, seconds: float) -> float:
        """Speak for so long; the share of packets that arrived."""
        caller, callee = self._ends
        sent = came = 0
        for _ in range(round(seconds * 50)):
            self._number += 1
            header = bytes([0x80, 0]) + self._number.to_bytes(2, "big") + (self._number * 160).to_bytes(4, "big") + b"talk"
            caller.sendto(header + bytes([0x55] * 160), ("127.0.0.1", port))
            sent += 1
            await asyncio.sleep(0.02)
            while True:
                try:
                    came += b"\x55" * 100 in callee.recv(400)
                except BlockingIOError:
                    break
        return came / sent

    async def begin(self, port: int) -> None:
        """Speak until it is heard."""
        shares = []
        while not shares or shares[-1] < 0.7:
            assert len(shares) < 60, shares
            shares.append(await self.heard(port, 0.3))

    def close(self) -> None:
        for end in self._ends:
            end.close()


async def refused(server: Server, cast: Cast, number: str, words: str) -> None:
    """No call in, none out, nothing else that writes; reading goes on."""
    invite = cast.peer().call(number)
    invite.invite()
    answer = await invite.peer.get(503)
    assert answer.get("Retry-After") == "5"
    invite.ack(answer)
    order = {"source": "31205550100", "destination": "31205550101", "callFlow": {"steps": [PAUSE]}}
    for path, body in (("/calls", order), ("/call-flows", {"steps": [PAUSE]})):
        asked = await asyncio.to_thread(server.live.post, path, body)
        assert asked.status == 503
        assert words in str(asked.content), asked
    assert (await asyncio.to_thread(server.live.get, "/calls")).status == 200


def health(server: Server) -> Any:
    return server.live.get("/api/health").content["parts"]["database"]


@pytest.mark.parametrize("fault", [filled_disk, LockedFile], ids=["full disk", "locked file"])
async def test_a_fault_under_live_calls(fault: Callable[[], Fault], web: Webserver, tmp_path: Path) -> None:
    trouble = fault()
    folder = tmp_path / "server"
    within = trouble.within(folder / "data")
    server = await asyncio.to_thread(partial(Server.start, folder, SETTINGS, within=within))
    cast = Cast(server, web)
    talk = Talk()
    try:
        bridged = await cast.call("bridged", talk.offer, talk.answer)
        answered = await cast.call("answered")
        await talk.begin(bridged.port)
        trouble.begin(server)
        try:
            speaking = asyncio.create_task(talk.heard(bridged.port, HEARD_S))
            await asyncio.to_thread(until, partial(health, server), lambda seen: seen == "unhealthy", what="that it is noticed")
            assert await speaking > SOME, "sound never waits"
            await refused(server, cast, answered.number, trouble.words)
            sent_s = time.time()
            answered.caller.send("BYE")
            await answered.caller.peer.get(200)
            heard_s = (sent_s, time.time())
            assert await talk.heard(bridged.port, HEARD_S) > SOME
        finally:
            trouble.end()
        await asyncio.to_thread(until, partial(health, server), lambda seen: seen == "ok", what="that it is over")
        await goes_on(server, cast, web, bridged, answered, heard_s)
        (unhealthy,), (healthy,) = server.logged(event="store_unhealthy"), server.logged(event="store_healthy")
        assert trouble.words in unhealthy["why"] == healthy["after"]
        assert {line["event"] for line in server.logged(level="error")} == {"store_unhealthy"}
        await asyncio.to_thread(server.idle)
        server.ask_to_stop()
        assert await asyncio.to_thread(server.process.wait, STOP_S) == 0
    finally:
        talk.close()
        cast.close()
        server.kill()


async def goes_on(
    server: Server, cast: Cast, web: Webserver, bridged: Call, answered: Call, heard_s: tuple[float, float]
) -> None:
    """What happened meanwhile is on record as it happened, what was up is up, and calls are taken."""
    ended = record("ended", ("incoming", "hangup", "caller_hangup", 200))
    assert await asyncio.to_thread(server.ended, answered.id) == ended
    (moved,) = [entry for entry in server.journal(answered.id, "leg_moved") if entry["status"] == "hangup"]
    at_s = datetime.fromisoformat(moved["at"]).timestamp()
    assert heard_s[0] - 0.001 < at_s < heard_s[1] + 0.001, "when it happened, not when it was written"
    await asyncio.to_thread(server.reaches, bridged.id, "ongoing", "ongoing")
    late = await cast.call("answered")
    for call in (bridged, late):
        call.caller.send("BYE")
        await call.caller.peer.get(200)
    assert bridged.callee is not None
    bridged.callee.reply(await bridged.callee.get("BYE"), 200)
    both = record("ended", ("incoming", "hangup", "caller_hangup", 200), ("outgoing", "hangup", "peer_gone", 200))
    assert await asyncio.to_thread(server.ended, bridged.id) == both
    assert await asyncio.to_thread(server.ended, late.id) == ended
    for call in (bridged, answered, late):
        told = await asyncio.to_thread(web.told, call.id)
        assert [one.sequence for one in told] == list(range(1, len(told) + 1))
        assert told[-1].call == "ended"


@needs_mounts
async def test_a_server_that_is_started_on_a_full_disk_knows_before_the_first_call(web: Webserver, tmp_path: Path) -> None:
    folder = tmp_path / "server"
    first = await asyncio.to_thread(Server.start, folder, SETTINGS)
    number = await asyncio.to_thread(first.answers, "31205550177", PAUSE)
    await asyncio.to_thread(first.stop)
    within = in_full_folder(folder / "data")
    server = await asyncio.to_thread(partial(Server.start, folder, SETTINGS, keys=first.keys, within=within))
    cast = Cast(server, web)
    try:
        assert await asyncio.to_thread(health, server) == "unhealthy"
        await refused(server, cast, number, "The disk is full: free some space.")
        filler(server).unlink()
        await asyncio.to_thread(until, partial(health, server), lambda seen: seen == "ok", what="that it is over")
        call = cast.peer().call(number)
        call.invite()
        await call.peer.get(200)
    finally:
        cast.close()
        server.kill()


def serve(data: Path, within: Any) -> subprocess.CompletedProcess[str]:
    data.mkdir(exist_ok=True)
    arguments = [*within, sys.executable, "-m", "callwright", f"--data={data}", "serve", "--http-port=0", "--sip-port=0"]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=240)


@needs_mounts
def test_a_read_only_folder_is_refused_at_the_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    run = serve(data, in_read_only_folder(data))
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == (
        f"callwright: {data} cannot be written; its file system is mounted read-only: mount it for writing, "
        "or choose another folder with --data\n"
    )


@needs_mounts
def test_a_full_disk_is_refused_at_the_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    run = serve(data, in_small_folder(data, "40k"))
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == (
        f"callwright: The database {data}/callwright.db cannot be opened: database or disk is full (FullError). "
        "The disk is full: free some space.\n"
    )
