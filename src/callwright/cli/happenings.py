"""What the live feed tells, as lines for people."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from callwright.plain import escaped

Told = Mapping[str, Any]

# Calls that are remembered: what happened to one is the difference to what was told of it before.
CALLS = 10_000
OVER = frozenset({"ended", "no_answer", "busy", "failed"})

_LEG = {
    "starting": "is called",
    "ringing": "rings",
    "ongoing": "is answered",
    "hangup": "hung up",
    "busy": "is busy",
    "no_answer": "did not answer",
    "failed": "failed",
}
_GOOD, _BAD, _WAITING, _DIM = "32", "31", "33", "2"
_COLOURS = {"ongoing": _GOOD, "ringing": _WAITING, "busy": _BAD, "no_answer": _BAD, "failed": _BAD}


class Happenings:
    """Writes one line for each event; it knows the calls that it was told of."""

    def __init__(self, *, colour: bool, arrow: str = "→", today: date | None = None) -> None:
        self._colour = colour
        self._arrow = arrow
        self._today = today
        self._calls: OrderedDict[str, Told] = OrderedDict()

    def line(self, kind: str, told: Told) -> str:
        """Time, the end of the call's id, direction, who calls whom, and what happened; what is not known of it is ``-``."""
        if kind.startswith("call"):
            before = self._remember(told)
            return self._written(told, told["id"], told, ", ".join(_news(kind, before, told)), _colour_of(told))
        call_id = told.get("callId")
        call = told if kind.startswith("leg") else self._calls.get(call_id or "")
        return self._written(told, call_id, call, _beside(kind, told), _COLOURS.get(told.get("status", ""), ""))

    def _remember(self, call: Told) -> Told | None:
        before = self._calls.pop(call["id"], None)
        self._calls[call["id"]] = call
        if len(self._calls) > CALLS:
            self._calls.popitem(last=False)
        return before

    def _written(self, told: Told, call_id: str | None, call: Told | None, what: str, colour: str) -> str:
        direction = "-" if call is None else _direction(call)
        parties = "-" if call is None else f"{call['source']} {self._arrow} {call['destination']}"
        columns = [
            self._painted(self._time(told["updatedAt"]), _DIM),
            f"{(call_id or '-')[-8:]:<8}",
            f"{direction:<8}",
            f"{escaped(parties):<28}",
            self._painted(escaped(what), colour),
        ]
        return "  ".join(columns)

    def _time(self, text: str) -> str:
        at = datetime.fromisoformat(text).astimezone()
        clock = f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"
        today = self._today or datetime.now().astimezone().date()
        return clock if at.date() == today else f"{at:%Y-%m-%d} {clock}"

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour else text


def _news(kind: str, before: Told | None, call: Told) -> Iterator[str]:
    """What is new in a call; of one that was not told of before, what its last change was."""
    said = False
    for change in _changes(kind, before, call):
        said = True
        yield change
    if not said:
        yield f"is {call['status']}"


def _changes(kind: str, before: Told | None, call: Told) -> Iterator[str]:
    if kind == "callCreated":
        yield f"call {call['id']} is made"
    elif kind == "callLabelled":
        yield _labels(call)
        return
    known = {leg["id"]: leg["status"] for leg in before["legs"]} if before is not None else {}
    for leg in call["legs"]:
        is_new = leg["status"] != known.get(leg["id"]) if before is not None else leg["updatedAt"] == call["updatedAt"]
        if is_new and not (kind == "callCreated" and leg["n"] == 1 and leg["status"] == "starting"):
            yield _leg(leg, alone=len(call["legs"]) == 1)
    if call["status"] in OVER and (before is None or before["status"] != call["status"]):
        spoken = f" after {call['duration']} s" if call.get("duration") else ""
        yield f"the call is over{spoken}: {call['status'].replace('_', ' ')}"


def _leg(leg: Told, *, alone: bool) -> str:
    name = "" if alone else f"leg {leg['n']} " if leg["status"] != "starting" else f"leg {leg['n']} to {leg['destination']} "
    reason = f" ({leg['reason']['name']})" if leg["reason"] is not None and leg["reason"]["name"] != leg["status"] else ""
    return f"{name}{_LEG[leg['status']]}{reason}"


def _labels(call: Told) -> str:
    labels = [*call.get("tags", ()), *(f"{name}={value}" for name, value in (call.get("metadata") or {}).items())]
    return f"labels: {', '.join(labels) or 'none'}"


def _beside(kind: str, told: Told) -> str:
    """What happened to something that is no call."""
    if kind.startswith("leg"):
        return _leg(told, alone=False)
    if kind.startswith("recording"):
        length = f", {told['durationMs'] / 1000:.1f} s" if told["durationMs"] else ""
        return f"recording {told['id']} is {told['status']}{length}"
    if kind.startswith("transcription"):
        error = f": {told['error']}" if told["error"] else ""
        return f"transcription {told['id']} is {told['status']}{error}"
    switched = "is sent nothing any more" if kind == "webhookDisabled" else "is sent to again"
    return f"{told['url']} {switched} ({told['why']})"


def _direction(call: Told) -> str:
    found: str = call.get("direction") or (call["legs"][0]["direction"] if call["legs"] else "-")
    return found


def _colour_of(call: Told) -> str:
    if call["status"] in OVER:
        return _COLOURS.get(call["status"], "")
    statuses = [leg["status"] for leg in call["legs"]]
    return next((_COLOURS[status] for status in ("ringing", "ongoing") if status in statuses), "")
