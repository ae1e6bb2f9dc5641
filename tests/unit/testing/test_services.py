"""Applications of web frameworks that answer the platform in the process of the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route

from callwright.testing import SimulatedCalls, asgi, wsgi

FETCH = [{"action": "fetchCallFlow", "options": {"url": "https://shop.example/flows/next?shop=3"}}]
RECORD = [{"action": "record", "options": {"timeout": 2, "onFinish": "https://shop.example/flows/done"}}]


def flow(text: str) -> dict[str, Any]:
    return {"steps": [{"action": "say", "options": {"payload": text, "language": "en-GB", "voice": "female"}}]}


def threaded(request: Request) -> JSONResponse:
    """Starlette has this done on a thread of its own."""
    assert threading.current_thread() is not threading.main_thread()
    return JSONResponse(flow(f"{request.url.hostname} {request.query_params['shop']} {request.query_params.get('source')}"))


async def done(request: Request) -> JSONResponse:
    await asyncio.sleep(0.01)
    told = await request.json()
    return JSONResponse(flow(f"{request.method} {told['status']}"))


async def broken(request: Request) -> PlainTextResponse:
    raise LookupError("no stock")


async def away(request: Request) -> RedirectResponse:
    return RedirectResponse("/flows/next?shop=4")


APPLICATION = Starlette(
    routes=[
        Route("/flows/next", threaded),
        Route("/flows/done", done, methods=["POST"]),
        Route("/flows/broken", broken),
        Route("/flows/away", away),
    ]
)


@pytest.fixture
def simulated_call() -> Iterator[SimulatedCalls]:
    calls = SimulatedCalls()
    yield calls
    calls.close()


def test_an_asgi_application_gives_flows_while_the_call_stands_still(simulated_call: SimulatedCalls) -> None:
    web = {"https://shop.example": asgi(APPLICATION)}
    call = simulated_call(FETCH, caller="31600000007", web=web)
    assert call.said == ["shop.example 3 31600000007"]
    assert call.outcome.spoken[0].at == 0.0
    assert simulated_call(RECORD, says="Hello", web=web).said == ["POST done"]
    redirected = simulated_call([{"action": "fetchCallFlow", "options": {"url": "https://shop.example/flows/away"}}], web=web)
    assert redirected.said == ["shop.example 4 None"]  # the query is not taken along


def test_what_an_application_raises_fails_the_test(simulated_call: SimulatedCalls) -> None:
    fetch = [{"action": "fetchCallFlow", "options": {"url": "https://shop.example/flows/broken"}}]
    with pytest.raises(LookupError, match="no stock"):
        simulated_call(fetch, web={"https://shop.example": asgi(APPLICATION)})


def test_an_application_may_know_nothing_of_a_path(simulated_call: SimulatedCalls) -> None:
    fetch = [{"action": "fetchCallFlow", "options": {"url": "https://shop.example/nowhere"}}]
    call = simulated_call(fetch, web={"https://shop.example": asgi(APPLICATION)})
    assert [(one.status, one.fault) for one in call.fetches] == [(404, "shop.example answered 404")]


def test_a_wsgi_application_gives_flows(simulated_call: SimulatedCalls) -> None:
    seen: list[dict[str, Any]] = []
    closed: list[bool] = []

    class Body(list[bytes]):
        def close(self) -> None:
            closed.append(True)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.append({**environ, "body": environ["wsgi.input"].read()})
        write = start_response("200 OK", [("Content-Type", "application/xml")])
        write(b'<?xml version="1.0"?>')
        return Body([b'<Flow><Say language="en-GB" voice="female">', b"In parts.</Say></Flow>"])

    call = simulated_call(RECORD, says="Hello", web={"https://shop.example": wsgi(application)})
    assert (call.said, closed) == (["In parts."], [True])
    (environ,) = seen
    names = ("REQUEST_METHOD", "PATH_INFO", "HTTP_HOST", "SERVER_PORT", "wsgi.url_scheme")
    assert [environ[name] for name in names] == ["POST", "/flows/done", "shop.example", "443", "https"]
    assert environ["CONTENT_LENGTH"] == str(len(environ["body"]))
    assert "HTTP_MESSAGEBIRD_SIGNATURE_JWT" in environ
