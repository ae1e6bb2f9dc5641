"""What a flow says besides its steps, and steps that are left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from support.far_end import FarEnd
from support.measuring import tones
from support.server import Server
from support.sound import tone_file
from support.steps import hangup, holds, pause, play
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
    await caller.is_hung_up(within=10)
    assert caller.line.now == pytest.approx(2, abs=0.5)
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
    await caller.is_hung_up(within=10)
    assert [round(one.hz or 0, -1) for one in tones(caller.line.heard, longer=0.5)] == [820]


@pytest.mark.parametrize(
    ("operator", "value", "holds_for"),
    [
        ("==", "12", "12"),
        ("eq", "12.0", "12"),
        ("!=", "5", "12"),
        ("neq", "x", "12"),
        (">", "9", "12"),
        ("<", "100", "12"),
        (">=", "12", "12"),
        ("<=", "12", "12"),
        ("contains", "2", "12"),
    ],
)
async def test_conditions_hold_or_not(
    operator: str, value: str, holds_for: str, server: Server, web: WebApplication, telephone: Telephone, number: str
) -> None:
    """The step whose condition holds is heard, the one beside it, whose condition is the opposite, is not."""
    opposite = {"==": "!=", "eq": "neq", "!=": "==", "neq": "eq", ">": "<=", "<": ">=", ">=": "<", "<=": ">"}
    yes, no = web.at("/yes.wav", tone_file(600, 0.5)), web.at("/no.wav", tone_file(900, 0.5))
    steps = [
        pause(8, onKeypressVar="keyed", maxNumKeys=2),
        play(no, conditions=holds("keyed", value, opposite.get(operator, "==")) + holds("keyed", "", "!=")),
        play(yes, conditions=holds("keyed", value, operator)),
    ]
    await asyncio.to_thread(server.answers, number, *steps)
    caller = telephone()
    await caller.call(number)
    await caller.hears_for(0.2)
    await caller.line.press(holds_for, ms=60, gap_ms=60)
    await caller.is_hung_up(within=20)
    assert [round(one.hz or 0, -1) for one in tones(caller.line.heard, longer=0.3)] == [600]
