from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from uuid import uuid4

import pytest

from callwright import audiofile
from callwright.audiofile import Writer, open_sound
from callwright.calls.events import TOPIC as OUTBOX
from callwright.calls.rows import events_after
from callwright.clock import SystemClock
from callwright.errors import Conflict, NotFound
from callwright.recordings import events, rows
from callwright.recordings.keys import Keyring
from callwright.recordings.model import Kept, Recording, RecordingStatus, RecordingType
from callwright.recordings.recordings import TOPIC, Begun, Recordings
from callwright.store import Change, Store, Wake
from callwright.telephony import RecordOutcome, Tracks
from callwright.transcriptions import rows as transcription_rows

WORLD, CALL, LEG = uuid4(), uuid4(), uuid4()
AT_US = 1_714_644_000_000_000  # 2024-05-02T10:00:00Z
SOUND = b"\x01\x02" * 12_000  # 1.5 s
KEYS = {"one": bytes(range(32))}


class Room:
    def __init__(self, folder: Path, keys: dict[str, bytes] | None = None, *, to_objects: bool = False) -> None:
        self.store = Store.in_memory()
        self.woken: list[Wake] = []
        self.store.on(TOPIC, self.woken.append)
        self.folder = folder
        self.to_objects = to_objects
        self.start(keys)

    def start(self, keys: dict[str, bytes] | None = None) -> Recordings:
        self.recordings = Recordings(self.store, SystemClock(), self.folder, Keyring(keys or {}), to_objects=self.to_objects)
        return self.recordings

    async def begin(self, tracks: Tracks = Tracks.FROM, *, started: bool = True) -> Begun:
        begun = self.recordings.begin(WORLD, CALL, LEG, RecordingType.CALL, tracks, AT_US)
        change = begun.change
        if started:
            recording, moved = self.recordings.started(begun.recording, AT_US + 1)
            begun = begun._replace(recording=recording)
            change += moved
        await self.store.commit(change)
        return begun

    def find(self, recording: Recording) -> Recording:
        return self.recordings.get(recording.world_id, recording.id)


def died(begun: Begun, sound: bytes = SOUND) -> None:
    """The process that recorded is killed."""
    writer = Writer(begun.path, begun.recording.channels, begun.key)
    writer.write(sound)
    writer.abandon()


def test_who_records_is_told_the_whole_path_where_the_data_folder_is_named_by_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begun = Room(Path("data")).recordings.begin(WORLD, CALL, LEG, RecordingType.CALL, Tracks.FROM, AT_US)
    assert begun.path == tmp_path / "data" / begun.recording.file


async def test_a_recording_from_its_beginning_to_its_end(tmp_path):
    room = Room(tmp_path)
    begun = await room.begin(started=False)
    recording = begun.recording
    assert (begun.key, begun.path) == (b"", tmp_path / "2024/05/02" / f"{recording.id}.wav")
    assert (begun.path.parent.is_dir(), begun.path.parent.stat().st_mode & 0o777) == (True, 0o700)
    seen = [room.find(recording)]
    for step in (room.recordings.started, room.recordings.paused, room.recordings.started):
        recording, change = step(recording, AT_US + len(seen))
        await room.store.commit(change)
        seen.append(room.find(recording))
    recording, change = room.recordings.finished(recording, RecordOutcome.SILENCE, 1_501, "", AT_US + 9)
    await room.store.commit(change)
    seen.append(room.find(recording))
    assert [one.status.value for one in seen] == ["initialised", "recording", "paused", "recording", "done"]
    assert [one.updated_us - AT_US for one in seen] == [0, 1, 2, 3, 9]
    assert seen[-1] == recording
    assert (recording.duration_s, recording.kept, recording.over) == (2, Kept.LOCAL, True)
    assert room.woken == [Wake(TOPIC, WORLD, recording.id)]


async def test_a_sealed_recording_keeps_its_key_apart(tmp_path):
    room = Room(tmp_path, KEYS)
    begun = await room.begin()
    assert (len(begun.key), begun.path.suffix, begun.recording.key_id) == (32, ".sealed", "one")
    assert begun.key not in repr(begun.recording).encode()
    assert room.recordings.key(begun.recording) == begun.key
    key_id, sealed = rows.data_key(room.store, begun.recording)
    assert key_id == "one"
    assert sealed is not None
    assert begun.key not in sealed


