"""``callwright serve`` for tests: a process of its own on free ports, in a temporary folder, asked over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

from callwright.cli.control import reach
from callwright.cli.place import Place
from callwright.clock import SystemClock
from callwright.errors import CallwrightError
from callwright.testing.flows import Flow, flow_of
from callwright.testing.inbox import WebhookInbox

__tracebackhide__ = True

T = TypeVar("T")

START_S = 60.0
STOP_S = 20.0
ANSWER_S = 30.0
WITHIN_S = 30.0
LOOK_S = 0.02
LOG_LINES = 30
# What a command that refuses begins its sentence with.
COMPLAINT = "callwright: "
# Ports of sound: 100 of them, below those that systems give to whoever asks for any.
FIRST_PORT, LAST_PORT, PORTS = 12_000, 32_000, 100
TRIES = 50
TERMINAL = frozenset({"ended", "busy", "no_answer", "failed"})

# What makes a server quick to test against; settings of the test's own win.
SETTINGS: Mapping[str, object] = {
    "simulator.speed": 100,
    "webhooks.retry": "1,1,1,2,5",
    "webhooks.break_first": 0.2,
    "drain.seconds": 1,
}


class PlatformNotStarted(CallwrightError):
    """The platform did not start. The message has the last lines of its log."""


class Answer(NamedTuple):
    """`content` is the body, decoded where it is JSON; None where there is none."""

    status: int
    content: Any

    @property
    def made(self) -> dict[str, Any]:
        """The object that an answer of the compatible API tells of: the first under ``data``. AssertionError for an error."""
        found: dict[str, Any] = self.ok().content["data"][0]
        return found

    def ok(self) -> Answer:
        """Itself; AssertionError where it is an error."""
        if not 200 <= self.status < 300:
            raise AssertionError(f"the platform answered {self.status}: {self._error}")
        return self

    @property
    def _error(self) -> object:
        """The sentences of an error of either API; anything else as it came."""
        try:
            errors = self.content.get("errors") or [self.content["error"]]
            found = [(one["message"], one.get("parameter"), one.get("remedy")) for one in errors]
        except (AttributeError, LookupError, TypeError):
            return self.content
        told = (
            (f"{said} ({parameter})" if parameter and parameter not in said else said, remedy)
            for said, parameter, remedy in found
        )
        return " ".join(sentence for both in told for sentence in both if sentence)


class Platform:
    """A server that runs; the fixture ``platform``. Made by `start`, ended by `stop`; both also by ``with``.

    `url` is where its APIs are: the compatible one at its root, the native one under ``/api``. `key` is the access key of the
    test world, where calls are simulated; `live_key` that of the live one, whose calls go over SIP at `sip`.
    """

    def __init__(self, settings: Mapping[str, object] | None = None) -> None:
        """`settings` are as in ``--set``: ``{"calls.ring_timeout": 5}``."""
        self._settings = {**SETTINGS, **(settings or {})}
        self._folder = tempfile.TemporaryDirectory(prefix="callwright-test-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._clock = SystemClock()
        self.data = Path(self._folder.name) / "data"
        self.log_file = Path(self._folder.name) / "serve.log"
        self.url = self.sip = self.key = self.live_key = ""
        self._signing_keys: list[str] | None = None

    @classmethod
    def start(cls, settings: Mapping[str, object] | None = None) -> Self:
        """Start a server and wait until it is ready; raises `PlatformNotStarted`."""
        platform = cls(settings)
        try:
            platform._start()
        except BaseException:
            platform.stop()
            raise
        return platform

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it as a service manager does, or else however it is; its folder goes too."""
        process = self._process
        if process is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(subprocess.TimeoutExpired):
                    if process.poll() is None:
                        process.send_signal(number)
                    process.wait(STOP_S)
                    break
            if process.stdout is not None:
                process.stdout.close()
        self._folder.cleanup()

    @property
    def log(self) -> str:
        """All it has written to its log."""
        try:
            return self.log_file.read_text(errors="replace")
        except OSError:
            return ""

    @property
    def signing_keys(self) -> list[str]:
        """What callbacks of webhooks without a token are signed with: the keys of the test world and of the live one."""
        if self._signing_keys is None:
            with reach(Place(self.data, None), server_only=True) as control:
                self._signing_keys = [
                    json.loads(control.read("/api/keys/signing", world=world))["signingKey"] for world in ("test", "live")
                ]
        return self._signing_keys

    # asking it

    def get(self, path: str, *, key: str | None = None) -> Answer:
        return self.ask("GET", path, key=key)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        return self.ask("POST", path, body, key=key)

    def put(self, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        return self.ask("PUT", path, body, key=key)

    def patch(self, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        return self.ask("PATCH", path, body, key=key)

    def delete(self, path: str, *, key: str | None = None) -> Answer:
        return self.ask("DELETE", path, key=key)

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        """A request with the test key, or with `key`: ``/calls`` is of the compatible API, ``/api/calls`` of the native one."""
        if not path.startswith("/"):
            raise ValueError(f"A path begins with a slash, such as /calls; this is {path!r}.")
        base = urlsplit(self.url)
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"AccessKey {key or self.key}"}
        with closing(http.client.HTTPConnection(base.hostname or "", base.port, timeout=ANSWER_S)) as link:
            try:
                link.request(method, path, sent, headers)
                answer = link.getresponse()
                content = answer.read()
            except OSError as error:
                raise AssertionError(f"{self._silence(error)}; {self._tail()}") from None
        try:
            return Answer(answer.status, json.loads(content) if content else None)
        except ValueError:
            return Answer(answer.status, content)

    # what tests set up

    def own(
        self,
        number: str,
        flow: Flow,
        *,
        webhook: WebhookInbox | str | None = None,
        key: str | None = None,
    ) -> str:
        """Have a number run a flow, a list of steps, or their file from now on, and its calls be told to `webhook`; the flow's
        id.
        """
        flow_id: str = self.post("/call-flows", flow_of(flow), key=key).made["id"]
        self.post(f"/call-flows/{flow_id}/numbers", {"numbers": [number]}, key=key).ok()
        if webhook is not None:
            self.ask("PUT", f"/api/numbers/{number}/webhook", _webhook(webhook), key=key).ok()
        return flow_id

    def call(
        self,
        destination: str,
        flow: Flow,
        *,
        source: str = "31205550100",
        webhook: WebhookInbox | str | None = None,
        key: str | None = None,
        **more: Any,
    ) -> str:
        """Place a call as POST /calls does; its id. `more` are further fields of the body."""
        body: dict[str, Any] = {"source": source, "destination": destination, **more, "callFlow": flow_of(flow)}
        if webhook is not None:
            body["webhook"] = _webhook(webhook)
        call_id: str = self.post("/calls", body, key=key).made["id"]
        return call_id

    def dial(
        self,
        number: str,
        *,
        keys: str = "",
        caller: str | None = None,
        acts: Sequence[Mapping[str, Any]] = (),
        key: str | None = None,
    ) -> str:
        """Have a simulated caller dial a number that runs a flow; the call's id. It presses `keys` once the flow asks for some,
        and does what `acts` say, as POST /api/dial has them.
        """
        asked = [{"whenAsked": True, "press": keys}] if keys else []
        body: dict[str, Any] = {"number": number, "acts": [*asked, *acts]}
        if caller is not None:
            body["source"] = caller
        call_id: str = self.post("/api/dial", body, key=key).ok().content["id"]
        return call_id

    def call_ended(self, call_id: object, *, within: float = WITHIN_S, key: str | None = None) -> dict[str, Any]:
        """Wait until a call is over; the call with its legs, as the native API has it. AssertionError where it goes on."""

        def look() -> dict[str, Any]:
            found: dict[str, Any] = self.get(f"/api/calls/{call_id}", key=key).ok().content
            return found

        return self.until(look, lambda call: call["status"] in TERMINAL, within=within, what=f"the end of call {call_id}")

    def journal(self, call_id: object, *, key: str | None = None) -> list[dict[str, Any]]:
        """Everything that happened in a call, in order."""
        found: list[dict[str, Any]] = self.get(f"/api/calls/{call_id}/journal", key=key).ok().content["data"]
        return found

    def until(self, look: Callable[[], T], enough: Callable[[T], bool], *, within: float = WITHIN_S, what: str = "it") -> T:
        """Look until it is enough; AssertionError, with what was seen last and the log, when that does not come in time."""
        pause = threading.Event()
        deadline_ns = self._clock.mono_ns() + round(within * 1e9)
        while not enough(seen := look()):
            if self._clock.mono_ns() > deadline_ns:
                raise AssertionError(f"{what} did not come within {within:g} s; seen last: {seen}; {self._tail()}")
            pause.wait(LOOK_S)
        return seen

    def _start(self) -> None:
        self.data.mkdir()
        chosen = {
            "media.ports": _free_ports(),
            "sip.allow_hosts": "127.0.0.1",
            "sip.max_late_ms": "10000",  # no machine is too busy for the few calls of a test
            "log.format": "terminal",
            **self._settings,
        }
        arguments = [
            sys.executable,
            "-m",
            "callwright",
            f"--data={self.data}",
            "serve",
            "--http-port=0",
            "--sip-port=0",
            "--json",
        ]
        arguments += [f"--set={name}={_text(value)}" for name, value in chosen.items()]
        # Settings of a server of the user's are none of the tests'.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CALLWRIGHT_")}
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment
            )
        stdout = self._process.stdout
        assert stdout is not None
        lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=lambda: lines.put(stdout.readline()), name="callwright-platform", daemon=True).start()
        try:
            ready = json.loads(lines.get(timeout=START_S))
        except queue.Empty:
            raise PlatformNotStarted(f"The platform did not start within {START_S:g} s; {self._tail()}") from None
        except ValueError:
            self._process.wait(STOP_S)
            raise PlatformNotStarted(f"The platform did not start{self._why()}") from None
        self.url, self.sip = ready["http"], ready["sip"]
        self.key, self.live_key = ready["keys"]["test"], ready["keys"]["live"]

    def _silence(self, error: OSError) -> str:
        """Why it does not answer."""
        if self._process is None:
            return "the platform was never started: make it with Platform.start()"
        status = self._process.poll()
        if status is None:
            return f"the platform does not answer ({error.strerror or error})"
        return f"the platform has ended ({f'signal {-status}' if status < 0 else f'exit status {status}'})"

    def _why(self) -> str:
        """Its last words, where it has said them as a command does."""
        words = [line.removeprefix(COMPLAINT) for line in self.log.splitlines() if line.startswith(COMPLAINT)]
        said = " ".join(words).replace(" (command line)", "")
        return f": {said}" if words else f"; {self._tail()}"

    def _tail(self) -> str:
        lines = self.log.splitlines()[-LOG_LINES:]
        return "\n  ".join(["its log ends with:", *lines]) if lines else "its log is empty"


def _webhook(webhook: WebhookInbox | str) -> dict[str, str]:
    return webhook.webhook if isinstance(webhook, WebhookInbox) else {"url": webhook}


def _text(value: object) -> str:
    """A setting as a flag has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value))
    return str(value)


def _free_ports() -> str:
    """Ports of sound that nobody has now, as the setting is written. Servers of other test processes choose by chance too."""
    chance = random.SystemRandom()
    first = FIRST_PORT
    for _ in range(TRIES):
        first = chance.randrange(FIRST_PORT, LAST_PORT - PORTS, 2)
        with ExitStack() as ends, suppress(OSError):
            for port in range(first, first + PORTS):
                ends.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("127.0.0.1", port))
            break
    return f"{first},{first + PORTS - 1}"
