"""What the demo expects to see, as a table, and what it saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ACTS: Mapping[str, str] = {
    "simulated": "A test key places a call on the simulator",
    "greeting": "A telephone calls in, hears a sound file and presses a key",
    "transfer": "A telephone calls in and is connected to another one",
}

EXPECTED: Mapping[str, str] = {
    "simulated.placed": "POST /calls with a test key answers 201 with a queued call.",
    "simulated.ended": "The call is answered, runs its flow and ends.",
    "simulated.callbacks": "Its callbacks come in order, from callCreated to ended.",
    "simulated.signatures": "The three signatures of each of its callbacks are right.",
    "greeting.answered": "Phone A dials the number and is answered.",
    "greeting.sound": "Phone A hears the sound file.",
    "greeting.digit": "The key that phone A pressed is in the call's journal.",
    "greeting.released": "When the flow is over, phone A is hung up.",
    "greeting.record": "The record has one incoming leg that was answered and ended with its flow.",
    "transfer.set_up": "A flow, its number and the number's webhook are made over REST, each with 201.",
    "transfer.ringing": "Phone A is told that phone B rings.",
    "transfer.answered": "Both telephones are answered.",
    "transfer.a_hears_b": "Phone A hears the tone of phone B.",
    "transfer.b_hears_a": "Phone B hears the tone of phone A.",
    "transfer.digit_at_b": "Phone B sees the key that phone A pressed.",
    "transfer.digit_on_record": "That key is in the call's journal.",
    "transfer.released": "Phone A hangs up, and phone B is hung up.",
    "transfer.call": "GET /calls lists the call first, ended, in the documented shape.",
    "transfer.legs": "GET /calls/{id}/legs has an outgoing and an incoming leg, answered and hung up, in the documented shape.",
    "transfer.reasons": "The native record says that the caller hung up, and that the other leg followed.",
    "transfer.callbacks": "Its callbacks come in order, from callCreated to ended, in the documented shape.",
    "transfer.signatures": "The three signatures of each of its callbacks are right.",
}


@dataclass(frozen=True)
class Finding:
    """What was seen of one expectation."""

    name: str
    observed: Any
    met: bool

    @property
    def seen(self) -> str:
        """What was observed, in words."""
        return _plain(self.observed)

    @property
    def sentence(self) -> str:
        """The expectation, with what was seen instead where it was not met."""
        expected = EXPECTED[self.name]
        return expected if self.met else f"{expected.removesuffix('.')}: not so; seen was {self.seen}."


class Findings:
    """Findings by name, in the order of `EXPECTED`; `tell` hears of each as it is made."""

    def __init__(self, tell: Callable[[Finding], None] = lambda finding: None) -> None:
        self._tell = tell
        self._by_name: dict[str, Finding] = {}

    def note(self, name: str, observed: Any, *, met: bool) -> bool:
        """Record what was seen; the first word counts."""
        if name not in EXPECTED:
            raise KeyError(name)
        if name not in self._by_name:
            self._by_name[name] = Finding(name, observed, met)
            self._tell(self._by_name[name])
        return met

    def close(self, act: str, why: str) -> None:
        """End an act: what was not seen of it is a miss."""
        for name in EXPECTED:
            if name.startswith(f"{act}."):
                self.note(name, f"nothing, because {why}", met=False)

    def __iter__(self) -> Iterator[Finding]:
        return (self._by_name[name] for name in EXPECTED if name in self._by_name)

    @property
    def misses(self) -> list[Finding]:
        return [finding for finding in self if not finding.met]

    @property
    def all_seen(self) -> bool:
        return self._by_name.keys() == EXPECTED.keys()

    @property
    def all_met(self) -> bool:
        return self.all_seen and not self.misses


def _plain(observed: Any) -> str:
    if isinstance(observed, Mapping):
        return ", ".join(f"{name} {_plain(value)}" for name, value in observed.items())
    if isinstance(observed, list | tuple):
        return " ".join(map(_plain, observed)) or "nothing"
    return "nothing" if observed is None else str(observed).removesuffix(".")
