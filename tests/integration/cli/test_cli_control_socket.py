"""The command line beside a running server: over its control socket, with the server holding the folder's lock."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager

import pytest
import uvicorn

from callwright import ids
from callwright.calls import export
from callwright.calls.model import Call, CallStatus
from callwright.calls.search import Search
from callwright.cli import control, main
from callwright.cli.control import NoServer, Refused, reach
from callwright.cli.place import Place
from callwright.datafolder import DataFolder
from callwright.egress import Answer
from callwright.errors import DataFolderError
from callwright.native import control_app
from callwright.store import Change
from callwright.webhooks import ledger
from callwright.webhooks.log import Filter
from callwright.webhooks.model import State
from support.call_rows import put
from support.native_room import NOW, NOW_US, NativeRoom

HOOK = "https://one.test/hook"
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
            assert ready.wait(60)
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
    assert "the call is placed, 31205550100 to 31612345678" in told[1]
    assert run("journal", call_id.strip(), "--test") == told
    shown = json.loads(run("journal", call_id.strip(), "--json")[1])
    assert (shown["call"]["id"], shown["journal"][0]["kind"]) == (call_id.strip(), "call_made")


def test_a_call_is_given_labels_and_its_labels_are_changed(room, run, tmp_path):
    (tmp_path / "flow.json").write_text('{"steps": [{"action": "hangup"}]}')
    place = ("call", "31205550100", "31612345678", "--flow", str(tmp_path / "flow.json"))
    call_id = run(*place, "--tag", "vip", "--tag", "new", "--metadata", "customer=42", "--metadata", "note=a=b")[1].strip()
    assert run("tag", call_id)[1] == "tag\tvip\ntag\tnew\ncustomer\t42\nnote\ta=b\n"
    changed = run("tag", call_id, "--add", "paid", "--remove", "new", "--set", "customer=43", "--unset", "note", "--json")
    assert json.loads(changed[1]) == {"id": call_id, "tags": ["vip", "paid"], "metadata": {"customer": "43"}}
    assert "the call's tags are: vip, paid; its metadata: customer='43'" in run("journal", call_id)[1]
    code, _, err = run("tag", call_id, "--set", "customer")
    assert (code, "'customer': write NAME=VALUE" in err) == (2, True)
    code, _, err = run("tag", call_id, "--add", "a,b")
    assert (code, "--add must hold no comma" in err) == (1, True)
    assert run("tag", SOMEWHERE, "--add", "vip")[0] == 1
    assert run("tag", call_id, "--test")[0] == 1


def test_a_stored_flow_is_named_by_its_id(room, run, tmp_path):
    (tmp_path / "flow.json").write_text('{"steps": [{"action": "pause", "options": {"length": 2}}]}')
    flow_id = run("flows", "save", str(tmp_path / "flow.json"))[1].strip()
    assert run("call", "31205550100", "31612345678", "--flow", flow_id, "--json")[0] == 0
    assert [step.action for step in room.switchboard.asked[0]["flow"].steps] == ["pause"]
    assert run("call", "31205550100", "31612345678", "--flow", SOMEWHERE)[0] == 1


def _takes(room, status):
    """Let whatever is offered be tried, with this outcome."""

    async def attempt():
        for entry in room.log.page(room.accounts.world("live").id, Filter(states=(State.PENDING,)), limit=9).entries:
            delivery = ledger.find_deliveries(room.store, (entry.pos,), ())[entry.pos]
            good = status < 300
            answer = Answer(HOOK, status=status, whole=True, detail="" if good else f"it said {status}")
            error = None if good else "http_error"
            attempt = ledger.insert_attempt(delivery, NOW_US, [], answer, error, None)
            state = State.DELIVERED if good else State.EXHAUSTED
            settled = ledger.settle(delivery, state, NOW_US, made=1, status=status, error=error)
            await room.store.commit(Change((attempt, *settled)))

    room.tasks = []
    room.log._offer = lambda endpoint: room.tasks.append(asyncio.get_running_loop().create_task(attempt()))


@pytest.mark.parametrize(("status", "code"), [(204, 0), (500, 1)])
def test_a_webhook_is_tried_out(room, run, status, code):
    webhook_id = run("webhooks", "create", HOOK)[1].strip()
    _takes(room, status)
    ended, out, err = run("webhooks", "test", webhook_id, "--event", "legCreated")
    assert (ended, out.count("\n")) == (code, 1)
    assert out.startswith(f"attempt 1 at {NOW[:23]}Z  {status}")
    assert ("callwright deliveries show" in err) is (code == 1)
    told = json.loads(run("webhooks", "test", webhook_id, "--json")[1])
    assert (told["event"], told["test"], told["attempts"]) == ("callCreated", True, 1)
    assert run("webhooks", "test", webhook_id, "--event", "ring")[0] == 1


def test_a_test_that_is_not_tried_is_said_so(room, run, monkeypatch):
    monkeypatch.setattr("callwright.cli.webhooks.OUTCOME_S", -1.0)
    webhook_id = run("webhooks", "create", HOOK)[1].strip()
    code, out, err = run("webhooks", "test", webhook_id)
    assert (code, out) == (1, "")
    assert "It was not tried within" in err


def test_endpoints_are_switched_off_and_on(room, run):
    assert (
        run("endpoints", "enable", HOOK)[2] == f"callwright: Nothing is known of {HOOK} in the live world: it has not failed.\n"
    )
    assert run("endpoints", "disable", f"{HOOK}?a=1")[2] == (
        f"Nothing is sent to {HOOK} until: callwright endpoints enable {HOOK}\n"
    )
    assert "disabled 2023-11-14 22:13:20: asked" in run("endpoints", "list")[1]
    webhook_id = run("webhooks", "create", HOOK)[1].strip()
    assert "Once it is mended: callwright endpoints enable" in run("webhooks", "test", webhook_id)[2]
    assert run("endpoints", "enable", HOOK)[::2] == (0, f"{HOOK} is sent to again.\n")
    assert run("endpoints", "enable", HOOK)[::2] == (
        0,
        f"{HOOK} was not disabled; its rest is over, and what is due there is tried at once, one to begin with.\n",
    )
    assert room.deliverer.tried == [HOOK]
    assert "is not disabled" in run("endpoints", "enable", HOOK)[2]


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


def test_calls_are_listed_and_exported_by_the_server(room, run, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "BATCH", 2)
    world = room.accounts.world("live").id
    for n in range(5):
        call = Call(
            id=ids.uuid7(NOW_US), world_id=world, status=CallStatus.ENDED, source=f"{n}", destination="1",
            created_us=NOW_US, updated_us=NOW_US, ended_us=NOW_US,
        )  # fmt: skip
        asyncio.run(put(room.store, call))
    assert [line.split("\t")[3] for line in run("calls", "list")[1].splitlines()] == list("43210")
    assert run("calls", "export", str(tmp_path / "calls.ndjson"))[0] == 0
    lines = (tmp_path / "calls.ndjson").read_text().splitlines()
    assert [json.loads(line)["source"] for line in lines] == list("43210")
    # one that the server does not bring to an end
    batch = Search.batch

    def fail(self, place, *given, **named):
        if place.boundary < 4:
            raise OSError("the disk is gone")
        return batch(self, place, *given, **named)

    monkeypatch.setattr(Search, "batch", fail)
    code, _, err = run("calls", "export", str(tmp_path / "half.csv"))
    assert (code, err) == (1, "callwright: The server broke its answer off; its log may say why.\n")
    assert not (tmp_path / "half.csv").exists()
