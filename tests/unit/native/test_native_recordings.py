"""Recordings, waveforms, words and keys over the native interface."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from callwright.audiofile import Peaks, Writer
from callwright.recordings import waveform
from callwright.recordings.keys import Keyring, seal_text
from callwright.recordings.model import Recording, RecordingType
from callwright.recordings.rewrap import missing_keys, rewrap
from callwright.store import Change, Store
from callwright.telephony import RecordOutcome, Tracks
from callwright.transcriptions import rows as transcription_rows
from callwright.transcriptions.model import Content, Said, TranscriptionStatus
from support.native_room import NOW, NOW_US, NativeRoom

CALL, LEG = uuid4(), uuid4()
OLD, NEW = bytes(range(32)), bytes(range(32, 64))
RAMP = np.arange(-8_000, 8_000, dtype="<i2")  # 2 s


@pytest.fixture
async def room(tmp_path):
    room = await NativeRoom.open(folder=tmp_path)
    yield room
    room.files.close()
    room.store.close()


async def recording(
    room: NativeRoom, sound: Any = RAMP, *, world: str = "live", tracks: Tracks = Tracks.FROM, over: bool = True
) -> Recording:
    world_id = room.accounts.world(world).id
    begun = room.recordings.begin(world_id, CALL, LEG, RecordingType.CALL, tracks, NOW_US)
    found, started = room.recordings.started(begun.recording, NOW_US)
    change = begun.change + started
    if over:
        writer = Writer(begun.path, found.channels, begun.key)
        writer.write(sound.tobytes())
        writer.close()
        found, finished = room.recordings.finished(found, RecordOutcome.STOPPED, 2_000, "", NOW_US)
        change += finished
    await room.store.commit(change)
    return found


def shown(one: Recording, **others: Any) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "callId": str(CALL),
        "legId": str(LEG),
        "type": "call",
        "status": "done",
        "tracks": "from",
        "channels": 1,
        "durationMs": 2_000,
        "detail": "",
        "storage": "local",
        "sealed": False,
        "file": f"/recordings/{one.id}.wav",
        "peaks": f"/api/recordings/{one.id}/peaks",
        "createdAt": NOW,
        "updatedAt": NOW,
    } | others


async def test_a_recording_and_lists_of_them(room):
    one = await recording(room)
    running = await recording(room, tracks=Tracks.BOTH, over=False)
    await recording(room, world="test")
    transcription = await room.transcriptions.make(one, "en-UK")
    is_running = shown(running, status="recording", tracks="both", channels=2, durationMs=0)
    assert (await room.customer("GET", f"/recordings?call={CALL}")).content == {
        "data": [is_running, shown(one)], "total": 2, "limit": 100, "offset": 0,
    }  # fmt: skip
    assert (await room.operator("GET", "/recordings?limit=1&offset=1")).content["data"] == [shown(one)]
    assert (await room.operator("GET", "/recordings", world="test")).content["total"] == 1
    assert (await room.customer("GET", f"/recordings?call={uuid4()}")).content["total"] == 0
    assert (await room.customer("GET", "/recordings?call=x")).status == 422
    written = {
        "id": str(transcription.id), "recordingId": str(one.id), "callId": str(CALL), "legId": str(LEG), "language": "en-GB",
        "status": "created", "error": None, "createdAt": NOW, "updatedAt": NOW,
    }  # fmt: skip
    assert (await room.customer("GET", f"/recordings/{one.id}")).content == shown(one, transcriptions=[written])
    assert (await room.customer("GET", f"/recordings/{uuid4()}")).status == 404


async def test_a_recording_pauses_and_goes_on(room):
    running = await recording(room, over=False)
    for what, status in (("pause", "paused"), ("resume", "recording")):
        reply = await room.customer("POST", f"/recordings/{running.id}/{what}")
        assert (reply.status, reply.content["status"]) == (200, status)
    over = await recording(room)
    reply = await room.customer("POST", f"/recordings/{over.id}/pause")
    assert (reply.status, reply.error["message"]) == (409, "The recording is over.")


async def test_a_waveform_in_columns(room):
    one = await recording(room)
    whole = (await room.customer("GET", f"/recordings/{one.id}/peaks")).content
    assert {key: whole[key] for key in whole if key != "data"} == {
        "length": 63, "channels": 1, "version": 2, "sample_rate": 8_000, "samples_per_pixel": 256, "bits": 8,
    }  # fmt: skip
    assert whole["data"][:4] == [-32, -31, -31, -30]
    few = (await room.customer("GET", f"/recordings/{one.id}/peaks?columns=10")).content
    assert (few["length"], few["samples_per_pixel"], len(few["data"])) == (9, 256 * 7, 18)
    assert few["data"][:2] == [-32, min(-32 + 7, 31)]
    assert few["data"][-1] == 31
    for wrong in ("0", "x", "99999999"):
        reply = await room.customer("GET", f"/recordings/{one.id}/peaks?columns={wrong}")
        assert (reply.status, reply.error["parameter"]) == (422, "columns")
    running = await recording(room, over=False)
    assert (await room.customer("GET", f"/recordings/{running.id}/peaks")).status == 404


def test_columns_of_two_channels():
    data = [-1, 1, -10, 10, -2, 2, -20, 20, -3, 3, -30, 30]
    found = waveform.columns(Peaks(data, 3, channels=2), 2)
    assert found == Peaks([-2, 2, -20, 20, -3, 3, -30, 30], 2, channels=2, samples_per_pixel=512)
    assert waveform.columns(Peaks(data, 3, channels=2), 3).data == data
    assert waveform.columns(Peaks([], 0), 5).data == []


async def test_the_sound_in_portions(room):
    one = await recording(room)
    whole = (await room.operator("GET", f"/recordings/{one.id}/sound")).content
    assert whole[44:] == RAMP.tobytes()
    assert (await room.operator("GET", f"/recordings/{one.id}/sound?offset=40&length=10")).content == whole[40:50]
    assert (await room.operator("GET", f"/recordings/{one.id}/sound?offset=99999999")).content is None
    running = await recording(room, over=False)
    assert (await room.operator("GET", f"/recordings/{running.id}/sound")).status == 404


async def test_a_transcription_with_its_words(room):
    transcription = await room.transcriptions.make(await recording(room), "nl-NL")
    path = f"/transcriptions/{transcription.id}"
    before = (await room.customer("GET", path)).content
    assert (before["status"], before["text"], before["words"]) == ("created", None, None)
    content = Content("Ja.", (Said("Ja.", 10, 200, 0.9, 1), Said("Nee.", 300, 400, None)), "engine 1")
    done = replace(transcription, status=TranscriptionStatus.DONE)
    await room.store.commit(Change((transcription_rows.update(done, content=msgspec.json.encode(content)),)))
    after = (await room.customer("GET", path)).content
    assert (after["status"], after["text"], after["engine"]) == ("done", "Ja.", "engine 1")
    assert after["words"] == [
        {"text": "Ja.", "startMs": 10, "endMs": 200, "confidence": 0.9, "channel": 1},
        {"text": "Nee.", "startMs": 300, "endMs": 400, "confidence": None, "channel": 0},
    ]
    assert (await room.operator("GET", path, world="test")).status == 404


async def sealed(room: NativeRoom) -> tuple[Recording, Any]:
    """A sealed recording and what was written down of it."""
    one = await recording(room)
    transcription = await room.transcriptions.make(one, "nl-NL")
    data_key = room.keys.make(transcription.id)
    content = seal_text(data_key.key, msgspec.json.encode(Content("Secret.")), transcription.id)
    done = replace(transcription, status=TranscriptionStatus.DONE, key_id=data_key.key_id)
    await room.store.commit(Change((transcription_rows.update(done, data_key, content),)))
    return one, done


async def test_keys_are_changed_without_touching_files(tmp_path):
    room = await NativeRoom.open(folder=tmp_path, keys={"old": OLD})
    made = [await sealed(room) for _ in range(3)]
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.sealed")}
    room.files.close()

    room.keys = Keyring({"new": NEW, "old": OLD})
    both = await rewrap(room.store, room.keys, "recordings"), await rewrap(room.store, room.keys, "transcriptions")
    assert both == ((3, {}), (3, {}))
    assert await rewrap(room.store, room.keys, "recordings") == (0, {})
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.sealed")} == files

    later = NativeRoom(folder=tmp_path, keys={"new": NEW})
    later.recordings._store = later.transcriptions._store = room.store
    for one, transcription in made:
        with await later.files.open(one) as sound:
            assert (await sound.read(44, 1 << 20)) == RAMP.tobytes()
        assert later.transcriptions.content(transcription) == Content("Secret.")
    later.files.close()
    for store in (room.store, later.store):
        store.close()


async def test_rewrapping_is_the_operators(tmp_path):
    room = await NativeRoom.open(folder=tmp_path, keys={"new": NEW, "old": OLD})
    await sealed(room)
    assert (await room.customer("POST", "/recordings/rewrap")).status == 403
    assert (await room.operator("POST", "/recordings/rewrap")).content == {
        "key": "new",
        "recordings": {"renewed": 0, "lost": {}},
        "transcriptions": {"renewed": 0, "lost": {}},
    }
    room.files.close()
    room.store.close()
    without = await NativeRoom.open()
    reply = await without.operator("POST", "/recordings/rewrap")
    assert (reply.status, reply.error["remedy"]) == (409, "Set recordings.keys, and start the server again.")
    without.files.close()
    without.store.close()


async def test_what_a_lost_key_has_sealed_is_counted(tmp_path):
    room = await NativeRoom.open(folder=tmp_path, keys={"old": OLD})
    one, transcription = await sealed(room)
    keys = Keyring({"new": NEW})
    assert missing_keys(room.store, keys) == {"old": 2}
    assert await rewrap(room.store, keys, "recordings") == (0, {"old": 1})
    assert missing_keys(room.store, Keyring({"new": NEW, "old": OLD})) == {}
    room.transcriptions._keys = room.recordings._keys = keys
    for path in (f"/recordings/{one.id}/sound", f"/recordings/{one.id}/peaks", f"/transcriptions/{transcription.id}"):
        reply = await room.customer("GET", path)
        assert (reply.status, "the key 'old'" in reply.error["message"]) == (503, True)
    room.files.close()
    room.store.close()


async def test_many_are_sealed_anew_in_portions(monkeypatch):
    monkeypatch.setattr("callwright.recordings.rewrap.AT_A_TIME", 2)
    store = Store.in_memory()
    old = NativeRoom(keys={"old": OLD})
    old.recordings._store = store
    for _ in range(5):
        begun = old.recordings.begin(uuid4(), CALL, LEG, RecordingType.IVR, Tracks.MIX, NOW_US)
        await store.commit(begun.change)
    assert await rewrap(store, Keyring({"new": NEW, "old": OLD}), "recordings") == (5, {})
    old.files.close()
    old.store.close()
    store.close()


async def test_a_list_of_transcriptions(room):
    one, other = await recording(room), await recording(room)
    elsewhere = await recording(room, world="test")
    made = [await room.transcriptions.make(of, "en-UK") for of in (one, other, one)]
    await room.transcriptions.make(elsewhere, "en-UK")

    async def listed(query: str) -> tuple[int, list[str]]:
        page = (await room.customer("GET", f"/transcriptions{query}")).content
        return page["total"], [found["id"] for found in page["data"]]

    first, second, third = (str(transcription.id) for transcription in made)
    assert await listed("") == (3, [third, second, first])
    assert await listed("?limit=1&offset=1") == (3, [second])
    assert await listed(f"?recording={one.id}") == (2, [third, first])
    assert await listed(f"?recording={elsewhere.id}") == (0, [])
    assert (await room.customer("GET", "/transcriptions?recording=nonsense")).status == 422
    assert (await room.customer("GET", "/transcriptions?call=x")).error["parameter"] == "call"
    alone = (await room.customer("GET", f"/transcriptions/{first}")).content
    assert alone == (await room.customer("GET", "/transcriptions?offset=2")).content["data"][0] | {
        "text": None,
        "words": None,
        "engine": None,
    }
