"""A recorded call as a scenario for ``callwright flow test``: what everybody did, and what came of it in simulation.

Keys and hang-ups are bound to what the party had heard, as voices of a rehearsal take other times than real ones. What
cannot be written down so is done at its time, as far as prompts that are shorter or longer let it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from callwright.calls import journal
from callwright.calls.rows import Told
from callwright.clock import rfc3339
from callwright.reasons import Reason
from callwright.rehearsal.outcome import Outcome
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.prompts import SoundReply
from callwright.rehearsal.web import Reply
from callwright.replay import expecting, inputs
from callwright.replay.plan import AnswerPlan, LegPlan, Plan, PromptPlan
from callwright.replay.record import Line, lines_of
from callwright.replay.scenario_file import NotExportable, without_defaults
from callwright.scenarios import running
from callwright.scenarios.document import (
    Caller,
    Placed,
    Scenario,
    Wish,
)
from callwright.settings import Settings
from callwright.simulator.talk import spoken_s
from callwright.telephony import ReferOutcome
from callwright.telephony.checks import is_number
from callwright.trunks.routes import parse_sip_uri

SETTLED_S = 0.1  # of a prompt's length, so that who interrupts it does so before its end
# After the last line of a record that breaks off, its call is hung up: before anything else can come.
BREAK_S = 0.05
BROKEN_OFF = " Its record breaks off where it is hung up here; what would have come then is not expected."
SHOWN = 3  # of what goes otherwise
# The web services of a scenario are asked again where a server would; each of these answers twice.
_ASKED_TWICE = 500
_SETTINGS = ("calls", "transfer", "flows")
_FAILS = {"unreachable": "connect", "timeout": "timeout", "broken": "reset"}


def scenario_of(told: Sequence[Told], settings: Settings, flow: Mapping[str, Any] | None = None) -> Scenario:
    """The scenario. What is expected of it is on record; on another flow than the call had, it is what simulation makes of
    that. Raises `NotExportable`.
    """
    plan = inputs.read(lines_of(told))
    body = dict(flow) if flow is not None else plan.flow
    if body is None:
        raise NotExportable("The journal does not hold its flow, as that was never begun; give one with --flow.")
    writer = _Writer(plan, breaks_off=flow is None and expecting.breaks_off(plan))
    scenario = msgspec.structs.replace(writer.scenario(body), settings=_settings(plan, settings))
    outcome = running.simulate(scenario, settings=settings).outcome
    if not isinstance(outcome, Outcome):
        raise NotExportable(f"The call would not come about in simulation: {outcome}.")
    if flow is None:
        _check_routes(plan, outcome)
    expect = expecting.of_record(plan, scenario, outcome) if flow is None else expecting.of_outcome(outcome)
    return msgspec.structs.replace(scenario, expect=expect)


def _check_routes(plan: Plan, outcome: Outcome) -> None:
    """No scenario has trunks. Raises `NotExportable` where a leg had no route on record, and has one in simulation."""
    for leg in plan.legs.values():
        unrouted = leg.no_route is not None and leg.no_route[0] is Reason.NO_ROUTE
        number = leg.made.destination
        if unrouted and any(one.destination == number and one.reason is not Reason.NO_ROUTE for one in outcome.legs):
            raise NotExportable(
                f"No route led to {number}, and in simulation everybody can be reached, so that no scenario could be met. "
                "Give a flow with --flow to see what that makes of it."
            )


def goes_otherwise(scenario: Scenario, settings: Settings) -> str:
    """How the call goes otherwise in simulation than is expected, in sentences; empty when it does not."""
    found = running.simulate(scenario, settings=settings).differences
    if not found:
        return ""
    shown = " ".join(f"{one.sentence[0].upper()}{one.sentence[1:]}" for one in found[:SHOWN])
    more = f" And {len(found) - SHOWN} more." if len(found) > SHOWN else ""
    return (
        f"In simulation the call goes otherwise than it went. {shown}{more} The scenario expects what is on record, and fails "
        "until the times and acts in it are mended."
    )


class _Writer:
    def __init__(self, plan: Plan, *, breaks_off: bool) -> None:
        self._plan = plan
        self._breaks_off = breaks_off
        self._begun = {n: one for n, one in plan.prompts.items() if one.step.get("action") in ("say", "play")}
        self._prompts = list(self._begun.values())

    def scenario(self, flow: dict[str, Any]) -> Scenario:
        plan = self._plan
        first = plan.legs[1]
        fields: dict[str, Any] = {}
        if plan.incoming:
            fields["number"] = first.made.destination
            fields["caller"] = Caller(source=first.made.source, acts=self._acts(first), key_gap=self._key_gap(first))
        else:
            fields["call"] = Placed(
                source=first.made.source,
                destination=first.made.destination,
                tags=plan.call.tags,
                metadata=plan.call.metadata,
                **self._far_end(first),
            )
        return Scenario(
            name=f"call {plan.call.id}",
            description=f"As it was on {rfc3339(plan.call.created_us)}.{BROKEN_OFF if self._breaks_off else ''}",
            flow={name: value for name, value in flow.items() if name in ("steps", "record", "maxDuration", "title")},
            callees={
                leg.made.destination: Party(**self._far_end(leg))
                for n, leg in sorted(plan.legs.items(), reverse=True)
                if n > 1 and leg.no_route is None
            },
            wishes=tuple(self._wishes()),
            web=_web(plan.answers),
            sounds=dict(self._sounds()),
            **fields,
        )

    # parties

    def _far_end(self, leg: LegPlan) -> dict[str, Any]:
        fields: dict[str, Any] = {"acts": self._acts(leg), "key_gap": self._key_gap(leg), "early_media": leg.early_media}
        ends = [ended.outcome for _, ended in self._plan.referred.get(leg.made.n, ())]
        fields["takes_transfers"] = ReferOutcome.REFUSED.value not in ends
        if leg.answered is not None:
            return {**fields, "answer_after": _s(leg.answered)}
        last = leg.last
        if last is None or leg.by_us or not isinstance(last.entry, journal.LegLast):
            return {**fields, "outcome": "no_answer"}
        if last.entry.cause == "no_response":
            return {**fields, "outcome": "no_response"}
        code = last.entry.sip_code
        outcome = "busy" if last.entry.cause == "busy" else "fail"
        after = _s(last.at_us - leg.made.created_us)
        return {**fields, "answer_after": after, "outcome": outcome, "sip_code": code if code and code >= 300 else None}

    def _key_gap(self, leg: LegPlan) -> float:
        times = [line.at_us for line in self._of(leg, journal.DigitPressed)]
        gaps = [then - before for before, then in pairwise(times) if then - before <= 3_000_000]
        return max(0.05, round(sum(gaps) / len(gaps) / 1e6, 2)) if gaps else 0.3

    def _acts(self, leg: LegPlan) -> tuple[Act, ...]:
        if leg.answered is None:
            return ()
        answered_us = next(
            line.at_us
            for line in self._plan.lines
            if isinstance(line.entry, journal.LegMoved)
            and line.entry.leg == leg.made.id
            and line.entry.status.value == "ongoing"
        )
        found = [
            *self._presses(leg, answered_us),
            *self._voices(leg),
            *self._speech(leg, answered_us),
            *self._others(leg, answered_us),
        ]
        return tuple(act for _, act in sorted(found, key=lambda one: one[0]))

    def _presses(self, leg: LegPlan, answered_us: int) -> Iterator[tuple[int, Act]]:
        """Keys that follow upon the same prompt are one act, as each act waits for a prompt of its own."""
        runs: list[tuple[int, dict[str, Any], str]] = []
        for line in self._of(leg, journal.DigitPressed):
            assert isinstance(line.entry, journal.DigitPressed)
            prompt = self._heard(leg, line)
            if runs and prompt is not None and runs[-1][1].get("prompt") is prompt:
                runs[-1] = (*runs[-1][:2], runs[-1][2] + line.entry.digit)
            else:
                runs.append((line.at_us, {"prompt": prompt}, line.entry.digit))
        for at_us, upon, keys in runs:
            yield at_us, Act(press=keys, **self._when(upon["prompt"], at_us, answered_us))

    def _others(self, leg: LegPlan, answered_us: int) -> Iterator[tuple[int, Act]]:
        for line in self._plan.acts:
            entry = line.entry
            if getattr(entry, "leg", None) != leg.made.id:
                continue
            at = max(0.0, self._simulated(line.at_us) - self._simulated(answered_us))
            match entry:
                case journal.LegLast(cause="hangup"):
                    pressed = self._of(leg, journal.DigitPressed)
                    prompt = self._heard(leg, line)
                    taken = prompt is not None and any(self._heard(leg, one) is prompt for one in pressed)
                    when = {"at": round(at, 3)} if taken else self._when(prompt, line.at_us, answered_us)
                    yield line.at_us, Act(hangs_up=True, **when)
                case journal.Held(direction="sendonly" | "inactive"):
                    yield line.at_us, Act(holds=True, at=round(at, 3))
                case journal.Held(direction="sendrecv"):
                    yield line.at_us, Act(resumes=True, at=round(at, 3))
                case journal.ReferReceived(target=target):
                    yield line.at_us, Act(transfers_to=target, at=round(at, 3))

    def _voices(self, leg: LegPlan) -> Iterator[tuple[int, Act]]:
        """What made the judgement of who answered, and what kept recordings that silence ended going."""
        began: int | None = None
        for line in self._of(leg, journal.VoiceHeard):
            assert isinstance(line.entry, journal.VoiceHeard)
            match line.entry.what:
                case "voice":
                    began = line.entry.after_us
                    seconds = 30.0
                    following = (one.entry for one in self._of(leg, journal.VoiceHeard) if one.index > line.index)
                    silence = next((one for one in following if isinstance(one, journal.VoiceHeard)), None)
                    if silence is not None and silence.what == "silence":
                        seconds = _s(silence.after_us - began)
                    yield line.at_us, Act(at=_s(began), speaks_for=seconds)
                case "beep":
                    yield line.at_us, Act(at=_s(line.entry.after_us), beeps=True)

    def _speech(self, leg: LegPlan, answered_us: int) -> Iterator[tuple[int, Act]]:
        """Something is said into recordings that silence ended, as long as it kept them going."""
        made = [line for line in self._plan.lines if isinstance(line.entry, journal.RecordingMade)]
        steps = {place: prompt.step for place, prompt in self._plan.prompts.items() if prompt.step.get("action") == "record"}
        for line, recording in zip(made, self._plan.recordings, strict=True):
            before = [step for place, step in steps.items() if place < line.index]
            if recording.leg != leg.made.n or recording.end is None or recording.end.outcome != "silence" or not before:
                continue
            silence = (before[-1].get("options") or {}).get("timeout") or 0
            seconds = recording.end.duration_ms / 1000 - (silence if silence < 1e9 else silence / 1e9)
            if seconds >= SETTLED_S:
                at = self._simulated(line.at_us) - self._simulated(answered_us)
                yield line.at_us, Act(at=round(max(0.0, at), 3), speaks_for=round(seconds, 3))

    def _of(self, leg: LegPlan, kind: type[journal.Entry]) -> list[Line]:
        lines = self._plan.lines
        return [line for line in lines if isinstance(line.entry, kind) and getattr(line.entry, "leg", None) == leg.made.id]

    # when

    def _heard(self, leg: LegPlan, line: Line) -> PromptPlan | None:
        """The last prompt that was begun for the flow's party before; what a key leads to begins at the same moment."""
        if leg.made.n != 1:
            return None
        before = [prompt for place, prompt in self._begun.items() if place < line.index and _text(prompt)]
        return before[-1] if before and not self._judging(before[-1], line) else None

    def _judging(self, prompt: PromptPlan, line: Line) -> bool:
        """Whether it was still found out who answered: the first prompt of a call that is placed waits for that."""
        options = prompt.step.get("options") or {}
        if self._plan.incoming or prompt is not self._prompts[0] or options.get("ifMachine") == "continue":
            return False
        first = self._plan.legs[1]
        return not any(judged.index < line.index for judged in self._of(first, journal.Judged))

    def _when(self, prompt: PromptPlan | None, at_us: int, answered_us: int) -> dict[str, Any]:
        if prompt is None:
            return {"at": round(max(0.0, self._simulated(at_us) - self._simulated(answered_us)), 3)}
        end_us = None if prompt.length is None else prompt.began_us + prompt.length
        if end_us is not None and at_us >= end_us:
            return {"hears": _text(prompt), "after": _s(at_us - end_us)}
        after = min(_s(at_us - prompt.began_us), max(0.0, _estimate(prompt) - SETTLED_S))
        return {"hears": _text(prompt), "interrupts": True, "after": round(after, 3)}

    def _simulated(self, at_us: int) -> float:
        """Seconds of the call in simulation, whose voices need other times than those that were heard."""
        seconds = (at_us - self._plan.call.created_us) / 1e6
        for prompt in self._prompts:
            if prompt.length is not None and prompt.began_us + prompt.length <= at_us and prompt.step.get("action") == "say":
                seconds += _estimate(prompt) - prompt.length / 1e6
        return seconds

    def _sounds(self) -> Iterator[tuple[str, float | SoundReply]]:
        for prompt in self._prompts:
            if prompt.step.get("action") != "play":
                continue
            for sound in prompt.fetched:
                if sound.status is not None and sound.status >= 300:
                    yield sound.url, SoundReply(status=sound.status)
            if prompt.length is not None and len(prompt.fetched) == 1 and not prompt.fault:
                yield prompt.fetched[0].url, _s(prompt.length)

    def _wishes(self) -> Iterator[Wish]:
        plan = self._plan
        for line in plan.acts:
            if not isinstance(line.entry, journal.Asked):
                continue
            fields: dict[str, Any] = {"at": round(max(0.0, self._simulated(line.at_us)), 3)}
            n = plan.leg(line.entry.leg) or None
            following = [one.entry for one in plan.lines[line.index + 1 :]]
            match line.entry.what:
                case "hang_up":
                    yield Wish(hangs_up=True, leg=n, **fields)
                case "hold":
                    yield Wish(holds=True, leg=n, **fields)
                case "unhold":
                    yield Wish(resumes=True, leg=n, **fields)
                case "add_party":
                    made = next(one.leg for one in following if isinstance(one, journal.LegMade))
                    yield Wish(adds=made.destination, **fields)
                case "refer":
                    sent = next(one for one in following if isinstance(one, journal.ReferSent))
                    uri = parse_sip_uri(sent.target)
                    number = uri is not None and is_number(uri.user)
                    yield Wish(refers_to=uri.user if uri is not None and number else sent.target, leg=n, **fields)
                case "replace_flow":
                    started = next(one for one in following if isinstance(one, journal.FlowStarted))
                    yield Wish(replaces_flow=started.flow, **fields)
        if self._breaks_off:
            yield Wish(hangs_up=True, at=round(max(0.0, self._simulated(plan.lines[-1].at_us)) + BREAK_S, 3))


