"""The queue of transcriptions: what becomes of each, how many at once, and what a successor finds."""

from __future__ import annotations

import asyncio
import contextlib
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from callwright.audiofile import UnreadableSound, Writer
from callwright.calls.events import TOPIC as OUTBOX
from callwright.calls.rows import events_after
from callwright.clock import SystemClock
from callwright.errors import StoreUnavailable
from callwright.recordings.files import Files
from callwright.recordings.keys import KeyLost, Keyring
from callwright.recordings.model import Recording, RecordingType
from callwright.recordings.objects import ObjectFault
from callwright.recordings.recordings import Recordings
from callwright.speech.recognition.absent import NoTranscriber
from callwright.store import Change, Store, Wake
from callwright.telephony import RecordOutcome, Tracks, Transcript, TranscriptionFailed, Word
from callwright.transcriptions import events, rows
from callwright.transcriptions import queue as queues
from callwright.transcriptions.channels import together
from callwright.transcriptions.model import Content, Said, Transcription, TranscriptionStatus
from callwright.transcriptions.queue import Queue
from callwright.transcriptions.transcriptions import Transcriptions

WORLD, CALL, LEG = uuid4(), uuid4(), uuid4()
AT_US = 1_714_644_000_000_000
KEYS = {"one": bytes(range(32))}
LOUD = np.full(8_000, 700, "<i2")


class Listener:
    """Hears each file's first sample and length. `holds` keeps everybody waiting until `go`."""

    def __init__(self, *, holds: bool = False) -> None:
        self.asked: list[tuple[int, int, str]] = []
        self.waiting = asyncio.Semaphore(0)
        self.go = asyncio.Event()
        self.at_once = self.most_at_once = 0
        self.faults: list[Exception] = []
        if not holds:
            self.go.set()

    def refusal(self, language: str) -> str | None:
        return "No Greek here." if language == "el-GR" else None

    async def transcribe(self, wav: Path, language: str) -> Transcript:
        with wave.open(str(wav), "rb") as file:
            assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8_000, 2, 1)
            samples = np.frombuffer(file.readframes(1 << 30), "<i2")
        first = int(samples[0])
        self.asked.append((first, len(samples), language))
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        self.waiting.release()
        try:
            await self.go.wait()
            if self.faults:
                raise self.faults.pop(0)
            assert bool(np.all(samples == first))
            words = (Word(f"word{first}", first, first + 100, 0.5),)
            return Transcript(f"Word{first}.", words, language, "listener")
        finally:
            self.at_once -= 1


class Stage:
    def __init__(self, folder: Path, keys: dict[str, bytes] | None = None) -> None:
        self.store = Store.in_memory()
        self.clock = SystemClock()
        self.keys = Keyring(keys or {})
        self.recordings = Recordings(self.store, self.clock, folder, self.keys)
        self.files = Files(self.recordings)
        self.transcriptions = Transcriptions(self.store, self.clock, self.keys)

    async def recording(self, *, tracks: Tracks = Tracks.FROM, sound: Any = LOUD, over: bool = True) -> Recording:
        begun = self.recordings.begin(WORLD, CALL, LEG, RecordingType.IVR, tracks, AT_US)
        if sound is not None:
            writer = Writer(begun.path, begun.recording.channels, begun.key)
            writer.write(sound.tobytes())
            writer.close()
        await self.store.commit(begun.change)
        return await self.finish(begun.recording) if over else begun.recording

    async def finish(self, recording: Recording) -> Recording:
        done, change = self.recordings.finished(recording, RecordOutcome.KEY, 1_000, "", AT_US)
        await self.store.commit(change)
        return done

    async def asked(self, language: str = "nl-NL", **options: Any) -> Transcription:
        return await self.transcriptions.make(await self.recording(**options), language)

    @asynccontextmanager
    async def working(self, transcriber: Any, *, at_once: int = 1) -> AsyncIterator[Queue]:
        queue = Queue(self.store, self.clock, self.keys, self.files, transcriber, at_once=at_once)
        task = asyncio.create_task(queue.run())
        try:
            yield queue
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def now(self, transcription: Transcription) -> Transcription:
        return self.transcriptions.get(WORLD, transcription.id)

    async def over(self, transcription: Transcription) -> Transcription:
        async with asyncio.timeout(20):
            while self.now(transcription).status not in (TranscriptionStatus.DONE, TranscriptionStatus.FAILED):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return self.now(transcription)


