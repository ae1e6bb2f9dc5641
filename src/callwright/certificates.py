"""The owner's certificate for HTTPS: judged before it is used, and looked at again, because it is renewed on the disk."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, NoReturn

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from callwright.clock import SECOND_US, Clock, rfc3339
from callwright.errors import SettingsError
from callwright.log import Log

LOOK_S = 60.0

_log = Log("certificates")


class BadCertificate(SettingsError):
    """The certificate or its key cannot be used: `seen` says why, `then` what to do. The message has both."""

    def __init__(self, seen: str, then: str) -> None:
        super().__init__(f"{seen}; {then}.")
        self.seen = seen
        self.then = then


class CertificateFiles(NamedTuple):
    """Two files in PEM, which may be the same one: a certificate with the chain that goes with it, and its key."""

    certificate: Path
    key: Path


class _Found(NamedTuple):
    certificate: bytes
    key: bytes


class Certificate:
    """What the server shows to whoever connects. Raises `BadCertificate` where the files hold nothing to show."""

    def __init__(self, files: CertificateFiles, clock: Clock) -> None:
        self._files = files
        self._clock = clock
        self._seen = _read(files)
        self._shown = self.context = _context(files, self._seen, clock.now_us())
        self.context.sni_callback = self._show
        self._told = ""

    async def keep_up(self) -> None:
        """Take what the files hold for new connections, once a minute; what cannot be used is told once and left."""
        while True:
            await self._clock.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        try:
            found = await asyncio.to_thread(_read, self._files)
            if found == self._seen:
                return
            self._seen = found
            self._shown = _context(self._files, found, self._clock.now_us())
        except BadCertificate as error:
            if str(error) != self._told:
                _log.warning("certificate_refused", why=error.seen, remedy=error.then, kept="the one before")
            self._told = str(error)
            return
        self._told = ""
        _log.info("certificate_taken", file=self._files.certificate, expires=rfc3339(expires_us(found.certificate)))

    def _show(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Every new connection comes by here, with a name or without: a context in use cannot be given another pair whole."""
        connection.context = self._shown


def check(files: CertificateFiles, now_us: int) -> int:
    """When a pair that can be used expires, in µs; raises `BadCertificate`."""
    found = _read(files)
    _context(files, found, now_us)
    return expires_us(found.certificate)


def names(certificate: Path) -> list[str]:
    """The host names a certificate is good for; raises `BadCertificate`."""
    first = _certificates(certificate, _bytes("certificate", certificate))[0]
    try:
        return first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        return []


def expires_us(pem: bytes) -> int:
    return _us(_first(pem).not_valid_after_utc)


def _read(files: CertificateFiles) -> _Found:
    return _Found(_bytes("certificate", files.certificate), _bytes("key", files.key))


def _bytes(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        seen = f"http.{setting} {path} cannot be read ({error.strerror})"
        raise BadCertificate(seen, f"correct http.{setting}, or let the server's user read the file") from error


def _context(files: CertificateFiles, found: _Found, now_us: int) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        _judge(files, found, now_us)
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (OSError, ValueError, UnsupportedAlgorithm) as error:  # ssl.SSLError is an OSError
        seen = f"http.certificate {files.certificate} cannot be used with http.key {files.key} ({error})"
        raise BadCertificate(seen, "have both made anew") from error
    return context


def _no_password() -> NoReturn:
    # OpenSSL would ask for it at the terminal.
    raise ValueError("the key is encrypted")


def _judge(files: CertificateFiles, found: _Found, now_us: int) -> None:
    """Say what OpenSSL would say in fewer words or, as with one that expired, not at all."""
    certificates = _certificates(files.certificate, found.certificate)
    key = _key(files, found.key)
    public = [one.public_key() for one in certificates]
    if key.public_key() != public[0]:
        seen = f"http.key {files.key} is not the key of the first certificate in {files.certificate}"
        if key.public_key() in public:
            raise BadCertificate(seen, "put the server's own certificate first and those that signed it after it")
        raise BadCertificate(seen, "name the key that the certificate was made for")
    begins, ends = _us(certificates[0].not_valid_before_utc), _us(certificates[0].not_valid_after_utc)
    if not begins <= now_us < ends:
        word = f"expired {rfc3339(ends)}" if now_us >= ends else f"is not valid before {rfc3339(begins)}"
        then = "renew it, or set this machine's clock if that is wrong"
        raise BadCertificate(f"http.certificate {files.certificate} {word}", then)


def _certificates(path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        swapped = "holds a private key and no certificate" if b" PRIVATE KEY-----" in pem else "holds no certificate in PEM"
        seen = f"http.certificate {path} {swapped}"
        raise BadCertificate(seen, "name the file that begins with -----BEGIN CERTIFICATE-----, as fullchain.pem") from error


def _key(files: CertificateFiles, pem: bytes) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        seen = f"http.key {files.key} is encrypted, and nobody is there to give its passphrase"
        raise BadCertificate(seen, f"write it without one: openssl pkey -in {files.key} -out key.pem") from error
    except ValueError as error:
        seen = f"http.key {files.key} holds no private key in PEM"
        raise BadCertificate(seen, "name the file that has -----BEGIN PRIVATE KEY----- in it, as privkey.pem") from error


def _first(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificates(pem)[0]


def _us(at: datetime) -> int:
    return int((at - datetime.fromtimestamp(0, UTC)).total_seconds()) * SECOND_US
