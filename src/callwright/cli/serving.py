"""``callwright serve``: run the platform and say where it listens."""

from __future__ import annotations

import asyncio
import json as json_
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callwright import __version__
from callwright.cli.place import Place

if TYPE_CHECKING:
    from callwright.app import Ready


@dataclass(frozen=True)
class Announcement:
    """What is said on standard output once calls can be taken. New keys are said here and never again."""

    place: Place
    json: bool

    def __call__(self, ready: Ready) -> None:
        data = str(self.place.data.absolute())
        if self.json:
            keys = None if ready.keys is None else {"live": ready.keys[0], "test": ready.keys[1]}
            plain = {} if ready.plain_http is None else {"plain_http": ready.plain_http}
            print(json_.dumps({"http": ready.http, **plain, "sip": ready.sip, "data": data, "keys": keys}), flush=True)
            return
        lines = [
            f"Callwright {__version__} is ready.",
            f"  HTTP  {ready.http}{f' and {ready.plain_http}' if ready.plain_http else ''}",
            f"  SIP   {ready.sip} (UDP)",
            f"  data  {data}",
        ]
        if ready.loopback_only:
            lines.append(
                "Nobody but this machine can reach it, so callbacks and sounds may be on this machine (127.0.0.0/8, ::1)."
            )
        if ready.keys is not None:
            live, test = ready.keys
            lines += ["Access keys were made, which are not shown again:", f"  live  {live}", f"  test  {test}"]
        print("\n".join(lines), flush=True)


def run(place: Place, flags: Mapping[str, object], *, json: bool) -> None:
    loaded = place.settings(flags)
    import uvloop

    from callwright.app import serve

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(loaded, place.data, announce=Announcement(place, json)))
