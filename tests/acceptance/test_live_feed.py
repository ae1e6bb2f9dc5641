"""The live feed of the real server through SIGKILL: all that was committed is told, in order, and nothing twice."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import apsw

from callwright.native.cursors import unseal
from support.event_source import EventSource
from support.ports import free_port
from support.server import PATIENCE_S, STOP_S, Customer, Server, until

SETTINGS = {"simulator.speed": "20"}
STEPS = [{"action": "pause", "options": {"length": 2}}]
# A death after so many events that were heard since the last one, so that calls are under way.
DEATHS = (20, 35, 50)
BACK = "The server is back"


class World(NamedTuple):
    """What a cursor is sealed for."""

    id: UUID


class Watcher:
    """Reads the feed over whatever happens to the server, and comes back with the last id, until that is stopped."""

    def __init__(self, http_port: int, key: str) -> None:
        self.ids: list[str] = []
        self.kinds: set[str] = set()
        self.connections = 0
        self._address = f"127.0.0.1:{http_port}"
        self._key = key
        self._last_id = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """Do not come back."""
        self._over.set()

    def join(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while not self._over.is_set():
            with suppress(OSError, http.client.HTTPException):
                self._read()
            self._over.wait(0.05)

    def _read(self) -> None:
        headers = {"Authorization": f"AccessKey {self._key}"} | ({"Last-Event-ID": self._last_id} if self._last_id else {})
        with closing(http.client.HTTPConnection(self._address, timeout=4 * PATIENCE_S)) as line:
            line.request("GET", "/api/events?type=call,leg", headers=headers)
            with line.getresponse() as answer:
                assert answer.status in (200, 503)
                self.connections += 1
                source = EventSource()
                while answer.status == 200 and (received := answer.read1(1 << 16)):
                    heard = source.feed(received)
                    self._last_id = source.last_id or self._last_id
                    self.kinds |= {one.kind for one in heard}
                    self.ids += [one.last_id for one in heard]


class Placing:
    """Places calls in the test world, one after the other, whether or not somebody takes them."""

    def __init__(self, http_port: int, key: str) -> None:
        self._customer = Customer(f"http://127.0.0.1:{http_port}", key)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join(2 * PATIENCE_S)

    def _run(self) -> None:
        asked = {"source": "31205550100", "destination": "31205550198", "callFlow": {"steps": STEPS}}
        while not self._over.wait(0.03):
            with suppress(OSError, http.client.HTTPException, ValueError):
                self._customer.post("/calls", asked)


def committed(folder: Path) -> tuple[World, list[int], int]:
    """The test world, the positions of what is told of calls in it, and how many calls live."""
    with closing(apsw.Connection(str(folder / "data" / "callwright.db"), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        connection.set_busy_timeout(5_000)
        ((world,),) = connection.execute("SELECT id FROM worlds WHERE kind = 'test'")
        rows = connection.execute("SELECT pos FROM events WHERE world_id = ? ORDER BY pos", (world,))
        positions = [pos for (pos,) in rows]
        ((live,),) = connection.execute("SELECT COUNT(*) FROM calls WHERE ended_us IS NULL")
    return World(UUID(bytes=world)), positions, live


def places_of(world: World, ids: list[str]) -> list[tuple[int, int]]:
    """Positions and messages that ids stand for."""
    found = []
    for id_ in ids:
        numbers = unseal(world, "events", id_)  # type: ignore[arg-type]
        assert numbers is not None
        pos, message = numbers
        found.append((pos, message))
    return found


@contextmanager
def tail(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """``callwright tail`` with its lines in a file; it is ready when it has said so."""
    command = [sys.executable, "-m", "callwright", f"--data={folder / 'data'}", "tail", "--test", "--json", "--type=call"]
    # Whoever runs the tests in the background of a script has them, and all they start, ignore Ctrl-C.
    command = ["env", "--default-signal=INT", *command]
    with (folder / "tail.json").open("w") as lines, (folder / "tail.log").open("w") as log:
        process = subprocess.Popen(command, stdout=lines, stderr=log, text=True)
    try:
        until((folder / "tail.log").read_text, bool, what="that tail is there")
        yield process
    finally:
        process.kill()
        process.wait()


def test_what_was_committed_is_told_once_over_three_deaths(tmp_path: Path) -> None:
    http_port = free_port()
    server = Server.start(tmp_path, SETTINGS, http_port=http_port)
    watcher = Watcher(http_port, server.keys["test"])
    placing = None
    try:
        until(lambda: watcher.connections, bool, what="that the feed is there")
        with tail(tmp_path) as tailing:
            placing = Placing(http_port, server.keys["test"])
            for deaths, death in enumerate(DEATHS, start=1):
                before = len(watcher.ids)
                until(lambda before=before: len(watcher.ids) - before, lambda more, death=death: more >= death, within=240)
                server.kill()
                server = Server.start(tmp_path, SETTINGS, keys=server.keys, http_port=http_port)
                # A tail that is away when the server dies again says so once for both deaths.
                until(
                    (tmp_path / "tail.log").read_text,
                    lambda said, times=deaths: said.count(BACK) == times,
                    what="that tail is back",
                )
            placing.end()
            until(lambda: committed(tmp_path)[2], lambda live: live == 0, within=240, what="the end of all calls")
            world, positions, _ = committed(tmp_path)
            until(lambda: places_of(world, watcher.ids[-1:])[0][0], lambda last: last == positions[-1], within=240)
            until(
                lambda: places_of(world, [json.loads(_last_line(tmp_path / "tail.json"))["id"]])[0][0],
                lambda last: last == positions[-1],
                within=240,
            )
            tailing.send_signal(signal.SIGINT)
            assert tailing.wait(PATIENCE_S) == 0
        watcher.end()
        server.ask_to_stop()
        assert server.process.wait(STOP_S) == 0
        watcher.join()
    finally:
        watcher.end()
        if placing is not None:
            placing.end()
        server.kill()
    assert watcher.connections >= 1 + len(DEATHS)
    assert "gap" not in watcher.kinds
    places = places_of(world, watcher.ids)
    assert places == sorted(set(places))
    assert [pos for pos, message in places if message == 1] == positions
    told = [json.loads(line) for line in (tmp_path / "tail.json").read_text().splitlines()]
    assert [pos for pos, _ in places_of(world, [line["id"] for line in told])] == positions
    said = (tmp_path / "tail.log").read_text()
    assert said.count("it is tried again until it is back.") == said.count(BACK) == len(DEATHS)
    assert "Traceback" not in said


def _last_line(file: Path) -> str:
    return file.read_text().rpartition("\n")[0].rpartition("\n")[2]


def test_one_who_reads_no_more_ends_tail_quietly(tmp_path: Path) -> None:
    server = Server.start(tmp_path, SETTINGS)
    try:
        asked = {"source": "31205550100", "destination": "31205550198", "callFlow": {"steps": STEPS}}
        for _ in range(5):
            server.test.post("/calls", asked)
        command = f"{sys.executable} -m callwright --data={tmp_path / 'data'} tail --test --since 1h | head -2"
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=240)
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
        assert done.stderr.splitlines() == ["What happens in the test world, as it happens. Ctrl-C ends it."]
        server.stop()
    finally:
        server.kill()
