"""Certificates of an authority that only a test knows."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOUR = timedelta(hours=1)


class Authority:
    """Signs what it is asked to; `file` is what a client must trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of tests")])
        self._made = 0
        self.file = folder / "authority.pem"
        itself = (
            self._unsigned(self._name, self._name, self._key.public_key(), timedelta())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file.write_bytes(itself.public_bytes(serialization.Encoding.PEM))

    def server(self, *names: str, age: timedelta = timedelta(), self_signed: bool = False) -> ssl.SSLContext:
        """A server's side for names or addresses; its certificate is good from `age` and an hour ago for two hours."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A receiver")])
        issuer, signer = (subject, key) if self_signed else (self._name, self._key)
        certificate = (
            self._unsigned(subject, issuer, key.public_key(), age)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        self._made += 1
        shown, kept = self._folder / f"{self._made}.pem", self._folder / f"{self._made}.key"
        shown.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        kept.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown, kept)
        return context

    def _unsigned(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, age: timedelta
    ) -> x509.CertificateBuilder:
        begins = datetime.now(UTC) - age - HOUR
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + 2 * HOUR)
        )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
