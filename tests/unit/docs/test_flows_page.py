"""Every example of the pages on flows and on privacy is a flow that runs, and the page on flows names all there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callwright.dialect import decode
from callwright.flows import xml
from callwright.flows.effects import Begin
from callwright.flows.interpreter import Phase
from callwright.flows.model import OPERATORS, OPTIONS, FlowHead, StepHead
from callwright.flows.schema import compile_flow
from callwright.reasons import Reason
from callwright.switch.fetching import Cause
from support.flow_driver import Driver

DOCS = Path(__file__).parents[3] / "docs"
FLOWS = (DOCS / "flows.md").read_text(encoding="utf-8")
_FENCE = re.compile(r"^```(json|xml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> list[Any]:
    found = []
    for page in ("flows.md", "privacy.md"):
        for number, (kind, text) in enumerate(_FENCE.findall((DOCS / page).read_text(encoding="utf-8")), 1):
            found.append(pytest.param(kind, text, id=f"{page}-{number}-{kind}"))
    return found


@pytest.mark.parametrize(("kind", "text"), examples())
@pytest.mark.parametrize("placed", [False, True])
def test_every_example_runs_to_its_end(kind: str, text: str, placed: bool) -> None:
    body = decode.flow(text.encode(), limit=32_768) if kind == "json" else xml.parse(text.encode())
    driver = Driver(compile_flow(body))
    driver.feed(Begin(placed))
    for _ in range(100):
        if driver.over:
            break
        driver.feed(driver.owed()[0])
    assert driver.state.phase is Phase.OVER
    if kind == "json":
        sent = msgspec.json.decode(text)
        assert body == {**sent, "steps": body["steps"]}  # written as it is kept
        assert [step["action"] for step in body["steps"]] == [step["action"] for step in sent["steps"]]


def test_every_step_has_a_chapter_with_an_example() -> None:
    chapters = {part.partition("\n")[0]: part for part in FLOWS.split("\n## ")[1:]}
    for action, options in OPTIONS.items():
        shown = _FENCE.search(chapters[action])
        assert shown is not None, action
        for field in msgspec.structs.fields(options):
            assert f'"{field.encode_name}"' in shown[2], (action, field.encode_name)


def test_every_field_operator_and_outcome_is_named() -> None:
    wanted = {field.encode_name for struct in (FlowHead, StepHead) for field in msgspec.structs.fields(struct)} - {"id"}
    wanted |= OPERATORS | {cause.value for cause in Cause}
    assert {word for word in wanted if f"`{word}`" not in FLOWS} == set()


def test_reasons_and_settings_it_names_are_there() -> None:
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", FLOWS)) - {cause.value for cause in Cause}
    assert named <= {reason.value for reason in Reason}
    settings = (DOCS / "settings.toml").read_text(encoding="utf-8")
    for section, key in re.findall(r"`([a-z]+)\.([a-z_]+)`", FLOWS + (DOCS / "privacy.md").read_text(encoding="utf-8")):
        if section == "callwright":
            continue  # a file
        part = settings.partition(f"[{section}]\n")[2].partition("\n[")[0]
        assert re.search(rf"^#?{key} = ", part, re.MULTILINE), f"{section}.{key}"
