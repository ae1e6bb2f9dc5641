"""The step transfer on real calls: who hears whom, what is recorded of whom, and what is shown to whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from test_steps_record import recorded, recordings

from support.far_end import FarEnd
from support.measuring import WHOLE, find, fingerprint, tones
from support.server import Server, record
from support.sound import tone_file
from support.steps import pause, play, transfer
from support.together import each
from support.web_application import WebApplication

Telephone = Callable[..., FarEnd]
OF_A, OF_B = fingerprint(2.0, seed=11), fingerprint(2.0, seed=12)


async def talk(
    server: Server, telephone: Telephone, number: str, options: dict[str, Any] | None = None, **flow: Any
) -> tuple[FarEnd, FarEnd, float, float]:
    """A calls, B answers, and both say their piece at the same time; then A hangs up.

    Returned with them is how much later B began to speak, and how much later A heard it than it spoke itself.
    """
    b = telephone(law="PCMA" if flow.pop("mixed", False) else "PCMU")
    made = server.live.post("/call-flows", {"steps": [transfer(b.uri, options)], **flow}).made
    assert server.live.post(f"/call-flows/{made['id']}/numbers", {"numbers": [number]}).status == 201
    a = telephone()
    await a.call(number, answered=False)
    await b.answers()
    await a.is_answered()
    await asyncio.gather(a.hears_for(0.5), b.hears_for(0.5))
    began = await asyncio.gather(a.line.say(OF_A), b.line.say(OF_B))
    await asyncio.gather(a.hears_for(0.5), b.hears_for(0.5))
    await a.hang_up()
    await b.is_hung_up()
    return a, b, began[1] - began[0], a.line.heard_when(find(OF_B, a.line.heard).at) - began[0]


async def test_both_hear_each_other(server: Server, telephone: Telephone, numbers: Iterator[str]) -> None:
    async def case(mixed: bool) -> None:
        number = next(numbers)
        a, b, *_ = await talk(server, telephone, number, mixed=mixed)
        assert find(OF_B, a.line.heard).likeness > WHOLE
        assert find(OF_A, b.line.heard).likeness > WHOLE
        call = await asyncio.to_thread(server.call_to, number)
        legs = ("incoming", "hangup", "caller_hangup", 200), ("outgoing", "hangup", "peer_gone", 200)
        assert await asyncio.to_thread(server.ended, call) == record("ended", *legs)

    await each([False, True], case)


async def test_one_side_is_recorded(server: Server, telephone: Telephone, numbers: Iterator[str]) -> None:
    """``in`` is the voice of the destination, ``out`` that of the source (contract §2.3.2)."""

    async def case(option: str) -> None:
        number = next(numbers)
        heard, not_heard = (OF_B, OF_A) if option == "in" else (OF_A, OF_B)
        await talk(server, telephone, number, {"record": option})
        recording = await recorded(server, number, of_leg=1 if option == "in" else 0)
        assert recording.item["type"] == "transfer"
        assert find(heard, recording.samples[0]).likeness > WHOLE
        assert find(not_heard, recording.samples[0]).likeness < 0.4

    await each(["in", "out"], case)


async def test_both_sides_are_recorded_apart_and_in_time(server: Server, telephone: Telephone, number: str) -> None:
    _, _, apart, _ = await talk(server, telephone, number, {"record": "both"}, mixed=True)
    of_a, of_b = await recorded(server, number, of_leg=0), await recorded(server, number, of_leg=1)
    a, b = find(OF_A, of_a.samples[0]), find(OF_B, of_b.samples[0])
    assert min(a.likeness, b.likeness) > WHOLE
    assert b.at - a.at == pytest.approx(apart, abs=0.15)


async def test_the_whole_call_is_recorded_in_two_channels_in_time(
    server: Server, telephone: Telephone, numbers: Iterator[str]
) -> None:
    async def case(mixed: bool) -> None:
        number = next(numbers)
        *_, apart, heard_apart = await talk(server, telephone, number, record=True, mixed=mixed)
        (whole,) = await asyncio.to_thread(recordings, server, number)
        assert (whole.item["type"], whole.channels) == ("call", 2)
        a, b = find(OF_A, whole.samples[0]), find(OF_B, whole.samples[1])
        assert min(a.likeness, b.likeness) > WHOLE
        assert b.at - a.at == pytest.approx(heard_apart, abs=0.15)  # as the caller's ear had it
        assert b.at - a.at == pytest.approx(apart, abs=0.25)  # mixed sound has waited for what might be late

    await each([False, True], case)


async def test_a_call_is_recorded_with_all_else_that_is_heard(
    server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    """Prompts and pauses too: what the caller heard stands in the second channel, at its time."""
    steps = [play(web.at("/first.wav", tone_file(500, 1))), pause(1), play(web.at("/second.wav", tone_file(700, 1)))]
    made = server.live.post("/call-flows", {"steps": steps, "record": True}).made
    server.live.post(f"/call-flows/{made['id']}/numbers", {"numbers": [number]})
    a = telephone()
    await a.call(number)
    await a.is_hung_up(within=20)
    (whole,) = await asyncio.to_thread(recordings, server, number)
    there, heard = (tones(samples, longer=0.5) for samples in (whole.samples[1], a.line.heard))
    assert [round(one.hz or 0, -1) for one in there] == [500, 700]
    assert there[1].start - there[0].start == pytest.approx(heard[1].start - heard[0].start, abs=0.04)


@pytest.mark.parametrize(("mask", "shown"), [(False, "31612345678"), (True, "the number")])
async def test_who_is_shown_as_calling(mask: bool, shown: str, server: Server, telephone: Telephone, number: str) -> None:
    b = telephone()
    await asyncio.to_thread(server.answers, number, transfer(b.uri, {"mask": mask}))
    a = telephone()
    await a.call(number, answered=False)
    invite = await b.is_called()
    assert f"sip:{number if mask else shown}@" in invite.get("From")
    await b.answers()
    await a.is_answered()
    await a.hang_up()
    await b.is_hung_up()


async def test_who_does_not_answer_in_time_is_left(
    server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    """The caller hears ringing, and then what the flow has for this."""
    b = telephone()
    steps = [transfer(b.uri, {"ringTimeout": 5}), play(web.at("/sorry.wav", tone_file(1_200, 1)))]
    await asyncio.to_thread(server.answers, number, *steps)
    a = telephone()
    await a.call(number, answered=False)
    await b.is_called()
    await a.peer.get(180)
    await b.peer.get("CANCEL")
    await a.is_answered()
    await a.is_hung_up(within=20)
    assert [round(one.hz or 0, -1) for one in tones(a.line.heard, longer=0.5)] == [1_200]


async def test_a_caller_who_was_answered_hears_ringing(
    server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    b = telephone()
    await asyncio.to_thread(server.answers, number, play(web.at("/hello.wav", tone_file(1_200, 0.5))), transfer(b.uri))
    a = telephone()
    await a.call(number)
    await b.is_called()
    await a.hears_for(3)
    ringing = [one for one in tones(a.line.heard, longer=0.5) if round(one.hz or 0, -1) != 1_200]
    assert ringing
    assert {round(one.hz or 0, -1) for one in ringing} <= {420, 430}
    await b.answers()
    await a.hears_for(0.5)
    await b.is_heard(OF_B, a)
    await b.hang_up()
    await a.is_hung_up()
