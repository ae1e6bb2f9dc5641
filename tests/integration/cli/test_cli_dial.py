"""``callwright dial`` beside a running server: into its test world, and over SIP into the live one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from callwright.cli import main
from callwright.datafolder import DataFolder
from support.server import Customer, Server, until

NUMBER, MAILBOX, BRIEF = "31205550100", "31205550101", "31205550102"
# It listens for a key, and then goes on for long.
MENU: list[dict[str, Any]] = [
    {"action": "pause", "options": {"length": 3600}, "onKeypressVar": "choice"},
    {"action": "pause", "options": {"length": 3600}},
]
# It wants two keys, and then something to be said.
ASKS: list[dict[str, Any]] = [MENU[0] | {"maxNumKeys": 2}, {"action": "record", "options": {"maxLength": 60, "timeout": 3}}]
SPEED = 50


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def story(self) -> list[str]:
        """Its lines without the times."""
        return [line[11:] if line.startswith(" ") else line for line in self.out.splitlines()]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("dial")
    toml = '[speech]\nengines = ["espeak"]\n'
    started = Server.start(folder, {"simulator.speed": str(SPEED)}, toml)
    bind(started.test, NUMBER, MENU)
    bind(started.test, BRIEF, [MENU[0], {"action": "hangup"}])
    bind(started.live, MAILBOX, ASKS)
    yield started
    started.stop()


def bind(customer: Customer, number: str, steps: list[dict[str, Any]]) -> None:
    flow = customer.post("/call-flows", {"steps": steps}).made
    assert customer.post(f"/call-flows/{flow['id']}/numbers", {"numbers": [number]}).status == 201


@pytest.fixture
def dial(server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("callwright.cli.dial.LAST_WORDS_S", 60.0)

    def run(*arguments: str) -> Result:
        with pytest.raises(SystemExit) as exit_:
            main(["--data", str(server.folder / "data"), "dial", *arguments])
        return Result(int(exit_.value.code or 0), *capsys.readouterr())

    return run


def test_a_simulated_caller_presses_a_key_and_hangs_up(dial: Any) -> None:
    result = dial(NUMBER, "--from", "31600000001", "--keys-after", "2", "--keys", "1", "--hangup-after", "30")
    assert result.code == 0, result
    assert result.story[0].endswith(f"(test), 31600000001 to {NUMBER}")
    for line in (
        "leg 1 is answered",
        "leg 1 pressed 1 for 100 ms, simulated",
        "the variable choice is '1'",
        "step step-2 begins: pause",
    ):
        assert line in result.story
    assert result.story[-2:] == [
        "leg 1 (caller_hangup): The caller hung up. Nothing to do.",
        f"The call is over: the caller hung up. Its story again: callwright journal {result.story[0].split()[1]}",
    ]
    assert [line for line in result.story if "leg 1 pressed" in line or "is gone" in line] == [
        "leg 1 pressed 1 for 100 ms, simulated",
        "leg 1 is gone from the wire: hung up, SIP 200",
    ]


def test_as_json_it_is_one_object(dial: Any) -> None:
    result = dial(BRIEF, "--keys", "*", "--json")
    told = json.loads(result.out)
    assert (result.code, told["call"]["status"], told["call"]["source"]) == (0, "ended", "99900000200")
    assert [entry["digit"] for entry in told["journal"] if entry["kind"] == "digit_pressed"] == ["*"]


def test_a_telephone_of_its_own_presses_and_speaks_over_sip(dial: Any, server: Server) -> None:
    result = dial(MAILBOX, "--sip", "--keys", "12,3", "--say", "Please call me back.", "--language", "en-GB")
    assert result.code == 0, result
    assert result.story[0].endswith(f"(live), 99900000200 to {MAILBOX}")
    # One group for the step that listens: the other is left over.
    assert [line for line in result.story if "leg 1 pressed" in line] == [
        "leg 1 pressed 1 for 100 ms, as an event of RFC 4733",
        "leg 1 pressed 2 for 100 ms, as an event of RFC 4733",
    ]
    assert "the variable choice is '12'" in result.story
    assert "The call is over: the call flow had no further step." in result.story[-1]
    (made,) = server.journal(result.story[0].split()[1], "recording_made")
    with wave.open(str(server.folder / "data" / "recordings" / made["file"])) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert np.abs(samples).max() > 1000


@pytest.mark.parametrize(
    ("to", "told"),
    [((NUMBER,), [signal.SIGINT]), ((NUMBER,), [signal.SIGTERM] * 2), ((MAILBOX, "--sip"), [signal.SIGTERM] * 2)],
)
def test_ctrl_c_hangs_up_and_so_does_timeout(server: Server, to: tuple[str, ...], told: list[signal.Signals]) -> None:
    """`timeout` tells its command, and then their whole group."""
    command = [sys.executable, "-m", "callwright", "--data", str(server.folder / "data"), "dial", *to]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    head = process.stdout.readline()
    for number in told:
        os.killpg(process.pid, number)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, ""), out
    assert "The call is over: the caller hung up." in out.splitlines()[-1]
    customer = server.live if "--sip" in to else server.test
    until(lambda: customer.get(f"/calls/{head.split()[1]}").content["data"][0]["status"], lambda status: status == "ended")


def test_who_is_not_listened_to_any_more_hangs_up(server: Server) -> None:
    """As in a pipe to `head`."""
    presses = ("--keys", "1" * 40, "--keys-after", "10", "--gap", "20")  # so that there is something to tell for long
    command = [sys.executable, "-m", "callwright", "--data", str(server.folder / "data"), "dial", NUMBER, *presses]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    head = process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=300) == 1
    path = f"/api/calls/{head.split()[1]}"
    assert until(lambda: server.test.get(path).content, lambda call: call["status"] == "ended")["reason"] == "caller_hangup"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("31205550199",), "callwright: 31205550199 is no number of the test world.\nRegister it, with a flow: "),
        (("nobody",), "callwright: number must be a number such as 31205550100; it was 'nobody'.\n"),
    ],
)
def test_who_can_not_be_called(dial: Any, arguments: tuple[str, ...], error: str) -> None:
    result = dial(*arguments)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(error)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--keys", "1x"), "'1x': keys are 0-9, *, # and A-D"),
        (("--keys", "1,,2"), "those for one question together, such as 1,1234#"),
        (("--keys-after", "2"), "--keys-after: it is the time of --keys, which is not there"),
        (("--keys", "1", "--say-after", "2"), "--say-after: it is the time of --say, which is not there"),
        (("--sip", "--test"), "the test world has no SIP"),
        (("--say", "one", "--say", "two", "--say-after", "1"), "one text can be said at a time"),
    ],
)
def test_what_is_asked_wrongly(
    arguments: tuple[str, ...], error: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--data", str(tmp_path), "dial", NUMBER, *arguments])
    assert exit_.value.code == 2
    assert error in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("how", [(), ("--sip",)])
def test_a_frozen_server_is_not_waited_for(
    how: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("callwright.cli.dial.ANSWER_S", 0.2)
    folder = DataFolder(tmp_path)
    folder.prepare()
    with closing(folder.bind_control()) as control:
        control.listen()  # connections are made, and nobody takes them
        with pytest.raises(SystemExit) as exit_:
            main(["--data", str(tmp_path), "dial", NUMBER, *how])
    assert exit_.value.code == 1
    assert "callwright: The server did not answer in time: it is frozen, or overloaded." in capsys.readouterr().err


def test_without_a_server_there_is_nobody_to_call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--data", str(tmp_path), "dial", NUMBER])
    assert exit_.value.code == 1
    assert f"No server works on {tmp_path}. Start one with: callwright serve" in capsys.readouterr().err