@pytest.fixture(params=[None, KEYS], ids=["plain", "sealed"])
def stage(request, tmp_path):
    stage = Stage(tmp_path, request.param)
    yield stage
    stage.files.close()
    stage.store.close()


async def test_a_recording_is_written_down(stage):
    transcription = await stage.asked()
    listener = Listener(holds=True)
    async with stage.working(listener):
        await listener.waiting.acquire()
        assert stage.now(transcription).status is TranscriptionStatus.TRANSCRIBING
        assert stage.transcriptions.content(stage.now(transcription)) is None
        listener.go.set()
        done = await stage.over(transcription)
    assert (done.status, done.error, listener.asked) == (TranscriptionStatus.DONE, "", [(700, 8_000, "nl-NL")])
    content = stage.transcriptions.content(done)
    assert content == Content("Word700.", (Said("word700", 700, 800, 0.5),), "listener")
    stored = rows.content(stage.store, done)
    assert (b"Word700" in stored.content, stored.key_id) == ((True, "") if stage.keys.current == "" else (False, "one"))


async def test_two_channels_are_written_down_apart_and_put_together(stage):
    both = np.stack((np.full(8_000, 3_000, "<i2"), np.full(8_000, 500, "<i2")), axis=1)
    transcription = await stage.asked(tracks=Tracks.BOTH, sound=both)
    listener = Listener()
    async with stage.working(listener):
        done = await stage.over(transcription)
    assert listener.asked == [(3_000, 8_000, "nl-NL"), (500, 8_000, "nl-NL")]
    words = (Said("word500", 500, 600, 0.5, 1), Said("word3000", 3_000, 3_100, 0.5, 0))
    assert stage.transcriptions.content(done) == Content("word500\nword3000", words, "listener")


async def test_one_waits_for_its_recording_to_be_over(stage):
    recording = await stage.recording(over=False)
    transcription = await stage.transcriptions.make(recording, "")
    listener = Listener()
    async with stage.working(listener):
        other = await stage.over(await stage.asked())
        assert stage.now(transcription).status is TranscriptionStatus.CREATED
        await stage.finish(recording)
        assert (await stage.over(transcription)).language == "en-US"
    assert other.status is TranscriptionStatus.DONE


@pytest.mark.parametrize("at_once", [1, 2])
async def test_so_many_at_once_and_no_more(stage, at_once):
    made = [await stage.asked() for _ in range(5)]
    listener = Listener(holds=True)
    async with stage.working(listener, at_once=at_once):
        for _ in range(at_once):
            await listener.waiting.acquire()
        listener.go.set()
        for transcription in made:
            assert (await stage.over(transcription)).status is TranscriptionStatus.DONE
    assert (listener.most_at_once, len(listener.asked)) == (at_once, 5)


async def test_one_that_fails_says_why_and_the_next_goes_on(stage):
    first, second, third = [await stage.asked() for _ in range(3)]
    listener = Listener()
    listener.faults = [TranscriptionFailed("The recogniser died."), RuntimeError("a fault of ours")]
    async with stage.working(listener):
        failed, broken, done = [await stage.over(one) for one in (first, second, third)]
    assert (failed.status.value, failed.error) == ("failed", "The recogniser died.")
    assert (broken.status.value, broken.error) == ("failed", "A fault of the server; its log has the details.")
    assert done.status is TranscriptionStatus.DONE


async def test_without_a_transcriber_it_fails_with_what_to_do(stage):
    transcription = await stage.asked()
    async with stage.working(NoTranscriber()):
        failed = await stage.over(transcription)
    assert failed.status is TranscriptionStatus.FAILED
    assert failed.error.startswith("Nothing is set up to write recordings down. Either install the extra")


