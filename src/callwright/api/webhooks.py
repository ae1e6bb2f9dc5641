"""``/webhooks`` and the webhook of a number (contract §2.7; §3.1, routes 30 to 33)."""

from __future__ import annotations

from callwright.api.exchange import NO_CONTENT, Answer, Request
from callwright.dialect import decode, envelope, render
from callwright.webhooks.model import Webhook


async def make(request: Request) -> Answer:
    asked = decode.webhook(await request.body())
    return _single(201, await request.parts.webhooks.create(request.world.id, url=asked.url, token=asked.token))


async def show_all(request: Request) -> Answer:
    page = request.page
    found = request.parts.webhooks.page(request.world.id, limit=page.size, offset=page.offset)
    items = [_item(webhook, linked=True) for webhook in found.webhooks]
    return Answer(200, envelope.listing(items, "/webhooks", page, found.total))


async def show(request: Request) -> Answer:
    return _single(200, request.parts.webhooks.get(request.world.id, request.id("webhook")))


async def change(request: Request) -> Answer:
    """PUT and PATCH alike: what is not sent stays (contract C31)."""
    webhook_id = request.id("webhook")
    asked = decode.webhook(await request.body())
    changed = await request.parts.webhooks.update(request.world.id, webhook_id, url=asked.url, token=asked.token)
    return _single(200, changed)


async def remove(request: Request) -> Answer:
    await request.parts.webhooks.remove(request.world.id, request.id("webhook"))
    return NO_CONTENT


async def set_for_number(request: Request) -> Answer:
    """Also for a number nobody has yet: it becomes the world's, once the rest of the request is in order."""
    parts = request.parts
    asked = decode.webhook(await request.body())
    parts.webhooks.check(asked.url, asked.token)
    number = await parts.numbers.claim(request.world, request.variables[0])
    webhook = await parts.webhooks.set_for_number(request.world.id, number.id, url=asked.url, token=asked.token)
    return _single(201, webhook)


def _single(status: int, webhook: Webhook) -> Answer:
    return Answer(status, envelope.single(_item(webhook, linked=False), {"self": render.webhook_path(webhook.id)}))


def _item(webhook: Webhook, *, linked: bool) -> render.WebhookItem:
    return render.webhook_item(webhook.id, webhook.url, webhook.token, webhook.created_us, webhook.updated_us, linked=linked)
