"""``/calls`` and ``/legs`` (contract §3.1, routes 1 to 10)."""

from __future__ import annotations

from typing import NoReturn
from uuid import UUID

from callwright.api import recordings
from callwright.api.exchange import NO_CONTENT, Answer, Request
from callwright.calls import lists, rows
from callwright.calls.model import Call
from callwright.dialect import decode, envelope, render
from callwright.errors import NotFound


async def place(request: Request) -> Answer:
    parts = request.parts
    asked = decode.call(await request.body(), flow_limit=parts.limits.flow)
    if asked.webhook_url is not None:
        parts.webhooks.check(asked.webhook_url, asked.webhook_token, parameter="webhook.url")
    parts.flows.examine(asked.flow_body).passed("callFlow")
    call = await parts.switch.place_call(
        request.world,
        source=asked.source,
        destination=asked.destination,
        flow=asked.flow,
        flow_body=asked.flow_body,
        webhook_url=asked.webhook_url,
        webhook_token=asked.webhook_token,
        tags=asked.tags,
        metadata=asked.metadata,
    )
    return Answer(201, envelope.single(_item(request, call), {"self": render.call_path(call.id)}))


async def show_all(request: Request) -> Answer:
    page = request.page
    found = await lists.page_of_calls(request.parts.store, request.world.id, limit=page.size, offset=page.offset)
    items = [_item(request, call, linked=True) for call in found.calls]
    return Answer(200, envelope.listing(items, "/calls", page, found.total))


async def show(request: Request) -> Answer:
    """With the parameters ``legs`` and ``recordings``, one recording: Java's library asks so (contract C45)."""
    leg, recording = request.query("legs"), request.query("recordings")
    if leg is not None and recording is not None:
        return recordings.show_queried(request, leg, recording)
    call = _call(request)
    return Answer(200, envelope.single(_item(request, call), render.call_links(call.id)))


async def change(request: Request) -> Answer:
    """Another flow takes the place of what remains of the call's."""
    call, parts = _call(request), request.parts
    asked = decode.call_flow(await request.body(), flow_limit=parts.limits.flow)
    parts.flows.examine(asked.body).passed("callFlow")
    await parts.switch.replace_flow(request.world.id, call.id, asked.flow, asked.body)
    return await show(request)


async def hang_up(request: Request) -> Answer:
    await request.parts.switch.hang_up_call(request.world.id, request.id("call"))
    return NO_CONTENT


async def add_party(request: Request) -> Answer:
    call = _call(request)
    destination = decode.destination(request.variables[1])
    source = decode.party(await request.body())
    leg_id = await request.parts.switch.add_party(request.world.id, call.id, destination, source)
    return _leg_answer(request, 201, leg_id)


async def show_legs(request: Request) -> Answer:
    parts, world_id, page = request.parts, request.world.id, request.page
    call_id = request.id("call")
    total, newest_first = rows.page_of_legs(parts.store, world_id, call_id, limit=page.size, offset=page.offset)
    if not total:  # a call has at least one from its first commit
        _no_call(call_id)
    items = [render.leg_item(leg, parts.currency, linked=True) for leg in newest_first]
    return Answer(200, envelope.listing(items, render.legs_path(call_id), page, total))


async def show_leg(request: Request) -> Answer:
    call_id, leg_id = request.id("call"), request.id("leg", 1)
    leg = rows.find_leg(request.parts.store, request.world.id, leg_id)
    if leg is None or leg.call_id != call_id:
        _no_leg(leg_id)
    item = render.leg_item(leg, request.parts.currency, linked=False)
    return Answer(200, envelope.single(item, {"self": render.leg_path(leg)}))


async def hang_up_leg(request: Request) -> Answer:
    await request.parts.switch.hang_up_leg(request.world.id, request.id("leg"))
    return NO_CONTENT


async def hold(request: Request) -> Answer:
    return await _hold(request, on=True)


async def unhold(request: Request) -> Answer:
    return await _hold(request, on=False)


async def _hold(request: Request, *, on: bool) -> Answer:
    leg_id = request.id("leg")
    await request.parts.switch.hold_leg(request.world.id, leg_id, on=on)
    return _leg_answer(request, 200, leg_id)


def _leg_answer(request: Request, status: int, leg_id: UUID) -> Answer:
    leg = rows.find_leg(request.parts.store, request.world.id, leg_id) or _no_leg(leg_id)
    item = render.leg_item(leg, request.parts.currency, linked=False)
    return Answer(status, envelope.single(item, {"self": render.leg_path(leg)}))


def _item(request: Request, call: Call, *, linked: bool = False) -> render.CallItem:
    return render.call_item(call, linked=linked, strictness=request.parts.strictness)


def _call(request: Request) -> Call:
    call_id = request.id("call")
    return rows.find_call(request.parts.store, request.world.id, call_id) or _no_call(call_id)


def _no_call(call_id: UUID) -> NoReturn:
    raise NotFound(f"No call found for ID `{call_id}`.")


def _no_leg(leg_id: UUID) -> NoReturn:
    raise NotFound(f"No leg found for ID `{leg_id}`.")
