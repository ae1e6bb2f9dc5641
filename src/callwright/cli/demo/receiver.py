"""The customer's web service: it keeps every callback as it came, and has a sound file to play."""

from __future__ import annotations

import io
import json
import math
import threading
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from callwright.clock import SECOND_US, Clock

RATE = 8000
MOST_BODY = 1 << 20


@dataclass(frozen=True)
class Received:
    """A POST as it came: `url` is what a receiver sees as its own address, `at_s` the wall time."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    at_s: float

    @property
    def content(self) -> Any:
        return json.loads(self.body)

    @property
    def item(self) -> Mapping[str, Any]:
        """The one item of a callback (contract §4.1)."""
        found: Mapping[str, Any] = self.content["items"][0]
        return found


class Receiver:
    """An HTTP server on loopback, in threads of its own, answering 200 to whatever is posted."""

    def __init__(self, clock: Clock, sounds: Mapping[str, bytes]) -> None:
        self._clock = clock
        self._sounds = sounds
        self._received: list[Received] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._answerer())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="demo-receiver", daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def of_call(self, call_id: str) -> list[Received]:
        """The callbacks about a call, in the order they came."""
        with self._lock:
            received = list(self._received)
        return [one for one in received if _call_id(one) == call_id]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _keep(self, received: Received) -> None:
        with self._lock:
            self._received.append(received)

    def _answerer(self) -> type[BaseHTTPRequestHandler]:
        clock, sounds, keep = self._clock, self._sounds, self._keep

        class Answerer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MOST_BODY))
                url = f"http://{self.headers.get('Host', '')}{self.path}"
                keep(Received(url, dict(self.headers.items()), body, clock.now_us() / SECOND_US))
                self._answer(200, "application/json", b"{}")

            def do_GET(self) -> None:
                sound = sounds.get(self.path)
                self._answer(404 if sound is None else 200, "audio/wav", sound or b"")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Answerer


def tone_file(hz: float, seconds: float) -> bytes:
    """A WAV file of one steady tone: 8 kHz, 16 bits, mono."""
    return _wav(lambda n: 0.3 * math.sin(2 * math.pi * hz * n / RATE), round(seconds * RATE))


def _wav(wave_at: Callable[[int], float], samples: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE)
        written.writeframes(b"".join(round(32767 * wave_at(n)).to_bytes(2, "little", signed=True) for n in range(samples)))
    return file.getvalue()


def _call_id(received: Received) -> str | None:
    try:
        found = received.item["payload"]["id"]
    except (ValueError, LookupError, TypeError):
        return None
    return str(found)
