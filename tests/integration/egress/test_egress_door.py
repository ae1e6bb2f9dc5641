from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
import uvloop

from callwright.clock import SystemClock
from callwright.egress import EgressSettings, Fault
from callwright.egress.post import HttpDoor
from support.http_peers import (
    LOOPBACK,
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


async def test_a_post_arrives_byte_for_byte_and_its_answer_comes_back() -> None:
    async with (
        listening(answering(b"HTTP/1.1 202 Accepted\r\nX-Seen: yes\r\nContent-Length: 2\r\n\r\nok")) as (port, seen),
        door() as out,
    ):
        url = f"HTTP://127.0.0.1:{port}/a/../b%2Fc?x[]=1&y=%20#top"
        answer = await out.post(url, [("Content-Type", "application/json"), ("webhook-id", "1")], b'{"a":1}', 30)
    assert (answer.status, answer.fault, answer.body, answer.whole) == (202, None, b"ok", True)
    assert answer.header("x-seen") == "yes"
    assert answer.url == f"http://127.0.0.1:{port}/a/../b%2Fc?x[]=1&y=%20"
    head, _, body = seen[0].partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert first == "POST /a/../b%2Fc?x[]=1&y=%20 HTTP/1.1"
    assert body == b'{"a":1}'
    assert sorted(headers) == [
        "Accept-Encoding: identity",
        "Accept: */*",
        "Content-Length: 7",
        "Content-Type: application/json",
        f"Host: 127.0.0.1:{port}",
        "User-Agent: Callwright",
        "webhook-id: 1",
    ]
    assert answer.timings.connect_us is not None
    assert answer.timings.head_us is not None
    assert 0 < answer.timings.connect_us <= answer.timings.head_us <= answer.timings.total_us


@pytest.mark.parametrize("make_loop", [asyncio.SelectorEventLoop, uvloop.new_event_loop])
def test_connections_are_kept_up_to_the_bound_and_no_further(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def run() -> None:
        settings = EgressSettings(idle_connections=2)
        async with listening(answering(OK)) as (port, _), door(settings) as out:

            async def posts(count: int) -> list[bool]:
                answers = await asyncio.gather(*(out.post(f"http://127.0.0.1:{port}/", [], b"", 30) for _ in range(count)))
                assert all(answer.ok for answer in answers)
                return [answer.timings.connect_us is None for answer in answers]

            assert await posts(1) == [False]
            assert await posts(1) == [True]
            await posts(30)
            await until(lambda: still_open(out) == 2)
            assert await posts(1) == [True]
            await out.close()
            await until(lambda: still_open(out) == 0)

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(run())


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "0.0.0.0", "10.0.0.1", "169.254.169.254", "localhost"],
)
async def test_a_refused_address_never_sees_a_connection(host: str) -> None:
    async with listening(answering(OK)) as (port, seen), door(allow=()) as out:
        answer = await out.post(f"http://{host}:{port}/", [], b"", 30)
    assert answer.fault is Fault.REFUSED_ADDRESS
    assert ("give the one" if host == "0.0.0.0" else "egress.allow") in answer.detail
    assert seen == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.1."])
async def test_an_odd_spelling_of_loopback_is_no_url(host: str) -> None:
    async with listening(answering(OK)) as (port, seen), door() as out:
        answer = await out.post(f"http://{host}:{port}/", [], b"", 30)
    assert answer.fault is Fault.BAD_URL
    assert seen == []


@pytest.mark.parametrize("private", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "10.0.0.1"])
async def test_a_name_is_vetted_by_what_it_resolves_to(private: str) -> None:
    names = Names(evil_test=[private])
    async with door(names=names, allow=()) as out:
        answer = await out.post("http://evil.test/", [], b"", 30)
    assert answer.fault is Fault.REFUSED_ADDRESS
    assert names.asked == ["evil.test"]


