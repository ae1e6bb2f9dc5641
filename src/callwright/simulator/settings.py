"""What the simulator is told: how fast its time runs and who answers how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from callwright.telephony import is_number, is_uri

Number = Annotated[
    str, Meta(pattern=r"^[0-9]{1,20}$", examples=["31612345678"], extra={"allowed": "a number in digits, without +"})
]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Keys = Annotated[str, Meta(pattern=r"^[0-9*#A-D]{0,64}$", extra={"allowed": "up to 64 of the keys 0-9, *, # and A-D"})]
Outcome = Literal["answer", "busy", "no_answer", "fail", "no_response"]
SipCode = Annotated[int, Meta(ge=300, le=699)]
MOST_ACTS = 100
# Outcomes that have a SIP code of their own.
REFUSES = ("busy", "fail")

# What an act may do, by the names of a script. How long somebody speaks may stand beside what is said.
DOES = ("press", "says", "beeps", "holds", "resumes", "transfers_to", "hangs_up")


def no_target(text: str) -> str | None:
    """Why nobody can be transferred there."""
    if not text or is_number(text) or is_uri(text):
        return None
    return "must be a number such as 31612345678, or a URI such as sip:user@host"


class Act(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that a party does. Times are simulated seconds."""

    at: Annotated[
        Seconds,
        Meta(description="How long after the answer it is done; with when_asked, after the flow has asked.", examples=[2.0]),
    ] = 0.0
    when_asked: Annotated[
        bool,
        Meta(
            description="Wait until the flow asks: keys are pressed just before the end of a prompt that listens for keys; "
            "anything is done once the flow is silent after a prompt. One such act is done for a prompt, in their order; "
            "while the flow records, those that speak come first."
        ),
    ] = False
    press: Annotated[Keys, Meta(description="Keys it presses, one after the other.", examples=["1"])] = ""
    says: Annotated[
        str,
        Meta(max_length=1_000, description="A text it says, which takes as long as our voices would need."),
    ] = ""
    speaks_for: Annotated[
        Seconds, Meta(description="How long it speaks, with a text or without; 0 is as long as the text takes.")
    ] = 0.0
    beeps: Annotated[bool, Meta(description="Whether it beeps, as a machine does before it records.")] = False
    holds: Annotated[bool, Meta(description="Whether it puts us on hold.")] = False
    resumes: Annotated[bool, Meta(description="Whether it takes us off hold.")] = False
    transfers_to: Annotated[
        str,
        Meta(
            max_length=256,
            description="A number or URI that it asks us to connect the other party with (SIP REFER).",
            extra={"check": no_target},
        ),
    ] = ""
    hangs_up: Annotated[bool, Meta(description="Whether it hangs up.")] = False

    @property
    def speaks(self) -> bool:
        return bool(self.says or self.speaks_for)

    def fault(self) -> str | None:
        """What is wrong with it, if anything."""
        done = [name for name in DOES if getattr(self, name)]
        if len(done) > 1:
            return f"must do one thing each; this one has {' and '.join(done)}"
        if not done and not self.speaks_for:
            return f"must do something: one of {', '.join(DOES)}"
        if self.speaks_for and not self.says and done:
            return f"must do one thing each; this one has speaks_for and {done[0]}"
        return None


def acts_fault(acts: Sequence[Act]) -> str | None:
    """What is wrong with acts, if anything: the first fault, with its place from 1."""
    if len(acts) > MOST_ACTS:
        return f"must be at most {MOST_ACTS}; there are {len(acts)}"
    return next((f"{fault} (act {n})" for n, act in enumerate(acts, 1) if (fault := act.fault())), None)


