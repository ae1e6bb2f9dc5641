"""Which pairs of certificate and key are refused, in which words, and how a renewed one is taken."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from callwright import certificates
from callwright.certificates import BadCertificate, Certificate, CertificateFiles
from callwright.cli import authority
from callwright.clock import SECOND_US, SystemClock, rfc3339

NOW_US = 1_790_000_000 * SECOND_US
YEAR_US = 365 * 86_400 * SECOND_US


def made(folder: Path, name: str = "voice.messagebird.com", at_us: int = NOW_US) -> CertificateFiles:
    found = authority.make(folder, [name], at_us)
    return CertificateFiles(found.certificate, found.key)


@pytest.fixture
def pair(tmp_path: Path) -> CertificateFiles:
    return made(tmp_path / "one")


def encrypted(pair: CertificateFiles) -> CertificateFiles:
    line = ["openssl", "pkey", "-in", str(pair.key), "-out", f"{pair.key}.aes", "-aes256", "-passout", "pass:secret"]
    subprocess.run(line, check=True)
    return pair._replace(key=Path(f"{pair.key}.aes"))


def another(pair: CertificateFiles) -> CertificateFiles:
    return pair._replace(key=made(pair.key.parent.parent / "two").key)


def turned_round(pair: CertificateFiles) -> CertificateFiles:
    chain = pair.certificate.with_name("chain.pem")
    chain.write_bytes(pair.certificate.with_name("authority.pem").read_bytes() + pair.certificate.read_bytes())
    return pair._replace(certificate=chain)


def text(pair: CertificateFiles) -> CertificateFiles:
    pair.key.write_text("-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----\n")
    return pair


REFUSED: list[tuple[Callable[[CertificateFiles], CertificateFiles], int, str]] = [
    # not there
    (
        lambda pair: pair._replace(key=Path("/nowhere/key.pem")),
        NOW_US,
        "http.key /nowhere/key.pem cannot be read (No such file or directory); correct http.key, or let the server's user read "
        "the file.",
    ),
    # a folder
    (
        lambda pair: pair._replace(certificate=Path("/")),
        NOW_US,
        "http.certificate / cannot be read (Is a directory); correct http.certificate, or let the server's user read the file.",
    ),
    # the two the wrong way round
    (
        lambda pair: CertificateFiles(pair.key, pair.certificate),
        NOW_US,
        "http.certificate {folder}/one/key.pem holds a private key and no certificate; name the file that begins with "
        "-----BEGIN CERTIFICATE-----, as fullchain.pem.",
    ),
    # a certificate for a key
    (
        lambda pair: pair._replace(key=pair.certificate),
        NOW_US,
        "http.key {folder}/one/certificate.pem holds no private key in PEM; name the file that has -----BEGIN PRIVATE KEY----- "
        "in it, as privkey.pem.",
    ),
    # a key that is none
    (
        text,
        NOW_US,
        "http.key {folder}/one/key.pem holds no private key in PEM; name the file that has -----BEGIN PRIVATE KEY----- in it, "
        "as privkey.pem.",
    ),
    # with a passphrase
    (
        encrypted,
        NOW_US,
        "http.key {folder}/one/key.pem.aes is encrypted, and nobody is there to give its passphrase; write it without one: "
        "openssl pkey -in {folder}/one/key.pem.aes -out key.pem.",
    ),
    # of another certificate
    (
        another,
        NOW_US,
        "http.key {folder}/two/key.pem is not the key of the first certificate in {folder}/one/certificate.pem; name the key "
        "that the certificate was made for.",
    ),
    # the chain begins with who signed
    (
        turned_round,
        NOW_US,
        "http.key {folder}/one/key.pem is not the key of the first certificate in {folder}/one/chain.pem; put the server's own "
        "certificate first and those that signed it after it.",
    ),
    # too late
    (
        lambda pair: pair,
        NOW_US + 3 * YEAR_US,
        "http.certificate {folder}/one/certificate.pem expired 2028-09-20T14:13:20Z; renew it, or set this machine's clock if "
        "that is wrong.",
    ),
    # too early
    (
        lambda pair: pair,
        NOW_US - YEAR_US,
        "http.certificate {folder}/one/certificate.pem is not valid before 2026-09-21T13:13:20Z; renew it, or set this "
        "machine's clock if that is wrong.",
    ),
]


@pytest.mark.parametrize(("spoil", "now_us", "words"), REFUSED)
def test_a_pair_that_cannot_be_used_is_refused_with_the_file_and_the_remedy(spoil, now_us, words, pair, tmp_path):
    with pytest.raises(BadCertificate) as caught:
        certificates.check(spoil(pair), now_us)
    assert str(caught.value) == words.format(folder=tmp_path)
    assert str(caught.value) == f"{caught.value.seen}; {caught.value.then}."


def test_a_pair_and_a_chain_and_both_in_one_file_can_be_used(pair, tmp_path):
    expires = NOW_US + 730 * 86_400 * SECOND_US
    assert certificates.check(pair, NOW_US) == expires
    chain = tmp_path / "chain.pem"
    chain.write_bytes(pair.certificate.read_bytes() + (tmp_path / "one" / "authority.pem").read_bytes())
    assert certificates.check(pair._replace(certificate=chain), NOW_US) == expires
    chain.write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
    assert certificates.check(CertificateFiles(chain, chain), NOW_US) == expires


class Minutes(SystemClock):
    """`pass_one` lets a minute pass, and returns when it was used and the next is waited for."""

    def __init__(self) -> None:
        self._passing, self._waiting = asyncio.Event(), asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        assert seconds == 60
        self._waiting.set()
        await self._passing.wait()
        self._passing.clear()

    async def pass_one(self) -> None:
        await self._waiting.wait()
        self._waiting.clear()
        self._passing.set()
        await self._waiting.wait()


def shown(certificate: Certificate, trusted: Path, name: str | None) -> str:
    """The name in the certificate that a client sees; one without `name` sends none."""
    client = ssl.create_default_context(cafile=str(trusted))
    client.check_hostname = name is not None
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = certificate.context.wrap_bio(to_server, to_client, server_side=True)
    asking = client.wrap_bio(to_client, to_server, server_hostname=name)
    for side in (asking, server, asking, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    found = asking.getpeercert()
    assert found is not None
    ((_, names),) = found["subjectAltName"]
    return names


async def test_what_is_renewed_is_shown_within_a_minute_and_what_is_spoilt_is_told_once(tmp_path, caplog):
    caplog.set_level("INFO", "callwright.certificates")
    clock = Minutes()
    now_us = clock.now_us()
    files = made(tmp_path, "one.example", now_us)
    certificate, trusted = Certificate(files, clock), tmp_path / "authority.pem"
    task = asyncio.create_task(certificate.keep_up())
    assert shown(certificate, trusted, "one.example") == "one.example"
    await clock.pass_one()
    made(tmp_path, "two.example", now_us)
    assert shown(certificate, trusted, None) == "one.example"
    await clock.pass_one()
    assert shown(certificate, trusted, "two.example") == shown(certificate, trusted, None) == "two.example"
    good = files.key.read_bytes()
    files.key.write_bytes(b"half of")
    await clock.pass_one()
    await clock.pass_one()
    assert shown(certificate, trusted, None) == "two.example"
    os.unlink(files.key)
    await clock.pass_one()
    await clock.pass_one()
    made(tmp_path, "three.example", now_us)
    await clock.pass_one()
    assert shown(certificate, trusted, None) == "three.example"
    files.key.write_bytes(good)
    await clock.pass_one()
    task.cancel()
    told = [(record.getMessage(), getattr(record, "fields", {})) for record in caplog.records]
    assert [event for event, _ in told] == [
        "certificate_taken",
        "certificate_refused",
        "certificate_refused",
        "certificate_taken",
        "certificate_refused",
    ]
    expires = rfc3339(now_us + 730 * 86_400 * SECOND_US)
    assert told[0][1] == {"file": files.certificate, "expires": expires}
    assert told[1][1] == {
        "why": f"http.key {files.key} holds no private key in PEM",
        "remedy": "name the file that has -----BEGIN PRIVATE KEY----- in it, as privkey.pem",
        "kept": "the one before",
    }


def test_the_oldest_tls_that_is_spoken_is_1_2(pair):
    context = Certificate(pair, type("Then", (SystemClock,), {"now_us": lambda self: NOW_US})()).context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
