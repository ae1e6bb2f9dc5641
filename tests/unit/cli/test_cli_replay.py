"""``callwright replay`` on a folder that no server works on: what it prints, what it writes, and how it exits."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shlex
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from callwright.accounts.worlds import Accounts
from callwright.calls import rows
from callwright.cli import main
from callwright.clock import SystemClock
from callwright.rehearsal.outcome import Outcome
from callwright.rehearsal.parties import Act, Party
from callwright.replay import exporting
from callwright.store import Change, Store
from support.replayed import AGENT, called, pause, say, transfer

STEPS = [
    say("Press one for sales.", "ask", onKeypressVar="choice", maxNumKeys=1),
    transfer(name="sales"),
    pause(1, "wait"),
    say("Good bye.", "bye"),
]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def talked() -> Outcome:
    party = Party(answer_after=2.0, acts=(Act(at=5.0, hangs_up=True),))
    return called(STEPS, Act(hears="press one", interrupts=True, after=0.5, press="1"), callees={AGENT: party})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, talked: Outcome) -> Path:
    """A folder whose test world has the call."""
    made = tmp_path_factory.mktemp("replay")
    with pytest.raises(SystemExit), redirect_stdout(io.StringIO()):
        main(("numbers", "add", "31205550100", "--test", "--data", str(made / "callwright-data")))
    asyncio.run(put_on_record(made / "callwright-data" / "callwright.db", talked))
    return made


@pytest.fixture
def callwright(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command there; gives the exit status and what it printed and said."""
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        code = ended.value.code
        assert isinstance(code, int)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


async def put_on_record(database: Path, outcome: Outcome) -> None:
    clock = SystemClock()
    store = Store.open(database, clock)
    accounts = Accounts(store, clock)
    await accounts.prepare()
    call = replace(outcome.call, world_id=accounts.world("test").id)
    key = rows.key_of(call)
    writes = [rows.insert_call(call, "here"), *(rows.insert_leg(key, leg, None) for leg in outcome.legs)]
    writes += [rows.insert_entry(key, line.seq, line.at_us, line.entry) for line in outcome.journal]
    await store.commit(Change(tuple(writes)))
    store.close()


def flow(path: str, steps: list[dict[str, Any]]) -> str:
    Path(path).write_text(json.dumps({"steps": steps}))
    return path


def test_no_difference_is_a_line(callwright: Run, talked: Outcome) -> None:
    for world in ((), ("--test",)):
        code, out, err = callwright("replay", str(talked.call.id), *world)
        assert (code, out, err) == (0, f"No difference: {len(talked.journal)} lines, {talked.seconds:.1f} s of call.\n", "")
    code, out, _ = callwright("replay", str(talked.call.id), "--json")
    shown = json.loads(out)
    assert (code, shown["same"], shown["differences"], shown["notes"]) == (0, True, [], [])


def test_the_first_difference_is_shown_among_its_neighbours(callwright: Run, talked: Outcome) -> None:
    louder = flow("louder.json", [*STEPS[:3], say("So long.!", "bye")])
    code, out, _ = callwright("replay", str(talked.call.id), "--flow", louder)
    assert code == 1
    assert out.splitlines() == [
        "1 difference; the first line that is not as it was:",
        "",
        *out.splitlines()[2:6],
        '-    +8.500  step bye begins: say "Good bye."',
        '+    +8.500  step bye begins: say "So long.!"',
        *out.splitlines()[8:],
    ]
    assert out.splitlines()[5] == "     +8.500  step wait ends: paused"
    assert out.splitlines()[8] == "     +9.100  step bye ends: played"


def test_a_shift_is_said_once_and_the_rest_follows(callwright: Run, talked: Outcome) -> None:
    longer = flow("longer.json", [*STEPS[:2], pause(4, "wait"), STEPS[3]])
    code, out, _ = callwright("replay", str(talked.call.id), "--flow", longer)
    assert code == 1
    assert [line for line in out.splitlines() if "later" in line] == ["~            from here on 3.00 s later"]
    assert len(out.splitlines()) < 24
    _, out, _ = callwright("replay", str(talked.call.id), "--flow", longer, "--json")
    assert [(one["kind"], one["laterS"]) for one in json.loads(out)["differences"]] == [("changed", 0.0), ("shift", 3.0)]


