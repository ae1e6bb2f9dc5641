"""The run of a kill test: starts everything, lets the server die under calls, waits for the last callback, and judges."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from support.kill_test import signatures
from support.kill_test.evidence import Evidence, unsettled
from support.kill_test.judging import Judge, Lane, Silence
from support.kill_test.life import Life
from support.kill_test.load import Placers, Sipps
from support.kill_test.plan import LIVE, TRAFFIC, WORLDS, Hearer, Plan
from support.kill_test.receiver import Arrival, read
from support.peers import optional_peer
from support.server import STOP_S, Server, until

TESTS = Path(__file__).parents[2]
# What a death may say in the log.
OF_A_DEATH = frozenset({"child_died", "child_last_words", "signalling_silent"})
# What doctor says of the data folder; the rest is about the machine that happens to run this.
OF_THE_FOLDER = ("database", "files", "records", "recordings", "server", "settings")


class Run:
    """What is seen of one run; `play` fills it and `judge` says what is wrong. The folder stays as it is."""

    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None] = lambda line: None) -> None:
        self.plan = plan
        self.folder = folder
        self.life = Life(plan, folder / "server", say)
        self._say = say
        self._port = 0
        self.begun: dict[str, int] = {}
        self.placed: Counter[str] = Counter()
        self.acknowledged: list[str] = []
        self.over_sip = optional_peer("sipp", apt="sip-tester") is not None
        self.between_ns = (0, 0)
        self.settled_s = 0.0
        self.left: dict[str, int] = {}
        self.exit_code: int | None = None

    @property
    def database(self) -> Path:
        return self.folder / "server" / "data" / "callwright.db"

    def url(self, hearer: Hearer) -> str:
        host, _, rest = hearer.place.partition("/")
        return f"http://{host}:{self._port}/{rest}"

    async def play(self) -> None:
        with ExitStack() as stack:
            receiver = stack.enter_context(self._receiver())
            stack.callback(receiver.kill)
            stack.callback(self.life.end)
            await self.life.begin()
            await asyncio.to_thread(self._set_up, self.life.server)
            began_ns = time.monotonic_ns()
            placers = Placers(self.plan, lambda: self.life.server.test, self.url, share=self._share_of_posts())
            stack.callback(placers.end)
            sipps = Sipps(self.plan, self.folder, self.life.server) if self.over_sip else None
            if sipps is not None:
                stack.callback(sipps.end)
            over = time.monotonic() + self.plan.seconds
            await self.life.die_now_and_then(over - self.plan.calm_end)
            await asyncio.sleep(max(0.0, over - time.monotonic()))
            self.between_ns = (began_ns, time.monotonic_ns())
            await asyncio.to_thread(placers.end)
            if sipps is not None:
                sipps.call_no_more()
            self.placed, self.acknowledged = placers.answers, placers.acknowledged
            assert receiver.stdin is not None
            receiver.stdin.write("calm\n")
            receiver.stdin.flush()
            await asyncio.to_thread(self._settle)
            if sipps is not None:
                self.begun = sipps.begun()
            self.life.server.ask_to_stop()
            self.exit_code = await asyncio.to_thread(self.life.server.process.wait, STOP_S)

    def _share_of_posts(self) -> float:
        return sum(traffic.share for traffic in TRAFFIC if traffic.world != LIVE) if self.over_sip else 1.0

    def _receiver(self) -> subprocess.Popen[str]:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "support.kill_test.receiver", str(self.folder / "arrivals"), str(self.plan.seed)]
        pipe = subprocess.PIPE
        receiver = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=TESTS)
        assert receiver.stdout is not None
        self._port = int(receiver.stdout.readline())
        return receiver

    def _set_up(self, server: Server) -> None:
        for customer, hearer in ((server.live, WORLDS["live"]), (server.test, WORLDS["test"])):
            body = {"url": self.url(hearer), **({"token": hearer.token} if hearer.token else {})}
            assert customer.post("/webhooks", body).status == 201
        for traffic in TRAFFIC:
            if traffic.world != LIVE:
                continue
            server.answers(traffic.number, *traffic.steps)
            (own,) = traffic.hearers
            body = {"url": self.url(own), "token": own.token, "events": list(own.types)}
            assert server.live.ask("PUT", f"/api/numbers/{traffic.number}/webhook", body).status == 200

    def _settle(self) -> None:
        """Wait until every call is over and every delivery settled; what is left after that is left."""
        began = time.monotonic()
        try:
            until(
                lambda: unsettled(self.database),
                lambda left: not any(left.values()),
                within=self.plan.settled_within,
                what="that all is delivered",
            )
        except AssertionError as error:
            self._say(str(error))
        self.left = unsettled(self.database)
        self.settled_s = time.monotonic() - began


class Judgement:
    """`faults` has a sentence for each thing that must not be."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.evidence = Evidence(run.database, run.url)
        self.verdict = Judge(self.evidence.due, self._signatures)
        self.silence = Silence(*run.between_ns)
        for arrival in read(run.folder / "arrivals"):
            self.verdict.take(arrival)
            self.silence.hear(arrival.at_ns)
        self.verdict.finish()
        self.faults = [*self._faults()]

    def _signatures(self, lane: Lane, arrival: Arrival) -> list[str]:
        return signatures.faults(arrival, self.evidence.secrets_of(lane))

    def _faults(self) -> Iterator[str]:
        run, verdict = self.run, self.verdict
        for fault, times in verdict.faults.items():
            yield f"{times} times: {fault}; first: {verdict.examples[fault]}"
        yield from self.evidence.wrong
        if any(run.left.values()):
            yield f"not settled within {run.plan.settled_within:g} s: {run.left}"
        if lost := [call for call in run.acknowledged if call not in self.evidence.calls]:
            yield f"{len(lost)} calls were acknowledged and are not on record: {lost[:3]}"
        if not self.evidence.events or not run.life.killed:
            yield f"{self.evidence.events} events and {run.life.killed.total()} deaths show nothing"
        if run.exit_code != 0:
            yield f"the server ended with {run.exit_code}"
        yield from self._logs()
        yield from self._doctor()

    def _logs(self) -> Iterator[str]:
        for log in self.run.life.logs:
            strange: Counter[str] = Counter()
            for line in log.read_text(errors="replace").splitlines():
                if not line.startswith("{"):
                    strange[f"a line that is none of the log: {line[:120]}"] += 1
                elif '"level":"error"' in line and line.endswith("}") and (told := json.loads(line))["event"] not in OF_A_DEATH:
                    strange[f"{told['event']}: {line[:300]}"] += 1
            if strange:
                yield f"{log.name} has {dict(strange.most_common(5))}"

    def _doctor(self) -> Iterator[str]:
        command = [sys.executable, "-m", "callwright", f"--data={self.run.database.parent}", "doctor", "--deep", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        try:
            findings = json.loads(done.stdout)["findings"]
        except ValueError:
            yield f"callwright doctor failed: {done.stderr[-500:]}"
            return
        for finding in findings:
            if finding["level"] in ("warning", "fault") and finding["check"].startswith(OF_THE_FOLDER):
                yield f"callwright doctor: {finding['check']}: {finding['seen']}"
