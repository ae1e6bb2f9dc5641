"""``/call-flows`` and ``/numbers`` (contract §3.1, routes 26 to 29 and 34; §2.4)."""

from __future__ import annotations

from callwright import ids
from callwright.api.exchange import NO_CONTENT, Answer, Request
from callwright.dialect import decode, envelope, render
from callwright.dialect.paging import MAX_SIZE, Page
from callwright.errors import NotFound
from callwright.flows.flows import StoredFlow
from callwright.numbers.numbers import normalised, unbind_flow


async def make(request: Request) -> Answer:
    body = decode.flow(await request.body(), limit=request.parts.limits.flow)
    return _single(201, await request.parts.flows.make(request.world.id, body))


async def show_all(request: Request) -> Answer:
    page = request.page
    found = request.parts.flows.page(request.world.id, limit=page.size, offset=page.offset)
    return Answer(
        200, envelope.listing([render.flow_item(flow, linked=True) for flow in found.flows], "/call-flows", page, found.total)
    )


async def show(request: Request) -> Answer:
    return _single(200, request.parts.flows.get(request.world.id, request.id("call flow")))


async def replace(request: Request) -> Answer:
    flow_id = request.id("call flow")
    body = decode.flow(await request.body(), limit=request.parts.limits.flow)
    return _single(200, await request.parts.flows.replace(request.world.id, flow_id, body))


async def remove(request: Request) -> Answer:
    parts, world_id, flow_id = request.parts, request.world.id, request.id("call flow")
    await parts.flows.remove(world_id, flow_id, also=unbind_flow(world_id, flow_id, parts.clock.now_us()))
    return NO_CONTENT


async def show_numbers(request: Request) -> Answer:
    return _numbers_of(request, 200, request.page)


async def add_numbers(request: Request) -> Answer:
    return await _assign(request, 201, replace=False)


async def replace_numbers(request: Request) -> Answer:
    return await _assign(request, 200, replace=True)


async def show_all_numbers(request: Request) -> Answer:
    page = request.page
    found = request.parts.numbers.page(request.world.id, limit=page.size, offset=page.offset)
    items = [render.number_item(number, linked=True) for number in found.numbers]
    return Answer(200, envelope.listing(items, "/numbers", page, found.total))


async def show_number(request: Request) -> Answer:
    """By id, as the links name it, or by its digits, as the number's webhook is addressed."""
    parts, text = request.parts, request.variables[0]
    digits = normalised(text)
    if ids.parse(text) is None and digits is not None:
        number = parts.numbers.find(request.world.id, digits)
        if number is None:
            raise NotFound(f"There is no number {digits}.")
    else:
        number = parts.numbers.get(request.world.id, request.id("number"))
    item = render.number_item(number, linked=False)
    return Answer(200, envelope.single(item, {"self": render.number_path(number.id)}))


async def set_for_number(request: Request) -> Answer:
    """Make a flow and bind a number to it; also one nobody has yet, once the flow is in order."""
    parts, world = request.parts, request.world
    body = decode.flow(await request.body(), limit=parts.limits.flow)
    parts.flows.examine(body).passed()
    number = await parts.numbers.claim(world, request.variables[0])
    flow = await parts.flows.make(world.id, body)
    await parts.numbers.assign(world, flow.id, [number.number], replace=False)
    return _single(201, flow)


async def _assign(request: Request, status: int, *, replace: bool) -> Answer:
    parts = request.parts
    flow = parts.flows.get(request.world.id, request.id("call flow"))
    await parts.numbers.assign(request.world, flow.id, decode.numbers(await request.body()), replace=replace)
    return _numbers_of(request, status, Page(1, MAX_SIZE))


def _numbers_of(request: Request, status: int, page: Page) -> Answer:
    parts, world_id = request.parts, request.world.id
    flow = parts.flows.get(world_id, request.id("call flow"))
    found = parts.numbers.page(world_id, limit=page.size, offset=page.offset, flow_id=flow.id)
    items = [render.number_item(number, linked=True) for number in found.numbers]
    return Answer(status, envelope.listing(items, render.flow_numbers_path(flow.id), page, found.total))


def _single(status: int, flow: StoredFlow) -> Answer:
    return Answer(status, envelope.single(render.flow_item(flow, linked=False), {"self": render.flow_path(flow.id)}))