async def test_localhost_is_reached_where_loopback_is_allowed() -> None:
    async with listening(answering(OK)) as (port, seen), door() as out:
        answer = await out.post(f"http://localhost:{port}/", [], b"", 30)
    assert (answer.fault, len(seen)) == (None, 1)
    assert answer.timings.dns_us is not None


@pytest.mark.parametrize("addresses", [["10.0.0.1", "127.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["127.0.0.1", "fe80::1%lo"]])
async def test_one_refused_address_refuses_the_whole_name(addresses: list[str]) -> None:
    async with listening(answering(OK)) as (port, seen), door(names=Names(two_test=addresses)) as out:
        for _ in range(2):  # looked up, and kept
            answer = await out.post(f"http://two.test:{port}/", [], b"", 30)
            assert answer.fault is Fault.REFUSED_ADDRESS
            assert "one of 2 addresses of the name" in answer.detail
    assert seen == []


async def test_a_name_that_changes_its_address_is_vetted_again() -> None:
    names = Names(rebind_test=["127.0.0.1"])
    unkept = EgressSettings(dns_cache_s=0, idle_connections=0)
    async with listening(answering(OK)) as (port, seen), door(unkept, names=names) as out:
        assert (await out.post(f"http://rebind.test:{port}/", [], b"", 30)).ok
        names.names["rebind.test"] = ["10.0.0.1"]
        assert (await out.post(f"http://rebind.test:{port}/", [], b"", 30)).fault is Fault.REFUSED_ADDRESS
    assert len(seen) == 1


async def test_a_kept_connection_that_its_server_closed_costs_a_repeatable_post_nothing() -> None:
    async with listening(answering(OK, close=True)) as (port, seen), door() as out:
        url = f"http://127.0.0.1:{port}/"
        once = [await out.post(url, [], b"", 30) for _ in range(2)]
    async with listening(answering(OK, close=True)) as (port, seen), door() as out:
        url = f"http://127.0.0.1:{port}/"
        twice = [await out.post(url, [], b"", 30, repeatable=True) for _ in range(2)]
        assert len(seen) == 2
    assert [answer.fault for answer in once] == [None, Fault.RESET]
    assert [answer.fault for answer in twice] == [None, None]


async def test_a_repeatable_post_on_a_fresh_connection_is_sent_once() -> None:
    async with listening(reset) as (port, seen), door() as out:
        assert (await out.post(f"http://127.0.0.1:{port}/", [], b"", 30, repeatable=True)).fault is Fault.RESET
    assert len(seen) == 1


async def test_a_name_without_address_is_a_dns_fault() -> None:
    async with door(names=Names()) as out:
        answer = await out.post("http://nowhere.test/", [], b"", 30)
    assert answer.fault is Fault.DNS
    assert answer.detail.startswith("nowhere.test has no address")


async def test_nobody_listening_is_a_connect_fault() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # so that nobody else does
        async with door() as out:
            answer = await out.post(f"http://127.0.0.1:{bound.getsockname()[1]}/", [], b"", 30)
    assert (answer.fault, answer.status) == (Fault.CONNECT, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_post_follows_no_redirect(status: int) -> None:
    raw = f"HTTP/1.1 {status} Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".encode()
    async with listening(answering(raw)) as (port, seen), door() as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"", 30)
    assert (answer.status, answer.fault) == (status, Fault.REDIRECT)
    assert len(seen) == 1


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503])
async def test_an_error_status_keeps_its_body(status: int) -> None:
    raw = f"HTTP/1.1 {status} No\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\nwhy".encode()
    async with listening(answering(raw)) as (port, _), door() as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"", 30)
    assert (answer.status, answer.fault, answer.body, answer.header("retry-after")) == (status, Fault.HTTP_ERROR, b"why", "7")


