from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec
import pytest

from callwright.clock import VirtualClock, VirtualLoop
from callwright.dialect import decode
from callwright.egress import Answer, Fault, Header, Url
from callwright.egress.faults import of_status
from callwright.egress.urls import parse
from callwright.switch.fetching import Cause, FetchedFlow, FetchSettings, FlowSource, FlowUnavailable

WORLD = UUID(int=1)
URL = "http://app.example/flow"
HANGUP = b'{"steps": [{"action": "hangup"}]}'
JSON = (("Content-Type", "application/json"),)
QUERY = {"callID": "c1", "source": "31201112222", "destination": "31203334444", "variables": "{}"}


class Asked(msgspec.Struct):
    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    timeout: float


class App:
    """A `Transport` before a program that gives the answers it was told to, each after so many seconds."""

    def __init__(self, clock: VirtualClock) -> None:
        self.asked: list[Asked] = []
        self._answers: deque[tuple[Answer, float]] = deque()
        self._clock = clock

    def gives(
        self, body: bytes = b"", status: int = 200, headers: Sequence[Header] = (), *, after: float = 0, whole: bool = True
    ) -> App:
        fault, detail = of_status(status, parse(URL))
        self._answers.append((Answer("", status, tuple(headers), body, whole, fault, detail), after))
        return self

    def fails(self, fault: Fault, *, after: float = 0) -> App:
        self._answers.append((Answer("", fault=fault, detail=f"it is {fault.value}"), after))
        return self

    async def post(
        self, url: str, headers: Sequence[Header], body: bytes, timeout: float, *, repeatable: bool = False
    ) -> Answer:
        return await self._answer("POST", url, headers, body, timeout)

    async def fetch(
        self, url: str, headers: Sequence[Header] = (), *, timeout: float, max_bytes: int, redirects: int = 3
    ) -> Answer:
        assert redirects == 0
        return await self._answer("GET", url, headers, b"", timeout)

    async def close(self) -> None: ...

    async def _answer(self, method: str, url: str, headers: Sequence[Header], body: bytes, timeout: float) -> Answer:
        self.asked.append(Asked(method, url, dict(headers), body, timeout))
        answer, after = self._answers.popleft()
        try:
            async with self._clock.timeout(timeout):
                await self._clock.sleep(after)
        except TimeoutError:
            return Answer(url, fault=Fault.TIMEOUT, detail="late")
        return msgspec.structs.replace(answer, url=url)


def signed(world: UUID, url: Url, body: bytes) -> list[Header]:
    return [("Signature", f"{world.int} {url.text} {body.decode()}")]


def run(script: Callable[[App], App], ask: Callable[[FlowSource], Any], **settings: Any) -> tuple[FetchedFlow, App]:
    loop = VirtualLoop()
    try:
        clock = VirtualClock(loop)
        app = script(App(clock))
        source = FlowSource(
            app,
            clock,
            sign=signed,
            decode=partial(decode.flow, limit=32_768),
            settings=FetchSettings(**settings),
        )
        return loop.run_until_complete(ask(source)), app
    finally:
        loop.close()


def get(script: Callable[[App], App], url: str = URL, base: str = "", query: Any = QUERY) -> tuple[FetchedFlow, App]:
    return run(script, lambda source: source.fetch(url, query, world=WORLD, base=base))


def refused(script: Callable[[App], App], **options: Any) -> FlowUnavailable:
    with pytest.raises(FlowUnavailable) as caught:
        get(script, **options)
    return caught.value


def test_a_flow_is_asked_for_with_what_is_known_of_the_call() -> None:
    found, app = get(lambda app: app.gives(HANGUP, headers=JSON), url=URL + "?step=a%20b&x")
    (asked,) = app.asked
    assert asked.url.startswith(URL + "?step=a%20b&x&callID=c1")
    assert parse_qs(urlsplit(asked.url).query)["variables"] == ["{}"]
    assert asked.headers["Signature"] == f"1 {asked.url} "
    assert found.body == {"steps": [{"action": "hangup", "id": "step-1"}]}
    assert (found.flow.steps[0].action, found.url, found.status) == ("hangup", asked.url, 200)


@pytest.mark.parametrize(
    ("url", "base", "asked"),
    [
        ("next", "http://app.example/flows/first?x=1", "http://app.example/flows/next?callID=c"),
        ("/next", "https://app.example:8443/flows/first", "https://app.example:8443/next?callID=c"),
        ("?step=2", "http://app.example/flow?step=1", "http://app.example/flow?step=2&callID=c"),
        ("https://other.example", "http://app.example/", "https://other.example/?callID=c"),
    ],
)
def test_a_relative_url_is_relative_to_where_the_flow_came_from(url: str, base: str, asked: str) -> None:
    _, app = get(lambda app: app.gives(HANGUP), url=url, base=base, query={"callID": "c"})
    assert app.asked[0].url == asked


