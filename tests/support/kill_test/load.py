"""The calls: SIPp rings numbers of the live world, and POST /calls rings simulated ones in the test world."""

from __future__ import annotations

import http.client
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from support.kill_test.plan import LIVE, TRAFFIC, Hearer, Plan, Traffic
from support.ports import free_port
from support.server import Customer, Server
from support.sipp import SCENARIOS, counts_of

PLACERS = 4


class Sipps:
    """A SIPp for each kind of call that comes in over SIP."""

    def __init__(self, plan: Plan, folder: Path, server: Server) -> None:
        self._plan = plan
        self._folder = folder
        self._sound_port = free_port()  # nobody is there to hear
        self._processes = {traffic.name: self._call(traffic, server.sip) for traffic in TRAFFIC if traffic.world == LIVE}

    def call_no_more(self) -> None:
        """Let the calls that are up come to their end."""
        for process in self._processes.values():
            process.send_signal(signal.SIGUSR1)

    def end(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()

    def begun(self) -> dict[str, int]:
        """How many calls each kind has begun."""
        begun = {}
        for traffic in TRAFFIC:
            if traffic.name in self._processes:
                begun[traffic.name] = counts_of(self._folder_of(traffic))["OutgoingCall(C)"]
        return begun

    def _folder_of(self, traffic: Traffic) -> Path:
        return self._folder / f"sipp-{traffic.number}"

    def _call(self, traffic: Traffic, target: str) -> subprocess.Popen[bytes]:
        text = (SCENARIOS / f"{traffic.scenario}.xml").read_text()
        words = {"NUMBER": traffic.number, "CALLER": "31612345678", "SOUND_PORT": self._sound_port, "HOLD_MS": traffic.hold_ms}
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        folder = self._folder_of(traffic)
        folder.mkdir(parents=True)
        (folder / "scenario.xml").write_text(text)
        arguments = ["sipp", "-sf", "scenario.xml", "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", str(free_port()), "-nostdin"]
        # SIPp takes whole calls per period. While the core is dead they pile up.
        arguments += ["-r", str(round(traffic.share * self._plan.rate * 10)), "-rp", "10000", "-l", "3000"]
        arguments += ["-recv_timeout", "20000", "-timeout", f"{self._plan.seconds + 300:.0f}s"]
        arguments += ["-trace_stat", "-stf", "stat.csv", "-fd", "1", "-trace_err", "-error_file", "errors.log"]
        quiet = subprocess.DEVNULL
        return subprocess.Popen([*arguments, target], cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet)


class Placers:
    """Threads that place calls at a steady pace. `acknowledged` has the ids that the server has answered 201 with."""

    def __init__(self, plan: Plan, customer: Callable[[], Customer], url: Callable[[Hearer], str], *, share: float) -> None:
        """`customer` gives one of the server that is up; `share` of the whole rate is placed here."""
        self._pace_s = 1 / (plan.rate * share)
        self._customer = customer
        self._url = url
        self._kinds = [traffic for traffic in TRAFFIC if traffic.world != LIVE]
        self._turn = 0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.acknowledged: list[str] = []
        self.answers: Counter[str] = Counter()
        self._began = time.monotonic()
        self._threads = [threading.Thread(target=self._place, daemon=True) for _ in range(PLACERS)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _next(self) -> tuple[Traffic, float]:
        """Which call is placed next, and when."""
        with self._lock:
            self._turn += 1
            at = self._began + self._turn * self._pace_s
            share = sum(traffic.share for traffic in self._kinds)
            place = (self._turn * 0.618034 % 1) * share  # spreads the kinds evenly
            for traffic in self._kinds:
                place -= traffic.share
                if place < 0:
                    break
            return traffic, at

    def _place(self) -> None:
        while True:
            traffic, at = self._next()
            if self._over.wait(max(0.0, at - time.monotonic())):
                return
            (own,) = traffic.hearers
            body = {
                "source": "31205550100",
                "destination": traffic.number,
                "callFlow": {"steps": list(traffic.steps)},
                "webhook": {"url": self._url(own), "token": own.token or ""},
            }
            try:
                answer = self._customer().post("/calls", body)
            except (OSError, http.client.HTTPException) as error:
                self.answers[f"no answer ({type(error).__name__})"] += 1
                continue
            self.answers[str(answer.status)] += 1
            if answer.status == 201:
                self.acknowledged.append(answer.made["id"])
