"""Server-sent events as the WHATWG HTML standard has them (§9.2.6), and nothing else: what a browser would pass over fails."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Heard:
    """An event as it is dispatched; `last_id` is the last event id that a browser would come back with."""

    kind: str
    data: str
    last_id: str

    @property
    def json(self) -> Any:
        return json.loads(self.data)


@dataclass
class EventSource:
    """Takes bytes as they come, however they are cut. `events` are those that were dispatched."""

    events: list[Heard] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    last_id: str = ""
    retry_ms: int | None = None
    _rest: bytes = b""
    _data: list[str] = field(default_factory=list)
    _kind: str = ""
    _new_id: str = ""

    def feed(self, received: bytes) -> list[Heard]:
        """The events that these bytes complete."""
        before = len(self.events)
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            assert b"\r" not in line
            self._line(line.decode())
        return self.events[before:]

    def end(self) -> None:
        """A stream may end between events only: what is not followed by an empty line is lost."""
        assert not self._rest
        assert not self._data
        assert not self._kind

    def _line(self, line: str) -> None:
        if not line:
            self._dispatch()
            return
        name, colon, value = line.partition(":")
        assert colon
        value = value.removeprefix(" ")
        match name:
            case "":
                self.comments.append(value)
            case "data":
                self._data.append(value)
            case "event":
                assert value
                self._kind = value
            case "id":
                assert value
                assert "\0" not in value
                self._new_id = value
            case "retry":
                assert value.isascii()
                assert value.isdigit()
                self.retry_ms = int(value)
            case _:
                raise AssertionError(f"no such field: {line}")

    def _dispatch(self) -> None:
        self.last_id = self._new_id
        if self._data:
            self.events.append(Heard(self._kind or "message", "\n".join(self._data), self.last_id))
        else:
            assert not self._kind
        self._data, self._kind = [], ""
