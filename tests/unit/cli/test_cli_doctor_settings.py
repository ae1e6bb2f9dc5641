"""With which settings doctor looks: those of the running server, whatever this place has."""

from __future__ import annotations

import json
from contextlib import contextmanager

import msgspec
import pytest

from callwright.cli import doctor
from callwright.cli.place import Place
from callwright.settings import load, rows
from support.patient import server_state

PUBLIC = """
[sip]
host = "192.0.2.1"

[[trunks]]
name = "one"
address = "192.0.2.7"
from = ["192.0.2.0/28"]
username = "me"
password = "secret"

[[trunks]]
name = "two"
address = "192.0.2.8"
"""


@pytest.fixture
def beside(tmp_path, monkeypatch, capsys):
    """Run doctor in a folder with one text for its settings, beside a server that was started with another."""
    served = tmp_path / "served.toml"
    data = tmp_path / "data"
    data.mkdir(mode=0o700)

    def run(server, here, *, more=()):
        served.write_text(server)
        (data / "callwright.toml").write_text(here)
        (data / "callwright.toml").chmod(0o600)
        in_force = [msgspec.to_builtins(row) for row in rows(load({}, {}, served, tmp_path / "none"))]
        answers = {"/api/state": msgspec.to_builtins(server_state()), "/api/settings": {"data": [*in_force, *more]}}

        @contextmanager
        def reach(place, **_):
            class Control:
                get = staticmethod(answers.__getitem__)

            yield Control

        monkeypatch.setattr(doctor, "reach", reach)
        scenes = []
        examine = doctor.examine
        monkeypatch.setattr(doctor, "examine", lambda scene: scenes.append(scene) or examine(scene))
        code = doctor.run(Place(data, None), deep=False, strict=False, json=True)
        monkeypatch.setattr(doctor, "examine", examine)
        return code, json.loads(capsys.readouterr().out)["findings"], scenes[0].settings

    return run


def of_settings(findings):
    return [(one["check"], one["level"], one["seen"]) for one in findings if one["check"].startswith("settings")]


def test_a_typing_error_beside_a_server_that_strangers_could_reach(beside):
    code, findings, settings = beside(PUBLIC, PUBLIC.replace("host", "hots"))
    assert code == 1
    ((check, level, seen),) = of_settings(findings)
    assert (check, level) == ("settings", "fault")
    assert seen.startswith("sip.hots (")
    assert (settings.sip.host, [trunk.name for trunk in settings.trunks]) == ("192.0.2.1", ["one", "two"])
    assert settings.trunks[0].from_ == ("192.0.2.0/28",)
    assert settings.trunks[0].password not in ("", "secret")  # it has one, and nobody tells it
    assert {"trunks.one", "trunks.two"} <= {one["check"] for one in findings}


def test_a_server_with_a_settings_file_that_is_not_named_here(beside):
    _, findings, settings = beside(PUBLIC, "")
    assert of_settings(findings) == [
        ("settings", "ok", "all can be used"),
        (
            "settings.in_force",
            "note",
            "the server runs with another value of: sip.host, "
            + ", ".join(f"trunks[{n}].{key}" for n in (0, 1) for key in ("name", "address", "username", "password", "from")),
        ),
    ]
    assert [trunk.name for trunk in settings.trunks] == ["one", "two"]


def test_trunks_that_were_added_since(beside):
    _, _, settings = beside("", PUBLIC)
    assert settings.trunks == ()


@pytest.mark.parametrize(("here", "host"), [(PUBLIC, "192.0.2.1"), ("[sip]\nhots = 1\n", "127.0.0.1")])
def test_settings_of_another_version(beside, here, host):
    strange = {"key": "sip.later", "value": "1", "origin": "default"}
    _, findings, settings = beside(PUBLIC, here, more=[strange])
    ((check, level, seen),) = of_settings(findings)[-1:]
    assert (check, level) == ("settings.in_force", "warning")
    assert "sip.later (command line): is not a setting" in seen
    assert settings.sip.host == host
    assert findings[-1]["check"] != check  # the rest is looked at
