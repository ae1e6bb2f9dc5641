"""Call flows as values (contract §2.3): the types that run, and from which the published JSON Schema is made.

Bounds stand with the fields as ``minimum`` and ``maximum`` of the schema; `callwright.flows.rules` holds values to them.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from callwright.calls.labels import MOST_METADATA, NAME_PATTERN

KEYS = frozenset("0123456789*#ABCD")
OPERATORS = frozenset({"==", "eq", "!=", "neq", ">", "<", ">=", "<=", "contains"})
MAX_STEPS = 500
MAX_DIGITS = 64
MAX_NAME = 64
_NANOSECONDS = 1_000_000_000

IfMachine = Literal["continue", "delay", "hangup"]
MachineTimeout = Annotated[
    int | None,
    Meta(
        description="Milliseconds to find out who answered, 7000 unless set otherwise.",
        extra_json_schema={"minimum": 400, "maximum": 10_000},
        extra={"unit": "milliseconds"},
    ),
]
_TO_TEN_SECONDS = {"minimum": 1, "maximum": 10_000}
Limit = Annotated[
    int | None,
    Meta(
        description="Seconds, 0 for no limit; from 1000000000 on nanoseconds.",
        extra_json_schema={"minimum": 0},
        extra={"unit": "seconds"},
    ),
]


class Options(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The options of a step; each action has a kind of its own."""


class TransferOptions(Options, frozen=True, kw_only=True, rename="camel"):
    """Whom to call, and how; ringTimeout is Callwright's own."""

    destination: Annotated[str, Meta(description="A telephone number, or a sip: or client: URI.")]
    record: Annotated[
        Literal["in", "out", "both"] | None,
        Meta(description="Record what the called party says, what the caller says, or each on its own."),
    ] = None
    mask: Annotated[bool, Meta(description="Show the number that was called in place of the caller's.")] = False
    if_machine: Annotated[
        str | None,  # one of the vendor's libraries sends what it likes; what is not known is ignored
        Meta(
            description="What to do when a machine answers; nothing is done unless it is given.",
            extra_json_schema={"enum": [*get_args(IfMachine), None]},
        ),
    ] = None
    machine_timeout: MachineTimeout = None
    ring_timeout: Annotated[
        int | None,
        Meta(
            description="Seconds the called party may ring.",
            extra_json_schema={"minimum": 5, "maximum": 300},
            extra={"unit": "seconds"},
        ),
    ] = None


class SayOptions(Options, frozen=True, kw_only=True, rename="camel"):
    """What to say, and how."""

    payload: Annotated[str, Meta(description="The text.")]
    language: Annotated[str | None, Meta(description="A language tag such as en-GB.")] = None
    voice: Annotated[str | None, Meta(description="male or female; a preference.")] = None
    repeat: Annotated[
        int,
        Meta(
            description="How often the text is said.",
            extra_json_schema={"minimum": 1, "maximum": 10},
            extra={"unit": "times"},
        ),
    ] = 1
    if_machine: Annotated[
        IfMachine | None, Meta(description="What to do when a machine answered a call that was placed through the API.")
    ] = None
    machine_timeout: MachineTimeout = None


class PlayOptions(Options, frozen=True, kw_only=True, rename="camel"):
    """What to play."""

    media: Annotated[str | tuple[str, ...], Meta(description="One URL or several; file:NAME is a sound of the operator.")]

    @property
    def urls(self) -> tuple[str, ...]:
        return (self.media,) if isinstance(self.media, str) else self.media


class PauseOptions(Options, frozen=True, kw_only=True, rename="camel"):
    """How long to keep silence."""

    length: Annotated[
        float,
        Meta(description="Seconds.", extra_json_schema={"minimum": 0, "maximum": 86_400}, extra={"unit": "seconds"}),
    ]


class RecordOptions(Options, frozen=True, kw_only=True, rename="camel"):
    """How long to record the caller, and what becomes of it; beep is Callwright's own."""

    max_length: Limit = None
    timeout: Annotated[
        int | None,
        Meta(
            description="Seconds of silence that end the recording, 0 for none; from 1000000000 on nanoseconds.",
            extra_json_schema={"minimum": 0},
            extra={"unit": "seconds"},
        ),
    ] = None
    finish_on_key: Annotated[str | None, Meta(description="any, none, or the keys that end the recording.")] = None
    beep: Annotated[bool | None, Meta(description="Whether a tone is heard first; it is unless this is false.")] = None
    transcribe: Annotated[bool, Meta(description="Whether the recording is written down.")] = False
    transcribe_language: Annotated[str | None, Meta(description="The language it is in, such as en-US.")] = None
    on_finish: Annotated[
        str | None, Meta(description="A URL to post the recording to; its answer is the flow that continues the call.")
    ] = None


class FetchCallFlowOptions(Options, frozen=True, kw_only=True, rename="camel"):
    """Where the flow is that takes the place of this one."""

    url: Annotated[str, Meta(description="It is asked with GET; steps after this one are ignored.")]