async def trickle_head(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def trickle_body(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n.")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.05)


async def endless(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(bytes(65_536))
        await writer.drain()


@pytest.mark.parametrize("peer", [hang, trickle_head])
async def test_a_peer_without_an_answer_in_time_is_a_timeout(peer: Peer) -> None:
    async with listening(peer) as (port, _), door() as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"", 0.2)
    assert (answer.fault, answer.status) == (Fault.TIMEOUT, 0)
    assert "0.2 s" in answer.detail
    assert answer.timings.total_us >= 190_000


async def test_a_post_is_answered_by_the_head_though_the_body_trickles() -> None:
    clock = HeldClock()
    async with listening(running_out(clock, trickle_body, after_s=0.3)) as (port, _), door(clock=clock) as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"", 0.3)
    assert (answer.status, answer.fault, answer.whole) == (200, None, False)
    assert answer.body
    assert set(answer.body) == {ord(".")}


async def test_an_endless_answer_is_cut_at_64_kilobytes() -> None:
    async with listening(endless) as (port, _), door() as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"", 30)
        assert (answer.status, answer.fault, answer.whole, len(answer.body)) == (200, None, False, 65_536)
        await until(lambda: still_open(out) == 0)


@pytest.mark.parametrize("size", [65_536, 65_537])
async def test_64_kilobytes_are_whole_and_one_byte_more_is_not(size: int) -> None:
    raw = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * size
    async with listening(answering(raw)) as (port, _), door() as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"", 30)
    assert (len(answer.body), answer.whole) == (65_536, size == 65_536)


async def test_who_expects_more_may_say_so() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
    async with listening(answering(raw)) as (port, _), door() as out:
        for most, kept in ((300_000, 300_000), (299_999, 299_999), (10, 10)):
            answer = await out.post(f"http://127.0.0.1:{port}/", [], b"", 30, max_kept=most)
            assert (len(answer.body), answer.whole) == (kept, most == 300_000)


@pytest.mark.parametrize(
    ("peer", "fault"),
    [
        (reset, Fault.RESET),
        (answering(b"", close=True), Fault.RESET),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Le", close=True), Fault.RESET),
        (answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", close=True), Fault.PROTOCOL),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", close=True), Fault.PROTOCOL),
        (answering(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", close=True), Fault.PROTOCOL),
    ],
)
async def test_a_broken_answer_has_its_class(peer: Peer, fault: Fault) -> None:
    async with listening(peer) as (port, _), door() as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"", 30)
    assert (answer.fault, answer.status) == (fault, 0)
    assert answer.detail.startswith("127.0.0.1 ")
    assert len(answer.detail) < 400


