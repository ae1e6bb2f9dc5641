"""A server to measure: ``callwright serve`` as its users have it, in a fresh folder, its limits lifted by settings."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from machine import children, cpu_seconds

# The default limits protect a server in use; a measurement wants to know what is behind them.
LIFTED = {
    "sip.new_legs_per_second": "10000",
    "calls.max_live": "100000",
    "media.max_calls": "5000",
}
PORT_PAIRS = 4_000


class Server:
    """`sip` is host:port, `http` the base URL. `settings` are flags that win over `LIFTED`."""

    def __init__(self, settings: Mapping[str, str] | None = None, *, lifted: bool = True) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="callwright-bench-")
        self.data = Path(self._folder.name) / "data"
        self.log = Path(self._folder.name) / "serve.log"
        first = random.SystemRandom().randrange(12_000, 32_000 - 2 * PORT_PAIRS, 2)
        chosen = {
            "media.ports": f"{first},{first + 2 * PORT_PAIRS - 1}",
            "sip.allow_hosts": "127.0.0.1",
            "log.level": "warning",
            "log.format": "json",
            "drain.seconds": "1",
            **(LIFTED if lifted else {}),
            **(settings or {}),
        }
        flags = [f"--set={key}={value}" for key, value in chosen.items()]
        command = [sys.executable, "-m", "callwright", f"--data={self.data}", "serve", "--http-port=0", "--sip-port=0"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*command, "--json", *flags], stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the server did not start:\n{self.log.read_text()}")
        ready = json.loads(line)
        self.http, self.sip, self._key = ready["http"], ready["sip"], ready["keys"]["live"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._folder.cleanup()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request with the live key; the decoded answer."""
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.http + path, sent, {"Authorization": f"AccessKey {self._key}"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def answers(self, number: str, *steps: dict[str, Any], webhook: str | None = None) -> None:
        """Let a number run a flow of these steps, its calls told to `webhook`."""
        flow = self.ask("POST", "/call-flows", {"steps": list(steps)})["data"][0]
        self.ask("POST", f"/call-flows/{flow['id']}/numbers", {"numbers": [number]})
        if webhook is not None:
            self.ask("POST", f"/numbers/{number}/webhook", {"url": webhook, "token": "token"})

    def cpu(self) -> dict[str, float]:
        """Seconds of processor time so far, by process."""
        return {name: cpu_seconds(pid) for name, pid in {"core": self.process.pid, **children(self.process.pid)}.items()}

    def metric(self, name: str, label: str = "") -> float:
        """The value of a line of /metrics: of all its labels added up, or of those with ``label="value"``."""
        lines = re.findall(rf"^{name}(\{{[^}}]*\}})? (\S+)$", self._metrics(), re.MULTILINE)
        return sum(float(value) for labels, value in lines if label in labels)

    def buckets(self, name: str) -> dict[float, float]:
        """A histogram of /metrics, all its labels but the bound added up: how many were at most that, so far."""
        counts: dict[float, float] = {}
        for bound, count in re.findall(rf'^{name}_bucket\{{.*?\ble="([^"]+)".*?\}} (\S+)$', self._metrics(), re.MULTILINE):
            counts[float(bound)] = counts.get(float(bound), 0.0) + float(count)
        return counts

    def commits(self) -> dict[float, float]:
        """How many group commits took at most so many seconds, so far."""
        return self.buckets("callwright_store_commit_seconds")

    def _metrics(self) -> str:
        with urllib.request.urlopen(f"{self.http}/metrics", timeout=30) as answer:
            text: str = answer.read().decode()
        return text


def quantile_ms(before: Mapping[float, float], after: Mapping[float, float], share: float) -> float:
    """The bound, in milliseconds, under which that share of what came between two readings of a histogram stayed."""
    counts = {bound: after[bound] - before.get(bound, 0.0) for bound in sorted(after)}
    total = max(counts.values(), default=0.0)
    return next((1000 * bound for bound, count in counts.items() if count >= share * total), 0.0)
