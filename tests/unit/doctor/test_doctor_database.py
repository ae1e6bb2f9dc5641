"""Database files that are damaged, of another program, or none."""

from __future__ import annotations

import errno
import shlex

import apsw
import pytest

from callwright.doctor import Level, Scene, database, examination, examine, fix
from callwright.doctor.findings import Finding, fault
from callwright.errors import DataFolderError, StoreUnavailable
from callwright.store import Change, Store
from callwright.store.migrate import migrations
from callwright.store.survey import Survey
from support.machines import StillMachine
from support.patient import Said


def of_the_database(scene: Scene) -> list[Finding]:
    return [finding for finding in examine(scene) if finding.check.startswith("database.")]


def test_a_page_that_was_overwritten(patient):
    root = patient.ask("SELECT rootpage FROM sqlite_schema WHERE name = 'journal'")
    with patient.folder.database.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xa5" * 4096)
    found = of_the_database(patient.scene())
    assert [(finding.check, finding.level.value) for finding in found][:1] == [("database.integrity", "fault")]
    assert len({finding.seen for finding in found}) == len(found)  # told once, however many checks met it


def test_a_large_file_is_read_through_in_depth_only(patient, monkeypatch):
    asked = []
    faults = Survey.faults
    monkeypatch.setattr(Survey, "faults", lambda survey, *, deep: asked.append(deep) or faults(survey, deep=deep))
    held = patient.folder.database.stat().st_size
    monkeypatch.setattr(database, "LARGE", held)
    assert patient.says(database.integrity)[0].level == "ok"
    monkeypatch.setattr(database, "LARGE", held - 1)
    ((check, level, seen),) = patient.says(database.integrity)
    assert (check, level) == ("database.integrity", "note")
    assert seen.endswith("B were not read through")
    assert patient.says(database.integrity, deep=True)[0].level == "ok"
    assert asked == [False, True]


def test_an_index_that_lacks_a_row_is_found_in_depth(patient):
    """What a write that was lost in the middle leaves behind."""
    root = patient.ask("SELECT rootpage FROM sqlite_schema WHERE name = 'flows_by_pos'")
    with patient.folder.database.open("r+b") as file:
        file.seek((root - 1) * 4096)
        page = bytearray(file.read(4096))
        cells = int.from_bytes(page[3:5], "big")
        page[3:5] = (cells - 1).to_bytes(2, "big")
        file.seek((root - 1) * 4096)
        file.write(page)
    (told,) = patient.says(database.integrity, deep=True)
    assert (told.check, told.level) == ("database.integrity", "fault")
    assert "flows_by_pos" in told.seen


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + b"\xff" * 4000, b"not a database at all" * 300])
def test_a_file_that_is_no_database(patient, content):
    patient.folder.database.write_bytes(content)
    found = of_the_database(patient.scene())
    assert [(finding.check, finding.level.value) for finding in found][:1] == [
        ("database.integrity", "fault")
    ] or content == b""
    if content == b"":  # SQLite takes an empty file for a new database; then its tables are missed
        assert [finding.level.value for finding in found] == ["ok", "fault"]


