"""Settings of the door for HTTP out: what cannot be, what is not shown, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from callwright.egress.door import EgressSettings
from callwright.errors import SettingsError
from callwright.settings import Settings, load, rooms, rows
from callwright.settings.http import HttpSection
from callwright.settings.webhooks import EgressSection
from support.certificates import Authority

NOWHERE = Path("/nowhere")
PROXY = "http://us:hush@proxy.test:3128"


def test_the_room_is_told_all_of_it():
    section = EgressSection(allow=("10.0.0.0/8",), ca_file="/a.pem", proxy=PROXY)
    settings = Settings(egress=section, http=HttpSection(host="0.0.0.0"))
    assert rooms.egress(settings) == EgressSettings(
        allow=("10.0.0.0/8",), ca_file="/a.pem", proxy=PROXY, connections_remedy=rooms.FEW_CONNECTIONS
    )
    assert rooms.speech_egress().proxy == ""


def test_the_proxys_password_is_not_shown():
    loaded = load({}, {"CALLWRIGHT_EGRESS__PROXY": PROXY}, None, NOWHERE)
    assert loaded.settings.egress.proxy == PROXY
    shown = {row.key: row.value for row in rows(loaded)}
    assert shown["egress.proxy"] == "***"
    assert "hush" not in repr(loaded) + repr(loaded.settings) + repr(loaded.settings.egress) + repr(
        rooms.egress(loaded.settings)
    )


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("egress.proxy", "https://us:hush@proxy.test:3128", "egress.proxy (command line): must begin with http://"),
        ("egress.proxy", "http://us:hush@proxy.test", "egress.proxy (command line): must name a host and a port"),
        ("egress.ca_file", "/nowhere/ca.pem", "cannot be used as a file of authorities ([Errno 2] No such file or directory)"),
        ("egress.ca_file", __file__, "cannot be used as a file of authorities"),
    ],
)
def test_what_cannot_be_is_said(key, value, told):
    with pytest.raises(SettingsError) as caught:
        load({key: value}, {}, None, NOWHERE)
    assert told in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_file_of_authorities_is_read(tmp_path):
    path = str(Authority(tmp_path).file)
    assert load({"egress.ca_file": path}, {}, None, NOWHERE).settings.egress.ca_file == path
