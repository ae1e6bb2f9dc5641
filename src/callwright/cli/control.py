"""The native interface of a data folder, whoever answers it.

While a server works on the folder, requests go to its control socket. Otherwise this process takes the folder's lock
and answers them itself, with the same application.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from callwright.cli.place import Place
from callwright.datafolder import DataFolder, FolderInUse
from callwright.errors import CallwrightError, DataFolderError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message

WORLD_HEADER = "Callwright-World"
# A server that has just taken the lock is given 5 s until it listens.
ATTEMPTS, PAUSE_S = 100, 0.05
ANSWER_S = 60.0
PORTION = 1 << 18
WENT_AWAY = "The server went away while it was being asked."


class Refused(CallwrightError):
    """The server says no. `example` is a query that it would take, given where nothing else is a `remedy`."""

    def __init__(self, status: int, message: str, remedy: str | None = None, example: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.example = example
        self.remedy = remedy if example is None else f"Write it so: {example}"


class NoServer(CallwrightError):
    """No server works on the data folder."""


class Transport(Protocol):
    def exchange(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]: ...

    def copy(self, path: str, headers: dict[str, str], to: Callable[[bytes], object]) -> tuple[int, bytes]:
        """Have an answer as it comes; one that is no 2xx is returned instead."""
        ...


class Control:
    """Asks as the operator; a server answers where it is `served`."""

    def __init__(self, transport: Transport, *, served: bool = True) -> None:
        self._transport = transport
        self.served = served

    def get(self, path: str, *, world: str = "live") -> Any:
        return self.ask("GET", path, world=world)

    def ask(self, method: str, path: str, body: Any = None, *, world: str = "live") -> Any:
        """Return the decoded answer, None where it is empty; raise `Refused` for any other than a 2xx."""
        headers = {WORLD_HEADER: world, "Host": "localhost"}
        sent = b""
        if body is not None:
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        status, received = self._transport.exchange(method, path, headers, sent)
        if 200 <= status < 300:
            return json.loads(received) if received else None
        raise refusal(status, received)

    def read(self, path: str, *, world: str = "live") -> bytes:
        """Return an answer as it is; raise `Refused` for any other than a 2xx."""
        status, received = self._transport.exchange("GET", path, {WORLD_HEADER: world, "Host": "localhost"}, b"")
        if 200 <= status < 300:
            return received
        raise refusal(status, received)

    def copy(self, path: str, to: Callable[[bytes], object], *, world: str = "live") -> None:
        """Pass an answer on as it comes, however long it is; raise `Refused` for any other than a 2xx."""
        status, received = self._transport.copy(path, {WORLD_HEADER: world, "Host": "localhost"}, to)
        if not 200 <= status < 300:
            raise refusal(status, received)


def refusal(status: int, received: bytes) -> Refused:
    """What the server said instead of doing what it was asked."""
    try:
        answer = json.loads(received) if received else None
    except ValueError:
        answer = None
    error = answer.get("error", {}) if isinstance(answer, dict) else {}
    remedy = error.get("remedy") or None
    example = None if remedy else error.get("example") or None
    return Refused(status, error.get("message") or f"The server answered {status}.", remedy, example)


@contextmanager
def reach(place: Place, *, making: bool = False, server_only: bool = False, answer_s: float = ANSWER_S) -> Iterator[Control]:
    """Find who answers for the data folder; a server has `answer_s` seconds for each answer.

    Where no server runs, a folder without a database is made when `making`, else it is an error; with `server_only` no
    server is one.
    """
    folder = place.folder
    for attempt in range(ATTEMPTS):
        if (connection := _connect(folder, answer_s)) is not None:
            connection.close()
            yield Control(_Socket(folder, answer_s))
            return
        if server_only:
            raise NoServer(f"No server works on {folder.root}. Start one with: callwright serve --data {folder.root}")
        if not making and not folder.database.exists():
            raise DataFolderError(
                f"{folder.root} holds no Callwright data. Start the server there once with: callwright serve "
                f"--data {folder.root}; or name another folder with --data"
            )
        try:
            folder.prepare()
            lock = folder.lock("callwright (command line)")
        except FolderInUse as error:
            if attempt == ATTEMPTS - 1:
                raise DataFolderError(
                    f"{error.name or 'Another process'} (pid {error.pid or 'unknown'}) holds {folder.root} but does not answer "
                    f"at {folder.control_socket}. Wait for it, or end it"
                ) from error
            time.sleep(PAUSE_S)
            continue
        with lock, _inside(place) as transport:
            yield Control(transport, served=False)
        return


def _connect(folder: DataFolder, answer_s: float) -> socket.socket | None:
    """A connection to the server's control socket, or None when nobody listens there; raise `NoServer` when it takes none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(answer_s)
    try:
        with folder.control_address() as address:
            connection.connect(address)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        connection.close()
        return None
    except PermissionError:
        connection.close()
        raise DataFolderError(
            f"{folder.control_socket} belongs to another user. Run this command as the user the server runs as"
        ) from None
    except (BlockingIOError, TimeoutError):
        connection.close()
        raise NoServer(
            f"The server takes no more connections at {folder.control_socket}: it is frozen, and others wait for it already."
        ) from None
    return connection