async def test_a_folder_that_cannot_be_made_is_left_to_the_engine_to_tell(tmp_path, caplog):
    (tmp_path / "2024").write_text("in the way")
    begun = await Room(tmp_path).begin()
    assert not begun.path.parent.exists()
    assert [record.getMessage() for record in caplog.records] == ["recording_folder_not_made"]


@pytest.mark.parametrize("keys", [None, KEYS], ids=["plain", "sealed"])
@pytest.mark.parametrize("tracks", [Tracks.FROM, Tracks.BOTH])
async def test_what_a_dead_process_recorded_is_kept(tmp_path, keys, tracks):
    room = Room(tmp_path, keys)
    begun = await room.begin(tracks)
    died(begun, SOUND * 2)
    assert await room.start(keys).settle() == 1
    settled = room.find(begun.recording)
    heard_ms = 3_000 // begun.recording.channels
    assert (settled.status, settled.duration_ms) == (RecordingStatus.DONE, heard_ms)
    with open_sound(begun.path, begun.key) as sound:
        assert (sound.complete, sound.read(44, 1 << 20)) == (True, SOUND * 2)
    assert begun.path.with_name(f"{begun.path.name}.peaks").exists()
    assert room.woken == [Wake(TOPIC, WORLD, settled.id)]
    assert await room.start(keys).settle() == 0


async def test_what_was_never_recorded_failed(tmp_path):
    room = Room(tmp_path)
    begun = await room.begin(started=False)
    await room.start().settle()
    settled = room.find(begun.recording)
    assert (settled.status, settled.duration_ms) == (RecordingStatus.FAILED, 0)
    assert settled.detail == "The server stopped before anything was recorded."


async def test_a_file_that_cannot_be_put_right_failed_and_the_next_is_settled(tmp_path):
    room = Room(tmp_path, KEYS)
    spoilt, lost, whole = [await room.begin() for _ in range(3)]
    spoilt.path.write_bytes(b"no sound")
    died(lost)
    died(whole)
    await room.store.commit(Change((rows.Write("recordings.reseal", ("gone", b"x" * 60, 2, "one")),)))
    assert await room.start(KEYS).settle() == 3
    settled = [room.find(begun.recording) for begun in (spoilt, lost, whole)]
    assert [one.status.value for one in settled] == ["failed", "failed", "done"]
    assert "cannot be put right" in settled[0].detail
    assert "the key 'gone'" in settled[1].detail
    assert lost.path.exists()  # for the day the key is found


async def test_recordings_that_go_to_object_storage_wait_for_it(tmp_path):
    room = Room(tmp_path, to_objects=True)
    begun = await room.begin()
    assert rows.waiting(room.store, 0, 10) == []
    recording, change = room.recordings.finished(begun.recording, RecordOutcome.FAILED, 10, "disk full", AT_US)
    await room.store.commit(change)
    assert [one.recording for one in rows.waiting(room.store, 0, 10)] == [recording]
    assert (recording.kept, recording.detail) == (Kept.WAITING, "disk full")


async def test_lists_of_a_world_a_call_and_a_leg(tmp_path):
    room = Room(tmp_path)
    made = [(await room.begin()).recording for _ in range(3)]
    other = room.recordings.begin(WORLD, uuid4(), uuid4(), RecordingType.IVR, Tracks.MIX, AT_US)
    elsewhere = room.recordings.begin(uuid4(), CALL, LEG, RecordingType.IVR, Tracks.TO, AT_US)
    await room.store.commit(other.change + elsewhere.change)
    assert rows.of_leg(room.store, WORLD, LEG, limit=2, offset=0) == (3, made[:0:-1])
    assert rows.of_call(room.store, WORLD, CALL, limit=9, offset=2) == (3, made[:1])
    assert rows.of_world(room.store, WORLD, limit=1, offset=0) == (4, [other.recording])
    assert rows.of_leg(room.store, WORLD, uuid4(), limit=9, offset=0) == (0, [])
    with pytest.raises(NotFound):
        room.recordings.get(elsewhere.recording.world_id, made[0].id)


