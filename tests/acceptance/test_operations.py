"""The steps of the operations page, run as they stand there: backup, restore, and going back after an upgrade."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from support.server import Server, until

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
SETTINGS = {"simulator.speed": "20"}
PROGRAM = f"{sys.executable} -m callwright"
LONG = {
    "source": "31205550100",
    "destination": "31205550197",
    "callFlow": {"steps": [{"action": "pause", "options": {"length": 3600}}]},
}
PAUSE = {"action": "pause", "options": {"length": 1}}


def commands(title: str) -> list[list[str]]:
    """The lines of each indented block of a section."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"(?:^    .+\n)+", section, re.MULTILINE)
    return [[line.strip() for line in block.splitlines()] for block in blocks]


def run(line: str, places: dict[str, str]) -> None:
    for theirs, ours in places.items():
        line = line.replace(theirs, ours)
    subprocess.run(["bash", "-c", f"umask 077; {line}"], check=True, capture_output=True, text=True, timeout=240)


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
    data, backup = server.folder / "data", tmp_path / "backup"
    backup.mkdir()
    places = {"/var/lib/callwright": str(data), "/backup": str(backup), "callwright --data": f"{PROGRAM} --data"}
    ((make,), *_) = commands("You want a backup")
    ((stop, put_back, start),) = commands("You have to restore")
    place(server, "31205550198")
    up = server.test.post("/calls", LONG).made["id"]
    until(lambda: server.test.get(f"/calls/{up}").made["status"], lambda status: status == "ongoing")
    run(make, places)
    kept = server.test.listed("/calls")
    place(server, "31205550199")  # after the backup: it will not be there
    server.kill()

    assert (stop, start) == ("systemctl stop callwright", "systemctl start callwright")
    run(put_back, places)
    restored = Server.start(tmp_path / "server", SETTINGS, keys=server.keys)
    try:
        found = restored.test.listed("/calls")
        assert [call["id"] for call in found] == [call["id"] for call in kept]
        assert {call["id"]: call["status"] for call in found}[up] == "ended"
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
