"""The published JSON Schema of call flows, made of the very types that run.

It describes flows as they should be written. What is read is more: keys in any case, numbers and booleans as text, values
that are not set as null or empty (``docs/flows.md``).
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from callwright.flows.model import MAX_STEPS, OPTIONS, FlowHead, StepHead

TITLE = "Call flow"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PREFIX = "#/$defs/"
# A flow as descriptions of an interface show it.
EXAMPLE = {
    "title": "Front desk",
    "steps": [
        {"action": "say", "options": {"payload": "Welcome.", "voice": "female", "language": "en-GB"}},
        {"action": "hangup"},
    ],
}


def json_schema() -> dict[str, Any]:
    """One document; each action has a definition of its own: ``Say`` for ``say``."""
    kinds = [_kind(action) for action in OPTIONS]
    flow = msgspec.defstruct(
        "Flow",
        [
            (
                "steps",
                Annotated[list[reduce(or_, kinds)], Meta(description="Run in order.", min_length=1, max_length=MAX_STEPS)],  # type: ignore[misc]
            )
        ],
        bases=(FlowHead,),
        kw_only=True,
        rename="camel",
        frozen=True,
    )
    (schema,), definitions = msgspec.json.schema_components([flow], ref_template=_PREFIX + "{name}")
    assert schema["$ref"] == f"{_PREFIX}Flow"
    top = definitions.pop("Flow")
    document = {"$schema": DIALECT, **top, "title": TITLE, "$defs": dict(sorted(definitions.items()))}
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))  # defaults are tuples until then
    return plain


def _kind(action: str) -> type[msgspec.Struct]:
    options = OPTIONS[action]
    required = any(field.required for field in msgspec.structs.fields(options))
    field: Any = ("options", options) if required else ("options", options, msgspec.field(default_factory=options))
    return msgspec.defstruct(
        action[0].upper() + action[1:],
        [field],
        bases=(StepHead,),
        tag=action,
        tag_field="action",
        kw_only=True,
        rename="camel",
        frozen=True,
    )
