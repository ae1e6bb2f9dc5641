"""HTTP out over aiohttp: posts that follow nothing, fetches whose every hop is vetted, downloads into files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO

import aiohttp
import yarl
from msgspec.structs import replace

from callwright.clock import Clock
from callwright.egress import faults
from callwright.egress.addresses import Veto, refusal_of_url
from callwright.egress.connect import Gate, Resolver, Spans, SystemResolver, connector, tls_context, tracing
from callwright.egress.door import MAX_KEPT, REDIRECTS, Answer, Consumer, Download, EgressSettings, Fault, Header
from callwright.egress.urls import MAX_REQUESTED, BadUrl, Url, onward, parse

USER_AGENT = "Callwright"
# What a request to another origin than the one it was made for keeps of its headers.
_ANYWHERE = frozenset({"accept", "user-agent", "if-none-match", "if-modified-since"})
_CONDITIONS = frozenset({"if-none-match", "if-modified-since"})
_CLIENT_ERRORS = (aiohttp.ClientError, OSError)


class _Oversize(Exception):
    """More came than was allowed."""


class _DiskFailed(Exception):
    """The file could not be written; kept apart from the errors of the connection that feeds it."""


class _ConsumerFailed(Exception):
    """What a consumer raised; kept apart from the errors of the connection that feeds it."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class _Got:
    """What has come of an answer so far."""

    def __init__(self, answer: Answer, room: int) -> None:
        self.answer = answer
        self.room = room
        self.kept = bytearray()
        self.whole = False


class HttpDoor:
    """The real `Transport`. Make it anywhere, use and close it on one event loop."""

    def __init__(
        self, settings: EgressSettings, clock: Clock, *, allow: Iterable[str] = (), resolver: Resolver | None = None
    ) -> None:
        """`allow` adds networks to those of the settings (loopback, for a server that only loopback can reach)."""
        self._settings = settings
        self._clock = clock
        self._veto = Veto((*settings.allow, *allow))
        self._gate = Gate(self._veto)
        self._tls = tls_context(settings)
        self._resolver = resolver or SystemResolver()
        self._pooled: aiohttp.ClientSession | None = None
        self._single: aiohttp.ClientSession | None = None
        self._under_way = 0
        self._closed = False

    def refusal(self, url: str) -> str | None:
        return refusal_of_url(url, self._veto)

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
        try:
            target = parse(url, MAX_REQUESTED)
        except BadUrl as error:
            return Answer(url, fault=Fault.BAD_URL, detail=str(error))
        spans = Spans(self._clock)
        got = _Got(Answer(target.text), max_kept)
        fault, detail = Fault.PROTOCOL, ""
        try:
            async with self._clock.timeout(timeout):
                try:
                    await self._send(target, headers, body, spans, got)
                except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                    if got.answer.status or spans.connected or not repeatable:
                        raise
                    await self._send(target, headers, body, spans, got, fresh=True)
        except _CLIENT_ERRORS as error:
            fault, detail = self._judge(error, target, timeout)
        judged = faults.of_status(got.answer.status, target) if got.answer.status else (fault, detail)
        return replace(
            got.answer, body=bytes(got.kept), whole=got.whole, fault=judged[0], detail=judged[1], timings=spans.timings()
        )

    async def fetch(
        self, url: str, headers: Sequence[Header] = (), *, timeout: float, max_bytes: int, redirects: int = 3
    ) -> Answer:
        kept = bytearray()

        async def keep(_: Answer, piece: bytes) -> None:
            kept.extend(piece)

        answer = await self._get(url, headers, keep, timeout=timeout, max_bytes=max_bytes, redirects=redirects)
        return replace(answer, body=bytes(kept))

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
        part = to.with_name(f".{to.name}.{token_hex(4)}.part")
        conditions = [("If-None-Match", etag)] if etag else []
        try:
            with await asyncio.to_thread(part.open, "xb") as file:
                answer = await self._get(
                    url,
                    [*headers, *conditions],
                    _into(file),
                    timeout=timeout,
                    max_bytes=max_bytes,
                    redirects=redirects,
                )
                size = file.tell()
            if answer.fault is None and answer.status != 304:
                await asyncio.to_thread(os.replace, part, to)
                return Download(answer, size)
            return Download(answer)
        except (OSError, _DiskFailed) as error:
            seen = error.strerror if isinstance(error, OSError) else str(error)
            return Download(
                Answer(url, fault=Fault.DISK, detail=f"{to} cannot be written ({seen}); free space or check rights")
            )
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

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
        try:
            return await self._get(
                url, headers, consumer, timeout=timeout, max_bytes=max_bytes, redirects=redirects, stall=stall
            )
        except _ConsumerFailed as failed:
            raise failed.error from None

    async def close(self) -> None:
        self._closed = True
        for session in (self._pooled, self._single):
            if session is not None:
                await session.close()
        self._resolver.close()

    async def _send(
        self, target: Url, headers: Sequence[Header], body: bytes, spans: Spans, got: _Got, *, fresh: bool = False
    ) -> None:
        async with self._request("POST", target, headers, spans, body, fresh=fresh) as response:
            got.answer = _head(target, response)
            got.whole = await _keep(response, got.kept, got.room)

    async def _get(
        self,
        url: str,
        headers: Sequence[Header],
        sink: Consumer,
        *,
        timeout: float,
        max_bytes: int,
        redirects: int,
        stall: float | None = None,
    ) -> Answer:
        """GET along redirects; the body of the last answer goes to `sink` when its status is 2xx.

        `timeout` is for everything, or, where `stall` is given, until the first piece of the body.
        """
        conditional = any(name.lower() in _CONDITIONS for name, _ in headers)
        answer = Answer(url)
        spans = Spans(self._clock)
        target: Url | None = None
        fault: Fault | None
        patient: _Patient | None = None
        try:
            target = parse(url, MAX_REQUESTED)
            async with self._clock.timeout(timeout) as limit:
                if stall is not None:
                    sink = patient = _Patient(sink, limit, stall)
                for hop in range(redirects + 1):
                    async with self._request("GET", target, headers, spans) as response:
                        answer = _head(target, response)
                        if (location := _location(answer)) is None:
                            fault, detail = await _body(target, answer, response, sink, max_bytes, conditional)
                            break
                    if hop == redirects:
                        fault, detail = (
                            Fault.REDIRECT,
                            f"{target.host} redirects once more after {redirects}; give the final URL",
                        )
                        break
                    before, target = target, onward(target, location)
                    if target.origin != before.origin:
                        headers = [header for header in headers if header[0].lower() in _ANYWHERE]
        except BadUrl as error:
            if target is None:
                fault, detail = Fault.BAD_URL, str(error)
            else:
                fault, detail = Fault.REDIRECT, f"{target.host} redirects to a URL that cannot be used: {error}"
        except _Oversize:
            assert target is not None
            fault, detail = Fault.TOO_LARGE, f"{target.host} sends more than {max_bytes} bytes"
        except _CLIENT_ERRORS as error:
            assert target is not None
            fault, detail = self._judge(error, target, timeout)
            if stall is not None and fault is Fault.TIMEOUT:
                waited = stall if patient is not None and patient.fed else timeout
                detail = f"{target.host} sent nothing for {waited:g} s"
        return replace(answer, whole=fault is None, fault=fault, detail=detail, timings=spans.timings())

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        target: Url,
        headers: Sequence[Header],
        spans: Spans,
        body: bytes | None = None,
        *,
        fresh: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        session = self._session(fresh)
        self._under_way += 1
        try:
            response = await session.request(
                method,
                # Taken as it stands: signatures are made over these very characters.
                yarl.URL(target.text, encoded=True),
                headers=[("User-Agent", USER_AGENT), ("Accept-Encoding", "identity"), *headers],
                data=body,
                allow_redirects=False,
                trace_request_ctx=spans,
            )
            spans.mark("head")
            try:
                yield response
            finally:
                # A body read to its end has given its connection back already; any other is not worth waiting for.
                response.close()
        finally:
            self._under_way -= 1

    def _session(self, fresh: bool) -> aiohttp.ClientSession:
        if self._closed:
            raise aiohttp.ClientConnectionError("the server is stopping")
        if self._pooled is None or self._single is None:
            self._pooled = self._new_session(keep=True)
            self._single = self._new_session(keep=False)
        # A connection may be kept while those that are open, and those that are being made, are within the bound.
        bound = self._settings.idle_connections
        keep = self._gate.open <= bound and self._under_way < bound
        return self._pooled if keep and not fresh else self._single

    def _new_session(self, *, keep: bool) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector(self._settings, self._gate, self._resolver, self._tls, keep=keep),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
            trace_configs=[tracing()],
            auto_decompress=False,
            skip_auto_headers=("Content-Type",),
        )

    def _judge(self, error: BaseException, target: Url, timeout: float) -> tuple[Fault, str]:
        if self._closed:
            return Fault.CLOSED, "the server is stopping"
        return faults.of_error(error, target, timeout)


