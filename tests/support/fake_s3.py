"""A small object store that speaks as much S3 as recordings need: PUT, GET with ranges, HEAD, DELETE; path style.

Signatures are not computed, but have to be there. It can be told to fail.
"""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from support.crowded import CrowdedServer

SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/s3/aws4_request, "
    r"SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, Signature=[0-9a-f]{64}"
)


class FakeS3:
    """One bucket. `failing` maps methods to the status they are answered with; `asked` is what was asked, in order."""

    def __init__(self, bucket: str = "calls", access_key: str = "operator") -> None:
        self.bucket = bucket
        self.access_key = access_key
        self.objects: dict[str, bytes] = {}
        self.failing: dict[str, int] = {}
        self.asked: list[tuple[str, str]] = []
        self.ranges = True
        handler = type("Handler", (_Handler,), {"s3": self})
        self._server = CrowdedServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    s3: FakeS3
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_PUT(self) -> None:
        body = self._body()
        if (name := self._admitted("PUT")) is not None:
            self.s3.objects[name] = body
            self._answer(200, headers={"ETag": '"x"'})

    def do_HEAD(self) -> None:
        if (name := self._admitted("HEAD")) is not None:
            if name in self.s3.objects:
                self._answer(200, headers={"Content-Length": str(len(self.s3.objects[name]))})
            else:
                self._refuse(404, "NotFound")

    def do_GET(self) -> None:
        if (name := self._admitted("GET")) is None:
            return
        if name not in self.s3.objects:
            self._refuse(404, "NoSuchKey")
            return
        whole = self.s3.objects[name]
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked is None or not self.s3.ranges:
            self._answer(200, whole)
            return
        first, last = int(asked[1]), min(int(asked[2]), len(whole) - 1)
        if first >= len(whole):
            self._refuse(416, "InvalidRange")
            return
        self._answer(206, whole[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(whole)}"})

    def do_DELETE(self) -> None:
        if (name := self._admitted("DELETE")) is not None:
            self.s3.objects.pop(name, None)
            self._answer(204)

    def _body(self) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            pass  # http.server has answered it
        assert "chunked" not in self.headers.get("Transfer-Encoding", "")
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _admitted(self, method: str) -> str | None:
        """The object's name, when the request may go on."""
        bucket, _, name = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        self.s3.asked.append((method, name))
        signed = SIGNED.fullmatch(self.headers.get("Authorization", ""))
        if signed is None or signed["key"] != self.s3.access_key or "x-amz-content-sha256" not in self.headers:
            self._refuse(403, "AccessDenied")
        elif status := self.s3.failing.get(method):
            self._refuse(status, "InternalError" if status >= 500 else "AccessDenied")
        elif bucket != self.s3.bucket:
            self._refuse(404, "NoSuchBucket")
        else:
            return name
        return None

    def _refuse(self, status: int, code: str) -> None:
        text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>as the test wants it</Message></Error>'
        self._answer(status, text.encode(), {"Content-Type": "application/xml"})

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
