"""The one screen about a scenario that is not met, JUnit's XML, and the schema for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import msgspec
import pytest

from callwright.rehearsal.outcome import Outcome
from callwright.scenarios.comparing import Difference
from callwright.scenarios.document import Expected
from callwright.scenarios.json_schema import json_schema
from callwright.scenarios.junit import junit
from callwright.scenarios.reading import read
from callwright.scenarios.running import Result, simulate
from callwright.scenarios.screen import HEIGHT, cut, first_difference, screen, side_by_side
from callwright.scenarios.story import story
from callwright.scenarios.tree import parse, plain_value
from callwright.scenarios.verdict import Verdict, verdict

ACCEPTANCE = Path(__file__).parents[2] / "acceptance" / "scenarios"

MENU = """
name: Two is service
flow:
  steps:
    - {id: ask, action: say, options: {payload: "Press one for sales, two for service."}, onKeypressVar: choice}
    - {id: next, action: fetchCallFlow, options: {url: https://a.example/next}}
caller:
  acts:
    - {hears: press one, interrupts: true, after: 1, press: 2}
    - {hears: press it again, press: 2}
expect:
  status: ended
  spoken: ["Press one for sales, three for service."]
  variables: {choice: "3"}
"""


def tried(text: str) -> tuple[Any, Result]:
    (script,) = read(text.encode(), "menu.yaml", Path())
    return script, simulate(script.scenario)


def test_a_screen_tells_what_was_expected_what_happened_and_why() -> None:
    script, result = tried(MENU)
    found = verdict(script, result)
    assert (found.met, found.line) == (False, 13)
    assert [row.text for row in found.rows] == [
        "Two is service  (menu.yaml:13)",
        "  spoken[1] at 0.00 s",
        '    expected  "Press one for sales, three for service."',
        '    but       "Press one for sales, two for service."',
        "                                     ^^",
        '  likely: Leg 1 waits for the end of "press it again", which it never heard: it did not press 2.',
        "  likely: https://a.example/next was asked for a flow, and web has no answer of it.",
        "  what happened:",
        "  >     0.00  leg 1 begins, incoming, 31600000001 to 31205550100",
        "  >     0.00  the flow begins: say, fetchCallFlow",
        "  >     0.00  step ask begins: say",
        "  >     0.00  leg 1 is answered",
        "  >     0.00  the call is ongoing",
        '  >     0.00  leg 1 hears "Press one for sales, two for service." (1 s, until a key was pressed)',
        "        1.00  leg 1 pressed 2 for 100 ms, simulated",
        "        1.00  the variable choice is '2'",
        "  and 2 more differences:",
        '    spoken[2]: nothing, but "We are sorry, your call cannot be handled at the moment. Please try ag…',
        "    variables.choice: '3', but '2'",
    ]


def test_a_screen_is_one_however_much_is_wrong() -> None:
    _, result = tried(MENU)
    wrong = Expected(steps=[f"step {n}\n" for n in range(60)], webhooks=["busy"] * 60, spoken=["x" * 500])
    scenario = msgspec.structs.replace(result.scenario, expect=wrong)
    many = simulate(scenario)
    rows = screen(many, "a.yaml:1", 80)
    assert len(rows) == HEIGHT
    assert max(len(row.text) for row in rows) <= 80
    assert rows[-1].text.startswith("    … and ")
    assert rows[-1].text.endswith(" that are not shown; --json has them")


@pytest.mark.parametrize(
    ("expected", "seen", "shown"),
    [
        ("abc def", "abc xef", ("abc def", "abc xef", "    ^")),
        ("abc de", "abc", ("abc de", "abc", "   ^")),
        ("abc", "xyz", ("abc", "xyz", "")),
        ("a" * 90 + "b", "a" * 90 + "c", ("…" + "a" * 24 + "b", "…" + "a" * 24 + "c", " " * 25 + "^")),
    ],
)
def test_two_texts_side_by_side(expected: str, seen: str, shown: tuple[str, str, str]) -> None:
    assert side_by_side(expected, seen, 80) == shown


def test_the_earliest_difference_comes_first() -> None:
    early, late = Difference("b", "x", "y", 1.0), Difference("a", "x", "y", 2.0)
    assert first_difference([Difference("c", "x", "y"), late, early]) == early


def test_a_callee_whom_nobody_called_is_a_likely_cause() -> None:
    text = MENU.replace("expect:", "callees: {31612345679: {outcome: busy}}\nexpect:")
    script, result = tried(text)
    assert "Nobody called 31612345679, of whom callees has a script." in verdict(script, result).causes


def test_what_cannot_be_shown_is_blank() -> None:
    assert cut("a\x1b[31m\nb\u202e", 20) == "a [31m b "
    assert cut("x" * 30, 10) == "x" * 9 + "…"
    url = f"https://a.example/{'n' * 90}/last"
    assert cut(f"{url} was asked", 100, urls=True) == f"{url[:21]}…{url[-22:]} was asked"


def test_a_story_is_told_in_its_order() -> None:
    for path in (ACCEPTANCE / "transfers.yaml", ACCEPTANCE / "placed.yaml", ACCEPTANCE / "recording.yaml"):
        for script in read(path.read_bytes(), path.name, path.parent):
            outcome = simulate(script.scenario).outcome
            assert isinstance(outcome, Outcome)
            lines = story(outcome)
            assert [line.at for line in lines] == sorted(line.at for line in lines)
            assert all(" " in line.text and "  " not in line.text for line in lines), path


# JUnit: the elements and attributes that readers of continuous integration know, in the order they want


def test_junit_has_a_suite_for_each_file_and_tells_failures_and_errors() -> None:
    script, result = tried(MENU)
    bad = verdict(script, result)
    good = Verdict(name="<&\x00\ud800>", file="menu.yaml", line=3, seconds=2.0, took_s=0.25)
    broken = Verdict(name="broken", file="other.yaml", line=1, error="It could not be run: x\ny")
    text = junit([bad, good, broken], {"nix.yaml": "nix.yaml:1:1: it cannot be read: gone."}, 1_700_000_000_000_000)
    suites = ElementTree.fromstring(text)
    assert suites.tag == "testsuites"
    for suite in suites:
        assert [child.tag for child in suite if child.tag != "testcase"] == ["properties", "system-out", "system-err"]
        needed = {"id", "package", "name", "timestamp", "hostname", "tests", "failures", "errors", "time"}
        assert set(suite.attrib) == needed
        assert suite.attrib["timestamp"] == "2023-11-14T22:13:20"
        assert all(set(case.attrib) == {"name", "classname", "time"} for case in suite.iter("testcase"))
    counts = [tuple(suite.attrib[name] for name in ("name", "tests", "failures", "errors")) for suite in suites]
    assert counts == [("menu.yaml", "2", "1", "0"), ("other.yaml", "1", "0", "1"), ("nix.yaml", "1", "0", "1")]
    failure = suites.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.attrib["message"].startswith('spoken[1]: expected "Press one for sales, three for service.", but')
    assert (failure.text or "").splitlines()[0] == "Two is service  (menu.yaml:13)"
    assert suites[0][2].attrib["name"] == "<&\ufffd\ufffd>"
    assert [error.attrib["message"] for error in suites.iter("error")] == [
        "It could not be run: x",
        "nix.yaml:1:1: it cannot be read: gone.",
    ]


# the schema

SCHEMA = json_schema()
CHECK = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_one_and_takes_what_is_read() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    documents = [MENU, *(path.read_text(encoding="utf-8") for path in sorted(ACCEPTANCE.glob("*.yaml")))]
    for text in documents:
        for document in parse(text):
            CHECK.validate(plain_value(document))


@pytest.mark.parametrize("wrong", [{"nmae": "x"}, {"caller": {"acts": [{"pres": 1}]}}, {"expect": {"status": "over"}}])
def test_the_schema_refuses_what_is_refused(wrong: dict[str, Any]) -> None:
    right = {"name": "x", "flow": {"steps": [{"action": "hangup"}]}, "expect": {"status": "ended", "pressed": 12}}
    assert CHECK.is_valid(right)
    assert not CHECK.is_valid({**right, **wrong})


def test_every_key_is_described() -> None:
    parts = {name for name in SCHEMA["$defs"] if name in ("Act", "Party", "Reply", "SoundReply", "Scenario", "Wish", "Caller")}
    parts |= {name for name in SCHEMA["$defs"] if name.startswith("Expected")}
    bare = [
        f"{part}.{name}"
        for part in sorted(parts)
        for name, described in SCHEMA["$defs"][part]["properties"].items()
        if "description" not in described
    ]
    assert bare == []