def redirecting(*locations: str, finally_: bytes = OK) -> Peer:
    left = list(locations)

    async def peer(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = f"HTTP/1.1 302 Found\r\nLocation: {left.pop(0)}\r\nContent-Length: 0\r\n\r\n".encode() if left else finally_
        writer.write(raw)

    return peer


async def test_a_fetch_follows_three_redirects() -> None:
    async with listening(redirecting("/b?c", "d/e", "f")) as (port, seen), door() as out:
        answer = await out.fetch(f"http://127.0.0.1:{port}/a", timeout=30, max_bytes=100)
    assert (answer.url, answer.body, answer.fault) == (f"http://127.0.0.1:{port}/d/f", b"ok", None)
    assert [request.split(b" ")[1] for request in seen] == [b"/a", b"/b?c", b"/d/e", b"/d/f"]


async def test_a_fetch_stops_at_the_fourth_redirect() -> None:
    async with listening(redirecting("/1", "/2", "/3", "/4")) as (port, seen), door() as out:
        answer = await out.fetch(f"http://127.0.0.1:{port}/0", timeout=30, max_bytes=100)
    assert (answer.fault, answer.status, len(seen)) == (Fault.REDIRECT, 302, 4)


@pytest.mark.parametrize(
    ("location", "fault"),
    [
        ("http://10.0.0.1/", Fault.REFUSED_ADDRESS),
        ("http://169.254.169.254/latest/meta-data", Fault.REFUSED_ADDRESS),
        ("http://[::ffff:127.0.0.1]/", Fault.REFUSED_ADDRESS),
        ("http://inside.test/", Fault.REFUSED_ADDRESS),
        ("http://0x7f.1/", Fault.REDIRECT),
        ("file:///etc/passwd", Fault.REDIRECT),
        ("http://user:pw@127.0.0.1/", Fault.REDIRECT),
        ("http://[", Fault.REDIRECT),
    ],
)
async def test_every_hop_of_a_fetch_is_vetted(location: str, fault: Fault) -> None:
    async with listening(redirecting(location)) as (port, seen), door(names=Names(inside_test=["10.0.0.1"])) as out:
        answer = await out.fetch(f"http://127.0.0.1:{port}/", timeout=30, max_bytes=100)
    assert (answer.fault, len(seen)) == (fault, 1)


async def test_another_origin_is_not_shown_our_headers() -> None:
    async with (
        listening(answering(OK)) as (second, there),
        listening(redirecting(f"http://127.0.0.1:{second}/")) as (first, here),
        door() as out,
    ):
        headers = [("Authorization", "Bearer s3cr3t"), ("Accept", "application/json")]
        assert (await out.fetch(f"http://127.0.0.1:{first}/", headers, timeout=30, max_bytes=9)).ok
    assert b"s3cr3t" in here[0]
    assert b"s3cr3t" not in there[0]
    assert b"Accept: application/json" in there[0]


async def test_a_fetch_is_whole_or_a_fault() -> None:
    async with listening(trickle_body) as (port, _), door() as out:
        slow = await out.fetch(f"http://127.0.0.1:{port}/", timeout=0.2, max_bytes=5_000)
        large = await out.fetch(f"http://127.0.0.1:{port}/", timeout=30, max_bytes=999)
    async with listening(endless) as (port, _), door() as out:
        huge = await out.fetch(f"http://127.0.0.1:{port}/", timeout=30, max_bytes=200_000)
    async with (
        listening(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", close=True)) as (port, _),
        door() as out,
    ):
        half = await out.fetch(f"http://127.0.0.1:{port}/", timeout=30, max_bytes=200_000)
    packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"
    async with listening(answering(packed)) as (port, _), door() as out:
        gzip = await out.fetch(f"http://127.0.0.1:{port}/", timeout=30, max_bytes=200_000)
    faults = [answer.fault for answer in (slow, large, huge, half, gzip)]
    assert faults == [Fault.TIMEOUT, Fault.TOO_LARGE, Fault.TOO_LARGE, Fault.RESET, Fault.ENCODING]
    assert not any(answer.whole for answer in (slow, large, huge, half, gzip))


async def test_a_closed_door_says_so() -> None:
    out = HttpDoor(EgressSettings(), SystemClock(), allow=LOOPBACK)
    await out.close()
    answer = await out.post("http://127.0.0.1:9/", [], b"", 30)
    assert (answer.fault, answer.detail) == (Fault.CLOSED, "the server is stopping")


async def test_closing_the_door_ends_what_is_under_way() -> None:
    async with listening(hang) as (port, seen), door() as out:
        under_way = asyncio.ensure_future(out.post(f"http://127.0.0.1:{port}/", [], b"", 30))
        await until(lambda: len(seen) == 1)
        await out.close()
        assert (await under_way).fault is Fault.CLOSED


async def test_closing_the_door_ends_a_chain_of_redirects() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n"
    closing: list[asyncio.Task[None]] = []

    async with door() as out:

        async def peer(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(moved)
            await writer.drain()
            closing.append(asyncio.create_task(out.close()))

        async with listening(peer) as (port, _):
            answer = await out.fetch(f"http://127.0.0.1:{port}/", timeout=30, max_bytes=100, redirects=50)
            await asyncio.gather(*closing)
    assert answer.fault is Fault.CLOSED
