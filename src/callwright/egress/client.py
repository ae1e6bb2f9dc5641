"""One HTTP request over aiohttp, for the door: which connection it takes, and what its failures mean.

Only this module, `connect` and `failures` know the library. They are loaded late, because that takes a fifth of a second.
"""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import aiohttp
import yarl

from callwright.egress import failures, proxies
from callwright.egress.addresses import Veto
from callwright.egress.connect import connector, tls_context
from callwright.egress.door import EgressSettings, Fault, Header
from callwright.egress.faults import STOPPING, Failed
from callwright.egress.proxies import Proxy
from callwright.egress.sockets import Gate, Resolver
from callwright.egress.spans import Spans, current
from callwright.egress.urls import Url

USER_AGENT = "Callwright"
IDLE_SHARE = 4
_OURS = (("User-Agent", USER_AGENT), ("Accept-Encoding", "identity"))


class Response:
    """An answer whose head has come."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = tuple((str(name), _text(value)) for name, value in response.headers.items())
        self.length = response.content_length

    async def piece(self) -> bytes:
        """The next piece of the body; empty at its end."""
        return await self._response.content.readany()


class Client:
    """Two sessions, one that keeps connections and one that does not, under one bound on what is kept."""

    def __init__(self, settings: EgressSettings, veto: Veto, resolver: Resolver) -> None:
        self._proxy = proxies.read(settings.proxy)
        self._veto = veto
        self.gate = Gate(None if self._proxy else veto)
        self._idle_bound = most_idle(settings.idle_connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._under_way = 0
        self._closed = False
        tls = tls_context(settings)
        self._pooled = _session(connector(settings, self.gate, resolver, tls, keep=True))
        self._single = _session(connector(settings, self.gate, resolver, tls, keep=False))

    @asynccontextmanager
    async def request(
        self,
        method: str,
        target: Url,
        headers: Sequence[Header],
        spans: Spans,
        body: bytes | None = None,
        *,
        fresh: bool = False,
    ) -> AsyncIterator[Response]:
        """Send it, and give the answer once its head has come; `Failed` and `TimeoutError` come out of the block."""
        if self._closed:
            raise Failed(Fault.CLOSED, STOPPING)
        token = current.set(spans)
        self._under_way += 1
        try:
            by_proxy: dict[str, Any] = {}
            if self._proxy is not None:
                by_proxy = self._by_proxy(self._proxy, target)
                spans.proxy = self._proxy.place
                headers = (*self._known_to_proxy(self._proxy, target), *headers)
            response = await self._session(fresh).request(
                method,
                _as_written(target.text),
                headers=(*_OURS, *headers),
                data=body,
                allow_redirects=False,
                **by_proxy,
            )
            spans.head_ns = spans.now_ns()
            spans.meter.feeds(response.content)
            try:
                if self._proxy is not None and response.status == failures.PROXY_WANTS_A_NAME:
                    raise failures.of_proxy(response.status, target, self._proxy.place)
                yield Response(response)
            finally:
                # A body read to its end has given its connection back already; any other is not worth waiting for.
                response.close()
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise self._judged(error, target, spans) from error
        finally:
            self._under_way -= 1
            current.reset(token)

    async def close(self) -> None:
        self._closed = True
        await self._pooled.close()
        await self._single.close()

    def _session(self, fresh: bool) -> aiohttp.ClientSession:
        # A connection may be kept while those that are open, and those that are being made, are within the bound.
        keep = self.gate.open <= self._idle_bound and self._under_way <= self._idle_bound
        return self._pooled if keep and not fresh else self._single

    @staticmethod
    def _known_to_proxy(proxy: Proxy, target: Url) -> Sequence[Header]:
        """Who we are, in a request the proxy itself reads; in a tunnel only CONNECT says it."""
        return ((proxies.AUTHORIZATION, proxy.authorization),) if proxy.authorization and target.scheme == "http" else ()

    def _by_proxy(self, proxy: Proxy, target: Url) -> dict[str, Any]:
        """What the client is told of the proxy, which looks names up itself; a literal is vetted here."""
        if target.literal and (sentence := self._veto.refusal(target.host)):
            raise Failed(Fault.REFUSED_ADDRESS, sentence)
        in_connect = {"User-Agent": USER_AGENT}
        if proxy.authorization:
            in_connect[proxies.AUTHORIZATION] = proxy.authorization
        return {"proxy": proxy.url, "proxy_headers": in_connect}

    def _judged(self, error: Exception, target: Url, spans: Spans) -> Failed:
        if self._closed:
            return Failed(Fault.CLOSED, STOPPING)
        if spans.flood:
            return Failed(Fault.TOO_LARGE, f"{target.host} sends {spans.flood}")
        return failures.judged(error, target, proxy=spans.proxy if spans.at_proxy else "")


def most_idle(wanted: int, descriptors: int) -> int:
    """How many idle connections are kept, of a process that may have so many files open: a quarter is theirs at most.

    >>> most_idle(1_000, 524_288), most_idle(1_000, 1_024), most_idle(1_000, resource.RLIM_INFINITY)
    (1000, 256, 1000)
    """
    return wanted if descriptors == resource.RLIM_INFINITY else min(wanted, descriptors // IDLE_SHARE)


def _session(connections: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connections,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
        auto_decompress=False,
        skip_auto_headers=("Content-Type",),
    )


def _text(value: str) -> str:
    """A header's value; one whose bytes are no UTF-8, and which nobody could write down, in Latin-1 (RFC 9110 §5.5)."""
    if value.isascii():
        return value
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


@lru_cache(maxsize=4096)
def _as_written(text: str) -> yarl.URL:
    """Taken as it stands: signatures are made over these very characters."""
    return yarl.URL(text, encoded=True)
