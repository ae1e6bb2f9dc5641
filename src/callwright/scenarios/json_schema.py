"""The JSON Schema of scenarios, for editors, made of the very types that are read.

A text may be written as a number, such as a telephone number without quotes: in these places any scalar is text.
"""

from __future__ import annotations

from typing import Any

import msgspec

from callwright.flows import json_schema as flows
from callwright.scenarios.document import Scenario

TITLE = "Call flow scenarios"
_REF = "#/$defs/"


def json_schema() -> dict[str, Any]:
    """One scenario, or a list of them. Flows within are described as ``callwright flow schema`` does."""
    (scenario,), own = msgspec.json.schema_components([Scenario], ref_template=_REF + "{name}")
    own = msgspec.json.decode(msgspec.json.encode(own))
    flow = flows.json_schema()
    described = flow.pop("$defs")
    flow = {name: value for name, value in flow.items() if name not in ("$schema", "title")}
    definitions = {**{name: _with_scalars(one) for name, one in own.items()}, **described, "Flow": flow}
    assert len(definitions) == len(own) + len(described) + 1, "a scenario's part is called as a part of a flow is"
    whole = {"$ref": _REF + "Flow"}
    properties = {name: one["properties"] for name, one in definitions.items() if "properties" in one}
    properties["Scenario"]["flow"]["anyOf"] = [{"type": "string"}, whole]
    properties["Wish"]["replaces_flow"]["anyOf"] = [whole, {"type": "null"}]
    properties["Reply"]["flow"]["anyOf"] = [whole, {"type": "null"}]
    return {
        "$schema": flows.DIALECT,
        "title": TITLE,
        "anyOf": [scenario, {"type": "array", "items": scenario}],
        "$defs": dict(sorted(definitions.items())),
    }


def _with_scalars(part: Any) -> Any:
    """The same, with numbers wherever a text may stand that is none of a few words."""
    if isinstance(part, list):
        return [_with_scalars(one) for one in part]
    if not isinstance(part, dict):
        return part
    changed = {name: _with_scalars(value) for name, value in part.items()}
    if isinstance(told := changed.get("description"), str):
        changed["description"] = " ".join(told.split())
    if changed.get("type") == "string" and "enum" not in changed:
        changed["type"] = ["string", "number"]
    return changed
