"""The list of calls over the native interface, and its export."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import re
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callwright import ids
from callwright.calls import export as exporting
from callwright.calls import search
from callwright.calls.model import Call, CallStatus, Direction
from callwright.clock import VirtualClock, VirtualLoop
from callwright.native import Authority, Exports
from callwright.native import exporting as sending
from callwright.native.cursors import seal
from callwright.reasons import Reason
from support.call_rows import change, put, remove
from support.described import native_app
from support.native_room import NOW, NOW_US, NativeRoom

NUMBER, FLOW = UUID(int=11), UUID(int=21)
KEYS = [
    "id",
    "world",
    "status",
    "direction",
    "source",
    "destination",
    "numberId",
    "flowId",
    "reason",
    "tags",
    "metadata",
    "duration",
    "createdAt",
    "updatedAt",
    "answeredAt",
    "endedAt",
]


async def made(room: NativeRoom, n: int, *, world: str = "live", **fields: Any) -> Call:
    """A call that was made n seconds after now, and lasted a minute."""
    at_us = NOW_US + n * 1_000_000
    given: dict[str, Any] = {"status": CallStatus.ENDED, "source": f"3161234567{n}", "destination": "31205550100"}
    times = {"created_us": at_us, "updated_us": at_us, "answered_us": at_us + 1, "ended_us": at_us + 60_000_000}
    call = Call(id=ids.uuid7(at_us), world_id=room.accounts.world(world).id, **times | given | fields)
    await put(room.store, call)
    return call


def sources(reply: Any) -> list[str]:
    return [call["source"] for call in reply.content["data"]]


async def test_a_call_of_a_list_has_all_but_its_legs():
    room = await NativeRoom.open()
    call = await made(
        room,
        0,
        direction=Direction.INCOMING,
        number_id=NUMBER,
        flow_id=FLOW,
        reason=Reason.CALLEE_HANGUP,
        tags=("vip", "=1"),
        metadata={"customer": "42"},
    )
    reply = await room.customer("GET", "/calls")
    world = room.accounts.world("live")
    (shown,) = reply.content["data"]
    assert shown == {
        "id": str(call.id),
        "world": "live",
        "status": "ended",
        "direction": "incoming",
        "source": "31612345670",
        "destination": "31205550100",
        "numberId": str(NUMBER),
        "flowId": str(FLOW),
        "reason": "callee_hangup",
        "tags": ["vip", "=1"],
        "metadata": {"customer": "42"},
        "duration": 60,
        "createdAt": NOW,
        "updatedAt": NOW,
        "answeredAt": "2023-11-14T22:13:20.123457Z",
        "endedAt": "2023-11-14T22:14:20.123456Z",
    }
    assert list(shown) == KEYS
    refresh = reply.content.pop("refresh")
    assert reply.content == {"data": [shown], "next": None, "prev": None, "total": {"count": 1, "exact": True}, "limit": 100}
    assert refresh == seal(world, "calls newest []", 2)
    alone = (await room.customer("GET", f"/calls/{call.id}")).content
    assert {name: alone[name] for name in KEYS} == shown


@pytest.mark.parametrize("sort", ["newest", "oldest"])
async def test_pages_go_on_back_and_to_what_is_new(sort: str):
    room = await NativeRoom.open()
    for n in range(5):
        await made(room, n)
    order = "43210" if sort == "newest" else "01234"
    base = f"/calls?limit=2&sort={sort}"

    async def at(cursor: str) -> Any:
        reply = await room.customer("GET", f"{base}&cursor={quote(cursor)}")
        return reply.content, "".join(source[-1] for source in sources(reply))

    first = (await room.customer("GET", base)).content
    second, shown = await at(first["next"])
    assert (shown, second["total"]["count"]) == (order[2:4], 5)
    third, shown = await at(second["next"])
    assert (shown, third["next"]) == (order[4], None)
    back, shown = await at(third["prev"])
    assert shown == order[2:4]
    back, shown = await at(back["prev"])
    assert (shown, back["prev"]) == (order[:2], None)
    # three more are made
    for n in (5, 6, 7):
        await made(room, n)
    assert (await at(third["refresh"]))[1] == (await at(first["refresh"]))[1]
    new, shown = await at(first["refresh"])
    assert (shown, new["prev"], new["total"]["count"]) == ("76" if sort == "newest" else "56", None, 8)
    rest, shown = await at(new["next"])
    assert (shown, rest["next"]) == ("5" if sort == "newest" else "7", None)
    assert (await at(new["refresh"]))[0]["data"] == []
    # the list that was begun before them has none of them
    assert (await at(second["next"]))[1] == order[4]


async def test_every_filter_is_asked_of_the_search():
    room = await NativeRoom.open()
    number = await room.numbers.make(room.accounts.world("live"), "31205550199")
    one = await made(
        room,
        0,
        status=CallStatus.BUSY,
        direction=Direction.INCOMING,
        number_id=number.id,
        flow_id=FLOW,
        reason=Reason.BUSY,
        tags=("two words", "a+b"),
        metadata={"customer": "42"},
    )
    await made(room, 1, world="test")
    await made(room, 2, destination="31205550101", answered_us=None)
    await made(room, 9)
    for query in (
        "status=busy,failed",
        "direction=incoming",
        "source=%2B31612345670",
        "source=+31612345670",
        "source=*5670",
        "source=*45670*&createdFrom=2023-11-14T00:00:00Z&createdTo=2023-11-15T00:00:00Z",
        "number=%2B31205550199",
        f"number={number.id}",
        f"flow={FLOW}",
        "reason=busy",
        "tag=two%20words&tag=a+b",
        "metadata.customer=42",
        f"createdTo={quote('2023-11-14T22:13:21Z')}",
        "endedTo=2023-11-14T22:14:21Z",
    ):
        reply = await room.customer("GET", f"/calls?{query}")
        assert [shown["id"] for shown in reply.content["data"]] == [str(one.id)], query
        assert reply.content["total"] == {"count": 1, "exact": True}
    assert sources(await room.customer("GET", "/calls?durationTo=0")) == ["31612345672"]
    assert sources(await room.customer("GET", "/calls?destination=312055501*&durationFrom=60&sort=oldest")) == [
        "31612345670",
        "31612345679",
    ]
    assert sources(await room.operator("GET", "/calls", world="test")) == ["31612345671"]


async def test_a_cursor_is_of_one_list_in_one_world():
    room = await NativeRoom.open()
    for n in range(3):
        await made(room, n)
        await made(room, n, world="test")
    page = (await room.operator("GET", "/calls?limit=1&status=ended&tag=")).content
    assert page["error"]["parameter"] == "tag"
    page = (await room.operator("GET", "/calls?limit=1&status=ended")).content
    for cursor in (page["next"], page["refresh"]):
        # another limit is no other list, nor are the same filters in other words
        assert (await room.operator("GET", f"/calls?status=ended,ended&cursor={cursor}")).status == 200
        for query, world in (
            (f"status=ended&cursor={cursor}", "test"),
            (f"cursor={cursor}", "live"),
            (f"status=busy&cursor={cursor}", "live"),
            (f"status=ended&direction=outgoing&cursor={cursor}", "live"),
            (f"status=ended&sort=oldest&cursor={cursor}", "live"),
            (f"status=ended&cursor=A{cursor}", "live"),
            (f"status=ended&cursor={cursor[:-1]}", "live"),
            (f"status=ended&cursor={cursor[:8]}", "live"),
            (f"status=ended&cursor={cursor}!", "live"),
            (f"status=ended&cursor={cursor[:5]}%20{cursor[5:]}", "live"),
            (f"status=ended&cursor={cursor}==", "live"),
            ("status=ended&cursor=", "live"),
            ("status=ended&cursor=%C3%A9", "live"),
        ):
            reply = await room.operator("GET", f"/calls?{query}", world=world)
            assert (reply.status, reply.error["parameter"]) == (422, "cursor"), query
            assert "none of this list" in reply.error["message"]
            assert reply.error["example"] is not None
    of_others = seal(room.accounts.world("live"), "calls newest []", 1, 2)
    assert (await room.operator("GET", f"/calls?cursor={of_others}")).error["parameter"] == "cursor"


@pytest.mark.parametrize(
    ("path", "parameter", "said"),
    [
        ("/calls?sort=up", "sort", "must be newest or oldest"),
        ("/calls?sort=", "sort", "must be newest or oldest; it was ''"),
        ("/calls/export?format=", "format", "must be csv or ndjson; it was ''"),
        ("/calls?limit=1001", "limit", "from 1 to 1000"),
        ("/calls?offset=1", "offset", "is not known here"),
        ("/calls?format=csv", "format", "is not known here"),
        ("/calls/export?format=xlsx", "format", "must be csv or ndjson"),
        ("/calls/export?limit=1", "limit", "is not known here"),
        ("/calls/export?cursor=1", "cursor", "is not known here"),
    ],
)
async def test_what_cannot_be_asked(path: str, parameter: str, said: str):
    room = await NativeRoom.open()
    reply = await room.customer("GET", path)
    assert (reply.status, reply.error["parameter"]) == (422, parameter)
    assert said in reply.error["message"]
    assert reply.error["example"] is not None


TEXTS = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=12)
ANY_CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(CallStatus),
            "direction": st.sampled_from(Direction),
            "source": TEXTS,
            "destination": TEXTS,
            "number_id": st.none() | st.uuids(),
            "flow_id": st.none() | st.uuids(),
            "reason": st.none() | st.sampled_from(Reason),
            "tags": st.lists(TEXTS, max_size=3, unique=True).map(tuple),
            "metadata": st.dictionaries(st.sampled_from(["a", "b", "c.d"]), TEXTS),
            "answered_us": st.none() | st.integers(0, 4_000_000_000_000_000),
            "ended_us": st.none() | st.integers(0, 4_000_000_000_000_000),
        }
    ),
    max_size=5,
)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(ANY_CALLS)
def test_a_file_has_the_values_of_the_list(drawn: list[dict[str, Any]]):
    async def run() -> None:
        room = await NativeRoom.open()
        for n, fields in enumerate(drawn):
            await made(room, n, **fields)
        listed = (await room.operator("GET", "/calls")).content["data"]
        assert lines_of((await exported(room, "format=ndjson")).body) == listed
        text = (await exported(room, "format=csv")).body.decode()
        head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        assert head == KEYS
        assert rows == [[cell(shown[name]) for name in KEYS] for shown in listed]
        room.store.close()

    asyncio.run(run())


def cell(value: Any) -> str:
    """A value of the list as CSV has it."""
    if isinstance(value, list):
        value = ",".join(value)
    elif isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not isinstance(value, str):
        return "" if value is None else str(value)
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


async def test_a_nul_on_record_cuts_no_line():
    room = await NativeRoom.open()
    await made(room, 0, source="sip:a\0b\0@x", destination="\0")
    text = (await exported(room, "")).body.decode()
    assert text.splitlines()[1].split(",")[4:6] == ['"sip:a%00b%00@x"', '"%00"']
    assert text.count(",") == 2 * (len(KEYS) - 1)


class Sent:
    """What an application sends to one who takes it, or who does not."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.whole = False
        self.begun = asyncio.Event()
        self.gone = asyncio.Event()
        self.taken = asyncio.Event()
        self.taken.set()
        self.cut = asyncio.Event()

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.begun.set()
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            await self.taken.wait()
            self.pieces += [message["body"]] if message.get("body") else []
            self.whole = not message.get("more_body", False)


