"""The application: lets a request in, finds its endpoint, and turns whatever happens into an answer.

The access key is asked for first, before it is said whether a path exists: who has none learns nothing.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from callwright.api import calls, flows, recordings, transcriptions, webhooks
from callwright.api.downloads import Download
from callwright.api.exchange import Answer, Disconnected, Request, failed, header, query_of, send_answer
from callwright.api.parts import Parts
from callwright.api.routing import Endpoint, Place, Route, Router
from callwright.dialect.strictness import Strictness
from callwright.errors import NoRoute, Problem, StoreUnavailable, Unavailable, Unreadable, WrongMethod
from callwright.log import Log

ROUTES = (
    Route("POST", "/calls", calls.place),
    Route("GET", "/calls", calls.show_all),
    Route("GET", "/calls/{call}", calls.show),
    Route("PUT", "/calls/{call}", calls.change),
    Route("DELETE", "/calls/{call}", calls.hang_up),
    Route("GET", "/calls/{call}/legs", calls.show_legs),
    Route("GET", "/calls/{call}/legs/{leg}", calls.show_leg),
    Route("POST", "/calls/{call}/{destination}", calls.add_party),
    Route("DELETE", "/legs/{leg}", calls.hang_up_leg),
    Route("POST", "/legs/{leg}/hold", calls.hold),
    Route("POST", "/legs/{leg}/unhold", calls.unhold),
    *(
        route
        for path in ("/calls/{call}/legs/{leg}/recordings/{recording}", "/recordings/{recording}")
        for route in (
            Route("GET", path, recordings.show),
            Route("DELETE", path, recordings.remove),
            Route("GET", f"{path}.wav", recordings.download),
            Route("POST", f"{path}.wav", recordings.download),
            Route("POST", f"{path}/transcriptions", transcriptions.make),
            Route("GET", f"{path}/transcriptions", transcriptions.show_all),
        )
    ),
    *(
        route
        for path in (
            "/calls/{call}/legs/{leg}/recordings/{recording}/transcriptions/{transcription}",
            "/transcriptions/{transcription}",
        )
        for route in (
            Route("GET", path, transcriptions.show),
            Route("GET", f"{path}.txt", transcriptions.download),
        )
    ),
    Route("GET", "/calls/{call}/legs/{leg}/recordings", recordings.show_all),
    Route("POST", "/call-flows", flows.make),
    Route("GET", "/call-flows", flows.show_all),
    Route("GET", "/call-flows/{flow}", flows.show),
    Route("PUT", "/call-flows/{flow}", flows.replace),
    Route("DELETE", "/call-flows/{flow}", flows.remove),
    Route("GET", "/call-flows/{flow}/numbers", flows.show_numbers),
    Route("POST", "/call-flows/{flow}/numbers", flows.add_numbers),
    Route("PUT", "/call-flows/{flow}/numbers", flows.replace_numbers),
    Route("GET", "/numbers", flows.show_all_numbers),
    Route("GET", "/numbers/{number}", flows.show_number),
    Route("POST", "/numbers/{number}/webhook", webhooks.set_for_number),
    Route("POST", "/numbers/{number}/call-flow", flows.set_for_number),
    Route("POST", "/webhooks", webhooks.make),
    Route("GET", "/webhooks", webhooks.show_all),
    Route("GET", "/webhooks/{webhook}", webhooks.show),
    Route("PUT", "/webhooks/{webhook}", webhooks.change),
    Route("PATCH", "/webhooks/{webhook}", webhooks.change),
    Route("DELETE", "/webhooks/{webhook}", webhooks.remove),
)

_log = Log("api")


class Api:
    """ASGI application for scopes of type ``http``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._router = Router(ROUTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        strictness = self._parts.strictness
        place: Place | None = None
        answer: Answer | Download
        try:
            world = self._parts.accounts.authenticate(header(scope, b"authorization").decode("latin-1"))
            path: str = scope["path"]
            place = self._router.find(path)
            if place is None:
                raise NoRoute(f"There is no path {path[:200]}.")
            endpoint = _endpoint(place, _method(scope, strictness))
            answer = await endpoint(Request(self._parts, world, place.variables, scope, receive))
        except Disconnected:
            return
        except WrongMethod as problem:
            answer = failed(problem, strictness, (b"allow", _allow(place)))
        except Unreadable as problem:
            _log.exception("request_failed", method=scope["method"], path=place.path if place else "")
            answer = failed(problem, strictness)
        except Problem as problem:
            answer = failed(problem, strictness)
        except StoreUnavailable as error:
            unavailable = Unavailable(f"Nothing was changed: the database does not accept writes ({error}).")
            answer = failed(unavailable, strictness)
        except Exception:
            # The pattern of the path, not the path: a number may stand in it.
            _log.exception("request_failed", method=scope["method"], path=place.path if place else "")
            answer = failed(Problem("Something went wrong in the server; its log says what."), strictness)
        with_body = scope["method"] != "HEAD"
        if isinstance(answer, Download):
            await answer.send(receive, send, with_body=with_body)
        else:
            await send_answer(send, answer, with_body=with_body)


def _endpoint(place: Place, method: str) -> Endpoint:
    endpoint = place.endpoints.get(method)
    if endpoint is None:
        raise WrongMethod(f"{place.path} does not know the method {method[:20]}. It knows: {place.allow}.")
    return endpoint


def _method(scope: Scope, strictness: Strictness) -> str:
    """The verb; on POST the query parameter ``_method`` puts another in its place (contract §1.1)."""
    method: str = scope["method"]
    honoured = method == "POST" or (method == "GET" and strictness.method_on_get)
    if honoured and b"_method=" in scope["query_string"]:
        return dict(parse_qsl(query_of(scope))).get("_method", method).upper()
    return method


def _allow(place: Place | None) -> bytes:
    return place.allow.encode() if place else b""
