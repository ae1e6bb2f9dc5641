"""A web service on this machine that keeps the callbacks posted to it, for tests to look at."""

from __future__ import annotations

import json
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from callwright.clock import SECOND_US, SystemClock
from callwright.webhooks.verify import BadSignature, Event, verify

__tracebackhide__ = True

WITHIN_S = 30.0
POLL_S = 0.02
MOST_BODY = 1 << 20
LONGEST_NUMBER = 18
# Shown of what came instead of what was waited for.
MOST_SHOWN = 20


class Callback:
    """A request as it came, and was `answered`. `item` is what it tells; header names are in lower case; `at` is wall time."""

    def __init__(
        self,
        secrets: Callable[[], list[str]],
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        at: float,
        answered: int,
    ) -> None:
        """`secrets` are what it may be signed with."""
        self._secrets = secrets
        self.url = url
        self.headers = headers
        self.body = body
        self.at = at
        self.answered = answered

    @property
    def item(self) -> dict[str, Any]:
        """The one item of the body, empty for what is no callback."""
        try:
            found: dict[str, Any] = json.loads(self.body)["items"][0]
        except (ValueError, LookupError, TypeError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def event(self) -> str:
        """Its name: ``callUpdated``."""
        return str(self.item.get("event", ""))

    @property
    def payload(self) -> dict[str, Any]:
        """The call, leg, recording or transcription as it was then."""
        found = self.item.get("payload")
        return found if isinstance(found, dict) else {}

    @property
    def status(self) -> str:
        return str(self.payload.get("status", ""))

    @property
    def call_id(self) -> str:
        """The call it is about, also where it tells of a part of one."""
        found = self.payload.get("callId") or self.payload.get("callID")
        return str(found or self.payload.get("id", ""))

    @property
    def id(self) -> str:
        """The same at every attempt to deliver it."""
        return self.headers.get("webhook-id", "")

    @property
    def sequence(self) -> int | None:
        """Its place among the events of the call, from 1."""
        text = self.headers.get("webhook-sequence", "")
        return int(text) if text.isdecimal() and len(text) <= LONGEST_NUMBER else None

    @property
    def verified(self) -> bool:
        """Whether it is signed with the inbox's token, or with a key of a platform of this test run."""
        return self.fault == ""

    @property
    def fault(self) -> str:
        """Why it is not verified, as a sentence."""
        try:
            self._verify()
        except BadSignature as bad:
            return str(bad)
        return ""

    def _verify(self) -> Event:
        return verify(self.body, self.headers, self._secrets(), now=self.at)

    def __repr__(self) -> str:
        what = f"{self.event or 'no callback'} {self.status}".strip()
        doubt = "" if self.verified else ", not verified"
        refused = "" if 200 <= self.answered < 300 else f", answered {self.answered}"
        return f"<Callback {self.sequence or '?'} {what} of {self.call_id or '?'}{refused}{doubt}>"


class _Service(ThreadingHTTPServer):
    """Takes as many connections at once as a deliverer makes; the usual five would have others wait a second and more."""

    daemon_threads = True
    request_queue_size = 128


class _Planned(NamedTuple):
    status: int
    times: int | None
    after: float


class WebhookInbox:
    """An HTTP server on loopback at `url`, answering 200 to whatever is posted; the fixture ``webhook_inbox``.

    `token` is what webhooks made for it are to be signed with; `webhook` is both, as the APIs take it.
    """

    def __init__(self, trusted: Callable[[], list[str]] = list) -> None:
        """`trusted` gives signing keys that are good beside the token."""
        self.token = secrets.token_hex(16)
        self._clock = SystemClock()
        self._trusted = trusted
        self._keys: list[str] = []
        self._planned: deque[_Planned] = deque()
        self._received: list[Callback] = []
        self._changed = threading.Condition()
        self._server = _Service(("127.0.0.1", 0), self._answerer())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_S,), name="callwright-webhook-inbox", daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    @property
    def webhook(self) -> dict[str, str]:
        """``{"url": …, "token": …}``."""
        return {"url": self.url, "token": self.token}

    @property
    def secrets(self) -> list[str]:
        """What callbacks may be signed with."""
        return [self.token, *self._keys, *self._trusted()]

    def trust(self, signing_key: str) -> None:
        """Callbacks without a token are signed with this one too."""
        self._keys.append(signing_key)

    # what came

    @property
    def received(self) -> list[Callback]:
        """Every request, in the order they came, those too that were answered with an error."""
        with self._changed:
            return list(self._received)

    @property
    def events(self) -> list[Callback]:
        """The callbacks that were taken, each once, in the order they came."""
        first: dict[object, Callback] = {}
        for one in self.received:
            if 200 <= one.answered < 300:
                first.setdefault(one.id or one, one)
        return list(first.values())

    def of_call(self, call: object) -> list[Callback]:
        """The callbacks about a call, given itself or by its id, each once. AssertionError where one is not verified, or came
        before its time.
        """
        found = [one for one in self.events if one.call_id == _id_of(call)]
        self._check(found)
        return found

    def wait_for(
        self, event: str | None = None, *, call: object = None, within: float = WITHIN_S, **payload: object
    ) -> Callback:
        """The first callback with this event about this call whose payload has all that is given, once it has come.

        AssertionError, with what came instead, when it does not come in time; and where it came, but unverified, or before one
        that it was to follow.
        """
        wanted = dict(payload)
        call_id = None if call is None else _id_of(call)

        def look() -> Callback | None:
            return next((one for one in self.events if _is(one, event, call_id, wanted)), None)

        deadline_ns = self._clock.mono_ns() + round(within * 1e9)
        with self._changed:
            while (found := look()) is None and (left_ns := deadline_ns - self._clock.mono_ns()) > 0:
                self._changed.wait(left_ns / 1e9)
        if found is None:
            raise AssertionError(f"{_words(event, call_id, wanted)} did not come within {within:g} s. {self.summary}")
        self._check([one for one in self.events if one.call_id == found.call_id])
        return found

    @property
    def summary(self) -> str:
        """What came, in some lines."""
        came = self.received
        if not came:
            return f"Nothing was posted to {self.url}."
        left_out = f"\n  … {len(came) - MOST_SHOWN} before these" if len(came) > MOST_SHOWN else ""
        lines = "".join(f"\n  {one!r}" for one in came[-MOST_SHOWN:])
        return f"What came to {self.url}:{left_out}{lines}"

    # what it answers

    def answers(self, status: int, *, times: int | None = None, after: float = 0.0) -> None:
        """From now on answer with a status, so many `times` or for good, `after` so many seconds. What was said before ends
        before this begins, unless it was for good.
        """
        if status not in range(200, 600):
            raise ValueError(f"An inbox answers with a status from 200 to 599; this is {status!r}.")
        with self._changed:
            if self._planned and self._planned[-1].times is None:
                self._planned.pop()
            self._planned.append(_Planned(status, times, after))

    def clear(self) -> None:
        """Forget what came, and answer 200 again."""
        with self._changed:
            self._received.clear()
            self._planned.clear()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _check(self, callbacks: list[Callback]) -> None:
        last: dict[str, int] = {}
        for one in callbacks:
            if one.fault:
                raise AssertionError(f"{one!r} cannot be trusted: {one.fault} {self.summary}")
            sequence = one.sequence
            if sequence is not None and sequence <= last.get(one.call_id, 0):
                raise AssertionError(f"{one!r} came after number {last[one.call_id]} of its call. {self.summary}")
            last[one.call_id] = sequence or 0

    def _next_answer(self) -> _Planned:
        if not self._planned:
            return _Planned(200, None, 0.0)
        first = self._planned.popleft()
        if first.times is None:
            self._planned.appendleft(first)
        elif first.times > 1:
            self._planned.appendleft(first._replace(times=first.times - 1))
        return first

    def _answerer(self) -> type[BaseHTTPRequestHandler]:
        inbox = self

        class Answerer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                if not length.isdecimal() or len(length) > LONGEST_NUMBER or int(length) > MOST_BODY:
                    # What is not read to its end cannot be kept, and would be taken for the next request.
                    self.send_error(413 if length.isdecimal() else 411)
                    return
                body = self.rfile.read(int(length))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with inbox._changed:
                    planned = inbox._next_answer()
                threading.Event().wait(planned.after)
                url = f"http://{self.headers.get('Host', '')}{self.path}"
                at = inbox._clock.now_us() / SECOND_US
                came = Callback(lambda: inbox.secrets, url, headers, body, at=at, answered=planned.status)
                with inbox._changed:
                    inbox._received.append(came)
                    inbox._changed.notify_all()
                self.send_response(planned.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        return Answerer


def _id_of(call: object) -> str:
    return str(getattr(call, "id", call))


def _is(one: Callback, event: str | None, call_id: str | None, payload: Mapping[str, object]) -> bool:
    return (
        (event is None or one.event == event)
        and (call_id is None or one.call_id == call_id)
        and all(one.payload.get(name) == value for name, value in payload.items())
    )


def _words(event: str | None, call_id: str | None, payload: Mapping[str, object]) -> str:
    of_call = "" if call_id is None else f" of call {call_id}"
    having = "".join(f" with {name} {value!r}" for name, value in payload.items())
    return f"{event or 'A callback'}{of_call}{having}"