async def exported(room: NativeRoom, query: str, sent: Sent | None = None, *, method: str = "GET", world: str = "live") -> Sent:
    sent = sent or Sent()
    scope = {
        "type": "http",
        "method": method,
        "path": "/calls/export",
        "headers": [(b"callwright-world", world.encode())],
        "query_string": query.encode(),
        "extensions": {"callwright.cut": {"now": sent.cut.set}},
    }
    await native_app(room.parts, Authority.SOCKET)(scope, sent.receive, sent.send)
    return sent


def lines_of(body: bytes) -> list[Any]:
    """As they are to those who end lines wherever Unicode does."""
    return [json.loads(line) for line in body.decode().splitlines()]


async def test_a_file_has_all_that_matches_in_batches(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exporting, "BATCH", 3)
    room = await NativeRoom.open()
    for n in range(8):
        await made(room, n, status=CallStatus.BUSY if n % 4 else CallStatus.ENDED)
        await made(room, n, world="test")
    for sort, order in (("newest", "40"), ("oldest", "04")):
        sent = await exported(room, f"format=ndjson&status=ended&sort={sort}")
        assert ("".join(shown["source"][-1] for shown in lines_of(sent.body)), sent.whole) == (order, True)
    sent = await exported(room, "durationFrom=60&source=3161*&format=csv", world="test")
    assert (sent.body.count(b"\r\n"), sent.body.count(b",test,"), len(sent.pieces)) == (9, 8, 3)


