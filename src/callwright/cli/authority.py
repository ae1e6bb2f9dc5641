"""A certificate authority of one's own, and a certificate it signed: for libraries that must find the original's host name."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from callwright.clock import SECOND_US
from callwright.errors import CallwrightError

AUTHORITY_LASTS = timedelta(days=3_650)
CERTIFICATE_LASTS = timedelta(days=730)
# Other machines' clocks may be slow.
BEFORE = timedelta(hours=1)


class Made(NamedTuple):
    """`authority` is what clients trust, `is_new` if they have to be told; the settings name `certificate` and `key`."""

    authority: Path
    authority_key: Path
    certificate: Path
    key: Path
    is_new: bool


def make(folder: Path, names: list[str], now_us: int) -> Made:
    """Write a certificate for names and addresses, and the authority that signs it unless the folder has one already.

    Files that are no authority are refused with `CallwrightError`, and left as they are.
    """
    made = Made(
        folder / "authority.pem", folder / "authority-key.pem", folder / "certificate.pem", folder / "key.pem", is_new=False
    )
    now = datetime.fromtimestamp(now_us // SECOND_US, UTC)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if made.authority.exists() or made.authority_key.exists():
            signer, signing_key = _known(made, now)
        else:
            made = made._replace(is_new=True)
            _nobody_elses(made)
            signer, signing_key = _authority(now)
            _write(made.authority_key, _private(signing_key), 0o600)
            _write(made.authority, _public(signer), 0o644)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(signer, signing_key, key.public_key(), names, now)
        _write(made.key, _private(key), 0o600)
        _write(made.certificate, _public(certificate), 0o644)
    except OSError as error:
        raise CallwrightError(f"{error.filename} cannot be written ({error.strerror}); name a folder that can be.") from error
    return made


def _nobody_elses(made: Made) -> None:
    """A pair without an authority here was not made by us: who overwrites a key has lost it."""
    there = [path.name for path in (made.certificate, made.key) if path.exists()]
    if there:
        raise CallwrightError(f"{made.key.parent} has another {' and '.join(there)}, which would be lost; name another folder.")


def _authority(now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("Callwright private authority")
    usage = x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    begun = (
        _begun(name, name, key.public_key(), now, AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return begun.sign(key, hashes.SHA256()), key


def _known(made: Made, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The authority made before: clients that trust it need no change."""
    folder = made.authority.parent
    try:
        certificate = x509.load_pem_x509_certificate(made.authority.read_bytes())
        key = serialization.load_pem_private_key(made.authority_key.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise CallwrightError(f"{folder} has one of authority.pem and authority-key.pem; name another folder.") from error
    except (ValueError, TypeError) as error:
        raise CallwrightError(f"The authority in {folder} cannot be read ({error}); name another folder.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise CallwrightError(f"{made.authority_key} is not the key of {made.authority}; name another folder.")
    if certificate.not_valid_after_utc <= now:
        raise CallwrightError(f"The authority in {folder} has expired; name another folder, and let clients trust the new one.")
    return certificate, key


def _signed(
    signer: x509.Certificate,
    signing_key: ec.EllipticCurvePrivateKey,
    public: ec.EllipticCurvePublicKey,
    names: list[str],
    now: datetime,
) -> x509.Certificate:
    lasts = min(CERTIFICATE_LASTS, signer.not_valid_after_utc - now)
    return (
        _begun(_named(names[0]), signer.subject, public, now, lasts)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
        .sign(signing_key, hashes.SHA256())
    )


def _begun(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEFORE)
        .not_valid_after(now + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by more than `mode` says."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    beside.replace(path)
