"""GET along redirects, every hop vetted, the body given away piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from callwright.clock import Clock
from callwright.egress import faults
from callwright.egress.door import REDIRECTS, Answer, Consumer, Fault, Header
from callwright.egress.faults import Failed
from callwright.egress.spans import Spans
from callwright.egress.urls import MAX_REQUESTED, BadUrl, Url, onward, parse

if TYPE_CHECKING:
    from callwright.egress.client import Client, Response

# What a request to another origin than the one it was made for keeps of its headers.
_ANYWHERE = frozenset({"accept", "user-agent", "if-none-match", "if-modified-since"})
_CONDITIONS = frozenset({"if-none-match", "if-modified-since"})


class ConsumerFailed(Exception):
    """What a consumer raised; kept apart from the errors of the connection that feeds it."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Get:
    """One GET, from its URL to the end of the last answer's body."""

    def __init__(
        self,
        clock: Clock,
        url: str,
        headers: Sequence[Header],
        sink: Consumer,
        spans: Spans,
        *,
        timeout: float,
        max_bytes: int,
        redirects: int,
        stall: float | None = None,
    ) -> None:
        """`timeout` is for everything, or, where `stall` is given, until the first piece of the body."""
        self._clock = clock
        self._url = url
        self._headers = headers
        self._sink = sink
        self._spans = spans
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._redirects = redirects
        self._stall = stall
        self._conditional = any(name.lower() in _CONDITIONS for name, _ in headers)
        self._answer = Answer(url)
        self._host = ""
        self._fed = False

    async def run(self, client: Client) -> Answer:
        """What became of it: 2xx and the body given away whole, or a fault."""
        try:
            target = parse(self._url, MAX_REQUESTED)
        except BadUrl as error:
            return replace(self._answer, fault=Fault.BAD_URL, detail=str(error))
        try:
            async with self._clock.timeout(self._timeout) as limit:
                fault, detail = await self._follow(client, target, limit)
        except TimeoutError:
            fault, detail = self._waited()
        except Failed as failed:
            fault, detail = failed.fault, failed.detail
        return replace(self._answer, whole=fault is None, fault=fault, detail=detail, timings=self._spans.timings())

    async def _follow(self, client: Client, target: Url, limit: Any) -> tuple[Fault | None, str]:
        headers = self._headers
        for _ in range(self._redirects + 1):
            self._host = target.host
            async with client.request("GET", target, headers, self._spans) as response:
                self._answer = Answer(target.text, status=response.status, headers=response.headers)
                location = self._answer.header("Location") if response.status in REDIRECTS else None
                if location is None:
                    return await self._body(target, response, limit)
            before = target
            try:
                target = onward(target, location)
            except BadUrl as error:
                return Fault.REDIRECT, f"{target.host} redirects to a URL that cannot be used: {error}"
            if target.origin != before.origin:
                headers = [header for header in headers if header[0].lower() in _ANYWHERE]
        return Fault.REDIRECT, f"{before.host} redirects once more after {self._redirects}; give the final URL"

    async def _body(self, target: Url, response: Response, limit: Any) -> tuple[Fault | None, str]:
        if self._conditional and response.status == 304:
            return None, ""
        fault, detail = faults.of_status(response.status, target)
        if fault is not None:
            return fault, detail
        if (coding := (self._answer.header("Content-Encoding") or "identity").lower()) != "identity":
            return Fault.ENCODING, f"{target.host} sends its body as {coding!r} although plain was asked for; switch that off"
        size = response.length or 0
        if size <= self._max_bytes:
            size = 0
            while piece := await response.piece():
                size += len(piece)
                if size > self._max_bytes:
                    break
                await self._give(piece, limit)
        if size > self._max_bytes:
            return Fault.TOO_LARGE, f"{target.host} sends more than {self._max_bytes} bytes"
        return None, ""

    async def _give(self, piece: bytes, limit: Any) -> None:
        """Where there is a `stall`, stop the time while the consumer works; then the peer has so long for the next piece."""
        self._fed = True
        if self._stall is not None:
            limit.reschedule(None)
        try:
            await self._sink(self._answer, piece)
        except Exception as error:
            raise ConsumerFailed(error) from None
        if self._stall is not None:
            limit.reschedule(asyncio.get_running_loop().time() + self._stall)

    def _waited(self) -> tuple[Fault, str]:
        host = self._host
        if self._stall is None or not self._spans.head_ns:
            late = faults.of_time(self._spans, host, self._timeout)
            return late.fault, late.detail
        return Fault.TIMEOUT, f"{host} sent nothing for {self._stall if self._fed else self._timeout:g} s"
