"""One line per thing worth telling an operator: an event name and fields, never a story.

On a terminal a line reads ``12:00:01 call_ended call=… status=ended``; anywhere else it is one JSON object. Digits,
texts and keys are never logged; telephone numbers go through `masked`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, Generic, TextIO, TypeVar

import msgspec

from callwright.clock import Clock

K = TypeVar("K")
D = TypeVar("D")
_ROOT = "callwright"
_ONE_SECOND_NS = 1_000_000_000


class Log:
    """A named source of log lines: ``Log("switch").info("call_ended", call=call_id)``."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"{_ROOT}.{name}")

    def debug(self, event: str, **fields: Any) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """Log the exception being handled, with its traceback."""
        self._logger.error(event, extra={"fields": fields}, exc_info=True)

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"fields": fields})


class OncePerSecond(Generic[K, D]):
    """Tells of each kind of thing at most once a second: how often it came since the last time, and the latest of it.

    What anyone can cause by sending a datagram must not fill a log.
    """

    def __init__(self, clock: Clock, tell: Callable[[K, int, D], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._untold: dict[K, tuple[int, D]] = {}
        self._next_ns: dict[K, int] = {}

    def note(self, kind: K, latest: D) -> None:
        self._untold[kind] = (self._untold[kind][0] + 1 if kind in self._untold else 1, latest)
        self._flush(kind)

    def flush(self) -> None:
        """Tell what is left of seconds that are over; for whoever calls it now and then."""
        for kind in tuple(self._untold):
            self._flush(kind)

    def _flush(self, kind: K) -> None:
        now_ns = self._clock.mono_ns()
        if now_ns >= self._next_ns.get(kind, 0):
            self._next_ns[kind] = now_ns + _ONE_SECOND_NS
            self._tell(kind, *self._untold.pop(kind))


def masked(number: str) -> str:
    """Hide all but the last three characters of a number or address."""
    return "*" * min(max(len(number) - 3, 0), 12) + number[-3:]


_NOWHERE = logging.NullHandler()


def withheld() -> None:
    """Where nobody has configured a log have none: Python would write the bare words of warnings to standard error."""
    logging.getLogger(_ROOT).addHandler(_NOWHERE)


def configure(level: str = "info", stream: TextIO | None = None, layout: str = "auto") -> None:
    """Send the project's lines, and the warnings of its libraries, to a stream (default: standard error).

    `layout` is ``json``, ``terminal``, or ``auto`` for what suits the stream.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Terminal() if layout == "terminal" or (layout == "auto" and stream.isatty()) else _Json())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(_ROOT).setLevel(level.upper())


class _Terminal(logging.Formatter):
    default_time_format = "%H:%M:%S"
    default_msec_format = ""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        fields = getattr(record, "fields", {})
        level = f"{record.levelname.lower()} " if record.levelno >= logging.WARNING else ""
        return " ".join([f"{record.asctime} {level}{record.message}", *(f"{k}={_plain(v)}" for k, v in fields.items())])


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"at": record.created, "level": record.levelname.lower(), "logger": record.name, "event": record.getMessage()}
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def _plain(value: Any) -> str:
    text = str(value)
    return msgspec.json.encode(text).decode() if " " in text or not text else text
