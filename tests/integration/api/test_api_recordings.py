"""Recordings and transcriptions over the compatible interface: what is shown, files and parts of them, and what is gone."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from callwright.audiofile import open_sound
from callwright.recordings.model import RecordingType
from callwright.store import Change, Store
from callwright.telephony import RecordOutcome, Tracks
from callwright.transcriptions import rows
from callwright.transcriptions.model import Content, Transcription, TranscriptionStatus
from support.rest import SECOND_US, Rest
from support.sound import tone

ABSENT = "00000000-0000-7000-8000-000000000000"
ZEROS = {"totalCount": 0, "pageCount": 0, "currentPage": 0, "perPage": 0}
SOUND = tone(500.0, 2_000).astype("<i2").tobytes()
KEYS = {"2026": bytes(range(32))}


async def of(rest: Rest, **options: Any) -> tuple[str, str, str]:
    """A recording of a new call: its id, its path under its leg, and that of the leg's recordings."""
    record = await rest.inbound_call()
    recording = await rest.recording(record, **options)
    below = f"/calls/{record.call.id}/legs/{recording.leg_id}/recordings"
    return str(recording.id), f"{below}/{recording.id}", below


async def test_a_recording_as_every_library_reads_it(rest: Rest) -> None:
    recording, long, below = await of(rest)
    links = {"self": f"/recordings/{recording}", "file": f"/recordings/{recording}.wav"}
    item = {
        "id": recording,
        "format": "wav",
        "type": "ivr",
        "legId": below.split("/")[4],
        "status": "done",
        "state": "done",
        "duration": 1,
        "createdAt": "2024-05-02T10:00:00Z",
        "updatedAt": "2024-05-02T10:00:02Z",
        "deletedAt": None,
        "_links": links,
    }
    for path in (long, f"/recordings/{recording}", f"/v1/recordings/{recording}/"):
        reply = await rest.live("GET", path)
        assert (reply.status, reply.json) == (200, {"data": [item], "_links": links, "pagination": ZEROS})
    listed = await rest.live("GET", f"{below}?limit=20&page=0")
    assert listed.json == {
        "data": [item],
        "_links": {"self": f"{below}?page=1"},
        "pagination": {"totalCount": 1, "pageCount": 1, "currentPage": 1, "perPage": 20},
    }


async def test_javas_way_to_view_a_recording(rest: Rest) -> None:
    recording, long, below = await of(rest)
    _, _, _, call, _, leg, *_ = ("", *long.split("/"))
    reply = await rest.live("GET", f"/calls/{call}?legs={leg}&recordings={recording}")
    assert reply.json == (await rest.live("GET", long)).json
    assert reply.json["data"][0]["state"] == "done"
    for query in (f"legs={leg}&recordings={ABSENT}", f"legs={ABSENT}&recordings={recording}", "legs=x&recordings=y"):
        reply = await rest.live("GET", f"/calls/{call}?{query}")
        assert (reply.status, reply.json["errors"][0]["code"]) == (404, 13), query
    assert (await rest.live("GET", f"/calls/{call}?legs={leg}")).json["data"][0]["id"] == call
    assert below in long


async def test_a_legs_recordings_are_newest_first_and_in_pages(rest: Rest) -> None:
    record = await rest.inbound_call()
    made = []
    for _ in range(3):
        made.append(await rest.recording(record))
        rest.clock.at_us += SECOND_US
    await rest.recording(record, leg=1, kind=RecordingType.TRANSFER)
    below = f"/calls/{record.call.id}/legs/{made[0].leg_id}/recordings"
    ids = [str(recording.id) for recording in reversed(made)]
    assert [item["id"] for item in (await rest.live("GET", below)).json["data"]] == ids
    second = await rest.live("GET", f"{below}?perPage=2&page=2")
    assert [item["id"] for item in second.json["data"]] == ids[2:]
    assert second.json["pagination"] == {"totalCount": 3, "pageCount": 2, "currentPage": 2, "perPage": 2}
    beyond = await rest.live("GET", f"{below}?page=9")
    assert (beyond.status, beyond.json["data"], beyond.json["pagination"]["totalCount"]) == (200, [], 3)


