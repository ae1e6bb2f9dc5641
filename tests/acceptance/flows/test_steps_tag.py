"""What a caller keyed in, on the record of a real call, beside what programs wrote while it was up and when it was over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from support.far_end import FarEnd
from support.server import Server
from support.steps import pause, tag

Telephone = Callable[..., FarEnd]


async def test_a_menu_choice_is_on_the_record(server: Server, telephone: Telephone, number: str) -> None:
    steps = [
        tag("unsorted"),
        pause(20, id="ask", onKeypressVar="choice"),
        tag("menu-{{choice}}", remove=["unsorted"], metadata={"choice": "{{choice}}", "nothing": "{{other}}"}),
        pause(20, onKeypressVar="choice"),
    ]
    await asyncio.to_thread(server.answers, number, *steps)
    caller = telephone()
    await caller.call(number)
    await caller.hears_for(0.2)
    await caller.line.press("7")
    call = await asyncio.to_thread(server.call_to, number)
    await asyncio.to_thread(server.journalled, call, "variable_set")
    native = f"/api/calls/{call}"
    up = await asyncio.to_thread(server.live.ask, "PATCH", native, {"addTags": ["vip"], "metadata": {"agent": "eva"}})
    assert (up.status, up.content["status"], up.content["tags"]) == (200, "ongoing", ["menu-7", "vip"])
    await caller.line.press("1")
    await caller.is_hung_up(within=10)
    await asyncio.to_thread(server.ended, call)
    over = await asyncio.to_thread(server.live.ask, "PATCH", native, {"removeTags": ["vip"], "metadata": {"agent": None}})
    assert (over.content["tags"], over.content["metadata"]) == (["menu-7"], {"choice": "7"})
    labelled = await asyncio.to_thread(server.journal, call, "call_labelled")
    assert [entry["tags"] for entry in labelled] == [["unsorted"], ["menu-7"], ["menu-7", "vip"], ["menu-7"]]
    (shown,) = (await asyncio.to_thread(server.live.get, f"/calls/{call}")).content["data"]
    assert not {"tags", "metadata"} & set(shown)
