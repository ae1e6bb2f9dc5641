"""``GET /events``: the wire, who gets it, and what is refused."""

from __future__ import annotations

import asyncio
from urllib.parse import quote
from uuid import UUID

import msgspec
import pytest

from callwright import ids
from callwright.calls import rows
from callwright.calls.events import LABELLED, TOPIC, Snapshot, encode_snapshot
from callwright.calls.feed import MOST_OF_A_WORLD
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import Call
from callwright.calls.rows import insert_other_event
from callwright.dialect.callbacks import WEBHOOK_DISABLED, EndpointNotice
from callwright.native import Authority, streaming
from callwright.recordings import events as recording_events
from callwright.recordings.model import Recording, RecordingStatus, RecordingType
from callwright.store import Change, Wake
from callwright.transcriptions import events as transcription_events
from callwright.transcriptions.model import Transcription
from support.described import native_app
from support.event_source import EventSource, Heard
from support.held_request import HeldRequest
from support.kept_calls import moved, requested
from support.native_room import NOW, NOW_US, NativeRoom


class Browser(HeldRequest):
    """An open request, heard as an EventSource hears it."""

    def __init__(self, room: NativeRoom, query: str = "", *, last_id: str = "", world: str = "live", **more: str) -> None:
        headers = {"Callwright-World": world} | ({"Last-Event-ID": last_id} if last_id else {}) | more
        super().__init__(native_app(room.parts, Authority.SOCKET), f"/events?{query}", headers)
        self.source = EventSource()
        self._heard: list[Heard] = []

    async def next(self) -> Heard:
        while not self._heard:
            self._heard += self.source.feed(await self.piece())
        return self._heard.pop(0)

    async def until(self, comment: str) -> list[Heard]:
        """What is heard before a comment."""
        while comment not in self.source.comments:
            self._heard += self.source.feed(await self.piece())
        heard, self._heard = self._heard, []
        return heard


async def place(room: NativeRoom, number: int = 1, *, world: str = "live", source: str = "31201") -> CallRecord:
    """A call that is asked for: one event."""
    record = requested(room.accounts.world(world).id, number, source=source)
    await room.store.commit(record.take())
    return record


async def move(room: NativeRoom, record: CallRecord, *moves: str) -> None:
    """An event for each."""
    for change in moved(record, *moves):
        await room.store.commit(change)


async def test_the_wire_of_a_call():
    room = await NativeRoom.open()
    browser = Browser(room)
    assert await browser.until("caught up") == []
    assert browser.answer_headers == {
        "cache-control": "no-store",
        "content-type": "text/event-stream; charset=utf-8",
        "x-accel-buffering": "no",
    }
    assert browser.source.comments == ["the live world", "caught up"]
    assert browser.source.retry_ms == 2_000
    assert browser.source.last_id  # one who hears nothing knows where to come back
    await place(room, 2, world="test")
    record = await place(room, source="sip:a\x85b\u2028c\u2029@x")  # as older versions kept it
    await move(room, record, "starts", "rings", "is answered", "ends")
    heard = [await browser.next() for _ in range(5)]
    assert [one.kind for one in heard] == ["callCreated"] + ["callUpdated"] * 4
    assert [one.json["status"] for one in heard] == ["queued", "starting", "starting", "ongoing", "ended"]
    assert [one.json["legs"][0]["status"] for one in heard] == ["starting", "starting", "ringing", "ongoing", "hangup"]
    shown = (await room.operator("GET", f"/calls/{UUID(int=1)}")).content
    del shown["webhookUrl"]
    assert heard[-1].json == shown
    assert all(len(one.data.splitlines()) == 1 for one in heard)
    await browser.close()


