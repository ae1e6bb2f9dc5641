"""``GET /listen``: the lines, who gets them, and who is let go."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote
from uuid import UUID

import pytest

from callwright.calls.events import TOPIC
from callwright.calls.rows import insert_other_event
from callwright.native import Authority, streaming
from callwright.store import Change, Wake
from callwright.webhooks.listening import MOST_OF_A_WORLD
from support.described import native_app
from support.held_request import HeldRequest
from support.native_room import NOW, NOW_US, NativeRoom

URL = "http://localhost:3000/hook"


class Line(HeldRequest):
    """An open request, read line by line."""

    def __init__(self, room: NativeRoom, query: str, *, world: str = "live", token: str | None = None) -> None:
        headers = {"Callwright-World": world} | ({} if token is None else {"Callwright-Token": token})
        super().__init__(native_app(room.parts, Authority.SOCKET), f"/listen?{query}", headers)

    async def next(self):
        return json.loads(await self.piece())


async def happen(room: NativeRoom, n: int, world: str = "live", kind: str = "callUpdated") -> None:
    world_id = room.accounts.world(world).id
    write = insert_other_event(world_id, UUID(int=n), UUID(int=77), kind, NOW_US, b"")
    await room.store.commit(Change((write,), (Wake(TOPIC, world_id, UUID(int=77)),)))


async def test_lines_and_where_to_go_on():
    room = await NativeRoom.open()
    await happen(room, 1)
    line = Line(room, f"url={URL}", token="secret")
    ready = await line.next()
    assert (ready["type"], ready["world"]) == ("ready", "live")
    assert dict(line.started["headers"])[b"content-type"] == b"application/x-ndjson"
    assert b"content-length" not in dict(line.started["headers"])
    await happen(room, 2, "test")
    await happen(room, 3)
    told = await line.next()
    assert told == {
        "type": "event",
        "resume": told["resume"],
        "messageId": str(UUID(int=3)),
        "event": "callUpdated",
        "callId": str(UUID(int=77)),
        "at": NOW,
        "headers": [
            ["Content-Type", "application/json"],
            ["webhook-id", str(UUID(int=3))],
            ["signed-for", URL],
            ["signed-with", "secret"],
        ],
        "body": '{"kind": "callUpdated"}',
    }
    await line.close()
    await happen(room, 4)
    for resume, expected in ((ready["resume"], [3, 4]), (told["resume"], [4])):
        again = Line(room, f"url={URL}&after={quote(resume)}")
        assert (await again.next())["resume"] == resume
        assert [(await again.next())["messageId"] for _ in expected] == [str(UUID(int=n)) for n in expected]
        await again.close()


async def test_what_is_asked_for_is_told():
    room = await NativeRoom.open()
    line = Line(room, f"url={URL}&events=recording", world="test")
    await line.next()
    for n, kind in enumerate(("transcriptionCreated", "recordingCreated", "callCreated"), 1):
        await happen(room, n, "test", kind)
    assert [(await line.next())["event"] for _ in range(2)] == ["recordingCreated", "callCreated"]
    await line.close()


@pytest.mark.parametrize(
    ("query", "parameter", "said"),
    [
        ("", "url", "Signatures depend on it"),
        ("url=nonsense", "url", "cannot be posted to"),
        (f"url={URL}&events=legs", "events", "'legs', which is no type of event"),
        (f"url={URL}&after=AAAA", "after", "not the resume of any line"),
        (f"url={URL}&since=1", "since", "is not known here; there are url, events, after"),
    ],
)
async def test_what_cannot_be_listened_to(query, parameter, said):
    room = await NativeRoom.open()
    reply = await room.operator("GET", f"/listen?{query}")
    assert (reply.status, reply.error["parameter"]) == (422, parameter)
    assert said in reply.error["message"]


async def test_a_token_that_nobody_could_verify_by_is_refused():
    room = await NativeRoom.open()
    line = Line(room, f"url={URL}", token="whsec_!!")
    error = (await line.next())["error"]
    assert (line.started["status"], error["parameter"]) == (400, "Callwright-Token")
    await line.close()


async def test_a_place_is_of_one_world():
    room = await NativeRoom.open()
    line = Line(room, f"url={URL}")
    resume = (await line.next())["resume"]
    await line.close()
    reply = await room.operator("GET", f"/listen?url={URL}&after={quote(resume)}", world="test")
    assert (reply.status, reply.error["parameter"], reply.error["remedy"]) == (422, "after", "Listen without it.")


async def test_one_who_went_is_forgotten():
    room = await NativeRoom.open()
    for _ in range(25):
        line = Line(room, f"url={URL}")
        await line.next()
        await line.close()


async def test_a_stopping_server_says_so():
    room = await NativeRoom.open()
    line = Line(room, f"url={URL}")
    await line.next()
    room.listening.close()
    assert await line.next() == {"type": "stopping", "why": "The server is stopping."}
    async with asyncio.timeout(10):
        await line.task
    assert line.ended
    reply = await room.operator("GET", f"/listen?url={URL}")
    assert (reply.status, reply.error["code"]) == (503, 99)


async def test_a_slow_one_is_let_go_with_a_word(monkeypatch, caplog):
    room = await NativeRoom.open()
    line = Line(room, f"url={URL}")
    await line.next()
    monkeypatch.setattr(streaming, "SLOW_S", -1.0)
    await happen(room, 1)
    assert (await line.next())["type"] == "event"
    assert (await line.next())["type"] == "dropped"
    async with asyncio.timeout(10):
        await line.task
    assert [record.getMessage() for record in caplog.records] == ["listener_dropped"]


async def test_one_who_takes_nothing_is_cut_off(monkeypatch, caplog):
    room = await NativeRoom.open()
    monkeypatch.setattr(streaming, "CUT_S", 0.01)
    line = Line(room, f"url={URL}")
    await line.next()
    line.taking.clear()
    await happen(room, 1)
    async with asyncio.timeout(10):
        await line.task
    assert not line.ended
    assert [record.getMessage() for record in caplog.records] == ["listener_dropped"]
    assert not room.listening._seats.taken


async def test_the_test_world_leaves_room_for_the_live_one():
    room = await NativeRoom.open()
    lines = [Line(room, f"url={URL}", world="test") for _ in range(MOST_OF_A_WORLD)]
    for line in lines:
        assert (await line.next())["type"] == "ready"
    more = [Line(room, f"url={URL}", world="test") for _ in range(3)]
    live = Line(room, f"url={URL}")
    assert (await live.next())["world"] == "live"
    # Who is one too many hears so before anything else.
    assert [(await line.next())["error"]["code"] for line in more] == [99] * 3
    assert {line.started["status"] for line in more} == {503}
    for line in (*lines, live):
        await line.close()
    assert not room.listening._seats.taken


async def test_one_that_is_gone_before_its_first_line_leaves_its_seat():
    room = await NativeRoom.open()
    for _ in range(MOST_OF_A_WORLD + 1):
        line = Line(room, f"url={URL}")
        line.taking.clear()
        await line.close()
    assert not room.listening._seats.taken
