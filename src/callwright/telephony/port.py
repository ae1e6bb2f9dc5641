"""What the switch needs of an engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from callwright.errors import CallwrightError
from callwright.telephony.commands import Command
from callwright.telephony.events import Event


class CommandRefused(CallwrightError):
    """The engine cannot carry out the command."""


class Engine(Protocol):
    """What the switch needs of an engine."""

    def attach(self, sink: Callable[[Event], None]) -> None:
        """Set where events go; called once, before any command."""
        ...

    def submit(self, command: Command) -> None:
        """Take a command or raise `CommandRefused`. Never blocks."""
        ...

    def unhealthy(self) -> str | None:
        """None while calls can be carried, else which part is missing."""
        ...
