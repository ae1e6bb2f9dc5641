"""``callwright tail`` beside a running server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any
from uuid import UUID

import pytest

from callwright.calls.feed import Feed
from callwright.cli import following, main, show, tail
from callwright.cli.place import Place
from callwright.cli.tail import EVER, Wanted, run
from callwright.dialect.callbacks import TYPE_OF
from callwright.native import line_of
from support.kept_calls import moved, requested
from support.served_room import Served

ALL = (("type", "call,recording"),)


@contextmanager
def tailing(data: Path, wanted: Wanted, *, json: bool = False) -> Iterator[Queue[int]]:
    """`tail` in a thread, which ends with the call it watches; gives its exit status when it is over."""
    over: Queue[int] = Queue()
    thread = threading.Thread(target=lambda: over.put(run(Place(data, None), wanted, json=json)))
    thread.start()
    yield over
    thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Queue[str]:
    """What `tail` says that is not its result."""
    asides: Queue[str] = Queue()
    monkeypatch.setattr(tail.show, "aside", asides.put)
    monkeypatch.setattr(following, "AGAIN_S", 0.05)
    return asides


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path).start()
    yield made
    made.stop()


def begin(served: Served, number: int, *moves: str, world: str = "live", **parties: str) -> Any:
    record = requested(served.room.accounts.world(world).id, number, **parties)  # type: ignore[union-attr]
    for change in (record.take(), *moved(record, *moves)):
        served.commit(change)
    return record


def go_on(served: Served, record: Any, *moves: str) -> None:
    for change in moved(record, *moves):
        served.commit(change)


def whole(number: int, **more: Any) -> Wanted:
    query = (*ALL, ("call", str(UUID(int=number))), ("since", EVER))
    return Wanted(query, ("live", "test"), str(UUID(int=number)), **({"to_the_end": True} | more))


def happened(printed: str) -> list[str]:
    return [line.split("  ")[-1].strip() for line in printed.splitlines()]


def test_a_call_from_its_beginning_to_its_end(served, tmp_path, said, capsys):
    record = begin(served, 1, "starts", "rings")
    with tailing(tmp_path, whole(1)) as over:
        begin(served, 2, "starts", "rings", "ends")
        go_on(served, record, "is answered", "ends")
        assert over.get(timeout=60) == 0
    lines = happened(capsys.readouterr().out)
    assert lines[:4] == [f"call {UUID(int=1)} is made", "is starting", "rings", "is answered"]
    assert lines[4].startswith("hung up (callee_hangup), the call is over")
    assert len(lines) == 5
    assert said.empty()


def test_a_call_that_is_over_is_told_whole_in_whichever_world_it_is(served, tmp_path, said, capsys):
    begin(served, 7, "starts", "rings", "ends", world="test")
    with tailing(tmp_path, whole(7), json=True) as over:
        assert over.get(timeout=60) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["event"], line["data"]["status"], line["data"]["world"]) for line in lines] == [
        ("callCreated", "queued", "test"), ("callUpdated", "starting", "test"), ("callUpdated", "starting", "test"),
        ("callUpdated", "no_answer", "test"),
    ]  # fmt: skip
    assert len({line["id"] for line in lines}) == 4


def test_a_restart_of_the_server_loses_nothing_and_tells_nothing_twice(tmp_path, said, monkeypatch):
    printed: Queue[str] = Queue()
    monkeypatch.setattr(show, "print", lambda line, flush: printed.put(line), raising=False)
    served = Served(tmp_path).start()
    record = begin(served, 1, "starts")
    with tailing(tmp_path, whole(1), json=True) as over:
        lines = [printed.get(timeout=60) for _ in range(2)]
        served.stop()
        assert said.get(timeout=60) == "The server closed the line; it is tried again until it is back."
        room = served.room
        assert room is not None
        room.feed = Feed(
            room.store,
            room.feed.clock,
            types=TYPE_OF,
            render=lambda event: line_of(room.accounts.world_by_id(event.world_id), event),
        )
        room.parts = type(room.parts)(**{**vars(room.parts), "feed": room.feed})
        again = Served(tmp_path, room).start()
        go_on(again, record, "rings", "is answered", "ends")
        assert over.get(timeout=60) == 0
    lines += [printed.get_nowait() for _ in range(3)]
    assert printed.empty()
    legs = [json.loads(line)["data"]["legs"][0]["status"] for line in lines]
    assert legs == ["starting", "starting", "ringing", "ongoing", "hangup"]
    assert said.get(timeout=60) == "The server is back; it goes on where it was."
    again.stop()


def test_filters_go_to_the_server(served, tmp_path, capsys, monkeypatch):
    asked: list[Any] = []
    monkeypatch.setattr(tail, "run", lambda place, wanted, json: asked.append(wanted) or 0)
    arguments = [
        "tail", "--status", "ended", "--status", "busy", "--direction", "outgoing", "--source", "+31*", "--tag", "a",
        "--metadata", "customer=42", "--reason", "busy", "--test", "--since", "2026-05-04T10:00:00Z",
    ]  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main(["--data", str(tmp_path), *arguments])
    assert ended.value.code == 0
    (wanted,) = asked
    assert wanted == Wanted(
        [
            ("type", "call,recording,transcription"), ("status", "ended"), ("status", "busy"), ("direction", "outgoing"),
            ("source", "+31*"), ("reason", "busy"), ("tag", "a"), ("metadata.customer", "42"),
            ("since", "2026-05-04T10:00:00Z"),
        ],
        ("test",),
    )  # fmt: skip


def test_calls_of_a_filter_and_what_is_refused(served, tmp_path, capsys):
    for number, source in ((1, "31201"), (2, "41201")):
        begin(served, number, source=source)
    frames = tail._read(Place(tmp_path, None), (("source", "+41*"), ("since", EVER)), "live", "")
    kinds = [(frame.kind, frame.comments) for frame in (next(frames), next(frames), next(frames))]
    frames.close()
    assert kinds == [("", ("the live world",)), ("callCreated", ()), ("", ("caught up",))]
    for option, value, told in (
        ("--source", "*12", "source is looked for by an end of 4 characters"),
        ("--direction", "in coming", "it was 'in coming'"),  # a space arrives as one
    ):
        with pytest.raises(SystemExit) as ended:
            main(["--data", str(tmp_path), "tail", option, value])
        assert ended.value.code == 1
        assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 1, "No server works on"),
        (("--call", "c", "--tag", "vip"), 2, "one call needs no filters"),
        (("--call", "c", "--type", "leg"), 2, "its end is not told"),
        (("--follow",), 2, "is for --call"),
        (("--since", "soon"), 2, "write 90s"),
        (("--metadata", "customer"), 2, "write NAME=VALUE"),
    ],
)
def test_what_cannot_be_watched(tmp_path, capsys, arguments, code, told):
    with pytest.raises(SystemExit) as ended:
        main(["--data", str(tmp_path), "tail", *arguments])
    assert ended.value.code == code
    assert told in capsys.readouterr().err


def test_a_call_that_no_world_has(served, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--data", str(tmp_path), "tail", "--call", str(UUID(int=9))])
    assert ended.value.code == 1
    assert f"No call found for ID `{UUID(int=9)}`" in capsys.readouterr().err


def test_ctrl_c_is_quiet(tmp_path, said, monkeypatch, capsys):
    def interrupted(*_: Any) -> Iterator[Any]:
        yield tail._Frame("", "", "id", ("the live world",))
        raise KeyboardInterrupt

    monkeypatch.setattr(tail, "_read", interrupted)
    assert run(Place(tmp_path, None), Wanted(ALL, ("live",)), json=False) == 0
    assert said.get_nowait() == "What happens in the live world, as it happens. Ctrl-C ends it."
    assert said.empty()
    assert capsys.readouterr().out == ""


def test_a_gap_is_said_aside(tmp_path, said, monkeypatch, capsys):
    gap = tail._Frame("gap", '{"message": "Events are gone.", "remedy": "Ask again."}', "id", ())
    monkeypatch.setattr(tail, "_read", lambda *_: iter([gap]))
    monkeypatch.setattr(following.time, "sleep", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run(Place(tmp_path, None), Wanted(ALL, ("live",), "c"), json=False) == 0
    assert said.get_nowait() == "Events are gone. Ask again."
    assert capsys.readouterr().out == ""