class SendKeysOptions(Options, frozen=True, kw_only=True, rename="camel"):
    """Keys to press towards the caller."""

    keys: Annotated[
        str,
        Meta(
            description="0-9, *, #, A-D; w and a comma are pauses.",
            extra_json_schema={"pattern": "^[0-9*#ABCDabcdWw, ]+$", "maxLength": 256},
        ),
    ]
    duration: Annotated[
        int | None,
        Meta(
            description="Milliseconds that each key sounds.",
            extra_json_schema=_TO_TEN_SECONDS,
            extra={"unit": "milliseconds"},
        ),
    ] = None
    interval: Annotated[
        int | None,
        Meta(
            description="Milliseconds of silence between keys.",
            extra_json_schema=_TO_TEN_SECONDS,
            extra={"unit": "milliseconds"},
        ),
    ] = None


Tags = Annotated[
    str | tuple[str, ...],
    Meta(description="Several, or a text of them with commas between. {{NAME}} stands for what a variable holds."),
]


class TagOptions(Options, frozen=True, kw_only=True, rename="camel"):
    """What to write on the call's record; the whole step is Callwright's own."""

    tags: Tags = ()
    remove: Tags = ()
    metadata: Annotated[
        dict[str, str | None],
        Meta(
            description="Texts by name; null takes one away. {{NAME}} stands for what a variable holds.",
            extra_json_schema={"propertyNames": {"pattern": NAME_PATTERN}, "maxProperties": MOST_METADATA},
        ),
    ] = {}


class HangupOptions(Options, frozen=True, kw_only=True, rename="camel"):
    """Nothing: the call ends."""


OPTIONS: dict[str, type[Options]] = {
    "transfer": TransferOptions,
    "say": SayOptions,
    "play": PlayOptions,
    "pause": PauseOptions,
    "record": RecordOptions,
    "fetchCallFlow": FetchCallFlowOptions,
    "sendKeys": SendKeysOptions,
    "tag": TagOptions,
    "hangup": HangupOptions,
}
# Keys may stand in `options` too (contract §2.3.1).
KEYS_IN_OPTIONS = ("endKey", "maxNumKeys")
# What cannot be disturbed by keys: nothing is heard, it takes no time, or what comes next is already being fetched.
DEAF = frozenset({"hangup", "fetchCallFlow", "tag"})


class Condition(msgspec.Struct, frozen=True):
    """Something that must hold of a variable; one that nobody set is an empty string."""

    variable: str
    operator: Annotated[str, Meta(extra_json_schema={"enum": sorted(OPERATORS)})]
    value: str


class StepHead(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a step may have whatever its action."""

    id: Annotated[str, Meta(description="Unique in the flow; made when it is not given.")] = ""
    conditions: Annotated[tuple[Condition, ...], Meta(description="All must hold, or the step is left out.")] = ()
    on_keypress_goto: Annotated[str | None, Meta(description="The id of the step to go to when keys were pressed.")] = None
    on_keypress_var: Annotated[
        str | None,
        Meta(description="The variable that receives the keys.", extra_json_schema={"maxLength": MAX_NAME}),
    ] = None
    end_key: Annotated[
        str | None,
        Meta(description="The key that ends what is keyed in.", extra_json_schema={"pattern": "^[0-9*#ABCDabcd]$"}),
    ] = None
    max_num_keys: Annotated[
        int | None,
        Meta(
            description="How many keys there are; 1, or no limit with endKey.",
            extra_json_schema={"minimum": 1, "maximum": MAX_DIGITS},
            extra={"unit": "keys"},
        ),
    ] = None


class Step(StepHead, frozen=True, kw_only=True, rename="camel"):
    """A step ready to run."""

    action: str
    options: Options

    @property
    def hears_keys(self) -> bool:
        """Whether keys mean anything while it runs."""
        named = self.on_keypress_goto or self.on_keypress_var or self.end_key or self.max_num_keys
        return bool(named) and self.action not in DEAF


class FlowHead(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a flow may have besides its steps."""

    title: Annotated[str | None, Meta(description="Deprecated; kept and returned.")] = None
    record: Annotated[bool, Meta(description="Record the whole call.")] = False
    default: Annotated[bool, Meta(description="Answer the numbers that have no flow of their own.")] = False
    max_duration: Annotated[
        int | None,
        Meta(
            description="Seconds the call may last from its first answer.",
            extra_json_schema={"minimum": 1},
            extra={"unit": "seconds"},
        ),
    ] = None


class Flow(FlowHead, frozen=True, kw_only=True, rename="camel"):
    """A flow ready to run."""

    steps: tuple[Step, ...]


def seconds_of(value: int | None) -> float | None:
    """The limits of a record step: seconds, but from 1,000,000,000 on nanoseconds (contract §2.3.2); 0 is no limit."""
    if not value:
        return None
    return float(value) if value < _NANOSECONDS else value / _NANOSECONDS


def stop_keys_of(finish_on_key: str | None) -> str:
    """The keys that end a recording: ``any``, ``none`` or the keys themselves."""
    named = (finish_on_key or "none").lower()
    return "".join(sorted(KEYS)) if named == "any" else "" if named == "none" else named.upper()