class CalleeScript(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one simulated callee behaves. Times are simulated seconds."""

    answer_after: Annotated[
        Seconds,
        Meta(description="How long the callee rings before its outcome. Raise it to try ring timeouts."),
    ] = 1.0
    outcome: Annotated[
        Outcome,
        Meta(
            description="What the callee does then. With no_answer it rings until the caller gives up; with no_response "
            "nothing is ever heard of it, which is found out after 32 s."
        ),
    ] = "answer"
    sip_code: Annotated[
        SipCode | None,
        Meta(
            description="The final SIP code of a callee that is busy or fails; without it 486 and 503. "
            "Set it to try other refusals.",
            examples=[486],
        ),
    ] = None
    hangup_after: Annotated[
        Seconds | None,
        Meta(description="How long after its answer the callee hangs up; without it, it stays.", examples=[30.0]),
    ] = None
    digits: Annotated[
        Keys,
        Meta(description="Keys the callee presses once it has answered. Set it to try flows that ask for digits."),
    ] = ""
    digits_after: Annotated[Seconds, Meta(description="How long after its answer the callee presses the first key.")] = 0.5
    digit_gap: Annotated[Seconds, Meta(description="The pause from one key to the next.")] = 0.3
    early_media: Annotated[bool, Meta(description="Whether the callee can be heard before it answers.")] = False
    speaks_after: Annotated[
        Seconds | None,
        Meta(
            description="How long after its answer the callee begins to speak; without it, it says nothing. "
            "Set it to try recordings that end with silence.",
            examples=[1.0],
        ),
    ] = None
    speaks_for: Annotated[Seconds, Meta(description="How long the callee speaks then.")] = 2.0
    greeting: Annotated[
        Seconds,
        Meta(
            description="How long an answering machine speaks, which is what answers. "
            "Set it, and beep, to try flows that tell machines from people.",
        ),
    ] = 0.0
    beep: Annotated[
        Seconds | None,
        Meta(description="When after the answer the machine has beeped; without it, it does not.", examples=[8.5]),
    ] = None
    takes_transfers: Annotated[
        bool,
        Meta(description="Whether the callee's phone calls somebody else when it is asked to (a blind transfer by SIP REFER)."),
    ] = True
    acts: Annotated[
        tuple[Act, ...],
        Meta(
            description="What else the callee does once it has answered: one such table for each thing.",
            extra={"check": acts_fault},
        ),
    ] = ()

    @property
    def final_code(self) -> int:
        """The SIP code of its refusal."""
        return self.sip_code or (486 if self.outcome == "busy" else 503)

    def plan(self) -> list[Act]:
        """All that it does once it has answered, its short forms among them."""
        plan = [Act(speaks_for=self.greeting)] if self.greeting else []
        if self.beep is not None:
            plan.append(Act(at=self.beep, beeps=True))
        if self.speaks_after is not None:
            plan.append(Act(at=self.speaks_after, speaks_for=self.speaks_for))
        if self.digits:
            plan.append(Act(at=self.digits_after, press=self.digits))
        if self.hangup_after is not None:
            plan.append(Act(at=self.hangup_after, hangs_up=True))
        return [*plan, *self.acts]


def callees_fault(callees: Mapping[str, CalleeScript]) -> str | None:
    """Who never answers can do nothing afterwards, and who answers refuses nothing."""
    kind = next((number for number, script in callees.items() if script.sip_code and script.outcome not in REFUSES), None)
    if kind is not None:
        return (
            f'{kind} has sip_code = {callees[kind].sip_code}, and does not refuse (outcome = "{callees[kind].outcome}"); '
            'set outcome = "fail", or take the code away'
        )
    idle = next((number for number, script in callees.items() if script.acts and script.outcome != "answer"), None)
    if idle is None:
        return None
    return (
        f'{idle} never answers (outcome = "{callees[idle].outcome}"), so that it does none of its acts; '
        'take them away, or set outcome = "answer"'
    )


class SimulatorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The simulated telephone network that test keys call into."""

    speed: Annotated[
        float,
        Meta(
            gt=0,
            le=1000,
            description="How many simulated seconds pass in a real one. Raise it when a test should not wait for a 30 s ring.",
        ),
    ] = 1.0
    callees: Annotated[
        dict[Number, CalleeScript],
        Meta(
            description="Scripts by called number. A number without one answers after a second and stays; "
            "add one to try a busy, silent or talkative callee. docs/simulator.md has numbers that need none.",
            extra={"check": callees_fault},
        ),
    ] = {}
