"""``callwright serve`` as its users have it: a process with a data folder of its own, asked over HTTP and seen from outside."""

from __future__ import annotations

import http.client
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

from callwright.speech.settings import ENGINES
from support import lost_sound
from support.crowded import CrowdedServer
from support.ports import FIRST, LAST, free_ports, ports_of

T = TypeVar("T")

START_S = 90.0
STOP_S = 60.0
PATIENCE_S = 40.0
TERMINAL = frozenset({"ended", "busy", "no_answer", "failed"})
ABOUT_THE_MACHINE = frozenset({"small_receive_buffer", "media_stalled"})
NEVER_PLACED = frozenset({"no_route", "not_allowed", "limit"})
PORT_PAIRS = 500
# Each voice is a process, and most servers of tests need one at most; with these settings there are all.
EVERY_VOICE = {"speech.engines": ",".join(ENGINES)}
# No voice is passed over because it has to share a processor with other tests.
SLOW_VOICES = {"speech.patience": "20", "speech.deadline": "60"}


def _is_a_neighbours_sound(line: Mapping[str, Any]) -> bool:
    """Whether a server of tests beside these still speaks to a port that was somebody's ear, and is our server's now."""
    source = str(line.get("source", ""))
    return line["event"] == "sip_garbage" and int(source.rpartition(":")[2] or 0) in range(FIRST, LAST)


def until(look: Callable[[], T], enough: Callable[[T], bool], *, within: float = PATIENCE_S, what: str = "") -> T:
    """Look until it is enough; AssertionError, with what was seen last, when that does not come.

    The last look is one after the time: who looks may have stood still himself.
    """
    deadline = time.monotonic() + within
    while True:
        late = time.monotonic() > deadline
        if enough(seen := look()):
            return seen
        if late:
            raise AssertionError(f"not within {within:g} s: {what or 'what was waited for'}; seen last: {seen}")
        time.sleep(0.02)


def log_lines(log: Path) -> list[dict[str, Any]]:
    """The lines of a log that is perhaps being written: one that has no end yet, as its writer's page is full, waits."""
    whole, _, _ = log.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.split(b"\n") if line.startswith(b"{")]


def children_of(pid: int) -> list[int]:
    """The process ids of the children of a process; none when it is gone."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Answer(NamedTuple):
    """`content` is the decoded body, None where there is none."""

    status: int
    content: Any

    @property
    def made(self) -> dict[str, Any]:
        """The object that a 201 or 200 of the compatible interface tells of."""
        assert self.status in (200, 201), self
        found: dict[str, Any] = self.content["data"][0]
        return found


class File(NamedTuple):
    """A file that was downloaded, or why it was not. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Customer:
    """Speaks HTTP with one access key."""

    def __init__(self, base: str, key: str) -> None:
        self._base = urlsplit(base)
        self._key = key

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        with closing(http.client.HTTPConnection(self._base.hostname or "", self._base.port, timeout=PATIENCE_S)) as link:
            sent = None if body is None else json.dumps(body).encode()
            link.request(method, path, sent, {"Authorization": f"AccessKey {self._key}"})
            answer = link.getresponse()
            text = answer.read()
        return Answer(answer.status, json.loads(text) if text else None)

    def file(self, path: str, **headers: str) -> File:
        """Whatever is there, not decoded; `headers` with underscores for dashes."""
        sent = {"Authorization": f"AccessKey {self._key}"} | {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection(self._base.hostname or "", self._base.port, timeout=PATIENCE_S)) as link:
            link.request("GET", path, headers=sent)
            answer = link.getresponse()
            return File(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, body: Any) -> Answer:
        return self.ask("POST", path, body)

    def delete(self, path: str) -> Answer:
        return self.ask("DELETE", path)

    def listed(self, path: str) -> list[dict[str, Any]]:
        """A collection, whole and newest first."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self.get(f"{path}?perPage=100&page={page}")
            assert answer.status == 200, answer
            found += answer.content["data"]
            if page >= answer.content["pagination"]["pageCount"]:
                return found
            page += 1


class Posted(NamedTuple):
    """A callback as it arrived. Header names are lower case; `at` is monotonic."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def item(self) -> dict[str, Any]:
        (item,) = json.loads(self.body)["items"]
        found: dict[str, Any] = item
        return found


