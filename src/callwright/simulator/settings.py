"""What the simulator is told: how fast its time runs and who answers how."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Number = Annotated[
    str, Meta(pattern=r"^[0-9]{1,20}$", examples=["31612345678"], extra={"allowed": "a number in digits, without +"})
]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]


class CalleeScript(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one simulated callee behaves. Times are simulated seconds."""

    answer_after: Annotated[
        Seconds,
        Meta(description="How long the callee rings before its outcome. Raise it to try ring timeouts."),
    ] = 1.0
    outcome: Annotated[
        Literal["answer", "busy", "no_answer", "fail"],
        Meta(description="What the callee does then. With no_answer it rings until the caller gives up."),
    ] = "answer"
    sip_code: Annotated[
        Annotated[int, Meta(ge=300, le=699)] | None,
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
        str,
        Meta(
            pattern=r"^[0-9*#A-D]{0,64}$",
            description="Keys the callee presses once it has answered. Set it to try flows that ask for digits.",
            extra={"allowed": "up to 64 of the keys 0-9, *, # and A-D"},
        ),
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
            "add one to try a busy, silent or talkative callee.",
        ),
    ] = {}
