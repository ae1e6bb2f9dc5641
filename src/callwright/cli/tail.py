"""``callwright tail``: what happens to calls, line by line, as it happens.

It reads the live feed of the server (``GET /api/events``) over its control socket. After a break of the line, as when the
server is started again, it goes on with what came after the last that was read.
"""

from __future__ import annotations

import http.client
import json as json_
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from callwright.cli import show
from callwright.cli.control import WORLD_HEADER, Refused, connection, refusal
from callwright.cli.following import SILENT_S, Following, Lost
from callwright.cli.happenings import OVER, Happenings
from callwright.cli.place import Place
from callwright.cli.words import said_of_filters

CAUGHT_UP = "caught up"
EVER = "1970-01-01T00:00:00Z"


class Wanted(NamedTuple):
    """What is watched: parameters of ``GET /api/events``, in the first of the `worlds` that has the `call`, if one is named.

    With `to_the_end` it is over when that call is.
    """

    query: Sequence[tuple[str, str]]
    worlds: Sequence[str]
    call: str | None = None
    to_the_end: bool = False


class _Frame(NamedTuple):
    """Lines of the stream between two empty ones; `kind` is empty where no event is in them."""

    kind: str
    data: str
    id: str
    comments: tuple[str, ...]


def run(place: Place, wanted: Wanted, *, json: bool) -> int:
    """Print until Ctrl-C, or until the call that is watched is over, or nobody reads what is printed."""
    try:
        with said_of_filters():
            _Tail(place, wanted, json=json).go()
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        show.no_more()
    return 0


class _Tail(Following[_Frame]):
    def __init__(self, place: Place, wanted: Wanted, *, json: bool) -> None:
        super().__init__()
        self._place = place
        self._wanted = wanted
        self._worlds = list(wanted.worlds)
        self._json = json
        self._last_id = ""
        self._over = self._caught_up = False
        self._happenings = Happenings(colour=_takes_colour(), arrow=_arrow())

    @property
    def _begun(self) -> bool:
        return bool(self._last_id)

    def _broke(self, why: str) -> None:
        self._caught_up = False
        super()._broke(why)

    def _lines(self) -> Iterator[_Frame]:
        while True:
            try:
                yield from _read(self._place, self._wanted.query, self._worlds[0], self._last_id)
                return
            except Refused as refused:
                if refused.status == 404 and not self._last_id and len(self._worlds) > 1:
                    del self._worlds[0]
                    continue
                self._lost_if_stopping(refused)
                raise

    def _take(self, frame: _Frame) -> bool:
        if not self._last_id and self._wanted.call is None:
            show.aside(f"What happens in the {self._worlds[0]} world, as it happens. Ctrl-C ends it.")
        self._is_back()
        self._last_id = frame.id or self._last_id
        self._caught_up = self._caught_up or CAUGHT_UP in frame.comments
        if frame.kind:
            self._tell(frame, json_.loads(frame.data))
        return self._over and self._caught_up

    def _tell(self, frame: _Frame, told: dict[str, Any]) -> None:
        if self._json:
            show.as_json_line({"id": frame.id, "event": frame.kind, "data": told})
        elif frame.kind in ("gap", "dropped"):
            show.aside(f"{told['message']} {told['remedy']}")
        else:
            print(self._happenings.line(frame.kind, told), flush=True)
        self._over = self._wanted.to_the_end and (self._over or (frame.kind.startswith("call") and told["status"] in OVER))


def _read(place: Place, query: Sequence[tuple[str, str]], world: str, last_id: str) -> Iterator[_Frame]:
    """What the server tells, frame by frame; raises `Lost`, `NoServer` or `Refused`."""
    headers = {WORLD_HEADER: world} | ({"Last-Event-ID": last_id} if last_id else {})
    line = connection(place, SILENT_S)
    try:
        line.request("GET", f"/api/events?{urlencode(query, quote_via=quote)}", headers=headers)
        answer = line.getresponse()
        if answer.status != 200:
            raise refusal(answer.status, answer.read())
        yield from _frames_of(iter(answer.readline, b""))
    except TimeoutError as error:
        raise Lost(f"The server said nothing for {SILENT_S:.0f} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise Lost(f"The line to the server broke ({str(error)[:200] or type(error).__name__})") from error
    finally:
        line.close()


def _frames_of(lines: Iterator[bytes]) -> Iterator[_Frame]:
    """The stream as the server writes it: a line of data, no carriage returns. What is cut off at its end is left."""
    fields = {"event": "", "data": "", "id": ""}
    comments: list[str] = []
    for line in lines:
        name, _, value = line.decode().rstrip("\n").partition(":")
        if name in fields:
            fields[name] = value.removeprefix(" ")
        elif value and not name:
            comments.append(value.strip())
        elif line == b"\n":
            yield _Frame(fields["event"], fields["data"], fields["id"], tuple(comments))
            fields, comments = dict.fromkeys(fields, ""), []


def _takes_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _arrow() -> str:
    try:
        "→".encode(sys.stdout.encoding or "ascii")
    except UnicodeError:
        return "->"
    return "→"
