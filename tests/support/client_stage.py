"""What the client libraries of others are run against: a server with TLS and without, and real calls on its record."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

from callwright.cli import authority
from support.crowded import CrowdedServer
from support.ports import free_port
from support.server import PATIENCE_S, Server, Webserver, until

HOST = "voice.messagebird.com"
SAID = "Straße: één, twee."
TONE_HZ = 500.0
RECORD = {"action": "record", "options": {"maxLength": 1, "transcribe": True, "transcribeLanguage": "en-US"}}
PAUSE = {"action": "pause", "options": {"length": 60}}


class Telephone:
    """``callwright.phone``, which takes every call and says a tone until it is told to hang up or is hung up on."""

    def __init__(self) -> None:
        line = [sys.executable, "-m", "callwright.phone", "--user=callee"]
        self._process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.address = f"sip:callee@{self.waits('ready')['sip']}"
        self.do("policy", tone=TONE_HZ)

    def do(self, command: str, **fields: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": command, **fields}) + "\n")
        self._process.stdin.flush()
        self.waits("done")

    def waits(self, name: str) -> dict[str, Any]:
        """The next event of a name; those before it are forgotten."""
        while (event := self._events.get(timeout=PATIENCE_S))["event"] != name:
            assert event["event"] != "error", event
        return event

    def close(self) -> None:
        self._process.communicate(timeout=PATIENCE_S)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._events.put(json.loads(line))


class Conversation(NamedTuple):
    """A call that is over, with two legs, and on the first of them a recording that was written down."""

    call: str
    leg: str
    other_leg: str
    recording: str
    transcription: str


class ClientStage(NamedTuple):
    """`authority` is the file that clients trust. `server.http` and `server.https` take the key `server.keys["live"]`.

    `web` takes whatever is posted.
    """

    server: Server
    telephone: Telephone
    web: Webserver
    authority: Path

    def conversation(self) -> Conversation:
        """A real call of two seconds: who is called speaks for one second, and is then put through to another telephone."""
        server, put_through = self.server, {"action": "transfer", "options": {"destination": self.telephone.address}}
        call = server.calls(self.telephone.address, RECORD, put_through)
        server.reaches(call, "ongoing", "ongoing")
        self.telephone.do("hangup")
        server.ended(call)
        legs = server.live.listed(f"/calls/{call}/legs")
        leg, other = sorted((one["id"] for one in legs), key=lambda id_: not self._recordings(call, id_))
        (recording,) = self._recordings(call, leg)
        path = f"/calls/{call}/legs/{leg}/recordings/{recording['id']}/transcriptions"
        (written,) = until(lambda: server.live.listed(path), lambda all_: [one["status"] for one in all_] == ["done"])
        return Conversation(call, leg, other, recording["id"], written["id"])

    def is_up(self, call: str) -> None:
        self.server.reaches(call, "ongoing")

    def _recordings(self, call: str, leg: str) -> list[dict[str, Any]]:
        return self.server.live.listed(f"/calls/{call}/legs/{leg}/recordings")


@contextmanager
def client_stage(folder: Path) -> Iterator[ClientStage]:
    made = authority.make(folder / "certificates", [HOST, "localhost", "127.0.0.1"], time.time_ns() // 1_000)
    scribe, web, telephone = _scribe(), Webserver(), Telephone()
    settings = {
        "http.certificate": str(made.certificate),
        "http.key": str(made.key),
        "http.plain_port": str(free_port()),
        "transcription.url": f"http://127.0.0.1:{scribe.server_address[1]}/v1",
        "api.webhooks_per_world": "100",
    }
    server = Server.start(folder / "one", settings)
    try:
        yield ClientStage(server, telephone, web, made.authority)
        server.stop()
    finally:
        server.kill()
        telephone.close()
        web.close()
        scribe.shutdown()
        scribe.server_close()


def _scribe() -> CrowdedServer:
    """A service that writes down `SAID`, whatever it is sent."""

    class Scribe(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            content = json.dumps({"text": SAID}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    http = CrowdedServer(("127.0.0.1", 0), Scribe)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return http