def test_much_that_differs_still_fits_a_screen(callwright: Run, talked: Outcome) -> None:
    code, out, _ = callwright("replay", str(talked.call.id), "--flow", flow("none.json", [pause(0)]))
    assert (code, len(out.splitlines()) <= 40, "--json has them all" in out) == (1, True, True)


def test_a_stored_flow_and_one_in_xml(callwright: Run, talked: Outcome) -> None:
    Path("flow.xml").write_text('<Say language="en-GB" voice="female">Press one for sales.</Say>')
    assert callwright("replay", str(talked.call.id), "--flow", "flow.xml")[0] == 1
    assert callwright("flows", "save", flow("same.json", STEPS), "--test")[0] == 0
    _, out, _ = callwright("flows", "list", "--test", "--json")
    listed = json.loads(out)
    flow_id = (listed["data"] if isinstance(listed, dict) else listed)[0]["id"]
    assert callwright("replay", str(talked.call.id), "--flow", flow_id)[0] == 0


def test_a_scenario_is_written_that_is_met(callwright: Run, talked: Outcome) -> None:
    code, _, err = callwright("replay", str(talked.call.id), "--export", "last-night.yaml")
    assert (code, err) == (0, "The scenario is in last-night.yaml. Run it with: callwright flow test last-night.yaml\n")
    code, out, _ = callwright("flow", "test", "last-night.yaml")
    assert (code, "1 met" in out) == (0, True)
    assert callwright("replay", str(talked.call.id), "--export", "last-night.yaml")[0] == 0, "its own may be written again"
    code, out, err = callwright("replay", str(talked.call.id), "--export", "-")
    assert (code, out, err.startswith("No difference")) == (0, Path("last-night.yaml").read_text(), True)
    assert not Path("-").exists()


def test_a_scenario_that_goes_otherwise_than_its_call_is_no_green_one(
    callwright: Run, talked: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting._Writer, "_when", lambda *_: {"hears": "never said"})
    code, out, err = callwright("replay", str(talked.call.id), "--export", "wrong.yaml")
    assert (code, out.startswith("No difference")) == (1, True)
    assert err.startswith("In simulation the call goes otherwise than it went. ")
    assert callwright("flow", "test", "wrong.yaml")[0] == 1


def test_the_three_commands_of_the_page(callwright: Run, talked: Outcome) -> None:
    page = (Path(__file__).parents[3] / "docs" / "replay.md").read_text()
    commands = re.findall(r"^    callwright (.*CALL_ID.*|flow test .*)$", page, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert callwright(*shlex.split(command.replace("CALL_ID", str(talked.call.id))))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("01890000-0000-7000-8000-000000000000",), "No call found for ID `01890000-0000-7000-8000-000000000000`."),
        (("CALL", "--flow", "not-there.json"), "not-there.json cannot be read: No such file or directory."),
        (("CALL", "--flow", "01890000-0000-7000-8000-000000000000"), "No call flow found for ID"),
        (("CALL", "--flow", "nonsense.json"), "nonsense.json is no flow: "),
        (("CALL", "--flow", "list.json"), "The flow cannot be run: A call flow needs steps."),
        (("CALL", "--flow", "deep.json"), "deep.json is no flow: The body is nested more than 64 levels deep."),
        (("CALL", "--flow", "binary.json"), "binary.json is no flow: "),
        (("CALL", "--export", "list.json"), "list.json is there, and is no scenario of this call. Take it away, or"),
        (("CALL", "--export", "-", "--json"), "--json and --export - both write to standard output."),
        (("CALL", "--flow", "fly.json"), "The flow cannot be run: "),
        (("CALL", "--export", "no/such/folder.yaml"), "no/such/folder.yaml cannot be written"),
    ],
)
def test_asked_wrongly(callwright: Run, talked: Outcome, arguments: tuple[str, ...], said: str) -> None:
    Path("nonsense.json").write_text("{")
    Path("list.json").write_text("[]")
    Path("deep.json").write_text('{"steps": ' + "[" * 50_000 + "]" * 50_000 + "}")
    Path("binary.json").write_bytes(bytes(range(256)))
    flow("fly.json", [{"action": "fly"}])
    code, out, err = callwright("replay", *(str(talked.call.id) if one == "CALL" else one for one in arguments))
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) <= 2
    assert "--export" not in arguments or "replayed" not in err
    assert Path("list.json").read_text() == "[]"
