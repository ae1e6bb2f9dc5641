"""The published JSON Schema: it takes what may be saved, and refuses what cannot."""

from __future__ import annotations

from typing import Any

import pytest

from callwright.flows.json_schema import json_schema
from callwright.flows.model import KEYS, OPTIONS
from support.flow_strategies import bodies
from support.fuzzing import fuzzed
from support.json_schema import faults

SCHEMA = json_schema()


@fuzzed(body=bodies())
def test_it_takes_every_flow_that_runs(body: dict[str, Any]) -> None:
    assert faults(body, SCHEMA) == []


def test_it_has_every_action_and_option() -> None:
    definitions = SCHEMA["$defs"]
    assert set(SCHEMA["properties"]) == {"title", "record", "default", "maxDuration", "steps"}
    for action in OPTIONS:
        kind = definitions[action[0].upper() + action[1:]]
        assert kind["properties"]["action"] == {"enum": [action]}
        assert set(kind["properties"]) == {
            *("id", "action", "options", "conditions"),
            *("onKeypressGoto", "onKeypressVar", "endKey", "maxNumKeys"),
        }
    assert set(definitions["RecordOptions"]["properties"]) == {
        *("maxLength", "timeout", "finishOnKey", "beep", "transcribe", "transcribeLanguage", "onFinish")
    }


def test_every_option_is_described() -> None:
    options = [one for name, one in SCHEMA["$defs"].items() if name.endswith("Options")]
    described = [field for one in options for field in one["properties"].values()]
    assert all("description" in field for field in described if field)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, "$ lacks steps"),
        ({"steps": []}, "$.steps is too short"),
        ({"steps": [{"action": "hangup"}] * 501}, "$.steps is too long"),
        ({"steps": [{"action": "dance"}]}, "$.steps[0].action is none of"),
        ({"steps": [{"action": "say", "options": {}}]}, "$.steps[0].options lacks payload"),
        ({"steps": [{"action": "say"}]}, "$.steps[0] lacks options"),
        ({"steps": [{"action": "say", "options": {"payload": "x", "repeat": 11}}]}, "$.steps[0].options.repeat is too large"),
        ({"steps": [{"action": "hangup", "endKey": "##"}]}, "$.steps[0].endKey does not match"),
        ({"steps": [{"action": "hangup", "maxNumKeys": 0}]}, "$.steps[0].maxNumKeys is too small"),
        ({"steps": [{"action": "sendKeys", "options": {"keys": "x"}}]}, "$.steps[0].options.keys does not match"),
        ({"steps": [{"action": "tag", "options": {"metadata": {"a": 42}}}]}, "$.steps[0].options.metadata.a"),
        ({"steps": [{"action": "hangup"}], "maxDuration": 0}, "$.maxDuration is too small"),
    ],
)
def test_it_refuses_what_cannot_be_saved(body: dict[str, Any], fault: str) -> None:
    assert any(fault in one for one in faults(body, SCHEMA))


def test_its_patterns_know_the_keys() -> None:
    for key in KEYS:
        assert faults({"steps": [{"action": "hangup", "endKey": key}]}, SCHEMA) == []
