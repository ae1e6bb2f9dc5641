"""The delivery log: what was sent to whom, how each attempt went, and sending it again."""

from __future__ import annotations

from itertools import islice
from typing import Any
from uuid import UUID

from callwright.accounts.worlds import World
from callwright.dialect.callbacks import TYPE_OF, TYPES
from callwright.errors import BadQuery, Invalid, NotFound
from callwright.native import views
from callwright.native.asking import Ask, id_of, in_query, moment_of, text_of
from callwright.native.cursors import seal, unseal
from callwright.webhooks.endpoints import endpoint_of
from callwright.webhooks.log import Entry, Filter, Place, Resent
from callwright.webhooks.model import State

FILTERS = ("endpoint", "url", "webhook", "event", "call", "state", "message", "from", "to", "test")
ENDPOINT = "https://example.com/hook"  # as an example
MOST_IDS = 1_000
# Endpoints where what is resent waits, as many as are told.
MOST_HELD = 10
_STATES = {state.value: state for state in State}
# What a resend by filter may be asked for. What is pending goes out by itself.
_SETTLED = {state.value: state for state in (State.EXHAUSTED, State.DELIVERED)}


async def show_all(ask: Ask) -> Any:
    """Newest first, ``data`` and ``next``: the cursor of what follows, null at the end. A page may have fewer than ``limit``
    deliveries, even none, and yet a next one.
    """
    world = ask.world
    ask.only((*FILTERS, "limit", "cursor"), repeated=("state",))
    limit = ask.limit()
    wanted = _filter(ask, world)
    of = f"deliveries {sorted((name, *ask.queries(name)) for name in FILTERS)}"
    page = ask.parts.log.page(world.id, wanted, limit=limit, after=_place(ask, world, of))
    return {
        "data": [views.delivery(entry) for entry in page.entries],
        "next": None if page.after is None else seal(world, of, *page.after),
        "limit": limit,
    }


async def show(ask: Ask) -> Any:
    """With its body, as JSON and as the text that is sent, and its attempts, oldest first."""
    entry, log = _entry(ask), ask.parts.log
    return (
        views.delivery(entry)
        | views.sent_body(log.body(entry))
        | {"attemptLog": [views.attempt(one) for one in log.attempts(entry)]}
    )


async def show_attempt(ask: Ask) -> Any:
    """All that went to and fro in one attempt."""
    entry, text = _entry(ask), ask.path("n")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise NotFound(f"No attempt {text[:20]!r} found: they are counted from 1.")
    exchange = ask.parts.log.exchange(entry, int(text))
    return views.exchange(entry, exchange, ask.parts.log.body(entry))


async def resend(ask: Ask) -> Any:
    """Send one again under its id, from now on; no other of its call waits for it. ``was`` is its state before, ``held`` why
    it waits, as for many.
    """
    world, log, before = ask.world, ask.parts.log, _entry(ask)
    entry = await log.resend(world.id, before.id)
    return 202, views.delivery(entry) | {"was": before.state.value, "held": _held(ask, world, [entry.endpoint])}


async def resend_many(ask: Ask) -> Any:
    """``{"ids": […]}``, or ``{"endpoint" or "url", "state", "since", "until"}``: send again what was given up, or with a
    ``state`` of ``delivered`` what was delivered.
    """
    world, body = ask.world, await ask.object()
    if "ids" in body:
        _only(body, ("ids",), "ids names what to resend, so nothing else can be given beside it")
        resent = await ask.parts.log.resend_these(world.id, _ids(body["ids"]))
        return 202, _resent(ask, world, resent)
    _only(body, ("endpoint", "url", "state", "since", "until"), "what to resend goes by ids, endpoint, state, since and until")
    endpoint = _endpoint(ask, world, body)
    from_us = moment_of(text_of(body, "since"), "since") if "since" in body else None
    to_us = moment_of(text_of(body, "until"), "until") if "until" in body else None
    if from_us is not None and to_us is not None and from_us >= to_us:
        raise Invalid("since must be before until.", parameter="until")
    state = _SETTLED.get(text_of(body, "state", State.EXHAUSTED.value))
    if state is None:
        raise Invalid(
            f"state must be {' or '.join(_SETTLED)}; it was {str(body['state'])[:20]!r}. What is pending is sent by itself.",
            parameter="state",
        )
    if state is State.DELIVERED and endpoint is None:
        raise Invalid("What was delivered is resent to one endpoint at a time: name it.", parameter="endpoint")
    if endpoint is None and from_us is None:
        raise Invalid(
            "This would send again all that was ever given up: name ids, an endpoint, or since when.", parameter="since"
        )
    times: dict[str, int] = {}
    if from_us is not None:
        times["from_us"] = from_us
    if to_us is not None:
        times["to_us"] = to_us
    resent = await ask.parts.log.resend_all(world.id, endpoint=endpoint, state=state, **times)
    return 202, _resent(ask, world, resent)


