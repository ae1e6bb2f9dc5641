"""``callwright listen`` beside a running server, and a receiver on this machine."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any
from uuid import UUID

import pytest

from callwright.cli import following, listen, main
from callwright.cli.listen import Wanted, run
from callwright.cli.place import Place
from support.served_room import Served


class Receiver:
    """Takes posts on a port of its own; answers with what `answers` has, then 200."""

    def __init__(self) -> None:
        self.got: Queue[tuple[str, dict[str, str], bytes]] = Queue()
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.put((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?a=1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def listening(place: Place, receiver: Receiver, count: int, **others: Any) -> Iterator[Queue[int]]:
    """`listen` in a thread; gives its exit status when it is over."""
    given: dict[str, Any] = {"forward": receiver.url, "events": "call", "token": None, "world": "live", "server": None}
    wanted = Wanted(**(given | {"key": None, "answer_s": 10.0} | others))
    over: Queue[int] = Queue()
    thread = threading.Thread(target=lambda: over.put(run(place, wanted, count=count, json=False)))
    thread.start()
    yield over
    thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> Queue[str]:
    """What `listen` says that is not its result."""
    said: Queue[str] = Queue()
    monkeypatch.setattr(listen.show, "aside", said.put)
    monkeypatch.setattr(following, "AGAIN_S", 0.05)
    return said


def test_events_are_posted_here_in_order(tmp_path, receiver, ready, capsys):
    served = Served(tmp_path).start()
    receiver.answers = [200, 500]
    with listening(Place(tmp_path, None), receiver, 3, token="secret") as over:
        assert ready.get(timeout=60) == f"Listening to the live world, forwarding to {receiver.url}. Ctrl-C ends it."
        for n, call in ((1, 77), (2, 78), (3, 77)):
            served.happen(n, call=call)
        got = [receiver.got.get(timeout=60) for _ in range(3)]
        assert over.get(timeout=60) == 1  # one answered 500
    served.stop()
    assert {path for path, _, _ in got} == {"/hook?a=1"}
    assert [(headers["webhook-id"], headers["webhook-sequence"]) for _, headers, _ in got] == [
        (str(UUID(int=1)), "1"), (str(UUID(int=2)), "1"), (str(UUID(int=3)), "2"),
    ]  # fmt: skip
    assert {headers["signed-for"] for _, headers, _ in got} == {receiver.url}
    assert {headers["signed-with"] for _, headers, _ in got} == {"secret"}
    assert {body for _, _, body in got} == {b'{"kind": "callUpdated"}'}
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[1:4] for line in lines] == [
        ["callUpdated", str(UUID(int=77)), "200"], ["callUpdated", str(UUID(int=78)), "500"],
        ["callUpdated", str(UUID(int=77)), "200"],
    ]  # fmt: skip


def test_a_restart_of_the_server_loses_nothing(tmp_path, receiver, ready):
    served = Served(tmp_path).start()
    room = served.room
    with listening(Place(tmp_path, None), receiver, 4) as over:
        ready.get(timeout=60)
        served.happen(1)
        receiver.got.get(timeout=60)
        served.stop()
        assert ready.get(timeout=60) == "The server is stopping."
        assert ready.get(timeout=60).endswith("it is tried again until it is back.")
        room.listening = type(room.listening)(room.store, room.listening.clock, render=lambda _: b"{}", sign=lambda *_: [])
        room.parts = type(room.parts)(**{**vars(room.parts), "listening": room.listening})
        again = Served(tmp_path, room).start()
        for n in (2, 3, 4):
            again.happen(n)
        got = [receiver.got.get(timeout=60)[1] for _ in range(3)]
        assert over.get(timeout=60) == 0
    assert ready.get(timeout=60) == "The server is back; it goes on where it was."
    assert [(headers["webhook-id"], headers["webhook-sequence"]) for headers in got] == [
        (str(UUID(int=n)), str(n)) for n in (2, 3, 4)
    ]
    again.stop()


def test_what_happens_while_the_line_is_down_is_told_after_it(tmp_path, receiver, ready):
    served = Served(tmp_path).start()
    place = Place(tmp_path, None)
    wanted = Wanted(receiver.url, "call", None, "live", None, None, 10.0)
    lines = listen._read(place, wanted, None)
    resume = next(lines)["resume"]
    lines.close()
    for n in (1, 2):
        served.happen(n)
    again = listen._read(place, wanted, resume)
    assert [next(again).get("messageId") for _ in range(3)] == [None, str(UUID(int=1)), str(UUID(int=2))]
    again.close()
    served.stop()


def test_a_receiver_that_is_down_is_said_and_passed_over(tmp_path, receiver, ready, capsys):
    served = Served(tmp_path).start()
    with socket.socket() as down:
        down.bind(("127.0.0.1", 0))  # so that nobody else does
        nobody = f"http://127.0.0.1:{down.getsockname()[1]}/"
        with listening(Place(tmp_path, None), receiver, 2, forward=nobody) as over:
            ready.get(timeout=60)
            served.happen(1)
            served.happen(2)
            assert over.get(timeout=60) == 1
    served.stop()
    assert ["  nobody listens there  " in line for line in capsys.readouterr().out.splitlines()] == [True, True]


def test_a_server_elsewhere_by_its_key(tmp_path, receiver, ready):
    served = Served(tmp_path).start()
    key = served.room.key
    with listening(Place(tmp_path / "nowhere", None), receiver, 1, server=f"{served.http}/", key=key) as over:
        ready.get(timeout=60)
        served.happen(1, world="test")
        served.happen(2)
        assert receiver.got.get(timeout=60)[1]["webhook-id"] == str(UUID(int=2))
        assert over.get(timeout=60) == 0
    served.stop()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--forward", "http://localhost:1/"), 1, "No server works on"),
        (("--forward", "localhost:1"), 2, "write http:// or https://"),
        (("--forward", "http://localhost:1/", "--once", "--count", "2"), 2, "give one of them"),
        (("--forward", "http://localhost:1/", "--server", "http://127.0.0.1:9"), 2, "wants a key"),
        (("--forward", "http://localhost:1/", "--server", "http://127.0.0.1:9", "--key", "k", "--test"), 2, "which world"),
        (
            ("--forward", "http://localhost:1/", "--server", "http://127.0.0.1:9", "--key", "k"),
            1,
            "Nobody listens at http://127.0.0.1:9; see that the server runs",
        ),
        ((), 2, "--forward"),
    ],
)
def test_what_cannot_be_listened_to(tmp_path, capsys, arguments, code, said):
    with pytest.raises(SystemExit) as ended:
        main(["--data", str(tmp_path), "listen", *arguments])
    assert ended.value.code == code
    assert said in capsys.readouterr().err


def test_a_key_that_is_not_known_is_refused(tmp_path, receiver):
    served = Served(tmp_path).start()
    with pytest.raises(SystemExit) as ended:
        main(["listen", "--forward", receiver.url, "--server", served.http, "--key", "live_unknown"])
    served.stop()
    assert ended.value.code == 1


def test_ctrl_c_ends_it_cleanly(tmp_path, ready, monkeypatch):
    def interrupted(*_: Any) -> Iterator[dict[str, Any]]:
        yield {"type": "ready", "world": "live", "resume": "r"}
        raise KeyboardInterrupt

    monkeypatch.setattr(listen, "_read", interrupted)
    wanted = Wanted("http://localhost:1/", "call", None, "live", None, None, 1.0)
    assert run(Place(tmp_path, None), wanted, count=None, json=False) == 0
    ready.get_nowait()
    assert ready.get_nowait() == "\n0 forwarded, 0 of them not taken."


def test_json_lines(tmp_path, receiver, ready, monkeypatch, capsys):
    event = {
        "type": "event", "resume": "s", "messageId": "m", "event": "callCreated", "callId": "c", "at": "2026-05-04T10:00:00Z",
        "headers": [["webhook-id", "m"]], "body": "{}",
    }  # fmt: skip
    monkeypatch.setattr(listen, "_read", lambda *_: iter([{"type": "ready", "world": "live", "resume": "r"}, event]))
    wanted = Wanted(receiver.url, "call", None, "live", None, None, 10.0)
    assert run(Place(tmp_path, None), wanted, count=1, json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["event"], told["status"], told["why"]) == ("callCreated", 200, None)
