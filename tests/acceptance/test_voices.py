"""Voices and calls: what a flow says is ready before anybody calls, and calls go on when the processes that speak die."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from support.deaths import child_of
from support.far_end import FarEnd
from support.recogniser import error_rate, words
from support.server import EVERY_VOICE, Server, record, until

ENGINES = ("speech-hibari", "speech-pico", "speech-espeak")
TEXT = "Welcome to the office. Please hold the line."


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server.start(tmp_path / "server", EVERY_VOICE)
    until(lambda: voices_up(running), lambda up: up >= set(ENGINES), what="the voices")
    yield running
    running.kill()


def voices_up(server: Server) -> set[str]:
    return {line["child"] for line in server.logged(event="child_up")}


def kept(server: Server) -> list[Path]:
    return list((server.folder / "data" / "cache" / "speech").rglob("*.wav"))


def say(text: str, language: str = "en-GB", voice: str = "female") -> dict[str, object]:
    return {"action": "say", "options": {"payload": text, "language": language, "voice": voice}}


async def call(server: Server, number: str) -> FarEnd:
    caller = FarEnd((server.host, server.port))
    try:
        await caller.call(number)
        await caller.is_hung_up(within=90)
    finally:
        caller.close()
    return caller


def test_what_a_flow_says_is_ready_before_anybody_calls(server: Server) -> None:
    flow = server.live.post("/call-flows", {"steps": [say(TEXT), say("Goodbye.", "nl-NL", "male")]}).made
    until(lambda: kept(server), lambda files: len(files) == 3, what="the sentences")
    assert server.live.post("/call-flows", {"steps": [say(TEXT)]}).status == 201
    changed = server.live.ask("PUT", f"/call-flows/{flow['id']}", {"steps": [say("Something else.")]})
    assert changed.status == 200
    until(lambda: kept(server), lambda files: len(files) == 4, what="the new sentence")
    assert not server.logged(level="error")


def test_what_nobody_can_say_is_refused_when_it_is_saved(server: Server) -> None:
    answer = server.live.post("/call-flows", {"steps": [{**say("東京へようこそ", "ja-JP"), "id": "greet"}]})
    assert answer.status == 422
    (error,) = answer.content["errors"]
    assert "greet" in error["message"]
    assert "Japanese with kanji" in error["message"]
    assert "docs/speech.md" in error["message"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_calls_go_on_when_all_voices_die(server: Server, how: int) -> None:
    number = await asyncio.to_thread(server.answers, "31207009001", say(TEXT))
    await asyncio.to_thread(until, lambda: kept(server), lambda files: len(files) == 2)
    before = len(server.logged(event="child_died"))
    for engine in ENGINES:
        os.kill(child_of(server, engine), how)
    # What is kept needs nobody.
    caller = await call(server, number)
    understood = await asyncio.to_thread(words, caller.line.heard)
    assert error_rate(TEXT, understood) < 0.4, understood
    # What is not is said by a voice that is back.
    await asyncio.to_thread(until, partial(server.logged, event="child_died"), lambda died: len(died) >= before + len(ENGINES))
    placed = await asyncio.to_thread(server.answers, "31207009002", say("Nobody has ever said this before."))
    caller = await call(server, placed)
    assert np.abs(caller.line.heard).max() > 2_000
    call_id = await asyncio.to_thread(server.call_to, placed)
    assert await asyncio.to_thread(server.ended, call_id) == record("ended", ("incoming", "hangup", "flow_ended", 200))
    assert not [line for line in server.logged() if "refused" in line["event"]]


async def test_without_any_voice_a_call_ends_with_its_reason(tmp_path: Path) -> None:
    service = (
        '[[speech.providers]]\nname = "down"\nkind = "openai"\nurl = "http://127.0.0.1:9/v1"\nvoices = { "gl-ES" = "uxia" }\n'
    )
    server = Server.start(tmp_path / "server", {"speech.engines": "espeak"}, service)
    try:
        # Only that service speaks Galician.
        number = await asyncio.to_thread(server.answers, "31207009003", say("Benvidos.", "gl-ES"))
        await call(server, number)
        call_id = await asyncio.to_thread(server.call_to, number)
        ended = await asyncio.to_thread(server.ended, call_id)
        assert ended.legs[0].reason == "speech_unavailable"
        failed = server.logged(event="voice_failed")
        assert failed
        assert all(line["source"] == "down" and "Benvidos" not in str(line) for line in failed)
    finally:
        await asyncio.to_thread(server.kill)
