"""The benchmark of callbacks runs, posts what a call's webhook is told, and its receiver does what it is told."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from callwright.calls.events import CREATED, UPDATED

BENCH = Path(__file__).parents[3] / "bench"
TINY = (
    *("--seconds", "0.5", "--hang-seconds", "0.5", "--rounds", "1", "--rate", "40", "--endpoints", "4", "--many", "10"),
    *("--hang", "2", "--full-endpoints", "1,3", "--events", "60", "--backlog", "40", "--away", "2", "--drain-seconds", "20"),
)


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)


def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / "webhooks.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_what_it_finds_is_told_as_json(tmp_path: Path) -> None:
    done = run(*TINY, "--parts", "hanging,full", "--json", "--folder", str(tmp_path))
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    assert list(found) == ["machine", "hanging", "full"]
    hanging = {name: [(one["events"], one["missing"]) for one in turns] for name, turns in found["hanging"].items()}
    assert hanging == {"none": [(20, 0)], "some": [(16, 0)]}
    assert [(len(found["full"][one]), found["full"][one][0]["outbox"]["posts"]) for one in ("1", "3")] == [(1, 60)] * 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_backlog_is_drained(tmp_path: Path) -> None:
    done = run(*TINY, "--parts", "backlog", "--json", "--folder", str(tmp_path))
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    there = found["backlog"]["with"]
    assert (there["deliveries"], there["drained"]["deliveries"], there["drained"]["left"]) == (40, 40, 0)
    assert there["beside"]["failed"] >= 1
    assert found["backlog"]["without"]["failed"] == 0
    assert list(tmp_path.iterdir()) == []


def test_it_prints_a_table_of_each_part_and_what_is_aimed_at() -> None:
    done = run(*TINY, "--parts", "latency")
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    rows = [line.split(" | ")[:4] for line in lines if line.startswith("| 4,")]
    assert rows == [
        ["| 4, an origin each", "evenly", "20", "0"],
        ["| 4, of one origin", "evenly", "20", "0"],
        ["| 4, an origin each", "as callers come", "20", "0"],
    ]
    assert lines[-1].startswith("latency: wire p99 at most 5 ms: ")


def test_a_profile_names_functions_and_statements() -> None:
    done = run(*TINY, "--profile")  # which of them took longest is the machine's to say
    functions = re.findall(r"^\| [\d.]+ \| [\d.]+ \| `(.+)` \|$", done.stdout, re.MULTILINE)
    assert len(functions) == 30, done.stdout
    assert any(re.match(r"[\w-]+/\w+\.py:\d+ \w+", name) for name in functions), done.stdout
    statements = re.findall(r"^profile: [\d.]+ µs in [\d.]+ of `(.+)`", done.stdout, re.MULTILINE)
    assert any(name.startswith("webhooks.") for name in statements), done.stdout


def test_a_part_that_is_not_there_is_answered_with_those_there_are() -> None:
    assert run("--parts", "latency,speed", code=2).stderr.splitlines()[-1] == (
        "webhooks.py: error: --parts: there is no 'speed'; choose from latency, hanging, full, backlog"
    )


def test_a_call_has_the_changes_its_webhook_is_told_of() -> None:
    from webhook_stage import call_of

    told = list(call_of("http://127.1.0.1:9/calls"))
    events = [write.params for one in told for write in one.change.writes if write.query == "calls.insert_event"]
    assert [(params[3], params[4]) for params in events] == [(1, CREATED), (2, UPDATED), (3, UPDATED), (4, UPDATED)]
    assert [one.id.bytes for one in told] == [params[1] for params in events]


def test_the_receiver_answers_at_once_late_or_not_at_all(tmp_path: Path) -> None:
    from webhook_receiver import receiving

    async def post(address: str, port: int, id_: str) -> bytes:
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(f"POST / HTTP/1.1\r\nWebhook-Id: msg_{id_}\r\nContent-Length: 2\r\n\r\n".encode())
        await asyncio.sleep(0)
        writer.write(b"{}")
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        return answer

    async def story() -> None:
        one, other = "1" * 36, "2" * 36
        async with receiving(tmp_path, hang_s=0.2) as receiver:
            assert (await post("127.1.0.1", receiver.port, one)).startswith(b"HTTP/1.1 200 ")
            began = asyncio.get_running_loop().time()
            await post("127.3.0.1", receiver.port, other)
            assert asyncio.get_running_loop().time() - began >= 0.19
            with pytest.raises(ConnectionRefusedError):
                await post("127.2.0.1", receiver.refusing_port, one)
            first, second = await receiver.dump()
            assert (first.id, second.id) == (one.encode(), other.encode())
            assert first.at_ns < second.at_ns
            await receiver.open()
            await post("127.2.0.1", receiver.refusing_port, other)
            assert [came.id for came in await receiver.dump()] == [other.encode()]

    asyncio.run(story())
