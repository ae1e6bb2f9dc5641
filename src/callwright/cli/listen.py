"""``callwright listen``: forward callbacks, as they happen, to a program that the server could not reach.

The server tells them as lines of JSON (``GET /api/listen``), signed for the forward URL; they are posted from here, one after
the other. After a break of the line it goes on with the one after the last that was read.
"""

from __future__ import annotations

import http.client
import json as json_
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from callwright.cli import show
from callwright.cli.control import WORLD_HEADER, Refused, connection, refusal
from callwright.cli.following import SILENT_S, Following, Lost
from callwright.cli.place import Place

# Calls whose sequences are remembered.
CALLS = 10_000


class Wanted(NamedTuple):
    """What is listened to, and where it goes. `server` and `key` are None for the server of the data folder."""

    forward: str
    events: str
    token: str | None
    world: str
    server: str | None
    key: str | None
    answer_s: float


class _Outcome(NamedTuple):
    """`status` is 0 where no answer came, and `why` says why."""

    status: int
    why: str
    took_ms: float

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


def run(place: Place, wanted: Wanted, *, count: int | None, json: bool) -> int:
    """Forward until Ctrl-C, or `count` callbacks; 1 when one of those that were counted was not taken, else 0."""
    forwarding = _Forwarding(place, wanted, count=count, json=json)
    try:
        forwarding.go()
    except KeyboardInterrupt:
        show.aside(f"\n{forwarding.forwarded} forwarded, {forwarding.refused} of them not taken.")
        return 0
    return 1 if forwarding.refused else 0


class _Forwarding(Following[dict[str, Any]]):
    def __init__(self, place: Place, wanted: Wanted, *, count: int | None, json: bool) -> None:
        super().__init__()
        self._place = place
        self._wanted = wanted
        self._count = count
        self._json = json
        self._resume: str | None = None
        self._sequences: OrderedDict[str | None, int] = OrderedDict()
        self.forwarded = 0
        self.refused = 0

    @property
    def _begun(self) -> bool:
        return self._resume is not None

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            yield from _read(self._place, self._wanted, self._resume)
        except Refused as refused:
            self._lost_if_stopping(refused)
            raise

    def _take(self, line: dict[str, Any]) -> bool:
        match line["type"]:
            case "ready":
                if self._resume is None:
                    show.aside(f"Listening to the {line['world']} world, forwarding to {self._wanted.forward}. Ctrl-C ends it.")
                self._is_back()
                self._resume = line["resume"]
            case "event":
                self._forward(line)
                self._resume = line["resume"]
                return self.forwarded == self._count
            case "dropped" | "stopping":
                show.aside(line["why"])
        return False

    def _forward(self, line: dict[str, Any]) -> None:
        headers = [*line["headers"], ("webhook-sequence", str(self._next_of(line["callId"])))]
        outcome = _post(self._wanted.forward, headers, line["body"].encode(), self._wanted.answer_s)
        self.forwarded += 1
        self.refused += not outcome.good
        if self._json:
            told = {name: line[name] for name in ("at", "event", "callId", "messageId")}
            told |= {"status": outcome.status or None, "why": outcome.why or None, "tookMs": round(outcome.took_ms, 1)}
            print(json_.dumps(told), flush=True)
            return
        at = datetime.now().astimezone().strftime("%H:%M:%S")
        result = str(outcome.status) if outcome.status else outcome.why
        show.line(f"{at}  {line['event']:<20}  {line['callId'] or '-':<36}  {result}  {outcome.took_ms:.0f} ms", flush=True)

    def _next_of(self, call: str | None) -> int:
        number = self._sequences.pop(call, 0) + 1
        self._sequences[call] = number
        if len(self._sequences) > CALLS:
            self._sequences.popitem(last=False)
        return number


def _read(place: Place, wanted: Wanted, resume: str | None) -> Iterator[dict[str, Any]]:
    """What the server tells, line by line; raises `Lost`, `NoServer` or `Refused`."""
    query = {"url": wanted.forward, "events": wanted.events} | ({} if resume is None else {"after": resume})
    headers = {"Callwright-Token": wanted.token} if wanted.token else {}
    if wanted.server is None:
        headers[WORLD_HEADER] = wanted.world
        line, base = connection(place, SILENT_S), ""
    else:
        headers["Authorization"] = f"AccessKey {wanted.key}"
        line, base = _to(wanted.server, SILENT_S)
        base = base.rstrip("/")
    try:
        line.request("GET", f"{base}/api/listen?{urlencode(query, quote_via=quote)}", headers=headers)
        answer = line.getresponse()
        if answer.status != 200:
            raise refusal(answer.status, answer.read())
        while told := answer.readline():
            yield json_.loads(told)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Lost(_why_lost(error, place, wanted)) from error
    finally:
        line.close()


def _why_lost(error: Exception, place: Place, wanted: Wanted) -> str:
    server = str(place.folder.control_socket) if wanted.server is None else wanted.server
    match error:
        case ConnectionRefusedError():
            return f"Nobody listens at {server}; see that the server runs, and that name and port are right."
        case socket.gaierror():
            return f"{server} has no address ({error.strerror}); check the name."
        case ssl.SSLError():
            return f"No TLS connection to {server} ({error.reason or error}); see that it speaks TLS, with a good certificate."
        case TimeoutError():
            return f"{server} said nothing for {SILENT_S:.0f} s; check the address, and the way there."
        case ValueError() | http.client.HTTPException():
            return f"What answers at {server} does not talk as a Callwright server does ({_seen(error)}); check the address."
        case _:
            return f"The line to {server} broke ({_seen(error)}); see that the server runs and can be reached from here."


def _seen(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__


def _post(url: str, headers: list[tuple[str, str]], body: bytes, answer_s: float) -> _Outcome:
    began_ns = time.monotonic_ns()
    status, why = 0, ""
    try:
        line, path = _to(url, answer_s)
        try:
            line.putrequest("POST", path if path.startswith("/") else f"/{path}", skip_accept_encoding=True)
            for name, value in (*headers, ("Content-Length", str(len(body))), ("User-Agent", "Callwright")):
                line.putheader(name, value)
            line.endheaders(body)
            answer = line.getresponse()
            answer.read(1 << 16)
            status = answer.status
        finally:
            line.close()
    except TimeoutError:
        why = f"no answer within {answer_s:g} s"
    except ConnectionRefusedError:
        why = "nobody listens there"
    except (OSError, http.client.HTTPException) as error:
        why = str(error) or type(error).__name__
    return _Outcome(status, why, (time.monotonic_ns() - began_ns) / 1e6)


def _to(url: str, timeout: float) -> tuple[http.client.HTTPConnection, str]:
    """A connection for a URL, and the path on it."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        line: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=timeout, context=context
        )
    else:
        line = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    return line, f"{parts.path}?{parts.query}" if parts.query else parts.path
