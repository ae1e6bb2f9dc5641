"""What a flow says besides its steps, and steps that are left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from support.far_end import FarEnd
from support.measuring import tones
from support.server import Server
from support.sound import tone_file
from support.steps import hangup, holds, pause, play
from support.together import each
from support.web_application import WebApplication

Telephone = Callable[..., FarEnd]


async def test_a_call_lasts_no_longer_than_it_may(
    server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    flow = {"steps": [play(web.at("/long.wav", tone_file(440, 20)))], "maxDuration": 2}
    made = server.live.post("/call-flows", flow).made
    server.live.post(f"/call-flows/{made['id']}/numbers", {"numbers": [number]})
    caller = telephone()
    await caller.call(number)
    await caller.is_hung_up()
    assert 1.5 < caller.line.now < 15  # it would play for 20 s
    call = await asyncio.to_thread(server.call_to, number)
    assert (await asyncio.to_thread(server.ended, call)).legs[0].reason == "max_duration"


async def test_a_number_without_a_flow_runs_the_default(
    server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    steps = [play(web.at("/default.wav", tone_file(820, 1)))]
    first = server.live.post("/call-flows", {"steps": [hangup()], "default": True}).made
    server.live.post("/call-flows", {"steps": steps, "default": True})
    assert server.live.get(f"/call-flows/{first['id']}").made["default"] is False
    assert server.live.post("/api/numbers", {"number": number}).status == 201
    caller = telephone()
    await caller.call(number)
    await caller.is_hung_up()
    assert [round(one.hz or 0, -1) for one in tones(caller.line.heard, longer=0.5)] == [820]


OPPOSITE = {"==": "!=", "eq": "neq", "!=": "==", "neq": "eq", ">": "<=", "<": ">=", ">=": "<", "<=": ">"}


async def test_conditions_hold_or_not(
    server: Server, web: WebApplication, telephone: Telephone, numbers: Iterator[str]
) -> None:
    """The step whose condition holds is heard, the one beside it, whose condition is the opposite, is not."""
    yes, no = web.at("/yes.wav", tone_file(600, 0.5)), web.at("/no.wav", tone_file(900, 0.5))

    async def case(condition: tuple[str, str]) -> None:
        operator, value = condition
        steps = [
            pause(8, onKeypressVar="keyed", maxNumKeys=2),
            play(no, conditions=holds("keyed", value, OPPOSITE.get(operator, "==")) + holds("keyed", "", "!=")),
            play(yes, conditions=holds("keyed", value, operator)),
        ]
        number = next(numbers)
        await asyncio.to_thread(server.answers, number, *steps)
        caller = telephone()
        await caller.call(number)
        await caller.hears_for(0.2)
        await caller.line.press("12", ms=60, gap_ms=60)
        await caller.is_hung_up(within=60)
        assert [round(one.hz or 0, -1) for one in tones(caller.line.heard, longer=0.3)] == [600]

    operators = (">", "9"), ("<", "100"), (">=", "12"), ("<=", "12"), ("contains", "2")
    await each([("==", "12"), ("eq", "12.0"), ("!=", "5"), ("neq", "x"), *operators], case)
