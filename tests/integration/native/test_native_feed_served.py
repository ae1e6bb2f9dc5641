"""``GET /api/events`` over real HTTP, read by a client that keeps to the standard."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from callwright.native import streaming
from callwright.store import Change
from support.event_source import EventSource, Heard
from support.kept_calls import moved, requested
from support.served_room import Served
from support.server import until

PATIENCE_S = 60.0


class Reader:
    """An open connection and what was heard on it."""

    def __init__(self, served: Served, query: str = "", last_id: str = "", *, buffer: int = 0) -> None:
        address = urlsplit(served.http)
        self._line = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE_S)
        if buffer:
            sock = socket.socket()
            sock.settimeout(PATIENCE_S)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            sock.connect((address.hostname, address.port))
            self._line.sock = sock
        assert served.room is not None
        headers = {"Authorization": f"AccessKey {served.room.key}"} | ({"Last-Event-ID": last_id} if last_id else {})
        self._line.request("GET", f"/api/events?{query}", headers=headers)
        self.answer = self._line.getresponse()
        assert self.answer.status == 200
        self.source = EventSource()

    def read(self, count: int) -> list[Heard]:
        while len(self.source.events) < count:
            self._more()
        return self.source.events

    def until(self, comment: str) -> None:
        while comment not in self.source.comments:
            self._more()

    def _more(self) -> None:
        received = self.answer.read1(1 << 16)
        if not received:
            raise EOFError
        self.source.feed(received)

    def close(self) -> None:
        self.answer.close()
        self._line.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path).start()
    yield made
    made.stop()


def place(served: Served, *numbers: int, world: str = "live") -> None:
    assert served.room is not None
    for number in numbers:
        served.commit(requested(served.room.accounts.world(world).id, number).take())


def of(heard: list[Heard]) -> list[int]:
    return [UUID(one.json["id"]).int for one in heard]


def test_a_burst_arrives_whole_in_order_and_of_one_world(served: Served) -> None:
    reader = Reader(served)
    reader.until("caught up")
    assert reader.answer.headers["Transfer-Encoding"] == "chunked"
    assert reader.answer.headers["X-Accel-Buffering"] == "no"
    place(served, 5000, world="test")
    world_id = served.room.accounts.world("live").id  # type: ignore[union-attr]
    served.commit(Change(sum((requested(world_id, n).take().writes for n in range(1, 1001)), ())))
    place(served, 1001, 1002)
    assert of(reader.read(1002)) == list(range(1, 1003))
    reader.close()


def test_who_comes_back_at_any_place_hears_the_rest(served: Served) -> None:
    reader = Reader(served, "type=call,leg")
    reader.until("caught up")
    world_id = served.room.accounts.world("live").id  # type: ignore[union-attr]
    for number in (1, 2):
        record = requested(world_id, number)
        for change in [record.take(), *moved(record, "starts", "rings", "is answered", "ends")]:
            served.commit(change)
    heard = list(reader.read(18))
    reader.close()
    for number in range(0, 18, 5):
        again = Reader(served, "type=call,leg", heard[number].last_id)
        again.until("caught up")
        assert again.source.events == heard[number + 1 :]
        again.close()


def test_one_that_does_not_read_holds_nobody_up_and_loses_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    served = Served(tmp_path, send_buffer=16_384).start()
    slow, quick = Reader(served, buffer=4096), Reader(served)
    slow.until("caught up")
    quick.until("caught up")
    monkeypatch.setattr(streaming, "CUT_S", 1.0)
    everything = list(range(1, 1501))
    for number in everything:
        place(served, number)
        quick.read(number)
    assert of(quick.source.events) == everything
    until(lambda: len(served.room.feed._seats.taken), lambda taken: taken == 1, what="that the slow one is let go")  # type: ignore[union-attr]
    with pytest.raises((OSError, http.client.HTTPException, EOFError)):
        slow.read(1500)  # it was cut off, after what was under way to it
    monkeypatch.undo()
    seen = of(slow.source.events)
    again = Reader(served, last_id=slow.source.last_id)
    again.until("caught up")
    assert seen + of(again.source.events) == everything
    assert len(seen) < 1500
    for reader in (slow, quick, again):
        reader.close()
    served.stop()


def test_a_stop_ends_the_stream_where_it_may_end(tmp_path: Path) -> None:
    served = Served(tmp_path).start()
    reader = Reader(served)
    reader.until("caught up")
    place(served, 1)
    reader.read(1)
    served.stop()
    while received := reader.answer.read1(1 << 16):
        reader.source.feed(received)
    reader.source.end()
    assert reader.source.comments[-1] == "the server is stopping"
    reader.close()


def test_a_refusal_is_json(served: Served) -> None:
    address = urlsplit(served.http)
    line = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE_S)
    line.request("GET", "/api/events?stauts=ended", headers={"Authorization": f"AccessKey {served.room.key}"})  # type: ignore[union-attr]
    answer = line.getresponse()
    error = json.loads(answer.read())["error"]
    assert (answer.status, error["parameter"]) == (422, "stauts")
    assert "the nearest is status" in error["message"]
    line.close()
