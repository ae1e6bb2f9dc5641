"""How soon a caller hears something: a prompt from the cache, and a sentence that no voice has spoken yet.

    scripts/bench first_sound [--calls 30]

`callwright serve` runs as its users have it, in a fresh data folder. SIPp calls in, one call after the other. The flow of
each is fetched from this program and says a sentence: always the same one, which is in the cache after the first call, or one
with a number in it that was never said, in English by eSpeak NG (the male voice) and by Pico (the female one). Measured is the
time from the begin of the say step, as the journal has it, to the first packet with sound at the caller; the answer to the
call is part of it.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from machine import machine_line
from media import SCENARIOS, free_block, percentile, sipp
from server import Server

NUMBER = "31205550400"
WAIT_S = 10.0
SO_TIMESTAMPNS = 35  # the kernel says when a packet came, whenever it is read
TIMESPEC = struct.Struct("@ll")
SILENT = b"\xff" * 160
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


class Program(ThreadingHTTPServer):
    """The customer's program; `step` is what it wants done."""

    def __init__(self) -> None:
        self.step: dict[str, Any] = {}
        program = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(
                    {
                        "steps": [
                            {"action": "pause", "options": {"length": 1}},
                            program.step,
                            {"action": "pause", "options": {"length": 60}},
                        ]
                    }
                ).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@contextmanager
def calling(folder: Path, server: Server) -> Iterator[socket.socket]:
    """One call; the socket is where its caller listens."""
    for _ in range(5):
        base = free_block(2, 4)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
            ear.bind(("127.0.0.1", base + 4))
            ear.settimeout(WAIT_S)
            ear.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            arguments = ["-s", NUMBER, "-p", str(free_block(1, 1)), "-mp", str(base), "-m", "1", server.sip]
            caller = sipp(folder, "media_caller", *arguments)
            if caller is None:
                continue
            try:
                yield ear
            finally:
                caller.kill()
                caller.wait()
            return
    raise SystemExit("SIPp does not start")


def first_sound_ms(folder: Path, server: Server) -> float:
    """Milliseconds from the begin of the say step to the first packet with sound."""
    with calling(folder, server) as ear:
        while True:
            data, (told, *_), _, _ = ear.recvmsg(2048, 128)
            if data[12:] != SILENT:
                seconds, nanoseconds = TIMESPEC.unpack(told[2])
                break
    call = server.ask("GET", "/calls")["data"][0]["id"]
    server.ask("DELETE", f"/calls/{call}")
    entries = server.ask("GET", f"/api/calls/{call}/journal")["data"]
    began = next(entry["at"] for entry in entries if entry["kind"] == "step_started" and entry["action"] == "say")
    heard = seconds + nanoseconds / 1e9
    return 1000 * (heard - datetime.fromisoformat(began.replace("Z", "+00:00")).timestamp())


def spoken(number: int) -> str:
    return " ".join(WORDS[int(digit)] for digit in str(number))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=30, help="calls of each kind")
    chosen = parser.parse_args()
    print(machine_line())
    print(f"method: SIPp on the same cores, one call at a time, {chosen.calls} of each kind, flows fetched over HTTP")
    with tempfile.TemporaryDirectory() as place, Server({"egress.allow": "127.0.0.0/8"}) as server:
        folder, program = Path(place), Program()
        (folder / "media_caller.xml").write_text((SCENARIOS / "media_caller.xml").read_text().replace("@LAW@", "0"))
        url = f"http://127.0.0.1:{program.server_port}/flow"
        server.answers(NUMBER, {"action": "fetchCallFlow", "options": {"url": url}})
        for kind, voice in (("cached", "male"), ("eSpeak, not cached", "male"), ("Pico, not cached", "female")):
            found = []
            for call in range(chosen.calls + 1):
                text = (
                    "Your parcel is on its way." if kind == "cached" else f"Your parcel has the number {spoken(1000 + call)}."
                )
                program.step = {"action": "say", "options": {"payload": text, "language": "en-GB", "voice": voice}}
                found.append(first_sound_ms(folder, server))
            found = found[1:]  # the first one starts voices and fills the cache
            median, p99 = statistics.median(found), percentile(found, 0.99)
            print(f"{kind}: median {median:.0f} ms, p99 {p99:.0f} ms, worst {max(found):.0f} ms", flush=True)


if __name__ == "__main__":
    main()
