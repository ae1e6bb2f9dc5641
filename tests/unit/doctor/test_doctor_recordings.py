"""Recordings that cannot be opened, have no file, or get nowhere."""

from __future__ import annotations

import asyncio
import base64

import msgspec
import pytest

from callwright.doctor import recordings
from callwright.recordings.model import Recording
from callwright.settings.recorded import RecordingsSection
from callwright.store import Store
from callwright.telephony import RecordOutcome
from support.patient import ANY_PORT, NOW_US, Patient
from support.rest import Rest

KEY = bytes(range(32))


def with_keys(*names: str):
    keys = tuple(f"{name}:{base64.b64encode(KEY).decode()}" for name in names)
    return msgspec.structs.replace(ANY_PORT, recordings=RecordingsSection(keys=keys))


def record(patient: Patient, *, sealed: bool = False, to_objects: bool = False) -> list[Recording]:
    """Three recordings; of the last nothing was ever written."""

    async def make() -> list[Recording]:
        store = Store.open(patient.folder.database, patient.clock)
        rest = Rest(store, patient.folder.recordings, keys={"old": KEY} if sealed else None)
        rest.recordings._to_objects = to_objects
        rest.clock.at_us = NOW_US - 10_800_000_000
        await rest.accounts.prepare()
        call = await rest.inbound_call()
        made = [await rest.recording(call), await rest.recording(call)]
        made.append(await rest.recording(call, None, outcome=RecordOutcome.FAILED))
        rest.files.close()
        store.close()
        return made

    return asyncio.run(make())


@pytest.mark.parametrize("look", [recordings.keys, recordings.files, recordings.waiting])
def test_where_there_are_none_nothing_is_told(patient, look):
    assert patient.says(look) == []


def test_files_that_are_not_there(patient):
    made = record(patient)
    assert patient.says(recordings.files) == [("recordings.files", "ok", "all of 2 are there")]
    (patient.folder.recordings / made[0].file).unlink()
    seen = f"1 of 2 recordings have no file: {made[0].file}"
    assert patient.says(recordings.files, deep=True) == [("recordings.files", "fault", seen)]


def test_keys_that_are_missing(patient):
    record(patient, sealed=True)
    sealed = "sealed with keys that are not in the settings seen here: 3 with old"
    assert patient.says(recordings.keys) == [("recordings.keys", "warning", sealed)]
    assert patient.says(recordings.keys, settings=with_keys("new"))[0].level == "warning"
    fine = [("recordings.keys", "ok", "all that is sealed can be opened")]
    assert patient.says(recordings.keys, settings=with_keys("new", "old")) == fine


def test_a_file_of_keys_that_cannot_be_read(patient):
    settings = msgspec.structs.replace(ANY_PORT, recordings=RecordingsSection(keys_file="/nowhere"))
    ((check, level, seen),) = patient.says(recordings.keys, settings=settings)
    assert (check, level) == ("recordings.keys", "fault")
    assert "/nowhere cannot be read" in seen


def test_recordings_that_wait_for_object_storage(patient):
    record(patient, to_objects=True)
    seen = "3 wait for object storage, the oldest for 3 hours"
    assert patient.says(recordings.waiting) == [("recordings.waiting", "warning", seen)]
    patient.sql(f"UPDATE recordings SET updated_us = {NOW_US - 1_000_000} WHERE kept = 'waiting'")
    assert patient.says(recordings.waiting) == [("recordings.waiting", "ok", "3 are on their way to object storage")]
