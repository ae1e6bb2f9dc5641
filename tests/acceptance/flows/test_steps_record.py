"""The step record on real calls: what is in the file is what the caller said, when it was said."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import wave
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from support.far_end import FarEnd
from support.measuring import WHOLE, find, fingerprint, keys, silences, tones
from support.server import Server, until
from support.sound import RATE, tone_file
from support.steps import hangup, play, record
from support.web_application import Asked, WebApplication

Telephone = Callable[..., FarEnd]
CLIP = fingerprint(2.0, seed=7)
SHORT = {"timeout": 2}


class Recording:
    """A recording as a customer gets it: the object and the file."""

    def __init__(self, server: Server, item: dict[str, Any]) -> None:
        self.item = item
        base = urlsplit(server.http)
        with closing(http.client.HTTPConnection(base.hostname or "", base.port, timeout=10)) as link:
            link.request("GET", f"/recordings/{item['id']}.wav", headers={"Authorization": f"AccessKey {server.keys['live']}"})
            answer = link.getresponse()
            self.headers = {name.lower(): value for name, value in answer.getheaders()}
            body = answer.read()
        assert answer.status == 200, body
        with wave.open(io.BytesIO(body), "rb") as file:
            self.channels = file.getnchannels()
            assert (file.getframerate(), file.getsampwidth()) == (8_000, 2)
            self.samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, self.channels).T

    @property
    def seconds(self) -> float:
        return self.samples.shape[1] / RATE


def recordings(server: Server, number: str, *, of_leg: int = 0, count: int = 1) -> list[Recording]:
    """The finished recordings of a leg of the only call to a number, oldest first."""
    call = server.call_to(number)
    legs = server.live.listed(f"/calls/{call}/legs")[::-1]

    def found() -> list[dict[str, Any]]:
        return server.live.listed(f"/calls/{call}/legs/{legs[of_leg]['id']}/recordings")[::-1]

    items = until(
        found, lambda items: len(items) == count and {item["status"] for item in items} == {"done"}, what="recordings"
    )
    return [Recording(server, item) for item in items]


async def recorded(server: Server, number: str, **options: Any) -> Recording:
    (one,) = await asyncio.to_thread(recordings, server, number, **options)
    return one


async def beeps(server: Server, number: str, caller: FarEnd) -> None:
    """Wait for the beep in the only call to a number, and until what is said is recorded."""
    await caller.until(lambda: bool(tones(caller.line.heard)) and len(silences(caller.line.since(0.3))) > 0, "the beep")
    call = await asyncio.to_thread(server.call_to, number)
    await asyncio.to_thread(server.journalled, call, "recording_moved")


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
async def test_what_is_said_is_what_is_recorded(law: str, server: Server, telephone: Telephone, number: str) -> None:
    await asyncio.to_thread(server.answers, number, record(SHORT))
    caller = telephone(law=law)
    await caller.call(number)
    await beeps(server, number, caller)
    await caller.line.say(CLIP)
    await caller.is_hung_up(within=20)
    recording = await recorded(server, number)
    match = find(CLIP, recording.samples[0])
    assert match.likeness > WHOLE
    assert match.gain == pytest.approx(1, abs=0.2)
    assert recording.item["type"] == "ivr"
    assert recording.item["duration"] == pytest.approx(recording.seconds, abs=1)
    assert recording.seconds - match.at - 2 == pytest.approx(2, abs=0.6)  # two seconds of silence ended it
    assert tones(recording.samples[0][: round(match.at * RATE)]) == []  # the beep is not in it
    assert "attachment" in recording.headers["content-disposition"]


async def test_it_ends_at_its_longest(server: Server, telephone: Telephone, number: str) -> None:
    await asyncio.to_thread(server.answers, number, record({"maxLength": 2, "beep": False}))
    caller = telephone()
    await caller.call(number)
    caller.line.say(fingerprint(5, seed=8))
    await caller.is_hung_up(within=20)
    recording = await recorded(server, number)
    assert recording.seconds == pytest.approx(2, abs=0.1)
    assert tones(caller.line.heard) == []


async def test_nanoseconds_of_one_library_are_seconds(server: Server, telephone: Telephone, number: str) -> None:
    await asyncio.to_thread(server.answers, number, record({"maxLength": 1_500_000_000}))
    caller = telephone()
    await caller.call(number)
    await caller.is_hung_up(within=20)
    assert (await recorded(server, number)).seconds == pytest.approx(1.5, abs=0.1)


@pytest.mark.parametrize(
    ("finish_on_key", "pressed", "how"), [("any", "5", "events"), ("#", "1#", "events"), ("#", "#", "tones")]
)
async def test_a_key_ends_it_and_is_not_heard_in_it(
    finish_on_key: str, pressed: str, how: str, server: Server, telephone: Telephone, number: str
) -> None:
    await asyncio.to_thread(server.answers, number, record({"finishOnKey": finish_on_key}))
    caller = telephone(events=how == "events")
    await caller.call(number)
    await beeps(server, number, caller)
    await caller.line.say(CLIP)
    await caller.hears_for(0.2)  # what comes right before a key is cut off with it
    await caller.line.press(pressed, how=how)
    await caller.is_hung_up(within=20)
    recording = await recorded(server, number)
    match = find(CLIP, recording.samples[0])
    assert match.likeness > WHOLE
    assert recording.seconds < match.at + 2 + 2.5
    assert pressed[-1] not in keys(recording.samples[0])


async def test_the_program_is_told_and_says_how_to_go_on(
    server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    path = f"/finished-{number}"
    tune = web.at("/after.wav", tone_file(900, 1))

    def finished(asked: Asked) -> dict[str, Any]:
        return {"steps": [play(tune), hangup()]}

    url = web.at(path, finished)
    await asyncio.to_thread(server.answers, number, record({**SHORT, "finishOnKey": "any", "onFinish": url}), play(tune))
    caller = telephone()
    await caller.call(number)
    await beeps(server, number, caller)
    await caller.line.say(CLIP)
    await caller.line.press("1")
    await caller.is_hung_up(within=20)
    assert [round(one.hz or 0, -1) for one in tones(caller.line.heard, longer=0.8)] == [
        900
    ]  # once: this flow's step is never run
    (asked,) = await asyncio.to_thread(web.to, path)
    recording = await recorded(server, number)
    call = await asyncio.to_thread(server.call_to, number)
    assert (asked.method, asked.headers["content-type"]) == ("POST", "application/json")
    assert asked.query == {"callID": call, "source": "31612345678", "destination": number, "variables": "{}"}
    told = json.loads(asked.body)
    assert {key: told[key] for key in ("id", "legId", "type", "format")} == {
        "id": recording.item["id"],
        "legId": recording.item["legId"],
        "type": "ivr",
        "format": "wav",
    }
    assert told["status"] == "done"
    assert {"messagebird-signature", "messagebird-request-timestamp", "messagebird-signature-jwt"} <= asked.headers.keys()


async def test_what_was_said_until_the_caller_hung_up_is_there(server: Server, telephone: Telephone, number: str) -> None:
    await asyncio.to_thread(server.answers, number, record())
    caller = telephone()
    await caller.call(number)
    await beeps(server, number, caller)
    await caller.line.say(CLIP)
    await caller.hears_for(0.3)
    await caller.hang_up()
    assert find(CLIP, (await recorded(server, number)).samples[0]).likeness > WHOLE
