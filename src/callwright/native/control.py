"""What is asked of a call that is up and the compatible interface has no word for."""

from __future__ import annotations

from typing import Any

from callwright import ids
from callwright.dialect import decode
from callwright.errors import NotFound, Problem, Unavailable
from callwright.native.asking import Ask, text_of


async def refer_leg(ask: Ask) -> Any:
    """``{"to": number or sip: URI}``: have the far end of a leg call someone else in our place (REFER, a blind transfer).

    200 and its outcome, ``done``, ``failed``, ``refused`` or ``unknown``, with the far end's SIP code; 202 and ``pending``
    when it is not known within half a minute. It is in the journal then, once it is known.
    """
    world, call_id = ask.world, ask.id("call")
    text = ask.path("leg")
    leg_id = ids.parse(text)
    if leg_id is None:
        raise NotFound(f"No leg found for ID `{text[:80]}`.")
    to = _destination(text_of(await ask.object_of("to"), "to"))
    if ask.parts.calling is None:
        raise Unavailable("No server runs on this data folder, so no call is up.", remedy="Start it: callwright serve")
    referral = await ask.parts.calling.switch.refer_leg(world.id, call_id, leg_id, to)
    if referral is None:
        return 202, {"outcome": "pending", "sipCode": None, "detail": ""}
    return {"outcome": referral.outcome.value, "sipCode": referral.sip_code, "detail": referral.detail}


def _destination(text: str) -> str:
    try:
        return decode.destination(text)
    except Problem as problem:
        problem.parameter = "to"
        raise