def test_a_file_that_was_cut_off(patient):
    whole = patient.folder.database.read_bytes()
    patient.folder.database.write_bytes(whole[: len(whole) // 2])
    found = of_the_database(patient.scene())
    assert (found[0].check, found[0].level.value) == ("database.integrity", "fault")


def test_a_database_of_a_newer_program(patient):
    patient.sql("INSERT INTO migrations VALUES (9999, 'later', 'x')")
    found = of_the_database(patient.scene())
    assert [(finding.check, finding.level.value, finding.seen) for finding in found][1:] == [
        ("database.migrations", "fault", "migration 9999 (later) is of a newer program")
    ]
    assert not any(finding.check.startswith("records.") for finding in examine(patient.scene()))


def test_a_database_of_another_build(patient):
    patient.sql("UPDATE migrations SET checksum = 'other' WHERE number = 1")
    assert patient.says(database.history) == [Said("database.migrations", "fault", "migration 0001 (first) has another text")]


def test_a_database_that_is_to_be_migrated(patient):
    last = migrations()[-1].number
    patient.sql(f"DELETE FROM migrations WHERE number = {last}")
    assert patient.says(database.history) == [
        Said("database.migrations", "note", f"{last:04} will be applied at the next start; rows are not looked at before")
    ]
    assert not any(finding.check.startswith("records.") for finding in examine(patient.scene()))


def test_a_check_that_cannot_be_made_stops_no_other(patient):
    class Unplugged(StillMachine):
        def disk(self, path):
            raise OSError(errno.EIO, "Input/output error")

    found = list(examine(patient.scene(machine=Unplugged())))
    wrong = [(finding.check, finding.seen) for finding in found if finding.level is Level.FAULT]
    assert wrong == [("files.disk", "the check could not be made: [Errno 5] Input/output error")]
    assert found[-1].check == "clock.heartbeat"


def test_looking_leaves_no_trace(patient):
    before = patient.folder.database.read_bytes()
    list(examine(patient.scene(deep=True)))
    assert patient.folder.database.read_bytes() == before
    assert [path.name for path in patient.folder.root.iterdir() if path.is_file()] == ["callwright.db"]


async def test_what_is_looked_at_cannot_be_written(patient):
    survey = Survey.of(patient.folder.database)
    with pytest.raises(StoreUnavailable, match="only looked at"):
        await survey.commit(Change(()))
    survey.close()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataFolderError, match="CantOpenError"):
        Survey.of(tmp_path / "callwright.db")


def test_what_was_seen_while_a_server_started_is_forgotten(patient, monkeypatch):
    """Without a log the file is read as one that does not change; the server that starts meanwhile changes it."""
    stores, looks = [], []

    def look(scene, survey):
        looks.append(survey.read("doctor.heartbeats"))
        if len(looks) == 1:
            stores.append(Store.open(patient.folder.database, patient.clock))
        yield fault("mine", f"look {len(looks)}", "none")

    monkeypatch.setattr(examination, "OF_THE_DATABASE", (look,))
    try:
        assert [finding.seen for finding in examine(patient.scene()) if finding.check == "mine"] == ["look 2"]
    finally:
        stores[0].close()


def test_what_was_seen_while_a_server_came_and_went_is_forgotten(patient, monkeypatch):
    """It wrote its log back at its end, and left none."""
    looks = []

    def look(scene, survey):
        looks.append(survey.read("doctor.heartbeats"))
        if len(looks) == 1:
            patient.sql("UPDATE nodes SET heartbeat_us = 1")
        yield fault("mine", f"look {len(looks)}", "none")

    monkeypatch.setattr(examination, "OF_THE_DATABASE", (look,))
    assert [finding.seen for finding in examine(patient.scene()) if finding.check == "mine"] == ["look 2"]
    assert [at_us for _, at_us in looks[1]] == [1]


def test_a_database_beside_its_writer(patient):
    """What is committed and not yet written back is seen too."""
    store = Store.open(patient.folder.database, patient.clock)
    survey = Survey.of(patient.folder.database)
    try:
        assert survey.faults(deep=True) == []
        assert survey.history() == ([], [])
    finally:
        survey.close()
        store.close()


def test_indexes_and_triggers_that_are_missing_or_altered_are_found_and_made_again(patient):
    before = patient.ask("SELECT json_group_array(sql) FROM (SELECT sql FROM sqlite_schema ORDER BY type, name)")
    assert patient.says(database.schema)[0].level == "ok"
    connection = apsw.Connection(str(patient.folder.database))
    connection.execute("DROP TRIGGER calls_made; DROP INDEX calls_by_status; DROP INDEX calls_by_flow")
    connection.execute("CREATE INDEX calls_by_flow ON calls (flow_id); DROP TRIGGER flows_counted")
    connection.execute("CREATE TRIGGER flows_counted AFTER INSERT ON flows BEGIN SELECT 1; END")
    connection.close()
    ((check, level, seen),) = patient.says(database.schema)
    assert (check, level) == ("database.schema", "fault")
    for part in ("index calls_by_status", "trigger calls_made"):
        assert part in seen
    told = fix(patient.folder, patient.clock)
    for part in ("index calls_by_status", "index calls_by_flow", "trigger calls_made", "trigger flows_counted"):
        assert part in told.seen
    assert patient.says(database.schema) == [
        Said("database.schema", "ok", "tables, indexes and triggers are those of this program")
    ]
    assert patient.ask("SELECT json_group_array(sql) FROM (SELECT sql FROM sqlite_schema ORDER BY type, name)") == before


def test_an_index_that_the_rows_do_not_let_be_made(patient):
    connection = apsw.Connection(str(patient.folder.database))
    connection.execute("DROP INDEX legs_by_id; UPDATE legs SET id = x'11'; DROP TRIGGER calls_made")
    connection.close()
    with pytest.raises(DataFolderError, match=r"The index legs_by_id cannot be made again, and nothing was changed: UNIQUE"):
        fix(patient.folder, patient.clock)
    assert patient.ask("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'calls_made'") == 0


@pytest.mark.parametrize(
    ("made", "level", "seen"),
    [
        (
            "CREATE TRIGGER worm AFTER INSERT ON flows BEGIN DELETE FROM calls; END",
            "fault",
            "not of this program: trigger worm",
        ),
        ('CREATE UNIQUE INDEX "a\'b" ON calls (source)', "fault", "not of this program: index a'b"),
        ("CREATE INDEX by_node ON calls (node)", "warning", "not of this program: index by_node"),
        ("CREATE VIEW mine AS SELECT 1", "fault", "not of this program: view mine"),
        ("CREATE TABLE lost_and_found (a)", "warning", "not of this program: table lost_and_found"),
        ("ALTER TABLE calls ADD COLUMN mine", "fault", "missing or altered: table calls"),
    ],
)
def test_what_no_migration_makes(patient, made, level, seen):
    connection = apsw.Connection(str(patient.folder.database))
    connection.execute("DELETE FROM legs; DELETE FROM calls; ANALYZE")  # what SQLite makes for itself is no matter
    connection.execute(made)
    connection.close()
    assert patient.says(database.schema) == [Said("database.schema", level, seen)]
    (remedy,) = patient.remedies(database.schema).values()
    if "sqlite3 callwright.db " in remedy:
        connection = apsw.Connection(str(patient.folder.database))
        connection.execute(shlex.split(remedy.partition("server, then: ")[2])[2])
        connection.close()
        assert patient.says(database.schema)[0].level == "ok"
