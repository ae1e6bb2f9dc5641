"""Callbacks of a rehearsal that are really posted, and flows that are really fetched, in virtual time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from callwright.clock import Clock
from callwright.egress import Fault, Transport
from callwright.rehearsal.delivering import Deliveries, real_door
from callwright.rehearsal.outcome import Outcome
from callwright.rehearsal.parties import Party
from callwright.rehearsal.platform import Rehearsal, rehearse
from callwright.settings import Settings
from callwright.webhooks.verify import verify, verify_jwt

NUMBER, CALLER = "31205550100", "31600000001"
HOUR: dict[str, Any] = {"steps": [{"action": "pause", "options": {"length": 3600}}]}


class Came(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Program:
    """Somebody's program: `statuses` are those of its next answers, 200 after them; it answers GET with `flow`."""

    def __init__(self) -> None:
        self.came: list[Came] = []
        self.statuses: list[int] = []
        self.flow: dict[str, Any] = {"steps": [{"action": "pause", "options": {"length": 5}}]}
        self.holds_up = threading.Event()
        self.holds_up.set()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._answerer())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self.holds_up.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _answerer(self) -> type[BaseHTTPRequestHandler]:
        program = self

        class Answerer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                program.came.append(Came(self.path, dict(self.headers.items()), body))
                program.holds_up.wait()
                self._answer(program.statuses.pop(0) if program.statuses else 200, b"")

            def do_GET(self) -> None:
                program.came.append(Came(self.path, dict(self.headers.items()), b""))
                program.holds_up.wait()
                self._answer(200, json.dumps(program.flow).encode())

            def log_message(self, *_: Any) -> None:
                pass

            def _answer(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Answerer


def door(clock: Clock) -> Transport:
    return real_door(clock, Settings())


@pytest.fixture
def program() -> Iterator[Program]:
    program = Program()
    yield program
    program.close()


def told(url: str, *, within: float = 30.0) -> tuple[Outcome, str]:
    """A call whose callbacks are posted to a URL, and the signing key of its world."""

    async def story(rehearsal: Rehearsal) -> tuple[Outcome, str]:
        async with Deliveries(rehearsal, within=within) as deliveries:
            await deliveries.tell(url, "token")
            await rehearsal.own(NUMBER, HOUR)
            outcome = await rehearsal.over(await rehearsal.dial(NUMBER, CALLER, Party()))
            return await deliveries.deliver(outcome), rehearsal.world.signing_key

    return rehearse(story)


def test_callbacks_of_an_hour_are_posted_at_once_with_signatures_of_today(program: Program) -> None:
    began = time.monotonic()
    outcome, signing_key = told(f"{program.url}/hook?a=1")
    assert time.monotonic() - began < 1800
    assert [(one.event, one.sequence, one.state, one.attempts, one.status, one.fault) for one in outcome.deliveries] == [
        ("callCreated", 1, "delivered", 1, 200, ""),
        ("callUpdated", 2, "delivered", 1, 200, ""),
        ("callUpdated", 3, "delivered", 1, 200, ""),
    ]
    events = [verify(one.body, one.headers, "token") for one in program.came]
    assert [event["items"][0]["payload"]["status"] for event in events] == ["starting", "ongoing", "ended"]
    assert [one.body for one in program.came] == [one.body for one in outcome.webhooks]
    for one in program.came:
        assert verify_jwt(one.body, one.headers, signing_key, url=f"{program.url}/hook?a=1")
    assert outcome.seconds == 3600.0


def test_a_receiver_that_fails_is_asked_again_without_a_wait(program: Program) -> None:
    program.statuses = [500, 503]
    outcome, _ = told(program.url)
    assert [(one.state, one.attempts, one.status) for one in outcome.deliveries] == [
        ("delivered", 3, 200),
        ("delivered", 1, 200),
        ("delivered", 1, 200),
    ]
    assert len({one.headers["webhook-id"] for one in program.came[:3]}) == 1


def test_a_receiver_that_is_not_there_is_told_of_in_the_outcome(program: Program) -> None:
    program.close()
    outcome, _ = told(program.url)
    first = outcome.deliveries[0]
    assert (first.state, first.attempts, first.status) == ("exhausted", 4, None)
    assert "127.0.0.1" in first.fault
    assert {one.state for one in outcome.deliveries} == {"exhausted"}


def test_deliveries_end_when_their_time_is_over(program: Program) -> None:
    program.holds_up.clear()
    outcome, _ = told(program.url, within=0.3)
    assert {(one.state, one.attempts, one.status) for one in outcome.deliveries} == {("pending", 0, None)}
    assert outcome.seconds == 3600.0


def test_a_program_hears_of_a_call_while_it_goes_on(program: Program) -> None:
    flow = {
        "steps": [{"action": "pause", "options": {"length": 10}}, {"action": "fetchCallFlow", "options": {"url": program.url}}]
    }

    async def story(rehearsal: Rehearsal) -> Outcome:
        async with Deliveries(rehearsal) as deliveries:
            await deliveries.tell(program.url)
            await rehearsal.own(NUMBER, flow)
            async with deliveries.along():
                call = await rehearsal.dial(NUMBER, CALLER, Party())
                outcome = await rehearsal.over(call)
            return await deliveries.deliver(outcome)

    outcome = rehearse(story, beyond=door)
    assert [bool(one.body) for one in program.came] == [True, True, False, True]
    assert [one.status for one in outcome.fetches] == [200]


def test_flows_are_fetched_from_a_real_program_which_can_check_who_asks(program: Program) -> None:
    async def story(rehearsal: Rehearsal) -> tuple[Outcome, str]:
        await rehearsal.own(NUMBER, {"steps": [{"action": "fetchCallFlow", "options": {"url": f"{program.url}/next"}}]})
        outcome = await rehearsal.over(await rehearsal.dial(NUMBER, CALLER, Party()))
        return outcome, rehearsal.world.signing_key

    outcome, signing_key = rehearse(story, beyond=door)
    (fetch,) = outcome.fetches
    assert (fetch.url, fetch.status, fetch.fault) == (f"{program.url}/next", 200, "")
    assert outcome.seconds >= 5.0
    (came,) = program.came
    verify_jwt(b"", came.headers, signing_key, url=program.url + came.path)


def test_the_time_limit_of_a_real_program_is_real(program: Program) -> None:
    program.holds_up.clear()

    async def story(rehearsal: Rehearsal) -> Outcome:
        began = time.monotonic()
        answer = await rehearsal.web.fetch(program.url, timeout=0.05, max_bytes=100)
        assert (answer.fault, time.monotonic() - began >= 0.05) == (Fault.TIMEOUT, True)
        await rehearsal.own(NUMBER, HOUR)
        return await rehearsal.over(await rehearsal.dial(NUMBER, CALLER, Party()))

    assert rehearse(story, beyond=door).seconds == 3600.0
