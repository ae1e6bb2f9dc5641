"""A scenario as it is written down: who calls whom, what everybody does, and what is expected of it.

Names are those of the file. Everything of an expectation that is left out is not looked at; lists are whole and in order.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from callwright.rehearsal.parties import Party, Seconds
from callwright.rehearsal.web import Reply

NUMBER = "31205550100"
CALLER = "31600000001"
CALLEE = "31612345678"
# A number, or a span: "12", "12.5", "10..14", "10..", "..14".
Span = Annotated[str, Meta(pattern=r"^ *[0-9.]+ *$|^ *[0-9.]* *\.\. *[0-9.]* *$")]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part of a scenario; a key that is not known is refused."""


class Caller(Party, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who calls the number of the flow: `source`, with a script."""

    source: str = CALLER


class Placed(Party, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call that is placed as by POST /calls, and the script of who is called."""

    source: str = NUMBER
    destination: str = CALLEE
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = msgspec.field(default_factory=dict)


class Wish(_Part, frozen=True, kw_only=True):
    """Something that is asked from outside, as over REST: `at` seconds after the call was made, one of the others.

    `leg` counts from 1; without it the whole call is hung up.
    """

    at: Seconds
    hangs_up: bool = False
    holds: bool = False
    resumes: bool = False
    adds: str = ""
    refers_to: str = ""
    replaces_flow: dict[str, Any] | None = None
    leg: int | None = None


class ExpectedLeg(_Part, frozen=True, kw_only=True):
    direction: str | None = None
    source: str | None = None
    destination: str | None = None
    status: str | None = None
    reason: str | None = None
    sip_code: int | None = None
    duration: Span | None = None


class ExpectedPrompt(_Part, frozen=True, kw_only=True):
    """A text that is spoken, whole, or a part of it with `contains`; or the `url` of a sound."""

    text: str | None = None
    contains: str | None = None
    url: str | None = None
    language: str | None = None
    leg: int | None = None
    at: Span | None = None
    seconds: Span | None = None
    outcome: str | None = None


class ExpectedRecording(_Part, frozen=True, kw_only=True):
    type: str | None = None
    status: str | None = None
    outcome: str | None = None
    seconds: Span | None = None
    heard: str | None = None
    leg: int | None = None


class ExpectedFetch(_Part, frozen=True, kw_only=True):
    """A request for a flow. Of `query` and `told`, the keys that are given are looked at."""

    url: str | None = None
    method: str | None = None
    query: dict[str, str] = {}
    told: dict[str, Any] = {}
    status: int | None = None
    fault: str | None = None
    at: Span | None = None


class ExpectedWebhook(_Part, frozen=True, kw_only=True):
    """A callback: its event, the status of the call, and those of its legs."""

    event: str | None = None
    status: str | None = None
    legs: list[str] | None = None
    at: Span | None = None


class Expected(_Part, frozen=True, kw_only=True):
    """What is to come of it. `spoken` may give a text as it is, `webhooks` a status or ``event status``."""

    status: str | None = None
    reason: str | None = None
    duration: Span | None = None
    legs: list[ExpectedLeg] | None = None
    spoken: list[ExpectedPrompt | str] | None = None
    steps: list[str] | None = None
    pressed: str | None = None
    keys_sent: list[str] | None = None
    variables: dict[str, str] | None = None
    recordings: list[ExpectedRecording] | None = None
    fetches: list[ExpectedFetch] | None = None
    webhooks: list[ExpectedWebhook | str] | None = None
    tags: list[str] | None = None
    metadata: dict[str, str] | None = None
    refused: int | None = None


class Scenario(_Part, frozen=True, kw_only=True):
    """`flow` is a file beside the scenario's, or the flow itself. A caller calls `number`, unless `call` is placed.

    `web` has what URLs (without query) answer, in turn; `sounds` how many seconds the sounds of URLs last, or the HTTP status
    they are refused with; `settings` is as in the settings file. `tolerance` is in seconds, for everything that is timed.
    """

    name: str
    description: str = ""
    flow: str | dict[str, Any]
    number: str = NUMBER
    caller: Caller | None = None
    call: Placed | None = None
    callees: dict[str, Party] = {}
    wishes: tuple[Wish, ...] = ()
    web: dict[str, list[Reply]] = {}
    sounds: dict[str, float | int] = {}
    settings: dict[str, Any] = {}
    tolerance: Seconds = 0.05
    expect: Expected = Expected()
