"""What a live call tells itself: its turn to dial, and what it waited for outside."""

from __future__ import annotations

from typing import NamedTuple

from callwright.calls import journal
from callwright.flows.schema import Flow
from callwright.telephony import Command


class Dial(NamedTuple):
    """It is this queued call's turn (row N5)."""


class SoundReady(NamedTuple):
    """The next file of prompt number `turn` is there."""

    turn: int
    path: str


class SoundsOver(NamedTuple):
    """All files of prompt number `turn` have been named, or `fault` says why no more can be had."""

    turn: int
    fetches: tuple[journal.MediaFetched, ...] = ()
    fault: str = ""


class FlowCame(NamedTuple):
    """The next flow, asked for with number `turn`, is there; or there is none, and `entry` says why."""

    turn: int
    entry: journal.FlowAnswered
    flow: Flow | None = None


class CommandFailed(NamedTuple):
    """The engine would not take a command."""

    command: Command
    why: str


Message = Dial | SoundReady | SoundsOver | FlowCame | CommandFailed
