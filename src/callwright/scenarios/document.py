"""A scenario as it is written down: who calls whom, what everybody does, and what is expected of it.

Names are those of the file. Everything of an expectation that is left out is not looked at; lists are whole and in order.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from callwright.calls.events import CREATED, UPDATED
from callwright.calls.model import CallStatus, Direction, LegStatus
from callwright.plain import not_plain
from callwright.reasons import Reason
from callwright.recordings.model import RecordingStatus, RecordingType
from callwright.rehearsal.parties import Address, Party
from callwright.rehearsal.prompts import SoundReply
from callwright.rehearsal.web import Reply
from callwright.scenarios.spans import misread
from callwright.simulator.settings import Seconds
from callwright.telephony import PlayOutcome, RecordOutcome

NUMBER = "31205550100"
CALLER = "31600000001"
CALLEE = "31612345678"


def _one_of(words: type[Enum] | Iterable[str], description: str) -> Meta:
    """A text that is one of some words."""
    known = [word.value if isinstance(word, Enum) else word for word in words]
    return Meta(description=description, extra={"words": known}, extra_json_schema={"enum": known})


Span = Annotated[
    str,
    Meta(
        pattern=r"^ *[0-9]+(\.[0-9]+)? *$|^ *[0-9]+(\.[0-9]+)? *\.\.( *[0-9]+(\.[0-9]+)?)? *$|^ *\.\. *[0-9]+(\.[0-9]+)? *$",
        description="Seconds, to the tolerance, or a span such as 10..14, 10.. or ..14.",
        extra={"allowed": "a number of seconds such as 12.5, or a span such as 10..14, 10.. or ..14", "check": misread},
    ),
]
KeysInARow = Annotated[
    str, Meta(pattern=r"^[0-9*#A-D]*$", extra={"allowed": "keys in a row, of 0-9, *, # and A-D, without blanks"})
]
At = Annotated[Span | None, Meta(description="When it began, in seconds since the call was made; a number or a span.")]
Counted = Annotated[
    Annotated[int, Meta(ge=1, le=100)] | None,
    Meta(description="The leg, counted from 1: the first is the caller's, or callee's."),
]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part of a scenario; a key that is not known is refused."""


