"""Scenarios of every kind: short flows, callers and callees with scripts, web services, and wishes from outside.

Two engines can only be held to the same outcome where that does not hang on who is first by a hair. So a scenario is
`decided` only if its simulated outcome stays the same when each of its times is moved, all together and each by itself: the
parties' by up to `HAIR_S` both ways, the flow's by as much upwards, since real processes are only ever late.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from msgspec import convert, to_builtins
from msgspec.structs import replace

from callwright.calls import journal
from callwright.flows.check import check
from callwright.rehearsal.outcome import Outcome
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.prompts import SoundReply
from callwright.rehearsal.web import Reply
from callwright.scenarios.document import Caller, Placed, Scenario, Wish
from callwright.scenarios.refusal import Refusal
from callwright.scenarios.running import simulate

HAIR_S = 0.15
LONGEST_S = 8.0  # of a scenario; by then the caller has hung up
ONE_CHARACTER_S = 1 / 15  # as `simulator.talk` has it
MIXTURES = 9

IDS = ("a", "b", "c", "d", "e")
CALLEES = ("31612345601", "31612345602")
NEXT, OTHER, DONE = "https://flows.example/next", "https://flows.example/other", "https://flows.example/done"
SOUNDS = ("https://sounds.example/a.wav", "https://sounds.example/b.mp3")
TEXTS = ("Hello, welcome to us.", "Press one for sales, two for service.", "We are open from nine to five.")
NAMES = ("choice", "pin")

one_of = st.sampled_from
moments = st.integers(1, 9).map(lambda n: n * 0.5)
keys = one_of(["1", "2", "#", "12", "1#"])
seldom, often = one_of([True, False, False, False]), one_of([True, True, True, False])


def _options(action: str) -> st.SearchStrategy[dict[str, Any]]:
    machine = {"ifMachine": one_of(["continue", "delay", "hangup"]), "machineTimeout": one_of([800, 4000])}
    needs: dict[str, Any] = {
        "say": {"payload": one_of(TEXTS)},
        "play": {"media": one_of([SOUNDS[0], SOUNDS[1], [*SOUNDS]])},
        "pause": {"length": one_of([0, 0.5, 1, 2.5])},
        "record": {"maxLength": one_of([1, 2, 4])},
        "transfer": {"destination": one_of(CALLEES)},
        "fetchCallFlow": {"url": one_of([NEXT, OTHER])},
        "sendKeys": {"keys": one_of(["1", "1w2#"])},
        "tag": {"tags": one_of([["vip"], "menu-{{choice}}"])},
        "hangup": {},
    }
    may: dict[str, Any] = {
        "say": {"repeat": st.integers(1, 2), **machine},
        "record": {
            "timeout": one_of([1, 2]),
            "finishOnKey": one_of(["any", "#", "none"]),
            "onFinish": st.just(DONE),
        },
        "transfer": {"mask": st.booleans(), "record": one_of(["in", "out", "both"])},
        "tag": {"metadata": one_of([{"choice": "{{choice}}"}, {"x": None}])},
    }
    return st.fixed_dictionaries(needs[action], optional=may.get(action, {}))


# What a flow is mostly made of; of each kind there are as many.
KINDS = {
    "menu": ("say", "say", "play", "pause", "tag"),
    "talk": ("transfer", "transfer", "say", "pause"),
    "message": ("say", "record", "record"),
    "program": ("fetchCallFlow", "say", "record"),
    "any": ("say", "play", "pause", "record", "transfer", "fetchCallFlow", "sendKeys", "tag", "hangup"),
}
LISTENING = ("say", "play", "pause", "record", "transfer")


@st.composite
def flows(draw: st.DrawFn, most: int = 5, kind: str = "") -> dict[str, Any]:
    """A flow of a few steps."""
    ids = IDS[: draw(one_of([1, 2, 3, 4, 5][:most]))]
    kind = kind or draw(one_of(sorted(KINDS)))
    actions = [KINDS[kind][:1] if kind == "talk" and step_id == ids[0] else KINDS[kind] for step_id in ids]
    body: dict[str, Any] = {"steps": [draw(_steps(step_id, ids, some)) for step_id, some in zip(ids, actions, strict=True)]}
    if draw(seldom):
        body["record"] = True
    if draw(seldom):
        body["maxDuration"] = draw(st.integers(2, 5))
    return body


@st.composite
def _steps(draw: st.DrawFn, step_id: str, ids: tuple[str, ...], actions: tuple[str, ...]) -> dict[str, Any]:
    action = draw(one_of(actions))
    step: dict[str, Any] = {"id": step_id, "action": action, "options": draw(_options(action))}
    if step_id != ids[0] and draw(seldom):
        operator, value = draw(one_of(["==", "!=", ">", "contains"])), draw(one_of(["1", "12", ""]))
        step["conditions"] = [{"variable": draw(one_of(NAMES)), "operator": operator, "value": value}]
    if action in LISTENING and draw(often):
        heard = {
            "onKeypressVar": one_of(NAMES),
            "onKeypressGoto": one_of(ids),
            "endKey": st.just("#"),
            "maxNumKeys": st.integers(1, 2),
        }
        step |= draw(st.fixed_dictionaries({}, optional=heard))
    return step


_alone = [
    st.builds(Act, at=moments, press=keys),
    st.builds(Act, at=moments, press=keys),
    st.builds(Act, at=moments, says=st.just("Hello, it is me."), speaks_for=one_of([0.6, 1.4, 3.2])),
    st.builds(Act, at=moments, hangs_up=st.just(True)),
    st.builds(Act, hears=one_of(["press", "we", "o"]), interrupts=st.booleans(), after=st.just(0.4), press=keys),
    st.builds(Act, hears=one_of(["press", "we", "o"]), interrupts=st.just(True), after=st.just(0.6), press=keys),
]
_talking = [
    st.builds(Act, at=moments, holds=st.just(True)),
    st.builds(Act, at=moments, resumes=st.just(True)),
    st.builds(Act, at=moments, beeps=st.just(True)),
    st.builds(Act, at=moments, transfers_to=one_of(CALLEES)),
    st.builds(Act, at=moments, hangs_up=st.just(True)),
]
_acts = st.lists(st.one_of(_alone), min_size=1, max_size=2).map(tuple)
_acts_in_talk = st.lists(st.one_of(_alone + _talking), max_size=2).map(tuple)
_before: dict[str, Any] = {
    "answer_after": one_of([0.4, 0.9, 1.6]),
    "outcome": one_of(["answer"] * 7 + ["busy", "fail", "no_answer"]),
    "early_media": st.booleans(),
    "takes_transfers": often,
}
parties = st.builds(Party, acts=_acts_in_talk, **_before)


def _leaves(party: Any) -> Any:
    """Nobody stays for ever."""
    return replace(party, acts=(*party.acts, Act(at=LONGEST_S - 1, hangs_up=True)))


_flows_of_two = flows(most=2)
replies = st.one_of(
    st.builds(Reply, flow=_flows_of_two, after=one_of([0.0, 0.7])),
    st.builds(Reply, flow=_flows_of_two),
    st.builds(Reply, flow=_flows_of_two),
    st.builds(Reply, status=one_of([404, 500])),
    st.builds(Reply, fails=st.just("connect")),
    st.builds(Reply, body=st.just("<html></html>"), content_type=st.just("text/html")),
)
wishes = st.one_of(
    st.builds(Wish, at=moments, hangs_up=st.just(True)),
    st.builds(Wish, at=moments, hangs_up=st.just(True), leg=st.integers(1, 2)),
    st.builds(Wish, at=moments, holds=st.just(True), leg=st.integers(1, 2)),
    st.builds(Wish, at=moments, resumes=st.just(True), leg=st.integers(1, 2)),
    st.builds(Wish, at=moments, adds=one_of(CALLEES)),
    st.builds(Wish, at=moments, refers_to=one_of(CALLEES), leg=st.integers(1, 2)),
    st.builds(Wish, at=moments, replaces_flow=_flows_of_two),
)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    kind = draw(one_of([*sorted(KINDS), "talk"]))
    acts = _acts_in_talk if kind in ("talk", "any") else _acts
    caller = call = None
    if draw(often):
        caller = _leaves(draw(st.builds(Caller, acts=acts)))
    else:
        call = _leaves(draw(st.builds(Placed, acts=acts, tags=one_of([(), ("new",)]), **_before)))
    return Scenario(
        name="generated",
        flow=draw(flows(kind=kind).filter(_runs)),
        caller=caller,
        call=call,
        callees={number: draw(parties) for number in CALLEES},
        wishes=tuple(draw(st.lists(wishes, min_size=1, max_size=2))) if draw(seldom) else (),
        web={url: draw(st.lists(replies, min_size=1, max_size=2)) for url in (NEXT, OTHER, DONE)},
        settings={"calls": {"max_duration": 30}},  # two who transfer to each other never end
        sounds={SOUNDS[0]: 0.6, SOUNDS[1]: draw(one_of([SoundReply(seconds=1.2), SoundReply(status=404)]))},
    )


def _runs(flow: dict[str, Any]) -> bool:
    return not check(flow).errors


# what is compared


# What a customer sees nothing of and hangs on a moment: a sound that is heard on after all is over, a syllable.
CHANCE = (journal.Ignored, journal.VoiceHeard, journal.TimerLate)


def told(outcome: Outcome | Refusal) -> dict[str, Any]:
    """What two engines must agree on, without times."""
    if isinstance(outcome, Refusal):
        return {"refused": outcome.code}
    steps = [line.entry.step for line in outcome.journal if isinstance(line.entry, journal.StepStarted)]
    return {
        "status": outcome.call.status.value,
        "legs": [
            (leg.direction.value, leg.destination, leg.status.value, leg.reason and leg.reason.value) for leg in outcome.legs
        ],
        "webhooks": [
            (one.event, one.payload["status"], [leg["status"] for leg in one.payload.get("legs", ())])
            for one in outcome.webhooks
        ],
        "journal": [_of_leg(outcome, leg.id) for leg in outcome.legs],
        "steps": steps,
        "spoken": [(one.leg, one.text.rstrip(".") or one.url, one.outcome) for one in outcome.spoken],
        "pressed": [(one.leg, one.key) for one in outcome.pressed],
        "recordings": [(one.leg, one.type, one.status, one.outcome) for one in outcome.recordings],
        "fetches": [(one.method, one.url, one.status) for one in outcome.fetches],
        "variables": outcome.variables,
        "tags": list(outcome.call.tags),
    }


def _of_leg(outcome: Outcome, leg: UUID) -> list[str]:
    """What the journal notes of a leg, in order; which of two legs was first is left to chance."""
    entries = (line.entry for line in outcome.journal)
    return [type(one).__name__ for one in entries if getattr(one, "leg", None) == leg and not isinstance(one, CHANCE)]


def decided(scenario: Scenario) -> bool:
    """Whether the outcome of a scenario hangs on no hair, and it is over in time."""
    result = simulate(scenario)
    if isinstance(result.outcome, Outcome) and result.outcome.seconds > LONGEST_S:
        return False
    expected = told(result.outcome)
    return all(told(simulate(moved).outcome) == expected for moved in _all_moved(scenario))


def _all_moved(scenario: Scenario) -> Iterator[Scenario]:
    yield moved(scenario, lambda: HAIR_S, lambda: 0.0)
    yield moved(scenario, lambda: -HAIR_S, lambda: 0.0)
    yield moved(scenario, lambda: 0.0, lambda: HAIR_S)
    for mixture in range(MIXTURES):
        chance = random.Random(mixture)
        yield moved(
            scenario, lambda chance=chance: chance.uniform(-HAIR_S, HAIR_S), lambda chance=chance: chance.uniform(0.0, HAIR_S)
        )


def moved(scenario: Scenario, by: Callable[[], float], late: Callable[[], float]) -> Scenario:
    """A scenario whose times are others: those of people `by` so much, those of the flow so much `late`."""
    body = _given(to_builtins(scenario))
    parties = [one for one in (body.get("caller"), body.get("call"), *body["callees"].values()) if one]
    for party in parties:
        party["answer_after"] = _later(party["answer_after"], by)
        for act in party["acts"]:
            for name in ("at", "after", "speaks_for"):
                if name in act:
                    act[name] = _later(act[name], by)
    for wish in body["wishes"]:
        wish["at"] = _later(wish["at"], by)
    for sound in SOUNDS:
        given = body["sounds"][sound]
        if isinstance(given, dict):
            given["seconds"] = _later(given["seconds"], late)
        else:
            body["sounds"][sound] = _later(given, late)
    bodies = [body["flow"], *(wish.get("replaces_flow") for wish in body["wishes"])]
    for given in body["web"].values():
        for reply in given:
            reply["after"] = _later(reply["after"], late)
            bodies.append(reply.get("flow"))
    for flow in bodies:
        for step in (flow or {}).get("steps", ()):
            _delay(step["options"], late)
    return convert(body, Scenario)


def _given(value: Any) -> Any:
    """Without what was left out: an empty text where one may be missing is none that may be given."""
    if isinstance(value, dict):
        flows = ("flow", "replaces_flow")
        return {key: one if key in flows else _given(one) for key, one in value.items() if one is not None and one != ""}
    return [_given(one) for one in value] if isinstance(value, list | tuple) else value


def _delay(options: dict[str, Any], late: Callable[[], float]) -> None:
    for name in ("length", "maxLength", "timeout"):
        if name in options:
            options[name] = _later(options[name], late)
    if "payload" in options:
        options["payload"] += "." * round(late() / ONE_CHARACTER_S)


def _later(seconds: float, by: Callable[[], float]) -> float:
    return max(0.0, seconds + by())


def batch(count: int, first: int = 0) -> list[Scenario]:
    """So many scenarios that are decided, always the same; each is drawn anew, since one run varies what it drew before."""
    found = []
    for number in itertools.count(first):
        scenario = _drawn(number)
        if decided(scenario):
            found.append(scenario)
        if len(found) == count:
            return found
    raise AssertionError


def _drawn(number: int) -> Scenario:
    drawn: list[Scenario] = []

    @seed(number)
    @settings(max_examples=2, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(scenarios())
    def draw(scenario: Scenario) -> None:
        drawn.append(scenario)

    draw()
    return replace(drawn[-1], name=f"generated {number}")  # the first is the simplest there is
