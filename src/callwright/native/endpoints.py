"""Endpoints: what is known of the programs that are sent to, their limits, and whether anything is sent to them."""

from __future__ import annotations

from typing import Any

from callwright.errors import BadQuery, Invalid, NotFound
from callwright.native import views
from callwright.native.asking import Ask, in_query, text_of
from callwright.webhooks.endpoints import KnownEndpoint, endpoint_of
from callwright.webhooks.model import State

# How far deliveries are counted, for each endpoint of a list and for one alone.
COUNTED_IN_LISTS, COUNTED = 100, 10_000


async def show_all(ask: Ask) -> Any:
    """By URL, ``data`` and ``next``: the cursor of what follows, null at the end; with ``url`` that one alone, whose query does
    not matter.
    """
    ask.only(("limit", "cursor", "url"))
    world, limit = ask.world, ask.limit()
    if (url := ask.query("url")) is not None:
        with in_query("url=https://example.com/hook"):
            endpoint = endpoint_of(url)
        known = ask.parts.endpoints.find(world.id, endpoint)
        return {"data": [] if known is None else [_view(ask, known, COUNTED)], "next": None, "limit": limit}
    try:
        page = ask.parts.endpoints.page(world.id, limit=limit, after=ask.query_id("cursor"))
    except NotFound:
        raise BadQuery(
            "cursor is not the next of any page of this list.", parameter="cursor", remedy="Begin without it."
        ) from None
    data = [_view(ask, known, COUNTED_IN_LISTS) for known in page.endpoints]
    return {"data": data, "next": page.after, "limit": limit}


async def show(ask: Ask) -> Any:
    return _view(ask, ask.parts.endpoints.get(ask.world.id, ask.id("endpoint")), COUNTED)


async def make(ask: Ask) -> Any:
    """``{"url": "…", "concurrency": …, "rate": …}``: give the endpoint of a URL limits of its own."""
    world, body = ask.world, await _body(ask, "url")
    url = endpoint_of(text_of(body, "url"))
    ask.parts.webhooks.check(url)
    known = ask.parts.endpoints.find(world.id, url)
    return (201 if known is None else 200), await _limit(ask, url, known, body)


async def change(ask: Ask) -> Any:
    """What is not sent stays; null is the limit of the settings."""
    known = ask.parts.endpoints.get(ask.world.id, ask.id("endpoint"))
    return await _limit(ask, known.url, known, await _body(ask))


async def enable(ask: Ask) -> Any:
    """Send there again. What was given up meanwhile is sent when it is resent."""
    return _view(ask, await ask.parts.endpoints.enable(ask.world.id, ask.id("endpoint")), COUNTED)


async def disable(ask: Ask) -> Any:
    """Send nothing there; what is pending there is given up, and kept."""
    return _view(ask, await ask.parts.endpoints.disable(ask.world.id, ask.id("endpoint")), COUNTED)


async def _limit(ask: Ask, url: str, known: KnownEndpoint | None, body: dict[str, Any]) -> dict[str, Any]:
    concurrency = body.get("concurrency", known and known.concurrency)
    rate = body.get("rate", known and known.rate)
    if concurrency is not None and (not isinstance(concurrency, int) or isinstance(concurrency, bool)):
        raise Invalid("concurrency must be a whole number, or null for webhooks.per_endpoint.", parameter="concurrency")
    if rate is not None and (not isinstance(rate, int | float) or isinstance(rate, bool)):
        raise Invalid("rate must be a number of requests a second, or null for webhooks.rate.", parameter="rate")
    limited = await ask.parts.endpoints.limit(ask.world.id, url, concurrency, rate)
    return _view(ask, limited, COUNTED)


async def _body(ask: Ask, *further: str) -> dict[str, Any]:
    body = await ask.object()
    if unknown := sorted(body.keys() - {"concurrency", "rate", *further}):
        raise Invalid(
            f"{unknown[0][:40]} cannot be set: the limits of an endpoint are concurrency and rate.", parameter=unknown[0][:40]
        )
    return body


def _view(ask: Ask, known: KnownEndpoint, counted_to: int) -> dict[str, Any]:
    world_id, endpoints = ask.world.id, ask.parts.endpoints
    live = endpoints.live(world_id, known.url)
    return views.endpoint(known) | {
        "pending": endpoints.waiting(world_id, known.url, State.PENDING, counted_to),
        "exhausted": endpoints.waiting(world_id, known.url, State.EXHAUSTED, counted_to),
        "countedTo": counted_to,
        "live": None if live is None else views.live(live),
    }