@pytest.mark.parametrize(
    ("outcome", "status", "duration"),
    [(None, "recording", 0), (RecordOutcome.FAILED, "failed", 2), (RecordOutcome.STOPPED, "done", 2)],
)
async def test_how_a_recording_stands(rest: Rest, outcome: RecordOutcome | None, status: str, duration: int) -> None:
    recording, *_ = await of(rest, sound=SOUND, outcome=outcome)
    item = (await rest.live("GET", f"/recordings/{recording}")).json["data"][0]
    assert (item["status"], item["state"], item["duration"]) == (status, status, duration)


async def test_a_recording_that_pauses_is_being_recorded(rest: Rest) -> None:
    record = await rest.inbound_call()
    recording = await rest.recording(record, outcome=None)
    _, change = rest.recordings.paused(recording, rest.clock.now_us())
    await rest.store.commit(change)
    assert (await rest.live("GET", f"/recordings/{recording.id}")).json["data"][0]["status"] == "recording"


async def test_a_path_whose_parents_do_not_match(rest: Rest) -> None:
    first, other = await rest.inbound_call(), await rest.inbound_call()
    recording = await rest.recording(first)
    transcription = await rest.transcriptions.make(recording, "")
    another = await rest.recording(first, leg=1)
    for call, leg in ((other.call.id, recording.leg_id), (first.call.id, first.legs[1].id), (ABSENT, ABSENT)):
        path = f"/calls/{call}/legs/{leg}/recordings/{recording.id}"
        for method, tail in (
            *(("GET", tail) for tail in ("", ".wav", "/transcriptions", f"/transcriptions/{transcription.id}.txt")),
            ("DELETE", ""),
            ("POST", "/transcriptions"),
        ):
            reply = await rest.live(method, path + tail)
            assert (reply.status, reply.json["errors"][0]["code"]) == (404, 13), (method, path, tail)
    reply = await rest.live("GET", f"/calls/{other.call.id}/legs/{first.legs[0].id}/recordings")
    assert (reply.status, reply.json["errors"][0]["code"]) == (404, 13)
    path = f"/calls/{first.call.id}/legs/{another.leg_id}/recordings/{another.id}/transcriptions/{transcription.id}"
    assert (await rest.live("GET", path)).status == 404
    assert (await rest.live("GET", f"/recordings/{recording.id}")).status == 200


@pytest.mark.parametrize("tracks", [Tracks.FROM, Tracks.BOTH])
async def test_a_file_is_downloaded_whole(rest: Rest, tracks: Tracks) -> None:
    recording, long, _ = await of(rest, sound=SOUND, tracks=tracks)
    for method, path in (("GET", f"{long}.wav"), ("POST", f"{long}.wav"), ("GET", f"/v1/recordings/{recording}.wav/")):
        reply = await rest.live(method, path, headers={"accept": "audio/*"})
        assert (reply.status, reply.body[44:]) == (200, SOUND)
        assert (reply.body[:4], reply.body[22]) == (b"RIFF", 2 if tracks is Tracks.BOTH else 1)
        etag = reply.headers.pop("etag")
        assert etag.startswith('"')
        assert reply.headers == {
            "content-type": "audio/wav",
            "content-length": str(44 + len(SOUND)),
            "content-disposition": f'attachment; filename="{recording}.wav"',
            "accept-ranges": "bytes",
            "cache-control": "private",
        }
    head = await rest.live("HEAD", f"/recordings/{recording}.wav")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(44 + len(SOUND)))
    again = await rest.live("GET", f"/recordings/{recording}.wav", headers={"if-none-match": f'"x", W/{etag}'})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-3", 0, 4),
        ("bytes=40-99", 40, 100),
        ("bytes=44-", 44, None),
        ("Bytes = 100 - 300000", 100, None),
        ("bytes=-100", -100, None),
        ("bytes=-300000", 0, None),
        ("bytes=32043-32043", 32_043, None),
    ],
)
async def test_a_part_of_a_file(rest: Rest, asked: str, start: int, stop: int | None) -> None:
    recording, *_ = await of(rest, sound=SOUND)
    whole = await rest.live("GET", f"/recordings/{recording}.wav")
    reply = await rest.live("GET", f"/recordings/{recording}.wav", headers={"range": asked})
    expected = whole.body[start:stop]
    first = range(len(whole.body))[start]
    assert (reply.status, reply.body, reply.headers["content-length"]) == (206, expected, str(len(expected)))
    assert reply.headers["content-range"] == f"bytes {first}-{first + len(expected) - 1}/{len(whole.body)}"
    assert reply.headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize("asked", ["bytes=32044-", "bytes=99999-100000", "bytes=-0"])
