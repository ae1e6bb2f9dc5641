"""How many calls a second the whole server carries, and what a call costs each of its processes.

    scripts/bench sip_calls [--bridge] [--webhooks] [--rates 100,200,300] [--seconds 10] [--profile FOLDER]

Method: `callwright serve` in a fresh folder on this disk, its limits lifted by settings, every row and event committed
(synchronous = full). SIPp on the same machine calls a number at a fixed rate, open loop; any message its scenario does not
list fails the call. The flow answers and hangs up. With --bridge it transfers to a second SIPp, which rings and answers; the
caller hangs up 0.3 s later. With --webhooks each event is posted to a receiver on loopback. Rates go up until a run has
a failed call or a p99 set-up (INVITE to 200) of 50 ms or more. CPU is the kernel's count for each process over the run,
divided by its calls; start-up is not in it.
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
DELIVERED = "callwright_deliveries_total"
EVENTS = 3  # callbacks of an answered call: made, answered, over
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
    behind_s: float  # from the end of the last call until all its callbacks were taken
    cpu: dict[str, float]
    busy: float  # of all cores, all processes together

    @property
    def passed(self) -> bool:
        return self.failed == 0 and self.setup[1] < P99_MS


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


def counts(folder: Path, scenario: str) -> dict[str, str]:
    newest = max(folder.glob(f"{scenario}-*"), key=lambda path: path.name)
    names, *rows = [line.split(";") for line in (newest / "stat.csv").read_text().splitlines()]
    return dict(zip(names, rows[-1], strict=False))


def setups(folder: Path, scenario: str) -> list[float]:
    newest = max(folder.glob(f"{scenario}-*"), key=lambda path: path.name)
    (path,) = newest.glob("*_rtt.csv")
    with path.open() as lines:
        return sorted(float(row["response_time_ms"]) for row in csv.DictReader(lines, delimiter=";"))


def call(folder: Path, server: Server, scenario: str, rate: int, count: int, extra: dict[str, int]) -> Run:
    """One run of so many calls at a rate; `extra` are more processes to watch, by name."""

    def watched() -> dict[str, float]:
        return server.cpu() | {name: cpu_seconds(pid) for name, pid in extra.items()}

    commits = server.commits()
    cpu, began, own = watched(), time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    ended, taken = server.metric("callwright_calls_ended_total"), server.metric(DELIVERED)
    rtt = ("-trace_rtt", "-rtt_freq", "1")
    options = ("-s", NUMBER, "-r", str(rate), "-m", str(count), *rtt, "-timeout", f"{count / rate + 40:.0f}s")
    sipp(folder, scenario, server.sip, "-p", str(free_port()), *options).wait()
    took = time.monotonic() - began
    settle(lambda: server.metric("callwright_calls_ended_total") - ended, count)
    over = time.monotonic()
    callbacks = settle(lambda: server.metric(DELIVERED) - taken, EVENTS * count if "receiver" in extra else 0)
    behind = time.monotonic() - over
    used = {name: seconds - cpu.get(name, 0.0) for name, seconds in watched().items()}
    generator = resource.getrusage(resource.RUSAGE_CHILDREN)
    used["sipp"] = used.get("sipp", 0.0) + sum(generator[:2]) - sum(own[:2])
    seen = counts(folder, scenario)
    done, failed = int(seen["SuccessfulCall(C)"]), int(seen["FailedCall(C)"])
    times = setups(folder, scenario) or [float("inf")]
    shares = tuple(times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.99, 1.0))
    return Run(
        rate,
        (done + failed) / took,
        done + failed,
        failed + count - done - failed,
        int(seen["Retransmissions(C)"]),
        (shares[0], shares[1], shares[2]),
        quantile_ms(commits, server.commits(), 0.99),
        callbacks,
        behind,
        {name: 1000 * seconds / max(done, 1) for name, seconds in used.items()},
        sum(used.values()) / took / (os.cpu_count() or 1),
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
