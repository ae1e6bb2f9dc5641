"""HTTPS on a socket of ours, and `serve` with a certificate that cannot be used."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callwright import web
from callwright.certificates import Certificate, CertificateFiles
from callwright.cli import authority
from callwright.clock import SystemClock

PATIENCE_S = 20
ASKED = b"GET /path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def app(scope, receive, send):
    """Answers with what it was told of the request."""
    text = f"{scope['scheme']} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


@pytest.fixture
def made(tmp_path: Path) -> authority.Made:
    return authority.make(tmp_path / "pair", ["localhost"], SystemClock().now_us())


@pytest.fixture
async def port(made: authority.Made) -> AsyncIterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        certificate = Certificate(CertificateFiles(made.certificate, made.key), SystemClock())
        serving = web.start(app, bound, certificate.context)
        async with asyncio.timeout(PATIENCE_S):
            while not serving.server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield bound.getsockname()[1]
        await web.stop([serving])


async def asked(port: int, client: ssl.SSLContext | None) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=client and "localhost")
        writer.write(ASKED)
        try:
            return await reader.read()
        finally:
            writer.close()


async def test_it_is_spoken_with_who_trusts_the_authority(made, port):
    client = ssl.create_default_context(cafile=str(made.authority))
    assert (await asked(port, client)).endswith(b"\r\n\r\nhttps /path")
    with pytest.raises(ssl.SSLCertVerificationError):
        await asked(port, ssl.create_default_context())


async def test_neither_older_versions_nor_http_without_tls_are_answered(made, port):
    client = ssl.create_default_context(cafile=str(made.authority))
    client.minimum_version, client.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
    assert (await asked(port, client)).endswith(b"https /path")
    assert await asked(port, None) == b""


def test_a_server_does_not_start_with_what_it_cannot_show(made, tmp_path):
    line = [sys.executable, "-m", "callwright", f"--data={tmp_path / 'data'}", "serve", "--http-port=0", "--sip-port=0"]
    line += [f"--set=http.certificate={made.certificate}", f"--set=http.key={made.authority_key}"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"callwright: http.key {made.authority_key} is not the key of the first certificate in {made.certificate}; "
        "name the key that the certificate was made for.\n"
    )
