"""The customer: speaks the compatible REST interface with an access key, and can say each request as a curl line."""

from __future__ import annotations

import asyncio
import http.client
import json
import shlex
from typing import Any, NamedTuple
from urllib.parse import urlsplit

ANSWER_S = 10.0


class Answer(NamedTuple):
    """`content` is the decoded body, None where it is empty or not JSON."""

    status: int
    content: Any

    @property
    def first(self) -> dict[str, Any]:
        """The object in an answer's data array (contract §1.4), or an empty one."""
        try:
            found = self.content["data"][0]
        except (LookupError, TypeError):
            return {}
        return found if isinstance(found, dict) else {}


class Customer:
    """`base` is the server's URL; curl lines are kept in the order of the requests they repeat."""

    def __init__(self, base: str, key: str) -> None:
        self._base = base.rstrip("/")
        self._key = key
        self.curls: list[str] = []

    async def get(self, path: str) -> Answer:
        return await asyncio.to_thread(self._exchange, "GET", path, None)

    async def post(self, path: str, body: Any) -> Answer:
        self.curls.append(self.curl("POST", path, body))
        return await asyncio.to_thread(self._exchange, "POST", path, json.dumps(body).encode())

    def curl(self, method: str, path: str, body: Any = None) -> str:
        words = ["curl", "-X", method, f"{self._base}{path}", "-H", f"Authorization: AccessKey {self._key}"]
        if body is not None:
            words += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        return shlex.join(words)

    def _exchange(self, method: str, path: str, body: bytes | None) -> Answer:
        parts = urlsplit(self._base)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_S)
        headers = {"Authorization": f"AccessKey {self._key}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            received = answer.read()
        finally:
            connection.close()
        try:
            return Answer(answer.status, json.loads(received) if received else None)
        except ValueError:
            return Answer(answer.status, None)
