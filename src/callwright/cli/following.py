"""What a server tells line by line, and coming back to it after a break, as when it is started again."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar

from callwright.cli import show
from callwright.cli.control import NoServer, Refused
from callwright.errors import CallwrightError

T = TypeVar("T")

# The server says something every 15 s.
SILENT_S = 45.0
AGAIN_S = 1.0


class Lost(CallwrightError):
    """The line to the server broke."""


class Following(ABC, Generic[T]):
    """Takes what is told until it has had enough. A break before anything was told is an error; a later one is waited out."""

    def __init__(self) -> None:
        self._away = False

    def go(self) -> None:
        while True:
            try:
                for line in self._lines():
                    if self._take(line):
                        return
                why = "The server closed the line"
            except (Lost, NoServer) as error:
                if not self._begun:
                    raise
                why = str(error).rstrip(".")
            self._broke(why)
            time.sleep(AGAIN_S)

    def _broke(self, why: str) -> None:
        if not self._away:
            show.aside(f"{why}; it is tried again until it is back.")
            self._away = True

    def _is_back(self) -> None:
        if self._away:
            show.aside("The server is back; it goes on where it was.")
            self._away = False

    def _lost_if_stopping(self, refused: Refused) -> None:
        """A server that is starting or stopping refuses for a moment, which is a break like others."""
        if refused.status == 503 and self._begun:
            raise Lost(str(refused)) from None

    @property
    @abstractmethod
    def _begun(self) -> bool:
        """Whether there is a place to go on from."""

    @abstractmethod
    def _lines(self) -> Iterator[T]:
        """What is told from there on; raises `Lost` or `NoServer`."""

    @abstractmethod
    def _take(self, line: T) -> bool:
        """Deal with what is told; true for the last that is wanted."""
