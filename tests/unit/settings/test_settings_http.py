from __future__ import annotations

from pathlib import Path

import pytest

from callwright.certificates import CertificateFiles
from callwright.errors import SettingsError
from callwright.settings import load, rooms

PAIR = {"http.certificate": "/a.pem", "http.key": "/b.pem"}


def test_a_certificate_comes_with_its_key(tmp_path):
    assert rooms.certificate(load({}, {}, None, tmp_path).settings) is None
    both = load(PAIR | {"http.plain_port": 8081}, {}, None, tmp_path).settings
    assert rooms.certificate(both) == CertificateFiles(Path("/a.pem"), Path("/b.pem"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"http.certificate": "/a.pem"},
            'http.certificate = "/a.pem" (command line): and http.key must both be set, or neither.',
        ),
        (
            PAIR | {"http.key": "certs/b.pem"},
            'http.key = "certs/b.pem" (command line): must be a whole path, which begins with /.',
        ),
        ({"http.key": "/b.pem"}, 'http.certificate = "" (default): and http.key must both be set, or neither.'),
        (
            {"http.plain_port": 8081},
            "http.plain_port = 8081 (command line): is for servers with a certificate: "
            "without one, http.port has no TLS already.",
        ),
        (
            PAIR | {"http.plain_port": 8080},
            "http.plain_port = 8080 (command line): is http.port too; choose another port for what has no TLS.",
        ),
    ],
)
def test_half_of_it_is_refused(given, told, tmp_path):
    with pytest.raises(SettingsError) as caught:
        load(given, {}, None, tmp_path)
    assert str(caught.value) == told
