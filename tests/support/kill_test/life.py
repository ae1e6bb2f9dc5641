"""One server through many deaths: killed by chance, and started again as a service manager does, in the same place."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

from support.deaths import child_of, family, gone
from support.kill_test.plan import CALLEES, CORE, MEDIA, SETTINGS, SIGNALLING, Plan
from support.ports import free_ports
from support.server import EVERY_VOICE, START_S, Server

RESTART_S = 0.2  # RestartSec= of our unit
PORT_PAIRS = 1_500
YOUNG = "core, not ready yet"
YOUNG_S = (0.1, 1.5)


class Life:
    """`server` is the one that lives now. `killed` counts deaths by victim, `restarts` the starts after the first."""

    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._folder = folder
        self._say = say
        self._chance = Random(plan.seed)
        # None that the kernel gives away while the server is dead.
        first = free_ports(2 * PORT_PAIRS + 2)
        self._sip_port = self._http_port = first + 2 * PORT_PAIRS
        self._settings = SETTINGS | {"media.ports": f"{first},{self._sip_port - 1}"}
        self.server: Server
        self.killed: Counter[str] = Counter()
        self.restarts = 0
        self.longest_start_s = 0.0
        self._born: Server | None = None
        self._is_born = threading.Event()

    @property
    def logs(self) -> list[Path]:
        return sorted(self._folder.glob("serve*.log"))

    async def begin(self) -> None:
        self.server = await asyncio.to_thread(self._start)

    def end(self) -> None:
        """Leave no process behind, whatever went wrong."""
        if self._born is not None:
            self._born.kill()

    async def die_now_and_then(self, until: float) -> None:
        """Kill by chance until the monotonic time is `until`; then a server is up."""
        began = time.monotonic()
        while True:
            wait = self._chance.uniform(*self._plan.gap)
            if time.monotonic() + wait > until:
                return
            await asyncio.sleep(wait)
            at_s = time.monotonic() - began
            if self._chance.random() < self._plan.core_share or not self.killed:
                await asyncio.to_thread(self._kill_core, CORE)
                await self._start_again()
                self._say(f"{at_s:7.1f} s  SIGKILL core; ready again after {time.monotonic() - began - at_s:.1f} s")
            else:
                child = self._chance.choice((SIGNALLING, MEDIA))
                self._kill_child(child)
                self._say(f"{at_s:7.1f} s  SIGKILL {child}")

    def _start(self) -> Server:
        if (log := self._folder / "serve.log").exists():
            log.rename(self._folder / f"serve-{self.restarts:04}.log")
        keys = None if self._born is None else self._keys
        server = Server.start(
            self._folder,
            EVERY_VOICE | self._settings,
            CALLEES,
            keys=keys,
            sip_port=self._sip_port,
            http_port=self._http_port,
            begun=self._begun,
        )
        self._keys = server.keys
        return server

    def _begun(self, server: Server) -> None:
        self._born = server
        self._is_born.set()

    async def _start_again(self) -> None:
        """A successor after the pause of a service manager; some die before they are ready, and have successors."""
        while True:
            await asyncio.sleep(RESTART_S)
            self.restarts += 1
            began = time.monotonic()
            self._is_born.clear()
            starting = asyncio.create_task(asyncio.to_thread(self._start))
            if self._chance.random() >= self._plan.young_share:
                self.server = await starting
                self.longest_start_s = max(self.longest_start_s, time.monotonic() - began)
                return
            age = self._chance.uniform(*YOUNG_S)
            await asyncio.to_thread(self._is_born.wait, START_S)
            await asyncio.wait([starting], timeout=age)
            if starting.done():
                self.server = await starting
                await asyncio.to_thread(self._kill_core, CORE)
                continue
            await asyncio.to_thread(self._kill_core, YOUNG)
            with suppress(AssertionError):  # "the server did not start"
                await starting

    def _kill_core(self, name: str) -> None:
        assert self._born is not None
        children = family(self._born)
        self._born.kill()
        self.killed[name] += 1
        # They end by themselves, as nobody is there to tell them; a service manager waits for that, too.
        gone(children)

    def _kill_child(self, name: str) -> None:
        with suppress(ProcessLookupError, IndexError):
            os.kill(child_of(self.server, name), signal.SIGKILL)
            self.killed[name] += 1
