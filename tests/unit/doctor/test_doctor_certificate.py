"""What doctor says of the certificate."""

from __future__ import annotations

from callwright.certificates import CertificateFiles
from callwright.cli import authority
from callwright.clock import SECOND_US
from callwright.doctor import certificate, ports
from callwright.settings import Settings
from callwright.settings.http import HttpSection
from support.patient import Said, said
from support.ports import free_port

DAY_US = 86_400 * SECOND_US
LASTS_US = 730 * DAY_US


def of(files: CertificateFiles, **more: object) -> Settings:
    return Settings(http=HttpSection(port=0, certificate=str(files.certificate), key=str(files.key), **more))


def made(patient, *, days_left: float = 730) -> CertificateFiles:
    begun_us = patient.clock.now_us() + round(days_left * DAY_US) - LASTS_US
    found = authority.make(patient.folder.root / "certificates", ["localhost"], begun_us)
    return CertificateFiles(found.certificate, found.key)


def look(patient, settings: Settings) -> list[Said]:
    return said(certificate.shown(patient.scene(settings=settings)))


def test_without_one_only_this_machine_is_spoken_to_in_the_clear(patient):
    assert look(patient, Settings()) == []
    assert [(one.check, one.level) for one in look(patient, Settings(http=HttpSection(host="0.0.0.0")))] == [
        ("certificate", "note")
    ]


def test_one_that_is_good(patient):
    files = made(patient)
    assert [(one.check, one.level) for one in look(patient, of(files))] == [("certificate", "ok"), ("certificate.key", "ok")]


def test_one_that_expires_soon_or_has_expired(patient):
    for days, level in ((14, "ok"), (13, "warning"), (0.75, "warning"), (0, "fault"), (-2, "fault")):
        files = made(patient, days_left=days)
        found = look(patient, of(files))
        assert (found[0].check, found[0].level) == ("certificate", level), days
        if level == "warning":
            assert found[0].seen.endswith(", which is in 13 days" if days == 13 else ", which is in 18 hours")


def test_a_key_that_others_may_read(patient):
    files = made(patient)
    files.key.chmod(0o640)
    assert look(patient, of(files))[1].level == "ok"
    files.key.chmod(0o644)
    assert look(patient, of(files))[1] == Said(
        "certificate.key", "warning", f"{files.key} can be read by every user (mode 644)"
    )


def test_one_that_is_not_there(patient):
    files = made(patient)
    files.key.unlink()
    (found,) = look(patient, of(files))
    assert found == Said("certificate", "fault", f"http.key {files.key} cannot be read (No such file or directory)")


def test_the_port_without_tls_is_looked_at_too(patient):
    found = said(ports.listening(patient.scene(settings=of(made(patient), plain_port=free_port()))))
    assert [(one.check, one.level) for one in found][:2] == [("ports.http", "note"), ("ports.plain_http", "ok")]
