from __future__ import annotations

import asyncio
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from callwright.egress import EgressSettings, Fault
from support.certificates import Authority
from support.http_peers import OK, HeldClock, Names, Peer, answering, door, hang, listening, reset, running_out

KNOWN = b"Proxy-Authorization: Basic " + b64encode(b"us:p@ss:word")


class ForwardProxy:
    """Reads a request's head, notes it, and carries it to 127.0.0.1, or answers what the test says instead."""

    def __init__(self, instead: bytes = b"") -> None:
        self.heads: list[bytes] = []
        self.port = 0
        self._instead = instead

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._carry(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if self._instead:
            writer.write(self._instead)
            return
        method, target, _ = head.split(b" ", 2)
        authority = target if method == b"CONNECT" else target.split(b"/")[2]
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", int(authority.rpartition(b":")[2]))
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            far_writer.write(head)
        both = [asyncio.create_task(_pump(*ends)) for ends in ((reader, far_writer), (far_reader, writer))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()
            far_writer.close()

    def settings(self, credentials: str = "", ca_file: str = "") -> EgressSettings:
        return EgressSettings(proxy=f"http://{credentials}127.0.0.1:{self.port}", ca_file=ca_file)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def proxying(instead: bytes = b"") -> AsyncIterator[ForwardProxy]:
    proxy = ForwardProxy(instead)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    async with server:
        yield proxy


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


async def test_plain_http_goes_through_in_absolute_form_and_names_are_the_proxys_to_resolve() -> None:
    names = Names()
    async with (
        listening(answering(OK)) as (port, seen),
        proxying() as proxy,
        door(proxy.settings("us:p%40ss%3Aword@"), names=names, allow=()) as out,
    ):
        url = f"http://hook.test:{port}/a/../b%2Fc?x[]=1"
        answer = await out.post(url, [("webhook-id", "1")], b"{}", 30)
        assert (answer.status, answer.fault) == (200, None)
        assert (await out.fetch(url, timeout=30, max_bytes=9)).body == b"ok"
    assert proxy.heads[0].startswith(f"POST {url} HTTP/1.1\r\nHost: hook.test:{port}\r\n".encode())
    assert all(head.count(KNOWN) == 1 for head in proxy.heads)
    assert names.asked == []
    assert len(seen) == 2


async def test_tls_goes_through_a_tunnel_that_alone_knows_who_we_are(authority: Authority) -> None:
    async with (
        listening(answering(OK), tls=authority.server("hook.test")) as (port, seen),
        proxying() as proxy,
        door(proxy.settings("us:p%40ss%3Aword@", ca_file=str(authority.file)), names=Names(), allow=()) as out,
    ):
        answer = await out.post(f"https://hook.test:{port}/x", [("webhook-id", "1")], b"{}", 30)
        kept = await out.post(f"https://hook.test:{port}/x", [("webhook-id", "1")], b"{}", 30)
    assert (answer.status, answer.fault, kept.fault) == (200, None, None)
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith(f"CONNECT hook.test:{port} HTTP/1.1\r\n".encode())
    assert KNOWN in proxy.heads[0]
    assert b"User-Agent: Callwright\r\n" in proxy.heads[0]
    assert b"aiohttp" not in proxy.heads[0]
    assert seen[0].startswith(f"POST /x HTTP/1.1\r\nHost: hook.test:{port}\r\n".encode())
    assert b"Proxy-" not in b"".join(seen)
    assert answer.timings.connect_us > 0
    assert answer.timings.tls_us > 0
    assert kept.timings.connect_us is None


async def test_the_certificate_behind_the_tunnel_is_checked(authority: Authority) -> None:
    async with (
        listening(answering(OK), tls=authority.server("other.test")) as (port, seen),
        proxying() as proxy,
        door(proxy.settings(ca_file=str(authority.file)), allow=()) as out,
    ):
        answer = await out.post(f"https://hook.test:{port}/", [], b"{}", 30)
    assert answer.fault is Fault.TLS
    assert "Hostname mismatch" in answer.detail
    assert seen == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_target_written_as_an_address_is_still_vetted(scheme: str) -> None:
    redirect = f"HTTP/1.1 302 Go\r\nLocation: {scheme}://169.254.169.254/\r\nContent-Length: 0\r\n\r\n".encode()
    async with (
        listening(answering(redirect)) as (port, _),
        proxying() as proxy,
        door(proxy.settings(), allow=()) as out,
    ):
        for host in ("10.0.0.1", "127.0.0.1", "[::ffff:127.0.0.1]"):
            answer = await out.post(f"{scheme}://{host}:{port}/", [], b"{}", 30)
            assert answer.fault is Fault.REFUSED_ADDRESS
            assert "egress.allow" in answer.detail
        assert proxy.heads == []
        assert (await out.fetch(f"http://hook.test:{port}/", timeout=30, max_bytes=9)).fault is Fault.REFUSED_ADDRESS
        assert len(proxy.heads) == 1


async def test_an_allowed_address_goes_through_the_proxy_too() -> None:
    async with listening(answering(OK)) as (port, seen), proxying() as proxy, door(proxy.settings()) as out:
        assert (await out.post(f"http://127.0.0.1:{port}/", [], b"{}", 30)).ok
    assert (len(proxy.heads), len(seen)) == (1, 1)


@pytest.mark.parametrize(
    ("scheme", "answer", "told"),
    [
        ("http", b"407 Proxy Authentication Required", "it answered 407; give its user name and password in egress.proxy"),
        ("https", b"407 Proxy Authentication Required", "it answered 407; give its user name and password in egress.proxy"),
        ("https", b"502 Bad Gateway", "it answered 502; its log says why"),
        ("https", b"403 Forbidden", "it answered 403; its log says why"),
    ],
)
async def test_a_proxy_that_refuses_is_told_from_its_peers(scheme: str, answer: bytes, told: str) -> None:
    async with (
        proxying(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\n\r\n") as proxy,
        door(proxy.settings("u:hush@")) as out,
    ):
        got = await out.post(f"{scheme}://hook.test/", [], b"{}", 30)
    assert (got.fault, got.status) == (Fault.PROXY, 0)
    assert got.detail == f"the proxy 127.0.0.1:{proxy.port} does not connect us to hook.test: {told}"


async def test_of_plain_http_a_bad_gateway_can_be_either() -> None:
    async with proxying(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") as proxy, door(proxy.settings()) as out:
        got = await out.post("http://hook.test/", [], b"{}", 30)
    assert (got.fault, got.status) == (Fault.HTTP_ERROR, 502)


async def test_a_proxy_that_is_not_there() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # so that nobody else does
        async with door(EgressSettings(proxy=f"http://u:hush@127.0.0.1:{bound.getsockname()[1]}")) as out:
            got = await out.post("https://hook.test/", [], b"{}", 30)
    assert got.fault is Fault.PROXY
    assert got.detail.endswith("check egress.proxy and the proxy itself")
    assert "hush" not in got.detail


async def test_of_plain_http_silence_can_be_either() -> None:
    clock = HeldClock()
    async with (
        listening(running_out(clock, hang)) as (port, _),
        door(EgressSettings(proxy=f"http://127.0.0.1:{port}"), clock=clock) as out,
    ):
        got = await out.post("http://hook.test/", [], b"{}", 0.2)
    assert got.fault is Fault.TIMEOUT


async def echo(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(request)


@pytest.mark.parametrize(
    ("proxy", "timeout", "told"),
    [
        (hang, 0.3, "did not "),
        (reset, 30, "closed the connection before it connected us to hook.test; its log says why"),
        (answering(b"", close=True), 30, "closed the connection before it connected us to hook.test; its log says why"),
        (echo, 30, "answered CONNECT with something that is not HTTP; check that egress.proxy names a proxy"),
    ],
)
async def test_until_the_tunnel_is_there_the_proxy_is_to_blame(proxy: Peer, timeout: float, told: str) -> None:
    async with (
        listening(proxy) as (port, _),
        door(EgressSettings(proxy=f"http://u:hush@127.0.0.1:{port}")) as out,
    ):
        got = await out.post("https://hook.test/", [], b"{}", timeout)
    assert got.fault is Fault.PROXY
    assert got.detail.startswith(f"the proxy 127.0.0.1:{port} {told}")
    assert "hush" not in got.detail


async def drop_the_hello(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await reader.read(1)
    writer.transport.abort()


async def test_what_fails_in_the_tunnel_is_the_peers() -> None:
    async with listening(drop_the_hello) as (port, _), door(EgressSettings(proxy=f"http://127.0.0.1:{port}")) as out:
        got = await out.post("https://hook.test/", [], b"{}", 30)
    assert got.fault is Fault.RESET


async def test_a_proxy_without_an_address() -> None:
    async with door(EgressSettings(proxy="http://proxy.test:3128"), names=Names(proxy_test=[])) as out:
        got = await out.post("http://hook.test/", [], b"{}", 30)
    assert got.fault is Fault.PROXY
    assert got.detail.startswith("the proxy proxy.test:3128 has no address")


async def test_a_proxy_that_takes_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        # What is beyond the backlog is not answered, as by a host that is off.
        filling = [socket.socket() for _ in range(4)]
        for one in filling:
            one.setblocking(False)
            one.connect_ex(address)
        async with door(EgressSettings(proxy=f"http://127.0.0.1:{address[1]}")) as out:
            got = await out.post("http://hook.test/", [], b"{}", 0.3)
        for one in filling:
            one.close()
    assert got.fault is Fault.PROXY
    told = "did not take the connection within 0.3 s; check egress.proxy and the proxy itself"
    assert got.detail == f"the proxy 127.0.0.1:{address[1]} {told}"


async def test_a_proxy_may_have_a_name_and_a_private_address() -> None:
    names = Names(proxy_test=["127.0.0.1"])
    async with listening(answering(OK)) as (port, _), proxying() as proxy:
        settings = EgressSettings(proxy=f"http://proxy.test:{proxy.port}")
        async with door(settings, names=names, allow=()) as out:
            got = await out.post(f"http://hook.test:{port}/", [], b"{}", 30)
    assert got.ok
    assert names.asked == ["proxy.test"]
    assert got.timings.dns_us is not None
