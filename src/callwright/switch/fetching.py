"""Flows that a customer's program gives while a call runs: GET for the step ``fetchCallFlow``, POST for ``onFinish``.

Contract §4.4 and §4.5. All of a fetch, its repetition and its redirects included, takes at most `FetchSettings.timeout`
seconds; whatever goes wrong is told as `FlowUnavailable` with a cause that the record of the call names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urljoin
from uuid import UUID

import msgspec
from msgspec.structs import replace

from callwright.clock import Clock
from callwright.egress import MAX_REQUESTED, REDIRECTS, Answer, BadUrl, Fault, Header, Transport, Url, onward, parse
from callwright.errors import CallwrightError, Malformed, Problem
from callwright.flows import xml
from callwright.flows.rules import is_relative
from callwright.flows.schema import Flow, compile_flow

ACCEPT = ("Accept", "application/json, application/xml;q=0.9, */*;q=0.1")
RETRY_AFTER_S = 0.1
# Less than this is not worth another attempt.
WORTH_TRYING_S = 1.0

# The request cannot have been carried out, or can be carried out again without harm.
_RETRY_GET = frozenset({Fault.DNS, Fault.CONNECT, Fault.PROXY, Fault.TLS, Fault.RESET})
# A program that was told twice of one recording would ask its next question twice; so only what never reached it.
_RETRY_POST = frozenset({Fault.DNS, Fault.CONNECT, Fault.PROXY})
_NEVER_REACHED = 503

Signer = Callable[[UUID, Url, bytes], Sequence[Header]]


class Cause(Enum):
    """Why there is no flow."""

    BAD_URL = "bad_url"
    REFUSED_ADDRESS = "refused_address"
    UNREACHABLE = "unreachable"  # no address, no connection, or no TLS
    TIMEOUT = "timeout"
    BROKEN = "broken"  # the connection ended early, or what came is not HTTP
    REDIRECTS = "redirects"
    STATUS = "status"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    HTML = "html"
    NOT_JSON = "not_json"
    NOT_XML = "not_xml"
    BAD_FLOW = "bad_flow"  # it can be read, and cannot be run
    STOPPING = "stopping"  # this server is


_CAUSES = {
    Fault.BAD_URL: Cause.BAD_URL,
    Fault.REFUSED_ADDRESS: Cause.REFUSED_ADDRESS,
    Fault.DNS: Cause.UNREACHABLE,
    Fault.CONNECT: Cause.UNREACHABLE,
    Fault.TLS: Cause.UNREACHABLE,
    Fault.PROXY: Cause.UNREACHABLE,
    Fault.BUSY: Cause.TIMEOUT,
    Fault.TIMEOUT: Cause.TIMEOUT,
    Fault.REDIRECT: Cause.REDIRECTS,
    Fault.HTTP_ERROR: Cause.STATUS,
    Fault.TOO_LARGE: Cause.TOO_LARGE,
    Fault.CLOSED: Cause.STOPPING,
}


class FlowUnavailable(CallwrightError):
    """A flow could not be had. The message says what was seen and what to do; `url` is the last one that was asked."""

    def __init__(self, cause: Cause, message: str, url: str, status: int | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.url = url
        self.status = status


class FetchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds for everything, bytes of a flow, redirects of a GET; `content_type` of a POST, empty for none (contract §4.5)."""

    timeout: float = 5.0
    limit: int = 32_768
    redirects: int = 3
    content_type: str = "application/json"


class FetchedFlow(NamedTuple):
    """A flow, the body it was made of, the URL that gave it in the end, and the HTTP status."""

    flow: Flow
    body: dict[str, Any]
    url: str
    status: int


