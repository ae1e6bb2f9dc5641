"""How many calls a second the whole server carries, and what a call costs each of its processes.

    scripts/bench sip_calls [--bridge] [--webhooks] [--rates 100,200,300] [--seconds 10] [--profile FOLDER]

Method: `callwright serve` in a fresh folder on this disk, its limits lifted by settings, every row and event committed
(synchronous = full). SIPp on the same machine calls a number at a fixed rate, open loop. The flow answers and hangs up.
With --bridge it transfers to a second SIPp, which rings and answers; the caller hangs up 0.3 s later. With --webhooks each
event is posted to a receiver on loopback. Strict: a message that a scenario does not list, on either side, fails the call,
and so does a call that is not over on record within 30 s. Rates go up until a run has a failed call, a callback that was not
taken, a p99 set-up (INVITE to 200) of 50 ms or more, or SIPp could not keep the pace. CPU is the kernel's count for each
process over the run, divided by its calls; start-up is not in it.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from machine import children, cpu_seconds, machine_line, niceness_line
from server import LIFTED, Server, quantile_ms

SCENARIOS = Path(__file__).with_name("sipp")
NUMBER, CALLEE = "31205550123", "31205550199"
WARM_UP_CALLS = 100
P99_MS = 50.0
ENDED = "callwright_calls_ended_total"
DELIVERED = "callwright_deliveries_total", 'result="delivered"'
# Callbacks of a call: made, answered, over; and made, dialled, rings, the callee answered, the caller is, over.
EVENTS = {"answered": 3, "bridged_caller": 6}
ANSWERED = ({"action": "pause", "options": {"length": 0}}, {"action": "hangup"})


class Run(NamedTuple):
    """What came of one rate. Times in milliseconds; `cpu` is milliseconds a call by process."""

    rate: int
    reached: float  # calls a second that SIPp did start
    calls: int
    failed: int
    repeats: int
    setup: tuple[float, float, float]
    commit_p99: float
    callbacks: int
    untaken: int  # callbacks that did not come
    behind_s: float  # from the end of the last call until all its callbacks were taken
    cpu: dict[str, float]
    busy: float  # of all cores, all processes together

    @property
    def passed(self) -> bool:
        kept_pace = self.reached > 0.95 * self.rate
        return self.failed == 0 and self.untaken == 0 and self.setup[1] < P99_MS and kept_pace


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sipp(folder: Path, scenario: str, *arguments: str) -> subprocess.Popen[bytes]:
    work = folder / f"{scenario}-{time.monotonic_ns()}"
    work.mkdir()
    common = ["-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin", "-l", "1000000"]
    traces = ["-trace_stat", "-stf", "stat.csv", "-fd", "1", "-trace_err", "-error_file", "errors.log"]
    return subprocess.Popen(
        ["sipp", *arguments, *common, *traces],
        cwd=work,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def newest(folder: Path, scenario: str) -> Path:
    return max(folder.glob(f"{scenario}-*"), key=lambda path: path.name)


def counts(folder: Path, scenario: str) -> dict[str, str]:
    """SIPp's last line of statistics; of one that has not written any yet, nothing."""
    file = newest(folder, scenario) / "stat.csv"
    names, *rows = [line.split(";") for line in file.read_text().splitlines()] if file.exists() else [[]]
    return dict(zip(names, rows[-1], strict=False)) if rows else {}


def failed_at_callee(folder: Path) -> int:
    """Calls that did not go as the callee's scenario says, so far; it writes them down every second."""
    time.sleep(1.5)
    return int(counts(folder, "bridged_callee").get("FailedCall(C)", 0))


def setups(folder: Path, scenario: str) -> tuple[list[float], float]:
    """The set-up times in milliseconds, sorted, and how many a second were begun."""
    (path,) = newest(folder, scenario).glob("*_rtt.csv")
    with path.open() as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    begun = sorted(float(row["Date_ms"]) - float(row["response_time_ms"]) for row in rows)
    pace = 1000 * (len(begun) - 1) / (begun[-1] - begun[0]) if len(begun) > 1 and begun[-1] > begun[0] else 0.0
    return sorted(float(row["response_time_ms"]) for row in rows) or [float("inf")], pace


