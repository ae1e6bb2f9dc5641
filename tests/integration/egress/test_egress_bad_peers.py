"""Peers that mean no good, or know no better: each attempt ends, in bounded time and bytes, with its reason."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
from collections.abc import Callable

import msgspec
import pytest

from callwright.egress import EgressSettings, Fault, sockets
from support.http_peers import (
    OK,
    HeldClock,
    Names,
    Peer,
    answering,
    door,
    hang,
    listening,
    reset,
    running_out,
    still_open,
    until,
)

MIB = 1 << 20
# What kernel and event loop hold of a peer's bytes that nobody reads.
IN_FLIGHT = 16 * MIB


class Flood:
    """Sends a head once and then a piece for as long as the other side takes it."""

    def __init__(self, head: bytes, piece: bytes) -> None:
        self.sent = 0
        self.over = asyncio.Event()
        self._head = head
        self._piece = piece

    async def __call__(self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._head)
        try:
            while self.sent < 1 << 30:
                writer.write(self._piece)
                self.sent += len(self._piece)
                await writer.drain()
        finally:
            self.over.set()


@pytest.mark.parametrize(
    ("head", "piece", "fault", "said"),
    [
        pytest.param(
            b"",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000,
            Fault.TOO_LARGE,
            "sends more than 8 interim answers",
            id="interim answers",
        ),
        pytest.param(
            b"",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 999,
            Fault.TOO_LARGE,
            "sends more than 8 interim answers",
            id="early hints",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1_000, Fault.PROTOCOL, "headers too large", id="headers without end"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 65_536, Fault.PROTOCOL, "headers too large", id="a header without end"),
        pytest.param(b"HTTP/1.1 200 ", b"y" * 65_536, Fault.PROTOCOL, "headers too large", id="a reason without end"),
        pytest.param(b"", b"\x00\xff\x16\x03" * 10_000, Fault.PROTOCOL, "not HTTP", id="garbage"),
        pytest.param(b"", b"\r\n" * 10_000, Fault.TOO_LARGE, "sends more than 655360 bytes for one answer", id="empty lines"),
    ],
)
async def test_a_flood_before_the_head_is_left_early(head: bytes, piece: bytes, fault: Fault, said: str) -> None:
    flood = Flood(head, piece)
    async with listening(flood) as (port, _), door() as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"{}", 30)
        await flood.over.wait()
    assert (answer.fault, answer.status) == (fault, 0)
    assert said in answer.detail
    assert flood.sent < IN_FLIGHT


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", bytes(65_536), id="a gigabyte"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", bytes(65_536), id="no length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 4_000 + b"\r\n.\r\n", id="mostly framing"
        ),
    ],
)
async def test_a_body_without_end_costs_a_little_of_it(head: bytes, piece: bytes) -> None:
    flood = Flood(head, piece)
    async with listening(flood) as (port, _), door() as out:
        url = f"http://127.0.0.1:{port}/"
        answer = await out.post(url, [], b"{}", 30)
        await flood.over.wait()
        assert (answer.status, answer.fault, answer.whole) == (200, None, False)
        assert len(answer.body) <= 65_536
        assert flood.sent < IN_FLIGHT
        await until(lambda: still_open(out) == 0)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", bytes(65_536), id="a gigabyte"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", bytes(65_536), id="no length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 4_000 + b"\r\n.\r\n", id="mostly framing"
        ),
    ],
)
async def test_a_document_without_end_is_too_large(head: bytes, piece: bytes) -> None:
    flood = Flood(head, piece)
    async with listening(flood) as (port, _), door() as out:
        answer = await out.fetch(f"http://127.0.0.1:{port}/", timeout=30, max_bytes=50_000)
        await flood.over.wait()
    assert (answer.fault, answer.whole) == (Fault.TOO_LARGE, False)
    assert flood.sent < IN_FLIGHT


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        pytest.param(b"", Fault.RESET, id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", Fault.RESET, id="half a head"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", Fault.RESET, id="only an interim answer"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Fault.PROTOCOL, id="another protocol"),
        pytest.param(b"HTTP/1.1 999999 OK\r\n\r\n", Fault.PROTOCOL, id="an odd status"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Fault.PROTOCOL, id="a negative length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok", Fault.PROTOCOL, id="two lengths"),
        pytest.param(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Fault.PROTOCOL, id="a line that is no header"),
    ],
)
async def test_an_answer_that_is_none_is_a_fault(raw: bytes, fault: Fault) -> None:
    async with listening(answering(raw, close=True)) as (port, _), door() as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"{}", 30)
    assert (answer.fault, answer.status) == (fault, 0)
    assert answer.detail.startswith("127.0.0.1 ")
    assert len(answer.detail) < 400


async def test_a_head_of_any_bytes_can_be_written_down() -> None:
    raw = b"HTTP/1.1 200 OK\r\nA: caf\xe9\r\nB: caf\xc3\xa9\r\nC: \xff\xfe\r\nContent-Length: 0\r\n\r\n"
    async with listening(answering(raw)) as (port, _), door() as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"{}", 30)
    assert [answer.header(name) for name in "abc"] == ["café", "café", "ÿþ"]
    msgspec.json.encode(answer.headers)


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe\x00\r\n\x1b[31m\r\n\r\n", b"HTTP/1.1 200 OK\r\n\xff\xc3 x: \x00\r\n\r\n", b"HTTP/1.1 2\xff0\r\n\r\n"]
)
async def test_what_is_told_of_garbage_is_one_plain_line(raw: bytes) -> None:
    async with listening(answering(raw, close=True)) as (port, _), door() as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"{}", 30)
    assert answer.fault is Fault.PROTOCOL
    assert answer.detail.isprintable()
    assert len(answer.detail) < 400


async def test_a_head_comes_in_whatever_pieces() -> None:
    whole = b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nok\r\n\r\n"

    async def peer(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int(request.split(b" ")[1][1:])
        for start in range(0, len(whole), size):
            writer.write(whole[start : start + size])
            await asyncio.sleep(0.001)

    async with listening(peer) as (port, _), door() as out:
        for size in (1, 2, 3, 7, 31, 60, 1_000):
            answer = await out.post(f"http://127.0.0.1:{port}/{size}", [], b"{}", 30)
            assert (answer.status, answer.body, answer.whole) == (200, b"ok\r\n\r\n", True)
        assert still_open(out) == 1


@pytest.mark.parametrize("headers", [15, 17])
async def test_a_head_has_64_kilobytes(headers: int) -> None:
    raw = (
        b"HTTP/1.1 200 OK\r\n"
        + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 4_000) for n in range(headers))
        + b"Content-Length: 0\r\n\r\n"
    )
    async with listening(answering(raw)) as (port, _), door() as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"{}", 30)
    if headers == 15:
        assert (answer.status, answer.fault, len(answer.headers)) == (200, None, 16)
    else:
        assert (answer.status, answer.fault) == (0, Fault.TOO_LARGE)
        assert answer.detail == "127.0.0.1 sends a head of more than 65536 bytes"


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"half", id="half a body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", b"half", id="no last chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n", b"", id="chunked garbage"),
    ],
)
async def test_the_status_is_the_verdict_though_the_body_breaks_off(raw: bytes, body: bytes) -> None:
    """An endpoint that said 200 has taken the event; sending it again would only double it."""
    async with listening(answering(raw, close=True)) as (port, seen), door() as out:
        url = f"http://127.0.0.1:{port}/"
        answer = await out.post(url, [], b"{}", 30, repeatable=True)
        assert (answer.status, answer.fault, answer.body, answer.whole) == (200, None, body, False)
        assert len(seen) == 1
        fetched = await out.fetch(url, timeout=30, max_bytes=100)
        assert fetched.fault in (Fault.RESET, Fault.PROTOCOL)
        await until(lambda: still_open(out) == 0)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 500 No\r\n\r\n", id="a body behind 204"),
        pytest.param(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nstray", id="a body of 204"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\n\r\n", id="a second answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", id="more than was announced"),
    ],
)
async def test_what_stands_behind_an_answer_is_nobodys(raw: bytes) -> None:
    first = [raw]

    async def peer(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first.pop() if first else OK)

    async with listening(peer) as (port, seen), door() as out:
        url = f"http://127.0.0.1:{port}/"
        statuses = [(await out.post(url, [], b"{}", 30, repeatable=True)).status for _ in range(2)]
    assert statuses[0] in (200, 204)
    assert statuses[1] == 200
    assert len(seen) == 2


async def test_an_answer_that_comes_while_the_connection_is_idle_answers_nothing() -> None:
    """It would be taken for the answer to the next request, which the peer has not even read."""
    writers: list[asyncio.StreamWriter] = []

    async def peer(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(OK if len(writers) == 1 else b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    async with listening(peer) as (port, seen), door(EgressSettings(idle_s=600)) as out:
        url = f"http://127.0.0.1:{port}/"
        assert (await out.post(url, [], b"{}", 30)).status == 200
        assert still_open(out) == 1
        writers[0].write(OK)
        await until(lambda: still_open(out) == 0)
        assert (await out.post(url, [], b"{}", 30)).status == 503
    assert len(seen) == 2


async def test_an_answer_before_the_request_is_the_answer() -> None:
    """Nothing can be told of it but that it came early; the request is sent all the same."""
    arrived = asyncio.Event()
    request = b""

    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal request
        writer.write(OK)
        request = await reader.read(4096)
        arrived.set()
        writer.close()

    server = await asyncio.start_server(hasty, "127.0.0.1", 0)
    async with server, door() as out:
        answer = await out.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", [], b"{}", 30)
        await arrived.wait()
    assert (answer.status, answer.fault) == (200, None)
    assert request.startswith(b"POST / HTTP/1.1")


async def trickle(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("peer", [hang, trickle])
async def test_a_peer_that_does_not_come_to_an_end_has_its_time(peer: Peer) -> None:
    clock = HeldClock()
    async with listening(running_out(clock, peer)) as (port, _), door(clock=clock) as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"{}", 0.2)
        assert (answer.fault, answer.status) == (Fault.TIMEOUT, 0)
        assert answer.detail == "127.0.0.1 gave no answer within 0.2 s; answer first, work afterwards"
        await until(lambda: still_open(out) == 0)


class Silent(Names):
    """A name server that never answers."""

    async def addresses(self, host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_silent_name_server_is_told_as_such() -> None:
    async with door(names=Silent()) as out:
        answer = await out.post("http://hook.test/", [], b"{}", 0.1)
    assert (answer.fault, answer.detail.partition(" within")[0]) == (
        Fault.TIMEOUT,
        "hook.test was not found by the name server",
    )


async def test_waiting_for_others_is_told_as_such() -> None:
    async with listening(hang) as (port, seen), door(EgressSettings(connections=1, connections_remedy="wait")) as out:
        url = f"http://127.0.0.1:{port}/"
        first = asyncio.create_task(out.post(url, [], b"{}", 30))
        await until(lambda: len(seen) == 1)
        answer = await out.post(url, [], b"{}", 0.1)
        assert answer.fault is Fault.BUSY
        assert answer.detail == "127.0.0.1 was not to blame: in 0.1 s all 1 connections of this server were in use; wait"
        fetched = await out.fetch(url, timeout=0.1, max_bytes=10)
        assert (fetched.fault, fetched.detail) == (answer.fault, answer.detail)
        first.cancel()


async def test_who_had_little_of_the_time_that_was_left_is_not_to_blame() -> None:
    async with listening(hang) as (port, _), door(EgressSettings(connections=1)) as out:
        url = f"http://127.0.0.1:{port}/"
        asking = [asyncio.create_task(out.post(url, [], b"{}", within)) for within in (0.6, 0.7, 3.0)]
        answers = await asyncio.gather(*asking)
        assert [answer.fault for answer in answers] == [Fault.TIMEOUT, Fault.BUSY, Fault.TIMEOUT]
        assert "gave no answer within 3 s" in answers[2].detail


async def test_waiting_for_a_thread_to_look_names_up_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    held, begun = threading.Event(), threading.Event()

    def look_up(host: str, port: int) -> list[str]:
        begun.set()
        held.wait()
        return ["127.0.0.1"]

    monkeypatch.setattr(sockets, "_look_up", look_up)
    async with door(names=sockets.SystemResolver(threads=1)) as out:
        try:
            first = asyncio.create_task(out.post("http://slow.test/", [], b"{}", 30))
            await until(begun.is_set)
            waiting = [asyncio.create_task(out.post("http://hook.test/", [], b"{}", 0.1)) for _ in range(2)]
            slow = await out.post("http://slow.test/", [], b"{}", 0.1)
            answers = await asyncio.gather(*waiting)
        finally:
            held.set()
        first.cancel()
    assert (slow.fault, slow.detail.partition(" within")[0]) == (
        Fault.TIMEOUT,
        "slow.test was not found by the name server",
    )
    for answer in answers:
        assert answer.fault is Fault.BUSY
        assert answer.detail.startswith("hook.test was not to blame: in 0.1 s all threads that look names up were busy")


async def test_too_many_open_files_are_ours() -> None:
    def none_left(info: object) -> socket.socket:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with listening(answering(OK)) as (port, _), door() as out:
        client = await out.open()
        client._single.connector._socket_factory = none_left
        client._pooled.connector._socket_factory = none_left
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"{}", 30)
    assert answer.fault is Fault.BUSY
    assert answer.detail.endswith("this server has too many; raise LimitNOFILE (ulimit -n)")


@pytest.mark.parametrize("names", [[], ["10.0.0.1"]])
async def test_a_name_without_an_address_we_may_use(names: list[str]) -> None:
    async with door(names=Names(hook_test=names)) as out:
        answer = await out.post("http://hook.test/", [], b"{}", 30)
    assert answer.fault is (Fault.REFUSED_ADDRESS if names else Fault.DNS)
    assert answer.detail.startswith("hook.test")


class Rebinding(Names):
    """Says one thing to the first who asks, and another to all who ask again."""

    def __init__(self, *answers: list[str]) -> None:
        super().__init__()
        self._answers = list(answers)

    async def addresses(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self._answers.pop(0)


@pytest.mark.parametrize("cache_s", [0, 30])
async def test_the_address_that_was_vetted_is_the_one_connected_to(cache_s: int) -> None:
    """A second question, between check and connect, would get the second answer."""
    names = Rebinding(["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["127.0.0.1"])
    settings = EgressSettings(dns_cache_s=cache_s, idle_connections=0)
    async with listening(answering(OK)) as (port, seen), door(settings, names=names) as out:
        faults = [(await out.post(f"http://rebind.test:{port}/", [], b"{}", 30)).fault for _ in range(4)]
    refused = Fault.REFUSED_ADDRESS
    assert faults == ([None] * 4 if cache_s else [None, refused, refused, None])
    assert len(names.asked) == (1 if cache_s else 4)
    assert len(seen) == faults.count(None)


async def test_a_kept_name_is_forgotten_in_time_and_then_vetted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Rebinding(["127.0.0.1"], ["169.254.169.254"])
    async with listening(answering(OK)) as (port, seen), door(EgressSettings(idle_connections=0), names=names) as out:
        url = f"http://rebind.test:{port}/"
        assert (await out.post(url, [], b"{}", 30)).ok
        assert out._client is not None
        for session in (out._client._pooled, out._client._single):
            session.connector.clear_dns_cache()  # as if its time were over
        answer = await out.post(url, [], b"{}", 30)
    assert answer.fault is Fault.REFUSED_ADDRESS
    assert "metadata" in answer.detail
    assert len(seen) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["http://10.0.0.1/", "http://169.254.169.254/", "http://inside.test/", "//10.0.0.1:80/"])
async def test_a_redirect_to_a_private_address_goes_nowhere(status: int, location: str) -> None:
    raw = f"HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    names = Names(inside_test=["10.0.0.1"])
    async with listening(answering(raw)) as (port, seen), door(names=names) as out:
        url = f"http://127.0.0.1:{port}/"
        posted = await out.post(url, [], b"{}", 30)
        fetched = await out.fetch(url, timeout=30, max_bytes=9)
    assert (posted.fault, posted.status) == (Fault.REDIRECT, status)
    assert (fetched.fault, fetched.status) == (Fault.REFUSED_ADDRESS, status)
    assert len(seen) == 2


@pytest.mark.parametrize("peer", [reset, answering(b"HTTP/1.1 200 OK\r\n", close=True)])
async def test_a_peer_that_is_gone_leaves_no_connection(peer: Callable[..., None]) -> None:
    async with listening(peer) as (port, _), door() as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"{}", 30)
        assert answer.fault is Fault.RESET
        await until(lambda: still_open(out) == 0)
