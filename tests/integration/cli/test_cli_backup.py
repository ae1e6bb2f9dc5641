"""`callwright backup` while calls are written at full speed, and what is left of one that is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest

from callwright.accounts.worlds import Accounts
from callwright.backup.making import make
from callwright.backup.restoring import restore
from callwright.clock import SystemClock
from callwright.datafolder import DataFolder
from callwright.store import Store, copying
from callwright.store.survey import Survey
from support.old_calls import OldCalls

CLOCK = SystemClock()
WRITERS = 16
# The command, killed when it is about to write so many pages; the first argument says which.
KILLED = """
import os, signal, sys
from callwright.cli import main
from callwright.store import copying
left, write = int(sys.argv.pop(1)), copying._Part.xWrite
def written(part, data, offset):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    write(part, data, offset)
copying._Part.xWrite = written
main(sys.argv[1:])
"""
COUNTERS = "SELECT * FROM call_blocks ORDER BY world_id, number_id, level, block"


def callwright(data: Path, *arguments: str, room_kb: int | None = None, killed_at: int | None = None) -> subprocess.Popen[str]:
    """Run a command; no file it writes may have more than `room_kb`, and it is killed at a page that it writes."""
    within = [] if room_kb is None else ["bash", "-c", f'ulimit -f {room_kb}; exec "$@"', "bash"]
    program = ["-m", "callwright"] if killed_at is None else ["-c", KILLED, str(killed_at)]
    return subprocess.Popen(
        [*within, sys.executable, *program, "--data", str(data), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"CALLWRIGHT_HTTP__PORT": "0", "CALLWRIGHT_SIP__PORT": "0"},  # the usual ones may be another server's
    )


def faults(data: Path) -> list[str]:
    """What doctor finds wrong in the database."""
    process = callwright(data, "doctor", "--deep", "--json")
    told = json.loads(process.communicate()[0])
    return [f"{one['check']}: {one['seen']}" for one in told["findings"] if one["level"] == "fault"]


async def test_nothing_acknowledged_is_missing_and_all_is_exact(tmp_path, monkeypatch):
    """Calls begin and end on many hands; the backup begins in the middle, and they go on while it is written."""
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    store = Store.open(folder.database, CLOCK)
    accounts = Accounts(store, CLOCK)
    await accounts.prepare()
    old = OldCalls(folder.recordings, store)
    old.world, old.clock.us = accounts.world("live").id, CLOCK.now_us()
    acknowledged: list[UUID] = []
    some = asyncio.Event()

    async def write() -> None:
        while True:
            acknowledged.append(await old.call(1))
            if len(acknowledged) >= 300:
                some.set()

    writers = [asyncio.create_task(write()) for _ in range(WRITERS)]
    try:
        await some.wait()
        before = list(acknowledged)

        def write_when_others_did(self, data, offset, real=copying._Part.xWrite):
            end = time.monotonic() + 30
            while len(acknowledged) == len(before) and time.monotonic() < end:
                time.sleep(0.001)
            return real(self, data, offset)

        monkeypatch.setattr(copying._Part, "xWrite", write_when_others_did)
        backup = asyncio.create_task(
            asyncio.to_thread(make, folder, tmp_path / "backup", CLOCK, program="1", overwrite=False, recordings=False)
        )
        at_the_end = await backup
        assert len(acknowledged) > len(before)  # they did not wait for it
        assert at_the_end.files == 1
    finally:
        for writer in writers:
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer
        store.close()

    restored = DataFolder(tmp_path / "restored")
    restore(tmp_path / "backup", restored, CLOCK, replace=False, resend=True)
    survey = Survey.of(restored.database)
    there = {UUID(bytes=id_) for (id_,) in survey.select("SELECT id FROM calls", ())}
    survey.close()
    assert set(before) <= there
    assert faults(restored.root) == []
    store = Store.open(restored.database, CLOCK)
    try:
        again = OldCalls(restored.recordings, store)
        counted = await again.sql(COUNTERS)
        await again.sql("DELETE FROM call_blocks")
        await again.sql(store._named["blocks.count_all_calls"])
        assert [row[:19] for row in await again.sql(COUNTERS)] == [row[:19] for row in counted]
        assert await again.sql("SELECT * FROM uncounted") == []
    finally:
        store.close()


@pytest.fixture
def large(tmp_path):
    """A folder whose backup takes a while."""
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    store = Store.open(folder.database, CLOCK)
    old = OldCalls(folder.recordings, store)

    async def fill() -> None:
        await old.sql(
            "INSERT INTO journal WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 350) "
            "SELECT randomblob(16), randomblob(16), i, i, randomblob(30000) FROM n"
        )

    asyncio.run(fill())
    store.close()
    return folder


def test_one_that_is_killed_leaves_no_backup(large, tmp_path):
    target, partial = tmp_path / "backup", tmp_path / ".backup.partial"
    for page in (1, 100, 2_000):
        process = callwright(large.root, "backup", str(target), killed_at=page)
        _, err = process.communicate()
        assert process.returncode == -signal.SIGKILL, err
        assert (partial.exists(), target.exists()) == (True, False)
    process = callwright(large.root, "backup", str(target), "--json")
    told = json.loads(process.communicate()[0])
    assert process.returncode == 0
    assert told["bytes"] == target.stat().st_size
    assert not partial.exists()
    restored = callwright(tmp_path / "new", "restore", str(target))
    restored.communicate()
    assert restored.returncode == 0


def test_what_the_command_says(large, tmp_path):
    (large.root / "callwright.toml").write_text('[recordings]\nkeys_file = "/etc/callwright/keys"\n')
    recording = large.recordings / "2026" / "one.wav"
    recording.parent.mkdir()
    recording.write_bytes(b"RIFF")
    out, err = callwright(large.root, "backup", str(tmp_path / "backup")).communicate()
    lines = err.splitlines()
    assert out == ""
    assert "MB, and another file." in lines[0]
    assert "Recordings are not in it" in lines[1]
    again = callwright(large.root, "backup", str(tmp_path / "backup"))
    _, err = again.communicate()
    assert (again.returncode, "--overwrite" in err, len(err.splitlines())) == (1, True, 1)
    refused = callwright(large.root, "restore", str(tmp_path / "backup"))
    _, err = refused.communicate()
    assert (refused.returncode, "--replace" in err, len(err.splitlines())) == (1, True, 1)
    done = callwright(tmp_path / "new", "restore", str(tmp_path / "backup"), "--no-resend")
    _, err = done.communicate()
    assert done.returncode == 0
    assert err.splitlines()[0].startswith(f"{tmp_path / 'new'} is as it was at 20")
    assert "0 callbacks that were pending are given up" in err


@pytest.mark.parametrize("room_kb", [1_000, 12_500])
def test_a_disk_that_is_full_leaves_nothing(large, tmp_path, room_kb):
    """There is no room for the database, or none for the sounds after it."""
    (large.sounds / "long.wav").write_bytes(bytes(5_000_000))
    size = large.database.stat().st_size // 1024
    assert 1_000 < size < 12_500 < size + 5_000
    process = callwright(large.root, "backup", str(tmp_path / "backup"), room_kb=room_kb)
    _, err = process.communicate()
    assert process.returncode == 1
    assert err.startswith("callwright: ")
    assert len(err.splitlines()) == 1, err
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert callwright(large.root, "backup", str(tmp_path / "backup")).communicate()
    restored = callwright(tmp_path / "new", "restore", str(tmp_path / "backup"), room_kb=room_kb)
    _, err = restored.communicate()
    assert (restored.returncode, len(err.splitlines())) == ((1, 1) if room_kb < size else (0, 1)), err
    assert room_kb > size or not (tmp_path / "new").exists()
