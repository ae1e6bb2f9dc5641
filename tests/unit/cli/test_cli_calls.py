"""``callwright calls`` on a folder that no server works on."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import sys
from datetime import UTC, datetime

import pytest

from callwright import ids
from callwright.accounts.worlds import Accounts
from callwright.calls import export as exporting
from callwright.calls import rows
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import Call, CallStatus, Direction
from callwright.cli import calls as commands
from callwright.cli import main
from callwright.clock import SystemClock
from callwright.reasons import Reason
from callwright.store import Store
from support.call_rows import put

SOMEWHERE = "01890000-0000-7000-8000-000000000000"
HOUR = 3_600_000_000


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in a folder of its own; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        out, err = capsys.readouterr()
        return exit_.value.code, out, err

    assert run("numbers", "add", "31205550100")[0] == 0
    return run


@pytest.fixture
def made(tmp_path, run):
    """Five calls, an hour apart, the last an hour ago; and one of the test world with its leg."""

    async def make():
        clock = SystemClock()
        store = Store.open(tmp_path / "callwright-data" / "callwright.db", clock)
        accounts = Accounts(store, clock)
        await accounts.prepare()
        now, world = clock.now_us(), accounts.world("live").id
        found = []
        for n in range(5):
            at_us = now - (5 - n) * HOUR
            call = Call(
                id=ids.uuid7(at_us),
                world_id=world,
                status=CallStatus.BUSY if n == 3 else CallStatus.ENDED,
                direction=Direction.INCOMING if n % 2 else Direction.OUTGOING,
                source=f"3161234567{n}",
                destination="31205550100",
                reason=Reason.BUSY if n == 3 else Reason.CALLEE_HANGUP,
                tags=("vip", "new") if n == 2 else (),
                metadata={"customer": "two words"} if n == 2 else {},
                created_us=at_us,
                updated_us=at_us,
                answered_us=None if n == 3 else at_us,
                ended_us=at_us + n * 10_000_000,
            )
            found.append(call)
        await put(store, *found)
        record = CallRecord.requested(
            call_id=ids.uuid7(now), leg_id=(leg := ids.uuid7(now)), world_id=accounts.world("test").id, source="31205550100",
            destination="31612345678", number_id=None, webhook_url=None, webhook_token=None, at_us=now, node="here",
        )  # fmt: skip
        record.start(now)
        record.end_leg(leg, Reason.RING_TIMEOUT, now + 1, sip_code=487)
        await store.commit(record.take())
        assert rows.find_call(store, record.call.world_id, record.call.id) is not None
        store.close()
        return found, record.call

    return asyncio.run(make())


def shown(result):
    assert result[0] == 0, result
    return "".join(line.split("\t")[3][-1] for line in result[1].splitlines())


def test_calls_are_listed_by_any_filter(run, made):
    (_, _, third, _, last), of_test = made
    assert shown(run("calls", "list")) == "43210"
    line = run("calls", "list", "--tag", "vip")[1].rstrip("\n").split("\t")
    at = datetime.fromtimestamp(third.created_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
    assert line == [
        str(third.id), at, "out", "31612345672", "31205550100", "ended", "callee_hangup", "20", "vip new",
    ]  # fmt: skip
    for options, expected in (
        (("--oldest",), "01234"),
        (("--status", "busy,failed"), "3"),
        (("--status", "busy", "--status", "ended"), "43210"),
        (("--direction", "incoming"), "31"),
        (("--source", "+31612345671"), "1"),
        (("--source", "*5674"), "4"),
        (("--source", "*34567*", "--since", "150m"), "43"),
        (("--reason", "busy"), "3"),
        (("--tag", "vip", "--tag", "new"), "2"),
        (("--metadata", "customer=two words"), "2"),
        (("--since", "150m"), "43"),
        (("--until", "150m"), "210"),
        (("--ended-since", "90m", "--duration-from", "40"), "4"),
        (("--duration-from", "10", "--duration-to", "20"), "21"),
    ):
        assert shown(run("calls", "list", *options)) == expected, options
    assert [call["id"] for call in json.loads(run("calls", "list", "--json", "--limit", "1")[1])] == [str(last.id)]
    assert run("calls", "list", "--test")[1].startswith(str(of_test.id))


def test_a_list_says_how_many_there_are(run, made, monkeypatch):
    monkeypatch.setattr(commands, "PAGE", 2)
    code, _, aside = run("calls", "list", "--limit", "3")
    assert (code, aside) == (0, "These are the newest 3 of 5; --limit shows more.\n")
    assert run("calls", "list", "--limit", "5")[2] == ""
    assert shown(run("calls", "list", "--limit", "4", "--oldest")) == "0123"


@pytest.mark.parametrize("out", [False, True])
@pytest.mark.parametrize("aside", [False, True])
def test_an_empty_list_is_told_to_a_terminal_alone(run, made, monkeypatch, out, aside):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: out)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: aside)
    said = "There is no such call.\n"
    assert run("calls", "list", "--tag", "none") == (0, said if out else "", said if aside and not out else "")


def test_a_call_is_shown_with_its_legs(run, made):
    (_, _, third, *_), of_test = made
    code, out, _ = run("calls", "show", str(of_test.id), "--test")
    assert code == 0
    assert out.splitlines()[:2] == [
        f"call {of_test.id} (test), outgoing, 31205550100 to 31612345678",
        "no_answer, ring_timeout, 0 s",
    ]
    assert "  Nobody answered within the ring timeout. (SIP 487) Raise" in out
    out = run("calls", "show", str(third.id))[1]
    assert "tags vip, new\ncustomer=two words\n" in out
    assert json.loads(run("calls", "show", str(third.id), "--json")[1])["id"] == str(third.id)
    assert run("calls", "show", str(of_test.id))[1].startswith(f"call {of_test.id} (test)")
    for call_id, options in ((SOMEWHERE, ()), (str(third.id), ("--test",)), ("nonsense", ())):
        code, _, err = run("calls", "show", call_id, *options)
        assert (code, err) == (1, f"callwright: No call found for ID `{call_id}`.\n")


def test_no_caller_moves_the_cursor_or_adds_a_line(run, made, tmp_path):
    with sqlite3.connect(tmp_path / "callwright-data" / "callwright.db") as database:
        database.execute("UPDATE calls SET source = ?", ("31\x1b[2J\tended\n\u202e1",))
    call_id = str(made[1].id)
    for command in (("calls", "list", "--test"), ("calls", "show", call_id), ("journal", call_id)):
        code, out, _ = run(*command)
        assert (code, r"31\x1b[2J\tended\n\u202e1" in out) == (0, True), out
        assert all(cell.isprintable() for line in out.split("\n") for cell in line.split("\t")), out


def test_calls_are_written_to_a_file(run, made, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "BATCH", 2)
    code, _, aside = run("calls", "export", "all.csv")
    text = (tmp_path / "all.csv").read_bytes()
    assert (code, aside) == (0, f"all.csv has {len(text)} bytes.\n")
    assert [line.split(b",")[4][-2:-1] for line in text.split(b"\r\n")[1:-1]] == [b"4", b"3", b"2", b"1", b"0"]
    assert run("calls", "export", "some.ndjson", "--oldest", "--status", "ended", "--until", "90m")[0] == 0
    listed = [json.loads(line) for line in (tmp_path / "some.ndjson").read_text().splitlines()]
    assert [call["source"][-1] for call in listed] == ["0", "1", "2"]
    assert listed == json.loads(run("calls", "list", "--oldest", "--status", "ended", "--until", "90m", "--json")[1])
    assert run("calls", "export", "same", "--format", "ndjson")[0] == 0
    assert len((tmp_path / "same").read_text().splitlines()) == 5


def test_calls_are_written_to_standard_output(run, made):
    code, out, err = run("calls", "export", "-", "--status", "busy")
    assert (code, out.count("\n"), out.split(",")[20], err) == (0, 2, '"31205550100"', "")


def test_output_that_cannot_be_written_is_said(run, made, monkeypatch):
    call_id = json.loads(run("calls", "list", "--json")[1])[0]["id"]
    assert run("tag", call_id, "--add", "ünï")[0] == 0
    full = "The output cannot be written: No space left on device."
    for options, encoding, said in (
        (("list",), None, full),
        (("export", "-"), None, full),
        (("list",), "ascii", r"'\xfc' cannot be written in ascii; set PYTHONIOENCODING=utf-8."),
        (("list", "--tag", "\udcff"), "utf-8", r"'\udcff' is not UTF-8."),
    ):
        with open("/dev/full", "w") if encoding is None else io.TextIOWrapper(io.BytesIO(), encoding) as out:
            monkeypatch.setattr(sys, "stdout", out)
            assert run("calls", *options) == (2, "", f"callwright: {said}\n")


def test_no_file_is_left_half(run, made, tmp_path, monkeypatch):
    (tmp_path / "there.csv").write_text("mine")
    code, _, err = run("calls", "export", "there.csv")
    assert (code, err) == (1, "callwright: there.csv is there already. Name another file, or remove it first.\n")
    code, _, err = run("calls", "export", "nowhere/new.csv")
    assert (code, err) == (1, "callwright: nowhere/new.csv cannot be written: No such file or directory.\n")
    assert (tmp_path / "there.csv").read_text() == "mine"
    code, _, err = run("calls", "export", "new.csv", "--format", "xlsx")
    assert code == 1
    assert "format must be csv or ndjson" in err
    assert not (tmp_path / "new.csv").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--status", "complete"), 1, "status must be of queued"),
        (("--source", "*1*"), 1, "--source *1* looks at every call, so --since and --until must both be given"),
        (("--since", "2h", "--until", "3h"), 1, ": --since must be before --until."),
        (("--since", "2h", "--until", "3h"), 1, "Write it so: --since 20"),
        (("--ended-since", "1h", "--ended-until", "2h"), 1, ": --ended-since must be before --ended-until."),
        (("--status", "queued", "--duration-from", "1"), 1, ": --duration-from 1 and --status queued can not both be"),
        (("--status", "queued", "--duration-from", "1"), 1, "Write it so: --status ended --duration-from 10"),
        (("--status", "busy", "--reason", "limit"), 1, ": --reason limit and --status busy can not both be"),
        (("--source", "*1"), 1, "or look anywhere, as *1* with --since and --until."),
        (("--duration-from", "20", "--duration-to", "10"), 1, "--duration-from must not be more than --duration-to"),
        (("--source", "3*1"), 1, "Write it so: --source '316*'"),
        (("--source", "*1*", "--since", "31d"), 0, ""),
        (("--source", "*1*", "--since", "32d"), 1, "--since and --until must be at most 31 days apart; they are 32."),
        (("--number", "31205550199"), 1, "Look for others by source or destination"),
        (("--status", "busy,x"), 1, "Write it so: --status ended,failed"),
        (("--metadata", "customer"), 2, "write NAME=VALUE"),
        (("--since", "yesterday"), 2, "write 90s, 10m, 2h or 3d"),
        (("--limit", "0"), 2, "--limit"),
    ],
)
def test_what_cannot_be_asked_is_said(run, options, code, said):
    result = run("calls", "list", *options)
    assert (result[0], said in result[2]) == (code, True), result


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([f"--add={n}" for n in range(21)], "--add may hold 20 tags"),
        ([f"--add={n}" for n in range(15)], "Remove some (--remove)."),
        (["--add", "x" * 65], ": --add must have 1 to 64 characters"),
        (["--add", "same", "--remove", "same"], "cannot be both added and removed"),
        ([f"--set=n{n}=x" for n in range(30)], "Remove some: --unset does."),
    ],
)
def test_what_cannot_be_tagged_is_said(run, made, options, said):
    call_id = json.loads(run("calls", "list", "--json")[1])[0]["id"]
    assert run("tag", call_id, *[f"--add=there{n}" for n in range(6)], *[f"--set=m{n}=x" for n in range(21)])[0] == 0
    code, _, err = run("tag", call_id, *options)
    assert (code, said in err) == (1, True), err