async def test_long_calls_come_in_smaller_batches(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exporting, "BATCH", 8)
    monkeypatch.setattr(exporting, "FIRST_BATCH", 2)
    monkeypatch.setattr(exporting, "BATCH_BYTES", 3_000)
    room = await NativeRoom.open()
    for n in range(20):
        await made(room, n, metadata={"a": "x" * (1 if n < 10 else 1_000)})
    sent = await exported(room, "format=ndjson&sort=oldest")
    assert [len(lines_of(piece)) for piece in sent.pieces] == [2, 4, 8, 2, 4]
    assert [line["source"] for line in lines_of(sent.body)] == [f"3161234567{n}" for n in range(20)]


async def test_a_file_says_what_it_is():
    room = await NativeRoom.open()
    await made(room, 0)
    for query, kind, ending in (
        ("", "text/csv; charset=utf-8; header=present", "csv"),
        ("format=ndjson", "application/x-ndjson", "ndjson"),
    ):
        sent = await exported(room, query)
        assert (sent.status, sent.headers["content-type"], sent.headers["cache-control"]) == (200, kind, "no-store")
        name = sent.headers["content-disposition"]
        assert re.fullmatch(rf'attachment; filename="calls-live-\d{{8}}T\d{{6}}Z\.{ending}"', name)
        assert "content-length" not in sent.headers
    head = await exported(room, "", method="HEAD")
    assert (head.status, head.body, head.whole) == (200, b"", True)
    # with nothing to tell, a table has its names, and lines are none
    assert (await exported(room, "tag=x")).body.decode() == ",".join(KEYS) + "\r\n"
    nothing = await exported(room, "tag=x&format=ndjson")
    assert (nothing.body, nothing.whole) == (b"", True)


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
async def test_no_caller_writes_a_formula(begin: str):
    room = await NativeRoom.open()
    await made(room, 0, source=f'{begin}HYPERLINK("x")', destination=f"a{begin}", tags=(f"{begin}1", "b"))
    text = (await exported(room, "")).body.decode()
    _, row = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert (row[4], row[5], row[9]) == (f'\'{begin}HYPERLINK("x")', f"a{begin}", f"'{begin}1,b")


