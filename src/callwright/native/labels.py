"""Tags and metadata of a call: changed while it is up, and for as long as it is on record."""

from __future__ import annotations

from typing import Any

from callwright.calls import rows
from callwright.calls.labelling import label_stored
from callwright.calls.labels import Relabelling, checked_metadata, checked_tags
from callwright.calls.model import Call
from callwright.errors import Invalid, Missing, NotFound
from callwright.native import views
from callwright.native.asking import Ask

_KNOWN = ("tags", "addTags", "removeTags", "metadata")
_EXAMPLE = '{"addTags": ["vip"], "metadata": {"customer": "42", "draft": null}}'


async def change_call(ask: Ask) -> Any:
    """``tags`` takes the place of all tags; ``addTags`` and ``removeTags`` leave the others.

    ``metadata`` sets what it names, and takes away what it names with null. The answer is the call as `records.show_call`
    has it.
    """
    world, call_id = ask.world, ask.id("call")
    change = relabelling(await ask.object())
    call = await _labelled(ask, change)
    if call is None:
        raise NotFound(f"No call found for ID `{call_id}`.")
    return views.call(call, rows.legs_of(ask.parts.store, world.id, call.id), world)


def relabelling(body: dict[str, Any]) -> Relabelling:
    """What a body asks for; null and what is empty are not set, as where a call is placed. Raises `Invalid` or `Missing`.

    An empty array is: of tags it leaves none.
    """
    if unknown := sorted(body.keys() - set(_KNOWN)):
        raise Invalid(
            f"{unknown[0][:40]} cannot be changed; of a call there are {', '.join(_KNOWN)}.", parameter=unknown[0][:40]
        )
    body = {name: sent for name, sent in body.items() if sent not in (None, "") and not (name == "metadata" and sent == [])}
    if not body:
        raise Missing(f"There is nothing to change. Send {', '.join(_KNOWN)}, such as {_EXAMPLE}.", parameter="tags")
    if "tags" in body and (beside := body.keys() & {"addTags", "removeTags"}):
        name = min(beside)
        raise Invalid(f"{name} cannot stand beside tags, which takes the place of all tags. Send one of them.", parameter=name)
    change = Relabelling(
        tags=checked_tags(body["tags"], "tags") if "tags" in body else None,
        added=checked_tags(body.get("addTags", ()), "addTags"),
        removed=checked_tags(body.get("removeTags", ()), "removeTags"),
        metadata=checked_metadata(body.get("metadata", {}), "metadata"),
    )
    if both := [tag for tag in change.added if tag in change.removed]:
        raise Invalid(f"{both[0]!r} cannot be both added and removed. Leave one of them out.", parameter="removeTags")
    return change


async def _labelled(ask: Ask, change: Relabelling) -> Call | None:
    """By the server, whose calls write their own records; without one no call is up."""
    parts, world_id, call_id = ask.parts, ask.world.id, ask.id("call")
    if parts.calling is None:
        return await label_stored(parts.store, parts.clock, world_id, call_id, change)
    return await parts.calling.switch.label_call(world_id, call_id, change)
