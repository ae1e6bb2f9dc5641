"""How long `callwright serve` takes to its first answer and to readiness, and what it occupies when idle.

    scripts/bench start [ROUNDS]

Prints the median of so many starts in fresh data folders, and the sum of PSS over all processes of the last one, after
three idle seconds.
"""

from __future__ import annotations

import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import machine_line


def start(folder: str, port: int) -> tuple[subprocess.Popen[bytes], float, float]:
    """Start a server; return it with the seconds to the first HTTP answer and to its announcement."""
    command = [Path(sys.executable).with_name("callwright"), "--data", folder, "serve", "--json"]
    began = time.perf_counter()
    server = subprocess.Popen(
        [*command, "--http-port", str(port), "--sip-port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    while server.poll() is None and time.perf_counter() - began < 30:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET /calls HTTP/1.0\r\n\r\n")
                if connection.recv(64).startswith(b"HTTP/1.1 401"):
                    break
        except OSError:
            time.sleep(0.002)
    answered = time.perf_counter() - began
    assert server.stdout is not None
    assert server.stdout.readline().startswith(b"{")
    return server, answered, time.perf_counter() - began


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def pss_mb(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) / 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(machine_line())
    answers, readies, occupied = [], [], 0.0
    for turn in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            server, answered, ready = start(folder, free_port())
            answers.append(answered)
            readies.append(ready)
            if turn == rounds - 1:
                time.sleep(3)
                parts = {pid: pss_mb(pid) for pid in family(server.pid)}
                occupied = sum(parts.values())
            server.send_signal(signal.SIGTERM)
            if server.wait(10) != 0:
                raise SystemExit(f"the server ended with {server.returncode}")
    print(f"start to first answer: median {statistics.median(answers):.2f} s, worst {max(answers):.2f} s of {rounds}")
    print(f"start to ready:        median {statistics.median(readies):.2f} s, worst {max(readies):.2f} s")
    print(f"idle PSS, {len(parts)} processes: {occupied:.0f} MB ({', '.join(f'{one:.0f}' for one in parts.values())})")


if __name__ == "__main__":
    main()
