"""The run of a soak: starts the server and its peers, lets children die, and gathers what there is to see."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from support.kill_test.evidence import unsettled
from support.peers import require_peer
from support.ports import free_port
from support.server import EVERY_VOICE, STOP_S, Server, children_of, until
from support.sipp import SCENARIOS, counts_of
from support.soak.customer import Customer, Deaf, LossyEcho
from support.soak.plan import TRAFFIC, Plan, Traffic
from support.soak.watch import Log, Sample, look_at, sample

CALLS_END_WITHIN_S = 90.0
DELIVERED_WITHIN_S = 60.0
SIPP_TIDIES_UP_S = 2.0
PORT_PAIRS = 2_500  # of a lane; one media process alone must find enough, with five seconds' rest after each leg
KINDS = (signal.SIGKILL, signal.SIGSTOP)


class Death(NamedTuple):
    """A child that was killed; `back_s` is when its successor was up, in seconds after."""

    at: float
    wall: float
    child: str
    how: str
    pid: int
    back_s: float


class Peer(NamedTuple):
    """A running SIPp."""

    name: str
    process: subprocess.Popen[bytes]
    folder: Path

    def counts(self) -> dict[str, int]:
        """SIPp's last figures."""
        return counts_of(self.folder)


class Run:
    """What is seen of one soak; `play` fills it. The data folder stays for the audit."""

    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None] = lambda line: None) -> None:
        self.plan = plan
        self.folder = folder
        self.say = say
        self.samples: list[Sample] = []
        self.deaths: list[Death] = []
        self.placed: dict[str, dict[str, int]] = {}
        self.left_behind: list[int] = []
        self.turned_away = 0.0
        self.exit_code: int | None = None
        self.customer = Customer()
        self.echo = LossyEcho(plan.loss, Random(plan.seed + 1))
        self.deaf = Deaf()
        self.log: Log
        self.idle: tuple[Sample, Sample]
        self.began_us = 0

    @property
    def database(self) -> Path:
        return self.folder / "server" / "data" / "callwright.db"

    async def play(self) -> None:
        async with AsyncExitStack() as stack:
            await self.customer.start()
            stack.push_async_callback(self.customer.stop)
            await self.echo.start()
            stack.callback(self.echo.stop)
            stack.callback(self.deaf.stop)
            callee = free_port()
            settings = EVERY_VOICE | {"media.processes": "2", "media.max_calls": "1000", "calls.max_live": "2000"}
            toml = f'[[trunks]]\nname = "callee"\naddress = "127.0.0.1:{callee}"\n'
            server = await asyncio.to_thread(Server.start, self.folder / "server", settings, toml, port_pairs=PORT_PAIRS)
            stack.callback(server.kill)
            self.log = Log(server)
            stack.callback(self.log.close)
            for traffic in TRAFFIC:
                steps = [self._at_home(step) for step in traffic.steps]
                await asyncio.to_thread(server.answers, traffic.number, *steps, webhook=self.customer.url("/calls"))
            peers: list[Peer] = []
            stack.callback(lambda: [_end(peer) for peer in peers])
            before = await asyncio.to_thread(sample, server, self.log, 0.0)
            peers.append(self._sipp("callee", "soak_callee", ["-p", str(callee)], SOUND_PORT=str(self.deaf.port)))
            self.began_us = time.time_ns() // 1000
            peers += [self._caller(traffic, server) for traffic in TRAFFIC]
            await self._meanwhile(server)
            await self._finish(server, peers)
            after = await asyncio.to_thread(sample, server, self.log, self.plan.seconds)
            self.idle = (before, after)
            self.turned_away = sum(
                server.metric(f'callwright_invites_refused_total{{reason="{reason}"}}')
                for reason in ("unhealthy", "over_limit")
            )
            self.placed = {peer.name: peer.counts() for peer in peers}
            family = [server.process.pid, *children_of(server.process.pid)]
            server.ask_to_stop()
            self.exit_code = await asyncio.to_thread(server.process.wait, STOP_S)
            self.left_behind = [pid for pid in family if look_at(pid) is not None]
            self.log.read()

    def _at_home(self, step: dict[str, object]) -> dict[str, object]:
        """The step with the address of the customer's web service, whose port is known now."""
        options = step["options"]
        assert isinstance(options, dict)
        media = options.get("media")
        return step if media is None else {**step, "options": {**options, "media": self.customer.url(str(media))}}

    async def _meanwhile(self, server: Server) -> None:
        """Watch, and let children die, until the time is over."""
        plan = self.plan
        chance = Random(plan.seed)
        began = time.monotonic()
        next_sample, next_kill = plan.sample_every, plan.first_kill
        over = plan.seconds
        while (now := time.monotonic() - began) < over:
            if now >= next_kill and len(self.deaths) < plan.deaths:
                self.deaths.append(await self._kill(server, chance, now))
                next_kill += plan.kill_every
                over = max(over, time.monotonic() - began + plan.calm_end)
            elif now >= next_sample:
                self.samples.append(await asyncio.to_thread(sample, server, self.log, now))
                next_sample += plan.sample_every
            await asyncio.sleep(0.1)

    async def _kill(self, server: Server, chance: Random, at: float) -> Death:
        """Kill or freeze a child, and wait for its successor."""
        self.log.read()
        child = chance.choice(sorted(self.log.pids))
        how = chance.choice(KINDS)
        pid = self.log.pids[child]
        wall, started = time.time(), time.monotonic()
        with suppress(ProcessLookupError):  # it died by itself: the audit will say so
            os.kill(pid, how)

        def successor() -> bool:
            self.log.read()
            return self.log.pids[child] != pid

        await asyncio.to_thread(until, successor, bool, within=self.plan.restart_within, what=f"a successor of {child}")
        death = Death(at, wall, child, how.name, pid, time.monotonic() - started)
        self.say(f"{at:7.1f} s  {death.how} {child} (pid {pid}); successor up after {death.back_s:.1f} s")
        return death

    async def _finish(self, server: Server, peers: list[Peer]) -> None:
        """Place no more calls, and wait until all are over and every callback is taken."""
        callee, *callers = peers
        for peer in callers:
            peer.process.send_signal(signal.SIGUSR1)
        await asyncio.to_thread(
            until,
            lambda: server.metric("callwright_legs_live"),
            lambda legs: legs == 0,
            within=CALLS_END_WITHIN_S,
            what="the end of all calls",
        )
        # What SIPp still waits for when the server has no call left will never come.
        await asyncio.sleep(SIPP_TIDIES_UP_S)
        for peer in callers:
            _end(peer)
        with suppress(AssertionError):  # the audit will say what is left
            await asyncio.to_thread(
                until,
                lambda: unsettled(self.database),
                lambda left: not any(left.values()),
                within=DELIVERED_WITHIN_S,
                what="that all is delivered",
            )
        await asyncio.to_thread(until, server.rtp_ports_in_use, lambda ports: not ports, what="that no RTP port is bound")
        _end(callee)

    def _caller(self, traffic: Traffic, server: Server) -> Peer:
        rate = traffic.share * self.plan.rate
        words = {"NUMBER": traffic.number, "CALLER": "31612345678"}
        words["SOUND_PORT"] = str(self.echo.port if traffic.echo else self.deaf.port)
        if traffic.hold_ms is not None:
            words["HOLD_MS"] = str(traffic.hold_ms)
        # SIPp takes whole calls per period.
        options = ["-r", str(round(rate * 10)), "-rp", "10000", "-p", str(free_port()), server.sip]
        return self._sipp(traffic.name, traffic.scenario, options, **words)

    def _sipp(self, name: str, scenario: str, options: list[str], **words: str) -> Peer:
        text = (SCENARIOS / f"{scenario}.xml").read_text()
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        folder = self.folder / name.replace(" ", "_").replace(",", "")
        folder.mkdir(parents=True)
        (folder / "scenario.xml").write_text(text)
        arguments = [require_peer("sipp", apt="sip-tester"), "-sf", "scenario.xml", "-i", "127.0.0.1", "-mi", "127.0.0.1"]
        arguments += ["-nostdin", "-l", "3000", "-lost", str(self.plan.loss), "-recv_timeout", "40000"]
        arguments += ["-timeout", f"{self.plan.seconds + 300:.0f}s", "-trace_stat", "-stf", "stat.csv", "-fd", "1"]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen([*arguments, *options], cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet)
        return Peer(name, process, folder)


def _end(peer: Peer) -> None:
    if peer.process.poll() is None:
        peer.process.kill()
    peer.process.wait()
