"""Counters and labels that are not those of the rows, and making them anew."""

from __future__ import annotations

import json

import pytest

from callwright.cli import doctor
from callwright.cli.place import Place
from callwright.clock import SystemClock
from callwright.doctor import counters, examine, fix
from callwright.errors import DataFolderError
from callwright.store import Store
from callwright.store.migrate import migrations
from support.patient import Patient, Said

TAGGED = 'UPDATE calls SET tags = \'["vip", "vip"]\', metadata = \'{"order": "7"}\' WHERE pos = 1'


def wrong(patient: Patient, *, deep: bool = False) -> dict[str, str]:
    """What is seen by each check that finds something."""
    told: dict[str, str] = {}
    for look in counters.CHECKS:
        for finding in patient.says(look, deep=deep):
            if finding.level != "ok":
                assert finding.level == "fault"
                told[finding.check] = finding.seen
    return told


def test_those_of_a_healthy_folder(patient):
    patient.sql(TAGGED)
    assert wrong(patient) == wrong(patient, deep=True) == {}
    assert patient.says(counters.calls, deep=True) == [Said("counters.calls", "ok", "counters and rows agree")]


@pytest.mark.parametrize(
    ("damage", "check", "seen"),
    [
        ("DELETE FROM call_blocks", "counters.calls", "a block of all calls counts 0, and its rows are "),
        ("DELETE FROM call_blocks WHERE level = 1", "counters.calls", "a span of blocks of all calls counts 0"),
        ("UPDATE call_blocks SET n = n + 1 WHERE level = 0", "counters.calls", "counts"),
        ("UPDATE call_blocks SET n = n - 1 WHERE level = 0 AND number_id <> x''", "counters.calls", "a block of number "),
        ("UPDATE call_blocks SET n = n + 1 WHERE level = 1", "counters.calls", "counts"),
        ("UPDATE call_blocks SET incoming_busy = incoming_busy - 1 WHERE level = 0", "counters.calls", "by status, direction"),
        ("UPDATE call_blocks SET outgoing_ended = outgoing_ended - 1 WHERE level = 1", "counters.calls", "by status"),
        ("UPDATE call_blocks SET oldest_us = oldest_us + 1 WHERE level = 0", "counters.calls", "time"),
        ("UPDATE call_blocks SET newest_us = newest_us - 1 WHERE level = 1", "counters.calls", "time"),
        ("UPDATE call_blocks SET first_end_us = first_end_us + 1 WHERE level = 1", "counters.calls", "time"),
        ("UPDATE call_blocks SET last_end_us = last_end_us - 1 WHERE level = 0", "counters.calls", "time"),
        ("INSERT INTO call_blocks SELECT world_id, randomblob(16), level, block, n, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "
         "1, 1, 1, 1 FROM call_blocks LIMIT 1", "counters.calls", "and its rows are 0"),
        ("INSERT INTO call_blocks SELECT world_id, number_id, level, block + 1, 9223372036854775807, 1, 1, 1, 1, 1, 1, 1, 1, "
         "1, 1, 1, 1, 1, 1, 1, 1, 1, 1 FROM call_blocks WHERE level = 0", "counters.calls", "counts 9223372036854775807"),
        ("INSERT INTO blocks SELECT world_id, list, parent_id, 0, block + 1, 9223372036854775807 FROM blocks WHERE level = 0",
         "counters.lists", "counts 9223372036854775807"),
        ("DELETE FROM blocks WHERE list = 'flows'", "counters.lists", "a block of flows counts 0, "),
        ("UPDATE blocks SET n = n + 1 WHERE list = 'numbers' AND level = 0", "counters.lists", "a block of numbers counts "),
        ("UPDATE blocks SET n = n + 1 WHERE list = 'webhooks' AND level = 1", "counters.lists", "a span of blocks of webhooks"),
        ("INSERT INTO blocks VALUES (x'00', 'recordings', x'', 0, 0, 4)", "counters.lists", "counts 4, and its rows are 0"),
        ("UPDATE calls SET status = 'failed' WHERE pos = 1", "counters.staged", "1 changes of calls"),
        ("DELETE FROM call_labels", "records.labels", "not found by a tag"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_found_and_made_anew(patient, damage, check, seen):
    patient.sql(TAGGED, damage)
    told = wrong(patient)
    assert seen in told[check]
    assert all(len(text) < 400 for text in told.values())
    assert wrong(patient, deep=True).keys() == told.keys()
    assert fix(patient.folder, SystemClock()).check == "fix"
    assert wrong(patient, deep=True) == {}


def test_a_label_that_no_call_has_is_found_in_depth(patient):
    patient.sql(TAGGED, "INSERT INTO call_labels SELECT world_id, 'order', '8', pos FROM calls WHERE pos = 1")
    assert wrong(patient) == {}
    assert "wrong, or slow" not in patient.remedies(counters.labels, deep=True)["records.labels"]
    assert wrong(patient, deep=True) == {"records.labels": "found by what no call has: '8'"}
    fix(patient.folder, SystemClock())
    assert wrong(patient, deep=True) == {}
    assert patient.ask("SELECT COUNT(*) FROM call_labels") == 2


def test_what_is_far_back_is_looked_at_in_depth_alone(patient):
    patient.sql(
        "UPDATE call_blocks SET n = n + 1 WHERE level = 0",
        "UPDATE sqlite_sequence SET seq = 5000000 WHERE name = 'calls'",
        "INSERT INTO calls SELECT NULL, world_id, x'77', status, source, destination, number_id, called, webhook_url, "
        "webhook_token, node, created_us, updated_us, ended_us, direction, flow_id, reason, answered_us, tags, metadata "
        "FROM calls WHERE pos = 1",
    )
    store = Store.open(patient.folder.database, SystemClock())  # and counted, with the next change
    store.close()
    assert set(wrong(patient)) == {"counters.calls", "counters.staged"}  # the call that was made by hand
    assert "a block of all calls counts 0, and its rows are 1" in wrong(patient)["counters.calls"]
    assert len(wrong(patient, deep=True)["counters.calls"]) > len(wrong(patient)["counters.calls"])


def test_fixing_is_for_a_folder_on_which_nobody_works(patient):
    patient.sql("DELETE FROM call_blocks")
    with (
        patient.folder.lock("callwright serve"),
        pytest.raises(DataFolderError, match=r"callwright serve \(pid \d+\) works on"),
    ):
        fix(patient.folder, SystemClock())
    assert "counters.calls" in wrong(patient)


def test_fixing_migrates_nothing(patient):
    patient.sql(f"DELETE FROM migrations WHERE number = {migrations()[-1].number}")
    before = patient.folder.database.read_bytes()
    with pytest.raises(DataFolderError, match=r"migration \d{4} is pending\. Make a backup and start the server"):
        fix(patient.folder, SystemClock())
    assert patient.folder.database.read_bytes() == before


def test_fixing_is_for_the_version_that_made_the_database(patient):
    patient.sql("INSERT INTO migrations VALUES (9999, 'later', 'x')")
    with pytest.raises(DataFolderError, match=r"migration 9999 \(later\) is of a newer program\): nothing was fixed. Run the"):
        fix(patient.folder, SystemClock())


def test_there_is_nothing_to_fix_where_there_is_no_database(tmp_path):
    with pytest.raises(DataFolderError, match="holds no database"):
        fix(Place(tmp_path, None).folder, SystemClock())
    assert list(tmp_path.iterdir()) == []


def test_the_command_fixes_and_then_looks(patient, capsys):
    patient.sql("DELETE FROM call_blocks")
    place = Place(patient.folder.root, None)
    doctor.run(place, deep=False, strict=False, json=True)
    before = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert before["counters.calls"]["level"] == "fault"
    assert "callwright doctor --fix" in before["counters.calls"]["remedy"]
    doctor.run(place, deep=False, strict=False, json=True, fixing=True)
    after = {finding["check"]: finding["level"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert (after["fix"], after["counters.calls"]) == ("ok", "ok")


def test_looking_at_counters_is_part_of_an_examination(patient):
    checks = [finding.check for finding in examine(patient.scene())]
    assert {"counters.calls", "counters.lists", "counters.staged", "records.labels"} <= set(checks)
