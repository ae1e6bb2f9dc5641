"""The steps of the operations page, run as they stand there: backup, restore, and going back after an upgrade."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import apsw
import pytest

from support.peers import require_peer
from support.server import Server, until

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
SETTINGS = {"simulator.speed": "20"}
PAUSE = {"action": "pause", "options": {"length": 1}}


def commands(title: str) -> list[list[str]]:
    """The lines of each indented block of a section."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"(?:^    .+\n)+", section, re.MULTILINE)
    return [[line.strip() for line in block.splitlines()] for block in blocks]


def run(line: str, places: dict[str, str]) -> None:
    for theirs, ours in places.items():
        line = line.replace(theirs, ours)
    subprocess.run(["bash", "-c", f"umask 077; {line}"], check=True, capture_output=True, text=True, timeout=60)


def place(server: Server, destination: str) -> None:
    asked = {"source": "31205550100", "destination": destination, "callFlow": {"steps": [PAUSE]}}
    call = server.test.post("/calls", asked).made["id"]
    until(lambda: server.test.get(f"/calls/{call}").made["status"], lambda status: status == "ended")


@pytest.fixture
def server(tmp_path):
    running = Server.start(tmp_path / "server", SETTINGS)
    yield running
    running.kill()


def test_a_backup_is_made_and_restored(server, tmp_path):
    require_peer("sqlite3", apt="sqlite3")
    data, backup = server.folder / "data", tmp_path / "backup"
    backup.mkdir()
    places = {"/var/lib/callwright": str(data), "/backup": str(backup)}
    (umask, copy, *files), restore = commands("You want a backup")
    assert umask == "umask 077"
    assert "VACUUM INTO" in copy
    place(server, "31205550198")
    for line in (copy, *files):
        run(line, places)
    assert (backup / "callwright.db").stat().st_mode & 0o077 == 0
    kept = server.test.listed("/calls")
    place(server, "31205550199")  # after the backup: it will not be there
    server.stop()

    stop, *steps, own, start = restore
    assert (stop, start) == ("systemctl stop callwright", "systemctl start callwright")
    assert own == "chown -R callwright: /var/lib/callwright"  # there is no such user here
    for line in steps:
        run(line, places)
    restored = Server.start(tmp_path / "server", SETTINGS, keys=server.keys)
    try:
        assert restored.test.listed("/calls") == kept
    finally:
        restored.kill()


def test_a_program_refuses_the_database_of_a_newer_one(server):
    server.stop()
    database = server.folder / "data" / "callwright.db"
    connection = apsw.Connection(str(database))
    connection.execute("INSERT INTO migrations VALUES (7777, 'name', 'x')")
    connection.close()
    before = database.read_bytes()
    with pytest.raises(AssertionError) as refused:
        Server.start(server.folder, SETTINGS, keys=server.keys)
    (words,) = commands("You want to upgrade")[0]
    assert words.rstrip("… ").replace("0007", "7777") in str(refused.value)
    assert database.read_bytes() == before