def _filter(ask: Ask, world: World) -> Filter:
    given: dict[str, Any] = {}
    if (endpoint := ask.query("endpoint")) is not None:
        with in_query(f"endpoint={ENDPOINT}"):
            given["endpoint"] = _endpoint_named(ask, world, endpoint)
    if (url := ask.query("url")) is not None:
        if endpoint is not None:
            raise BadQuery("endpoint and url are both given: url is an endpoint with its query; name one.", parameter="url")
        with in_query(f"url={ENDPOINT}?shop=2"):
            endpoint_of(url)
        given["url"] = url
    for name, field in (("webhook", "webhook_id"), ("call", "call_id"), ("message", "message_id")):
        if (id_ := ask.query_id(name)) is not None:
            given[field] = id_
    if "call_id" in given and "message_id" in given:
        raise BadQuery("call and message are both given: a message is of one call; name one.", parameter="message")
    if (event := ask.query("event")) is not None:
        given["kind"], given["kind_is_type"] = _event(event), event in TYPES
    if states := ask.queries("state"):
        given["states"] = _states(states)
    if (test := ask.query("test")) is not None:
        if test not in ("true", "false"):
            raise BadQuery(f"test must be true or false; it was {test[:20]!r}.", parameter="test", example="test=false")
        given["test"] = test == "true"
    span = zip(("from_us", "to_us"), ask.span("from", "to"), strict=True)
    given |= {field: at_us for field, at_us in span if at_us is not None}
    return Filter(**given)


def _event(event: str) -> str:
    if event not in TYPES and event not in TYPE_OF:
        raise BadQuery(
            f"event must be a type ({', '.join(TYPES)}) or an event's name ({', '.join(TYPE_OF)}); it was {event[:40]!r}.",
            parameter="event",
            example=f"event={TYPES[0]}",
        )
    return event


def _states(texts: list[str]) -> tuple[State, ...]:
    named = [name for text in texts for name in text.split(",")]
    for name in named:
        if name not in _STATES:
            raise BadQuery(
                f"state must be of {', '.join(_STATES)}; it was {name[:20]!r}.",
                parameter="state",
                example="state=pending,exhausted",
            )
    return tuple(state for name, state in _STATES.items() if name in named)


def _place(ask: Ask, world: World, of: str) -> Place | None:
    cursor = ask.query("cursor")
    if cursor is None:
        return None
    numbers = unseal(world, of, cursor)
    if numbers is None or len(numbers) != 2:
        raise BadQuery(
            "cursor is none of this list: it is the next of a page that was asked for with the very same filters.",
            parameter="cursor",
            remedy="Begin again without a cursor.",
        )
    return Place(*numbers)


def _endpoint(ask: Ask, world: World, body: dict[str, Any]) -> str | None:
    if "endpoint" in body and "url" in body:
        raise Invalid("endpoint and url are both given; name one.", parameter="url")
    if "url" in body:
        return endpoint_of(text_of(body, "url"))
    return _endpoint_named(ask, world, text_of(body, "endpoint")) if "endpoint" in body else None


def _endpoint_named(ask: Ask, world: World, text: str) -> str:
    """An endpoint by its id or its URL."""
    if "/" in text:
        return endpoint_of(text, "endpoint")
    return ask.parts.endpoints.get(world.id, id_of(text, "endpoint")).url


def _ids(value: Any) -> list[UUID]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_IDS:
        raise Invalid(f"ids must be a list of 1 to {MOST_IDS} ids of deliveries.", parameter="ids")
    return [id_of(one, "ids") for one in value]


def _only(body: dict[str, Any], known: tuple[str, ...], otherwise: str) -> None:
    if unknown := sorted(body.keys() - set(known)):
        raise Invalid(f"{unknown[0][:40]} cannot be given here: {otherwise}.", parameter=unknown[0][:40])


def _resent(ask: Ask, world: World, resent: Resent) -> dict[str, Any]:
    skipped = {views.camel(why.value): count for why, count in resent.skipped.items()}
    held = _held(ask, world, sorted(resent.endpoints))
    return {"resent": resent.number, "wasPending": resent.pending, "skipped": skipped, "held": held}


def _held(ask: Ask, world: World, urls: list[str]) -> list[dict[str, Any]]:
    """Where nothing is sent for some time yet, until when, and why."""
    held = ((url, ask.parts.endpoints.held(world.id, url)) for url in urls)
    told = ({"endpoint": url, "health": live.health.value, "until": views.moment(live.until_us)} for url, live in held if live)
    return list(islice(told, MOST_HELD))


def _entry(ask: Ask) -> Entry:
    return ask.parts.log.get(ask.world.id, ask.id("delivery"))
