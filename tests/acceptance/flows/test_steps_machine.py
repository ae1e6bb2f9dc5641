"""Calls that we place, answered by people and by machines: when the flow speaks, and whether it does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from support.far_end import FarEnd, Samples
from support.measuring import WHOLE, find, fingerprint, pieces_in, tones
from support.server import Server, record
from support.sound import RATE, tone, tone_file
from support.steps import hangup, pause, play, say, transfer
from support.together import each
from support.web_application import WebApplication

Telephone = Callable[..., FarEnd]
Voice = Callable[[str], Awaitable[Samples]]
GREETING = "You have reached the voice mail of Peter Miller. I cannot come to the telephone now. Please leave a message."


@pytest.fixture
async def hello(voice: Voice) -> Samples:
    return await voice("Hello?")


@pytest.fixture
async def greeting(voice: Voice) -> Samples:
    return await voice(GREETING)


async def placed(server: Server, callee: FarEnd, *steps: dict[str, Any]) -> str:
    """A call of ours that this telephone answers; the call."""
    call = await asyncio.to_thread(server.calls, callee.uri, *steps)
    await callee.answers()
    return call


async def judged(server: Server, call: str) -> dict[str, Any]:
    return await asyncio.to_thread(server.journalled, call, "judged")


async def test_a_person_is_spoken_to_after_the_first_word(server: Server, telephone: Telephone, hello: Samples) -> None:
    callee = telephone()
    call = await placed(server, callee, say("Your parcel is here.", {"ifMachine": "delay"}), hangup())
    await callee.hears_for(0.5)
    await callee.line.say(hello)
    end = callee.line.now
    await callee.is_hung_up(within=30)
    loud = np.flatnonzero(np.abs(callee.line.since(end)) > 1_000)
    assert 0.3 < loud[0] / RATE < 8  # 1 s on a quiet machine
    assert (await judged(server, call))["verdict"] == "human"


async def test_a_machine_is_hung_up_on(server: Server, telephone: Telephone, greeting: Samples) -> None:
    callee = telephone()
    call = await placed(server, callee, say("Your parcel is here.", {"ifMachine": "hangup"}), hangup())
    await callee.hears_for(0.3)
    callee.line.say(greeting)
    await callee.is_hung_up()
    assert np.abs(callee.line.heard).max() < 1_000  # nothing was said
    verdict = await judged(server, call)
    assert verdict["verdict"] == "machine"
    assert verdict["basis"]
    assert (await asyncio.to_thread(server.ended, call)).legs[0].reason == "machine"


async def test_a_machine_is_spoken_to_when_it_listens(
    server: Server, web: WebApplication, telephone: Telephone, greeting: Samples
) -> None:
    """After its beep, or when it has been silent for a while: the message must be on the tape."""
    clip = fingerprint(1.5, seed=5)
    media = web.at("/message.wav", tone_file(440, 0)[:40] + (2 * len(clip)).to_bytes(4, "little") + clip.tobytes())
    steps = [say("Attention.", {"ifMachine": "delay", "machineTimeout": 10_000}), play(media), hangup()]

    async def case(beep: bool) -> None:
        callee = telephone()
        call = await placed(server, callee, *steps)
        await callee.hears_for(0.3)
        speech = [greeting, np.zeros(RATE // 2, np.int16), tone(1_000, 400)] if beep else [greeting]
        await callee.line.say(np.concatenate(speech))
        end = callee.line.now
        await callee.is_hung_up(within=40)
        assert np.abs(callee.line.heard[: round((end - 0.1) * RATE)]).max() < 1_000  # nobody spoke into the greeting
        assert pieces_in(clip, callee.line.since(end))[1] > WHOLE
        assert find(clip, callee.line.since(end)).at < 9
        assert (await judged(server, call))["verdict"] == "machine"

    await each([True, False], case)


async def test_nobody_waits_where_that_is_wanted(server: Server, telephone: Telephone) -> None:
    callee = telephone()
    call = await placed(server, callee, say("Hello there.", {"ifMachine": "continue"}), hangup())
    await callee.is_hung_up(within=20)
    loud = np.flatnonzero(np.abs(callee.line.heard) > 1_000)
    assert loud[0] / RATE < 8  # 120 ms on a quiet machine
    assert await asyncio.to_thread(server.journal, call, "judged") == []


async def test_a_transfer_to_a_machine_is_taken_back(
    server: Server, web: WebApplication, telephone: Telephone, number: str, greeting: Samples
) -> None:
    machine = telephone()
    sorry = play(web.at("/not-there.wav", tone_file(1_200, 1)))
    await asyncio.to_thread(server.answers, number, pause(0.2), transfer(machine.uri, {"ifMachine": "hangup"}), sorry)
    caller = telephone()
    await caller.call(number)
    await machine.answers()
    await machine.hears_for(0.3)
    machine.line.say(greeting)
    await machine.is_hung_up()
    await caller.is_hung_up()
    assert round(tones(caller.line.heard, longer=0.5)[-1].hz or 0, -1) == 1_200
    assert find(greeting[:RATE], caller.line.heard).likeness < 0.4  # the caller heard nothing of it
    call = await asyncio.to_thread(server.call_to, number)
    legs = ("incoming", "hangup", "flow_ended", 200), ("outgoing", "hangup", "machine", 200)
    assert await asyncio.to_thread(server.ended, call) == record("ended", *legs)