async def test_one_who_comes_back_hears_what_came_after_and_nothing_twice():
    room = await NativeRoom.open()
    browser = Browser(room, "type=call,leg")
    await browser.until("caught up")
    begin = browser.source.last_id
    record = await place(room)
    await move(room, record, "starts", "rings", "ends")
    heard = [await browser.next() for _ in range(7)]
    assert [one.kind for one in heard] == [
        "callCreated", "legCreated", "callUpdated", "callUpdated", "legUpdated", "callUpdated", "legUpdated",
    ]  # fmt: skip
    await browser.close()
    for number, last_id in enumerate((begin, *(one.last_id for one in heard))):
        for query, header in (("type=call,leg", last_id), (f"type=call,leg&lastEventId={quote(last_id)}", "")):
            again = Browser(room, query, last_id=header)
            assert await again.until("caught up") == heard[number:]
            await again.close()
    # A browser comes back to the URL that it began with; the header is newer.
    again = Browser(room, f"type=call,leg&lastEventId={quote(begin)}", last_id=heard[4].last_id)
    assert await again.until("caught up") == heard[5:]
    await again.close()


async def test_a_leg_by_itself_and_what_is_beside_calls():
    room = await NativeRoom.open()
    browser = Browser(room, "type=leg,recording,transcription,webhook")
    await browser.until("caught up")
    await place(room)
    world_id, call_id = room.accounts.world("live").id, UUID(int=1)
    recording = Recording(
        id=UUID(int=5), world_id=world_id, call_id=call_id, leg_id=UUID(int=256), status=RecordingStatus.RECORDING,
        type=RecordingType.IVR,
        file="secret", created_us=NOW_US, updated_us=NOW_US,
    )  # fmt: skip
    transcription = Transcription(
        id=UUID(int=6), world_id=world_id, recording_id=UUID(int=5), call_id=call_id, leg_id=UUID(int=256), language="en-US",
        created_us=NOW_US, updated_us=NOW_US,
    )  # fmt: skip
    notice = EndpointNotice(endpoint_id=UUID(int=7), url="https://a.test/", at_us=NOW_US, why="asked")
    await room.store.commit(recording_events.created(recording))
    await room.store.commit(transcription_events.created(transcription))
    content = msgspec.msgpack.encode(notice)
    write = insert_other_event(world_id, UUID(int=8), world_id, WEBHOOK_DISABLED, NOW_US, content)
    await room.store.commit(Change((write,), (Wake(TOPIC, world_id, world_id),)))
    heard = [await browser.next() for _ in range(4)]
    assert [one.kind for one in heard] == ["legCreated", "recordingCreated", "transcriptionCreated", "webhookDisabled"]
    leg, told_recording, told_transcription, told_notice = (one.json for one in heard)
    (leg_shown,) = (await room.operator("GET", f"/calls/{call_id}")).content["legs"]
    assert leg == {"callId": str(call_id), **leg_shown}
    assert (told_recording["id"], told_recording["callId"], told_recording["status"]) == (
        str(UUID(int=5)), str(call_id), "recording",
    )  # fmt: skip
    assert "secret" not in heard[1].data
    assert (told_transcription["recordingId"], told_transcription["language"]) == (str(UUID(int=5)), "en-US")
    assert told_notice == {
        "id": str(UUID(int=7)), "url": "https://a.test/", "why": "asked", "failures": 0, "failingSince": None,
        "lastStatus": None, "lastError": None, "updatedAt": NOW,
    }  # fmt: skip
    await browser.close()


async def test_new_labels_are_told_as_the_call():
    room = await NativeRoom.open()
    record = await place(room)
    browser = Browser(room, "tag=vip")
    await browser.until("caught up")
    call: Call = msgspec.structs.replace(record.call, tags=("vip",))
    content = encode_snapshot(Snapshot(call, record.legs))
    write = insert_other_event(call.world_id, ids.uuid7(NOW_US), call.id, LABELLED, NOW_US, content)
    await room.store.commit(Change((write,), (Wake(TOPIC, call.world_id, call.id),)))
    heard = await browser.next()
    assert (heard.kind, heard.json["id"]) == ("callLabelled", str(UUID(int=1)))
    await browser.close()


