"""The verdict on callbacks: what was committed against what a receiver wrote down, request by request as they came."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from support.kill_test.plan import TAKEN
from support.kill_test.receiver import Arrival


class Message(NamedTuple):
    """A committed event, as those who hear of it must be told. `status` is what its body must say, None where that varies."""

    id: str
    kind: str
    status: str | None = None


class Lane(NamedTuple):
    """A call and a URL."""

    call: str
    url: str


class _Seen:
    """What has arrived of one message."""

    __slots__ = ("last_answer", "sequence", "taken")

    def __init__(self, sequence: str) -> None:
        self.sequence = sequence
        self.taken = False
        self.last_answer = ""


class Judge:
    """Takes requests in the order they came. `faults` counts each kind of fault, `examples` has the first of each in words."""

    def __init__(self, due: Mapping[Lane, Sequence[Message]], signature_faults: Callable[[Lane, Arrival], list[str]]) -> None:
        """`due` has the messages of each lane in order; `signature_faults` says what is wrong with a request's signatures."""
        self._due = due
        self._signature_faults = signature_faults
        self._seen: dict[Lane, dict[str, _Seen]] = {lane: {} for lane in due}
        self._bodies: dict[str, bytes] = {}
        self.faults: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.requests = 0
        self.duplicates = 0
        self.answers: Counter[str] = Counter()

    def take(self, arrival: Arrival) -> None:
        """Judge one request by what came before it."""
        self.requests += 1
        self.answers[arrival.answer] += 1
        try:
            (item,) = json.loads(arrival.body)["items"]
            payload = item["payload"]
            lane = Lane(payload["id"] if item["type"] == "call" else payload["callId"], arrival.url)
        except (ValueError, KeyError, TypeError) as error:
            self._blame("a body is not a callback", f"{error}: {arrival.body[:200]!r}")
            return
        if lane not in self._seen:
            self._blame("a request came for a call and URL that has no events", lane)
            return
        for fault in self._signature_faults(lane, arrival):
            self._blame(fault, (lane, arrival))
        id_, sequence = arrival.headers.get("webhook-id", ""), arrival.headers.get("webhook-sequence", "")
        digest = hashlib.sha256(arrival.body).digest()
        if self._bodies.setdefault(id_, digest) != digest:
            self._blame("one event came with different bodies", (lane, id_))
        if "webhook-gap" in arrival.headers:
            self._blame("a request says that there is a gap", (lane, sequence, arrival.headers["webhook-gap"]))
        seen = self._seen[lane].get(id_)
        if seen is None:
            self._first(lane, id_, sequence, item)
            seen = self._seen[lane][id_] = _Seen(sequence)
        else:
            self.duplicates += 1
            if seen.sequence != sequence:
                self._blame("a repeated event has another sequence", (lane, id_, seen.sequence, sequence))
        seen.last_answer = arrival.answer
        seen.taken = seen.taken or arrival.answer in TAKEN

    def finish(self) -> None:
        """No more will come: what has not must never have been committed."""
        for lane, messages in self._due.items():
            for message in messages:
                seen = self._seen[lane].get(message.id)
                if seen is None:
                    self._blame("a committed event never arrived", (lane, message))
                elif not seen.taken:
                    self._blame("an event was given up before it was taken", (lane, message, seen.last_answer))

    def _first(self, lane: Lane, id_: str, sequence: str, item: dict[str, Any]) -> None:
        """An event that was not seen before: it must be the next of its lane, and the one before must have been taken."""
        before, messages = self._seen[lane], self._due[lane]
        place = len(before) + 1
        if sequence != str(place):
            seen = f"{sequence} came as number {place}"
            self._blame("the sequence of first arrivals has a hole or is out of order", (lane, seen))
        expected = messages[place - 1] if place <= len(messages) else None
        if id_ not in {message.id for message in messages}:
            self._blame("an event arrived that was not committed", (lane, id_))
        elif expected is None or expected.id != id_:
            self._blame("events arrived in another order than they were committed", (lane, id_, expected))
        elif item["event"] != expected.kind or expected.status not in (None, item["payload"]["status"]):
            self._blame("a body tells of something else than its event", (lane, item, expected))
        if before and not (last := next(reversed(before.values()))).taken:
            self._blame("an event came before the one ahead of it was taken", (lane, sequence, last.last_answer))

    def _blame(self, fault: str, example: object) -> None:
        self.faults[fault] += 1
        self.examples.setdefault(fault, str(example))


class Silence:
    """The longest time between two requests within a stretch of monotonic time, its ends counted as requests."""

    def __init__(self, begin_ns: int, end_ns: int) -> None:
        self._last_ns = begin_ns
        self._end_ns = end_ns
        self._longest_ns = 0

    def hear(self, at_ns: int) -> None:
        if self._last_ns < at_ns <= self._end_ns:
            self._longest_ns = max(self._longest_ns, at_ns - self._last_ns)
            self._last_ns = at_ns

    @property
    def seconds(self) -> float:
        return max(self._longest_ns, self._end_ns - self._last_ns) / 1e9
