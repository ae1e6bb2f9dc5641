"""The steps play and pause on real calls: what the caller hears, by measurement."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import soxr

from support.far_end import FarEnd
from support.measuring import WHOLE, find, fingerprint, pieces_in, silences, tones
from support.server import Server, record
from support.sound import RATE, tone_file
from support.soundfiles import KINDS, encoded
from support.steps import Step, pause, play
from support.together import each
from support.web_application import Asked, Reply, WebApplication

Telephone = Callable[..., FarEnd]
CLIP = fingerprint(2.0)


async def heard(server: Server, telephone: Telephone, number: str, *steps: Step, **options: object) -> FarEnd:
    """A call to a flow of these steps, from its answer until the flow hangs up."""
    await asyncio.to_thread(server.answers, number, *steps)
    caller = telephone(**options)
    await caller.call(number)
    await caller.is_hung_up(within=30)
    return caller


async def test_every_kind_of_file_is_heard(
    server: Server, web: WebApplication, telephone: Telephone, numbers: Iterator[str]
) -> None:
    async def case(kind: str) -> None:
        number, rate = next(numbers), KINDS[kind][2]
        clip = CLIP if rate == 8_000 else soxr.resample(CLIP.astype(np.float32), 8_000, rate, "VHQ")
        url = web.at(f"/{kind}", encoded(kind, [clip.astype(np.float32) / 32_768] * 2))
        caller = await heard(server, telephone, number, play(url))
        assert pieces_in(CLIP, caller.line.heard)[1] > (0.7 if kind == "ogg" else WHOLE)
        match = find(CLIP[:RATE], caller.line.heard)
        assert match.gain == pytest.approx(1, abs=0.2)
        assert 1.9 < caller.line.now - match.at < 8  # and then the flow is over
        call = await asyncio.to_thread(server.call_to, number)
        assert await asyncio.to_thread(server.ended, call) == record("ended", ("incoming", "hangup", "flow_ended", 200))

    await each(KINDS, case)


async def test_several_files_come_one_after_the_other(
    server: Server, web: WebApplication, telephone: Telephone, numbers: Iterator[str]
) -> None:
    urls = [web.at(f"/{hz}.wav", tone_file(hz, 1.0)) for hz in (400, 600, 800)]

    async def case(law: str) -> None:
        caller = await heard(server, telephone, next(numbers), play(*urls), law=law)
        course = tones(caller.line.heard, longer=0.5)
        assert [round(one.hz or 0, -1) for one in course] == [400, 600, 800]
        assert [one.length for one in course] == pytest.approx([1, 1, 1], abs=0.06)
        assert silences(caller.line.since(course[0].start + 0.1)[: 8_000 * 2]) == []

    await each(["PCMU", "PCMA"], case)


async def test_a_pause_is_silence_of_its_length(server: Server, web: WebApplication, telephone: Telephone, number: str) -> None:
    beep = web.at("/beep.wav", tone_file(1_000, 0.5))
    caller = await heard(server, telephone, number, play(beep), pause(2), play(beep))
    first, second = tones(caller.line.heard, longer=0.3)
    (between,) = silences(caller.line.since(first.start + 0.3), longer=1)
    assert 1.8 < between.length < 6
    assert 1.8 < second.start - (first.start + first.length) < 6


async def test_the_first_bytes_are_heard_while_the_rest_is_on_its_way(
    server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    file = encoded("mp3", [soxr.resample(fingerprint(4).astype(np.float32), 8_000, 44_100, "VHQ") / 32_768])
    given = threading.Event()

    def slowly(asked: Asked) -> Reply:
        return Reply(raw=parts())

    def parts() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + file[: len(file) // 2]
        given.wait(20)
        yield file[len(file) // 2 :]

    url = web.at("/slow.mp3", slowly)
    await asyncio.to_thread(server.answers, number, play(url))
    caller = telephone()
    await caller.call(number)
    loud = lambda: bool(np.any(np.abs(caller.line.heard) > 1_000))  # noqa: E731
    await caller.until(loud, "the first sound")
    assert not given.is_set()
    given.set()
    await caller.is_hung_up(within=30)
    assert pieces_in(fingerprint(4), caller.line.heard)[1] > WHOLE  # all of it, with one stop at most


async def test_a_sound_that_is_not_there_ends_the_call_and_says_why(
    server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    caller = await heard(server, telephone, number, play(web.at("/no.wav", Reply(b"gone", status=404))))
    assert len(tones(caller.line.heard)) == 0
    call = await asyncio.to_thread(server.call_to, number)
    (fetched,) = await asyncio.to_thread(server.journal, call, "media_fetched")
    assert (fetched["status"], fetched["error"]) == (404, "127.0.0.1 answered 404")
