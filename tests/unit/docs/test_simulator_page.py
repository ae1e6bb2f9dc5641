"""What the page on calls without a telephone shows is what the program takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import typer
from typer.main import get_command

from callwright.cli.commands import app
from callwright.native.described.dialling import DIALLED
from callwright.settings import load
from callwright.simulator.settings import Act
from support import described

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")


def test_the_callee_it_shows_is_one(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    (tmp_path / "callwright.toml").write_text(text)
    callee = load({}, {}, None, tmp_path).settings.simulator.callees["31612345678"]
    assert callee.acts == (
        Act(when_asked=True, press="1"),
        Act(when_asked=True, says="My name is Alice."),
        Act(at=60.0, hangs_up=True),
    )


def test_its_commands_have_the_options_that_it_names() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    shown = re.findall(r"callwright ((?:[a-z]+ )+)(.*)", PAGE)
    assert len(shown) >= 4
    named = {option for words in re.findall(r"`(--[a-z-]+)", PAGE) for option in [words]}
    dial = {option for parameter in commands["dial"].params for option in parameter.opts}
    assert named <= dial
    for words, rest in shown:
        command = commands[words.split()[0]]
        for word in words.split()[1:]:
            command = command.commands[word] if isinstance(command, typer.core.TyperGroup) else command
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known


def test_the_request_it_shows_is_described() -> None:
    (body,) = re.findall(r"/api/dial -d '(.*)'", PAGE)
    schema = {"$ref": f"#/components/schemas/{DIALLED.name}"}
    assert described.faults(json.loads(body), schema) == []
