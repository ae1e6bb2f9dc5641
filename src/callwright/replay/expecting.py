"""What is expected of an exported scenario: what is on record, and never what its simulation came to instead."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from callwright.calls import journal
from callwright.calls.model import Call, Leg
from callwright.calls.replay import rebuild
from callwright.calls.rows import Told
from callwright.rehearsal.outcome import Outcome
from callwright.replay.plan import Plan, PromptPlan
from callwright.scenarios.comparing import differences
from callwright.scenarios.document import Expected, ExpectedLeg, ExpectedPrompt, ExpectedRecording, Scenario

REFUSED = 300  # an HTTP status from here on


def breaks_off(plan: Plan) -> bool:
    """Whether the record has no end of the call: it was killed with its server, or is up still."""
    call, _ = _rows(plan)
    return call.live


def of_record(plan: Plan, scenario: Scenario, outcome: Outcome) -> Expected:
    """What is on record. `outcome` is that of the simulation: callbacks, which are on no journal, are taken from it where
    it went as the record has it. Of a record that breaks off no end is expected.
    """
    call, legs = _rows(plan)
    expected = Expected(
        status=None if call.live else call.status.value,
        reason=None if call.live or call.reason is None else call.reason.value,
        legs=[_leg(leg) for leg in legs],
        spoken=_spoken(plan, outcome),
        steps=[line.entry.step for line in plan.lines if isinstance(line.entry, journal.StepStarted)],
        pressed="".join(line.entry.digit for line in plan.lines if isinstance(line.entry, journal.DigitPressed)),
        variables=_variables(plan, outcome) or None,
        recordings=_recordings(plan) or ([] if outcome.recordings else None),
    )
    if call.live or differences(replace(scenario, expect=expected), outcome):
        return expected
    of_simulation = of_outcome(outcome)
    labelled = outcome.call.tags == call.tags and outcome.call.metadata == call.metadata  # no scenario can write labels
    return replace(
        expected,
        webhooks=of_simulation.webhooks,
        tags=of_simulation.tags if labelled else None,
        metadata=of_simulation.metadata if labelled else None,
    )


def of_outcome(outcome: Outcome) -> Expected:
    """What a call came to in simulation: of another flow than the call had, there is no record."""
    call = outcome.call
    return Expected(
        status=call.status.value,
        reason=None if call.reason is None else call.reason.value,
        legs=[_leg(leg) for leg in outcome.legs],
        spoken=_heard(outcome),
        steps=[line.entry.step for line in outcome.journal if isinstance(line.entry, journal.StepStarted)],
        pressed="".join(one.key for one in outcome.pressed),
        variables=outcome.variables or None,
        recordings=[ExpectedRecording(type=one.type, outcome=one.outcome, leg=one.leg) for one in outcome.recordings] or None,
        webhooks=[f"{one.event} {one.payload['status']}" for one in outcome.webhooks if "status" in one.payload] or None,
        tags=list(call.tags) or None,
        metadata=dict(call.metadata) or None,
    )


def _rows(plan: Plan) -> tuple[Call, list[Leg]]:
    return rebuild(Told(line.index, line.at_us, line.entry) for line in plan.lines)


def _leg(leg: Leg) -> ExpectedLeg:
    """Of a leg that is up where its record breaks off, no end is expected."""
    return ExpectedLeg(
        direction=leg.direction.value,
        destination=leg.destination,
        status=None if leg.ended_us is None else leg.status.value,
        reason=None if leg.reason is None else leg.reason.value,
    )


def _variables(plan: Plan, outcome: Outcome) -> dict[str, str]:
    """Those on record; one that is set in simulation alone is expected not to be."""
    found = [line.entry for line in plan.lines if isinstance(line.entry, journal.VariableSet)]
    return {**dict.fromkeys(outcome.variables, ""), **{entry.variable: entry.value for entry in found}}


def _spoken(plan: Plan, outcome: Outcome) -> list[ExpectedPrompt | str]:
    """What steps had somebody hear. Simulation tells what is on no record: whether a prompt that was broken off had begun,
    and the server's own sentences.
    """
    said = [(text, prompt.length is not None) for prompt in plan.prompts.values() if (text := _said(prompt)) is not None]
    texts, whole, heard = [text for text, _ in said], [text for text, to_its_end in said if to_its_end], _heard(outcome)
    fits = _within(whole, heard) and _within([text for text in heard if text in texts], texts)
    return heard if fits else texts


def _within(few: Sequence[ExpectedPrompt | str], many: Sequence[ExpectedPrompt | str]) -> bool:
    """Whether all of the one are in the other, in their order."""
    rest = iter(many)
    return all(one in rest for one in few)


def _said(prompt: PromptPlan) -> ExpectedPrompt | str | None:
    options = prompt.step.get("options") or {}
    match prompt.step.get("action"):
        case "say" if not prompt.fault:
            return str(options.get("payload", ""))
        case "play":
            media = options.get("media")
            named = [str(media[0])] if isinstance(media, list) and media else [str(media)] if media else []
            fetched = [sound.url for sound in prompt.fetched if not sound.status or sound.status < REFUSED]
            urls = fetched or ([] if prompt.fault else named)
            return ExpectedPrompt(url=urls[0]) if urls else None
    return None


def _heard(outcome: Outcome) -> list[ExpectedPrompt | str]:
    return [one.text if one.text else ExpectedPrompt(url=one.url) for one in outcome.spoken]


def _recordings(plan: Plan) -> list[ExpectedRecording]:
    made = [line.entry for line in plan.lines if isinstance(line.entry, journal.RecordingMade)]
    return [
        ExpectedRecording(type=entry.type, outcome=None if one.end is None else one.end.outcome, leg=one.leg)
        for entry, one in zip(made, plan.recordings, strict=True)
    ]
