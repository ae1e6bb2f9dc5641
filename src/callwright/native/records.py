"""What happened: a call with its legs, its journal; and asking for a new call."""

from __future__ import annotations

from typing import Any

from callwright.accounts.worlds import World
from callwright.calls import rows
from callwright.calls.model import Call
from callwright.dialect import decode
from callwright.errors import NotFound, Unavailable
from callwright.native import views
from callwright.native.asking import Ask
from callwright.retention.retention import forget


async def show_call(ask: Ask) -> Any:
    world, call = _call(ask)
    return views.call(call, rows.legs_of(ask.parts.store, world.id, call.id), world)


async def show_journal(ask: Ask) -> Any:
    """Every entry of a call in order."""
    world, call = _call(ask)
    return {"data": [views.told(line) for line in rows.journal_of(ask.parts.store, world.id, call.id)]}


async def forget_call(ask: Ask) -> Any:
    """Erase a call that is over, with everything that is kept of it; 204."""
    await forget(ask.parts.store, ask.parts.clock, ask.world.id, ask.id("call"))
    return 204, None


async def place_call(ask: Ask) -> Any:
    """The body of the compatible POST /calls (contract §5.1); the answer is the call as `show_call` has it."""
    world, parts = ask.world, ask.parts
    wanted = decode.call(await ask.body(), flow_limit=parts.limits.flow)
    if parts.calling is None:
        raise Unavailable("No server runs on this data folder, so no call can be placed.", remedy="Start it: callwright serve")
    if wanted.webhook_url is not None:
        parts.calling.webhooks.check(wanted.webhook_url, wanted.webhook_token, parameter="webhook.url")
    parts.flows.examine(wanted.flow_body).passed("callFlow")
    call = await parts.calling.switch.place_call(
        world,
        source=wanted.source,
        destination=wanted.destination,
        flow=wanted.flow,
        flow_body=wanted.flow_body,
        webhook_url=wanted.webhook_url,
        webhook_token=wanted.webhook_token,
        tags=wanted.tags,
        metadata=wanted.metadata,
    )
    return 201, views.call(call, rows.legs_of(parts.store, world.id, call.id), world)


def _call(ask: Ask) -> tuple[World, Call]:
    world, call_id = ask.world, ask.id("call")
    call = rows.find_call(ask.parts.store, world.id, call_id)
    if call is None:
        raise NotFound(f"No call found for ID `{call_id}`.")
    return world, call
