"""Two journals side by side: which lines are not as they were, and from where on everything is later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from callwright.calls import journal
from callwright.replay.alignment import pairs
from callwright.replay.record import Compared, Line, Reader
from callwright.replay.timeline import TICK_US

Kind = Literal["changed", "missing", "new", "shift"]
# Waiting for its turn to be dialled, or for the first word about it, is not the call's own time.
_BEFORE_IT_BEGINS = (journal.CallMade, journal.LegMade)
# Lengths that are as they were within a tick are the same.
_LENGTHS = ("duration_ms",)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is ``changed``, ``missing`` in the replay, or ``new`` there; or a ``shift`` of time from it on.

    `recorded` and `replayed` are places in the two journals. `fields` has, of a changed line, what is not as it was: then
    and now. `later_s` is negative when all is earlier.
    """

    kind: Kind
    recorded: int | None
    replayed: int | None
    fields: dict[str, tuple[Any, Any]] = {}
    later_s: float = 0.0


def differences(recorded: Sequence[Line], replayed: Sequence[Line], steps: Mapping[str, str]) -> list[Difference]:
    """All that is not as it was, in order. `steps` is as of `record.renamed`."""
    before, after = _Journal(recorded, {}), _Journal(replayed, steps)
    found: list[Difference] = []
    i = j = 0
    last: tuple[int, int] | None = None
    for here, there in [*pairs(before.keys, after.keys), (len(before.keys), len(after.keys))]:
        between = [Difference(kind="missing", recorded=before.places[n], replayed=None) for n in range(i, here)]
        between += [Difference(kind="new", recorded=None, replayed=after.places[n]) for n in range(j, there)]
        found += sorted(between, key=_since(recorded, replayed, last or (0, 0)))
        i, j = here + 1, there + 1
        if here == len(before.keys):
            break
        place = (before.places[here], after.places[there])
        changed = _changed(before.lines[here], after.lines[there])
        if changed:
            found.append(Difference(kind="changed", recorded=place[0], replayed=place[1], fields=changed))
        found += _shifted(recorded, replayed, last, place)
        last = place
    return found


class _Journal:
    """The lines that are compared, with their places."""

    def __init__(self, lines: Sequence[Line], steps: Mapping[str, str]) -> None:
        reader = Reader(steps)
        self.places: list[int] = []
        self.lines: list[Compared] = []
        for place, line in enumerate(lines):
            compared = reader.read(line.entry)
            if compared is not None:
                self.places.append(place)
                self.lines.append(compared)
        encode = msgspec.json.Encoder(order="deterministic").encode
        self.keys = [(line.name, encode(line.rest)) for line in self.lines]


def _changed(before: Compared, after: Compared) -> dict[str, tuple[Any, Any]]:
    found = {}
    for name in dict.fromkeys([*before.rest, *after.rest]):
        then, now = before.rest.get(name), after.rest.get(name)
        alike = name in _LENGTHS and then is not None and now is not None and abs(then - now) * 1000 <= TICK_US
        if then != now and not alike:
            found[name] = (msgspec.to_builtins(then), msgspec.to_builtins(now))
    return found


def _shifted(
    recorded: Sequence[Line], replayed: Sequence[Line], last: tuple[int, int] | None, place: tuple[int, int]
) -> list[Difference]:
    """Whether more or less time went by since the pair of lines before than went by then."""
    if last is None or isinstance(recorded[last[0]].entry, _BEFORE_IT_BEGINS):
        return []
    then = recorded[place[0]].at_us - recorded[last[0]].at_us
    now = replayed[place[1]].at_us - replayed[last[1]].at_us
    if abs(now - then) <= TICK_US:
        return []
    return [Difference(kind="shift", recorded=place[0], replayed=place[1], later_s=round((now - then) / 1e6, 6))]


def _since(recorded: Sequence[Line], replayed: Sequence[Line], last: tuple[int, int]) -> Callable[[Difference], int]:
    """By the ticks since what both had last, each in its own journal; within a tick what is missing is before what is new."""

    def key(one: Difference) -> int:
        lines, place, since = (replayed, one.replayed, last[1]) if one.recorded is None else (recorded, one.recorded, last[0])
        assert place is not None
        return (lines[place].at_us - lines[since].at_us) // TICK_US

    return key