async def test_one_call_from_its_beginning():
    room = await NativeRoom.open()
    record = await place(room, 1)
    await place(room, 2)
    await move(room, record, "starts")
    browser = Browser(room, f"call={UUID(int=1)}&since=1970-01-01T00:00:00Z&type=call,leg")
    assert [one.kind for one in await browser.until("caught up")] == ["callCreated", "legCreated", "callUpdated"]
    await move(room, record, "rings")
    await place(room, 3)
    await move(room, record, "ends")
    assert [(await browser.next()).kind for _ in range(4)] == ["callUpdated", "legUpdated"] * 2
    await browser.close()


async def test_filters_are_those_of_the_list_and_a_plus_survives():
    room = await NativeRoom.open()
    browsers = [Browser(room, query) for query in ("source=+31201", "source=*345*", "direction=incoming", "source=3120*")]
    for browser in browsers:
        await browser.until("caught up")
    await place(room, 1, source="31201")
    await place(room, 2, source="993459")
    heard = [await browsers[0].next(), await browsers[1].next(), await browsers[3].next()]
    assert [one.json["source"] for one in heard] == ["31201", "993459", "31201"]
    assert browsers[2].source.events == []
    for browser in browsers:
        await browser.close()


async def test_since():
    room = await NativeRoom.open()
    await place(room)
    for since, expected in (("2023-11-14T22:13:20Z", 1), ("2023-11-14T22:13:21Z", 0), ("2023-11-14T22:14:20Z", 0)):
        browser = Browser(room, f"since={since}")
        assert len(await browser.until("caught up")) == expected
        await browser.close()


async def test_what_was_deleted_is_told_as_a_gap():
    room = await NativeRoom.open()
    browser = Browser(room)
    await browser.until("caught up")
    for number in (1, 2, 3):
        await place(room, number)
    first = await browser.next()
    await browser.close()
    room.store._writer._connection.execute("DELETE FROM events WHERE call_id = ?", (UUID(int=2).bytes,))
    again = Browser(room, last_id=first.last_id)
    gap, third = await again.until("caught up")
    assert (gap.kind, third.json["id"]) == ("gap", str(UUID(int=3)))
    assert set(gap.json) == {"message", "remedy"}
    await again.close()
    after = Browser(room, last_id=gap.last_id)
    assert [one.json["id"] for one in await after.until("caught up")] == [str(UUID(int=3))]
    await after.close()


@pytest.mark.parametrize(
    ("query", "parameter", "said"),
    [
        ("limit=5", "limit", "is not known here"),
        ("cursor=AAAA", "cursor", "is not known here"),
        ("type=calls", "type", "the nearest is call"),
        ("type=", "type", "type has '', which is no type of event"),
        ("type=call,", "type", "type has ''"),
        ("type=webhook&tag=vip", "type", "type=webhook and tag=vip can not both be: webhooks belong to no call"),
        ("lastEventId=AAAA", "lastEventId", "is the id of no event of this world"),
        ("since=yesterday", "since", "must be a time"),
        (
            "since=2023-11-14T22:14:21Z",
            "since",
            "a time that has been; it was '2023-11-14T22:14:21Z', and here it is 2023-11-14T22:13:20Z",
        ),
        ("call=7", "call", "must be an id"),
        ("status=over", "status", "must be of"),
    ],
)
async def test_what_cannot_be_watched(query, parameter, said):
    room = await NativeRoom.open()
    reply = await room.operator("GET", f"/events?{query}")
    assert (reply.status, reply.error["parameter"]) == (422, parameter)
    assert said in reply.error["message"]
    assert not room.feed._seats.taken


async def test_an_id_is_of_one_world_and_one_stream():
    room = await NativeRoom.open()
    browser = Browser(room, world="test")
    await browser.until("caught up")
    await browser.close()
    forged = browser.source.last_id[:-1] + ("A" if browser.source.last_id[-1] != "A" else "B")
    for id_, world in ((browser.source.last_id, "live"), (forged, "test"), ("é", "test")):
        again = Browser(room, last_id=id_, world=world)
        error = msgspec.json.decode(await again.piece())["error"]
        assert (again.started["status"], error["parameter"]) == (422, "Last-Event-ID")
        assert error["example"] == "since=2026-05-04T10:00:00Z"
        await again.close()


