"""The verdict on callbacks: what was committed against what a receiver wrote down, request by request as they came."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from support.kill_test.plan import TAKEN
from support.kill_test.receiver import Arrival


class Message(NamedTuple):
    """A committed event, as those who hear of it must be told."""

    id: str
    kind: str


class Lane(NamedTuple):
    """A call and a URL."""

    call: str
    url: str


class _Seen:
    """What has arrived of one message: its sequence, body and whether it may count as received."""

    __slots__ = ("answer", "digest", "sequence", "taken", "times")

    def __init__(self, sequence: str, digest: bytes) -> None:
        self.sequence = sequence
        self.digest = digest
        self.times = 0
        self.taken = False
        self.answer = ""


class Verdict:
    """`faults` counts each kind of fault, `examples` has the first of each in words."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.requests = 0
        self.duplicates = 0
        self.answers: Counter[str] = Counter()
        self.silence_s = 0.0

    def blame(self, fault: str, example: object) -> None:
        self.faults[fault] += 1
        self.examples.setdefault(fault, str(example))


def judge(
    due: Mapping[Lane, Sequence[Message]],
    arrivals: Iterable[Arrival],
    signature_faults: Callable[[Lane, Arrival], list[str]],
    *,
    between_ns: tuple[int, int] = (0, 0),
) -> Verdict:
    """Compare. `due` has the messages of each lane in order; `signature_faults` says what is wrong with a request's signatures.

    The longest silence is that between any two requests within `between_ns`.
    """
    verdict = Verdict()
    lanes: dict[Lane, dict[str, _Seen]] = {lane: {} for lane in due}
    bodies: dict[str, bytes] = {}
    last_ns, end_ns = between_ns
    for arrival in arrivals:
        verdict.requests += 1
        verdict.answers[arrival.answer] += 1
        if last_ns < arrival.at_ns <= end_ns:
            verdict.silence_s = max(verdict.silence_s, (arrival.at_ns - last_ns) / 1e9)
            last_ns = arrival.at_ns
        lane = _take(verdict, due, lanes, bodies, arrival)
        for fault in signature_faults(lane, arrival) if lane is not None else ():
            verdict.blame(fault, (lane, arrival))
    if end_ns > last_ns:
        verdict.silence_s = max(verdict.silence_s, (end_ns - last_ns) / 1e9)
    for lane, messages in due.items():
        seen = lanes[lane]
        for message in messages:
            if message.id not in seen:
                verdict.blame("a committed event never arrived", (lane, message))
            elif not seen[message.id].taken:
                verdict.blame("an event was given up before it was taken", (lane, message, seen[message.id].answer))
    return verdict


def _take(
    verdict: Verdict,
    due: Mapping[Lane, Sequence[Message]],
    lanes: dict[Lane, dict[str, _Seen]],
    bodies: dict[str, bytes],
    arrival: Arrival,
) -> Lane | None:
    """Judge one request by what came before it; return its lane if it has one."""
    id_, sequence = arrival.headers.get("webhook-id", ""), arrival.headers.get("webhook-sequence", "")
    try:
        (item,) = json.loads(arrival.body)["items"]
        lane = Lane(_call_of(item), arrival.url)
    except (ValueError, KeyError, TypeError) as error:
        verdict.blame("a body is not a callback", f"{error}: {arrival.body[:200]!r}")
        return None
    if lane not in lanes:
        verdict.blame("a request came for a call and URL that has no events", lane)
        return None
    digest = hashlib.sha256(arrival.body).digest()
    if bodies.setdefault(id_, digest) != digest:
        verdict.blame("one event came with different bodies", (lane, id_))
    if "webhook-gap" in arrival.headers:
        verdict.blame("a request says that there is a gap", (lane, sequence, arrival.headers["webhook-gap"]))
    before = lanes[lane]
    seen = before.get(id_)
    if seen is None:
        _first(verdict, due[lane], lane, before, id_, sequence, item)
        seen = before[id_] = _Seen(sequence, digest)
    else:
        verdict.duplicates += 1
        if seen.sequence != sequence:
            verdict.blame("a repeated event has another sequence", (lane, id_, seen.sequence, sequence))
    seen.times += 1
    seen.answer = arrival.answer
    seen.taken = seen.taken or arrival.answer in TAKEN
    return lane


def _first(
    verdict: Verdict,
    messages: Sequence[Message],
    lane: Lane,
    before: dict[str, _Seen],
    id_: str,
    sequence: str,
    item: dict[str, Any],
) -> None:
    """An event that was not seen before: it must be the next of its lane, and the one before must have been taken."""
    place = len(before) + 1
    if sequence != str(place):
        verdict.blame(
            "the sequence of first arrivals has a hole or is out of order", (lane, f"{sequence} came as number {place}")
        )
    expected = messages[place - 1] if place <= len(messages) else None
    if id_ not in {message.id for message in messages}:
        verdict.blame("an event arrived that was not committed", (lane, id_))
    elif expected is None or expected.id != id_:
        verdict.blame("events arrived in another order than they were committed", (lane, id_, expected))
    elif item["event"] != expected.kind:
        verdict.blame("a body is of another event than its id", (lane, id_, item["event"], expected))
    if before and not (last := next(reversed(before.values()))).taken:
        verdict.blame("an event came before the one ahead of it was taken", (lane, sequence, last.answer))


def _call_of(item: dict[str, Any]) -> str:
    """The call that a callback is about; everything but a call names it."""
    payload = item["payload"]
    call: str = payload["id"] if item["type"] == "call" else payload["callId"]
    return call
