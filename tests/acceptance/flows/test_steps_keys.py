"""Keys on real calls, in every way a telephone sends them, and what flows make of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from support import measuring
from support.far_end import FarEnd, Samples
from support.measuring import RATE, silences, tones
from support.server import Server
from support.sound import tone_file
from support.steps import fetch, hangup, holds, pause, play, send_keys
from support.together import each
from support.web_application import WebApplication

Telephone = Callable[..., FarEnd]
PROMPT_HZ, ONE_HZ, TWO_HZ, NONE_HZ = 440, 600, 800, 1_000


@pytest.fixture(scope="module")
def sounds(web: WebApplication) -> Callable[[int], str]:
    """The URL of a tone: 4 seconds of the prompt's, half a second of others."""
    return {
        hz: web.at(f"/tone-{hz}.wav", tone_file(hz, 4 if hz == PROMPT_HZ else 0.5))
        for hz in (PROMPT_HZ, ONE_HZ, TWO_HZ, NONE_HZ)
    }.__getitem__


def menu(sounds: Callable[[int], str], **keys: Any) -> list[dict[str, Any]]:
    """A prompt, and by what was keyed in while it played another tone."""
    return [
        play(sounds(PROMPT_HZ), id="ask", onKeypressVar="choice", onKeypressGoto="one", **keys),
        play(sounds(NONE_HZ), id="none"),
        hangup(),
        play(sounds(ONE_HZ), id="one", conditions=holds("choice", "1")),
        play(sounds(TWO_HZ), id="two", conditions=holds("choice", "1", "!=")),
    ]


async def by_events(caller: FarEnd, key: str) -> None:
    await caller.line.press(key)


async def by_relay(caller: FarEnd, key: str) -> None:
    await caller.press_by_info(key)


async def by_dtmf(caller: FarEnd, key: str) -> None:
    await caller.press_by_info(key, relay=False)


async def by_tones(caller: FarEnd, key: str) -> None:
    await caller.line.press(key, how="tones", gap_ms=60)


PRESSED = {"events": by_events, "info relay": by_relay, "info dtmf": by_dtmf, "tones": by_tones}


async def test_a_key_stops_the_prompt_and_decides(
    server: Server, sounds: Callable[[int], str], telephone: Telephone, numbers: Iterator[str]
) -> None:
    async def case(how: tuple[str, str, int]) -> None:
        means, key, hz = how
        number = next(numbers)
        await asyncio.to_thread(server.answers, number, *menu(sounds))
        caller = telephone(events=means == "events")
        await caller.call(number)
        await caller.until(lambda: len(tones(caller.line.heard, longer=0.5)) == 1, "the prompt")
        began = caller.line.now
        await PRESSED[means](caller, key)
        await caller.is_hung_up()
        prompt, chosen = tones(caller.line.heard, longer=0.3)
        assert (round(prompt.hz or 0, -1), round(chosen.hz or 0, -1)) == (PROMPT_HZ, hz)
        assert prompt.start + prompt.length - began < 2  # of 4 s; 40 ms on a quiet machine
        call = await asyncio.to_thread(server.call_to, number)
        await asyncio.to_thread(server.pressed, call, key)

    await each([(means, key, hz) for means in PRESSED for key, hz in (("1", ONE_HZ), ("#", TWO_HZ))], case)


async def test_barge_in_within_a_frame_or_two(
    server: Server, sounds: Callable[[int], str], telephone: Telephone, number: str
) -> None:
    """From the key's first packet to silence, measured in the sound itself; a busy machine has several tries."""
    steps = [play(sounds(PROMPT_HZ), maxNumKeys=1, onKeypressVar="x"), pause(1)]
    await asyncio.to_thread(server.answers, number, *steps)
    delays = [1.0]
    while delays[-1] >= 0.12 and len(delays) < 13:  # the network, a tick of both sides, and the edges of the measurement
        caller = telephone()
        await caller.call(number)
        await caller.until(lambda caller=caller: caller.line.now > 0.6, "some of the prompt")
        at = caller.line.now
        await caller.line.press("5", ms=200)
        await caller.is_hung_up()
        (prompt, *_) = tones(caller.line.heard)
        delays.append(prompt.start + prompt.length - at)
    assert delays[-1] < 0.12, delays


