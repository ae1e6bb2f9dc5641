"""Bridged calls with two-way G.711 through the whole server: how many it carries without losing sound.

    scripts/bench media [relay|mix|both] [--ivr] [--calls 100,200,300,400,500] [--seconds 10] [--processes 1]

`callwright serve` runs as its users have it, in a fresh data folder. SIPp calls in, the flow transfers to another SIPp,
which answers with the same law (relay) or the other one (mix) and sends back whatever it hears (-rtp_echo). The sound of
the callers comes from this program: a packet every 20 ms for each call, phases spread evenly, and in each packet its
number, in the signs of the samples, which both laws keep. What comes back has passed the media process twice. It is lost
when its number never comes; late when it would be for a receiver whose buffer holds 60 ms: when it comes so much later
than its RTP timestamp has it, as the earliest packet of its call does. Every step adds calls, lets them settle for five
seconds and measures for `--seconds`; the first step that loses or delays more than 0.1 %, or whose ticks are more than 10 ms
late at the p99, is tried a second time, and then ends the run. Limits are lifted by settings; a last line tells what the
default limits give.

With `--ivr` each call is one caller of a menu: it hears a prompt from the cache, presses a key into it as a telephone-event,
is recorded for three seconds until it presses another, and hears the next. What comes is lost or late by the numbers and
times of the server's packets; besides, it is measured how soon a prompt ends after a key's first packet, and how soon the
next one begins after the key that ends a recording. A caller that is not answered within five seconds is stuck, and no step
with one is good.

All programs run on the same cores, and the CPU of each is printed, also what was used by programs that have nothing to do
with it: where the cores are full, the server lost its sound to these and to the generators as much as to itself. For a
profile, `scripts/bench media_streams` has a media process alone under a steady load.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import resource
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from choir import Choir
from machine import children, cpu_seconds, machine_line, niceness_line
from menu import Menus
from menu import steps as menu_steps
from server import LIFTED, Server, quantile_ms

SCENARIOS = Path(__file__).with_name("sipp")
ECHOES = 4  # SIPps on either side, so that no one socket has to hold a whole tick's packets
CALLS_A_SECOND = 40
SETTLE_S = 5.0
LATE_S = 0.06
GOOD = 0.001
TICKS = "callwright_media_tick_late_seconds"
TICK_P99_MS = 10.0


def sipp(folder: Path, scenario: str, *arguments: str) -> subprocess.Popen[bytes] | None:
    """Start SIPp; None when it ended at once, as it does when another program was quicker to take a port."""
    command = ["sipp", "-sf", str(folder / f"{scenario}.xml"), "-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin", *arguments]
    started = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        started.wait(0.3)
    except subprocess.TimeoutExpired:
        return started
    return None


def free_block(size: int, step: int) -> int:
    """The first of so many UDP ports, `step` apart, that nobody has."""
    for _ in range(100):
        first = random.randrange(40_000, 60_000 - size * step, 4)
        try:
            for index in range(size):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind(("127.0.0.1", first + index * step))
        except OSError:
            continue
        return first
    raise SystemExit("no free block of UDP ports")


def too_late(came: list[tuple[float, float]]) -> int:
    earliest = min((lateness for _, lateness in came), default=0.0)
    return sum(lateness > earliest + LATE_S for _, lateness in came)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else 0.0


def tick_p99_ms(before: Mapping[float, float], after: Mapping[float, float]) -> float:
    """The bound under which 99 % of the ticks between two readings stayed; without ticks there is none."""
    if after.get(math.inf, 0.0) <= before.get(math.inf, 0.0):
        return math.inf
    return quantile_ms(before, after, 0.99)


class Step(NamedTuple):
    """What came of one number of calls. Times in seconds but for the ticks; `cpu` is cores by program."""

    calls: int
    lost: float
    late: float
    tick_p99_ms: float
    median: float
    p99: float
    own_late: float
    drops: int
    cpu: dict[str, float]

    @property
    def good(self) -> bool:
        return self.lost + self.late <= GOOD and self.tick_p99_ms <= TICK_P99_MS

    @property
    def ticks(self) -> str:
        return f"up to {self.tick_p99_ms:g} ms" if math.isfinite(self.tick_p99_ms) else "beyond every bound"

    def print(self) -> None:
        print(
            f"{self.calls:5} calls: lost {100 * self.lost:.3f} %, late {100 * self.late:.3f} %, "
            f"round trip median {1000 * self.median:.0f} ms, p99 {1000 * self.p99:.0f} ms; ticks late p99 {self.ticks}"
        )
        print("      CPU, % of a core: " + ", ".join(f"{name} {100 * spent:.0f}" for name, spent in self.cpu.items()))
        print(
            f"      load program late p99 {1000 * self.own_late:.1f} ms; datagrams dropped at full sockets, machine-wide: "
            f"{self.drops}",
            flush=True,
        )


def measured(server: Server, choir: Choir, sipps: dict[str, list[int]], seconds: float) -> Step:
    pids = {"core": server.process.pid, **children(server.process.pid)}
    processes = {name: [pid] for name, pid in pids.items()} | sipps
    choir.sing(1.0)
    ticks = server.buckets(TICKS)
    choir.sing(1.0)
    for voice in choir.voices:
        voice.came.clear()
    choir.lateness.clear()
    if isinstance(choir, Menus):
        choir.forget()
    choir.measures = True
    cpu, own, drops, busy = used(processes), time.process_time(), buffer_errors(), machine_busy()
    numbers = choir.sing(seconds)
    cpu = {name: after - cpu[name] for name, after in used(processes).items()}
    cpu["load program"] = time.process_time() - own
    cpu["everything else"] = max(machine_busy() - busy - sum(cpu.values()), 0.0)
    choir.sing(0.5)
    choir.measures = False
    voices = [voice for voice in choir.voices if voice.send is not None]
    came = [[voice.came[number] for number in numbers if number in voice.came] for voice in voices]
    expected = len(voices) * len(numbers)
    every = [round_trip for one in came for round_trip, _ in one]
    return Step(
        calls=len(voices),
        lost=1 - sum(map(len, came)) / expected if expected else 1.0,
        late=sum(map(too_late, came)) / expected if expected else 0.0,
        tick_p99_ms=tick_p99_ms(ticks, server.buckets(TICKS)),
        median=percentile(every, 0.5),
        p99=percentile(every, 0.99),
        own_late=percentile(choir.lateness, 0.99),
        drops=buffer_errors() - drops,
        cpu={name: spent / seconds for name, spent in cpu.items()},
    )


def used(processes: dict[str, list[int]]) -> dict[str, float]:
    return {name: sum(map(cpu_seconds, pids)) for name, pids in processes.items()}


def machine_busy() -> float:
    """Processor time that was used on this machine, by whomever, and what its host took."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def buffer_errors() -> int:
    names, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp:"))
    return int(values[names.index("RcvbufErrors")])


