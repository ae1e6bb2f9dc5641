"""Flows that come while a call is up, and all that can be wrong with them: what the caller hears, and what the record says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.far_end import FarEnd
from support.measuring import tones
from support.ports import free_port
from support.server import Server
from support.sound import tone_file
from support.soundfiles import encoded, sine, video
from support.steps import fetch, hangup, holds, pause, play, record
from support.together import each
from support.web_application import Asked, Reply, WebApplication, xml

Telephone = Callable[..., FarEnd]
SORRY_HZ, FETCHED_HZ = 1_500, 700


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that has something to say when a flow cannot be had."""
    folder = tmp_path_factory.mktemp("fetch") / "one"
    running = Server.start(folder, {"flows.fallback": "file:sorry.wav", "flows.fallback_answers": "true", "flows.fetches": "5"})
    (folder / "data" / "sounds" / "sorry.wav").write_bytes(tone_file(SORRY_HZ, 0.5))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def tune(web: WebApplication) -> str:
    return web.at("/fetched.wav", tone_file(FETCHED_HZ, 0.5))


async def heard(server: Server, telephone: Telephone, number: str, *steps: dict[str, Any]) -> tuple[list[float], str]:
    """The tones a caller hears of a flow, and the call."""
    await asyncio.to_thread(server.answers, number, *steps)
    caller = telephone()
    await caller.call(number, answered=False)
    await caller.is_answered(within=30)
    await caller.is_hung_up(within=40)
    return [round(one.hz or 0, -1) for one in tones(caller.line.heard, longer=0.3)], await asyncio.to_thread(
        server.call_to, number
    )


async def test_variables_and_all_else_that_is_known_is_asked_with(
    server: Server, web: WebApplication, telephone: Telephone, number: str, tune: str
) -> None:
    path = f"/flow-{number}"
    url = web.at(path, {"title": "Next", "steps": [play(tune), hangup(), play(tune)]})
    found, call = await heard(server, telephone, number, fetch(url + "?customer=7"), play(tune))
    assert found == [FETCHED_HZ]
    (asked,) = await asyncio.to_thread(web.to, path)
    query = {"customer": "7", "callID": call, "source": "31612345678", "destination": number, "variables": "{}"}
    assert (asked.method, asked.query) == ("GET", query)
    assert {"messagebird-signature", "messagebird-request-timestamp", "messagebird-signature-jwt"} <= asked.headers.keys()
    legs = await asyncio.to_thread(server.live.listed, f"/calls/{call}/legs")
    assert len(legs) == 1  # the same call, the same leg


async def test_xml_and_relative_urls(server: Server, web: WebApplication, telephone: Telephone, number: str, tune: str) -> None:
    web.at(f"/{number}/second", xml(f'<Flow><Play media="{tune}"/><Hangup/></Flow>'))
    # A path alone, as one of the guides gives it, is relative to where the flow came from (contract C43).
    first = web.at(f"/{number}/first", {"steps": [fetch(f"/{number}/second")]})
    assert (await heard(server, telephone, number, fetch(first)))[0] == [FETCHED_HZ]
    told = record({"maxLength": 1, "beep": False, "onFinish": f"/{number}/second"})
    finished = web.at(f"/{number}/finished", {"steps": [told]})
    assert (await heard(server, telephone, str(int(number) + 300), fetch(finished)))[0] == [FETCHED_HZ]


def slow(_: Asked) -> Reply:
    time.sleep(6)
    return Reply(b"{}")


