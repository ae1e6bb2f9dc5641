"""The media processes and which of them carries a call: all legs of a call live in one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import msgspec

from callwright import ipc
from callwright.media import wire as media

if TYPE_CHECKING:
    from callwright.sip.leg import Leg


class Wire(Protocol):
    """What the engine needs of a link to a child process (`ipc.Link` is one)."""

    @property
    def backlog(self) -> int: ...

    def send(self, message: msgspec.Struct) -> None: ...


class MediaProcess:
    """One media process: its link while it is up, the calls it carries, the legs with a stream in it, its last report.

    `ticks` is what its reports counted in all, successors included.
    """

    __slots__ = ("calls", "legs", "link", "load", "name", "ticks", "why")

    def __init__(self, index: int) -> None:
        self.name = f"media-{index + 1}"
        self.link: Wire | None = None
        self.why = "not started"
        self.calls = 0
        self.legs: dict[UUID, Leg] = {}
        self.load: media.Load | None = None
        self.ticks = [0] * (len(media.TICK_LATE_MS) + 1)

    def send(self, message: msgspec.Struct) -> None:
        if self.link is not None:
            self.link.send(message)

    def reported(self, load: media.Load) -> None:
        self.load = load
        self.ticks = [sum(both) for both in zip_longest(self.ticks, load.ticks, fillvalue=0)]

    def up(self, link: Wire) -> None:
        self.link, self.why, self.load = link, "", None

    def down(self, why: str) -> list[Leg]:
        """Forget what the process had; return the legs that lost their stream."""
        self.link, self.why, self.load, self.calls = None, why, None, 0
        lost, self.legs = list(self.legs.values()), {}
        return lost


def choose(processes: Sequence[MediaProcess], max_calls: int) -> MediaProcess | None:
    """The process with the fewest calls that can take one more."""
    able = [p for p in processes if p.link is not None and p.calls < max_calls and p.link.backlog < ipc.MAX_BACKLOG]
    return min(able, key=lambda process: process.calls, default=None)


def shortage(processes: Sequence[MediaProcess], max_calls: int) -> str:
    """Say why `choose` found none."""
    states = []
    for process in processes:
        if process.link is None:
            states.append(f"{process.name} is down ({process.why})")
        elif process.calls >= max_calls:
            states.append(f"{process.name} carries {process.calls} calls of {max_calls}")
        else:
            states.append(f"{process.name} does not keep up")
    return "; ".join(states) or "there is no media process"