class Run:
    """The SIPps around a server, and the callers' sound."""

    def __init__(self, folder: Path, mode: str, server: Server) -> None:
        self.server = server
        self._folder = folder
        self._sipps: dict[str, list[subprocess.Popen[bytes]]] = {"SIPp echo": [], "SIPp callers": []}
        self.menu = mode == "ivr"
        self.choir = Menus() if self.menu else Choir()
        law = {"relay": "0", "mix": "8", "ivr": "0"}[mode]
        for name in ("media_caller", "media_callee", "menu_caller"):
            (folder / f"{name}.xml").write_text((SCENARIOS / f"{name}.xml").read_text().replace("@LAW@", law))
        self._numbers = [f"3120555020{index}" for index in range(ECHOES)]

    def listen(self) -> None:
        """Start the callees, and let each number reach one."""
        for number in self._numbers:
            if self.menu:
                self.server.answers(number, *menu_steps())
                continue
            target = f"sip:echo@127.0.0.1:{self._echo()}"
            self.server.answers(number, {"action": "transfer", "options": {"destination": target}})

    def add(self, calls: int) -> int:
        """Place more calls; how many of all are answered once no more come."""
        share, rest = divmod(calls, ECHOES)
        for index, number in enumerate(self._numbers):
            count = share + (index < rest)
            if count:
                self._call(number, count)
        deadline = time.monotonic() + calls / CALLS_A_SECOND + 10
        while self.choir.speaking < len(self.choir.voices) and time.monotonic() < deadline:
            self.choir.sing(0.2)
        self.choir.sing(SETTLE_S)
        return self.choir.speaking

    def _echo(self) -> int:
        for _ in range(5):
            port, sound = free_block(1, 1), free_block(2, 2)
            started = sipp(self._folder, "media_callee", "-p", str(port), "-mp", str(sound), "-rtp_echo", "-m", "100000")
            if started is not None:
                self._sipps["SIPp echo"].append(started)
                return port
        raise SystemExit("SIPp does not start as callee")

    def _call(self, number: str, count: int) -> None:
        for _ in range(5):
            base = free_block(count + 1, 4)  # the first is SIPp's own
            arguments = ["-s", number, "-p", str(free_block(1, 1)), "-mp", str(base), "-m", str(count), "-l", str(count)]
            voices = [self.choir.add(base + 4 + 4 * call) for call in range(count)]
            arguments += ["-r", str(CALLS_A_SECOND // ECHOES), self.server.sip]
            started = sipp(self._folder, "menu_caller" if self.menu else "media_caller", *arguments)
            if started is not None:
                self._sipps["SIPp callers"].append(started)
                return
            for voice in voices:
                self.choir.remove(voice)
        raise SystemExit("SIPp does not start as caller")

    def measure(self, seconds: float) -> Step:
        alive = {name: [one.pid for one in group if one.poll() is None] for name, group in self._sipps.items()}
        return measured(self.server, self.choir, alive, seconds)

    def stop(self) -> None:
        for one in (one for group in self._sipps.values() for one in group):
            one.kill()
            one.wait()
        for voice in self.choir.voices:
            voice.sock.close()


@contextmanager
def running(mode: str, settings: dict[str, str], *, lifted: bool) -> Iterator[Run]:
    with tempfile.TemporaryDirectory() as folder, Server(settings, lifted=lifted) as server:
        run = Run(Path(folder), mode, server)
        try:
            run.listen()
            yield run
        finally:
            run.stop()


def climb(mode: str, levels: list[int], seconds: float, processes: int) -> Step | None:
    """Add calls until sound is lost; the last step that was good."""
    best: Step | None = None
    with running(mode, {"media.processes": str(processes)}, lifted=True) as run:
        print(niceness_line(run.server.process.pid))
        for level in levels:
            answered = run.add(level - len(run.choir.voices))
            step = run.measure(seconds)
            step.print()
            good = print_menu(run.choir) and step.good
            if not good:
                step = run.measure(seconds)
                print("      again:")
                step.print()
                good = print_menu(run.choir) and step.good
            if not good or answered < level:
                break
            best = step
    return best


def print_menu(choir: Choir) -> bool:
    """How the menu answered; whether no caller was left alone."""
    if not isinstance(choir, Menus):
        return True
    for name, times in (("prompt over after a key's first packet", choir.barge_ins), ("next prompt after a key", choir.starts)):
        median, p99 = (1000 * percentile(times, share) for share in (0.5, 0.99))
        print(f"      {name}: {len(times)}, median {median:.0f} ms, p99 {p99:.0f} ms")
    print(f"      {choir.rounds} recordings ended; {choir.stuck} callers stuck", flush=True)
    return choir.stuck == 0


def by_default(mode: str, calls: int, seconds: float) -> str:
    with running(mode, {}, lifted=False) as run:
        answered = run.add(calls)
        step = run.measure(seconds)
    return (
        f"with the default limits: {answered} of {calls} calls are taken (media.max_calls = 300 a media process); of their "
        f"packets {100 * step.lost:.3f} % are lost, {100 * step.late:.3f} % late"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["relay", "mix", "both"], nargs="?", default="both")
    parser.add_argument("--ivr", action="store_true", help="callers of a menu in place of bridged calls")
    parser.add_argument("--calls", default="100,200,300,400,500", help="steps, rising")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--processes", type=int, default=1, help="media processes")
    chosen = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    modes = ["ivr"] if chosen.ivr else ["relay", "mix"] if chosen.mode == "both" else [chosen.mode]
    levels = [int(level) for level in chosen.calls.split(",")]
    print(machine_line())
    print(
        f"method: SIPp calls and echoes on the same cores, each call a packet every 20 ms, {chosen.seconds:g} s a step; "
        f"good is at most {100 * GOOD:g} % lost or over {1000 * LATE_S:g} ms late, ticks at most {TICK_P99_MS:g} ms (p99)"
    )
    print("limits lifted by settings: " + ", ".join(f"{key}={value}" for key, value in LIFTED.items()))
    print(f"media processes: {chosen.processes}")
    results = []
    for mode in modes:
        print(f"{mode}:")
        best = climb(mode, levels, chosen.seconds, chosen.processes)
        if best is None:
            results.append(f"{mode}: no step was good")
            continue
        costs = ", ".join(
            f"{name} {1000 * spent / best.calls:.2f}" for name, spent in best.cpu.items() if name != "everything else"
        )
        results.append(
            f"{mode}: {best.calls} calls, at most 0.1 % lost or late; ticks late p99 {best.ticks}; "
            f"CPU-milliseconds for a second of a call: {costs}"
        )
    print(*results, sep="\n")
    print(by_default(modes[0], 320, chosen.seconds))


if __name__ == "__main__":
    main()