async def test_deleting_takes_the_row_and_notes_the_file(tmp_path):
    room = Room(tmp_path)
    begun = await room.begin()
    also = transcription_rows.delete_of_recording(WORLD, begun.recording.id)
    with pytest.raises(Conflict, match="still being made"):
        await room.recordings.remove(begun.recording, also=also)
    done, change = room.recordings.finished(begun.recording, RecordOutcome.KEY, 10, "", AT_US)
    await room.store.commit(change)
    await room.recordings.remove(done, also=also)
    with pytest.raises(NotFound):
        room.find(done)
    ((_, file, kept),) = rows.erasures(room.store, 0, 10)
    assert (file, kept) == (done.file, Kept.LOCAL)


def test_every_query_uses_an_index():
    store = Store.in_memory()
    from callwright.store import queries

    for name, sql in queries.load().items():
        if name.startswith(("recordings.", "transcriptions.")) and not name.startswith("recordings.insert"):
            plan = store._reader.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?")).get
            steps = plan if isinstance(plan, list) else [plan]
            assert not [step for step in steps if "SCAN" in str(step) and "INDEX" not in str(step)], (name, steps)
    store.close()


# what customers are told


def told(room: Room) -> list[tuple[str, str, int]]:
    """The events in the outbox: kind, status and milliseconds."""
    shown = [(event, events.unpack(event.content)) for event in events_after(room.store, 0, 100)]
    assert all((event.world_id, event.call_id, event.seq) == (WORLD, CALL, None) for event, _ in shown)
    assert all(event.at_us == recording.updated_us for event, recording in shown)
    return [(event.kind, recording.status.value, recording.duration_ms) for event, recording in shown]


async def test_each_change_is_told_in_its_own_commit(tmp_path):
    room = Room(tmp_path, KEYS)
    woken: list[Wake] = []
    room.store.on(OUTBOX, woken.append)
    recording, change = (await room.begin(started=False))[:2]
    for step in (room.recordings.started, room.recordings.paused, room.recordings.started):
        recording, change = step(recording, AT_US)
        await room.store.commit(change)
    recording, change = room.recordings.finished(recording, RecordOutcome.KEY, 700, "", AT_US + 1)
    await room.store.commit(change)
    assert told(room) == [
        ("recordingCreated", "initialised", 0),
        ("recordingUpdated", "recording", 0),
        ("recordingUpdated", "paused", 0),
        ("recordingUpdated", "recording", 0),
        ("recordingUpdated", "done", 700),
    ]
    assert woken == [Wake(OUTBOX, WORLD, CALL)] * 5
    for (content,) in room.store._reader.execute("SELECT content FROM events"):
        shown = events.unpack(content)
        assert (shown.file, shown.key_id, shown.detail) == ("", "", "")


async def test_what_a_dead_process_left_is_told_when_it_is_settled(tmp_path):
    room = Room(tmp_path)
    begun = await room.begin()
    died(begun)
    await room.start().settle()
    assert told(room)[2:] == [("recordingUpdated", "done", 1_500)]


@pytest.mark.parametrize("deleted", [False, True])
async def test_what_is_saved_of_a_failed_recording_is_told_unless_it_was_deleted(tmp_path, deleted, monkeypatch):
    room = Room(tmp_path)
    begun = await room.begin()
    died(begun)
    failed, change = room.recordings.finished(begun.recording, RecordOutcome.LOST, 0, "the media process died", AT_US)
    await room.store.commit(change)
    before = len(told(room))
    repair = audiofile.repair

    def repaired(path: Path, key: bytes) -> int:
        if deleted:
            loop.call_soon_threadsafe(going.set)
            gone.wait(10)
        return repair(path, key)

    loop, going, gone = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    monkeypatch.setattr(audiofile, "repair", repaired)
    mending = asyncio.create_task(room.recordings.mend(WORLD, failed.id))
    if deleted:
        await going.wait()
        await room.recordings.remove(failed, also=transcription_rows.delete_of_recording(WORLD, failed.id))
        gone.set()
    await mending
    assert told(room)[before:] == ([] if deleted else [("recordingUpdated", "failed", 1_500)])
    await room.recordings.mend(WORLD, failed.id)
    assert len(told(room)) == before + (not deleted), "there is nothing new to tell"
