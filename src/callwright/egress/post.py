"""HTTP out: posts that follow nothing, fetches and streams whose every hop is vetted."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from callwright.clock import Clock
from callwright.egress import faults
from callwright.egress.addresses import Veto, refusal_of_url
from callwright.egress.door import MAX_KEPT, Answer, Consumer, EgressSettings, Fault, Header
from callwright.egress.faults import STOPPING, Failed
from callwright.egress.get import ConsumerFailed, Get
from callwright.egress.sockets import Resolver, SystemResolver
from callwright.egress.spans import Spans, most_on_the_wire
from callwright.egress.urls import MAX_REQUESTED, BadUrl, Url, parse

if TYPE_CHECKING:
    from callwright.egress.client import Client


class HttpDoor:
    """The real `Transport` and `Streamer`. Make it anywhere, use and close it on one event loop.

    The HTTP client takes a fifth of a second to load, and a server should answer before that: so it is loaded on a
    thread, at `open` or with the first request.
    """

    def __init__(
        self, settings: EgressSettings, clock: Clock, *, allow: Iterable[str] = (), resolver: Resolver | None = None
    ) -> None:
        """`allow` adds networks to those of the settings (loopback, for a server that only loopback can reach)."""
        self._settings = settings
        self._clock = clock
        self._veto = Veto((*settings.allow, *allow))
        self._resolver = resolver or SystemResolver()
        self._opening: asyncio.Task[Client] | None = None
        self._client: Client | None = None
        self._closed = False

    async def open(self) -> Client:
        """Load the client. Raises `SettingsError` when the file of authorities cannot be used."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._load())
        return await asyncio.shield(self._opening)

    async def _load(self) -> Client:
        module = await asyncio.to_thread(importlib.import_module, "callwright.egress.client")
        self._client = module.Client(self._settings, self._veto, self._resolver)
        return self._client

    def refusal(self, url: str) -> str | None:
        """Why this URL can never be requested (malformed, or a literal address that is refused); None if it may be."""
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
        if self._closed:
            return Answer(url, fault=Fault.CLOSED, detail=STOPPING)
        try:
            target = parse(url, MAX_REQUESTED)
        except BadUrl as error:
            return Answer(url, fault=Fault.BAD_URL, detail=str(error))
        sending = _Post(target, headers, body, max_kept, Spans(self._clock, most_on_the_wire(max_kept)))
        client = self._client or await self.open()
        try:
            async with self._clock.timeout(timeout):
                await sending.run(client, repeatable)
        except TimeoutError:
            late = faults.of_time(sending.spans, target.host, timeout)
            works = late.fault is Fault.TIMEOUT and not sending.spans.in_handshake
            remedy = "; answer first, work afterwards" if works else ""
            sending.failed = Failed(late.fault, late.detail + remedy)
        except Failed as failed:
            sending.failed = failed
        return sending.answer()

    async def fetch(
        self, url: str, headers: Sequence[Header] = (), *, timeout: float, max_bytes: int, redirects: int = 3
    ) -> Answer:
        kept = bytearray()

        async def keep(_: Answer, piece: bytes) -> None:
            kept.extend(piece)

        answer = await self._get(url, headers, keep, timeout=timeout, max_bytes=max_bytes, redirects=redirects)
        return replace(answer, body=bytes(kept))

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
        return await self._get(url, headers, consumer, timeout=timeout, max_bytes=max_bytes, redirects=redirects, stall=stall)

    async def close(self) -> None:
        self._closed = True
        if self._opening is not None:
            await asyncio.wait((self._opening,))
        if self._client is not None:
            await self._client.close()
        self._resolver.close()

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
        if self._closed:
            return Answer(url, fault=Fault.CLOSED, detail=STOPPING)
        spans = Spans(self._clock, most_on_the_wire(max_bytes))
        asked = Get(
            self._clock, url, headers, sink, spans, timeout=timeout, max_bytes=max_bytes, redirects=redirects, stall=stall
        )
        client = self._client or await self.open()
        try:
            return await asked.run(client)
        except ConsumerFailed as failed:
            raise failed.error from None


class _Post:
    """One POST, and what has come of its answer so far."""

    def __init__(self, target: Url, headers: Sequence[Header], body: bytes, room: int, spans: Spans) -> None:
        self._target = target
        self._headers = headers
        self._body = body
        self._room = room
        self._status = 0
        self._answered: tuple[Header, ...] = ()
        self._kept = bytearray()
        self._whole = False
        self.spans = spans
        self.failed = Failed(Fault.PROTOCOL, "")

    async def run(self, client: Client, repeatable: bool) -> None:
        try:
            await self._send(client, fresh=False)
        except Failed as failed:
            # The server had just closed the connection that was kept.
            if failed.fault is not Fault.RESET or self._status or self.spans.made or not repeatable:
                raise
            await self._send(client, fresh=True)

    async def _send(self, client: Client, *, fresh: bool) -> None:
        async with client.request("POST", self._target, self._headers, self.spans, self._body, fresh=fresh) as response:
            self._status, self._answered = response.status, response.headers
            while piece := await response.piece():
                room = self._room - len(self._kept)
                self._kept += piece[:room]
                if len(piece) > room:
                    return
            self._whole = True

    def answer(self) -> Answer:
        """The status is the verdict, once there is one."""
        fault, detail = (
            faults.of_status(self._status, self._target) if self._status else (self.failed.fault, self.failed.detail)
        )
        return Answer(
            self._target.text,
            status=self._status,
            headers=self._answered,
            body=bytes(self._kept),
            whole=self._whole,
            fault=fault,
            detail=detail,
            timings=self.spans.timings(),
        )
