"""Strict SIPp against the signalling process, with a core that does at once what is to be done."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest_asyncio

from callwright.sip import wire
from callwright.sip.settings import SignallingSettings
from support.signalling import Core
from support.sip_peer import sdp
from support.sipp import Sipp, cast

RATE = 100
CALLS = 300


@pytest_asyncio.fixture
async def core() -> AsyncIterator[Core]:
    # The machine is shared with SIPp and whatever else runs: its hiccups are not what is tested here.
    core = await Core(SignallingSettings(max_late_ms=10_000.0)).start()
    yield core
    _, err = await core.stop()
    assert [line for line in err.splitlines() if "warning" in line and "small_receive_buffer" not in line] == []


def setup_ms(sipp: Sipp, folder: Path) -> list[float]:
    """From INVITE to 200, sorted."""
    (path,) = folder.glob(f"*/*_{sipp.process.pid}_rtt.csv")
    with path.open() as lines:
        return sorted(float(row["response_time_ms"]) for row in csv.DictReader(lines, delimiter=";"))


async def test_calls_in(core: Core, tmp_path: Path) -> None:
    heard: Counter[type] = Counter()

    def answer(message: Any) -> None:
        heard[type(message)] += 1
        if isinstance(message, wire.LegArrived):
            core.send(wire.SendAnswer(message.leg, sdp()))

    core.policy = answer
    with cast(tmp_path) as start:
        target = f"{core.address[0]}:{core.address[1]}"
        sipp = start("load_in", target, calls=CALLS, options=("-r", str(RATE), "-trace_rtt", "-rtt_freq", "1"))
        counts = await asyncio.to_thread(sipp.finish)
    await core.load()
    assert (counts["SuccessfulCall(C)"], counts["FailedCall(C)"]) == (CALLS, 0)
    assert heard == {wire.LegArrived: CALLS, wire.AnswerSent: CALLS, wire.LegEnded: CALLS}
    times = setup_ms(sipp, tmp_path)
    assert len(times) == CALLS
    assert times[CALLS // 2] < 50.0


async def test_calls_out(core: Core, tmp_path: Path) -> None:
    heard: Counter[type] = Counter()

    def hang_up(message: Any) -> None:
        heard[type(message)] += 1
        if isinstance(message, wire.LegAnswered):
            core.send(wire.EndLeg(message.leg))

    core.policy = hang_up
    with cast(tmp_path) as start:
        sipp = start("load_out", calls=CALLS)
        await asyncio.sleep(0.5)
        for _ in range(CALLS):
            core.send(wire.PlaceLeg(uuid4(), "3000", "127.0.0.1", "127.0.0.1", sipp.port, "1000", sdp()))
            await asyncio.sleep(1 / RATE)
        counts = await asyncio.to_thread(sipp.finish)
    await core.load()
    assert (counts["SuccessfulCall(C)"], counts["FailedCall(C)"]) == (CALLS, 0)
    assert heard == dict.fromkeys((wire.LegProgress, wire.LegAnswered, wire.LegEnded, wire.DialogOver), CALLS)