async def test_languages_that_cannot_be(stage):
    recording = await stage.recording()
    greek = await stage.transcriptions.make(recording, "el-GR")
    requested = stage.transcriptions.request(recording, "klingon", AT_US)
    await stage.store.commit(requested.change)
    async with stage.working(Listener()):
        assert (await stage.over(greek)).error == "No Greek here."
        assert (await stage.over(requested.transcription)).error == "'klingon' is not a language that can be written down."


async def test_a_recording_without_sound(stage):
    transcription = await stage.asked(sound=None)
    async with stage.working(Listener()):
        failed = await stage.over(transcription)
    assert failed.error == queues.NOT_HAD


async def test_a_successor_begins_anew_what_was_under_way(stage):
    transcription = await stage.asked()
    listener = Listener(holds=True)
    async with stage.working(listener):
        await listener.waiting.acquire()
    assert stage.now(transcription).status is TranscriptionStatus.TRANSCRIBING
    async with stage.working(Listener()):
        assert (await stage.over(transcription)).status is TranscriptionStatus.DONE


async def test_a_recording_that_is_deleted_meanwhile(stage):
    transcription = await stage.asked()
    recording = stage.recordings.get(WORLD, transcription.recording_id)
    listener = Listener(holds=True)
    async with stage.working(listener):
        await listener.waiting.acquire()
        also = rows.delete_of_recording(WORLD, recording.id)
        await stage.recordings.remove(recording, also=also)
        listener.go.set()
        assert (await stage.over(await stage.asked())).status is TranscriptionStatus.DONE
    assert stage.transcriptions.find(WORLD, transcription.id) is None
    assert rows.queued(stage.store, 10) == []


async def test_a_recording_that_is_deleted_before_it_is_opened(stage, monkeypatch, caplog):
    transcription = await stage.asked()
    opened = stage.files.open

    async def open_too_late(recording: Recording) -> Any:
        await stage.recordings.remove(recording, also=rows.delete_of_recording(WORLD, recording.id))
        monkeypatch.setattr(stage.files, "open", opened)
        return await opened(recording)

    monkeypatch.setattr(stage.files, "open", open_too_late)
    async with stage.working(Listener()):
        assert (await stage.over(await stage.asked())).status is TranscriptionStatus.DONE
    assert stage.transcriptions.find(WORLD, transcription.id) is None
    assert "recording_not_had" not in [record.getMessage() for record in caplog.records]


async def test_object_storage_that_is_away_for_a_while(stage, monkeypatch):
    monkeypatch.setattr(queues, "OBJECT_PAUSES", (0.01, 0.01))
    opened = stage.files.open
    faults = [ObjectFault("away"), ObjectFault("away")]

    async def open_later(recording: Recording) -> Any:
        if faults:
            raise faults.pop()
        return await opened(recording)

    monkeypatch.setattr(stage.files, "open", open_later)
    async with stage.working(Listener()):
        assert (await stage.over(await stage.asked())).status is TranscriptionStatus.DONE
        faults += [ObjectFault("away for good")] * 3
        assert (await stage.over(await stage.asked())).error == queues.NOT_HAD


async def test_a_database_that_takes_no_writes_costs_nothing_that_was_heard(stage, monkeypatch):
    monkeypatch.setattr(queues, "STORE_PAUSE_S", 0.01)
    transcription = await stage.asked()
    commit = stage.store.commit
    refusals = [0, 1, 1, 0]

    async def unwilling(change: Change) -> None:
        if refusals and refusals.pop():
            raise StoreUnavailable("the disk is full")
        await commit(change)

    listener = Listener()
    monkeypatch.setattr(stage.store, "commit", unwilling)
    async with stage.working(listener):
        assert (await stage.over(transcription)).status is TranscriptionStatus.DONE
    assert len(listener.asked) == 1


async def test_a_lost_key_is_told_to_whoever_reads(tmp_path):
    stage = Stage(tmp_path, KEYS)
    transcription = await stage.asked()
    async with stage.working(Listener()):
        done = await stage.over(transcription)
    keyless = Transcriptions(stage.store, stage.clock, Keyring({}))
    with pytest.raises(KeyLost, match="'one'"):
        keyless.content(done)
    stage.files.close()
    stage.store.close()


