"""A server that answers as the wire contract shows answers (§1.4, §2), and keeps each request as it came."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Self

# Sounds of telephones hold these four bytes hardly ever; this one does.
SOUND = b"RIFF\x24\x00\x00\x00WAVEfmt before\r\n\r\nafter"
BEFORE_THE_BLANK_LINE = SOUND.partition(b"\r\n\r\n")[0]
TEXT = "Straße: één, twee."
KEY = "test_of_the_contract"
WEBHOOK_URL = "https://hooks.example.test/voice"

IDS = {
    "call": "c1a5e0b4-9d52-4e0e-8b7c-2f6d3a9e4101",
    "leg": "7d0b6f92-4b3a-4c55-9f0e-51c2a8d7e202",
    "flow": "2e9f4c61-0a7d-4f38-b6c9-8d1e5b7a3303",
    "recording": "9a3e7f15-6c24-4d8b-a1f0-3c5e7d9b4404",
    "transcription": "4f8d2b6a-1e3c-4a5d-9b7f-6e8c0a2d5505",
    "webhook": "6c2a9e7d-3f1b-4d5e-8a9c-0b2d4f6e6606",
    "unknown": "00000000-0000-4000-8000-000000000000",
}
_DATES = {"createdAt": "2024-05-02T10:00:00Z", "updatedAt": "2024-05-02T10:00:15Z"}
_STEPS = [
    {"id": "ask", "action": "say", "options": {"payload": "Hello.", "language": "en-GB", "voice": "female"}},
    {"id": "bye", "action": "hangup"},
]
_PARTIES = {"source": "31205550100", "destination": "31205550123"}
_LEG = {"status": "hangup", "direction": "outgoing", "cost": 0.001302, "currency": "EUR", "duration": 6, "sipResponseCode": 200}
_OF_LEG = {"answeredAt": "2024-05-02T10:00:09Z", "endedAt": "2024-05-02T10:00:15Z"}
_RECORDING = {"format": "wav", "type": "ivr", "status": "done", "state": "done", "duration": 12, "deletedAt": None}

# Of each collection: the link of a thing in it, what it holds, and whether it has a file.
_THINGS: dict[str, tuple[str, dict[str, Any], str]] = {
    "calls": ("/calls/{call}", {"id": "{call}", "status": "ongoing", **_PARTIES, "endedAt": None}, ""),
    "legs": ("/calls/{call}/legs/{leg}", {"id": "{leg}", "callId": "{call}", **_PARTIES, **_LEG, **_OF_LEG}, ""),
    "recordings": ("/recordings/{recording}", {"id": "{recording}", "legId": "{leg}", **_RECORDING}, ".wav"),
    "transcriptions": (
        "/transcriptions/{transcription}",
        {"id": "{transcription}", "recordingId": "{recording}", "legId": "{leg}", "status": "done", "error": None},
        ".txt",
    ),
    "call-flows": ("/call-flows/{flow}", {"id": "{flow}", "record": False, "default": False, "steps": _STEPS}, ""),
    "webhooks": ("/webhooks/{webhook}", {"id": "{webhook}", "url": WEBHOOK_URL, "token": "first"}, ""),
}
_COUNTS = ("totalCount", "pageCount", "currentPage", "perPage")


LET_GO_S = 2.0
PATIENCE_S = 15.0


class Said(NamedTuple):
    """An answer; `content` is an object for JSON, or bytes."""

    status: int
    content: Any


Change = Callable[[Said], Said]


def with_first(**values: Any) -> Change:
    """An answer whose first thing has other values; one that has nothing stays as it is."""

    def changed(said: Said) -> Said:
        if not said.content["data"]:
            return said
        first, *others = said.content["data"]
        return said._replace(content=said.content | {"data": [first | values, *others]})

    return changed


def with_envelope(**values: Any) -> Change:
    """An answer that has other values beside its things, or in place of them."""
    return lambda said: said._replace(content=said.content | values)


def with_status(status: int) -> Change:
    return lambda said: said._replace(status=status)


def named(text: str) -> str:
    """The text with names such as ``{call}`` in place of the ids of the contract's examples."""
    for name, id_ in IDS.items():
        text = text.replace(id_, f"{{{name}}}")
    return text


