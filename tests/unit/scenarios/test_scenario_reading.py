"""Files of scenarios: what is read as what, and every fault with its line, its key, what was seen and what is right."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callwright.flows.check import Abilities
from callwright.rehearsal.parties import Act
from callwright.rehearsal.prompts import SoundReply
from callwright.scenarios import reading
from callwright.scenarios.document import ExpectedPrompt
from callwright.scenarios.faults import ScenarioError
from callwright.scenarios.reading import Script, read, read_file
from callwright.scenarios.surroundings import settings_of
from callwright.scenarios.tree import Place

BYE: dict[str, Any] = {"steps": [{"action": "hangup", "id": "step-1"}]}


def script(text: str) -> Script:
    (found,) = read(text.encode(), "a.yaml", Path())
    return found


def faults(text: str, **more: Any) -> list[str]:
    with pytest.raises(ScenarioError) as error:
        read(text.encode(), "a.yaml", Path(), **more)
    return str(error.value).splitlines()


def with_bye(rest: str, expect: str = "{status: ended}") -> str:
    return f"name: x\nflow: {{steps: [{{action: hangup}}]}}\nexpect: {expect}\n{rest}"


def test_texts_are_texts_and_numbers_numbers() -> None:
    text = """
    name: no
    flow: {steps: [{action: pause, options: {length: 3}}]}
    number: +31 20 555 0100
    caller:
      acts:
        - {hears: 12:30, interrupts: true, after: 1, press: 012}
        - {at: 1.5, says: "yes", speaks_for: 2}
    sounds: {"https://a.example/b.wav": 120, "https://a.example/c.wav": {status: 404}}
    callees: {0031612345678: {answer_after: 0}}
    tolerance: 1
    expect:
      duration: 10..14
      spoken: [12, {contains: no, at: 3}]
      pressed: 0012
      variables: {pin: 0123, none: ""}
      metadata: {on: off}
    """
    scenario = script(text).scenario
    assert (scenario.name, scenario.number, scenario.tolerance) == ("no", "31205550100", 1.0)
    assert scenario.flow == {"steps": [{"action": "pause", "options": {"length": 3}, "id": "step-1"}]}
    assert scenario.caller is not None
    assert scenario.caller.acts == (
        Act(hears="12:30", interrupts=True, after=1.0, press="012"),
        Act(at=1.5, says="yes", speaks_for=2.0),
    )
    assert list(scenario.callees) == ["31612345678"]
    assert scenario.sounds == {"https://a.example/b.wav": 120.0, "https://a.example/c.wav": SoundReply(status=404)}
    expected = scenario.expect
    assert (expected.duration, expected.pressed) == ("10..14", "0012")
    assert expected.spoken == ["12", ExpectedPrompt(contains="no", at="3")]
    assert (expected.variables, expected.metadata) == ({"pin": "0123", "none": ""}, {"on": "off"})


def test_one_scenario_several_documents_or_a_list() -> None:
    one = "name: {}\nflow: {{steps: [{{action: hangup}}]}}\nexpect: {{status: ended}}\n"
    text = f"{one.format('a')}---\n{one.format('b')}---\n- {one.format('c').replace(chr(10), chr(10) + '  ')}\n---\n"
    assert [(found.scenario.name, found.line) for found in read(text.encode(), "a.yaml", Path())] == [
        ("a", 1),
        ("b", 5),
        ("c", 9),
    ]
    json = '{"name": "j\\ud83d\\ude00", "flow": {"steps": [{"action": "hangup"}]}, "expect": {"status": "ended"}}'
    assert script(json).scenario.name == "j😀"


def test_a_flow_is_a_file_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "flow.json").write_text('{"Steps": [{"Action": "hangup"}]}')
    (tmp_path / "flow.xml").write_text("<Hangup/>")
    for name in ("flow.json", "flow.xml"):
        path = tmp_path / "s.yaml"
        path.write_text(f"name: x\nflow: {name}\nexpect: {{status: ended}}\n")
        (found,) = read_file(path, Abilities())
        assert found.scenario.flow == BYE


def test_the_place_of_an_expectation_is_known() -> None:
    found = script("name: x\nflow: {steps: [{action: hangup}]}\nexpect:\n  legs:\n    - status: hangup\n  spoken: []\n")
    assert found.place("expect.legs[1].status") == Place(5, 7)
    assert found.place("expect.legs[7].status") == Place(4, 3)
    assert found.place("expect.spoken[1].at") == Place(6, 3)
    assert found.place("nowhere") == Place(1, 1)


CASES = [
    ("nmae: x", "a.yaml:1:1: nmae: there is no such key; the nearest is name."),
    ("flow: {}", "a.yaml:1:1: name: it is missing."),
    ("name: ''\nflow: {}", "a.yaml:1:7: name: it must be a text of 1 to 200 characters, and not ''."),
    ("- hello", "a.yaml:1:3: it must be keys with values, and not 'hello'."),
    (with_bye("tolerance: fast"), "a.yaml:4:12: tolerance: it must be a number from 0 to 86400, and not 'fast'."),
    (with_bye("tolerance: 1e400"), "a.yaml:4:12: tolerance: it must be a number from 0 to 86400, and not '1e400'."),
    (
        with_bye("caller: {acts: [{at: 12:30, press: 1}]}"),
        "caller.acts[1].at: it must be a number from 0 to 86400, and not '12:30'.",
    ),
    (with_bye("caller: {acts: [{at: 1, press: 1 2}]}"), "without blanks, and not '1 2'."),
    (with_bye("caller:\n  acts:\n  - at: 1\n    press: #\n"), 'a # begins a comment: write "#" if that is meant.'),
    (with_bye("caller: {acts: [{at: 1, hangs_up: yes}]}"), "it must be true or false, and not 'yes'; write true."),
    (
        with_bye("caller: {acts: {at: 1, hangs_up: true}}"),
        "it must be a list, and not keys with values; put a dash before each",
    ),
    (with_bye("caller: {acts: [{at: 1}]}"), "caller.acts[1]: it must say what is done: one of press, says,"),
    (with_bye("caller: {acts: [{press: 1}]}"), "caller.acts[1]: it must say when: at (seconds after the answer), or hears"),
    (with_bye("caller: {acts: [{at: 1, hears: x, press: 1}]}"), "caller.acts[1].at: it has hears too"),
    (with_bye("caller: {acts: [{at: 1, press: 1, beeps: true}]}"), "caller.acts[1].beeps: it has press already"),
    (
        with_bye("caller: {acts: [{at: 1, after: 2, press: 1}]}"),
        "caller.acts[1].after: it belongs to hears, which is not there.",
    ),
    (with_bye("caller: {acts: [{at: 1, press: 1, speaks_for: 2}]}"), "speaks_for: it has press already"),
    (
        with_bye("caller: {acts: [{at: 1, transfers_to: Bob}]}"),
        "'Bob' is neither a telephone number of 3 to 15 digits nor a URI",
    ),
    (with_bye("caller: {outcome: busy}"), "caller.outcome: only who is called has this; leave it out."),
    (with_bye("caller: {}\ncall: {}"), "a.yaml:5:1: call: there is a caller already; a scenario has the one or the other."),
    (with_bye("callees: {bob: {}}"), "callees.bob: 'bob' is neither a telephone number"),
    (
        with_bye("callees: {31612345678: {outcome: buzy}}"),
        "it must be one of answer, busy, fail, no_answer, no_response, and not 'buzy'.",
    ),
    (with_bye("wishes: [{at: 1}]"), "wishes[1]: it must say what is done: one of hangs_up,"),
    (with_bye("wishes: [{at: 1, adds: 31612345678, leg: 2}]"), "wishes[1].leg: adds is about the whole call; leave it out."),
    (
        with_bye("wishes: [{at: 1, replaces_flow: {steps: []}}]"),
        "wishes[1].replaces_flow.steps: the flow cannot run: steps must be",
    ),
    (with_bye("web: {foo: [{status: 200}]}"), "web.foo: 'foo' is no URL such as https://example.com/next."),
    (with_bye("web: {'http://a/b?c': [{status: 200}]}"), "a URL stands here without its query"),
    (with_bye("web: {'http://a/b': []}"), "it must have at least one answer."),
    (with_bye("web: {'http://a/b': [{status: 700}]}"), "it must be a whole number from 200 to 599, and not '700'."),
    (
        with_bye("web: {'http://a/b': [{body: x, fails: dns}]}"),
        "fails: it has body already; an answer is one of flow, body and fails.",
    ),
    (with_bye("web: {'http://a/b': [{flow: {steps: [{action: dance}]}}]}"), "to answer with what is no flow, use body."),
    (with_bye("sounds: {tune: 3}"), "sounds.tune: 'tune' is no URL such as"),
    (
        with_bye("settings: {flows: {key_timeot: 3}}"),
        "a.yaml:4:20: settings.flows.key_timeot: is not a setting; the nearest is flows.key_timeout.",
    ),
    (with_bye("settings: {flow: {}}"), "settings.flow: it is no section of the settings; the nearest is flows."),
    (with_bye("settings: {calls: 7}"), "settings.calls: it is a section; write {key: value}, such as "),
    (with_bye("settings: {flows: {key_timeout: soon}}"), 'must be a number from 0.5 to 60, and not "soon".'),
    (with_bye("", "{}"), "expect: nothing is expected, so nothing is tried"),
    (with_bye("", "{status: over}"), "expect.status: 'over' is not known; there are queued, starting,"),
    (with_bye("", "{status: endet}"), "expect.status: 'endet' is not known; the nearest is ended."),
    (
        with_bye("", "{duration: 10..x}"),
        "it must be a number of seconds such as 12.5, or a span such as 10..14, 10.. or ..14, and not '10..x'.",
    ),
    (with_bye("", "{duration: 14..10}"), "'14..10' ends before it begins."),
    (with_bye("", "{spoken: [{text: a, url: b}]}"), "expect.spoken[1].url: it has text already"),
    (
        with_bye("", "{refused: 404, status: ended}"),
        "expect.status: with refused there is no call, of which nothing else can be expected.",
    ),
    (with_bye("", "{status: }"), "expect.status: nothing is written there; leave the key out"),
    (
        "name: x\nflow: nix.json\nexpect: {status: ended}",
        "a.yaml:2:1: flow: the flow nix.json cannot be read: No such file or directory.",
    ),
    (
        "name: x\nflow: {steps: [{id: a, action: dance}]}\nexpect: {status: ended}",
        "a.yaml:2:24: flow.steps[0].action: the flow cannot run: Step 'a': 'dance' is not an action.",
    ),
    (
        "name: x\nflow: {steps: [{action: fetchCallFlow, options: {url: /next}}]}\nexpect: {status: ended}",
        "only a flow that was fetched has a URL to put before it",
    ),
    ("a: 1\na: 2", "a.yaml:2:1: a is there twice, first in line 1; leave one of them out."),
    ("", "a.yaml:1:1: there is no scenario in it."),
    (
        with_bye("---\n" + with_bye("")),
        "a.yaml:5:1: name: there is another scenario with this name in line 1; call one of them something else.",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), CASES)
def test_faults(text: str, sentence: str) -> None:
    found = faults(text)
    assert any(sentence in line for line in found), found
    assert all(line.startswith("a.yaml:") for line in found)


def test_all_faults_are_told_at_once_in_the_order_of_their_lines() -> None:
    found = faults("name: x\nflow: {steps: [{action: dance}]}\ntolerance: -1\nexpect: {status: ended}\nweb: []\n---\nnmae: y")
    assert [line.split(":")[1] for line in found] == ["2", "3", "5", "7", "7", "7"]
    many = faults("\n".join(f"- {{k{n}: 1}}" for n in range(30)))
    assert many[-1] == "And 70 more."


def test_what_cannot_be_read_is_not_missed_and_what_is_beside_it_is_judged() -> None:
    found = faults(
        with_bye("caller: {acts: [{at: 1, pres: 1}, {hears: [], after: 1, press: 2}, {press: 3}, {at: 1, hears: a}]}", "7")
        + "\nsettings: {clals: {}, calls: {ring_timeout: -1}, http: 1}"
        + "\n---\nname: x\nflow: {steps: [{action: hangup}]}\nexpekt: {}\nsounds: {nowhere: 1}"
    )
    assert [line.split(": ")[1] for line in found] == [
        "expect",
        "caller.acts[1].pres",
        "caller.acts[2].hears",
        "caller.acts[3]",
        "caller.acts[4]",
        "caller.acts[4].at",
        "settings.clals",
        "settings.calls.ring_timeout",
        "settings.http",
        "name",
        "expekt",
        "sounds.nowhere",
    ]


def test_what_no_voice_can_speak_is_refused_as_it_is_when_a_flow_is_saved() -> None:
    text = "name: x\nflow: {steps: [{action: say, options: {payload: Hi., language: xx}}]}\nexpect: {status: ended}"
    (fault,) = faults(text, abilities=Abilities(speaks=lambda utterance: f"nobody speaks {utterance.language}"))
    assert "a.yaml:2:40: flow.steps[0].options.payload: the flow cannot run: Step 'step-1': nobody speaks xx." in fault


def test_what_is_no_text_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ScenarioError, match=r"a.yaml:2:1: it is not UTF-8"):
        read(b"name: x\n\xff", "a.yaml", Path())
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    with pytest.raises(ScenarioError, match="it has more than the 10 bytes that are read; make several"):
        read(b"name: xyzxy", "a.yaml", Path())
    with pytest.raises(ScenarioError, match="it is a folder"):
        read_file(tmp_path)
    with pytest.raises(ScenarioError, match="cannot be read: No such file"):
        read_file(tmp_path / "nix")


def test_of_a_file_without_end_only_the_beginning_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Path, "read_bytes")  # which would take all of the machine's memory
    with pytest.raises(ScenarioError, match="it has more than the 2000000 bytes that are read"):
        read_file(Path("/dev/zero"))


def test_only_regular_files_are_opened_for_what_a_scenario_or_a_folder_names(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    (fault,) = faults(f"name: x\nflow: {tmp_path / 'a.yaml'}\nexpect: {{status: ended}}")
    assert fault.endswith("cannot be read: it is a pipe, a device or a socket, and must be a regular file.")
    with pytest.raises(ScenarioError, match="must be a regular file"):
        read_file(tmp_path / "a.yaml", regular=True)


def test_what_is_no_text_has_its_place() -> None:
    assert faults("name: x\nab: \0") == ["a.yaml:2:5: a control character (number 0) cannot be part of it."]
    with pytest.raises(ScenarioError, match=r"a.yaml:2:6: it is not UTF-8"):
        read("name: x\nab: é".encode() + b"\xe9", "a.yaml", Path())


def test_a_name_has_no_blanks_around_it() -> None:
    assert script(with_bye("").replace("name: x", "name: >\n  Two is\n  service\n")).scenario.name == "Two is service"


@pytest.mark.parametrize("mark", [r"\n", r"\e[2J", r"\u202e", r"\x9b"])
def test_names_that_would_disturb_a_terminal_are_refused(mark: str) -> None:
    (fault,) = faults(with_bye("").replace("name: x", f'name: "x{mark}y"'))
    assert "name: it has a control character (" in fault
    assert fault.isprintable()


def test_blanks_of_a_flow_in_a_file_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "flow.json").write_text('{"steps": [' + " " * 40_000 + '{"action": "hangup"}]}')
    (tmp_path / "a.yaml").write_text("name: x\nflow: flow.json\nexpect: {status: ended}")
    assert read_file(tmp_path / "a.yaml")


def test_a_scenario_changes_some_settings_and_leaves_those_at_hand() -> None:
    own = script(with_bye("settings: {calls: {ring_timeout: 20}, trunks: [{name: a, address: 192.0.2.1}]}")).scenario
    base = settings_of(script(with_bye("settings: {calls: {max_live: 7}, flows: {language: nl-NL}}")).scenario)
    both = settings_of(own, base)
    assert (both.calls.ring_timeout, both.calls.max_live, both.flows.language) == (20.0, 7, "nl-NL")
    assert [trunk.name for trunk in both.trunks] == ["a"]
    assert settings_of(script(with_bye("")).scenario, base) is base


WHOLE = (Path(__file__).parents[2] / "acceptance" / "scenarios" / "transfers.yaml").read_text(encoding="utf-8")
BITS = [
    "{",
    "}",
    "[",
    "]",
    ": ",
    "\n",
    "- ",
    "#",
    "*",
    "&x",
    "*x",
    "'",
    '"',
    "1e999",
    "~",
    "null",
    "..",
    "\t",
    "é",
    "-1",
    "9" * 20,
    "x",
]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 9), st.sampled_from(BITS)), min_size=1, max_size=4))
def test_whatever_is_written_it_is_read_or_refused(changes: list[tuple[int, int, str]]) -> None:
    text = WHOLE
    for at, length, bit in changes:
        text = text[:at] + bit + text[at + length :]
    with suppress(ScenarioError):
        read(text.encode(), "a.yaml", Path("nowhere"))
