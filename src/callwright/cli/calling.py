"""``callwright call`` and ``callwright journal``."""

from __future__ import annotations

import json as json_
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from callwright import ids
from callwright.cli import show, story
from callwright.cli.control import Refused, reach
from callwright.cli.files import Unreadable, read_bytes
from callwright.cli.place import Place


class Labels(NamedTuple):
    """What the call is to be found by."""

    tags: Sequence[str]
    metadata: Mapping[str, str | None]


def place(
    where: Place,
    source: str,
    destination: str,
    flow: str,
    webhook: str | None,
    token: str | None,
    labels: Labels,
    *,
    world: str,
    json: bool,
) -> None:
    with reach(where, server_only=True) as control:
        if not Path(flow).exists() and ids.parse(flow) is not None:
            call_flow = {"steps": control.get(f"/api/flows/{flow}", world=world)["steps"]}
        else:
            call_flow = _flow_in(flow)
        body: dict[str, Any] = {"source": source, "destination": destination, "callFlow": call_flow}
        if webhook is not None or token is not None:
            body["webhook"] = {"url": webhook, "token": token}
        if labels.tags:
            body["tags"] = labels.tags
        if labels.metadata:
            body["metadata"] = labels.metadata
        call = control.ask("POST", "/api/calls", body, world=world)
    if json:
        show.as_json(call)
        return
    print(call["id"])
    show.aside(f"The call is {call['status']}. Its story: callwright journal {call['id']}")


def tell(where: Place, call_id: str, worlds: tuple[str, ...], *, json: bool) -> None:
    """Print a call's journal, in whichever of the worlds it is."""
    path = f"/api/calls/{quote(call_id, safe='')}"
    with reach(where) as control:
        for world in worlds:
            try:
                call = control.get(path, world=world)
                break
            except Refused as refused:
                if refused.status != 404 or world == worlds[-1]:
                    raise
        entries = control.get(f"{path}/journal", world=world)["data"]
    if json:
        show.as_json({"call": call, "journal": entries})
        return
    for line in story.lines(call, entries):
        show.line(line)


def _flow_in(name: str) -> Any:
    try:
        return json_.loads(read_bytes(name))
    except ValueError as error:
        raise Unreadable(f"{name} is not JSON: {error}.") from None