async def test_without_a_key_the_flow_goes_on(
    server: Server, sounds: Callable[[int], str], telephone: Telephone, number: str
) -> None:
    await asyncio.to_thread(server.answers, number, *menu(sounds))
    caller = telephone()
    await caller.call(number)
    await caller.is_hung_up(within=30)
    assert [round(one.hz or 0, -1) for one in tones(caller.line.heard, longer=0.3)] == [PROMPT_HZ, NONE_HZ]


async def test_keys_are_collected_and_passed_on(
    server: Server, web: WebApplication, sounds: Callable[[int], str], telephone: Telephone, numbers: Iterator[str]
) -> None:
    async def case(what: tuple[str, dict[str, Any], str]) -> None:
        keyed, keys, stored = what
        number = next(numbers)
        path = f"/next-{number}"
        url = web.at(path, {"steps": [hangup()]})
        steps = [play(sounds(PROMPT_HZ), onKeypressVar="digits", **keys), fetch(url)]
        await asyncio.to_thread(server.answers, number, *steps)
        caller = telephone()
        await caller.call(number)
        await caller.until(lambda: len(tones(caller.line.heard, longer=0.3)) == 1, "the prompt")
        await caller.line.press(keyed, ms=80, gap_ms=80)
        await caller.is_hung_up(within=20)
        (asked,) = await asyncio.to_thread(web.to, path)
        assert json.loads(asked.query["variables"]) == {"digits": stored}
        assert (asked.query["source"], asked.query["destination"]) == ("31612345678", number)

    cases: list[tuple[str, dict[str, Any], str]] = [
        ("4711", {"maxNumKeys": 4}, "4711"),
        ("12#", {"endKey": "#"}, "12"),
        ("123", {"endKey": "#", "maxNumKeys": 3}, "123"),
        ("#", {"endKey": "#"}, ""),
        ("42", {"maxNumKeys": 9}, "42"),  # no more came in time
        ("7", {}, "7"),
    ]
    await each(cases, case)


async def test_speech_presses_no_keys(
    server: Server, telephone: Telephone, number: str, voice: Callable[[str], Awaitable[Samples]]
) -> None:
    """Where tones are listened for, a voice must not be taken for them."""
    steps = [pause(7, onKeypressVar="x", maxNumKeys=1), hangup()]
    await asyncio.to_thread(server.answers, number, *steps)
    text = "Numbers such as one two three four, and sounds like you, me, do, re, mi, are no keys at all. "
    speech = await voice(text)
    caller = telephone(events=False)
    await caller.call(number)
    await caller.line.say(speech[: 6 * RATE])
    await caller.is_hung_up(within=20)
    call = await asyncio.to_thread(server.call_to, number)
    assert await asyncio.to_thread(server.journal, call, "digit_pressed") == []


@pytest.mark.parametrize("events", [True, False])
async def test_keys_are_sent(events: bool, server: Server, telephone: Telephone, number: str) -> None:
    steps = [send_keys("12w#D", {"duration": 120, "interval": 80}), pause(0.5)]
    await asyncio.to_thread(server.answers, number, *steps)
    caller = telephone(events=events)
    await caller.call(number)
    await caller.is_hung_up()
    assert (caller.line.keys if events else measuring.keys(caller.line.heard)) == "12#D"
    if not events:
        gaps = silences(caller.line.heard, longer=0.3)
        assert any(0.4 < gap.length < 0.9 for gap in gaps)  # the w


async def test_upper_and_lower_case_are_one(
    server: Server, sounds: Callable[[int], str], telephone: Telephone, number: str
) -> None:
    """Keys of JSON match whatever their case (contract §1.3)."""
    steps = [
        {"Action": "play", "OPTIONS": {"Media": sounds(PROMPT_HZ)}, "ONKEYPRESSVAR": "c", "onkeypressgoto": "one"},
        {"action": "hangup"},
        {"ID": "one", "action": "play", "options": {"media": sounds(ONE_HZ)}},
    ]
    await asyncio.to_thread(server.answers, number, *steps)
    caller = telephone()
    await caller.call(number)
    await caller.until(lambda: len(tones(caller.line.heard, longer=0.3)) == 1, "the prompt")
    await caller.line.press("9")
    await caller.is_hung_up()
    assert round(tones(caller.line.heard, longer=0.3)[-1].hz or 0, -1) == ONE_HZ
