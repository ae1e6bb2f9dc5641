"""A customer's web application: functions of a request, by path, on a thread of their own; and all that was asked of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from support.crowded import CrowdedServer
from support.server import PATIENCE_S, until


class Asked(NamedTuple):
    """A request as it came. Header names are lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


class Reply(NamedTuple):
    """An answer; `raw` are pieces that go out in the place of all of it, one after the other as they are made."""

    body: bytes = b""
    kind: str = "application/json"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    raw: Iterable[bytes] | None = None


def xml(text: str) -> Reply:
    return Reply(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode(), "application/xml")


Page = Callable[[Asked], Reply | dict[str, Any]]


class WebApplication:
    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._pages: dict[str, Page] = {}
        self._http = CrowdedServer(("127.0.0.1", 0), self._answerer())
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{path}"

    def at(self, path: str, page: Page | Reply | dict[str, Any] | bytes) -> str:
        """Give this page, answer or file at `path`; return the URL."""
        if callable(page):
            self._pages[path] = page
        else:
            fixed = Reply(page, "application/octet-stream") if isinstance(page, bytes) else page
            self._pages[path] = lambda _: fixed
        return self.url(path)

    def to(self, path: str, *, times: int = 1, within: float = PATIENCE_S) -> list[Asked]:
        """What was asked of a path, once it was asked so often."""
        return until(
            lambda: [one for one in tuple(self.asked) if one.path == path],
            lambda found: len(found) >= times,
            within=within,
            what=f"{times} requests for {path}",
        )

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _answerer(self) -> type[BaseHTTPRequestHandler]:
        application = self

        class Answerer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                asked = Asked(self.command, parts.path, query, headers, body)
                application.asked.append(asked)
                page = application._pages.get(parts.path)
                reply = Reply(b"no such page", "text/plain", 404) if page is None else page(asked)
                self._answer(Reply(json.dumps(reply).encode()) if isinstance(reply, dict) else reply)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                pass

            def _answer(self, reply: Reply) -> None:
                if reply.raw is not None:
                    self.close_connection = True
                    with suppress(OSError):  # whoever asked has heard enough
                        for piece in reply.raw:
                            self.wfile.write(piece)
                    return
                self.send_response(reply.status)
                for name, value in (("Content-Type", reply.kind), ("Content-Length", str(len(reply.body))), *reply.headers):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

        return Answerer
