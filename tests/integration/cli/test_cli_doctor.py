"""`callwright doctor` as an operator runs it: beside a server, after its death, and where there never was one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest

from callwright.datafolder import DataFolder
from support.server import Server, until

PAUSE = {"action": "pause", "options": {"length": 3600}}
# Of the machine the tests run on, and of a server with any ports.
ABOUT_THE_MACHINE = ("clock.steps", "clock.synchronised", "disk.", "limits.", "ports.")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = Server.start(tmp_path_factory.mktemp("doctor") / "server")
    yield started
    started.kill()


def doctor(data: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status, and the findings by their checks."""
    command = [sys.executable, "-m", "callwright", f"--data={data}", "doctor", "--json", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CALLWRIGHT_")}
    environment |= {"CALLWRIGHT_HTTP__PORT": "0", "CALLWRIGHT_SIP__PORT": "0"}  # the usual ones may be another server's
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.stderr == ""
    told = json.loads(done.stdout)
    return done.returncode, {finding["check"]: finding for finding in told["findings"]}


def wrong(findings: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {
        check: finding["level"]
        for check, finding in findings.items()
        if finding["level"] in ("warning", "fault") and not check.startswith(ABOUT_THE_MACHINE)
    }


def test_a_server_with_a_call(server):
    placed = server.test.post("/calls", {"source": "31205550100", "destination": "31205550199", "callFlow": {"steps": [PAUSE]}})
    call = placed.made["id"]
    until(lambda: server.test.get(f"/calls/{call}").made["status"], lambda status: status == "ongoing")
    code, findings = doctor(server.folder / "data", "--deep")
    assert (code, wrong(findings)) == (0, {})
    assert findings["server.parts"]["seen"] == f"pid {server.process.pid}, all parts are healthy"
    assert findings["calls.stuck"]["seen"] == "1 live calls, all known to the server"
    assert findings["ports.sip"]["seen"] == f"the server listens on {server.sip} (UDP)"
    assert {"server.signalling", "server.media-1"} <= findings.keys()
    assert "media.ports" in findings["settings.in_force"]["seen"]  # flags of the running server, which no file has
    assert findings["ports.sound"]["seen"].startswith(f"{server.rtp_ports[0]} to {server.rtp_ports[-1]}, ")


def test_a_call_that_only_the_record_has(server):
    """The row is made by hand: the server does not know of it."""
    done = server.test.post("/calls", {"source": "31205550100", "destination": "31205550198", "callFlow": {"steps": [PAUSE]}})
    call = done.made["id"]
    until(lambda: server.test.get(f"/calls/{call}").made["status"], lambda status: status == "ongoing")
    assert server.test.delete(f"/calls/{call}").status == 204
    until(lambda: server.test.get(f"/calls/{call}").made["status"], lambda status: status == "ended")
    data = server.folder / "data"
    connection = apsw.Connection(str(data / "callwright.db"))
    connection.set_busy_timeout(5_000)
    row = bytes.fromhex(call.replace("-", ""))
    ended = connection.execute("SELECT status, ended_us, created_us FROM calls WHERE id = ?", (row,)).get
    connection.execute(
        "UPDATE calls SET status = 'ongoing', ended_us = NULL, created_us = created_us - 99000000 WHERE id = ?", (row,)
    )
    try:
        code, findings = doctor(data)
        assert (code, findings["calls.stuck"]["level"]) == (1, "fault")
        assert call in findings["calls.stuck"]["seen"]
    finally:
        connection.execute("UPDATE calls SET status = ?, ended_us = ?, created_us = ? WHERE id = ?", (*ended, row))
        # The server's next commit, be it a heartbeat, counts what was changed beside it.
        until(lambda: connection.execute("SELECT COUNT(*) FROM uncounted").get, lambda left: left == 0)
        connection.close()


def test_strict_minds_warnings(server):
    data = server.folder / "data"
    data.chmod(0o700)
    code, findings = doctor(data, "--strict")
    assert code == int(any(finding["level"] == "warning" for finding in findings.values()))
    command = [sys.executable, "-m", "callwright", f"--data={data}", "doctor"]
    plain = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert {line.split("\t")[1] for line in plain.stdout.splitlines()} == set(findings)
    assert "0 faults, " in plain.stderr


def test_a_frozen_server_and_then_a_killed_one(tmp_path):
    server = Server.start(tmp_path / "server")
    data = server.folder / "data"
    try:
        os.kill(server.process.pid, signal.SIGSTOP)
        code, findings = doctor(data)
        os.kill(server.process.pid, signal.SIGCONT)
        assert (code, findings["server.lock"]["level"]) == (1, "fault")
        assert findings["server.lock"]["seen"].endswith("does not answer; it is stopped (SIGSTOP)")
    finally:
        server.kill()
    code, findings = doctor(data)
    assert (code, wrong(findings)) == (0, {})
    assert findings["server.lock"]["seen"] == findings["server.socket"]["seen"] == "left by a server that was killed"


def test_a_server_that_starts_on_wrong_counters_says_so(tmp_path):
    server = Server.start(tmp_path / "server")
    database = server.folder / "data" / "callwright.db"
    try:
        placed = server.test.post(
            "/calls", {"source": "31205550100", "destination": "31205550199", "callFlow": {"steps": [PAUSE]}}
        )
        assert placed.status == 201
        server.kill()
        connection = apsw.Connection(str(database))
        connection.execute("UPDATE call_blocks SET n = n + 1, outgoing_ended = outgoing_ended + 1")
        connection.close()
        server = Server.start(tmp_path / "server", keys=server.keys)
        until(lambda: server.logged(event="counters_wrong"), lambda lines: [line["list"] for line in lines] == ["calls"])
    finally:
        server.kill()


def test_where_nothing_ever_ran(tmp_path):
    code, findings = doctor(tmp_path / "data")
    assert (code, findings["folder"]["level"]) == (0, "warning")
    assert doctor(tmp_path / "data", "--strict")[0] == 1
    assert list(tmp_path.iterdir()) == []


def test_settings_that_cannot_be_used(tmp_path):
    (tmp_path / "callwright.toml").write_text("[http]\nprot = 8080\n[sip]\nport = 'x'\n")
    code, findings = doctor(tmp_path)
    assert (code, findings["settings"]["level"]) == (1, "fault")


def test_asked_wrongly(tmp_path):
    command = [sys.executable, "-m", "callwright", "doctor", "--nonsense"]
    assert subprocess.run(command, capture_output=True, check=False, timeout=300, cwd=tmp_path).returncode == 2


def test_a_server_that_has_been_silent_for_so_long_that_no_more_may_wait(tmp_path):
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    waiting = []
    with folder.lock("callwright serve"), folder.bind_control() as listening:
        listening.listen(0)
        try:
            while True:
                waiting.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                waiting[-1].settimeout(0)
                with folder.control_address() as address:
                    waiting[-1].connect(address)
        except BlockingIOError:
            code, told = health(folder.root)
            found = doctor(folder.root)
        finally:
            for one in waiting:
                one.close()
    assert (code, told.splitlines()[0]) == (2, "unhealthy")
    assert f"server: The server takes no more connections at {folder.control_socket}" in told
    assert (found[0], found[1]["server.lock"]["level"]) == (1, "fault")
    assert found[1]["server.lock"]["seen"].startswith(f"callwright serve (pid {os.getpid()}) holds the folder")


def health(data: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "callwright", f"--data={data}", "health", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_health_is_a_word_and_a_status(server, tmp_path):
    assert health(server.folder / "data") == (0, "ok\n")
    assert json.loads(health(server.folder / "data", "--json")[1]) == {"status": "ok", "why": {}}
    code, told = health(tmp_path)
    assert (code, told.splitlines()[0]) == (2, "unhealthy")
    assert f"server: No server works on {tmp_path}." in told
    stopping = Server.start(tmp_path / "stopping", {"drain.seconds": "600"})
    try:
        body = {"source": "31205550100", "destination": "31205550199", "callFlow": {"steps": [PAUSE]}}
        call = stopping.test.post("/calls", body).made["id"]
        until(lambda: stopping.test.get(f"/calls/{call}").made["status"], lambda status: status == "ongoing")
        stopping.ask_to_stop()
        assert health(stopping.folder / "data") == (1, "unhealthy\nadmission: draining\n")
        assert stopping.test.delete(f"/calls/{call}").status == 204
        stopping.stopped()
    finally:
        stopping.kill()