async def test_what_happens_meanwhile_is_not_of_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exporting, "BATCH", 2)
    room = await NativeRoom.open()
    calls = [await made(room, n) for n in range(6)]
    sent = Sent()
    sent.taken.clear()
    under_way = asyncio.create_task(exported(room, "format=ndjson&sort=oldest", sent))
    await sent.begun.wait()
    await made(room, 6)
    await remove(room.store, calls[4])
    await change(room.store, calls[5], tags=("late",))
    sent.taken.set()
    await under_way
    shown = lines_of(sent.body)
    assert [call["id"] for call in shown] == [str(call.id) for call in calls if call is not calls[4]]
    assert shown[-1]["tags"] == ["late"]


async def test_one_who_is_gone_is_read_for_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exporting, "BATCH", 1)
    room = await NativeRoom.open()
    for n in range(9):
        await made(room, n)
    sent = Sent()
    sent.taken.clear()
    under_way = asyncio.create_task(exported(room, "", sent))
    await sent.begun.wait()
    sent.gone.set()
    await under_way
    assert (sent.pieces, sent.whole) == ([], False)
    await take_all(room)


async def take_all(room: NativeRoom) -> None:
    """No seat is held any more."""
    assert not +room.parts.exports._running


async def test_one_that_fails_midway_is_broken_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exporting, "BATCH", 1)
    room = await NativeRoom.open()
    for n in range(3):
        await made(room, n)
    sent, read = Sent(), search.Search.batch

    def fail(self: search.Search, place: search.Place, *given: Any, **named: Any) -> search.Batch:
        if len(sent.pieces) == 1:
            raise OSError("the disk is gone")
        return read(self, place, *given, **named)

    monkeypatch.setattr(search.Search, "batch", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        await exported(room, "", sent)
    assert (len(sent.pieces), sent.whole) == (1, False)
    await take_all(room)


async def test_one_that_fails_before_it_begins_is_answered(monkeypatch: pytest.MonkeyPatch):
    room = await NativeRoom.open()

    def fail(self: search.Search, *given: Any, **named: Any) -> search.Batch:
        raise OSError("the disk is gone")

    monkeypatch.setattr(search.Search, "batch", fail)
    reply = await room.customer("GET", "/calls/export")
    assert (reply.status, reply.error["message"]) == (500, "Something failed inside the server; its log has the details.")


async def test_a_few_at_a_time():
    room = await NativeRoom.open()
    await made(room, 0)
    stuck = [Sent() for _ in range(sending.MOST_OF_A_WORLD)]
    for one in stuck:
        one.taken.clear()
    tasks = [asyncio.create_task(exported(room, "", one)) for one in stuck]
    for one in stuck:
        await one.begun.wait()
    reply = await room.operator("GET", "/calls/export")
    assert (reply.status, reply.error["remedy"]) == (503, "Try again when one of them is done.")
    assert (await exported(room, "", world="test")).whole
    for one in stuck:
        one.taken.set()
    await asyncio.gather(*tasks)
    assert (await exported(room, "")).whole


def test_one_who_takes_nothing_is_let_go(caplog: pytest.LogCaptureFixture):
    loop = VirtualLoop()

    async def run() -> None:
        room = await NativeRoom.open()
        exports = Exports(VirtualClock(loop))
        object.__setattr__(room.parts, "exports", exports)
        await made(room, 0)
        sent = Sent()
        sent.taken.clear()
        await exported(room, "", sent)
        assert (loop.time(), sent.cut.is_set(), sent.whole) == (sending.CUT_S, True, False)
        assert not +exports._running

    with caplog.at_level(logging.WARNING):
        try:
            loop.run_until_complete(run())
        finally:
            loop.close()
    assert "export_dropped" in caplog.text
