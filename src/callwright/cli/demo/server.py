"""The platform under demonstration: ``callwright serve`` as a process of its own, in a temporary data folder."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import signal
import sys
import tempfile
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from callwright.cli.control import Control, reach
from callwright.cli.place import Place
from callwright.clock import Clock
from callwright.errors import CallwrightError

START_S = 20.0
STOP_S = 10.0
# 200 ports of sound, below those of the telephones (from 30000) and those that systems hand out by themselves.
PORTS = 200
LOG_LINES = 15


class NotStarted(CallwrightError):
    """The platform did not start; `log` holds its last lines."""

    def __init__(self, message: str, log: list[str]) -> None:
        super().__init__(message)
        self.log = log


@dataclass(frozen=True)
class Address:
    http: str
    sip: str


class Server:
    """Use as ``async with``. `started_s` is the time from starting the process to its first answered request."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._folder = tempfile.TemporaryDirectory(prefix="callwright-demo-", ignore_cleanup_errors=True)
        self.place = Place(Path(self._folder.name) / "data", None)
        self.log = Path(self._folder.name) / "server.log"
        self.address = Address("", "")
        self.started_s = 0.0
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        began = self._clock.mono_ns()
        try:
            await self._start()
            await asyncio.to_thread(self._first_answer)
        except BaseException:
            await self.stop()
            self._folder.cleanup()
            raise
        self.started_s = (self._clock.mono_ns() - began) / 1e9
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        self._folder.cleanup()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def gone(self) -> None:
        """Wait until the process has ended, whoever ended it."""
        if self._process is not None:
            await self._process.wait()

    def log_tail(self) -> list[str]:
        """The last lines the server wrote."""
        try:
            return self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        except OSError:
            return []

    async def stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        # Process.send_signal would reap a child that has just ended, behind the back of asyncio's own wait for it.
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await process.wait()
                    return

    async def _start(self) -> None:
        first_port = random.randrange(12_000, 30_000 - PORTS, 2)  # noqa: S311
        settings = {
            "media.ports": f"{first_port},{first_port + PORTS - 1}",
            "sip.allow_hosts": "127.0.0.1",
            "sip.max_late_ms": "10000",
            "calls.ring_timeout": "15",
            "drain.seconds": "2",
        }
        arguments = [f"--data={self.place.data}", "serve", "--http-port=0", "--sip-port=0", "--json"]
        arguments += [f"--set={key}={value}" for key, value in settings.items()]
        # Settings of the user's own server are none of the demo's.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CALLWRIGHT_")}
        with self.log.open("wb") as log:
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "callwright", *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log, env=environment,
            )  # fmt: skip
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_S):
                line = await process.stdout.readline()
        except TimeoutError:
            raise NotStarted(f"the platform did not start within {START_S:g} s", self.log_tail()) from None
        try:
            ready: dict[str, Any] = json.loads(line)
            self.address = Address(ready["http"], ready["sip"])
        except (ValueError, LookupError, TypeError):
            raise NotStarted("the platform did not start", self.log_tail()) from None

    def _first_answer(self) -> None:
        connection = http.client.HTTPConnection(self.address.http.removeprefix("http://"), timeout=START_S)
        try:
            connection.request("GET", "/api/health")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise NotStarted(f"the platform started and does not answer ({error})", self.log_tail()) from None
        finally:
            connection.close()
        if status != 200:
            raise NotStarted(f"the platform started and is not well (health {status})", self.log_tail())

    def control(self) -> AbstractContextManager[Control]:
        """The control socket, as the operator has it."""
        return reach(self.place, server_only=True)
