"""What is set up before a call: keys, numbers and flows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from callwright import ids
from callwright.dialect import decode
from callwright.errors import Forbidden, Invalid, Missing
from callwright.flows.flows import StoredFlow
from callwright.flows.json_schema import json_schema
from callwright.native import views
from callwright.native.asking import Ask, checked_kind, text_of

LONGEST_LABEL = 100


async def list_keys(ask: Ask) -> Any:
    keys = ask.parts.accounts.keys()
    return {"data": [views.key(key) for key in keys]}


async def make_key(ask: Ask) -> Any:
    """The answer to ``{"kind": "live" | "test", "label": "…"}`` holds the key itself, this once."""
    body = await ask.object_of("kind", "label")
    kind = checked_kind(text_of(body, "kind"), "kind")
    label = text_of(body, "label", "")
    if len(label) > LONGEST_LABEL or not (label == "" or label.isprintable()):
        raise Invalid(f"label must be at most {LONGEST_LABEL} printable characters.", parameter="label")
    made = await ask.parts.accounts.make_key(kind, label)
    return 201, {**views.key(made.key), "key": made.secret}


async def revoke_key(ask: Ask) -> Any:
    await ask.parts.accounts.revoke_key(ask.id("key"))
    return 204, None


async def list_numbers(ask: Ask) -> Any:
    world, window = ask.world, ask.window()
    page = ask.parts.numbers.page(world.id, limit=window.limit, offset=window.offset)
    return views.page([views.number(number) for number in page.numbers], page.total, *window)


async def make_number(ask: Ask) -> Any:
    """``{"number": "…", "flowId": "…"}``: register a number, or bind one that is there already."""
    world, numbers = ask.world, ask.parts.numbers
    body = await ask.object_of("number", "flowId")
    flow_id = _flow_id(ask, world.id, body.get("flowId"))
    if ask.control:
        return 201, views.number(await numbers.make(world, text_of(body, "number"), flow_id))
    number = await numbers.claim(world, text_of(body, "number"))
    if flow_id is not None:
        (number,) = await numbers.assign(world, flow_id, [number.number], replace=False)
    return 201, views.number(number)


async def remove_number(ask: Ask) -> Any:
    world = ask.world
    if not ask.control and ask.parts.limits.claim == "listed":
        raise Forbidden(
            "Numbers are registered and removed by the operator here (setting numbers.claim is listed).",
            remedy="On the server's machine: callwright numbers remove NUMBER",
        )
    await ask.parts.numbers.remove(world, ask.path("number"))
    return 204, None


async def list_flows(ask: Ask) -> Any:
    world, window = ask.world, ask.window()
    page = ask.parts.flows.page(world.id, limit=window.limit, offset=window.offset)
    return views.page([views.flow(flow) for flow in page.flows], page.total, *window)


async def show_flow(ask: Ask) -> Any:
    return _with_warnings(ask, ask.parts.flows.get(ask.world.id, ask.id("call flow")))


async def check_flow(ask: Ask) -> Any:
    """What would be said about a flow if it were saved: ``findings``, and whether it would be."""
    _ = ask.world
    report = ask.parts.flows.examine(await _flow_body(ask))
    return {"ok": not report.errors, "findings": [views.finding(one) for one in report.findings]}


async def show_flow_schema(ask: Ask) -> Any:
    return json_schema()


async def make_flow(ask: Ask) -> Any:
    world = ask.world
    return 201, _with_warnings(ask, await ask.parts.flows.make(world.id, await _flow_body(ask)))


async def replace_flow(ask: Ask) -> Any:
    """Put another body in a flow's place; its bindings and its id stay."""
    world, flow_id = ask.world, ask.id("call flow")
    return _with_warnings(ask, await ask.parts.flows.replace(world.id, flow_id, await _flow_body(ask)))


async def make_default(ask: Ask) -> Any:
    """Let a flow answer every number of the world that has none of its own."""
    world, flows = ask.world, ask.parts.flows
    flow = flows.get(world.id, ask.id("call flow"))
    return _with_warnings(ask, await flows.replace(world.id, flow.id, {**flow.body, "default": True}))


async def bind_numbers(ask: Ask) -> Any:
    """``{"numbers": ["…"]}``: let a flow answer these numbers besides those it answers now."""
    world, parts = ask.world, ask.parts
    flow = parts.flows.get(world.id, ask.id("call flow"))
    wanted = decode.numbers(await ask.body())
    if not wanted:
        raise Missing("numbers is empty: name at least one.", parameter="numbers")
    if ask.control:
        bound = [await parts.numbers.make(world, number, flow.id) for number in wanted]
    else:
        bound = await parts.numbers.assign(world, flow.id, wanted, replace=False)
    return {"data": [views.number(number) for number in bound]}


def _flow_id(ask: Ask, world_id: UUID, value: Any) -> UUID | None:
    if value is None:
        return None
    found = ids.parse(value) if isinstance(value, str) else None
    if found is None or ask.parts.flows.find(world_id, found) is None:
        raise Invalid(
            f"There is no call flow {str(value)[:80]!r} in this world.",
            parameter="flowId",
            remedy="List them with: callwright flows list",
        )
    return found


def _with_warnings(ask: Ask, flow: StoredFlow) -> dict[str, Any]:
    """``warnings`` has errors too, for a flow that would not be saved any more: a voice may be gone since."""
    return {**views.flow(flow), "warnings": [views.finding(one) for one in ask.parts.flows.examine(flow.body).findings]}


async def _flow_body(ask: Ask) -> dict[str, Any]:
    return decode.flow(await ask.body(), limit=ask.parts.limits.flow)
