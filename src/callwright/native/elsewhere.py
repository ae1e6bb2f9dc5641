"""What is not in the world that was asked about, and is in the other: the operator, who has both, is told."""

from __future__ import annotations

from callwright import ids
from callwright.errors import NotFound
from callwright.native.asking import Ask


def remedy(ask: Ask, path: str) -> str | None:
    """What to do where nothing was found for the id in a path such as ``/deliveries/{id}``; None unless that is known.

    A customer's key knows one world, and learns nothing of the other.
    """
    finders = {
        "webhooks": ask.parts.webhooks.get,
        "deliveries": ask.parts.log.get,
        "endpoints": ask.parts.endpoints.get,
        "recordings": ask.parts.recordings.get,
    }
    _, room, *further = path.split("/")
    if not ask.control or room not in finders or "{id}" not in further:
        return None
    asked, id_ = ask.world, ids.parse(ask.path("id"))
    for world in ask.parts.accounts.worlds():
        if id_ is not None and world.id != asked.id:
            try:
                finders[room](world.id, id_)
            except NotFound:
                continue
            return f"It is of the {world.kind} world: {'add --test' if world.kind == 'test' else 'leave --test out'}."
    return None