class Told(NamedTuple):
    """What a callback told: its place in order, its event, the status of the call, and of its legs, oldest first."""

    sequence: int
    event: str
    call: str
    legs: tuple[str, ...]


class Webserver:
    """The customer's web service: keeps what is posted, and serves `files` by path.

    With a `status` other than 200 it takes no callback.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.posted: list[Posted] = []
        self.status = 200
        self._http = CrowdedServer(("127.0.0.1", 0), self._answerer())
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{path}"

    def about(self, call_id: str) -> list[Posted]:
        return [one for one in tuple(self.posted) if one.item["payload"]["id"] == call_id]

    def told(self, call_id: str) -> list[Told]:
        """The callbacks of a call in the order they came, once the last one has come."""
        until(
            lambda: [one.item["payload"]["status"] for one in self.about(call_id)],
            lambda statuses: bool(TERMINAL.intersection(statuses)),
            what=f"a last callback of call {call_id}",
        )
        told = []
        for one in self.about(call_id):
            item = one.item
            legs = tuple(leg["status"] for leg in item["payload"]["legs"])
            told.append(Told(int(one.headers["webhook-sequence"]), item["event"], item["payload"]["status"], legs))
        return told

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _answerer(self) -> type[BaseHTTPRequestHandler]:
        web = self

        class Answerer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if web.status == 200:
                    web.posted.append(Posted(self.path, headers, body, time.monotonic()))
                self._answer(web.status, b"{}")

            def do_GET(self) -> None:
                file = web.files.get(self.path)
                self._answer(404 if file is None else 200, file or b"")

            def log_message(self, *_: Any) -> None:
                pass

            def _answer(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Answerer


def in_order(*told: tuple[str, str]) -> list[Told]:
    """The callbacks of a call as they must be, from pairs of the call's status and those of its legs: the first made it."""
    events = ["callCreated"] + ["callUpdated"] * (len(told) - 1)
    return [
        Told(n, event, call, tuple(legs.split())) for n, (event, (call, legs)) in enumerate(zip(events, told, strict=True), 1)
    ]


class LegRecord(NamedTuple):
    """`code` is ``sipResponseCode``, None where that key is left out."""

    direction: str
    status: str
    reason: str | None
    code: int | None


class Record(NamedTuple):
    """How a call stands on record; legs oldest first."""

    status: str
    legs: tuple[LegRecord, ...]