async def test_a_part_that_is_not_there(rest: Rest, asked: str) -> None:
    recording, *_ = await of(rest, sound=SOUND)
    reply = await rest.live("GET", f"/recordings/{recording}.wav", headers={"range": asked})
    assert (reply.status, reply.headers["content-range"]) == (416, "bytes */32044")
    assert reply.json["errors"][0]["message"].startswith("The file has 32044 bytes")


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "bytes=5-3", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=1", "bytes=--1"])
async def test_what_is_no_single_part_is_the_whole(rest: Rest, asked: str) -> None:
    recording, *_ = await of(rest, sound=SOUND)
    reply = await rest.live("GET", f"/recordings/{recording}.wav", headers={"range": asked})
    assert (reply.status, len(reply.body)) == (200, 32_044)


async def test_a_part_only_of_the_file_that_was_meant(rest: Rest) -> None:
    recording, *_ = await of(rest, sound=SOUND)
    etag = (await rest.live("HEAD", f"/recordings/{recording}.wav")).headers["etag"]
    for condition, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200), ("Wed, 21 Oct 2015 07:28:00 GMT", 200)):
        headers = {"range": "bytes=0-9", "if-range": condition}
        assert (await rest.live("GET", f"/recordings/{recording}.wav", headers=headers)).status == status, condition
    assert (await rest.live("HEAD", f"/recordings/{recording}.wav", headers={"range": "bytes=0-9"})).status == 200


async def test_a_file_that_is_not_there_yet_or_never_was(rest: Rest) -> None:
    running, *_ = await of(rest, sound=SOUND, outcome=None)
    empty, *_ = await of(rest, sound=None, outcome=RecordOutcome.FAILED)
    broken, *_ = await of(rest, sound=SOUND, outcome=RecordOutcome.FAILED)
    for recording in (running, empty):
        for method in ("GET", "POST"):
            reply = await rest.live(method, f"/recordings/{recording}.wav")
            assert (reply.status, reply.json["errors"][0]["code"]) == (404, 13)
    full, *_ = await of(rest, sound=None, outcome=RecordOutcome.FAILED, detail="No space left on device.")
    for recording, told in (
        (running, "The recording is not over yet."),
        (empty, "Nothing was recorded."),
        (full, "Nothing was recorded. The recording failed: No space left on device."),
    ):
        message = (await rest.live("GET", f"/recordings/{recording}.wav")).json["errors"][0]["message"]
        assert message == f"There is no file of recording `{recording}`: {told}"
    assert (await rest.live("GET", f"/recordings/{broken}.wav")).status == 200  # what was heard until it failed
    reply = await rest.live("GET", f"/recordings/{broken}.mp3")
    assert (reply.status, reply.json["errors"][0]["code"]) == (404, 13)


async def test_a_recording_is_deleted_with_all_that_is_of_it(rest: Rest) -> None:
    record = await rest.inbound_call()
    recording, other = await rest.recording(record), await rest.recording(record)
    transcription, kept = [await rest.transcriptions.make(one, "") for one in (recording, other)]
    below = f"/calls/{record.call.id}/legs/{recording.leg_id}/recordings"
    reply = await rest.live("DELETE", f"{below}/{recording.id}", {})
    assert (reply.status, reply.body) == (204, b"")
    for path in (f"{below}/{recording.id}", f"/recordings/{recording.id}.wav", f"/transcriptions/{transcription.id}"):
        reply = await rest.live("GET", path)
        assert (reply.status, reply.json["errors"][0]["code"]) == (404, 13)
    assert (await rest.live("DELETE", f"{below}/{recording.id}")).status == 404
    assert [item["id"] for item in (await rest.live("GET", below)).json["data"]] == [str(other.id)]
    assert (await rest.live("GET", f"/transcriptions/{kept.id}")).status == 200


