"""A simulated caller dials one of the numbers of the test world: calls without a telephone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import FieldInfo

from callwright import ids
from callwright.accounts.worlds import World
from callwright.calls import rows
from callwright.calls.model import Direction, Leg
from callwright.clock import Clock
from callwright.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from callwright.native import views
from callwright.native.asking import Ask, nearest, text_of
from callwright.numbers.numbers import normalised
from callwright.simulator import magic
from callwright.simulator.engine import SimulatedEngine
from callwright.simulator.settings import Act, CalleeScript, acts_fault
from callwright.trunks.routes import address

# Who calls where nobody is named: a number of the test world that can be called back.
CALLER = f"{magic.PREFIX}200"
# A call is on record a moment after it arrived. It is looked for so often, and so long before something must be wrong.
LOOK_S, ARRIVES_S = 0.01, 10.0
_SECONDS = "a number of seconds from 0 to 86400"
_FLAG = "true or false"
ALLOWED = {
    "at": _SECONDS,
    "whenAsked": _FLAG,
    "press": "up to 64 of the keys 0-9, *, # and A-D",
    "says": "a text of up to 1000 characters",
    "speaksFor": _SECONDS,
    "beeps": _FLAG,
    "holds": _FLAG,
    "resumes": _FLAG,
    "transfersTo": "a telephone number of 3 to 15 digits, or a URI such as sip:user@host of up to 256 characters",
    "hangsUp": _FLAG,
    "keyGap": _SECONDS,
    "takesTransfers": _FLAG,
}


def _wire(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


# Fields of scripts by the names that they have here.
_ACT = {_wire(field.name): field for field in msgspec.structs.fields(Act)}
_OF_SCRIPT = {field.name: field for field in msgspec.structs.fields(CalleeScript)}
_CALLER = {"keyGap": _OF_SCRIPT["digit_gap"], "takesTransfers": _OF_SCRIPT["takes_transfers"]}
_KEYS = ("number", "source", "acts", *_CALLER)


async def dial(ask: Ask) -> Any:
    """``{"number": "…", "source": "…", "acts": […]}``, with ``keyGap`` and ``takesTransfers``; 201 and the call, which is on
    record then.
    """
    world, simulator = _simulator(ask)
    body = await ask.object()
    _only(body, _KEYS)
    number = _number(text_of(body, "number"), "number")
    source = _number(text_of(body, "source", CALLER), "source")
    script = CalleeScript(acts=_acts(body.get("acts", [])), **_values(body, _CALLER))
    if ask.parts.numbers.find(world.id, number) is None:
        raise NotFound(
            f"{number} is no number of the test world.",
            parameter="number",
            remedy=f"Register it, with a flow: callwright numbers add {number} --flow FLOW_ID --test",
        )
    clock = ask.parts.clock
    leg_id = ids.uuid7(clock.now_us())
    refusals: list[str] = []
    simulator.call_in(leg_id, source, number, script, turned_away=lambda code, phrase: refusals.append(f"{code} {phrase}"))
    leg = await _arrived(ask, clock, world, leg_id, refusals)
    call = rows.find_call(ask.parts.store, world.id, leg.call_id)
    assert call is not None
    return 201, views.call(call, rows.legs_of(ask.parts.store, world.id, call.id), world)


async def hang_up(ask: Ask) -> Any:
    """The caller of a call that was dialled hangs up; 204."""
    world, simulator = _simulator(ask)
    call_id = ask.id("call")
    call = rows.find_call(ask.parts.store, world.id, call_id)
    if call is None:
        raise NotFound(f"No call found for ID `{call_id}`.")
    caller = next(iter(rows.legs_of(ask.parts.store, world.id, call.id)), None)
    if caller is None or caller.direction is not Direction.INCOMING:
        raise Conflict("Nobody dialled that call; you placed it.", remedy=f"Hang it up: DELETE /calls/{call.id}")
    if not simulator.has(caller.id):
        raise Conflict("The caller is not there any more.")
    simulator.far_hangs_up(caller.id)
    return 204, None


def _simulator(ask: Ask) -> tuple[World, SimulatedEngine]:
    world, calling = ask.world, ask.parts.calling
    if world.live:
        raise Forbidden(
            "Simulated callers are in the test world alone; this is the live one.",
            remedy="Use a test key, or call the server over SIP: callwright dial NUMBER --sip",
        )
    if calling is None or calling.simulator is None:
        raise Unavailable("No server runs on this data folder, so no call can come in.", remedy="Start it: callwright serve")
    return world, calling.simulator


async def _arrived(ask: Ask, clock: Clock, world: World, leg_id: UUID, refusals: list[str]) -> Leg:
    """The leg once it is on record. Raises `Unavailable` when the call is refused before that."""
    try:
        async with clock.timeout(ARRIVES_S):
            while (leg := rows.find_leg(ask.parts.store, world.id, leg_id)) is None:
                if refusals:
                    raise Unavailable(
                        f"The call was refused with {refusals[0]}.", remedy="callwright health, and the server's log, say why."
                    )
                await clock.sleep(LOOK_S)
    except TimeoutError:
        raise Unavailable("The call is not on record yet.", remedy="Look for it: callwright calls list --test") from None
    return leg


def _number(text: str, parameter: str) -> str:
    number = normalised(text)
    if number is None:
        raise Invalid(f"{parameter} must be a number such as 31205550100; it was {text[:40]!r}.", parameter=parameter)
    return number


def _acts(given: Any) -> tuple[Act, ...]:
    if not isinstance(given, list):
        raise Invalid("acts must be a list.", parameter="acts")
    acts = tuple(_act(one, f"acts[{n}]") for n, one in enumerate(given))
    if (fault := acts_fault(acts)) is not None:
        for name, field in _ACT.items():
            fault = fault.replace(field.name, name)
        raise Invalid(f"acts {fault}.", parameter="acts")
    return acts


def _act(given: Any, where: str) -> Act:
    if not isinstance(given, dict):
        raise Invalid(f"{where} must be an object.", parameter=where)
    _only(given, tuple(_ACT), f"{where}.")
    values = _values(given, _ACT, f"{where}.")
    if values.get("transfers_to"):
        values["transfers_to"] = _destination(values["transfers_to"], f"{where}.transfersTo")
    return Act(**values)


def _destination(text: str, parameter: str) -> str:
    known = address(text)
    if known is None:
        raise Invalid(f"{parameter} must be {ALLOWED['transfersTo']}; it was {text[:40]!r}.", parameter=parameter)
    return known


def _only(given: Mapping[str, Any], known: Sequence[str], where: str = "") -> None:
    for name in given:
        if name not in known:
            raise Invalid(f"{where}{name[:40]} is not known here{nearest(name, known)}.", parameter=f"{where}{name[:40]}")


def _values(given: Mapping[str, Any], fields: Mapping[str, FieldInfo], where: str = "") -> dict[str, Any]:
    """What is given of `fields`, by their own names."""
    values = {}
    for name in fields.keys() & given.keys():
        try:
            values[fields[name].name] = msgspec.convert(given[name], fields[name].type)
        except msgspec.ValidationError:
            seen = given[name] if isinstance(given[name], str) else msgspec.json.encode(given[name]).decode()
            sentence = f"{where}{name} must be {ALLOWED[name]}; it was {seen[:40]!r}."
            raise Invalid(sentence, parameter=f"{where}{name}") from None
    return values
