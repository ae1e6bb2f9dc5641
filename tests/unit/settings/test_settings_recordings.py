"""Settings of recordings and transcription: what cannot be, what is not shown, and who is made of them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from callwright.clock import SystemClock
from callwright.errors import SettingsError
from callwright.settings import Settings, load, rooms, rows
from callwright.settings.recorded import RecordingsSection, TranscriptionSection
from callwright.speech.recognition.absent import NoTranscriber
from callwright.speech.recognition.recogniser import Recogniser
from callwright.speech.recognition.service import Service

KEY = base64.b64encode(bytes(range(32))).decode()
NOWHERE = Path("/nowhere")


def faults(*texts: str) -> str:
    flags = dict(text.split("=", 1) for text in texts)
    with pytest.raises(SettingsError) as caught:
        load(flags, {}, None, NOWHERE)
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["recordings.storage=s3"], 'recordings.bucket = "" (default): must be set when recordings.storage is "s3"'),
        (["recordings.access_key=a"], "(command line): and recordings.secret_key must both be set"),
        (["recordings.secret_key=a"], "recordings.access_key"),
        (["recordings.prefix=/a"], "recordings.prefix"),
        (["recordings.prefix=a"], "must be empty, or names that each end with a slash"),
        (["recordings.endpoint=s3.example.com"], "must be an address that begins with http:// or https://"),
        (["recordings.endpoint=http://a/?b"], "must not have a ? or # in it"),
        (["recordings.endpoint=http://a:x/"], "must be an address"),
        (["recordings.keys=a:b"], "recordings.keys[0] (command line): must have 32 bytes in base64 or hexadecimal behind a:"),
        (["recordings.storage=tape"], 'must be one of "local", "s3"'),
        (["transcription.language=klingon"], "must be a language such as de-DE"),
        (["transcription.model=/a", "transcription.url=http://a/v1"], "exclude each other"),
        (["transcription.url=a/v1"], "must be an address"),
        (["transcription.threads=0"], "from 1 to 64"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(settings, told):
    assert told in faults(*settings)


def test_keys_come_from_the_environment_and_are_not_shown():
    environment = {"CALLWRIGHT_RECORDINGS__KEYS": f"new:{KEY}, old:{'0f' * 32}", "CALLWRIGHT_TRANSCRIPTION__API_KEY": "hush"}
    loaded = load({}, environment, None, NOWHERE)
    assert rooms.recording_keys(loaded.settings).names == ("new", "old")
    shown = {row.key: row.value for row in rows(loaded)}
    assert (shown["recordings.keys"], shown["transcription.api_key"], shown["recordings.secret_key"]) == ("***", "***", '""')
    assert KEY not in repr(loaded.settings) + str(shown)
    short = f"new:{KEY[:-4]}"
    assert KEY[:20] not in faults(f"recordings.keys={short}")


def test_who_writes_down(tmp_path):
    def made(**options):
        return rooms.transcriber(Settings(transcription=TranscriptionSection(**options)), None, SystemClock())

    assert isinstance(made(), NoTranscriber)
    assert isinstance(made(url="http://127.0.0.1:9000/v1"), Service)
    (tmp_path / "model.bin").touch()
    model = made(model=str(tmp_path), threads=2)
    assert isinstance(model, Recogniser)
    assert model.arguments == f'{{"folder":"{tmp_path}","threads":2,"log_level":"info"}}'
    with pytest.raises(SettingsError, match=r"transcription\.model = /nowhere: must be a folder"):
        made(model="/nowhere")


def test_the_defaults_keep_everything_here_and_open():
    assert rooms.recording_keys(Settings()).current == ""
    assert rooms.recording_objects(Settings()) is None
    # With keys of its own, as the library asks the network for others.
    section = RecordingsSection(bucket="b", endpoint="http://127.0.0.1:1", access_key="a", secret_key="b")
    objects = rooms.recording_objects(Settings(recordings=section))
    assert objects is not None  # while older ones are in it