def test_a_relative_url_of_a_flow_that_came_from_nowhere_is_refused_in_words() -> None:
    error = refused(lambda app: app, url="/next")
    assert (error.cause, error.url) == (Cause.BAD_URL, "/next")
    assert str(error) == "'/next' has no host, and this flow came from no URL that it is relative to; give the whole URL"


@pytest.mark.parametrize(
    ("body", "kind", "action"),
    [
        (HANGUP, "application/json; charset=utf-8", "hangup"),
        (b'<?xml version="1.0"?><Hangup/>', "application/xml", "hangup"),
        (b'<Say language="en-GB">Hello</Say>', "text/xml", "say"),
        (b' \n<Transfer destination="31205550199" mask="true" />', "text/html; charset=UTF-8", "transfer"),  # PHP's default
        (HANGUP, "text/html", "hangup"),
        (HANGUP, "", "hangup"),
        (b"\xef\xbb\xbf" + HANGUP, "application/json", "hangup"),
        (b'{"Steps": [{"Action": "say", "Options": {"Payload": "hi", "Repeat": "2"}}]}', "text/plain", "say"),
        (b'{"data": [{"id": "x", "steps": [{"action": "hangup"}]}], "_links": {}}', "application/json", "hangup"),
    ],
)
def test_what_an_answer_is_says_its_type_or_its_first_character(body: bytes, kind: str, action: str) -> None:
    found, _ = get(lambda app: app.gives(body, headers=[("Content-Type", kind)] if kind else []))
    assert [step.action for step in found.flow.steps] == [action]


@pytest.mark.parametrize(
    ("body", "kind", "cause", "said"),
    [
        (b"", "application/json", Cause.EMPTY, "it is empty"),
        (b" \r\n", "application/json", Cause.EMPTY, "it is empty"),
        (b"<!DOCTYPE html><html><body>Login", "application/json", Cause.HTML, "a page of HTML"),
        (b"<html><head>", "text/html", Cause.HTML, "a page of HTML"),
        (b'{"steps": [{"action": "han', "application/json", Cause.NOT_JSON, "not valid JSON"),
        (b"[1]", "application/json", Cause.NOT_JSON, "must be a JSON object"),
        (b"Internal error", "text/plain", Cause.NOT_JSON, "not valid JSON"),
        (b"<Say>half", "application/xml", Cause.NOT_XML, "not XML"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><Say>&a;</Say>', "application/xml", Cause.NOT_XML, "document type is not allowed"),
        (b"<Say>&lol;</Say>", "application/xml", Cause.NOT_XML, "an entity XML itself does not have"),
        (b"<Dance/>", "application/xml", Cause.BAD_FLOW, "<Dance> is none"),
        (b"{}", "application/json", Cause.BAD_FLOW, "needs steps"),
        (b'{"steps": [{"action": "dance"}]}', "application/json", Cause.BAD_FLOW, "steps[0].action"),
        (b'{"steps": [{"action": "say"}]}', "application/json", Cause.BAD_FLOW, "payload"),
        (b"{" + b" " * 40_000 + b"}", "application/json", Cause.TOO_LARGE, "more than 32768 bytes"),
    ],
)
def test_an_answer_that_is_no_flow_is_named(body: bytes, kind: str, cause: Cause, said: str) -> None:
    error = refused(lambda app: app.gives(body, headers=[("Content-Type", kind)]))
    assert (error.cause, error.status) == (cause, 200)
    assert said in str(error)
    assert "app.example" in str(error)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Fault.REFUSED_ADDRESS, Cause.REFUSED_ADDRESS),
        (Fault.TIMEOUT, Cause.TIMEOUT),
        (Fault.PROTOCOL, Cause.BROKEN),
        (Fault.TOO_LARGE, Cause.TOO_LARGE),
        (Fault.CLOSED, Cause.STOPPING),
    ],
)
def test_what_cannot_get_better_is_tried_once(fault: Fault, cause: Cause) -> None:
    assert refused(lambda app: app.fails(fault)).cause is cause


@pytest.mark.parametrize("fault", [Fault.CONNECT, Fault.DNS, Fault.PROXY, Fault.RESET])
def test_a_program_that_was_away_for_a_moment_is_asked_again(fault: Fault) -> None:
    found, app = get(lambda app: app.fails(fault).gives(HANGUP))
    assert (found.status, len(app.asked)) == (200, 2)