def _text(prompt: PromptPlan) -> str:
    options = prompt.step.get("options") or {}
    if prompt.step.get("action") == "say":
        return str(options.get("payload", "")).strip()
    media = options.get("media")
    return str(media[0] if isinstance(media, list) and media else media or "")


def _estimate(prompt: PromptPlan) -> float:
    options = prompt.step.get("options") or {}
    if prompt.step.get("action") == "say":
        repeat = options.get("repeat")
        return spoken_s(str(options.get("payload", ""))) * (repeat if isinstance(repeat, int) and repeat > 0 else 1)
    return prompt.least / 1e6 + 1.0 if prompt.length is None else prompt.length / 1e6


def _settings(plan: Plan, settings: Settings) -> dict[str, Any]:
    """What a call hangs on and is not as it is where nothing is set: a test is run on other machines, too."""
    found: dict[str, Any] = {}
    for section in _SETTINGS:
        values = without_defaults(getattr(settings, section))
        if values:
            found[section] = values
    calls = dict(found.get("calls", {}))
    if plan.ring_timeout is not None and abs(plan.ring_timeout - settings.calls.ring_timeout) > SETTLED_S:
        calls["ring_timeout"] = round(plan.ring_timeout, 1)
    own = (plan.flow or {}).get("maxDuration") is not None
    if plan.max_duration is not None and not own and round(plan.max_duration) != settings.calls.max_duration:
        calls["max_duration"] = max(1, round(plan.max_duration))
    return {**found, "calls": calls} if calls else found


def _web(answers: Sequence[AnswerPlan]) -> dict[str, list[Reply]]:
    found: dict[str, list[Reply]] = {}
    for answer in answers:
        entry, after = answer.entry, _s(answer.span)
        asked = answer.asked or ""
        replies = found.setdefault(asked if "://" in asked else entry.url.partition("?")[0], [])
        if entry.flow is not None:
            replies.append(Reply(flow=entry.flow, after=after))
        elif entry.cause in _FAILS:
            replies += [Reply(fails=_FAILS[entry.cause], after=round(after / 2, 3))] * (1 if entry.cause == "timeout" else 2)  # type: ignore[arg-type]
        elif entry.cause == "status" and entry.status is not None and entry.status >= 200:
            twice = entry.status >= _ASKED_TWICE and (entry.how == "fetch" or entry.status == 503)
            replies += [Reply(status=entry.status, after=round(after / 2 if twice else after, 3))] * (2 if twice else 1)
        else:
            replies.append(Reply(body="", after=after))
    return found


def _s(span_us: float) -> float:
    return round(span_us / 1e6, 3)
