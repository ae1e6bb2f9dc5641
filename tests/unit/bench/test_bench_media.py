"""What the benchmark of sound calls good, what it reads of /metrics, and that it runs."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.peers import require_peer

BENCH = Path(__file__).parents[3] / "bench"

METRICS = """\
# TYPE callwright_media_tick_late_seconds histogram
callwright_media_tick_late_seconds_bucket{process="media-1",le="0.005"} 90
callwright_media_tick_late_seconds_bucket{process="media-1",le="0.01"} 99
callwright_media_tick_late_seconds_bucket{process="media-1",le="+Inf"} 100
callwright_media_tick_late_seconds_bucket{process="media-2",le="0.005"} 10
callwright_media_tick_late_seconds_bucket{process="media-2",le="0.01"} 10
callwright_media_tick_late_seconds_bucket{process="media-2",le="+Inf"} 10
callwright_media_tick_late_seconds_count{process="media-1"} 100
callwright_store_commit_seconds_bucket{le="0.001"} 4
callwright_store_commit_seconds_bucket{le="+Inf"} 5
"""


@pytest.fixture(autouse=True)
def _bench_is_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)


@pytest.mark.parametrize(
    ("lost", "late", "tick_p99_ms", "good"),
    [
        (0.0, 0.0, 1.0, True),
        (0.0005, 0.0005, 10.0, True),
        (0.0006, 0.0005, 1.0, False),
        (0.0, 0.0, 20.0, False),
        (0.0, 0.0, math.inf, False),
    ],
)
def test_a_step_is_good_when_its_sound_and_its_ticks_are(lost: float, late: float, tick_p99_ms: float, good: bool) -> None:
    from media import Step

    step = Step(100, lost, late, tick_p99_ms, median=0.02, p99=0.04, own_late=0.001, drops=0, cpu={})
    assert step.good is good


def test_the_p99_of_ticks_is_that_between_two_readings() -> None:
    from media import tick_p99_ms

    before = {0.005: 100.0, 0.01: 100.0, math.inf: 200.0}
    assert tick_p99_ms(before, {0.005: 150.0, 0.01: 199.0, math.inf: 300.0}) == 10.0
    assert tick_p99_ms(before, {0.005: 150.0, 0.01: 198.0, math.inf: 300.0}) == math.inf
    assert tick_p99_ms(before, before) == math.inf
    assert tick_p99_ms({}, {}) == math.inf


def test_a_histogram_is_read_over_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    from server import Server

    server = object.__new__(Server)
    monkeypatch.setattr(server, "_metrics", lambda: METRICS, raising=False)
    assert server.buckets("callwright_media_tick_late_seconds") == {0.005: 100.0, 0.01: 109.0, math.inf: 110.0}
    assert server.commits() == {0.001: 4.0, math.inf: 5.0}


def test_niceness_is_that_of_the_process_asked_for() -> None:
    from machine import niceness

    with subprocess.Popen(["nice", "-n", "3", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"up\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"up\n"
        assert niceness(child.pid) == min(os.nice(0) + 3, 19)


@pytest.mark.long
@pytest.mark.parametrize(("mode", "name"), [("relay", "relay"), ("--ivr", "ivr")])
def test_it_runs(mode: str, name: str) -> None:
    require_peer("sipp", apt="sip-tester")
    arguments: list[Any] = [sys.executable, BENCH / "media.py", mode, "--calls", "4", "--seconds", "2"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=True)
    assert done.stderr == ""
    heads = [line.split(":")[0].split(" ")[0] for line in done.stdout.splitlines() if not line.startswith("      ")]
    assert [head for head in heads if head] == [
        *("machine", "method", "limits", "media", name, "niceness", name, "with"),
    ]
    assert "niceness: media-1 " in done.stdout