async def test_a_recording_that_runs_is_not_deleted(rest: Rest) -> None:
    recording, *_ = await of(rest, outcome=None)
    reply = await rest.live("DELETE", f"/recordings/{recording}")
    assert (reply.status, reply.json["errors"][0]["code"]) == (422, 10)
    assert (await rest.live("GET", f"/recordings/{recording}")).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"language": "nl-NL"},
        {"Language": "NL-nl"},
        b'"nl-NL"',
        b'"{\\"language\\": \\"nl_NL\\"}"',
        {"language": "nl-NL", "title": None},
    ],
)
async def test_a_transcription_is_asked_for_in_every_librarys_way(rest: Rest, body: Any) -> None:
    recording, long, _ = await of(rest)
    for path in (f"{long}/transcriptions", f"{long}/transcriptions/", f"/recordings/{recording}/transcriptions"):
        reply = await rest.live("POST", path, body, headers={"content-type": "text/plain"})
        (item,) = reply.json["data"]
        links = {"self": f"/transcriptions/{item['id']}", "file": f"/transcriptions/{item['id']}.txt"}
        assert (reply.status, reply.json["_links"], item) == (
            201,
            links,
            {
                "id": item["id"],
                "recordingId": recording,
                "legId": long.split("/")[4],
                "status": "created",
                "error": None,
                "createdAt": "2024-05-02T10:00:00Z",
                "updatedAt": "2024-05-02T10:00:00Z",
                "_links": links,
            },
        )
        assert (await found(rest, item)).language == "nl-NL"
    assert (await rest.live("GET", f"{long}/transcriptions")).json["pagination"]["totalCount"] == 3


async def found(rest: Rest, item: dict[str, Any]) -> Transcription:
    return rest.transcriptions.get(rest.accounts.world("live").id, UUID(item["id"]))


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'""', b"  ", {"language": ""}, {"language": None}, b"[]"])
async def test_a_transcription_without_a_language_is_in_the_one_of_the_settings(rest: Rest, body: Any) -> None:
    recording, long, _ = await of(rest)
    reply = await rest.live("POST", f"{long}/transcriptions", body)
    assert reply.status == 201
    assert (await found(rest, reply.json["data"][0])).language == "en-US"
    assert recording


@pytest.mark.parametrize(
    ("sent", "kept"), [("en-UK", "en-GB"), ("EN-gb", "en-GB"), ("es-LA", "es-419"), ("pl-PL", "pl-PL"), ("de", "de")]
)
async def test_languages_and_their_other_names(rest: Rest, sent: str, kept: str) -> None:
    _, long, _ = await of(rest)
    reply = await rest.live("POST", f"{long}/transcriptions", {"language": sent})
    assert (await found(rest, reply.json["data"][0])).language == kept


@pytest.mark.parametrize(
    ("body", "code"),
    [({"language": "tlh-KX"}, 10), (b'"klingon"', 10), ({"language": 7}, 10), (b"nl-NL", 21), (b"[1]", 21), (b"7", 21)],
)
async def test_a_language_nobody_knows_is_refused_before_anything_is_queued(rest: Rest, body: Any, code: int) -> None:
    _, long, _ = await of(rest)
    reply = await rest.live("POST", f"{long}/transcriptions", body)
    assert (reply.status, reply.json["errors"][0]["code"]) == (422, code)
    assert (await rest.live("GET", f"{long}/transcriptions")).json["data"] == []


async def test_a_text_is_there_once_it_is_done(rest: Rest) -> None:
    recording, long, _ = await of(rest)
    made = (await rest.live("POST", f"{long}/transcriptions")).json["data"][0]
    paths = (f"{long}/transcriptions/{made['id']}", f"/transcriptions/{made['id']}")
    for path in paths:
        reply = await rest.live("GET", f"{path}.txt")
        assert (reply.status, reply.json["errors"][0]["code"]) == (404, 13)
    stored = await found(rest, made)
    content = msgspec.json.encode(Content("Grüß Gott.\nHallo."))
    done = replace(stored, status=TranscriptionStatus.DONE)
    await rest.store.commit(Change((rows.update(done, content=content),)))
    for path in paths:
        reply = await rest.live("GET", f"{path}.txt", headers={"accept": "text/plain"})
        assert (reply.status, reply.body.decode()) == (200, "Grüß Gott.\nHallo.")
        assert reply.headers == {
            "content-type": "text/plain; charset=utf-8",
            "content-length": str(len(reply.body)),
            "content-disposition": f'attachment; filename="{made["id"]}.txt"',
        }
        shown = (await rest.live("GET", path)).json["data"][0]
        assert (shown["status"], shown["error"], shown["recordingId"]) == ("done", None, recording)


