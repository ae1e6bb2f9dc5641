"""``callwright tag``: the tags and metadata of a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import typer

from callwright.cli import show
from callwright.cli.control import reach
from callwright.cli.place import Place
from callwright.cli.words import said_of_labels


def named(texts: Sequence[str], option: str) -> dict[str, str | None]:
    """Read options such as ``customer=42``."""
    found: dict[str, str | None] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r}: write NAME=VALUE, such as customer=42", param_hint=option)
        found[name] = value
    return found


def change(
    place: Place,
    call_id: str,
    added: Sequence[str],
    removed: Sequence[str],
    metadata: Mapping[str, str | None],
    *,
    world: str,
    json: bool,
) -> None:
    """Change what is named, with a server or without one, and print what the call has then."""
    path = f"/api/calls/{quote(call_id, safe='')}"
    body = {"addTags": added, "removeTags": removed, "metadata": metadata}
    with reach(place) as control, said_of_labels():
        call: dict[str, Any] = (
            control.ask("PATCH", path, body, world=world) if any(body.values()) else control.get(path, world=world)
        )
    if json:
        show.as_json({"id": call["id"], "tags": call["tags"], "metadata": call["metadata"]})
        return
    lines = [("tag", tag) for tag in call["tags"]] + list(call["metadata"].items())
    show.table(("Name", "Value"), lines, empty="The call has neither tags nor metadata.")
