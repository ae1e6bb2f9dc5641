"""What arrives at a customer's web service that takes nothing the first time, and the secrets it may be judged by."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from support.crowded import CrowdedServer

BEFORE, DURING, AFTER = "before", "during", "after"  # a rotation of both secrets
TOKEN = "a token with 32 characters or so"
QUERIES = ("", "?b=2&a=x%20y", "?z=1&a=%C3%A9")


class Heard(NamedTuple):
    """A request as it arrived: `url` is the whole one, header names are in lower case, `attempt` counts from 1."""

    url: str
    headers: dict[str, str]
    body: bytes
    attempt: int

    @property
    def has_token(self) -> bool:
        return "/token" in self.url


class Secrets(NamedTuple):
    """What a receiver may hold: the plain signing key, and `whsec_…` of the token or else of the signing key."""

    key: str
    with_token: str
    without: str


class Heap(NamedTuple):
    """What one call had posted: each callback at its first attempt and at its second; `fetched` asked for its flow."""

    posted: list[Heard]
    fetched: Heard
    old: Secrets
    new: Secrets


class Listener:
    """A customer's web service that takes nothing the first time."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self._attempts: dict[tuple[str, str], int] = {}
        listener = self

        class Answerer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                listener._hear(self)

            def do_GET(self) -> None:
                listener._hear(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = CrowdedServer(("127.0.0.1", 0), Answerer)
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{path}"

    def _hear(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        pairs = [(name.lower(), value) for name, value in request.headers.items()]
        headers = dict(pairs)
        assert len(headers) == len(pairs), pairs  # each header once
        attempt = 1
        if request.command == "POST":
            key = (request.path, headers["webhook-id"])
            attempt = self._attempts[key] = self._attempts.get(key, 0) + 1
        self.heard.append(Heard(f"http://{headers['host']}{request.path}", headers, body, attempt))
        # Not one of the statuses that say the whole host is down: then it would be left alone for a while.
        taken = request.command == "GET" or attempt > 1
        content = json.dumps({"steps": [{"action": "hangup"}]}).encode()
        request.send_response(200 if taken else 500)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
