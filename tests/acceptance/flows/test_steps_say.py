"""The step say on real calls: what a recogniser hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from support.far_end import FarEnd
from support.measuring import silences
from support.recogniser import error_rate, words
from support.server import Server, until
from support.sound import RATE
from support.steps import pause, say
from support.together import each
from support.web_application import WebApplication, xml

Telephone = Callable[..., FarEnd]
TEXT = "Please leave your name and telephone number. We will call you back tomorrow morning."


async def heard(server: Server, telephone: Telephone, number: str, *steps: dict[str, object], **options: object) -> FarEnd:
    await asyncio.to_thread(server.answers, number, *steps)
    caller = telephone(**options)
    await caller.call(number)
    await caller.is_hung_up(within=60)
    return caller


def kept(server: Server) -> list[Path]:
    """The sentences that were made."""
    return list((server.folder / "data" / "cache" / "speech").rglob("*.wav"))


async def test_words_are_understood(server: Server, telephone: Telephone, numbers: Iterator[str]) -> None:
    async def case(wanted: tuple[str, str]) -> None:
        language, voice = wanted
        caller = await heard(server, telephone, next(numbers), say(TEXT, {"language": language, "voice": voice}))
        understood = await asyncio.to_thread(words, caller.line.heard)
        assert error_rate(TEXT, understood) < 0.3, understood

    await each([("en-GB", "female"), ("en-US", "male"), ("en-us", "")], case)


async def test_it_is_said_as_often_as_wanted(server: Server, telephone: Telephone, numbers: Iterator[str]) -> None:
    once, more = await asyncio.gather(
        heard(server, telephone, next(numbers), say("The office is closed today.")),
        heard(server, telephone, next(numbers), say("The office is closed today.", {"repeat": 3})),
    )
    understood = await asyncio.to_thread(words, more.line.heard)
    assert understood.count("closed") == 3, understood
    assert spoken_s(more) > 2.5 * spoken_s(once)


def spoken_s(caller: FarEnd) -> float:
    """From the first sound to the last."""
    loud = np.flatnonzero(np.abs(caller.line.heard) > 500)
    return float(loud[-1] - loud[0]) / RATE


async def test_it_begins_at_once_when_the_text_is_known(server: Server, telephone: Telephone, number: str) -> None:
    text = "It is ready."
    await heard(server, telephone, number, say(text))
    caller = telephone()
    await caller.call(number)
    await caller.is_hung_up(within=60)
    (first, *_) = silences(caller.line.heard, longer=0.02) or [None]
    assert first is None or first.start > 0 or first.length < 2  # 60 ms on a quiet machine


async def test_a_text_of_several_sentences_has_no_holes(server: Server, telephone: Telephone, number: str) -> None:
    text = "This is the first sentence. Here comes the second one. And the third one is the last."
    before = len(kept(server))
    await asyncio.to_thread(server.answers, f"9{number}", say(text))
    await asyncio.to_thread(until, lambda: len(kept(server)), lambda count: count >= before + 3, what="the sentences")
    caller = await heard(server, telephone, number, say(text), pause(1))
    understood = await asyncio.to_thread(words, caller.line.heard)
    assert error_rate(text, understood) < 0.35, understood
    (at_the_end,) = silences(caller.line.heard, longer=0.9)
    assert at_the_end.start + at_the_end.length > caller.line.now - 0.3


async def test_what_is_fetched_is_said_in_xml_too(
    server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    url = web.at("/say.xml", xml('<Say language="en-GB" voice="female">One moment please.</Say>'))
    caller = await heard(server, telephone, number, {"action": "fetchCallFlow", "options": {"url": url}})
    assert "moment" in await asyncio.to_thread(words, caller.line.heard)


async def test_a_language_without_a_voice_is_refused_when_it_is_saved(server: Server) -> None:
    answer = await asyncio.to_thread(
        server.live.post, "/call-flows", {"steps": [say("Hello", {"language": "tlh-KL"}, id="greet")]}
    )
    assert answer.status == 422
    assert "greet" in answer.content["errors"][0]["message"]
