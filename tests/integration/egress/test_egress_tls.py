from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import uvloop

from callwright.egress import EgressSettings, Fault
from callwright.errors import SettingsError
from support.certificates import Authority
from support.http_peers import OK, HeldClock, Names, answering, door, listening

LOOPS = pytest.mark.parametrize("make_loop", [asyncio.SelectorEventLoop, uvloop.new_event_loop])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def trusting(authority: Authority) -> EgressSettings:
    return EgressSettings(ca_file=str(authority.file))


@pytest.mark.parametrize(
    ("make", "seen"),
    [
        (lambda authority: authority.server("hook.test", age=timedelta(days=1)), "certificate has expired"),
        (lambda authority: authority.server("hook.test", age=-timedelta(days=1)), "certificate is not yet valid"),
        (lambda authority: authority.server("hook.test", self_signed=True), "self-signed certificate"),
        (lambda authority: authority.server("other.test"), "Hostname mismatch"),
        (lambda authority: authority.server("127.0.0.1"), "Hostname mismatch"),
    ],
)
async def test_a_bad_certificate_is_refused_and_said_which_way(
    authority: Authority, make: Callable[[Authority], ssl.SSLContext], seen: str
) -> None:
    async with (
        listening(answering(OK), tls=make(authority)) as (port, requests),
        door(trusting(authority), names=Names(hook_test=["127.0.0.1"])) as out,
    ):
        answer = await out.post(f"https://hook.test:{port}/", [("webhook-id", "1")], b"{}", 30)
    assert answer.fault is Fault.TLS
    assert seen in answer.detail
    assert answer.detail.endswith("check its certificate, or egress.ca_file")
    assert requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "hook.test"])
async def test_an_authority_is_trusted_only_where_it_is_named(authority: Authority, host: str) -> None:
    names = Names(hook_test=["127.0.0.1"])
    async with listening(answering(OK), tls=authority.server("hook.test", "127.0.0.1")) as (port, requests):
        async with door(trusting(authority), names=names) as out:
            assert (await out.post(f"https://{host}:{port}/", [], b"", 30)).ok
        async with door(names=names) as out:
            answer = await out.post(f"https://{host}:{port}/", [], b"", 30)
    assert answer.fault is Fault.TLS
    assert len(requests) == 1


async def test_a_file_of_authorities_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for path in ("/nowhere/ca.pem", str(tmp_path / "empty.pem")):
        async with door(EgressSettings(ca_file=path)) as out:
            with pytest.raises(SettingsError, match=r"egress\.ca_file: '.*' cannot be used"):
                await out.open()


async def test_plain_http_where_tls_is_expected_is_a_tls_fault() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(peer, "127.0.0.1", 0)
    async with door() as out:
        answer = await out.post(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", [], b"", 30)
    server.close()
    assert answer.fault is Fault.TLS
    assert answer.detail.endswith("does that port speak TLS? For plain HTTP write http:// in the URL")


async def test_a_port_that_drops_the_hello_is_asked_for_tls() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(peer, "127.0.0.1", 0)
    async with door() as out:
        answer = await out.post(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", [], b"", 30)
    server.close()
    assert answer.fault is Fault.RESET
    assert "Error)" not in answer.detail
    assert answer.detail.endswith("does that port speak TLS? For plain HTTP write http:// in the URL")


async def test_tls_where_plain_http_is_expected_is_hinted_at(authority: Authority) -> None:
    async with listening(answering(OK), tls=authority.server("127.0.0.1")) as (port, _), door() as out:
        answer = await out.post(f"http://127.0.0.1:{port}/", [], b"{}", 30)
    assert answer.detail.endswith("if that port speaks TLS, write https:// in the URL")


@LOOPS
def test_every_phase_of_a_new_connection_is_timed(
    authority: Authority, make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def run() -> None:
        async with (
            listening(answering(OK), tls=authority.server("hook.test")) as (port, _),
            door(trusting(authority), names=Names(hook_test=["127.0.0.1"])) as out,
        ):
            url = f"https://hook.test:{port}/"
            new, kept = [(await out.post(url, [], b"", 30)).timings for _ in range(2)]
        spans = (new.dns_us, new.connect_us, new.tls_us)
        assert None not in spans
        assert new.tls_us > 0
        assert sum(spans) <= new.head_us <= new.total_us
        assert (kept.dns_us, kept.connect_us, kept.tls_us) == (None, None, None)
        assert 0 < kept.head_us <= kept.total_us

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(run())


@LOOPS
def test_a_handshake_that_is_never_answered_is_said_to_hang(
    authority: Authority, make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def run() -> None:
        clock, left = HeldClock(), asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            clock.run_out()
            await reader.read()
            writer.close()
            left.set()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        async with door(clock=clock) as out:
            answer = await out.post(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", [], b"", 0.2)
        await left.wait()
        server.close()
        assert answer.fault is Fault.TIMEOUT
        assert "did not finish the TLS handshake within 0.2 s; does that port speak TLS?" in answer.detail
        assert "answer first" not in answer.detail
        assert answer.timings.connect_us is not None
        assert answer.timings.tls_us is None

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(run())
