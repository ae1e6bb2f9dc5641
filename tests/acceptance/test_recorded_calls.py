"""Real calls that are recorded: what the caller said is in the file, sealed on the disk, paused where it was asked for, and
written down by a service.
"""

from __future__ import annotations

import asyncio
import io
import re
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np

from callwright.phone.client import Phone
from support.server import Server, until
from support.sound import RATE, share

NUMBER, CALLER = "31205550150", "31205550177"
KEYS = "one:" + "0f" * 32
HZ = 500.0


def recordings_of(server: Server, call: str) -> list[dict[str, Any]]:
    return server.live.get(f"/api/recordings?call={call}").content["data"]


def over(server: Server, call: str, count: int = 1) -> list[dict[str, Any]]:
    return until(
        lambda: recordings_of(server, call),
        lambda found: len(found) == count and all(one["status"] in ("done", "failed") for one in found),
        what=f"{count} recordings of call {call} that are over",
    )


def samples(server: Server, recording: str) -> np.ndarray:
    """The sound of a recording, channel by channel."""
    with wave.open(io.BytesIO(server.live.file(f"/recordings/{recording}.wav").body), "rb") as file:
        assert file.getframerate() == RATE
        channels = file.getnchannels()
        return np.frombuffer(file.readframes(1 << 24), "<i2").reshape(-1, channels).T


async def test_a_record_step_keeps_what_the_caller_says(tmp_path: Path) -> None:
    server = await asyncio.to_thread(Server.start, tmp_path, environment={"CALLWRIGHT_RECORDINGS__KEYS": KEYS})
    phone = await Phone.start(user=CALLER)
    try:
        record = {"action": "record", "options": {"maxLength": 2, "transcribe": True, "transcribeLanguage": "nl-NL"}}
        server.answers(NUMBER, record, {"action": "hangup"})
        await phone.call(f"sip:{NUMBER}@{server.sip}", caller=CALLER, tone=HZ)
        await phone.wait("answered")
        call = await asyncio.to_thread(server.call_to, NUMBER)
        (recording,) = await asyncio.to_thread(over, server, call)
        await asyncio.to_thread(server.ended, call)
        assert (recording["type"], recording["status"], recording["sealed"]) == ("ivr", "done", True)
        assert abs(recording["durationMs"] - 2_000) <= 40
        (sound,) = samples(server, recording["id"])
        assert share(sound[RATE // 2 : RATE * 3 // 2], HZ) > 0.7  # a machine that stalls leaves gaps
        (file,) = (tmp_path / "data" / "recordings").rglob("*.sealed")
        assert b"RIFF" not in file.read_bytes()
        (made,) = server.live.listed(f"/recordings/{recording['id']}/transcriptions")
        failed = await asyncio.to_thread(
            until,
            lambda: server.live.get(f"/transcriptions/{made['id']}").made,
            lambda seen: seen["status"] == "failed",
        )
        assert "Nothing is set up to write recordings down" in failed["error"]
        leg = server.live.listed(f"/calls/{call}/legs")[0]["id"]
        assert [one["id"] for one in server.live.listed(f"/calls/{call}/legs/{leg}/recordings")] == [recording["id"]]
    finally:
        await phone.stop()
        server.kill()


async def test_a_whole_call_is_silent_where_it_was_paused(tmp_path: Path) -> None:
    server = await asyncio.to_thread(Server.start, tmp_path)
    phone = await Phone.start(user=CALLER)
    try:
        steps = [{"action": "pause", "options": {"length": 30}}]
        flow = server.live.post("/call-flows", {"record": True, "steps": steps}).made
        assert server.live.post(f"/call-flows/{flow['id']}/numbers", {"numbers": [NUMBER]}).status == 201
        await phone.call(f"sip:{NUMBER}@{server.sip}", caller=CALLER, tone=HZ)
        await phone.wait("answered")
        call = await asyncio.to_thread(server.call_to, NUMBER)
        (recording,) = await asyncio.to_thread(
            until, lambda: recordings_of(server, call), lambda found: [one["status"] for one in found] == ["recording"]
        )
        path = f"/api/recordings/{recording['id']}"
        assert server.live.get(f"/recordings/{recording['id']}").made["duration"] == 0
        await phone.measure(1.0)
        began = time.monotonic()
        assert server.live.post(f"{path}/pause", None).content["status"] == "paused"
        await phone.measure(1.0)
        assert server.live.post(f"{path}/resume", None).content["status"] == "recording"
        paused_s = time.monotonic() - began
        await phone.measure(1.0)
        await phone.do("hangup")
        (recording,) = await asyncio.to_thread(over, server, call)
        assert recording["type"] == "call"
        sound = samples(server, recording["id"])
        tenths = [sound[0][at : at + RATE // 10] for at in range(0, sound.shape[1] - RATE // 10, RATE // 10)]
        heard = "".join("x" if share(tenth, HZ) > 0.9 else "." for tenth in tenths)
        # A machine that stalls leaves gaps elsewhere, too, and none as long.
        silent = max(re.findall(r"\.+", heard), key=len)
        assert 7 <= len(silent) <= 10 * paused_s + 3, heard
        assert all(side.count("x") >= 4 for side in heard.split(silent, 1)), heard
        assert server.live.post(f"{path}/pause", None).status == 409
    finally:
        await phone.stop()
        server.kill()