class _Socket:
    """HTTP over the control socket, a connection for each request."""

    def __init__(self, folder: DataFolder, answer_s: float) -> None:
        self._folder = folder
        self._answer_s = answer_s

    def exchange(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        with self._asked(method, path, body, headers) as answer, _line_troubles():
            return answer.status, answer.read()

    def copy(self, path: str, headers: dict[str, str], to: Callable[[bytes], object]) -> tuple[int, bytes]:
        with self._asked("GET", path, b"", headers) as answer:
            if not 200 <= answer.status < 300:
                return answer.status, _portion(answer)
            while piece := _portion(answer):
                to(piece)
            return answer.status, b""

    @contextmanager
    def _asked(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Iterator[http.client.HTTPResponse]:
        line = _line(self._folder, self._answer_s)
        if line is None:
            raise NoServer(WENT_AWAY)
        with closing(line):
            with _line_troubles():
                line.request(method, path, body, headers)
                answer = line.getresponse()
            yield answer


@contextmanager
def _line_troubles() -> Iterator[None]:
    try:
        yield
    except http.client.IncompleteRead as error:
        raise NoServer("The server broke its answer off; its log may say why.") from error
    except TimeoutError as error:
        raise NoServer(
            "The server did not answer in time: it is frozen, or overloaded. callwright doctor looks at it."
        ) from error
    except ConnectionError as error:
        raise NoServer(WENT_AWAY) from error
    except (OSError, http.client.HTTPException) as error:
        why = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
        raise NoServer(f"The server did not answer: {why}.") from error


def _portion(answer: http.client.HTTPResponse) -> bytes:
    with _line_troubles():
        return answer.read(PORTION)


def connection(place: Place, answer_s: float) -> http.client.HTTPConnection:
    """A connection of one's own to the server of a data folder; raises `NoServer`."""
    line = _line(place.folder, answer_s)
    if line is None:
        raise NoServer(f"No server works on {place.folder.root}. Start one with: callwright serve --data {place.folder.root}")
    return line


def _line(folder: DataFolder, answer_s: float) -> http.client.HTTPConnection | None:
    connected = _connect(folder, answer_s)
    if connected is None:
        return None
    line = http.client.HTTPConnection("localhost")
    line.sock = connected
    return line


class _InProcess:
    """The native application called directly."""

    def __init__(self, app: ASGIApp, runner: asyncio.Runner) -> None:
        self._app = app
        self._runner = runner

    def exchange(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        return self._runner.run(call_asgi(self._app, method, path, headers, body))

    def copy(self, path: str, headers: dict[str, str], to: Callable[[bytes], object]) -> tuple[int, bytes]:
        return self._runner.run(call_asgi(self._app, "GET", path, headers, b"", to))


@contextmanager
def _inside(place: Place) -> Iterator[Transport]:
    from callwright.accounts.worlds import Accounts
    from callwright.cli import abilities
    from callwright.clock import SystemClock
    from callwright.egress.post import HttpDoor
    from callwright.flows.flows import Flows
    from callwright.native import Exports, Limits, Parts, control_app
    from callwright.numbers.numbers import Numbers
    from callwright.recordings.files import Files
    from callwright.recordings.recordings import Recordings
    from callwright.settings import rooms, rows
    from callwright.store import Store
    from callwright.transcriptions.transcriptions import Transcriptions
    from callwright.webhooks import switching
    from callwright.webhooks.endpoints import Endpoints
    from callwright.webhooks.log import DeliveryLog
    from callwright.webhooks.webhooks import Webhooks

    loaded = place.settings()
    clock = SystemClock()
    store = Store.open(place.folder.database, clock, synchronous=loaded.settings.store.synchronous)
    try:
        accounts = Accounts(store, clock, rotation_overlap=loaded.settings.webhooks.rotation_overlap)
        keys = rooms.recording_keys(loaded.settings)
        recordings = Recordings(store, clock, place.folder.recordings, keys)
        parts = Parts(
            store=store,
            clock=clock,
            accounts=accounts,
            numbers=Numbers(store, clock, claim=loaded.settings.numbers.claim),
            flows=Flows(store, clock, abilities=abilities.of(place, loaded)),
            recordings=recordings,
            transcriptions=Transcriptions(store, clock, keys),
            files=Files(recordings, rooms.recording_objects(loaded.settings)),
            keys=keys,
            webhooks=Webhooks(
                store,
                clock,
                HttpDoor(rooms.egress(loaded.settings), clock).refusal,
                per_world=loaded.settings.api.webhooks_per_world,
                rotation_overlap=loaded.settings.webhooks.rotation_overlap,
                asked_for=partial(switching.enable, store, clock),
            ),
            log=DeliveryLog(store, clock, otherwise=loaded.settings.webhooks.events),
            endpoints=Endpoints(store, clock),
            exports=Exports(clock),
            settings=lambda: rows(loaded),
            health=lambda: {"server": "no server runs on this folder"},
            limits=Limits(
                body=loaded.settings.api.body_limit, flow=loaded.settings.api.flow_limit, claim=loaded.settings.numbers.claim
            ),
            currency=loaded.settings.calls.currency,
        )
        with asyncio.Runner() as runner:
            runner.run(accounts.prepare())
            yield _InProcess(control_app(parts), runner)
    finally:
        store.close()


async def call_asgi(
    app: ASGIApp,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    to: Callable[[bytes], object] | None = None,
) -> tuple[int, bytes]:
    """Put one request to an ASGI application and return status and body of its answer; with `to` a 2xx's body goes there."""
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": None,
        "server": None,
    }
    requests: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    status = 500
    received = bytearray()

    async def receive() -> Message:
        if not requests:
            await asyncio.Event().wait()  # whoever asks does not go away
        return requests.pop()

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            take = received.extend if to is None or not 200 <= status < 300 else to
            take(message.get("body", b""))

    await app(scope, receive, send)
    return status, bytes(received)
