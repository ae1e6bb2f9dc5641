"""Recordings that go to object storage: when it works, when it fails, and when the process dies in between."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from callwright.api.downloads import PORTION
from callwright.clock import SystemClock
from callwright.errors import SettingsError
from callwright.recordings import rows
from callwright.recordings.files import Files, NoSound
from callwright.recordings.model import Kept, Recording
from callwright.recordings.objects import NoObject, ObjectFault, Objects
from callwright.recordings.s3 import S3Objects, S3Settings
from callwright.recordings.upkeep import PAUSES, Upkeep
from callwright.settings import Settings, rooms
from callwright.settings.recorded import RecordingsSection
from callwright.store import Store
from callwright.telephony import RecordOutcome, Tracks
from callwright.transcriptions import rows as transcription_rows
from support.fake_s3 import FakeS3
from support.rest import Rest

KEYS = {"2026": bytes(range(32))}
SOUND = bytes(range(256)) * 2_500  # 40 s
PATIENCE_S = 60.0


class Pausing(SystemClock):
    """Waits until it is told to go on; `paused` is how long each wait was to be."""

    def __init__(self) -> None:
        self.paused: list[float] = []
        self.waits = asyncio.Event()
        self._go = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.waits.set()
        await self._go.wait()
        self._go.clear()

    def go(self) -> None:
        self.waits.clear()
        self._go.set()


class Stage:
    """The interface, a bucket, and the worker between them."""

    def __init__(self, s3: FakeS3, store: Store, folder: Path, keys: dict[str, bytes] | None) -> None:
        self.s3 = s3
        self.store = store
        self.folder = folder
        self.objects = bucket(s3)
        self.rest = Rest(store, folder, keys=keys, objects=self.objects)
        self.clock = Pausing()
        self.upkeep = Upkeep(store, self.clock, self.rest.recordings, self.objects)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.upkeep.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def recording(self, **options: Any) -> Recording:
        return await self.rest.recording(await self.rest.inbound_call(), **options)

    def now(self, recording: Recording) -> Recording | None:
        return rows.find(self.store, recording.world_id, recording.id)

    def local(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not what():  # noqa: ASYNC110 - rows and files have no event to wait for
                await asyncio.sleep(0.01)

    async def moved(self, recording: Recording) -> None:
        await self.until(lambda: (now := self.now(recording)) is not None and now.kept is Kept.OBJECT and not self.local())

    async def wav(self, recording: Recording, asked: str = "") -> bytes:
        headers = {"range": asked} if asked else {}
        reply = await self.rest.live("GET", f"/recordings/{recording.id}.wav", headers=headers)
        assert reply.status == (206 if asked else 200), reply
        return reply.body


def bucket(s3: FakeS3, **options: str) -> S3Objects:
    given = {"bucket": s3.bucket, "endpoint": s3.endpoint, "prefix": "a/b/", "access_key": "operator", "secret_key": "secret"}
    return S3Objects(S3Settings(**(given | options)))


@pytest.fixture
def s3():
    server = FakeS3()
    yield server
    server.close()


@pytest.fixture(params=[None, KEYS], ids=["plain", "sealed"])
async def stage(request, s3, tmp_path):
    store = Store.in_memory()
    stage = Stage(s3, store, tmp_path, request.param)
    await stage.rest.prepare()
    yield stage
    stage.rest.files.close()
    store.close()


@pytest.mark.parametrize("tracks", [Tracks.FROM, Tracks.BOTH])
async def test_a_recording_goes_there_and_is_heard_as_before(stage, tracks):
    recording = await stage.recording(sound=SOUND, tracks=tracks)
    before = await stage.wav(recording)
    waveform = await stage.rest.files.peaks(recording)
    async with stage.working():
        await stage.moved(recording)
    assert sorted(stage.s3.objects) == [f"a/b/{recording.file}", f"a/b/{recording.file}.peaks"]
    assert (SOUND[:64] in stage.s3.objects[f"a/b/{recording.file}"]) is (recording.key_id == "")
    assert await stage.wav(recording) == before
    assert len(before) > PORTION  # in more than one request
    for asked, part in (
        ("bytes=0-43", before[:44]),
        ("bytes=40-8100", before[40:8101]),
        ("bytes=-5000", before[-5000:]),
        ("bytes=100000-", before[100_000:]),
        (f"bytes={len(before) - 1}-", before[-1:]),
    ):
        assert await stage.wav(recording, asked) == part
    moved = stage.now(recording)
    assert moved is not None
    assert await stage.rest.files.peaks(moved) == waveform


async def test_a_server_that_knows_no_ranges(stage):
    recording = await stage.recording(sound=SOUND)
    before = await stage.wav(recording)
    async with stage.working():
        await stage.moved(recording)
    stage.s3.ranges = False
    assert await stage.wav(recording, "bytes=70000-") == before[70_000:]


@pytest.mark.parametrize("status", [403, 500])
async def test_what_fails_is_tried_again_for_as_long_as_it_takes(stage, status):
    stage.s3.failing["PUT"] = status
    recording = await stage.recording()
    async with stage.working():
        for _ in range(len(PAUSES) + 2):
            await asyncio.wait_for(stage.clock.waits.wait(), PATIENCE_S)
            assert stage.now(recording) == recording
            assert len(await stage.wav(recording)) == 44 + 16_000
            stage.clock.go()
        assert stage.clock.paused[: len(PAUSES) + 1] == [*PAUSES, PAUSES[-1]]
        await asyncio.wait_for(stage.clock.waits.wait(), PATIENCE_S)
        stage.s3.failing.clear()
        stage.clock.go()
        await stage.moved(recording)


async def test_one_that_always_fails_does_not_hold_up_the_others(stage, monkeypatch):
    first, second = await stage.recording(), await stage.recording()
    put = stage.objects.put

    def refuses(name: str, path: Path) -> None:
        if name.startswith(first.file):
            raise ObjectFault("not this one")
        put(name, path)

    monkeypatch.setattr(stage.objects, "put", refuses)
    async with stage.working():
        await stage.until(lambda: stage.now(second).kept is Kept.OBJECT)
        await asyncio.wait_for(stage.clock.waits.wait(), PATIENCE_S)
    assert stage.now(first).kept is Kept.WAITING


async def test_a_successor_goes_on_with_what_was_left(stage):
    """The first died once with everything to do, and once between the copy and the record of it."""
    recording = await stage.recording(sound=SOUND)
    path = stage.rest.recordings.path(recording)
    stage.objects.put(recording.file, path)
    successor = Upkeep(stage.store, stage.clock, stage.rest.recordings, stage.objects)
    stage.upkeep = successor
    async with stage.working():
        await stage.moved(recording)
    assert len(await stage.wav(recording)) == 44 + len(SOUND)


@pytest.mark.parametrize("whole", [True, False])
async def test_a_recording_whose_maker_died_is_mended_and_stays_failed(stage, whole):
    async with stage.working():
        recording = await stage.recording(sound=SOUND, outcome=None)
        _, change = stage.rest.recordings.finished(recording, RecordOutcome.FAILED, 0, "media died", 1)
        if not whole:
            stage.rest.recordings.path(recording).write_bytes(b"RIFF")
        await stage.store.commit(change)
        await stage.moved(recording)
    now = stage.now(recording)
    assert (now.status.value, now.detail, now.duration_ms) == ("failed", "media died", 40_000 if whole else 0)
    if whole:
        assert (await stage.wav(recording))[44:] == SOUND
        assert (await stage.rest.files.peaks(now)).length == 1_250


async def test_a_failed_recording_without_a_file_stays_as_it_is(stage):
    recording = await stage.recording(sound=None, outcome=RecordOutcome.FAILED)
    async with stage.working():
        await stage.until(lambda: stage.now(recording).kept is Kept.LOCAL)
    assert stage.s3.objects == {}
    reply = await stage.rest.live("GET", f"/recordings/{recording.id}.wav")
    assert (reply.status, reply.json["errors"][0]["code"]) == (404, 13)


@pytest.mark.parametrize("moved", [True, False])
async def test_a_deleted_recording_is_erased_everywhere(stage, moved):
    recording, other = await stage.recording(), await stage.recording()
    if moved:
        async with stage.working():
            await stage.moved(recording)
            await stage.moved(other)
    assert (await stage.rest.live("DELETE", f"/recordings/{recording.id}")).status == 204
    async with stage.working():
        await stage.moved(other)
        await stage.until(lambda: rows.erasures(stage.store, 0, 1) == [])
    assert sorted(stage.s3.objects) == [f"a/b/{other.file}", f"a/b/{other.file}.peaks"]


async def test_an_erasure_that_fails_is_not_forgotten(stage):
    recording = await stage.recording()
    async with stage.working():
        await stage.moved(recording)
    stage.s3.failing["DELETE"] = 500
    await stage.rest.live("DELETE", f"/recordings/{recording.id}")
    async with stage.working():
        await asyncio.wait_for(stage.clock.waits.wait(), PATIENCE_S)
        assert stage.s3.objects
        stage.s3.failing.clear()
        stage.clock.go()
        await stage.until(lambda: not stage.s3.objects)


async def test_a_recording_that_is_deleted_while_it_is_copied_leaves_nothing(stage, monkeypatch):
    recording = await stage.recording()
    copied, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    put = stage.objects.put

    def slow(name: str, path: Path) -> None:
        put(name, path)
        if name == recording.file:
            loop.call_soon_threadsafe(copied.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(PATIENCE_S)

    monkeypatch.setattr(stage.objects, "put", slow)
    async with stage.working():
        await asyncio.wait_for(copied.wait(), PATIENCE_S)
        also = transcription_rows.delete_of_recording(recording.world_id, recording.id)
        await stage.rest.recordings.remove(recording, also=also)
        go_on.set()
        await stage.until(lambda: not stage.s3.objects and not stage.local() and not rows.erasures(stage.store, 0, 1))


async def test_a_recording_that_moves_between_reading_its_row_and_its_file(stage):
    recording = await stage.recording(sound=SOUND)
    async with stage.working():
        await stage.moved(recording)
    assert recording.kept is Kept.WAITING
    with await stage.rest.files.open(recording) as sound:
        assert sound.size == 44 + len(SOUND)


async def test_object_storage_that_is_away_is_told(stage):
    recording = await stage.recording()
    async with stage.working():
        await stage.moved(recording)
    stage.s3.failing.update(GET=503, HEAD=503)
    reply = await stage.rest.live("GET", f"/recordings/{recording.id}.wav")
    assert (reply.status, reply.json["errors"][0]["code"]) == (503, 99)
    stage.s3.failing.clear()
    stage.s3.objects.clear()
    reply = await stage.rest.live("GET", f"/recordings/{recording.id}.wav")
    assert (reply.status, reply.json["errors"][0]["code"]) == (404, 13)
    without = Files(stage.rest.recordings, None)
    moved = stage.now(recording)
    with pytest.raises(ObjectFault, match="say nothing any more"):
        await without.open(moved)
    with pytest.raises(NoSound):
        await stage.rest.files.peaks(moved)
    without.close()


def test_what_the_bucket_answers_is_told_in_words(s3, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"sound")
    objects: Objects = bucket(s3)
    with pytest.raises(NoObject):
        objects.size("absent")
    with pytest.raises(NoObject):
        objects.read("absent", 0, 10)
    objects.delete("absent")
    assert objects.read("absent", 0, 0) == b""
    with pytest.raises(ObjectFault, match="refused to put file: 404 NoSuchBucket") as caught:
        bucket(s3, bucket="other").put("file", file)
    assert not isinstance(caught.value, NoObject)
    with pytest.raises(ObjectFault, match="403 AccessDenied"):
        bucket(s3, access_key="somebody").put("file", file)
    assert "secret" not in repr(S3Settings(bucket="b", secret_key="secret"))


def test_nobody_at_the_endpoint(tmp_path):
    server = FakeS3()
    objects = bucket(server)
    server.close()
    with pytest.raises(ObjectFault, match="could not size"):
        objects.size("any")


def test_the_library_must_be_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    settings = Settings(recordings=RecordingsSection(storage="s3", bucket="calls"))
    with pytest.raises(SettingsError, match=r'pip install "callwright\[s3\]"'):
        rooms.recording_objects(settings)


def test_an_endpoint_that_cannot_be():
    settings = Settings(recordings=RecordingsSection(storage="s3", bucket="calls", endpoint="http://[::1"))
    with pytest.raises(SettingsError):
        rooms.recording_objects(settings)
    assert rooms.recording_objects(Settings()) is None
