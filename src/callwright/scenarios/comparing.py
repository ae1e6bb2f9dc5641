"""What a scenario expects against what its call came to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from callwright.calls import journal
from callwright.calls.model import Leg
from callwright.rehearsal.outcome import Delivered, Fetched, KeysSent, Outcome, Posted, Recorded, Spoken
from callwright.scenarios.aligning import align
from callwright.scenarios.document import (
    Expected,
    ExpectedFetch,
    ExpectedLeg,
    ExpectedPrompt,
    ExpectedRecording,
    ExpectedWebhook,
    Scenario,
)
from callwright.scenarios.refusal import Refusal
from callwright.scenarios.spans import span

E = TypeVar("E")
S = TypeVar("S")

NOTHING = "nothing"


class Difference(NamedTuple):
    """Something that is not as expected. `where` is its place among the expectations; `at` is None where it has no time."""

    where: str
    expected: str
    seen: str
    at: float | None = None

    @property
    def sentence(self) -> str:
        when = "" if self.at is None else f" at {self.at:.2f} s"
        return f"{self.where}: expected {self.expected}, but there was {self.seen.rstrip('.')}{when}."


class _Mismatch(NamedTuple):
    """One field of a pair that does not agree."""

    name: str
    expected: str
    seen: str


def differences(scenario: Scenario, outcome: Outcome | Refusal, *, tolerance: float = 0.0) -> list[Difference]:
    """All that is not as expected, in the order of the expectations. `tolerance` may widen the scenario's."""
    expected = scenario.expect
    if isinstance(outcome, Refusal):
        return [] if expected.refused == outcome.code else [_refused(expected, outcome)]
    if expected.refused is not None:
        seen = f"a call, which is {outcome.call.status.value}"
        return [Difference("refused", f"a refusal with {expected.refused}", seen, outcome.seconds)]
    return list(_Comparison(outcome, max(tolerance, scenario.tolerance)).all(expected))


def _refused(expected: Expected, refusal: Refusal) -> Difference:
    wanted = "a call" if expected.refused is None else f"a refusal with {expected.refused}"
    return Difference("refused", wanted, f"a refusal with {refusal.code}: {refusal.sentence}")