class Server:
    """Made by `start`. `host` and `port` are those of SIP, `live` and `test` the customers of the two worlds.

    `https` is the address with TLS, of one that was given a certificate and a port without TLS beside it.
    """

    def __init__(self, process: subprocess.Popen[str], folder: Path, rtp_ports: range) -> None:
        self.process = process
        self.folder = folder
        self.rtp_ports = rtp_ports
        self.log = folder / "serve.log"

    @classmethod
    def start(
        cls,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        toml: str = "",
        *,
        keys: Mapping[str, str] | None = None,
        sip_port: int = 0,
        http_port: int = 0,
        port_pairs: int = PORT_PAIRS,
        environment: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
        begun: Callable[[Self], None] = lambda server: None,
    ) -> Self:
        """Run a server with its data in `folder`; `settings` are flags, `toml` what only a file can say.

        A folder that another server made needs the `keys` that one gave out; peers find a successor at the same `sip_port`.
        `environment` is added to that of the tests; `within` is a command that runs the one after it. `begun` hears of the
        server as soon as its process is there, which may be long before it is ready.
        """
        data = folder / "data"
        data.mkdir(parents=True, exist_ok=keys is not None)
        (data / "callwright.toml").write_text(toml)
        first = free_ports(2 * port_pairs)
        rtp_ports = range(first, first + 2 * port_pairs)
        chosen = {
            "media.ports": f"{first},{rtp_ports[-1]}",
            "sip.allow_hosts": "127.0.0.1",
            "drain.seconds": "1",
            "sip.max_late_ms": "10000",  # this machine has much else to do
            "log.format": "json",
            **({} if "[speech]" in toml else {"speech.engines": "espeak", **SLOW_VOICES}),
            **(settings or {}),
        }
        arguments = [*within, sys.executable, "-m", "callwright", f"--data={data}", "serve"]
        arguments += [
            f"--http-port={http_port}",
            f"--sip-port={sip_port}",
            "--json",
            *(f"--set={key}={value}" for key, value in chosen.items()),
        ]
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith("CALLWRIGHT_")}
        surroundings |= environment or {}
        lost_sound.heed(folder / "serve.log")
        with (folder / "serve.log").open("wb") as log:
            process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=surroundings, text=True
            )
        server = cls(process, folder, rtp_ports)
        begun(server)
        try:
            server._introduce(keys)
        except BaseException:
            server.kill()
            raise
        return server

    def _introduce(self, keys: Mapping[str, str] | None) -> None:
        stdout = self.process.stdout
        assert stdout is not None
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            ready = json.loads(lines.get(timeout=START_S))
        except (queue.Empty, ValueError) as error:
            raise AssertionError(f"the server did not start: {self.log.read_text()}") from error
        self.https: str = ready["http"] if "plain_http" in ready else ""
        self.http: str = ready.get("plain_http", ready["http"])
        self.sip: str = ready["sip"]
        self.host, port = self.sip.split(":")
        self.port = int(port)
        self.keys: Mapping[str, str] = ready["keys"] if keys is None else keys
        self.live, self.test = (Customer(self.http, self.keys[kind]) for kind in ("live", "test"))

    def ask_to_stop(self) -> None:
        """Send the signal, and wait until it is obeyed: no more calls are taken."""
        self.process.send_signal(signal.SIGTERM)
        until(lambda: self.logged(event="draining"), bool, what="that the server drains")

    def kill(self) -> None:
        """End it however it is."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        lost_sound.leave(self.log)

    def stop(self) -> None:
        """Stop as a service manager does; whatever went wrong unseen in its life fails here."""
        try:
            self.ask_to_stop()
            self.stopped()
        finally:
            self.kill()

    def stopped(self) -> None:
        """Wait for the end of a server that was asked to stop."""
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not stop within {STOP_S:g} s: {self._tail()}") from None
        finally:
            self.kill()
        assert code == 0, self._tail()
        text = self.log.read_text()
        assert "Traceback" not in text, text
        errors = self.logged(level="error")
        assert not errors, "\n".join(map(json.dumps, errors))
        warned = {line["event"] for line in self.logged(level="warning") if not _is_a_neighbours_sound(line)}
        assert warned <= ABOUT_THE_MACHINE, text

    def logged(self, **fields: Any) -> list[dict[str, Any]]:
        """The lines of the log that have these fields."""
        return [line for line in log_lines(self.log) if fields.items() <= line.items()]

    def _tail(self) -> str:
        return "\n".join(self.log.read_text().splitlines()[-20:])

    # what a customer sets up ------------------------------------------------------------------------------------------

    def answers(self, number: str, *steps: dict[str, Any], webhook: str | None = None) -> str:
        """Let a number run a flow of these steps, and have its calls told to `webhook`; the number."""
        flow = self.live.post("/call-flows", {"steps": list(steps)}).made
        assert self.live.post(f"/call-flows/{flow['id']}/numbers", {"numbers": [number]}).status == 201
        if webhook is not None:
            assert self.live.post(f"/numbers/{number}/webhook", {"url": webhook, "token": "token"}).status == 201
        return number

    def calls(self, destination: str, *steps: dict[str, Any], source: str = "31205550100", webhook: str | None = None) -> str:
        """Place a call with POST /calls; its id."""
        body: dict[str, Any] = {"source": source, "destination": destination, "callFlow": {"steps": list(steps)}}
        if webhook is not None:
            body["webhook"] = {"url": webhook, "token": "token"}
        placed = self.live.post("/calls", body)
        assert (placed.status, placed.made["status"]) == (201, "queued")
        call_id: str = placed.made["id"]
        return call_id

    # what is on record ------------------------------------------------------------------------------------------------

    def call_to(self, number: str) -> str:
        """The id of the only call to a number."""
        (found,) = until(lambda: self.calls_to(number), bool, what=f"a call to {number}")
        return found

    def calls_to(self, number: str) -> list[str]:
        return [call["id"] for call in self.live.listed("/calls") if call["destination"] == number]

    def record(self, call_id: str) -> Record:
        """A call as it stands, put together from both interfaces."""
        native = self._native(f"/api/calls/{call_id}")
        answer = self.live.get(f"/calls/{call_id}/legs")
        codes = {leg["id"]: leg.get("sipResponseCode") for leg in answer.content["data"]}
        legs = []
        for leg in native["legs"]:
            reason = None if leg["reason"] is None else leg["reason"]["name"]
            legs.append(LegRecord(leg["direction"], leg["status"], reason, codes[leg["id"]]))
        return Record(native["status"], tuple(legs))

    def ended(self, call_id: str, *, within: float = PATIENCE_S) -> Record:
        """The record of a call once it is over and the engine has said its last word on each of its legs."""

        def unfinished() -> list[str]:
            native = self._native(f"/api/calls/{call_id}")
            if native["status"] not in TERMINAL:
                return [f"the call is {native['status']}"]
            last = {entry["leg"] for entry in self.journal(call_id, "leg_last")}
            placed = [leg["id"] for leg in native["legs"] if leg["reason"]["name"] not in NEVER_PLACED]
            return [f"leg {leg} has no last word" for leg in placed if leg not in last]

        until(unfinished, lambda missing: not missing, within=within, what=f"the end of call {call_id}")
        return self.record(call_id)

    def reaches(self, call_id: str, *legs: str, within: float = PATIENCE_S) -> None:
        """Wait until the legs of a call, oldest first, have these statuses."""

        def statuses() -> tuple[str, ...]:
            return tuple(leg["status"] for leg in self._native(f"/api/calls/{call_id}")["legs"])

        until(statuses, lambda seen: seen == legs, within=within, what=f"legs {legs} of call {call_id}")

    def journal(self, call_id: str, *kinds: str) -> list[dict[str, Any]]:
        """The journal of a call, or its entries of some kinds."""
        entries = self._native(f"/api/calls/{call_id}/journal")["data"]
        return [entry for entry in entries if not kinds or entry["kind"] in kinds]

    def journalled(self, call_id: str, kind: str, *, within: float = PATIENCE_S) -> dict[str, Any]:
        """The first entry of a kind, once it is there."""
        return until(lambda: self.journal(call_id, kind), bool, within=within, what=f"an entry {kind} of call {call_id}")[0]

    def counters(self, call_id: str) -> list[dict[str, Any]]:
        """The final RTP counters of the legs, oldest leg first; empty where a leg never had sound."""
        last = {entry["leg"]: entry["counters"] or {} for entry in self.journal(call_id, "leg_last")}
        return [last[leg["id"]] for leg in self._native(f"/api/calls/{call_id}")["legs"]]

    def pressed(self, call_id: str, keys: str) -> list[dict[str, Any]]:
        """The journal's entries of the keys that were pressed: these, each once, and no other."""
        found = until(
            lambda: self.journal(call_id, "digit_pressed"),
            lambda entries: len(entries) >= len(keys),
            what=f"keys {keys} in call {call_id}",
        )
        assert "".join(entry["digit"] for entry in found) == keys
        return found

    def bridges(self, call_id: str) -> list[str]:
        """How legs were joined, an entry of each side."""
        return [entry["how"] for entry in self.journal(call_id, "bridged")]

    def metric(self, name: str) -> float:
        """The value of one line of /metrics, 0 when it is not there yet."""
        parts = urlsplit(self.http)
        with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)) as link:
            link.request("GET", "/metrics")
            text = link.getresponse().read().decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    def rtp_ports_in_use(self) -> list[int]:
        """Which ports of the server's range its own processes have bound; neighbours may have others of it."""
        bound: set[int] = set().union(*map(ports_of, children_of(self.process.pid)))
        return sorted(bound.intersection(self.rtp_ports))

    def idle(self) -> None:
        """Wait until no leg is up and no RTP port is bound any more."""
        until(lambda: self.metric("callwright_legs_live"), lambda legs: legs == 0, what="that no leg is live")
        until(self.rtp_ports_in_use, lambda ports: not ports, what="that no RTP port is bound")

    def _native(self, path: str) -> Any:
        answer = self.live.get(path)
        assert answer.status == 200, answer
        return answer.content


def record(status: str, *legs: Iterable[Any]) -> Record:
    """The record of a call as it must be; ``("incoming", "hangup", "flow_ended", 200)`` is a leg."""
    return Record(status, tuple(LegRecord(*one) for one in legs))