async def test_a_transcription_that_failed_says_why(rest: Rest) -> None:
    _, long, _ = await of(rest)
    made = (await rest.live("POST", f"{long}/transcriptions")).json["data"][0]
    failed = replace(await found(rest, made), status=TranscriptionStatus.FAILED, error="Nothing to listen with.")
    await rest.store.commit(Change((rows.update(failed),)))
    shown = (await rest.live("GET", f"/transcriptions/{made['id']}")).json["data"][0]
    assert (shown["status"], shown["error"]) == ("failed", "Nothing to listen with.")
    reply = await rest.live("GET", f"/transcriptions/{made['id']}.txt")
    (error,) = reply.json["errors"]
    told = f"There is no text of transcription `{made['id']}`: it is failed. Nothing to listen with."
    assert (reply.status, error["code"], error["message"]) == (404, 13, told)


async def test_a_sealed_recording_is_heard_through_the_interface_alone(tmp_path) -> None:
    store = Store.in_memory()
    rest = await Rest(store, tmp_path, keys=KEYS).prepare()
    recording, long, _ = await of(rest, sound=SOUND * 4)
    (file,) = [path for path in tmp_path.rglob("*") if path.suffix == ".sealed"]
    assert file.parts[-4:-1] == ("2024", "05", "02")
    assert SOUND[:32] not in file.read_bytes()
    whole = await rest.live("GET", f"/recordings/{recording}.wav")
    assert whole.body[44:] == SOUND * 4
    part = await rest.live("GET", f"/recordings/{recording}.wav", headers={"range": "bytes=70000-90000"})
    assert part.body == whole.body[70_000:90_001]
    shown = (await rest.live("GET", f"/recordings/{recording}")).body.decode()
    for id_ in (recording, long.split("/")[4]):  # which may have any digits
        shown = shown.replace(id_, "")
    assert "2026" not in shown

    lost = await Rest(store, tmp_path, keys={"2027": bytes(32)}).prepare()
    reply = await lost.live("GET", f"/recordings/{recording}.wav")
    assert (reply.status, reply.json["errors"][0]["code"]) == (503, 99)
    assert "sealed with the key '2026', which is not among recordings.keys (there: 2027)" in reply.json["errors"][0]["message"]
    for one in (rest, lost):
        one.files.close()
    store.close()


async def test_a_file_goes_out_in_portions_and_no_further_when_nobody_listens(rest: Rest) -> None:
    recording, *_ = await of(rest, sound=SOUND * 40)
    sent: list[int] = []
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(len(message.get("body", b"")))
        if len(sent) == 3:
            gone.set()
            await asyncio.sleep(0)

    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/recordings/{recording}.wav",
        "query_string": b"",
        "headers": [(b"authorization", f"AccessKey {rest.live_key}".encode())],
    }
    await rest.app(scope, receive, send)
    assert sent[:3] == [0, 262_144, 262_144]
    assert sum(sent) < 44 + len(SOUND) * 40


async def test_a_file_that_is_cut_off_while_it_is_sent_breaks_off(rest: Rest) -> None:
    recording, *_ = await of(rest, sound=SOUND * 20)
    path = rest.recordings.path(rest.recordings.get(rest.accounts.world("live").id, UUID(recording)))
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if len(sent) == 2:
            with path.open("r+b") as file:
                file.truncate(262_144)

    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/recordings/{recording}.wav",
        "query_string": b"",
        "headers": [(b"authorization", f"AccessKey {rest.live_key}".encode())],
    }
    await rest.app(scope, receive, send)
    assert [message.get("more_body") for message in sent] == [None, True]
    with open_sound(path) as sound:
        assert not sound.complete