def cut_off(_: Asked) -> Reply:
    return Reply(raw=[b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"steps": ['])


def around(asked: Asked) -> Reply:
    return Reply(status=302, headers=(("Location", asked.path),))


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><Say>&j;</Say>"
)


BAD_PAGES: list[tuple[Any, str, int]] = [
    (slow, "timeout", 1),
    (Reply(b"oops", "text/plain", 500), "status", 2),
    (Reply(b"no", "text/plain", 404), "status", 1),
    (Reply(b"<!DOCTYPE html><html><body>Log in</body></html>", "text/html"), "html", 1),
    (Reply(b'{"steps": [{"action": "say", "opt', "application/json"), "not_json", 1),
    (Reply(b""), "empty", 1),
    (cut_off, "broken", 2),
    (around, "redirects", 4),
    (Reply(LAUGHS.encode(), "application/xml"), "not_xml", 1),
    (Reply(b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><Say>x</Say>', "application/xml"), "not_xml", 1),
    (Reply(b"<Dance/>", "application/xml"), "bad_flow", 1),
    (Reply(b'{"steps": [{"action": "say", "options": {"payload": "' + b"x" * 40_000 + b'"}}]}'), "too_large", 1),
    ({"steps": [{"id": "odd", "action": "juggle"}]}, "bad_flow", 1),
]


async def test_a_flow_that_cannot_be_had(
    server: Server, web: WebApplication, telephone: Telephone, numbers: Iterator[str], tune: str
) -> None:
    """The caller hears what the operator has for this, and is released; the record says why."""

    async def case(bad: tuple[Any, str, int]) -> None:
        page, cause, times = bad
        number = next(numbers)
        path = f"/bad-{number}"
        found, call = await heard(server, telephone, number, fetch(web.at(path, page)), play(tune))
        assert found == [SORRY_HZ]
        assert len(await asyncio.to_thread(web.to, path, times=times)) == times
        (answered,) = await asyncio.to_thread(server.journal, call, "flow_answered")
        assert (answered["cause"], answered.get("flow")) == (cause, None)
        (leg,) = (await asyncio.to_thread(server.ended, call)).legs
        assert leg.reason == "flow_unavailable"

    await each(BAD_PAGES, case)


async def test_a_server_that_is_not_there(server: Server, telephone: Telephone, number: str) -> None:
    found, call = await heard(server, telephone, number, fetch(f"http://127.0.0.1:{free_port()}/"))
    assert found == [SORRY_HZ]
    (answered,) = await asyncio.to_thread(server.journal, call, "flow_answered")
    assert answered["cause"] == "unreachable"


async def test_a_server_that_leads_to_a_private_address(
    server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    url = web.at(f"/inside-{number}", Reply(status=302, headers=(("Location", "http://10.0.0.1/flow"),)))
    found, call = await heard(server, telephone, number, fetch(url))
    assert found == [SORRY_HZ]
    (answered,) = await asyncio.to_thread(server.journal, call, "flow_answered")
    assert answered["cause"] == "refused_address"


async def test_flows_that_fetch_each_other_without_end_are_left(
    server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    path = f"/circle-{number}"
    web.at(path, lambda asked: {"steps": [pause(0.1), fetch(web.url(path))]})
    await asyncio.to_thread(server.answers, number, fetch(web.url(path)))
    caller = telephone()
    await caller.call(number)
    await caller.is_hung_up(within=30)
    call = await asyncio.to_thread(server.call_to, number)
    (leg,) = (await asyncio.to_thread(server.ended, call)).legs
    assert leg.reason == "flow_loop"
    assert len(await asyncio.to_thread(web.to, path, times=5)) == 5


async def test_many_steps_that_wait_for_nothing_are_taken_at_once(server: Server, telephone: Telephone, number: str) -> None:
    steps = [pause(0, id=f"s{n}") for n in range(400)]
    await asyncio.to_thread(server.answers, number, *steps)
    caller = telephone()
    await caller.call(number)
    await caller.is_hung_up(within=20)
    call = await asyncio.to_thread(server.call_to, number)
    assert len(await asyncio.to_thread(server.journal, call, "step_ended")) == 400


async def test_more_variables_than_a_flow_can_name(
    server: Server, web: WebApplication, telephone: Telephone, number: str, tune: str
) -> None:
    """A flow of 32 kB is too small for thousands; what it asks for and nobody keyed in is empty."""
    steps = [pause(0, onKeypressVar=f"variable{n}", maxNumKeys=1) for n in range(450)]
    answer = await asyncio.to_thread(server.live.post, "/call-flows", {"steps": steps})
    assert (answer.status, "at most 32768" in answer.content["errors"][0]["message"]) == (422, True)
    conditions = holds("nobody", "") + holds("nobody", "x", "!=")
    found, _ = await heard(server, telephone, number, play(tune, conditions=conditions), play(tune, conditions=holds("n", "1")))
    assert found == [FETCHED_HZ]  # a variable nobody set is empty


def endless_sound(_: Asked) -> Reply:
    def pieces() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + tone_file(SORRY_HZ, 0)[:40] + b"\xff\xff\xff\xff"
        while True:
            yield bytes(1 << 16)

    return Reply(raw=pieces())


def silent_host(_: Asked) -> Reply:
    def pieces() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        time.sleep(8)

    return Reply(raw=pieces())


BAD_SOUNDS: list[tuple[Any, str]] = [
    (silent_host, "for 5 s"),
    (around, "redirects once more after 3"),
    (Reply(b"<html>Not a sound</html>", "audio/mpeg"), "a page of HTML"),
    (Reply(video(), "audio/mp4"), "a video"),
    (Reply(encoded("mp3", [sine(440, 4, 44_100)])[:20_000], "audio/mpeg"), "is cut off"),
    (Reply(b"\x00" * 5_000), "as no sound does"),
]


async def test_a_sound_that_cannot_be_played(
    server: Server, web: WebApplication, telephone: Telephone, numbers: Iterator[str]
) -> None:
    async def case(bad: tuple[Any, str]) -> None:
        page, said = bad
        number = next(numbers)
        _, call = await heard(server, telephone, number, play(web.at(f"/sound-{number}.wav", page)))
        (fetched,) = await asyncio.to_thread(server.journal, call, "media_fetched")
        assert said in fetched["error"]
        (leg,) = (await asyncio.to_thread(server.ended, call)).legs
        assert leg.reason == "media_unavailable"

    await each(BAD_SOUNDS, case)


async def test_a_sound_without_end_is_heard_until_it_is_too_long(
    server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    """It is played, and the caller may hang up at any time."""
    await asyncio.to_thread(server.answers, number, play(web.at(f"/endless-{number}.wav", endless_sound)))
    caller = telephone()
    await caller.call(number)
    await caller.hears_for(2)
    await caller.hang_up()
    call = await asyncio.to_thread(server.call_to, number)
    (leg,) = (await asyncio.to_thread(server.ended, call)).legs
    assert leg.reason == "caller_hangup"


async def test_a_private_address_is_never_asked(server: Server, web: WebApplication, telephone: Telephone, number: str) -> None:
    url = web.at(f"/away-{number}.mp3", Reply(status=302, headers=(("Location", "http://192.168.1.1/x.mp3"),)))
    _, call = await heard(server, telephone, number, play(url))
    (fetched,) = await asyncio.to_thread(server.journal, call, "media_fetched")
    assert "192.168.1.1 is refused: private" in fetched["error"]