def _into(file: BinaryIO) -> Consumer:
    async def write(_: Answer, chunk: bytes) -> None:
        try:
            file.write(chunk)
        except OSError as error:
            raise _DiskFailed(error.strerror) from error

    return write


class _Patient:
    """Stop the time while the consumer works, and then give the peer `stall` seconds for the next piece.

    `fed` says that a piece has come.
    """

    def __init__(self, consumer: Consumer, limit: Any, stall: float) -> None:
        self._consumer = consumer
        self._limit = limit
        self._stall = stall
        self.fed = False

    async def __call__(self, answer: Answer, piece: bytes) -> None:
        self.fed = True
        self._limit.reschedule(None)
        try:
            await self._consumer(answer, piece)
        except Exception as error:
            raise _ConsumerFailed(error) from None
        self._limit.reschedule(asyncio.get_running_loop().time() + self._stall)


def _head(target: Url, response: aiohttp.ClientResponse) -> Answer:
    headers = tuple((str(name), value) for name, value in response.headers.items())
    return Answer(target.text, status=response.status, headers=headers)


def _location(answer: Answer) -> str | None:
    return answer.header("Location") if answer.status in REDIRECTS else None


async def _keep(response: aiohttp.ClientResponse, kept: bytearray, most: int) -> bool:
    """Read the first bytes; return whether that was all."""
    while chunk := await response.content.readany():
        room = most - len(kept)
        kept += chunk[:room]
        if len(chunk) > room:
            return False
    return True


async def _body(
    target: Url, answer: Answer, response: aiohttp.ClientResponse, sink: Consumer, max_bytes: int, conditional: bool
) -> tuple[Fault | None, str]:
    if conditional and response.status == 304:
        return None, ""
    fault, detail = faults.of_status(response.status, target)
    if fault is not None:
        return fault, detail
    if (coding := response.headers.get("Content-Encoding", "identity").lower()) != "identity":
        return Fault.ENCODING, f"{target.host} sends its body as {coding!r} although plain was asked for; switch that off"
    if (response.content_length or 0) > max_bytes:
        raise _Oversize
    size = 0
    while chunk := await response.content.readany():
        size += len(chunk)
        if size > max_bytes:
            raise _Oversize
        await sink(answer, chunk)
    return None, ""
