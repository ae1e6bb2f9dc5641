"""The web services that flows ask, by a script; what the script does not name is asked for real, or refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Meta

from callwright.clock import Clock, VirtualLoop
from callwright.egress import Answer, Consumer, Download, Fault, Header, Transport
from callwright.egress.door import MAX_KEPT
from callwright.rehearsal.parties import Seconds

_FAULTS = {
    "timeout": Fault.TIMEOUT,
    "connect": Fault.CONNECT,
    "dns": Fault.DNS,
    "tls": Fault.TLS,
    "reset": Fault.RESET,
}


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One answer: a `flow`, or a `body` as it is (XML, nonsense); or it `fails`. It takes `after` seconds."""

    status: Annotated[int, Meta(ge=200, le=599)] = 200
    flow: dict[str, Any] | None = None
    body: str | None = None
    content_type: str = ""
    after: Seconds = 0.0
    fails: Literal["", "timeout", "connect", "dns", "tls", "reset"] = ""

    @property
    def document(self) -> bytes:
        if self.flow is not None:
            return msgspec.json.encode(self.flow)
        return (self.body or "").encode()


class Asked(NamedTuple):
    """A request: `url` without its query; `body` is empty for a GET."""

    at_us: int
    method: str
    url: str
    query: dict[str, str]
    body: bytes
    status: int
    fault: str


class ScriptedWeb:
    """Answers requests: those of a URL (without query) in turn, the last one again and again. Implements `Transport`.

    `beyond` is asked what has no script; without it such a request finds nobody there.
    """

    def __init__(self, clock: Clock, beyond: Transport | None = None) -> None:
        self._clock = clock
        self._beyond = beyond
        self._replies: dict[str, list[Reply]] = {}
        self.asked: list[Asked] = []

    def script(self, url: str, replies: Sequence[Reply]) -> None:
        self._replies[url] = list(replies)

    def refusal(self, url: str) -> str | None:
        return None

    async def post(
        self,
        url: str,
        headers: Sequence[Header],
        body: bytes,
        timeout: float,
        *,
        repeatable: bool = False,
        max_kept: int = MAX_KEPT,
    ) -> Answer:
        answer = await self._scripted(url, timeout)
        if answer is None:
            with self._outside():
                assert self._beyond is not None
                answer = await self._beyond.post(url, headers, body, timeout, repeatable=repeatable, max_kept=max_kept)
        return self._noted("POST", url, body, answer)

    async def fetch(
        self, url: str, headers: Sequence[Header] = (), *, timeout: float, max_bytes: int, redirects: int = 3
    ) -> Answer:
        answer = await self._scripted(url, timeout)
        if answer is None:
            with self._outside():
                assert self._beyond is not None
                answer = await self._beyond.fetch(url, headers, timeout=timeout, max_bytes=max_bytes, redirects=redirects)
        return self._noted("GET", url, b"", answer)

    async def download(
        self,
        url: str,
        to: Path,
        *,
        timeout: float,
        max_bytes: int,
        etag: str | None = None,
        headers: Sequence[Header] = (),
        redirects: int = 3,
    ) -> Download:
        raise NotImplementedError("a rehearsal downloads nothing")

    async def stream(
        self,
        url: str,
        consumer: Consumer,
        headers: Sequence[Header] = (),
        *,
        timeout: float,
        stall: float,
        max_bytes: int,
        redirects: int = 3,
    ) -> Answer:
        raise NotImplementedError("a rehearsal downloads nothing")

    async def close(self) -> None:
        if self._beyond is not None:
            await self._beyond.close()

    async def _scripted(self, url: str, timeout: float) -> Answer | None:
        """None for what is to be asked for real."""
        replies = self._replies.get(url.partition("?")[0])
        host = urlsplit(url).hostname or url
        if replies is None:
            if self._beyond is not None:
                return None
            return Answer(url, fault=Fault.CONNECT, detail=f"{host} is not in the script: say what it answers")
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply.fails == "timeout" or reply.after >= timeout:
            await self._clock.sleep(timeout)
            return Answer(url, fault=Fault.TIMEOUT, detail=f"{host} did not answer within {timeout:g} s")
        await self._clock.sleep(reply.after)
        if reply.fails:
            return Answer(url, fault=_FAULTS[reply.fails], detail=f"{host} fails by script ({reply.fails})")
        headers = (("Content-Type", reply.content_type),) if reply.content_type else ()
        good = 200 <= reply.status < 300
        return Answer(
            url,
            status=reply.status,
            headers=headers,
            body=reply.document,
            whole=True,
            fault=None if good else Fault.HTTP_ERROR,
            detail="" if good else f"{host} answered {reply.status}",
        )

    def _outside(self) -> Any:
        loop = asyncio.get_running_loop()
        return loop.outside() if isinstance(loop, VirtualLoop) else nullcontext()

    def _noted(self, method: str, url: str, body: bytes, answer: Answer) -> Answer:
        bare, _, query = url.partition("?")
        fault = "" if answer.fault is None else answer.detail
        self.asked.append(Asked(self._clock.now_us(), method, bare, dict(parse_qsl(query)), body, answer.status, fault))
        return answer
