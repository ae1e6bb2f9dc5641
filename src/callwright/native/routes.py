"""Which path is answered by what, and to whom; and how a `Problem` looks here.

Errors are ``{"error": {"code", "message", "parameter", "remedy", "example"}}``. Codes are those of the compatible interface
(contract §3.4); statuses are plain HTTP: 400 for a bad value in a body, 409 for a conflict, where that one says 422. A query
that is wrong is 422 here too, with an example of the right form.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from callwright.errors import Forbidden, NoRoute, NotFound, Problem, StoreUnavailable, Unavailable, Unreadable, WrongMethod
from callwright.log import Log
from callwright.native import (
    calls,
    control,
    deliveries,
    dialling,
    elsewhere,
    endpoints,
    events,
    feed,
    labels,
    listening,
    operations,
    provisioning,
    recordings,
    records,
    secrets,
    webhooks,
)
from callwright.native.asking import Ask, Authority, Parts
from callwright.openapi.published import Published

if TYPE_CHECKING:
    from callwright.openapi.document import Interface

# What one who asked for too much at once, or at the wrong time, waits before asking again.
RETRY_AFTER_S = 5

_log = Log("native")
_encode = msgspec.json.Encoder().encode


class Who(Enum):
    ANYONE = "anyone"
    WORLD = "world"  # an access key, or the control socket
    OPERATOR = "operator"  # the control socket alone


class Entry(NamedTuple):
    """Where it is `queried`, the answer says what may stand in the query; elsewhere nothing may."""

    method: str
    path: str
    who: Who
    answer: Callable[[Ask], Awaitable[Any]]
    queried: bool = False


ENTRIES = (
    # Those who look whether it is there put odd things behind it, and are to be told.
    Entry("GET", "/health", Who.ANYONE, operations.show_health, queried=True),
    Entry("GET", "/settings", Who.OPERATOR, operations.show_settings),
    Entry("GET", "/state", Who.OPERATOR, operations.show_state),
    Entry("GET", "/keys", Who.OPERATOR, provisioning.list_keys),
    Entry("POST", "/keys", Who.OPERATOR, provisioning.make_key),
    Entry("GET", "/keys/signing", Who.OPERATOR, secrets.show_signing_key),
    Entry("POST", "/keys/signing/rotate", Who.OPERATOR, secrets.rotate_signing_key),
    Entry("POST", "/keys/signing/rotate/finish", Who.OPERATOR, secrets.finish_signing_key),
    Entry("DELETE", "/keys/{id}", Who.OPERATOR, provisioning.revoke_key),
    Entry("GET", "/numbers", Who.WORLD, provisioning.list_numbers, queried=True),
    Entry("POST", "/numbers", Who.WORLD, provisioning.make_number),
    Entry("DELETE", "/numbers/{number}", Who.WORLD, provisioning.remove_number),
    Entry("GET", "/flows", Who.WORLD, provisioning.list_flows, queried=True),
    Entry("POST", "/flows", Who.WORLD, provisioning.make_flow),
    Entry("POST", "/flows/check", Who.WORLD, provisioning.check_flow),
    Entry("GET", "/flows/{id}", Who.WORLD, provisioning.show_flow),
    Entry("PUT", "/flows/{id}", Who.WORLD, provisioning.replace_flow),
    Entry("POST", "/flows/{id}/default", Who.WORLD, provisioning.make_default),
    Entry("POST", "/flows/{id}/numbers", Who.WORLD, provisioning.bind_numbers),
    Entry("GET", "/schemas/flow.json", Who.ANYONE, provisioning.show_flow_schema),
    Entry("GET", "/schemas/events.json", Who.ANYONE, events.show_schema),
    Entry("GET", "/event-types", Who.ANYONE, events.list_types),
    Entry("GET", "/webhooks", Who.WORLD, webhooks.show_all, queried=True),
    Entry("POST", "/webhooks", Who.WORLD, webhooks.make),
    Entry("GET", "/webhooks/{id}", Who.WORLD, webhooks.show),
    Entry("PATCH", "/webhooks/{id}", Who.WORLD, webhooks.change),
    Entry("DELETE", "/webhooks/{id}", Who.WORLD, webhooks.remove),
    Entry("PUT", "/numbers/{number}/webhook", Who.WORLD, webhooks.set_for_number),
    Entry("POST", "/webhooks/{id}/test", Who.WORLD, webhooks.test),
    Entry("GET", "/webhooks/{id}/secret", Who.WORLD, secrets.show_token),
    Entry("POST", "/webhooks/{id}/rotate", Who.WORLD, secrets.rotate_token),
    Entry("POST", "/webhooks/{id}/rotate/finish", Who.WORLD, secrets.finish_token),
    Entry("GET", "/endpoints", Who.WORLD, endpoints.show_all, queried=True),
    Entry("POST", "/endpoints", Who.WORLD, endpoints.make),
    Entry("GET", "/endpoints/{id}", Who.WORLD, endpoints.show),
    Entry("PATCH", "/endpoints/{id}", Who.WORLD, endpoints.change),
    Entry("POST", "/endpoints/{id}/enable", Who.WORLD, endpoints.enable),
    Entry("POST", "/endpoints/{id}/disable", Who.WORLD, endpoints.disable),
    Entry("GET", "/deliveries", Who.WORLD, deliveries.show_all, queried=True),
    Entry("POST", "/deliveries/resend", Who.WORLD, deliveries.resend_many),
    Entry("GET", "/deliveries/{id}", Who.WORLD, deliveries.show),
    Entry("POST", "/deliveries/{id}/resend", Who.WORLD, deliveries.resend),
    Entry("GET", "/deliveries/{id}/attempts/{n}", Who.WORLD, deliveries.show_attempt),
    Entry("GET", "/listen", Who.WORLD, listening.listen, queried=True),
    Entry("GET", "/events", Who.WORLD, feed.watch, queried=True),
    Entry("GET", "/calls", Who.WORLD, calls.show_all, queried=True),
    Entry("POST", "/calls", Who.WORLD, records.place_call),
    Entry("GET", "/calls/export", Who.WORLD, calls.export, queried=True),
    Entry("GET", "/calls/{id}", Who.WORLD, records.show_call),
    Entry("PATCH", "/calls/{id}", Who.WORLD, labels.change_call),
    Entry("DELETE", "/calls/{id}/record", Who.OPERATOR, records.forget_call),
    Entry("GET", "/calls/{id}/journal", Who.WORLD, records.show_journal),
    Entry("POST", "/dial", Who.WORLD, dialling.dial),
    Entry("DELETE", "/dial/{id}", Who.WORLD, dialling.hang_up),
    Entry("GET", "/recordings", Who.WORLD, recordings.show_all, queried=True),
    Entry("POST", "/recordings/rewrap", Who.OPERATOR, recordings.rewrap_keys),
    Entry("GET", "/recordings/{id}", Who.WORLD, recordings.show),
    Entry("GET", "/recordings/{id}/peaks", Who.WORLD, recordings.show_peaks, queried=True),
    Entry("GET", "/recordings/{id}/sound", Who.WORLD, recordings.show_sound, queried=True),
    Entry("POST", "/recordings/{id}/pause", Who.WORLD, recordings.pause),
    Entry("POST", "/recordings/{id}/resume", Who.WORLD, recordings.resume),
    Entry("GET", "/transcriptions", Who.WORLD, recordings.show_transcriptions, queried=True),
    Entry("GET", "/transcriptions/{id}", Who.WORLD, recordings.show_transcription),
    Entry("POST", "/calls/{id}/legs/{leg}/refer", Who.WORLD, control.refer_leg),
)


def native_app(parts: Parts, authority: Authority) -> Starlette:
    """The interface as an ASGI application to mount under ``/api``."""
    by_path: dict[str, dict[str, Entry]] = {}
    for entry in ENTRIES:
        by_path.setdefault(entry.path, {})[entry.method] = entry
    app = Starlette(
        routes=[_route(path, _endpoint(entries, parts, authority)) for path, entries in by_path.items()],
        exception_handlers={HTTPException: _no_such_thing},
    )
    app.router.redirect_slashes = False
    return app


def _route(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    """A path with whatever method: one that is not for ``/calls/export`` is not to be looked for at ``/calls/{id}``."""
    route = Route(path, endpoint)
    route.methods = None
    return route


def control_app(parts: Parts, description: Published | None = None) -> ASGIApp:
    """What listens on the control socket; without a `description` this interface is told of alone."""
    description = description or published()
    return Starlette(
        routes=[
            Mount("/api", native_app(parts, Authority.SOCKET)),
            *(Route(path, description) for path in sorted(description.paths)),
        ],
        exception_handlers={HTTPException: _no_such_thing},
    )


def published() -> Published:
    """The description of the interface, which nobody pays for before it is read."""

    def interface() -> Interface:
        from callwright.native import described

        return described.interface()

    return Published(interface)


def _endpoint(entries: dict[str, Entry], parts: Parts, authority: Authority) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        entry = entries.get("GET" if request.method == "HEAD" else request.method)
        if entry is None:
            return _wrong_method(request, entries)
        ask = Ask(request, parts, authority)
        try:
            if entry.who is Who.OPERATOR and not ask.control:
                raise Forbidden(
                    "This is done on the server's own machine, over its control socket.",
                    remedy="Run callwright there as the user that owns the data folder.",
                )
            if ask.has_query and not entry.queried:
                _refuse_query(ask, entry)
            return _success(await entry.answer(ask))
        except NotFound as problem:
            problem.remedy = problem.remedy or elsewhere.remedy(ask, entry.path)
            return _failure(problem)
        except Unreadable as problem:
            _log.exception("request_failed", method=request.method, path=entry.path)
            return _failure(problem)
        except Problem as problem:
            return _failure(problem)
        except StoreUnavailable as error:
            return _failure(
                Unavailable(f"The database does not accept writes: {error}.", remedy="Free the disk, then try again.")
            )
        except Exception:
            _log.exception("request_failed", method=request.method, path=entry.path)
            return _failure(Problem("Something failed inside the server; its log has the details."))

    return answer


def _refuse_query(ask: Ask, entry: Entry) -> None:
    """Raises `BadQuery`; but who has no key is told that first."""
    if entry.who is Who.WORLD:
        ask.world  # noqa: B018
    ask.only(())


def _success(answered: Any) -> Response:
    if isinstance(answered, Response):
        return answered
    status, content = answered if isinstance(answered, tuple) else (200, answered)
    if content is None:
        return Response(status_code=status)
    return Response(_encode(content), status, media_type="application/json")


def refusal(path: str, problem: Problem) -> tuple[int, bytes]:
    """The status and the body that any path has for what is no request."""
    failure = _failure(problem)
    return failure.status_code, bytes(failure.body)


def _failure(problem: Problem) -> Response:
    error = {
        "code": problem.code,
        "message": problem.message,
        "parameter": problem.parameter,
        "remedy": problem.remedy,
        "example": problem.example,
    }
    headers = {"Retry-After": str(RETRY_AFTER_S)} if problem.documented_http == 503 else None
    return Response(_encode({"error": error}), problem.documented_http, headers, "application/json")


async def _no_such_thing(request: Request, error: Exception) -> Response:
    return _failure(NoRoute(f"There is no {request.url.path[:100]}."))


def _wrong_method(request: Request, entries: dict[str, Entry]) -> Response:
    failure = _failure(WrongMethod(f"{request.method} is not for this path."))
    failure.headers["Allow"] = ", ".join(sorted({*entries, *(["HEAD"] if "GET" in entries else [])}))
    return failure