def call(folder: Path, server: Server, scenario: str, rate: int, count: int, extra: dict[str, int]) -> Run:
    """One run of so many calls at a rate; `extra` are more processes to watch, by name."""

    def watched() -> dict[str, float]:
        return server.cpu() | {name: cpu_seconds(pid) for name, pid in extra.items()}

    bridged = scenario == "bridged_caller"
    at_callee = failed_at_callee(folder) if bridged else 0
    commits, ended, taken = server.commits(), server.metric(ENDED), server.metric(*DELIVERED)
    cpu, began, own = watched(), time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    rtt = ("-trace_rtt", "-rtt_freq", "1")
    options = ("-s", NUMBER, "-r", str(rate), "-m", str(count), *rtt, "-timeout", f"{count / rate + 40:.0f}s")
    sipp(folder, scenario, server.sip, "-p", str(free_port()), *options).wait()
    over = settle(lambda: server.metric(ENDED) - ended, count)
    settled = time.monotonic()
    callbacks = settle(lambda: server.metric(*DELIVERED) - taken, EVENTS[scenario] * count) if "receiver" in extra else 0
    behind = time.monotonic() - settled
    used = {name: seconds - cpu.get(name, 0.0) for name, seconds in watched().items()}
    took = time.monotonic() - began
    generator = resource.getrusage(resource.RUSAGE_CHILDREN)
    used["sipp"] = used.get("sipp", 0.0) + sum(generator[:2]) - sum(own[:2])
    seen = counts(folder, scenario)
    done = int(seen["SuccessfulCall(C)"])
    strangers = failed_at_callee(folder) - at_callee if bridged else 0
    times, pace = setups(folder, scenario)
    shares = [times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.99, 1.0)]
    return Run(
        rate=rate,
        reached=pace,
        calls=count,
        failed=max(count - done, count - over, strangers),
        repeats=int(seen["Retransmissions(C)"]),
        setup=(shares[0], shares[1], shares[2]),
        commit_p99=quantile_ms(commits, server.commits(), 0.99),
        callbacks=callbacks,
        untaken=EVENTS[scenario] * count - callbacks if "receiver" in extra else 0,
        behind_s=behind,
        cpu={name: 1000 * seconds / max(done, 1) for name, seconds in used.items()},
        busy=sum(used.values()) / took / (os.cpu_count() or 1),
    )


def settle(count: Callable[[], float], wanted: int) -> int:
    """Wait until so many are counted, at most 30 s; return how many are."""
    deadline = time.monotonic() + 30
    while (seen := count()) < wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    return int(seen)


@contextmanager
def receiver() -> Iterator[tuple[str, int]]:
    """Where callbacks go: its URL and process."""
    program = [sys.executable, str(Path(__file__).with_name("receiver.py"))]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    port = int(process.stdout.readline())
    try:
        yield f"http://127.0.0.1:{port}/calls", process.pid
    finally:
        process.stdin.close()
        process.wait(10)


@contextmanager
def profiled(server: Server, folder: Path | None) -> Iterator[None]:
    """Sample core and signalling with py-spy into `folder`, where it is asked for and installed."""
    watching: list[subprocess.Popen[bytes]] = []
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, pid in {"core": server.process.pid, **children(server.process.pid)}.items():
            out = ["-f", "raw", "-r", "250", "-d", "600", "--gil", "-o", str(folder / f"{name}.txt")]
            watching.append(subprocess.Popen(["py-spy", "record", "-p", str(pid), *out], stdout=subprocess.DEVNULL))
    try:
        yield
    finally:
        for one in watching:
            one.send_signal(2)
            one.wait(30)