class _Comparison:
    def __init__(self, outcome: Outcome, tolerance: float) -> None:
        self._outcome = outcome
        self._tolerance = tolerance

    def all(self, expected: Expected) -> Iterator[Difference]:
        outcome = self._outcome
        call = outcome.call
        end = outcome.seconds
        yield from self._values(
            end,
            self._same("status", expected.status, call.status.value),
            self._same("reason", expected.reason, "none" if call.reason is None else call.reason.value),
            self._timed("duration", expected.duration, _seconds(call.answered_us, call.ended_us)),
            self._timed("ends", expected.ends, end),
        )
        yield from self._list("legs", expected.legs, outcome.legs, self._leg, _leg_in_words, self._leg_at)
        spoken = None if expected.spoken is None else [_prompt(one) for one in expected.spoken]
        yield from self._list("spoken", spoken, outcome.spoken, self._prompt, _prompt_in_words, lambda one: one.at)
        steps = [
            (outcome.since(told.at_us), told.entry) for told in outcome.journal if isinstance(told.entry, journal.StepStarted)
        ]
        yield from self._list("steps", expected.steps, steps, _step, _step_in_words, lambda one: one[0])
        yield from self._pressed(expected.pressed)
        sent = self._outcome.keys_sent
        yield from self._list("keys_sent", expected.keys_sent, sent, _keys, _keys_in_words, lambda one: one.at)
        yield from self._mapping("variables", expected.variables, outcome.variables)
        yield from self._list(
            "recordings", expected.recordings, outcome.recordings, self._recording, _recording_in_words, lambda one: one.at
        )
        yield from self._list("fetches", expected.fetches, outcome.fetches, self._fetch, _fetch_in_words, lambda one: one.at)
        webhooks = None if expected.webhooks is None else [_webhook(one) for one in expected.webhooks]
        yield from self._list("webhooks", webhooks, outcome.webhooks, self._webhook, _webhook_in_words, lambda one: one.at)
        if expected.tags is not None and set(expected.tags) != set(call.tags):
            yield Difference("tags", ", ".join(expected.tags) or "none", ", ".join(call.tags) or "none", end)
        yield from self._mapping("metadata", expected.metadata, call.metadata)
        yield from self._deliveries()

    def _deliveries(self) -> Iterator[Difference]:
        """Where callbacks were really posted, each is to be taken."""
        for n, one in enumerate(self._outcome.deliveries, 1):
            if one.state != "delivered":
                yield Difference(f"deliveries[{n}]", f"{one.event}, delivered to {one.url}", _undelivered(one), None)

    # parts

    def _list(
        self,
        name: str,
        expected: Sequence[E] | None,
        seen: Sequence[S],
        compare: Callable[[E, S], Iterator[_Mismatch]],
        words: Callable[[Any], str],
        at: Callable[[S], float],
    ) -> Iterator[Difference]:
        """A whole list in order; `words` says what either side is, `at` when a thing that was seen was."""
        if expected is None:
            return

        def same(one: E, other: S) -> bool:
            return next(compare(one, other), None) is None

        last = 0.0
        for i, j in align(expected, seen, same):
            if i is None:
                assert j is not None
                last = at(seen[j])
                yield Difference(f"{name}[{j + 1}]", NOTHING, words(seen[j]), last)
            elif j is None:
                when = self._outcome.seconds if i >= len(seen) else last
                yield Difference(f"{name}[{i + 1}]", words(expected[i]), NOTHING, when)
            else:
                last = at(seen[j])
                for mismatch in compare(expected[i], seen[j]):
                    place = f"{name}[{i + 1}]{'.' if mismatch.name else ''}{mismatch.name}"
                    yield Difference(place, mismatch.expected, mismatch.seen, last)

    def _mapping(self, name: str, expected: Mapping[str, str] | None, seen: Mapping[str, str]) -> Iterator[Difference]:
        for key, value in (expected or {}).items():
            if seen.get(key, "") != value:
                found = repr(seen[key]) if key in seen else NOTHING
                yield Difference(f"{name}.{key}", repr(value) if value else NOTHING, found, self._outcome.seconds)

    def _pressed(self, expected: str | None) -> Iterator[Difference]:
        pressed = self._outcome.pressed
        keys = "".join(one.key for one in pressed)
        if expected is not None and keys != expected:
            other = next((one.at for one, key in zip(pressed, expected, strict=False) if one.key != key), self._outcome.seconds)
            yield Difference("pressed", repr(expected) if expected else NOTHING, repr(keys) if keys else NOTHING, other)

    def _values(self, at: float, *found: Iterator[_Mismatch]) -> Iterator[Difference]:
        for mismatches in found:
            for mismatch in mismatches:
                yield Difference(mismatch.name, mismatch.expected, mismatch.seen, at)

    def _leg(self, expected: ExpectedLeg, leg: Leg) -> Iterator[_Mismatch]:
        yield from self._same("direction", expected.direction, leg.direction.value)
        yield from self._same("source", expected.source, leg.source)
        yield from self._same("destination", expected.destination, leg.destination)
        yield from self._same("status", expected.status, leg.status.value)
        yield from self._same("reason", expected.reason, "none" if leg.reason is None else leg.reason.value)
        yield from self._same("sip_code", expected.sip_code, leg.sip_code)
        yield from self._timed("duration", expected.duration, _seconds(leg.answered_us, leg.ended_us))

    def _leg_at(self, leg: Leg) -> float:
        return self._outcome.since(leg.ended_us or leg.updated_us)

    def _prompt(self, expected: ExpectedPrompt, spoken: Spoken) -> Iterator[_Mismatch]:
        if expected.text is not None and _plain(expected.text) != _plain(spoken.text):
            yield _Mismatch("", _quoted(expected.text), _prompt_in_words(spoken))
        if expected.contains is not None and _plain(expected.contains).casefold() not in _plain(spoken.text).casefold():
            yield _Mismatch("", f"a text with {_quoted(expected.contains)}", _prompt_in_words(spoken))
        if expected.url is not None and expected.url != spoken.url:
            yield _Mismatch("", f"the sound {expected.url}", _prompt_in_words(spoken))
        yield from self._same("language", expected.language, spoken.language)
        yield from self._same("leg", expected.leg, spoken.leg)
        yield from self._timed("at", expected.at, spoken.at)
        yield from self._timed("seconds", expected.seconds, spoken.seconds)
        yield from self._same("outcome", expected.outcome, spoken.outcome)

    def _recording(self, expected: ExpectedRecording, recorded: Recorded) -> Iterator[_Mismatch]:
        yield from self._same("type", expected.type, recorded.type)
        yield from self._same("status", expected.status, recorded.status)
        yield from self._same("outcome", expected.outcome, recorded.outcome)
        yield from self._same("leg", expected.leg, recorded.leg)
        yield from self._timed("at", expected.at, recorded.at)
        yield from self._timed("seconds", expected.seconds, recorded.seconds)
        if expected.heard is not None and _plain(expected.heard) != _plain(recorded.heard):
            yield _Mismatch("heard", _quoted(expected.heard), _quoted(recorded.heard))

    def _fetch(self, expected: ExpectedFetch, fetched: Fetched) -> Iterator[_Mismatch]:
        yield from self._same("method", expected.method, fetched.method)
        yield from self._same("url", expected.url, fetched.url)
        yield from self._same("status", expected.status, fetched.status)
        if expected.fault is not None and expected.fault.casefold() not in fetched.fault.casefold():
            yield _Mismatch("fault", _quoted(expected.fault), _quoted(fetched.fault))
        yield from self._timed("at", expected.at, fetched.at)
        for key, value in expected.query.items():
            yield from self._same(f"query.{key}", value, fetched.query.get(key))
        for key, value in expected.told.items():
            yield from self._same(f"told.{key}", value, (fetched.told or {}).get(key))

    def _webhook(self, expected: ExpectedWebhook, posted: Posted) -> Iterator[_Mismatch]:
        yield from self._same("event", expected.event, posted.event)
        yield from self._same("status", expected.status, posted.payload.get("status"))
        if expected.legs is not None:
            legs = [leg["status"] for leg in posted.payload.get("legs", ())]
            yield from self._same("legs", ", ".join(expected.legs), ", ".join(legs))
        yield from self._timed("at", expected.at, posted.at)

    def _same(self, name: str, expected: Any, seen: Any) -> Iterator[_Mismatch]:
        if expected is not None and expected != seen:
            yield _Mismatch(name, str(expected), NOTHING if seen is None else str(seen))

    def _timed(self, name: str, expected: str | None, seen: float | None) -> Iterator[_Mismatch]:
        if expected is None:
            return
        wanted = span(expected)
        if seen is None or not wanted.holds(seen, self._tolerance):
            yield _Mismatch(name, str(wanted), "no end of it" if seen is None else f"{seen:g} s")


