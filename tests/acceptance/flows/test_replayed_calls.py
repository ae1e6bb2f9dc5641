"""Calls that were had over SIP, replayed from the server's journal: the identical story, and what a change would make of it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.far_end import FarEnd
from support.server import Server
from support.sound import RATE, tone_file
from support.steps import fetch, hangup, pause, play, record, say, tag, transfer
from support.talk import a_talker
from support.web_application import WebApplication

Telephone = Callable[..., FarEnd]


def callwright(server: Server, *arguments: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "callwright", "--data", str(server.folder / "data"), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == status, (ended.stdout, ended.stderr)
    return ended.stdout


async def commanded(server: Server, *arguments: str, status: int = 0) -> str:
    return await asyncio.to_thread(lambda: callwright(server, *arguments, status=status))


@pytest.fixture
async def night_call(
    server: Server,
    web: WebApplication,
    telephone: Telephone,
    number: str,
    tmp_path: Path,
) -> tuple[str, dict[str, Any]]:
    """A caller presses a key, speaks to a tape, gets a flow from a program, and talks to a person, not to a machine."""
    machine, person = telephone(), telephone()
    tune = play(web.at("/night.wav", tone_file(700, 0.6)))
    then = [tag("night"), pause(0.3), transfer(machine.uri, {"ifMachine": "hangup"}), transfer(person.uri)]
    more = web.at("/night", {"steps": then})
    steps = [
        {**say("Press one."), "id": "ask", "onKeypressVar": "choice", "maxNumKeys": 1},
        {**record({"finishOnKey": "#", "maxLength": 20}), "id": "tape"},
        {**tune, "id": "tune"},
        {**fetch(more), "id": "more"},
    ]
    await asyncio.to_thread(server.answers, number, *steps)
    caller = telephone()
    await caller.call(number)
    await caller.hears_for(0.4)
    await caller.line.press("1")
    call = await asyncio.to_thread(server.call_to, number)
    await asyncio.to_thread(server.journalled, call, "recording_moved")
    await caller.hears_for(0.5)
    await caller.line.press("#")
    await machine.answers()
    machine.line.say(a_talker()[: 4 * RATE])
    await machine.is_hung_up(within=20)
    await person.answers()
    await caller.hears_for(0.5)
    await caller.hang_up()
    await person.is_hung_up()
    await asyncio.to_thread(server.ended, call)
    (tmp_path / "flow.json").write_text(json.dumps({"steps": steps}))
    return call, {"steps": steps}


async def test_the_identical_story_and_with_a_change_exactly_that(
    server: Server, night_call: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    call, flow = night_call
    last = len(await asyncio.to_thread(server.journal, call, "leg_last"))
    assert last == 3
    same = await commanded(server, "replay", call)
    assert same.startswith("No difference: "), same

    louder = json.loads(json.dumps(flow))
    louder["steps"][0]["options"]["payload"] = "Press 1!!!"
    (tmp_path / "louder.json").write_text(json.dumps(louder))
    changed = json.loads(await commanded(server, "replay", call, "--flow", str(tmp_path / "louder.json"), "--json", status=1))
    assert [one["kind"] for one in changed["differences"]] == ["changed"]
    assert changed["differences"][0]["fields"] == {"payload": {"then": "Press one.", "now": "Press 1!!!"}}

    scenario = tmp_path / "night.scenario.yaml"  # the three commands of docs/replay.md
    await commanded(server, "replay", call, "--export", str(scenario))
    assert "1 met" in await commanded(server, "flow", "test", str(scenario))


async def test_a_call_that_is_up_is_replayed_as_far_as_it_goes(server: Server, telephone: Telephone, number: str) -> None:
    await asyncio.to_thread(server.answers, number, pause(0.2), pause(30), hangup())
    caller = telephone()
    await caller.call(number)
    call = await asyncio.to_thread(server.call_to, number)
    await asyncio.to_thread(server.journalled, call, "step_ended")
    assert (await commanded(server, "replay", call)).startswith("No difference: ")
    await caller.hang_up()
