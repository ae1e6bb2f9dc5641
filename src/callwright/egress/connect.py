"""Connections out: names looked up on threads of our own, the address veto at the socket, a bounded idle pool."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from callwright.clock import Clock
from callwright.egress.addresses import Veto
from callwright.egress.door import EgressSettings, Timings
from callwright.errors import SettingsError

RESOLVER_THREADS = 16
AddrInfo = tuple[int, int, int, str, tuple[Any, ...]]


class AddressRefused(OSError):
    """The veto: raised where the socket would have been made."""

    def __init__(self, sentence: str) -> None:
        super().__init__(errno.EACCES, sentence)


class Resolver(Protocol):
    async def addresses(self, host: str, port: int) -> list[str]:
        """The numeric addresses of a name; `OSError` when it has none."""
        ...

    def close(self) -> None: ...


class SystemResolver:
    """The system's resolver on its own threads, so that a slow name server holds up no other work of the process."""

    def __init__(self, threads: int = RESOLVER_THREADS) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="egress-dns")

    async def addresses(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port)
        return list(dict.fromkeys(found))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(sockaddr[0]) for *_, sockaddr in infos]


class Gate:
    """Makes the sockets: refuses an address, or counts the socket until it is closed."""

    def __init__(self, veto: Veto) -> None:
        self._veto = veto
        self.open = 0

    def socket(self, info: AddrInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        if sentence := self._veto.refusal(str(address[0])):
            raise AddressRefused(sentence)
        return _CountedSocket(self, family, kind, protocol)


class _CountedSocket(socket.socket):
    def __init__(self, gate: Gate, family: int, kind: int, protocol: int) -> None:
        super().__init__(family, kind, protocol)
        self._gate: Gate | None = gate
        gate.open += 1

    def close(self) -> None:
        self._leave()
        super().close()

    def detach(self) -> int:
        # How uvloop lets go of a socket when it closes its descriptor.
        self._leave()
        return super().detach()

    def _leave(self) -> None:
        if self._gate is not None:
            self._gate.open -= 1
            self._gate = None


class _Lookups(AbstractResolver):
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._resolver.addresses(host, port)
        ]

    async def close(self) -> None:
        self._resolver.close()


def tls_context(settings: EgressSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError as error:
        raise SettingsError(f"egress.ca_file: {settings.ca_file!r} cannot be used ({error}); name a PEM file") from None


def connector(
    settings: EgressSettings, gate: Gate, resolver: Resolver, tls: ssl.SSLContext, *, keep: bool
) -> aiohttp.TCPConnector:
    """Connections that are kept for a while after use, or closed at once."""
    reuse: dict[str, Any] = {"keepalive_timeout": settings.idle_s} if keep else {"force_close": True}
    return aiohttp.TCPConnector(
        ssl=tls,
        resolver=_Lookups(resolver),
        use_dns_cache=settings.dns_cache_s > 0,
        ttl_dns_cache=settings.dns_cache_s or None,
        limit=settings.connections,
        socket_factory=gate.socket,
        **reuse,
    )


class Spans:
    """The marks of one request while it runs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.mono_ns()
        self._marks: dict[str, int] = {}

    def mark(self, name: str) -> None:
        self._marks[name] = self._clock.mono_ns()

    @property
    def connected(self) -> bool:
        """Whether a connection was made for this request, rather than a kept one used."""
        return "connect_start" in self._marks

    def timings(self) -> Timings:
        marks = self._marks
        dns = _span(marks.get("dns_start"), marks.get("dns_end"))
        whole = _span(marks.get("connect_start"), marks.get("connect_end"))
        return Timings(
            dns_us=dns,
            connect_us=None if whole is None else whole - (dns or 0),
            head_us=_span(self._started, marks.get("head")),
            total_us=(self._clock.mono_ns() - self._started) // 1000,
        )


def _span(start_ns: int | None, end_ns: int | None) -> int | None:
    return None if start_ns is None or end_ns is None else (end_ns - start_ns) // 1000


def tracing() -> aiohttp.TraceConfig:
    """Marks the phases of a request in the `Spans` given as its trace context."""
    config = aiohttp.TraceConfig()
    for signal, name in (
        (config.on_dns_resolvehost_start, "dns_start"),
        (config.on_dns_resolvehost_end, "dns_end"),
        (config.on_connection_create_start, "connect_start"),
        (config.on_connection_create_end, "connect_end"),
    ):
        signal.append(_marker(name))
    return config


def _marker(name: str) -> Any:
    async def mark(session: aiohttp.ClientSession, context: Any, params: Any) -> None:
        spans: Spans = context.trace_request_ctx
        spans.mark(name)

    return mark