def test_two_failures_are_enough() -> None:
    error = refused(lambda app: app.gives(status=500).gives(status=502))
    assert (error.cause, error.status) == (Cause.STATUS, 502)
    for fault in (Fault.CONNECT, Fault.PROXY):
        assert refused(lambda app, fault=fault: app.fails(fault).fails(fault)).cause is Cause.UNREACHABLE


def test_what_was_refused_is_not_asked_again() -> None:
    assert refused(lambda app: app.gives(status=404)).status == 404


def test_everything_together_has_five_seconds() -> None:
    error = refused(lambda app: app.gives(HANGUP, after=5.5))
    assert (error.cause, "within 5 s" in str(error)) == (Cause.TIMEOUT, True)
    error = refused(lambda app: app.gives(status=500, after=3).gives(HANGUP, after=2.5))
    assert error.cause is Cause.TIMEOUT
    error = refused(lambda app: app.gives(status=500, after=4.5))  # too late for another
    assert error.status == 500


def moved(app: App, *to: str, status: int = 302) -> App:
    for location in to:
        app.gives(status=status, headers=[("Location", location)])
    return app


def test_redirects_are_followed_and_signed_anew_for_the_same_host() -> None:
    found, app = get(lambda app: moved(app, "https://app.example/a", "b", "http://other.example/c").gives(HANGUP))
    assert [asked.url for asked in app.asked[1:]] == [
        "https://app.example/a",
        "https://app.example/b",
        "http://other.example/c",
    ]
    assert [asked.headers.get("Signature") for asked in app.asked[1:]] == [
        "1 https://app.example/a ",
        "1 https://app.example/b ",
        None,
    ]
    assert found.url == "http://other.example/c"


def test_a_circle_of_redirects_is_left() -> None:
    error = refused(lambda app: moved(app, "/a", "/b", "/a", "/b"))
    assert (error.cause, "more than 3 redirects" in str(error)) == (Cause.REDIRECTS, True)
    assert refused(lambda app: moved(app, "ftp://app.example/")).cause is Cause.REDIRECTS


@pytest.mark.parametrize("url", ["/flow", "ftp://app.example/", "http://[::g]/", "http://user:pw@app.example/"])
def test_a_url_that_cannot_be_asked_is_refused(url: str) -> None:
    assert refused(lambda app: app, url=url).cause is Cause.BAD_URL


def test_variables_without_end_are_refused_in_words() -> None:
    variables = msgspec.json.encode({f"v{n}": "1" for n in range(10_000)}).decode()
    error = refused(lambda app: app, query={**QUERY, "variables": variables})
    assert error.cause is Cause.BAD_URL
    assert "collect fewer keys" in str(error)
    assert len(str(error)) < 300


def post(script: Callable[[App], App], **settings: Any) -> tuple[FetchedFlow, App]:
    return run(
        script, lambda source: source.finish("done", QUERY, b'{"id":"r"}', world=WORLD, base="http://app.example/x"), **settings
    )


def test_a_recording_is_told_and_answered_with_a_flow() -> None:
    found, app = post(lambda app: app.gives(b"<Hangup/>"))
    (asked,) = app.asked
    assert (asked.method, asked.body) == ("POST", b'{"id":"r"}')
    assert asked.url.startswith("http://app.example/done?callID=c1&source=")
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["Signature"] == f'1 {asked.url} {{"id":"r"}}'
    assert found.flow.steps[0].action == "hangup"


def test_the_type_of_a_recording_may_be_left_out() -> None:
    _, app = post(lambda app: app.gives(HANGUP), content_type="")
    assert "Content-Type" not in app.asked[0].headers


def test_a_recording_is_told_again_only_if_nobody_heard_of_it() -> None:
    for script in (
        lambda app: app.fails(Fault.CONNECT).gives(HANGUP),
        lambda app: app.fails(Fault.PROXY).gives(HANGUP),
        lambda app: app.gives(status=503).gives(HANGUP),
    ):
        _, app = post(script)
        assert len(app.asked) == 2
    for script, cause in (
        (lambda app: app.fails(Fault.RESET), Cause.BROKEN),
        (lambda app: app.gives(status=500), Cause.STATUS),
        (lambda app: moved(app, "/elsewhere"), Cause.REDIRECTS),
        (lambda app: app.gives(HANGUP, whole=False), Cause.BROKEN),
        (lambda app: app.gives(b" " * 65_536, whole=False), Cause.TOO_LARGE),
    ):
        with pytest.raises(FlowUnavailable) as caught:
            post(script)
        assert caught.value.cause is cause