async def test_a_call_that_is_not_there():
    room = await NativeRoom.open()
    await place(room, 1, world="test")
    reply = await room.operator("GET", f"/events?call={UUID(int=1)}")
    assert (reply.status, reply.error["message"]) == (404, f"No call found for ID `{UUID(int=1)}`.")


async def test_a_key_sees_its_world_alone():
    room = await NativeRoom.open()
    assert (await room.customer("GET", "/events", key="")).status == 401
    browser = HeldRequest(native_app(room.parts, Authority.NETWORK), "/events", {"Authorization": f"AccessKey {room.key}"})
    assert b": the live world" in await browser.piece()
    await browser.close()


async def test_one_who_asks_for_the_head_alone_gets_it():
    room = await NativeRoom.open()
    for target in ("/events", "/listen?url=http://localhost:1/"):
        request = HeldRequest(native_app(room.parts, Authority.SOCKET), target, {}, "HEAD")
        async with asyncio.timeout(10):
            await request.task
        assert request.ended
    assert not room.feed._seats.taken
    assert not room.listening._seats.taken


async def test_a_stopping_server_says_so_and_is_come_back_to():
    room = await NativeRoom.open()
    browser = Browser(room)
    await browser.until("caught up")
    room.feed.close()
    assert await browser.until("the server is stopping") == []
    async with asyncio.timeout(10):
        await browser.task
    browser.source.end()
    assert browser.ended
    reply = await room.operator("GET", "/events")
    assert (reply.status, reply.error["remedy"]) == (503, "Try again in a moment.")


async def test_a_slow_one_is_let_go_with_a_word_and_loses_nothing(monkeypatch, caplog):
    room = await NativeRoom.open()
    browser = Browser(room)
    await browser.until("caught up")
    monkeypatch.setattr(streaming, "SLOW_S", -1.0)
    await place(room, 1)
    await place(room, 2)
    heard = await browser.next()
    dropped = await browser.next()
    assert (dropped.kind, dropped.last_id) == ("dropped", heard.last_id)
    async with asyncio.timeout(10):
        await browser.task
    assert [record.getMessage() for record in caplog.records] == ["listener_dropped"]
    monkeypatch.undo()
    again = Browser(room, last_id=dropped.last_id)
    assert [one.json["id"] for one in await again.until("caught up")] == [str(UUID(int=2))]
    await again.close()


async def test_one_who_takes_nothing_is_cut_off(monkeypatch):
    room = await NativeRoom.open()
    browser = Browser(room)
    await browser.until("caught up")
    monkeypatch.setattr(streaming, "CUT_S", 0.01)
    browser.taking.clear()
    await place(room)
    async with asyncio.timeout(10):
        await browser.task
    assert not browser.ended
    assert browser.cut_off.is_set()
    assert not room.feed._seats.taken


async def test_the_test_world_leaves_room_for_the_live_one():
    room = await NativeRoom.open()
    browsers = [Browser(room, world="test") for _ in range(MOST_OF_A_WORLD)]
    for browser in browsers:
        await browser.until("caught up")
    reply = await room.operator("GET", "/events", world="test")
    assert (reply.status, reply.error["remedy"]) == (503, "End one of them.")
    live = Browser(room)
    await live.until("caught up")
    for browser in (*browsers, live):
        await browser.close()
    assert not room.feed._seats.taken


async def test_a_call_that_was_found_is_shown_as_it_was_not_as_it_is():
    room = await NativeRoom.open()
    record = await place(room)
    await move(room, record, "starts", "rings", "ends")
    browser = Browser(room, f"since=1970-01-01T00:00:00Z&status=queued&call={UUID(int=1)}")
    (heard,) = await browser.until("caught up")
    found = rows.find_call(room.store, record.call.world_id, record.call.id)
    assert found is not None
    assert (heard.json["status"], found.status.value) == ("queued", "no_answer")
    await browser.close()
