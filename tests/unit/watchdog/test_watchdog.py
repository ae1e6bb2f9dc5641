"""What the service manager hears: readiness, pings while the loop turns, and the stop."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from callwright.clock import SystemClock, VirtualClock, VirtualLoop
from callwright.watchdog import Watchdog

ABSTRACT = f"@callwright-test-{os.getpid()}"


@pytest.fixture(params=["path", "abstract"])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A service manager's socket, and how it names it."""
    named = str(tmp_path / "notify") if request.param == "path" else ABSTRACT
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(named.replace("@", "\0", 1) if named.startswith("@") else named)
        end.setblocking(False)
        yield named, end


def heard(end: socket.socket) -> list[str]:
    words = []
    while True:
        try:
            words.append(end.recv(100).decode())
        except BlockingIOError:
            return words


def test_pings_come_three_times_in_the_time_given_and_only_while_the_loop_turns(told: tuple[str, socket.socket]) -> None:
    named, end = told
    environment = {"NOTIFY_SOCKET": named, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}

    async def serve() -> list[list[str]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        clock = VirtualClock(loop)
        phases = []
        with Watchdog(environment, clock) as watchdog:
            assert watchdog.ping_s == 1.0
            watchdog.ready()
            phases.append(heard(end))
            await clock.sleep(3.5)
            phases.append(heard(end))
            watchdog.stopping()
            phases.append(heard(end))
        await clock.sleep(10)
        phases.append(heard(end))
        return phases

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        phases = runner.run(serve())
    assert phases == [["WATCHDOG=1", "READY=1"], ["WATCHDOG=1"] * 3, ["STOPPING=1"], []]
    assert environment == {"HOME": "/"}, "children must not speak for the server"


@pytest.mark.parametrize(
    ("period", "pid"),
    [("", ""), ("0", ""), ("soon", ""), ("-1", ""), ("3000000", "1")],
    ids=["none", "0", "word", "minus", "not us"],
)
async def test_without_a_period_for_this_process_there_are_no_pings(
    told: tuple[str, socket.socket], period: str, pid: str
) -> None:
    named, end = told
    with Watchdog({"NOTIFY_SOCKET": named, "WATCHDOG_USEC": period, "WATCHDOG_PID": pid}, SystemClock()) as watchdog:
        watchdog.ready()
        watchdog.stopping()
    assert heard(end) == ["READY=1", "STOPPING=1"]


@pytest.mark.parametrize("named", ["", "vsock:2:1234", "relative"])
async def test_without_a_socket_of_this_kind_nothing_is_sent(named: str, caplog: pytest.LogCaptureFixture) -> None:
    with Watchdog({"NOTIFY_SOCKET": named, "WATCHDOG_USEC": "3000000"}, SystemClock()) as watchdog:
        watchdog.ready()
    assert caplog.records == []


async def test_a_service_manager_that_is_gone_is_told_once_and_hurts_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Watchdog({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "3000000"}, SystemClock()) as watchdog:
        watchdog.ready()
        watchdog.stopping()
    assert [record.getMessage() for record in caplog.records] == ["service_manager_not_reached"]
