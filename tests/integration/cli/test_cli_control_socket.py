"""The command line beside a running server: over its control socket, with the server holding the folder's lock."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager

import pytest
import uvicorn

from callwright.cli import control, main
from callwright.cli.control import NoServer, Refused, reach
from callwright.cli.place import Place
from callwright.datafolder import DataFolder
from callwright.errors import DataFolderError
from callwright.native import control_app
from support.native_room import NativeRoom

SOMEWHERE = "01890000-0000-7000-8000-000000000000"


@contextmanager
def serving(data):
    """Serve a native room on a folder's control socket, from a thread."""
    folder = DataFolder(data)
    folder.prepare()
    ready = threading.Event()
    given = {}

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            ready.set()

    async def serve():
        room = given["room"] = await NativeRoom.open()
        given["server"] = Server(uvicorn.Config(control_app(room.parts), log_config=None, lifespan="off"))
        await given["server"].serve([given["socket"]])

    with folder.lock("callwright serve"):
        given["socket"] = folder.bind_control()
        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        try:
            assert ready.wait(10)
            yield given["room"]
        finally:
            given["server"].should_exit = True
            thread.join()
            given["socket"].close()


@pytest.fixture
def room(tmp_path):
    with serving(tmp_path / "data") as room:
        yield room


@pytest.fixture
def run(tmp_path, capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(["--data", str(tmp_path / "data"), *arguments])
        out, err = capsys.readouterr()
        return exit_.value.code, out, err

    return run


def test_commands_reach_the_server_and_not_the_folder(room, run, tmp_path):
    assert run("numbers", "add", "31205550100")[0] == 0
    assert run("keys", "create", "live")[0] == 0
    assert run("settings")[1].split() == ["http.port", "8080", "default"]
    assert not (tmp_path / "data" / "callwright.db").exists()
    assert len(run("keys", "list")[1].splitlines()) == 2


def test_a_call_is_placed_and_its_journal_told(room, run, tmp_path):
    (tmp_path / "flow.json").write_text('{"steps": [{"action": "hangup"}]}')
    flow, hook = ("--flow", str(tmp_path / "flow.json")), ("--webhook", "http://h/", "--token", "t")
    code, call_id, aside = run("call", "31205550100", "+31612345678", "--test", *flow, *hook)
    assert code == 0
    assert "The call is queued." in aside
    (asked,) = room.switchboard.asked
    assert (asked["world"], asked["destination"], asked["webhook_url"], asked["webhook_token"]) == (
        "test",
        "31612345678",
        "http://h/",
        "t",
    )
    told = run("journal", call_id.strip())
    assert told[0] == 0
    assert told[1].splitlines()[0] == f"call {call_id.strip()} (test), 31205550100 to 31612345678, queued"
    assert "the call is made, 31205550100 to 31612345678" in told[1]
    shown = json.loads(run("journal", call_id.strip(), "--json")[1])
    assert (shown["call"]["id"], shown["journal"][0]["kind"]) == (call_id.strip(), "call_made")


def test_a_stored_flow_is_named_by_its_id(room, run, tmp_path):
    (tmp_path / "flow.json").write_text('{"steps": [{"action": "pause", "options": {"length": 2}}]}')
    flow_id = run("flows", "save", str(tmp_path / "flow.json"))[1].strip()
    assert run("call", "31205550100", "31612345678", "--flow", flow_id, "--json")[0] == 0
    assert [step.action for step in room.switchboard.asked[0]["flow"].steps] == ["pause"]
    assert run("call", "31205550100", "31612345678", "--flow", SOMEWHERE)[0] == 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("journal", SOMEWHERE), "No call found for ID"),
        (("journal", "../keys"), "There is no /api/calls/../keys."),
        (("call", "12", "31612345678", "--flow", "-"), "- is not JSON"),
        (("keys", "revoke", SOMEWHERE), "There is no key"),
    ],
)
def test_what_the_server_refuses_is_said(room, run, monkeypatch, command, said):
    monkeypatch.setattr("callwright.cli.calling.read_bytes", lambda name: b"{")
    code, out, err = run(*command)
    assert (code, out) == (1, "")
    assert said in err


def test_a_refusal_carries_its_status_and_remedy(room, tmp_path):
    room.switchboard.refuses = True
    with reach(Place(tmp_path / "data", None)) as asked, pytest.raises(Refused) as refused:
        asked.ask("POST", "/api/calls", {"source": "311", "destination": "312", "callFlow": {"steps": [{"action": "hangup"}]}})
    assert (refused.value.status, str(refused.value), refused.value.remedy) == (503, "No call can be placed now.", "Wait.")


def test_a_folder_deeper_than_a_socket_address(tmp_path):
    deep = tmp_path.joinpath(*["folder-of-a-long-name"] * 8)
    with serving(deep), reach(Place(deep, None), server_only=True) as asked:
        assert asked.get("/api/keys")["data"][0]["kind"] == "live"


def test_a_server_that_goes_away(tmp_path):
    with serving(tmp_path / "data"), reach(Place(tmp_path / "data", None)) as asked:
        pass
    with pytest.raises(NoServer, match="went away"):
        asked.get("/api/keys")


def test_a_server_that_is_just_starting_is_waited_for(tmp_path, monkeypatch):
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    folder.database.touch()
    pauses = []
    monkeypatch.setattr(control.time, "sleep", pauses.append)
    with folder.lock("callwright serve"), pytest.raises(DataFolderError, match="callwright serve"):  # noqa: SIM117
        with reach(Place(tmp_path / "data", None)):
            pass
    assert len(pauses) == control.ATTEMPTS - 1
