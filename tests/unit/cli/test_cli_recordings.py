"""``callwright recordings`` on a folder that no server works on."""

from __future__ import annotations

import asyncio
import base64
import json
import wave

import pytest

from callwright.audiofile import wav
from callwright.cli import main
from callwright.clock import SystemClock
from callwright.store import Store
from callwright.telephony import RecordOutcome, Tracks
from support.rest import Rest
from support.sound import tone

SOUND = tone(500.0, 1_500).astype("<i2").tobytes()
OLD, NEW = bytes(range(32)), bytes(range(32, 64))
SOMEWHERE = "01890000-0000-7000-8000-000000000000"


def written(**keys: bytes) -> str:
    return ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in keys.items())


@pytest.fixture
def run(tmp_path, monkeypatch, capsysbinary):
    """Run a command in a folder of its own; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        out, err = capsysbinary.readouterr()
        return exit_.value.code, out if arguments[-1] == "-" else out.decode(), err.decode()

    assert run("keys", "create", "live")[0] == 0
    return run


@pytest.fixture
def made(tmp_path, run):
    """Three recordings: sealed, of another call in two channels, and one that failed."""

    async def make():
        data = tmp_path / "callwright-data"
        store = Store.open(data / "callwright.db", SystemClock())
        rest = Rest(store, data / "recordings", keys={"old": OLD})
        await rest.accounts.prepare()
        one = await rest.recording(await rest.inbound_call(), SOUND)
        two = await rest.recording(await rest.inbound_call(), SOUND * 2, tracks=Tracks.BOTH)
        failed = await rest.recording(await rest.inbound_call(kind="test"), None, outcome=RecordOutcome.FAILED)
        rest.files.close()
        store.close()
        return one, two, failed

    return asyncio.run(make())


def test_recordings_are_listed(run, made):
    one, two, failed = made
    code, out, _ = run("recordings", "list")
    lines = [line.split("\t") for line in out.splitlines()]
    assert code == 0
    assert [line[:7] for line in lines] == [
        [str(two.id), str(two.call_id), "ivr", "done", "1.5", "local", "yes"],
        [str(one.id), str(one.call_id), "ivr", "done", "1.5", "local", "yes"],
    ]
    assert [line.split("\t")[0] for line in run("recordings", "list", "--call", str(one.call_id))[1].splitlines()] == [
        str(one.id)
    ]
    (shown,) = json.loads(run("recordings", "list", "--test", "--json")[1])
    assert (shown["id"], shown["status"]) == (str(failed.id), "failed")
    assert run("recordings", "list", "--call", SOMEWHERE)[:2] == (0, "")


def test_a_recording_is_exported_wherever_and_however_it_is_kept(run, made, monkeypatch, tmp_path):
    one, two, failed = made
    monkeypatch.setenv("CALLWRIGHT_RECORDINGS__KEYS", written(new=NEW, old=OLD))
    monkeypatch.setattr("callwright.cli.recordings.PORTION", 10_000)
    assert run("recordings", "export", str(two.id), "two.wav") == (0, "", f"{44 + 2 * len(SOUND)} bytes are in two.wav.\n")
    with wave.open("two.wav", "rb") as file:
        assert (file.getnchannels(), file.readframes(1 << 20)) == (2, SOUND * 2)
    assert run("recordings", "export", str(one.id), "-")[:2] == (0, wav.header(1, len(SOUND)) + SOUND)
    code, _, err = run("recordings", "export", str(one.id), "two.wav")
    assert (code, err) == (1, "callwright: two.wav cannot be written: File exists.\n")
    assert run("recordings", "export", str(failed.id), "none.wav", "--test")[::2] == (1, "callwright: Nothing was recorded.\n")
    assert not (tmp_path / "none.wav").exists()
    assert run("recordings", "export", SOMEWHERE, "none.wav")[0] == 1


def test_keys_are_changed(run, made, monkeypatch):
    one, _, _ = made
    assert run("recordings", "rewrap")[::2] == (
        1, "callwright: There is no key to seal with.\nSet recordings.keys, and start the server again.\n",
    )  # fmt: skip
    monkeypatch.setenv("CALLWRIGHT_RECORDINGS__KEYS", written(new=NEW))
    code, _, err = run("recordings", "rewrap")
    assert (code, err.splitlines()[-1]) == (1, "Not opened, because these keys are missing from recordings.keys: old.")
    monkeypatch.setenv("CALLWRIGHT_RECORDINGS__KEYS", written(new=NEW, old=OLD))
    assert run("recordings", "rewrap") == (0, "", "3 recordings and 0 transcripts are sealed with the key new now.\n")
    monkeypatch.setenv("CALLWRIGHT_RECORDINGS__KEYS", written(new=NEW))
    assert json.loads(run("recordings", "rewrap", "--json")[1])["recordings"] == {"renewed": 0, "lost": {}}
    assert run("recordings", "export", str(one.id), "one.wav")[0] == 0
    monkeypatch.delenv("CALLWRIGHT_RECORDINGS__KEYS")
    code, _, err = run("recordings", "export", str(one.id), "again.wav")
    assert (code, "sealed with the key 'new'" in err) == (1, True)