def _step(expected: str, seen: tuple[float, journal.StepStarted]) -> Iterator[_Mismatch]:
    if expected not in (seen[1].step, seen[1].action):
        yield _Mismatch("", expected, _step_in_words(seen))


def _keys(expected: str, seen: KeysSent) -> Iterator[_Mismatch]:
    if expected != seen.keys:
        yield _Mismatch("", repr(expected), repr(seen.keys))


def _keys_in_words(one: str | KeysSent) -> str:
    return repr(one if isinstance(one, str) else one.keys)


def _prompt(given: ExpectedPrompt | str) -> ExpectedPrompt:
    return ExpectedPrompt(text=given) if isinstance(given, str) else given


def _webhook(given: ExpectedWebhook | str) -> ExpectedWebhook:
    """``ended``, ``callUpdated``, or ``callUpdated ended``."""
    if not isinstance(given, str):
        return given
    first, _, rest = given.partition(" ")
    if rest:
        return ExpectedWebhook(event=first, status=rest.strip())
    return ExpectedWebhook(event=first) if first.endswith(("Created", "Updated")) else ExpectedWebhook(status=first)


# in words


def _seconds(from_us: int | None, to_us: int | None) -> float:
    """From an answer to an end, as exactly as it is known; 0 where there was none."""
    return 0.0 if from_us is None or to_us is None else (to_us - from_us) / 1e6


def _plain(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    return f'"{_plain(text)}"' if text else NOTHING


def _prompt_in_words(one: Spoken | ExpectedPrompt) -> str:
    if one.url:
        return f"the sound {one.url}"
    if isinstance(one, ExpectedPrompt) and one.text is None:
        return f"a text with {_quoted(one.contains)}" if one.contains else "something spoken"
    return _quoted(one.text or "")


def _leg_in_words(one: Leg | ExpectedLeg) -> str:
    if isinstance(one, Leg):
        return f"an {one.direction.value} leg from {one.source} to {one.destination}, {one.status.value}"
    told = [f"an {one.direction} leg" if one.direction else "a leg"]
    told += [f"from {one.source}"] if one.source else []
    told += [f"to {one.destination}"] if one.destination else []
    return " ".join(told) + (f", {one.status}" if one.status else "")


def _step_in_words(one: str | tuple[float, journal.StepStarted]) -> str:
    return one if isinstance(one, str) else f"{one[1].step} ({one[1].action})"


def _recording_in_words(one: Recorded | ExpectedRecording) -> str:
    told = f"a recording ({one.type})" if one.type else "a recording"
    if one.heard:
        told += f" of {_quoted(one.heard)}"
    return told


def _fetch_in_words(one: Fetched | ExpectedFetch) -> str:
    return " ".join(word for word in (one.method, one.url or "a request") if word)


def _webhook_in_words(one: Posted | ExpectedWebhook) -> str:
    status = one.payload.get("status") if isinstance(one, Posted) else one.status
    return " ".join(word for word in (one.event, status) if word) or "a callback"


def _undelivered(one: Delivered) -> str:
    return f"{one.state}: {one.fault or 'it was not tried, for an earlier one was not taken'}"
