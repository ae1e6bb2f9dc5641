"""Bridged calls with two-way G.711 through the whole server: how many it carries without losing sound.

    scripts/bench media [relay|mix|both] [--calls 100,200,300,400,500] [--seconds 10] [--processes 1]

`callwright serve` runs as its users have it, in a fresh data folder. SIPp calls in, the flow transfers to another SIPp,
which answers with the same law (relay) or the other one (mix) and sends back whatever it hears (-rtp_echo). The sound of
the callers comes from this program: a packet every 20 ms for each call, phases spread evenly, and in each packet its
number, in the signs of the samples, which both laws keep. What comes back has passed the media process twice. It is lost
when its number never comes; late when it would be for a receiver whose buffer holds 60 ms: when it comes so much later
than its RTP timestamp has it, as the earliest packet of its call does. Every step adds calls, lets them settle for five
seconds and measures for `--seconds`; the first step that loses or delays more than 0.1 % is tried a second time, and then
ends the run. Limits are lifted by settings; a last line tells what the default limits give.

All programs run on the same cores, and the CPU of each is printed, also what was used by programs that have nothing to do
with it: where the cores are full, the server lost its sound to these and to the generators as much as to itself.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path
from typing import Any

from machine import children, cpu_seconds, machine_line

SCENARIOS = Path(__file__).with_name("sipp")
ECHOES = 4  # SIPps on either side, so that no one socket has to hold a whole tick's packets
CALLS_A_SECOND = 40
SETTLE_S = 5.0
LATE_S = 0.06
GOOD = 0.001
GROUPS = 10  # of streams, each sending at its own part of the 20 ms
TICK_S = 0.02
HEADER = struct.Struct("!BBHII")
BITS = 32
SIGNS = bytes(ord("0") if code < 0x80 else ord("1") for code in range(256))
LIFTED = {"media.max_calls": "5000", "calls.max_live": "10000", "sip.new_legs_per_second": "1000"}


class Server:
    """`callwright serve` with its data in a folder."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        first = random.randrange(10_000, 16_000, 2)
        chosen = {"media.ports": f"{first},{first + 5999}", "sip.allow_hosts": "127.0.0.1", "drain.seconds": "0", **settings}
        command = [str(Path(sys.executable).with_name("callwright")), f"--data={folder}/data", "serve", "--json"]
        command += ["--http-port=0", "--sip-port=0", *(f"--set={name}={value}" for name, value in chosen.items())]
        with (folder / "serve.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        self.sip: str = ready["sip"]
        self._http = ready["http"].removeprefix("http://")
        self._key = ready["keys"]["live"]
        self.pids = {"core": self.process.pid, **children(self.process.pid)}

    def post(self, path: str, body: Any) -> Any:
        link = http.client.HTTPConnection(self._http, timeout=10)
        link.request("POST", path, json.dumps(body), {"Authorization": f"AccessKey {self._key}"})
        answer = link.getresponse()
        content = json.loads(answer.read())
        if answer.status not in (200, 201):
            raise SystemExit(f"POST {path}: {answer.status} {content}")
        return content["data"][0]

    def transfers(self, number: str, target: str) -> None:
        flow = self.post("/call-flows", {"steps": [{"action": "transfer", "options": {"destination": target}}]})
        self.post(f"/call-flows/{flow['id']}/numbers", {"numbers": [number]})

    def ticks(self) -> list[int]:
        """The ticks of all media processes so far, by lateness: up to each of `bounds`, and beyond."""
        link = http.client.HTTPConnection(self._http, timeout=10)
        link.request("GET", "/metrics")
        sums: dict[float, float] = {}
        for line in link.getresponse().read().decode().splitlines():
            if line.startswith("callwright_media_tick_late_seconds_bucket"):
                bound = float(line.split('le="')[1].split('"')[0])
                sums[bound] = sums.get(bound, 0) + float(line.rsplit(" ", 1)[1])
        self.bounds = sorted(sums)
        counts = [sums[bound] for bound in self.bounds]
        return [int(upto - before) for upto, before in zip(counts, [0.0, *counts[:-1]], strict=True)]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


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


class Voice:
    """The caller's end of one call."""

    __slots__ = ("base", "came", "group", "send", "sock", "ssrc")

    def __init__(self, port: int, number: int) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(("127.0.0.1", port))
        self.group = number % GROUPS
        self.ssrc = number + 1
        self.send: Any = None
        self.base = 0
        self.came: dict[int, tuple[float, float]] = {}  # by number: round trip, and lateness but for a constant


class Choir:
    """All callers. Numbers of packets are numbers of ticks, the same for every call."""

    def __init__(self) -> None:
        self._waiting = select.epoll()
        self._by_descriptor: dict[int, Voice] = {}
        self._groups: list[list[Voice]] = [[] for _ in range(GROUPS)]
        self._sent_at = [0.0] * (1 << 16)
        self._begin = time.monotonic()
        self._turn = 0  # GROUPS of them make a tick
        self.voices: list[Voice] = []
        self.measures = False
        self.lateness: list[float] = []

    @property
    def speaking(self) -> int:
        return sum(voice.send is not None for voice in self.voices)

    def add(self, port: int) -> Voice:
        voice = Voice(port, len(self.voices))
        self.voices.append(voice)
        self._by_descriptor[voice.sock.fileno()] = voice
        self._waiting.register(voice.sock, select.EPOLLIN)
        return voice

    def remove(self, voice: Voice) -> None:
        self.voices.remove(voice)
        del self._by_descriptor[voice.sock.fileno()]
        voice.sock.close()

    def sing(self, seconds: float) -> range:
        """Send and hear for a while; the numbers that went out."""
        end = time.monotonic() + seconds
        first = self._turn // GROUPS + 1
        due = self._begin + self._turn * TICK_S / GROUPS
        while due < end:
            for descriptor, _ in self._waiting.poll(max(due - time.monotonic(), 0), 64):
                self._hear(self._by_descriptor[descriptor])
            now = time.monotonic()
            while due <= now and due < end:
                self._say(now, due)
                due = self._begin + self._turn * TICK_S / GROUPS
        return range(first, self._turn // GROUPS)

    def _say(self, now: float, due: float) -> None:
        number, group = divmod(self._turn, GROUPS)
        number &= 0xFFFF
        self._turn += 1
        if self.measures:
            self.lateness.append(now - due)
        self._sent_at[number] = self._begin + number * TICK_S
        stamp = f"{number:0{BITS}b}".encode().translate(bytes(0x0A if code == ord("0") else 0x8A for code in range(256)))
        payload = stamp * 5
        for voice in self._groups[group]:
            try:
                voice.send(HEADER.pack(0x80, 0, number, number * 160 & 0xFFFF_FFFF, voice.ssrc) + payload)
            except OSError:
                continue

    def _hear(self, voice: Voice) -> None:
        try:
            if voice.send is None:
                data, source = voice.sock.recvfrom(2048)
                voice.base = int.from_bytes(data[4:8], "big")
                voice.sock.connect(source)
                voice.send = voice.sock.send
                self._groups[voice.group].append(voice)
                return
            data = voice.sock.recv(2048)
        except OSError:
            return
        number = int(data[12 : 12 + BITS].translate(SIGNS), 2)
        if number >= 1 << 16:
            return  # silence
        if self.measures and number not in voice.came:
            now = time.monotonic()
            played = (int.from_bytes(data[4:8], "big") - voice.base & 0xFFFF_FFFF) / 8000
            voice.came[number] = now - self._sent_at[number] - voice.group * TICK_S / GROUPS, now - played


def too_late(came: list[tuple[float, float]]) -> int:
    earliest = min((lateness for _, lateness in came), default=0.0)
    return sum(lateness > earliest + LATE_S for _, lateness in came)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else 0.0


def tick_p99(server: Server, before: list[int], after: list[int]) -> str:
    late = [b - a for a, b in zip(before, after, strict=True)]
    upto = list(accumulate(late))
    bound = next(bound for bound, count in zip(server.bounds, upto, strict=True) if count >= 0.99 * upto[-1])
    return f"up to {bound * 1000:g} ms" if bound < 1e9 else f"over {server.bounds[-2] * 1000:g} ms"


class Step:
    """One number of calls, measured."""

    def __init__(self, server: Server, choir: Choir, sipps: dict[str, list[int]], seconds: float) -> None:
        processes = {name: [pid] for name, pid in server.pids.items()} | sipps
        choir.sing(1.0)
        ticks = server.ticks()
        choir.sing(1.0)
        for voice in choir.voices:
            voice.came.clear()
        choir.lateness.clear()
        choir.measures = True
        cpu, own, drops, busy = used(processes), time.process_time(), buffer_errors(), machine_busy()
        numbers = choir.sing(seconds)
        cpu = {name: after - cpu[name] for name, after in used(processes).items()}
        cpu["load program"] = time.process_time() - own
        cpu["everything else"] = max(machine_busy() - busy - sum(cpu.values()), 0.0)
        choir.sing(0.5)
        choir.measures = False
        self.drops = buffer_errors() - drops
        self.ticks = tick_p99(server, ticks, server.ticks())
        self.cpu = {name: spent / seconds for name, spent in cpu.items()}
        voices = [voice for voice in choir.voices if voice.send is not None]
        self.calls = len(voices)
        came = [[voice.came[number] for number in numbers if number in voice.came] for voice in voices]
        expected = self.calls * len(numbers)
        self.lost = 1 - sum(map(len, came)) / expected if expected else 1.0
        self.late = sum(map(too_late, came)) / expected if expected else 0.0
        every = [round_trip for one in came for round_trip, _ in one]
        self.median, self.p99 = percentile(every, 0.5), percentile(every, 0.99)
        self.own_late = percentile(choir.lateness, 0.99)

    @property
    def good(self) -> bool:
        return self.lost + self.late <= GOOD

    def print(self) -> None:
        print(
            f"{self.calls:5} calls, {2 * self.calls} streams: lost {100 * self.lost:.3f} %, late {100 * self.late:.3f} %, "
            f"round trip median {1000 * self.median:.0f} ms, p99 {1000 * self.p99:.0f} ms; ticks late p99 {self.ticks}"
        )
        print("      CPU, % of a core: " + ", ".join(f"{name} {100 * spent:.0f}" for name, spent in self.cpu.items()))
        print(
            f"      load program late p99 {1000 * self.own_late:.1f} ms; datagrams dropped at full sockets, machine-wide: "
            f"{self.drops}",
            flush=True,
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
    """A server, the SIPps around it and the callers' sound."""

    def __init__(self, folder: Path, mode: str, settings: dict[str, str]) -> None:
        self._folder = folder
        self._sipps: dict[str, list[subprocess.Popen[bytes]]] = {"SIPp echo": [], "SIPp callers": []}
        self.choir = Choir()
        law = {"relay": "0", "mix": "8"}[mode]
        for name in ("media_caller", "media_callee"):
            (folder / f"{name}.xml").write_text((SCENARIOS / f"{name}.xml").read_text().replace("@LAW@", law))
        self.server = Server(folder, settings)
        self._numbers = []
        for index in range(ECHOES):
            port = self._echo()
            self._numbers.append(f"3120555020{index}")
            self.server.transfers(self._numbers[-1], f"sip:echo@127.0.0.1:{port}")

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
            started = sipp(self._folder, "media_caller", *arguments, "-r", str(CALLS_A_SECOND // ECHOES), self.server.sip)
            if started is not None:
                self._sipps["SIPp callers"].append(started)
                return
            for voice in voices:
                self.choir.remove(voice)
        raise SystemExit("SIPp does not start as caller")

    def measure(self, seconds: float) -> Step:
        alive = {name: [one.pid for one in group if one.poll() is None] for name, group in self._sipps.items()}
        return Step(self.server, self.choir, alive, seconds)

    def stop(self) -> None:
        for one in (one for group in self._sipps.values() for one in group):
            one.kill()
            one.wait()
        self.server.stop()


def climb(mode: str, levels: list[int], seconds: float, processes: int) -> Step | None:
    """Add calls until sound is lost; the last step that was good."""
    best: Step | None = None
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), mode, {**LIFTED, "media.processes": str(processes)})
        try:
            for level in levels:
                answered = run.add(level - len(run.choir.voices))
                step = run.measure(seconds)
                step.print()
                if not step.good:
                    step = run.measure(seconds)
                    print("      again:")
                    step.print()
                if not step.good or answered < level:
                    break
                best = step
        finally:
            run.stop()
    return best


def by_default(mode: str, calls: int, seconds: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), mode, {})
        try:
            answered = run.add(calls)
            step = run.measure(seconds)
        finally:
            run.stop()
    return (
        f"with the default limits: {answered} of {calls} calls are taken (media.max_calls = 300 a media process); of their "
        f"packets {100 * step.lost:.3f} % are lost, {100 * step.late:.3f} % late"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["relay", "mix", "both"], nargs="?", default="both")
    parser.add_argument("--calls", default="100,200,300,400,500", help="steps, rising")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--processes", type=int, default=1, help="media processes")
    chosen = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    modes = ["relay", "mix"] if chosen.mode == "both" else [chosen.mode]
    levels = [int(level) for level in chosen.calls.split(",")]
    print(machine_line())
    print(
        f"limits lifted: {', '.join(f'{name} = {value}' for name, value in LIFTED.items())}; "
        f"media processes: {chosen.processes}"
    )
    results = []
    for mode in modes:
        print(f"{mode}:")
        best = climb(mode, levels, chosen.seconds, chosen.processes)
        if best is None:
            results.append(f"{mode}: sound was lost or late from the first step on")
            continue
        costs = ", ".join(
            f"{name} {1000 * spent / best.calls:.2f}" for name, spent in best.cpu.items() if name != "everything else"
        )
        results.append(
            f"{mode}: {best.calls} calls, {2 * best.calls} streams, at most 0.1 % lost or late; ticks late p99 {best.ticks}; "
            f"CPU-milliseconds for a second of a call: {costs}"
        )
    print(*results, sep="\n")
    print(by_default(modes[0], 320, chosen.seconds))


if __name__ == "__main__":
    main()
