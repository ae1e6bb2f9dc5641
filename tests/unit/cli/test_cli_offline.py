"""The command line on a folder that no server works on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from callwright.cli import control, hoisted, main
from callwright.datafolder import DataFolder

FLOW = {"title": "Bye", "steps": [{"action": "hangup"}]}
SOMEWHERE = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in a folder of its own; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    for name in ("CALLWRIGHT_DATA", "CALLWRIGHT_CONFIG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        out, err = capsys.readouterr()
        return exit_.value.code, out, err

    return run


def lines(result):
    assert result[0] == 0, result
    return [line.split("\t") for line in result[1].splitlines()]


def test_a_key_is_made_listed_and_revoked(run, tmp_path):
    code, secret, aside = run("keys", "create", "test", "--label", "ci")
    assert code == 0
    assert secret.startswith("test_")
    assert secret.count("\n") == 1
    ((key_id, kind, ending, label, _, revoked),) = lines(run("keys", "list"))
    assert (kind, ending, label, revoked) == ("test", secret.strip()[-4:], "ci", "")
    assert key_id in aside
    assert run("keys", "revoke", key_id)[0] == 0
    (key,) = json.loads(run("keys", "list", "--json")[1])
    assert (key["id"], key["revokedAt"] is not None) == (key_id, True)
    assert run("keys", "revoke", key_id)[::2] == (1, f"callwright: There is no key {key_id} in force.\n")
    assert (tmp_path / "callwright-data").stat().st_mode & 0o077 == 0


def test_the_signing_keys_of_both_worlds(run):
    live, test, again = run("keys", "signing"), run("keys", "signing", "--test"), run("keys", "signing")
    assert live[0] == test[0] == 0
    assert live == again
    assert len({live[1], test[1]}) == 2


def test_a_signing_key_is_rotated_and_the_rotation_finished(run):
    old, other = run("keys", "signing", "--test")[1], run("keys", "signing")[1]
    code, new, aside = run("keys", "rotate-signing", "--test")
    assert (code, new != old, new.count("\n")) == (0, True, 1)
    assert "callwright keys rotate-signing --finish --test" in aside
    assert re.search(r"stays good until [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} UTC,", aside)
    assert run("keys", "signing") == (0, other, "")
    code, shown, aside = run("keys", "signing", "--test")
    assert (code, shown) == (0, new)
    assert old.strip() in aside
    code, _, refusal = run("keys", "rotate-signing", "--test", "--overlap", "60s")
    assert code == 1
    assert "A rotation is under way" in refusal
    assert run("keys", "rotate-signing", "--test", "--overlap", "60s", "--finish")[0] == 2
    assert run("keys", "rotate-signing", "--finish", "--test") == (0, new, "Callbacks are signed with this key alone.\n")
    again = run("keys", "rotate-signing", "--finish", "--test")
    assert again == (0, new, "No rotation was under way, so nothing has changed.\nCallbacks are signed with this key alone.\n")
    assert run("keys", "signing", "--test") == (0, new, "")
    made = json.loads(run("keys", "rotate-signing", "--overlap", "0", "--json")[1])
    assert (made["signingKey"] != other.strip(), made["oldSigningKey"]) == (True, None)
    made = json.loads(run("keys", "rotate-signing", "--overlap", "3d", "--json")[1])
    left = datetime.fromisoformat(made["oldUntil"]) - datetime.now(UTC)
    assert timedelta(days=2, hours=23) < left <= timedelta(days=3)
    code, _, refusal = run("keys", "rotate-signing", "--overlap", "soon")
    assert (code, "write 90s, 10m, 2h or 3d, or 0" in refusal) == (2, True)


def test_a_flow_is_saved_bound_and_made_the_default(run, tmp_path):
    (tmp_path / "flow.json").write_text(json.dumps(FLOW))
    ((flow_id,),) = lines(run("flows", "save", "flow.json"))
    assert run("numbers", "add", "+31 20 555 0100")[2].endswith("answered by the default flow.\n")
    assert run("flows", "bind", flow_id, "31205550101", "31205550102")[0] == 0
    assert [line[:2] for line in lines(run("numbers", "list"))] == [
        ["31205550102", flow_id],
        ["31205550101", flow_id],
        ["31205550100", "default"],
    ]
    assert run("flows", "default", flow_id)[0] == 0
    assert [line[:4] for line in lines(run("flows", "list"))] == [[flow_id, "Bye", "yes", "hangup"]]
    (tmp_path / "flow.json").write_text(json.dumps({"steps": [{"action": "pause", "options": {"length": 1}}]}))
    assert lines(run("flows", "save", "flow.json", "--replace", flow_id)) == [[flow_id]]
    assert json.loads(run("flows", "show", flow_id)[1])["steps"][0]["action"] == "pause"
    assert run("numbers", "remove", "+31205550101")[0] == 0
    assert [number["number"] for number in json.loads(run("numbers", "list", "--json")[1])] == ["31205550102", "31205550100"]


def test_worlds_are_apart(run):
    run("numbers", "add", "31205550100", "--test")
    assert lines(run("numbers", "list")) == []
    assert [line[0] for line in lines(run("numbers", "list", "--test"))] == ["31205550100"]


def test_long_lists_come_whole(run, monkeypatch):
    monkeypatch.setattr("callwright.cli.provisioning.PAGE", 2)
    wanted = [f"3120555010{n}" for n in range(5)]
    for number in wanted:
        run("numbers", "add", number)
    assert [line[0] for line in lines(run("numbers", "list"))] == wanted[::-1]


def test_the_data_folder_may_be_named_anywhere(run, tmp_path):
    run("keys", "create", "live", "--data", "elsewhere")
    assert (tmp_path / "elsewhere" / "callwright.db").exists()
    assert len(lines(run("--data=elsewhere", "keys", "list"))) == 1
    assert not (tmp_path / "callwright-data").exists()
    assert hoisted(["a", "--", "--data", "b"]) == ["a", "--", "--data", "b"]
    assert run("keys", "list", "--data")[0] == 2


@pytest.mark.parametrize(
    "command",
    [
        ("keys", "list"),
        ("numbers", "list"),
        ("flows", "list"),
        ("journal", SOMEWHERE),
        ("tag", SOMEWHERE),
        ("keys", "revoke", SOMEWHERE),
    ],
)
def test_reading_makes_no_folder(run, tmp_path, command):
    code, out, err = run(*command)
    assert (code, out) == (1, "")
    assert "callwright-data holds no Callwright data" in err
    assert "callwright serve" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("numbers", "add", "12"), 1, "is not a telephone number"),
        (("numbers", "add", "31205550100", "--flow", SOMEWHERE), 1, "There is no call flow"),
        (("flows", "save", "missing.json"), 1, "missing.json cannot be read: No such file or directory."),
        (("flows", "save", "callwright.toml"), 1, "The body is not valid JSON"),
        (("call", "31205550100", "31205550101", "--flow", "flow.json"), 1, "No server works on callwright-data"),
        (("keys", "create", "both"), 2, "'live', 'test'"),
        (("keys", "list", "--data", "callwright.toml"), 1, "callwright.toml holds no Callwright data"),
        (("keys", "create", "live", "--config", "missing.toml"), 1, "missing.toml: cannot be read"),
        (("settings", "--config", "callwright.toml"), 1, "htttp (callwright.toml): is not a section"),
        (("serve", "--set", "http.prot=1"), 1, "http.prot (command line): is not a setting; the nearest is http.port."),
        (("serve", "--http-port", "x"), 1, 'http.port = "x" (command line): must be a whole number'),
        (("serve", "--set", "nothing"), 2, "SECTION.KEY=VALUE"),
        (("nonsense",), 2, "nonsense"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_sentence_without_a_traceback(run, tmp_path, command, code, said):
    (tmp_path / "callwright.toml").write_text("[htttp]\nport = 1\n")
    got, out, err = run(*command)
    assert (got, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


def test_settings_say_where_they_come_from(run, tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text("[sip]\nport = 5070\n")
    monkeypatch.setenv("CALLWRIGHT_HTTP__PORT", "8081")
    rows = {row["key"]: row for row in json.loads(run("settings", "--json", "--config", "mine.toml")[1])}
    assert rows["sip.port"] == {"key": "sip.port", "value": "5070", "origin": "mine.toml"}
    assert rows["http.port"] == {"key": "http.port", "value": "8081", "origin": "environment CALLWRIGHT_HTTP__PORT"}
    assert rows["calls.ring_timeout"]["origin"] == "default"
    assert ["sip.port", "5070", "mine.toml"] in lines(run("settings", "--config", "mine.toml"))
    assert "#port = 8080" in run("settings", "--reference")[1]
    assert not (tmp_path / "callwright-data").exists()


def test_a_folder_whose_holder_does_not_answer(run, tmp_path, monkeypatch):
    monkeypatch.setattr(control, "PAUSE_S", 0.001)
    folder = DataFolder(tmp_path / "callwright-data")
    folder.prepare()
    with folder.lock("somebody else"):
        code, _, err = run("keys", "create", "live")
    assert code == 1
    assert err.startswith("callwright: somebody else (pid ")
    assert "does not answer" in err


def test_version(run):
    assert run("version") == run("--version")
    assert run("version")[1].startswith("callwright 0.")


def test_help_is_quick_to_import():
    """What the help needs is typer; the heavy libraries are for the commands that use them."""
    script = "import sys, callwright.cli.commands; print(' '.join(sys.modules))"
    loaded = set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split())
    assert loaded.isdisjoint(
        {"rich", "msgspec", "starlette", "numpy", "apsw", "asyncio", "aiohttp", "sippy", "prometheus_client"}
    )


def test_closed_standard_files_take_all(tmp_path):
    """What is made meanwhile must not be opened in their place."""
    command = 'exec "$0" -m callwright settings <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", command, sys.executable], cwd=tmp_path, check=False).returncode == 0
