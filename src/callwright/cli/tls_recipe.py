"""``callwright tls-recipe``: how a client library of the original service is pointed at this server."""

from __future__ import annotations

import socket
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from callwright.certificates import BadCertificate, CertificateFiles, names
from callwright.cli import show
from callwright.cli.authority import make
from callwright.cli.control import NoServer, reach
from callwright.cli.place import Place
from callwright.cli.recipes import HOST, HTTPS_PORT, RECIPES, Here, names_of, recipe, written
from callwright.clock import SystemClock
from callwright.errors import CallwrightError
from callwright.settings import Settings, checks

PATIENCE_S = 3.0
# Of the network for documentation (RFC 5737): nothing is sent, only the way out is looked up.
_ELSEWHERE = ("192.0.2.1", 9)
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})


class _Listening(NamedTuple):
    """As the running server or, without one, the settings have it."""

    host: str
    port: int
    plain_port: int
    files: CertificateFiles | None


def run(place: Place, library: str | None, *, make_in: Path | None, address: str | None) -> None:
    """Print the recipe, or those there are; make a certificate first where that is wanted."""
    wanted = None if library is None else recipe(library)
    if address is not None:
        address = _checked(address)
    if wanted is None and make_in is None:
        show.table(("Library", "Package", "How"), [(name, one.package, one.how) for name, one in RECIPES.items()], empty="")
        return
    listening = _listening(place)
    here = _here(listening, address, (make_in or _folder(listening.files)).absolute())
    if make_in is not None:
        made = make(here.folder, names_of(here), SystemClock().now_us())
        here = here._replace(made=True, shown=None)
        authority = "A new authority" if made.is_new else "The authority that was there"
        show.aside(f"{authority} signed {made.certificate} for {', '.join(names_of(here))}; its key is {made.key}.")
    if wanted is not None:
        print(written(wanted, here))


def _checked(address: str) -> str:
    """It goes into a certificate, and into lines for a shell. Raises `CallwrightError`."""
    bare = address.removeprefix("[").removesuffix("]")
    try:
        return str(ip_address(bare))
    except ValueError:
        if checks.is_name(address):
            return address
    raise CallwrightError(
        f"--address {address!r} is neither a host name nor an IP address: write it alone, without https:// and port, such as "
        "voice.example.com."
    )


def _listening(place: Place) -> _Listening:
    try:
        with reach(place, server_only=True, answer_s=PATIENCE_S) as control:
            told = {row["key"]: row["value"] for row in control.get("/api/settings")["data"]}
            host, _, port = control.get("/api/state")["http"].rpartition(":")
            given = {key: _text(told[key]) for key in ("http.certificate", "http.key")}
            return _Listening(host.strip("[]"), int(port), int(told["http.plain_port"]), _files(*given.values()))
    except NoServer:
        chosen = place.settings().settings
        if chosen.http.port == 0:
            raise CallwrightError("http.port is 0, which is any free port: start the server first, or set a number.") from None
        return _configured(chosen)


def _configured(chosen: Settings) -> _Listening:
    http = chosen.http
    return _Listening(http.host, http.port, http.plain_port, _files(http.certificate, http.key))


def _text(toml: str) -> str:
    return str(tomllib.loads(f"value = {toml}")["value"])


def _files(certificate: str, key: str) -> CertificateFiles | None:
    return CertificateFiles(Path(certificate), Path(key)) if certificate else None


def _here(listening: _Listening, address: str | None, folder: Path) -> Here:
    host = address or _reached_at(listening.host)
    shown = f"[{host}]" if ":" in host else host
    main = f"{shown}:{listening.port}"
    if listening.files is None:
        return Here(None, f"http://{main}", host, folder)
    https = f"https://{shown}" if listening.port == HTTPS_PORT else f"https://{main}"
    plain = f"http://{shown}:{listening.plain_port}" if listening.plain_port else None
    return Here(https, plain, host, folder, on_443=listening.port == HTTPS_PORT, shown=_good_for_host(listening.files))


def _folder(files: CertificateFiles | None) -> Path:
    """Where an authority is or, apart from a certificate that another has signed and from its key, may be made."""
    if files is None:
        return Path()
    beside = files.certificate.parent
    return beside if (beside / "authority.pem").exists() else beside / "authority"


def _good_for_host(files: CertificateFiles) -> str | None:
    try:
        return str(files.certificate) if HOST in names(files.certificate) else None
    except BadCertificate:
        return None


def _reached_at(host: str) -> str:
    """An address of this machine: that of its way out, where the server listens on all of them."""
    if host not in _EVERY_ADDRESS:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        try:
            out.connect(_ELSEWHERE)
        except OSError:
            return "127.0.0.1"
        found: str = out.getsockname()[0]
        return found
