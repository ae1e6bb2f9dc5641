"""The web services that flows ask: a script, a program in this process, or what is really there.

A reply of a script takes virtual time. A program in this process takes none: while it works all else stands still. What is
really there is waited for in real time, and so are its time limits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Meta

from callwright.clock import Clock, outside
from callwright.egress import Answer, Fault, Header, Transport
from callwright.egress.door import MAX_KEPT
from callwright.simulator.settings import Seconds

_FAULTS = {
    "timeout": Fault.TIMEOUT,
    "connect": Fault.CONNECT,
    "dns": Fault.DNS,
    "tls": Fault.TLS,
    "reset": Fault.RESET,
}


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One answer: a flow, or a body as it is; or none."""

    status: Annotated[int, Meta(ge=200, le=599, description="The HTTP status.")] = 200
    flow: Annotated[dict[str, Any] | None, Meta(description="A flow, which is sent as JSON.")] = None
    body: Annotated[str | None, Meta(description="What is sent as it is: XML, or nonsense.")] = None
    content_type: Annotated[str, Meta(description="The Content-Type of the answer.")] = ""
    after: Annotated[Seconds, Meta(description="Seconds until it answers.")] = 0.0
    fails: Annotated[Literal["", "timeout", "connect", "dns", "tls", "reset"], Meta(description="Why there is no answer.")] = ""

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


class Request(NamedTuple):
    """What a program in this process is asked: `url` is whole, `query` what stands in it."""

    method: str
    url: str
    query: dict[str, str]
    headers: tuple[Header, ...]
    body: bytes

    @property
    def json(self) -> Any:
        """The body of ``onFinish``. Raises `msgspec.DecodeError` where there is none."""
        return msgspec.json.decode(self.body)


# An `Answer` says what a script cannot: headers, and with them where else the flow is.
Service = Callable[[Request], Reply | Answer]


class ScriptedWeb:
    """Answers requests: those of a URL (without query) in turn, the last one again and again. Implements `Transport`.

    What has no script is asked of the service with the longest base of its URL, then of `beyond`; without those such a request
    finds nobody there.
    """

    def __init__(self, clock: Clock, beyond: Transport | None = None) -> None:
        self._clock = clock
        self._beyond = beyond
        self._replies: dict[str, list[Reply]] = {}
        self._services: dict[str, Service] = {}
        self.asked: list[Asked] = []

    def script(self, url: str, replies: Sequence[Reply]) -> None:
        self._replies[url] = list(replies)

    def serve(self, base: str, service: Service) -> None:
        """A service answers for a URL, and for all that lies below it."""
        self._services[base.rstrip("/")] = service

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
        answer = await self._here("POST", url, headers, body, timeout)
        if answer is None:
            with outside():
                assert self._beyond is not None
                answer = await self._beyond.post(url, headers, body, timeout, repeatable=repeatable, max_kept=max_kept)
        return self._noted("POST", url, body, answer)

    async def fetch(
        self, url: str, headers: Sequence[Header] = (), *, timeout: float, max_bytes: int, redirects: int = 3
    ) -> Answer:
        answer = await self._here("GET", url, headers, b"", timeout)
        if answer is None:
            with outside():
                assert self._beyond is not None
                answer = await self._beyond.fetch(url, headers, timeout=timeout, max_bytes=max_bytes, redirects=redirects)
        return self._noted("GET", url, b"", answer)

    async def close(self) -> None:
        if self._beyond is not None:
            with outside():
                await self._beyond.close()

    async def _here(self, method: str, url: str, headers: Sequence[Header], body: bytes, timeout: float) -> Answer | None:
        """None for what is to be asked for real."""
        bare, _, query = url.partition("?")
        if (replies := self._replies.get(bare)) is not None:
            return await self._replied(url, replies.pop(0) if len(replies) > 1 else replies[0], timeout)
        if (service := self._service(bare)) is not None:
            given = service(Request(method, url, dict(parse_qsl(query)), tuple(headers), body))
            return given if isinstance(given, Answer) else await self._replied(url, given, timeout)
        if self._beyond is not None:
            return None
        return Answer(url, fault=Fault.CONNECT, detail=f"{bare} is not in the script: say what it answers")

    def _service(self, url: str) -> Service | None:
        bases = [base for base in self._services if url == base or url.startswith(f"{base}/")]
        return self._services[max(bases, key=len)] if bases else None

    async def _replied(self, url: str, reply: Reply, timeout: float) -> Answer:
        host = urlsplit(url).hostname or url
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

    def _noted(self, method: str, url: str, body: bytes, answer: Answer) -> Answer:
        bare, _, query = url.partition("?")
        fault = "" if answer.fault is None else answer.detail
        self.asked.append(Asked(self._clock.now_us(), method, bare, dict(parse_qsl(query)), body, answer.status, fault))
        return answer
