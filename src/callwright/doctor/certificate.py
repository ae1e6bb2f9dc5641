"""The certificate that HTTPS shows, and its key."""

from __future__ import annotations

import stat
from pathlib import Path

from callwright import certificates
from callwright.certificates import BadCertificate
from callwright.clock import SECOND_US, rfc3339
from callwright.doctor.findings import Findings, fault, note, ok, span, warning
from callwright.doctor.scene import Scene
from callwright.settings import rooms
from callwright.settings.checks import is_loopback

DAY_US = 86_400 * SECOND_US
SOON_DAYS = 14


def shown(scene: Scene) -> Findings:
    """Whether it can be used, for how long, and whether nobody else has the key."""
    files = rooms.certificate(scene.settings)
    if files is None:
        if not is_loopback(scene.settings.http.host):
            yield note(
                "certificate",
                "there is none, so keys and what is told of calls come here unencrypted",
                "Set http.certificate and http.key, unless a proxy with TLS is in front.",
            )
        return
    now_us = scene.clock.now_us()
    try:
        expires_us = certificates.check(files, now_us)
    except BadCertificate as error:
        yield fault("certificate", error.seen, f"{error.then[:1].upper()}{error.then[1:]}.")
        return
    left_us = expires_us - now_us
    seen = f"{files.certificate} is good until {rfc3339(expires_us)}"
    if left_us < SOON_DAYS * DAY_US:
        remedy = "Renew it: the server takes what it then finds in the files within a minute."
        yield warning("certificate", f"{seen}, which is in {span(left_us / SECOND_US)}", remedy)
    else:
        yield ok("certificate", seen)
    yield from _key(files.key)


def _key(path: Path) -> Findings:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & stat.S_IROTH:
        yield warning("certificate.key", f"{path} can be read by every user (mode {mode:03o})", f"chmod o= {path}")
    else:
        yield ok("certificate.key", f"{path} is closed to others")