def show(run: Run) -> None:
    cpu = "  ".join(f"{name} {ms:.2f}" for name, ms in run.cpu.items())
    p50, p99, worst = run.setup
    told = f"{run.callbacks} callbacks, the last {run.behind_s:.1f} s after the calls  " if "receiver" in run.cpu else ""
    print(
        f"{run.rate:5d}/s ({run.reached:.0f} reached)  {run.failed:4d} of {run.calls:5d} failed  {run.repeats:4d} repeats  "
        f"set-up p50 {p50:3.0f}, p99 {p99:3.0f}, max {worst:4.0f} ms  commit p99 <= {run.commit_p99:g} ms  "
        f"{told}cores {100 * run.busy:.0f} %  CPU-ms a call: {cpu}",
        flush=True,
    )


def measure(options: argparse.Namespace, rates: list[int], *, lifted: bool = True) -> list[Run]:
    """Run the rates in turn, up to the first that does not pass."""
    runs: list[Run] = []
    scenario = "bridged_caller" if options.bridge else "answered"
    with tempfile.TemporaryDirectory(prefix="callwright-sipp-") as place, receiver() as (url, taking):
        folder, extra, steps = Path(place), {}, ANSWERED
        if options.bridge:
            port = free_port()
            callee = sipp(folder, "bridged_callee", "-p", str(port))
            extra["sipp"] = callee.pid
            steps = ({"action": "transfer", "options": {"destination": f"sip:{CALLEE}@127.0.0.1:{port}"}},)
        if options.webhooks:
            extra["receiver"] = taking
        try:
            with Server(lifted=lifted) as server:
                if lifted:
                    print(niceness_line(server.process.pid))
                server.answers(NUMBER, *steps, webhook=url if options.webhooks else None)
                call(folder, server, scenario, min(50, rates[0]), WARM_UP_CALLS, extra)
                with profiled(server, options.profile if lifted else None):
                    for rate in rates:
                        runs.append(call(folder, server, scenario, rate, rate * options.seconds, extra))
                        if lifted:
                            show(runs[-1])
                        if not runs[-1].passed:
                            break
                for line in server.log.read_text().splitlines()[:5] if lifted else ():
                    print(f"      the server said: {line[:200]}")
        finally:
            if options.bridge:
                callee.kill()
                callee.wait()
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bridge", action="store_true", help="transfer each call to a second SIPp")
    parser.add_argument("--webhooks", action="store_true", help="post every event to a receiver on this machine")
    parser.add_argument("--rates", default="", help="calls a second to try, in order")
    parser.add_argument("--seconds", type=int, default=10, help="how long each rate lasts")
    parser.add_argument("--profile", type=Path, help="a folder for py-spy's samples of each process")
    options: Any = parser.parse_args()
    rates = [int(rate) for rate in options.rates.split(",") if rate]
    rates = rates or ([50, 100, 125, 150, 175, 200] if options.bridge else [100, 200, 250, 300, 350, 400])
    what = "transferred to a callee, hung up by the caller" if options.bridge else "answered, hung up by the flow"
    print(machine_line())
    print(f"method: strict SIPp on the same cores, calls {what}; callbacks {'on' if options.webhooks else 'off'}")
    print("limits lifted by settings: " + ", ".join(f"{key}={value}" for key, value in LIFTED.items()))
    passed = [run.rate for run in measure(options, rates) if run.passed]
    print(f"highest rate with 0 failed and p99 set-up under {P99_MS:g} ms: {max(passed, default=0)} a second")
    below = 120 if options.bridge else 240  # a bridged call is two new legs
    under, over = measure(options, [below], lifted=False)[0], measure(options, [2 * below], lifted=False)[0]
    print(
        f"with the default limits (sip.new_legs_per_second = 250): {under.rate} calls a second, {under.failed} of "
        f"{under.calls} refused; {over.rate} a second, {over.failed} of {over.calls} refused with 503, the others set up "
        f"within {over.setup[1]:.0f} ms (p99)"
    )


if __name__ == "__main__":
    main()