def heard(text: str, *words: tuple[str, int]) -> Transcript:
    return Transcript(text, tuple(Word(word, at, at + 50, None) for word, at in words), "", "engine")


@pytest.mark.parametrize(
    ("transcripts", "language", "text"),
    [
        ([heard("One, two.", ("One,", 0), ("two.", 100))], "en-GB", "One, two."),
        ([heard("A b.", ("A", 0), ("b.", 100)), heard("")], "en-GB", "A b."),
        ([heard("A c.", ("A", 0), ("c.", 200)), heard("B.", ("B.", 100))], "en-GB", "A\nB.\nc."),
        ([heard("你好", ("你", 0), ("好", 10)), heard("再见", ("再", 50), ("见", 60))], "zh-CN", "你好\n再见"),
        ([heard("All that I said."), heard("You.", ("You.", 0))], "en-GB", "All that I said.\nYou."),
        ([heard(""), heard("")], "en-GB", ""),
    ],
    ids=["mono", "one was silent", "turns", "no spaces", "without times", "nobody spoke"],
)
def test_what_was_heard_in_each_channel_is_one_text(transcripts, language, text):
    content = together(transcripts, language)
    assert (content.text, content.engine) == (text, "engine")
    assert list(content.words) == sorted(content.words, key=lambda word: word.start_ms)


# what customers are told


def told(stage: Stage, transcription: Transcription) -> list[tuple[str, str, str]]:
    """The events of one in the outbox: kind, status and error."""
    shown = [event for event in events_after(stage.store, 0, 100) if event.kind.startswith("transcription")]
    assert all((event.world_id, event.call_id, event.seq) == (WORLD, CALL, None) for event in shown)
    read = [(event.kind, events.unpack(event.content)) for event in shown]
    assert all(one.key_id == "" for _, one in read)
    return [(kind, one.status.value, one.error) for kind, one in read if one.id == transcription.id]


async def test_each_change_is_told_in_its_own_commit(stage):
    woken: list[Wake] = []
    transcription = await stage.asked()
    assert told(stage, transcription) == [("transcriptionCreated", "created", "")]
    stage.store.on(OUTBOX, woken.append)
    async with stage.working(Listener()):
        await stage.over(transcription)
    assert told(stage, transcription)[1:] == [
        ("transcriptionUpdated", "transcribing", ""),
        ("transcriptionUpdated", "done", ""),
    ]
    assert woken == [Wake(OUTBOX, WORLD, CALL)] * 2
    for (content,) in stage.store._reader.execute("SELECT content FROM events"):
        assert b"word" not in content.lower()  # what the listener hears is one after the other


@pytest.mark.parametrize(
    "fault",
    [KeyLost("sealed with the key 'one'"), OSError(5, "Input/output error", "/data/one.sealed"), UnreadableSound("/one")],
)
async def test_a_failure_is_told_and_names_neither_file_nor_key(stage, fault, monkeypatch, caplog):
    async def open_badly(recording: Recording) -> Any:
        raise fault

    monkeypatch.setattr(stage.files, "open", open_badly)
    transcription = await stage.asked()
    async with stage.working(Listener()):
        await stage.over(transcription)
    assert told(stage, transcription)[2:] == [("transcriptionUpdated", "failed", queues.NOT_HAD)]
    assert "recording_not_had" in [record.getMessage() for record in caplog.records]


async def test_one_that_was_deleted_meanwhile_is_not_told_of(stage):
    transcription = await stage.asked()
    listener = Listener(holds=True)
    async with stage.working(listener):
        await listener.waiting.acquire()
        before = told(stage, transcription)
        await stage.recordings.remove(
            stage.recordings.get(WORLD, transcription.recording_id),
            also=rows.delete_of_recording(WORLD, transcription.recording_id),
        )
        listener.go.set()
        await stage.over(await stage.asked())
    assert told(stage, transcription) == before


async def test_a_successor_tells_only_what_is_new(stage):
    transcription = await stage.asked()
    listener = Listener(holds=True)
    async with stage.working(listener):
        await listener.waiting.acquire()
    async with stage.working(Listener()):
        await stage.over(transcription)
    assert [status for _, status, _ in told(stage, transcription)] == ["created", "transcribing", "done"]
