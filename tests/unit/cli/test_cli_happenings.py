"""What the live feed tells, in words."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from callwright.accounts.worlds import World
from callwright.calls.events import Snapshot
from callwright.calls.lifecycle import CallRecord
from callwright.cli import happenings
from callwright.cli.happenings import Happenings
from callwright.native import views
from support.kept_calls import moved, requested
from support.native_room import NativeRoom

DAY = date(2023, 11, 14)


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


async def world() -> World:
    return (await NativeRoom.open()).accounts.world("live")


def told(record: CallRecord, of: World) -> dict[str, Any]:
    """The call as the feed's JSON has it."""
    import json

    import msgspec

    found: dict[str, Any] = json.loads(msgspec.json.encode(views.call_told(Snapshot(record.call, record.legs), of)))
    return found


def happened(lines: list[str]) -> list[str]:
    return [line.split("  ")[-1].strip() for line in lines]


async def test_a_call_in_words():
    of = await world()
    writer = Happenings(colour=False, today=DAY)
    record = requested(of.id)
    record.take()
    lines = [writer.line("callCreated", told(record, of))]
    for move in ("starts", "rings", "is answered", "ends"):
        moved(record, move)
        lines.append(writer.line("callUpdated", told(record, of)))
    assert lines[0] == (
        "22:13:20.123  00000001  outgoing  31201 → 31202                 call 00000000-0000-0000-0000-000000000001 is made"
    )
    assert happened(lines[1:])[:3] == ["is starting", "rings", "is answered"]
    assert happened(lines)[4].startswith("hung up (callee_hangup), the call is over")
    assert happened(lines)[4].endswith(": ended")


async def test_of_a_call_that_was_not_seen_before_its_last_change_is_told():
    of = await world()
    record = requested(of.id)
    record.take()
    moved(record, "starts", "rings")
    line = Happenings(colour=False, today=DAY).line("callUpdated", told(record, of))
    assert happened([line]) == ["rings"]


async def test_another_day_has_its_date_and_another_terminal_another_arrow():
    of = await world()
    record = requested(of.id, source="3120\x1b[2J1")
    record.take()
    line = Happenings(colour=False, arrow="->", today=date(2023, 11, 15)).line("callCreated", told(record, of))
    assert line.startswith("2023-11-14 22:13:20.123  00000001  outgoing  3120\\x1b[2J1 -> 31202")


async def test_colour():
    of = await world()
    record = requested(of.id)
    record.take()
    moved(record, "starts", "rings")
    assert "\x1b[33mrings\x1b[0m" in Happenings(colour=True, today=DAY).line("callUpdated", told(record, of))


async def test_several_legs_have_numbers():
    of = await world()
    record = requested(of.id)
    record.take()
    moved(record, "starts", "is answered")
    call = told(record, of)
    second = {**call["legs"][0], "id": "2", "n": 2, "destination": "31203", "status": "starting"}
    writer = Happenings(colour=False, today=DAY)
    writer.line("callUpdated", call)
    lines = [writer.line("callUpdated", {**call, "legs": [call["legs"][0], second]})]
    rings = {**second, "status": "ringing"}
    lines.append(writer.line("callUpdated", {**call, "legs": [call["legs"][0], rings]}))
    failed = {**second, "status": "failed", "reason": {"name": "unreachable", "sentence": "", "remedy": ""}}
    lines.append(writer.line("callUpdated", {**call, "legs": [call["legs"][0], failed]}))
    assert happened(lines) == ["leg 2 to 31203 is called", "leg 2 rings", "leg 2 failed (unreachable)"]


async def test_what_is_beside_calls():
    of = await world()
    record = requested(of.id)
    record.take()
    writer = Happenings(colour=False, today=DAY)
    call = told(record, of)
    writer.line("callCreated", call)
    beside = {"callId": call["id"], "updatedAt": call["updatedAt"], "status": "done", "id": "r"}
    lines = [
        writer.line("callLabelled", {**call, "tags": ["vip"], "metadata": {"customer": "42"}}),
        writer.line("legCreated", {"callId": call["id"], **call["legs"][0]}),
        writer.line("recordingUpdated", {**beside, "durationMs": 12_345}),
        writer.line("recordingUpdated", {**beside, "callId": "unknown-call", "durationMs": 0}),
        writer.line("transcriptionUpdated", {**beside, "status": "failed", "error": "nobody listens"}),
        writer.line("webhookDisabled", {"updatedAt": call["updatedAt"], "url": "https://a.test/", "why": "failing"}),
    ]
    assert happened(lines) == [
        "labels: vip, customer=42",
        "leg 1 to 31202 is called",
        "recording r is done, 12.3 s",
        "recording r is done",
        "transcription r is failed: nobody listens",
        "https://a.test/ is sent nothing any more (failing)",
    ]
    assert "  31201 → 31202  " in lines[2]
    assert lines[3].split()[1:4] == ["own-call", "-", "-"]
    assert lines[5].split()[1:4] == ["-", "-", "-"]


async def test_calls_are_forgotten_in_the_end(monkeypatch):
    of = await world()
    monkeypatch.setattr(happenings, "CALLS", 10)
    writer = Happenings(colour=False, today=DAY)
    for number in range(1, 31):
        record = requested(of.id, number)
        record.take()
        writer.line("callCreated", told(record, of))
    assert len(writer._calls) == 10
