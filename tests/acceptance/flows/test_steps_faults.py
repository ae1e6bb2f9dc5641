"""What callers hear, and what is on record, when a part of the server fails under a flow."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_steps_record import Recording, beeps

from support.deaths import child_of, gone
from support.far_end import FarEnd
from support.measuring import WHOLE, find, fingerprint, tones
from support.recogniser import words
from support.server import EVERY_VOICE, Server, until
from support.sound import tone_file
from support.steps import pause, play, record, say
from support.web_application import WebApplication

Telephone = Callable[..., FarEnd]
CLIP = fingerprint(3.0, seed=99)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """One for each test, which may break it."""
    running = Server.start(tmp_path / "one", EVERY_VOICE)
    yield running
    running.kill()


async def test_what_was_said_until_the_server_was_killed_is_there(
    server: Server, tmp_path: Path, telephone: Telephone, number: str
) -> None:
    await asyncio.to_thread(server.answers, number, record())
    caller = telephone()
    await caller.call(number)
    await beeps(server, number, caller)
    await caller.line.say(CLIP)
    await caller.hears_for(2.5)  # what waits for late packets and for the disk
    call = await asyncio.to_thread(server.call_to, number)
    server.process.kill()
    server.process.wait()
    successor = await asyncio.to_thread(Server.start, tmp_path / "one", keys=server.keys)
    try:
        leg = (await asyncio.to_thread(successor.live.listed, f"/calls/{call}/legs"))[0]
        items = await asyncio.to_thread(
            until,
            lambda: successor.live.listed(f"/calls/{call}/legs/{leg['id']}/recordings"),
            lambda items: [item["status"] for item in items] == ["done"],
            what="the recording",
        )
        recording = Recording(successor, items[0])
        assert find(CLIP, recording.samples[0]).likeness > WHOLE
        assert items[0]["duration"] == pytest.approx(recording.seconds, abs=1)
    finally:
        successor.kill()


async def test_a_disk_that_is_full_ends_the_recording_and_not_the_call(
    server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    after = play(web.at("/after-full.wav", tone_file(900, 1)))
    await asyncio.to_thread(server.answers, number, record({"maxLength": 20}), after)
    media = child_of(server, "media-1")
    _, hard = resource.prlimit(media, resource.RLIMIT_FSIZE)
    resource.prlimit(media, resource.RLIMIT_FSIZE, (20_000, hard))
    caller = telephone()
    await caller.call(number)
    await beeps(server, number, caller)
    caller.line.say(CLIP)
    await caller.is_hung_up(within=30)
    assert [round(one.hz or 0, -1) for one in tones(caller.line.heard, longer=0.8)] == [900]
    call = await asyncio.to_thread(server.call_to, number)
    moved = (await asyncio.to_thread(server.journal, call, "recording_moved"))[-1]
    assert (moved["status"], moved["outcome"]) == ("failed", "failed")
    assert moved["detail"]
    assert (await asyncio.to_thread(server.ended, call)).legs[0].reason == "flow_ended"


async def test_a_speech_worker_that_dies_is_replaced(server: Server, telephone: Telephone, number: str) -> None:
    await asyncio.to_thread(server.answers, number, pause(1), say("The office is closed today."))
    caller = telephone()
    await caller.call(number)
    for child in speakers(server):
        os.kill(child, signal.SIGKILL)
        gone([child])
    await caller.is_hung_up(within=30)
    heard = await asyncio.to_thread(words, caller.line.heard)
    assert "closed" in heard, heard


async def test_a_speech_worker_that_hangs_lets_the_caller_go(server: Server, telephone: Telephone) -> None:
    """The caller waits a little, and hears it from the next worker or is released; the record says which."""
    for child in speakers(server):
        os.kill(child, signal.SIGSTOP)
    caller = telephone()
    step = say("The office is closed today.", {"ifMachine": "continue"})
    call = await asyncio.to_thread(server.calls, caller.uri, step)
    await caller.answers()
    await caller.is_hung_up(within=40)
    (leg,) = (await asyncio.to_thread(server.ended, call, within=30)).legs
    assert leg.reason in ("flow_ended", "speech_unavailable")
    if leg.reason == "flow_ended":
        assert "closed" in await asyncio.to_thread(words, caller.line.heard)


def speakers(server: Server) -> list[int]:
    """The processes that speak."""
    engines = ("speech-espeak", "speech-pico")  # those of the package itself; the extra has more
    until(lambda: {line["child"] for line in server.logged(event="child_up")}, lambda up: up.issuperset(engines))
    names = {line["child"] for line in server.logged(event="child_up") if line["child"].startswith("speech")}
    return [child_of(server, name) for name in names]