class Caller(Party, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who calls the number of the flow, and what they do."""

    source: Annotated[Address, Meta(description="The caller's number.")] = CALLER


class Placed(Party, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call that is placed as by POST /calls, and what those do who are called."""

    source: Annotated[Address, Meta(description="The number the call comes from.")] = NUMBER
    destination: Annotated[Address, Meta(description="The number or sip: address that is called.")] = CALLEE
    tags: Annotated[tuple[str, ...], Meta(description="Tags the call is placed with.")] = ()
    metadata: Annotated[dict[str, str], Meta(description="Texts by name the call is placed with.")] = msgspec.field(
        default_factory=dict
    )


class Wish(_Part, frozen=True, kw_only=True):
    """Something that is asked from outside, as over REST. Exactly one thing, besides `at` and `leg`."""

    at: Annotated[Seconds, Meta(description="When, in seconds after the call was made.")]
    hangs_up: Annotated[bool, Meta(description="Hang up the leg, or without one the whole call.")] = False
    holds: Annotated[bool, Meta(description="Put the leg on hold.")] = False
    resumes: Annotated[bool, Meta(description="Take the leg off hold.")] = False
    adds: Annotated[Address | None, Meta(description="Call somebody into the conversation.")] = None
    refers_to: Annotated[Address | None, Meta(description="Ask the far end of the leg to call somebody else.")] = None
    replaces_flow: Annotated[
        dict[str, Any] | None, Meta(description="Put this flow in the place of what remains of the call's.")
    ] = None
    leg: Counted = None

    @property
    def what(self) -> str:
        """What is asked for, in a word or two."""
        words = {"hangs_up": "hang up", "holds": "hold", "resumes": "resume", "replaces_flow": "another flow"}
        words |= {"adds": f"add {self.adds}", "refers_to": f"refer to {self.refers_to}"}
        return next((word for name, word in words.items() if getattr(self, name)), "nothing")


class ExpectedLeg(_Part, frozen=True, kw_only=True):
    """A leg at its end."""

    direction: Annotated[str | None, _one_of(Direction, "Whether it came in or went out.")] = None
    source: Annotated[Address | None, Meta(description="The number it comes from.")] = None
    destination: Annotated[Address | None, Meta(description="The number it goes to.")] = None
    status: Annotated[str | None, _one_of(LegStatus, "Its last status.")] = None
    reason: Annotated[str | None, _one_of(Reason, "Why it ended.")] = None
    sip_code: Annotated[Annotated[int, Meta(ge=100, le=699)] | None, Meta(description="Its final SIP code.")] = None
    duration: Annotated[Span | None, Meta(description="From its answer to its end; 0 where there was no answer.")] = None


class ExpectedPrompt(_Part, frozen=True, kw_only=True):
    """A text that somebody hears, or a sound."""

    text: Annotated[str | None, Meta(description="What is spoken, whole; blanks and line ends count alike.")] = None
    contains: Annotated[str | None, Meta(description="A part of what is spoken, in any case of letters.")] = None
    url: Annotated[str | None, Meta(description="The URL of a sound that is played.")] = None
    language: Annotated[str | None, Meta(description="The language it is spoken in.")] = None
    leg: Counted = None
    at: At = None
    seconds: Annotated[Span | None, Meta(description="How long it was heard.")] = None
    outcome: Annotated[
        str | None, _one_of(PlayOutcome, "How it ended: done, stopped, with a digit that was pressed, failed.")
    ] = None


class ExpectedRecording(_Part, frozen=True, kw_only=True):
    """A recording, once it is over."""

    type: Annotated[str | None, _one_of(RecordingType, "What made it: a record step (ivr), a transfer, the flow (call).")] = (
        None
    )
    status: Annotated[str | None, _one_of(RecordingStatus, "Its last status.")] = None
    outcome: Annotated[str | None, _one_of(RecordOutcome, "What ended it.")] = None
    seconds: Annotated[Span | None, Meta(description="Its length.")] = None
    heard: Annotated[str | None, Meta(description="What the party of the leg said meanwhile, by its script.")] = None
    leg: Counted = None
    at: At = None


class ExpectedFetch(_Part, frozen=True, kw_only=True):
    """A request for a flow."""

    url: Annotated[str | None, Meta(description="The URL, without its query.")] = None
    method: Annotated[str | None, _one_of(("GET", "POST"), "GET for fetchCallFlow, POST for onFinish.")] = None
    query: Annotated[dict[str, str], Meta(description="Of its query, the keys that are looked at.")] = {}
    told: Annotated[dict[str, Any], Meta(description="Of its body (a recording), the keys that are looked at.")] = {}
    status: Annotated[Annotated[int, Meta(ge=0, le=599)] | None, Meta(description="The HTTP status of the answer.")] = None
    fault: Annotated[str | None, Meta(description="A part of the sentence that says why there was no answer.")] = None
    at: At = None


class ExpectedWebhook(_Part, frozen=True, kw_only=True):
    """A callback about the call."""

    event: Annotated[str | None, _one_of((CREATED, UPDATED), "The event.")] = None
    status: Annotated[str | None, Meta(description="The status in its payload.")] = None
    legs: Annotated[list[str] | None, Meta(description="The statuses of the call's legs in its payload, oldest first.")] = None
    at: At = None


class Expected(_Part, frozen=True, kw_only=True):
    """What is to come of the call. What is left out is not looked at; lists are whole and in order."""

    status: Annotated[str | None, _one_of(CallStatus, "The call's last status.")] = None
    reason: Annotated[str | None, _one_of(Reason, "Why it ended: the reason of its first leg.")] = None
    duration: Annotated[Span | None, Meta(description="From the first answer to the end; 0 where there was no answer.")] = None
    ends: Annotated[Span | None, Meta(description="When it is over, in seconds since the call was made.")] = None
    legs: Annotated[list[ExpectedLeg] | None, Meta(description="Its legs, oldest first.")] = None
    spoken: Annotated[
        list[ExpectedPrompt | str] | None, Meta(description="What is spoken and played to anybody; a text stands for itself.")
    ] = None
    steps: Annotated[list[str] | None, Meta(description="The steps that run, each by its id or its action.")] = None
    pressed: Annotated[KeysInARow | None, Meta(description="The keys that arrive, in a row.")] = None
    keys_sent: Annotated[list[str] | None, Meta(description="What each sendKeys step presses.")] = None
    variables: Annotated[
        dict[str, str] | None, Meta(description='Variables at the end, those that are looked at; "" is one nobody set.')
    ] = None
    recordings: Annotated[list[ExpectedRecording] | None, Meta(description="Its recordings, oldest first.")] = None
    fetches: Annotated[list[ExpectedFetch] | None, Meta(description="Requests for flows, with those that failed.")] = None
    webhooks: Annotated[
        list[ExpectedWebhook | str] | None,
        Meta(description="Callbacks about the call: a status, an event, or both as in `callUpdated ended`."),
    ] = None
    tags: Annotated[list[str] | None, Meta(description="All tags at the end, in any order.")] = None
    metadata: Annotated[dict[str, str] | None, Meta(description="Metadata at the end, the names that are looked at.")] = None
    refused: Annotated[
        Annotated[int, Meta(ge=300, le=699)] | None,
        Meta(description="There is no call: the SIP code a caller is turned away with, or the HTTP status of POST /calls."),
    ] = None


class Scenario(_Part, frozen=True, kw_only=True):
    """A call, with its parties and the web services it asks, and what is to come of it."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=200,
            description="What it is called in reports.",
            extra={"allowed": "a text on one line", "check": not_plain, "stripped": True},
        ),
    ]
    description: Annotated[str, Meta(description="Whatever is to be said about it.")] = ""
    flow: Annotated[
        str | dict[str, Any], Meta(description="The flow: a file of JSON or XML beside this one, or the flow itself.")
    ]
    number: Annotated[Address, Meta(description="The number that has the flow.")] = NUMBER
    caller: Annotated[Caller | None, Meta(description="Who calls the number. Without it, and without call, somebody does.")] = (
        None
    )
    call: Annotated[Placed | None, Meta(description="A call that is placed, in place of a caller.")] = None
    callees: Annotated[
        dict[str, Party],
        Meta(description="Who answers at a number the call is transferred to; anybody else answers and stays."),
    ] = {}
    wishes: Annotated[tuple[Wish, ...], Meta(description="What is asked from outside while the call is up.")] = ()
    web: Annotated[
        dict[str, list[Reply]],
        Meta(
            description="What URLs (without query) answer to fetchCallFlow and onFinish, in turn; the last one again and again."
        ),
    ] = {}
    sounds: Annotated[
        dict[str, SoundReply | Seconds],
        Meta(description="How many seconds the sounds of URLs last, three without it; or how they are refused."),
    ] = {}
    settings: Annotated[dict[str, Any], Meta(description="Settings by section, as in the settings file.")] = {}
    tolerance: Annotated[Seconds, Meta(description="How much everything that is timed may be beside, in seconds.")] = 0.05
    expect: Annotated[Expected, Meta(description="What is to come of it.")] = Expected()
