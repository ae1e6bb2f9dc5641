"""Webhooks of a world and of its numbers. Their tokens are shown by ``/webhooks/{id}/secret`` alone."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from callwright.dialect import examples
from callwright.dialect.callbacks import TYPE_OF
from callwright.errors import Invalid
from callwright.native import views
from callwright.native.asking import Ask, text_of
from callwright.webhooks.model import Webhook
from callwright.webhooks.webhooks import checked_events

DEFAULT_TEST = "callCreated"


async def show_all(ask: Ask) -> Any:
    world, window = ask.world, ask.window()
    page = ask.parts.webhooks.all_page(world.id, limit=window.limit, offset=window.offset)
    return views.page([views.webhook(shown.webhook, shown.number) for shown in page.webhooks], page.total, *window)


async def show(ask: Ask) -> Any:
    return _view(ask, ask.parts.webhooks.get(ask.world.id, ask.id("webhook")))


async def make(ask: Ask) -> Any:
    """``{"url": "…", "token": "…", "events": ["leg", …]}``: a webhook of the world."""
    world, body = ask.world, await _body(ask)
    events = _events(body)
    made = await ask.parts.webhooks.create(
        world.id, url=_url(body), token=_token(body), events=None if isinstance(events, UnsetType) else events
    )
    return 201, _view(ask, made)


async def change(ask: Ask) -> Any:
    """What is not sent stays; a ``token`` of null takes it away, ``events`` of null go by the settings again."""
    world, webhook_id = ask.world, ask.id("webhook")
    body = await _body(ask)
    changed = await ask.parts.webhooks.update(
        world.id,
        webhook_id,
        url=_url(body),
        token=_token(body),
        events=_events(body),
        without_token="token" in body and not body["token"],
    )
    return _view(ask, changed)


async def remove(ask: Ask) -> Any:
    await ask.parts.webhooks.remove(ask.world.id, ask.id("webhook"))
    return 204, None


async def set_for_number(ask: Ask) -> Any:
    """Give a number its webhook, or another; a number that is not there yet is registered."""
    world, parts = ask.world, ask.parts
    body = await _body(ask)
    url, token, events = _url(body), _token(body), _events(body)
    parts.webhooks.check(url, token)
    name = ask.path("number")
    number = await (parts.numbers.make(world, name) if ask.control else parts.numbers.claim(world, name))
    return _view(ask, await parts.webhooks.set_for_number(world.id, number.id, url=url, token=token, events=events))


async def test(ask: Ask) -> Any:
    """``{"event": "callCreated"}``: send the webhook an example; the answer is the delivery that tells how it went."""
    world, webhook_id = ask.world, ask.id("webhook")
    body = await ask.object_of("event", optional=True)
    kind = text_of(body, "event", DEFAULT_TEST)
    if kind not in TYPE_OF:
        raise Invalid(f"event must be one of {', '.join(TYPE_OF)}; it was {kind[:40]!r}.", parameter="event")
    webhook = ask.parts.webhooks.get(world.id, webhook_id)
    return 202, views.delivery(await ask.parts.log.test(webhook, kind, examples.example(kind, ask.parts.currency)))


async def _body(ask: Ask) -> dict[str, Any]:
    body = await ask.object()
    if unknown := sorted(body.keys() - {"url", "token", "events"}):
        raise Invalid(f"{unknown[0][:40]} cannot be set: a webhook has url, token and events.", parameter=unknown[0][:40])
    return body


def _url(body: dict[str, Any]) -> str | None:
    return text_of(body, "url") if "url" in body else None


def _token(body: dict[str, Any]) -> str | None:
    return text_of(body, "token") if body.get("token") is not None else None


def _events(body: dict[str, Any]) -> tuple[str, ...] | UnsetType | None:
    if "events" not in body:
        return UNSET
    value = body["events"]
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Invalid("events must be a list of types such as leg, or null for those of the settings.", parameter="events")
    return checked_events(value)


def _view(ask: Ask, webhook: Webhook) -> dict[str, Any]:
    if webhook.number_id is None:
        return views.webhook(webhook, None)
    return views.webhook(webhook, ask.parts.numbers.get(webhook.world_id, webhook.number_id).number)