class FlowSource:
    """Where flows are asked for.

    `sign` makes the signature headers of a request for a world, a URL and a body; `decode` reads a flow in JSON with all
    the quirks client libraries have, or raises `Problem`; so does `compiled`, which says whether the flow can run.
    """

    def __init__(
        self,
        door: Transport,
        clock: Clock,
        *,
        sign: Signer,
        decode: Callable[[bytes], dict[str, Any]],
        settings: FetchSettings | None = None,
        compiled: Callable[[dict[str, Any]], Flow] = compile_flow,
    ) -> None:
        self._door = door
        self._clock = clock
        self._sign = sign
        self._decode = decode
        self._settings = settings or FetchSettings()
        self._compiled = compiled

    async def fetch(self, url: str, query: Mapping[str, str], *, world: UUID, base: str = "") -> FetchedFlow:
        """Ask a URL, relative to `base`, for a flow; `query` is added to the one it has."""
        target = _target(url, base, query)
        deadline = self._deadline()
        answer = await self._get(target, world, deadline)
        if self._may_repeat(deadline) and (answer.fault in _RETRY_GET or answer.status >= 500):
            await self._clock.sleep(RETRY_AFTER_S)
            answer = await self._get(target, world, deadline)
        return self._flow_of(answer)

    async def finish(self, url: str, query: Mapping[str, str], body: bytes, *, world: UUID, base: str = "") -> FetchedFlow:
        """Tell a URL of a recording and take the flow it answers with. Redirects are not followed."""
        target = _target(url, base, query)
        deadline = self._deadline()
        answer = await self._post(target, world, body, deadline)
        if self._may_repeat(deadline) and (answer.fault in _RETRY_POST or answer.status == _NEVER_REACHED):
            await self._clock.sleep(RETRY_AFTER_S)
            answer = await self._post(target, world, body, deadline)
        return self._flow_of(answer)

    def _deadline(self) -> int:
        return self._clock.mono_ns() + round(self._settings.timeout * 1e9)

    def _left(self, deadline: int) -> float:
        return max((deadline - self._clock.mono_ns()) / 1e9, 0.0)

    def _may_repeat(self, deadline: int) -> bool:
        return self._left(deadline) >= WORTH_TRYING_S

    async def _get(self, target: Url, world: UUID, deadline: int) -> Answer:
        """GET along redirects. Each request is signed anew, as signatures cover the URL; for the host first asked alone."""
        host = target.host
        for _ in range(self._settings.redirects + 1):
            signature = self._sign(world, target, b"") if target.host == host else ()
            answer = await self._door.fetch(
                target.text,
                (ACCEPT, *signature),
                timeout=self._left(deadline),
                max_bytes=self._settings.limit,
                redirects=0,
            )
            location = answer.header("Location") if answer.status in REDIRECTS else None
            if location is None:
                return answer
            try:
                target = onward(target, location)
            except BadUrl as error:
                return replace(answer, detail=f"{target.host} redirects to a URL that cannot be used: {error}")
        hops = self._settings.redirects
        return replace(answer, detail=f"there are more than {hops} redirects before a flow; give the final URL")

    async def _post(self, target: Url, world: UUID, body: bytes, deadline: int) -> Answer:
        named = [("Content-Type", self._settings.content_type)] if self._settings.content_type else []
        headers = [ACCEPT, *named, *self._sign(world, target, body)]
        # On a kept connection the program may just have closed it: then it is sent once more, on a new one.
        return await self._door.post(target.text, headers, body, self._left(deadline), repeatable=True)

    def _flow_of(self, answer: Answer) -> FetchedFlow:
        if answer.fault is not None:
            cause = _CAUSES.get(answer.fault, Cause.BROKEN)
            detail = answer.detail
            if cause is Cause.TIMEOUT:
                host = parse(answer.url, MAX_REQUESTED).host
                detail = f"{host} gave no whole flow within {self._settings.timeout:g} s; answer first, work afterwards"
            elif cause is Cause.STATUS:
                detail = f"{detail}; a flow is taken from an answer of 200 alone"
            raise FlowUnavailable(cause, detail, answer.url, answer.status or None)
        try:
            body = self._read(answer)
            flow = self._compiled(body)
        except Problem as problem:
            place = f" ({problem.parameter})" if problem.parameter else ""
            raise _unusable(answer, Cause.BAD_FLOW, f"{problem.message}{place}") from None
        return FetchedFlow(flow, body, answer.url, answer.status)

    def _read(self, answer: Answer) -> dict[str, Any]:
        document = answer.body
        limit = self._settings.limit
        if len(document) > limit:
            raise _unusable(answer, Cause.TOO_LARGE, f"it has more than {limit} bytes; make it smaller, or fetch it in parts")
        if not answer.whole:
            raise _unusable(answer, Cause.BROKEN, "it ended before it was whole")
        begin = document.lstrip(b"\xef\xbb\xbf \t\r\n")[:16].lower()
        if not begin:
            raise _unusable(answer, Cause.EMPTY, "it is empty; answer with a flow, at least one step hangup")
        if begin.startswith((b"<!doctype html", b"<html")):
            raise _unusable(answer, Cause.HTML, "it is a page of HTML; answer with a flow in JSON or XML")
        try:
            return xml.parse(document, limit=limit) if _is_xml(answer, begin) else self._json(document)
        except Malformed as problem:
            cause = Cause.NOT_XML if _is_xml(answer, begin) else Cause.NOT_JSON
            raise _unusable(answer, cause, problem.message) from None

    def _json(self, document: bytes) -> dict[str, Any]:
        return self._decode(_unwrapped(document))


def _target(url: str, base: str, query: Mapping[str, str]) -> Url:
    """The URL to ask; what it has of a query stays as written, and comes first."""
    if not base and is_relative(url):
        told = f"{url[:80]!r} has no host, and this flow came from no URL that it is relative to; give the whole URL"
        raise FlowUnavailable(Cause.BAD_URL, told, url)
    try:
        joined = parse(urljoin(base, url), MAX_REQUESTED)
        more = urlencode(query, quote_via=quote)
        if not more:
            return joined
        return parse(f"{joined.text}{'&' if joined.query else '?'}{more}", MAX_REQUESTED)
    except ValueError as error:  # brackets that hold no address
        raise FlowUnavailable(Cause.BAD_URL, str(error), url) from None
    except BadUrl as error:
        variables = len(query.get("variables", ""))
        remedy = f" ({variables} of them are variables; collect fewer keys)" if variables > MAX_REQUESTED // 4 else ""
        raise FlowUnavailable(Cause.BAD_URL, f"{error}{remedy}", url) from None


def _is_xml(answer: Answer, begin: bytes) -> bool:
    """What the type says, where it says either; else what the first character says."""
    named = (answer.header("Content-Type") or "").partition(";")[0].strip().lower()
    if named.endswith(("/json", "+json")):
        return False
    return named.endswith(("/xml", "+xml")) or begin.startswith(b"<")


def _unwrapped(document: bytes) -> bytes:
    """The flow of an answer in the envelope of ``GET /call-flows/{id}``, which some programs pass on as they got it."""
    try:
        body = msgspec.json.decode(document.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        return document  # whoever reads it next says what is wrong
    if isinstance(body, dict) and "steps" not in body:
        wrapped = body.get("data")
        if isinstance(wrapped, list) and len(wrapped) == 1 and isinstance(wrapped[0], dict):
            return msgspec.json.encode(wrapped[0])
    return document


def _unusable(answer: Answer, cause: Cause, why: str) -> FlowUnavailable:
    host = parse(answer.url, MAX_REQUESTED).host
    return FlowUnavailable(cause, f"the answer of {host} is not a flow that can run: {why}", answer.url, answer.status)