class ContractServer:
    """`changes` makes other answers of those to some requests, such as ``GET /calls/{call}``."""

    def __init__(self, tls: ssl.SSLContext | None = None, changes: Mapping[str, Change] | None = None) -> None:
        self.requests: list[bytes] = []
        self._tls = tls
        self._changes = changes or {}
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # it is closed already where an answer failed
            self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE_S)

    def _serve(self) -> None:
        with self._listening:  # when an answer fails nobody waits for the next
            while True:
                try:
                    link, _ = self._listening.accept()
                except OSError:
                    return
                link.settimeout(PATIENCE_S)
                with self._tls.wrap_socket(link, server_side=True) if self._tls else link as talk:
                    request = _read(talk)
                    if request:
                        self.requests.append(request)
                        talk.sendall(self._answer(request))
                        _let_go(talk)

    def _answer(self, request: bytes) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        method, target, _ = named(head.decode()).split("\r\n")[0].split(" ")
        path, _, query = target.partition("?")
        path = path.removeprefix("/v1").rstrip("/")
        said = _said(method, path, query, body) if f"AccessKey {KEY}".encode() in head else _refused(401, 15, "no such key")
        status, content = self._changes.get(f"{method} {path}", lambda said: said)(said)
        sent = content if isinstance(content, bytes) else _with_ids(json.dumps(content)).encode()
        kind = "application/json" if not isinstance(content, bytes) else "application/octet-stream"
        length = f"Content-Type: {kind}\r\nContent-Length: {len(sent)}\r\n" if status != 204 else ""
        return f"HTTP/1.1 {status} Said\r\n{length}Connection: close\r\n\r\n".encode() + (sent if status != 204 else b"")


def _said(method: str, path: str, query: str, body: bytes) -> Said:
    if "{unknown}" in path:
        return _refused(404, 13, "there is no such thing")
    if b"No steps" in body:
        return _refused(422, 11, "there are no steps")
    if path.endswith(".wav"):
        return Said(200, SOUND)
    if path.endswith(".txt"):
        return Said(200, TEXT.encode())
    if method == "DELETE":
        return Said(204, b"")
    *_, before, last = path.split("/")
    collection = "recordings" if "recordings=" in query else last if last in _THINGS else before
    if collection != last or method == "POST":
        return Said(201 if method == "POST" else 200, _one(collection))
    return Said(200, _page(collection, path, int((re.findall(r"\bpage=(\d+)", query) or [1])[0])))


def _one(collection: str) -> dict[str, Any]:
    item = _item(collection)
    links = item["_links"]
    if collection not in ("recordings", "transcriptions"):
        del item["_links"]
    return {"data": [item], "_links": links, "pagination": dict.fromkeys(_COUNTS, 0)}


def _page(collection: str, path: str, page: int) -> dict[str, Any]:
    counts = dict(zip(_COUNTS, (1, 1, page, 10), strict=True))
    data = [_item(collection)] if page <= 1 else []
    return {"data": data, "_links": {"self": f"{path}?page={page}"}, "pagination": counts}


def _item(collection: str) -> dict[str, Any]:
    link, thing, file = _THINGS[collection]
    links = {"self": link} | ({"file": link + file} if file else {})
    copied: dict[str, Any] = json.loads(json.dumps({**thing, **_DATES, "_links": links}))
    return copied


def _refused(status: int, code: int, text: str) -> Said:
    return Said(status, {"data": None, "errors": [{"code": code, "message": text, "description": text}]})


def _with_ids(text: str) -> str:
    for name, id_ in IDS.items():
        text = text.replace(f"{{{name}}}", id_)
    return text


def _let_go(link: socket.socket) -> None:
    """Close once the other side has: some runtimes take an end that comes with the answer for a broken line (RFC 9112 §9.6)."""
    link.settimeout(LET_GO_S)
    with suppress(OSError):
        link.shutdown(socket.SHUT_WR)
        while link.recv(65_536):
            pass


def _read(link: socket.socket) -> bytes:
    """One request, or nothing where whoever came sent none."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = link.recv(65_536)
        if not part:
            return b""
        received += part
    head, _, _ = received.partition(b"\r\n\r\n")
    found = re.search(rb"^content-length: *(\d+)", head, re.MULTILINE | re.IGNORECASE)
    whole = len(head) + 4 + int(found[1] if found else 0)
    while len(received) < whole:
        received += link.recv(65_536)
    assert len(received) == whole, "more was sent than its length says"
    return received
