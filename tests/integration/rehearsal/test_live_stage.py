"""The stage for calls over SIP: rehearsals side by side, who is turned away, what is said when there is none, and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from callwright.rehearsal.live import LiveStage, NoStage, free_ports, live_stage
from callwright.rehearsal.outcome import Outcome
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.platform import TurnedAway
from support.deaths import gone
from support.ports import free_ports as ports_of_tests

NUMBER, CALLER = "31205550100", "31600000001"


def say(text: str) -> dict[str, Any]:
    return {"steps": [{"action": "say", "options": {"payload": text}}]}


async def heard(stage: LiveStage, text: str) -> Outcome:
    async with stage.rehearsal() as rehearsal:
        await rehearsal.own(NUMBER, say(text))
        return await rehearsal.over(await rehearsal.dial(NUMBER, CALLER, Party()))


async def test_rehearsals_side_by_side_know_nothing_of_each_other() -> None:
    async with live_stage() as stage:
        one, other, refused = await asyncio.gather(
            heard(stage, "One."), heard(stage, "Other."), turned_away(stage), return_exceptions=True
        )
    assert isinstance(one, Outcome)
    assert isinstance(other, Outcome)
    assert [prompt.text for prompt in one.spoken] == ["One."]
    assert [prompt.text for prompt in other.spoken] == ["Other."]
    assert isinstance(refused, TurnedAway)
    assert refused.sip_code == 404


async def turned_away(stage: LiveStage) -> None:
    async with stage.rehearsal() as rehearsal:
        await rehearsal.dial(NUMBER, CALLER, Party())


async def test_what_is_left_of_a_call_ends_with_its_rehearsal() -> None:
    async with live_stage() as stage:
        async with stage.rehearsal() as rehearsal:
            await rehearsal.own(NUMBER, {"steps": [{"action": "pause", "options": {"length": 600}}]})
            call = await rehearsal.dial(NUMBER, CALLER, Party(acts=(Act(at=600, hangs_up=True),)))
        assert not rehearsal.switch.carries(call)


def test_where_ports_are_missing_that_is_said_in_a_sentence() -> None:
    first = ports_of_tests(40)
    with ExitStack() as held:
        for port in range(first, first + 40, 4):
            held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("127.0.0.1", port))
        with pytest.raises(NoStage, match=f"between {first} and {first + 40} no 20 UDP ports in a row are free"):
            free_ports(20, first, first + 40)


CALL = """
import asyncio, os
from pathlib import Path
from callwright.rehearsal.live import live_stage
from callwright.rehearsal.parties import Party

async def main():
    async with live_stage() as stage, stage.rehearsal() as rehearsal:
        await rehearsal.own("31205550100", {"steps": [{"action": "pause", "options": {"length": 600}}]})
        call = await rehearsal.dial("31205550100", "31600000001", Party())
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        print(children, flush=True)
        await rehearsal.over(call)

asyncio.run(main())
"""


def test_nothing_is_left_behind_when_it_is_interrupted(tmp_path: Path) -> None:
    """As by Ctrl-C at a terminal, which is told to its group of processes: no child is in it, to complain of it."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", CALL],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=environment,
    )
    assert process.stdout is not None
    children = [int(word) for word in process.stdout.readline().split()]
    assert [pid for pid in children if os.getpgid(pid) != pid] == []
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert len(children) == 4
    assert process.returncode != 0
    assert told.rstrip().endswith("KeyboardInterrupt")
    gone(children)
    assert list(tmp_path.iterdir()) == []
