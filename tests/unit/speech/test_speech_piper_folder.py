"""A folder of Piper voices: what descriptions tell, and what of it is of no use."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from callwright.speech.languages import find
from callwright.speech.piperfolder import PiperVoices
from callwright.speech.source import Voice, VoiceFailed


def put(folder: Path, name: str, described: Any = None, *, model: bytes = b"model") -> None:
    (folder / f"{name}.onnx").write_bytes(model)
    if described is None:
        described = {"language": {"code": name.partition("-")[0]}, "audio": {"sample_rate": 22_050}, "num_speakers": 1}
    text = described if isinstance(described, str) else json.dumps(described)
    (folder / f"{name}.onnx.json").write_text(text)


def voice(voices: PiperVoices, tag: str, gender: str = "female") -> Voice | None:
    language = find(tag)
    assert language is not None
    return voices.voice(language, gender)


def test_the_best_voice_for_a_language_and_a_gender(tmp_path: Path) -> None:
    for name in ("en_US-joe-medium", "en_US-lessac-high", "en_GB-alan-low", "nl_NL-mls-medium", "nl_BE-rdh-medium"):
        put(tmp_path, name)
    voices = PiperVoices(str(tmp_path), {})
    assert voice(voices, "en-US", "male") == Voice("en_US-joe-medium", "male")
    assert voice(voices, "en-US") == Voice("en_US-lessac-high", "female")
    assert voice(voices, "en-GB", "male") == Voice("en_GB-alan-low", "male")
    assert voice(voices, "en-GB") == Voice("en_US-lessac-high", "female")  # a woman's goes before the region
    assert voice(voices, "nl-BE", "male") == Voice("nl_BE-rdh-medium", "male")
    assert voice(voices, "nl-NL") == Voice("nl_NL-mls-medium", "")  # nobody told what it is
    assert voice(voices, "de-DE") is None


def test_an_operator_tells_genders_and_speakers(tmp_path: Path) -> None:
    put(tmp_path, "nl_NL-mls-medium", {"language": {"code": "nl_NL"}, "num_speakers": 52})
    voices = PiperVoices(
        str(tmp_path), {"nl_NL-mls-medium#7": "female", "nl_NL-mls-medium#99": "female", "nl_NL-mls-medium": "male"}
    )
    assert voice(voices, "nl-NL") == Voice("nl_NL-mls-medium#7", "female")
    assert voice(voices, "nl-NL", "male") == Voice("nl_NL-mls-medium", "male")


@pytest.mark.parametrize(
    ("described", "tag"),
    [
        ({"language": {"code": "es_MX"}}, "es-MX"),
        ({"espeak": {"voice": "de"}}, "de-DE"),
        ({"language": {"code": "nonsense"}, "espeak": {"voice": "fr"}}, "fr-FR"),
        ({"language": None, "espeak": {"voice": "cmn"}}, "zh-CN"),
        ({"language": {"family": "it"}, "espeak": {"voice": "it"}}, "it-IT"),
    ],
)
def test_where_the_language_is_found(tmp_path: Path, described: dict[str, Any], tag: str) -> None:
    put(tmp_path, "voice", described)
    assert voice(PiperVoices(str(tmp_path), {}), tag) is not None


@pytest.mark.parametrize(
    "described", ["", "{", "[]", '"x"', '{"language": 3}', '{"language": {"code": "xx_YY"}}', '{"num_speakers": "x"}']
)
def test_what_is_of_no_use_is_left_out_and_told(tmp_path: Path, described: str, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, "good-joe-medium", {"language": {"code": "en_US"}})
    put(tmp_path, "bad", described)
    (tmp_path / "alone.onnx").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        voices = PiperVoices(str(tmp_path), {})
    assert [one.voice.name for one in voices.found] == ["good-joe-medium"]
    assert {record.fields["voice"] for record in caplog.records} == {"bad", "alone"}
    assert voices.problem is None


@pytest.mark.parametrize(("name", "why"), [("nowhere", "is not a folder"), ("", "holds no voice"), ("file", "is not a folder")])
def test_a_folder_without_voices(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    voices = PiperVoices(str(tmp_path / name), {})
    assert voices.found == []
    assert voices.problem is not None
    assert why in voices.problem


def test_none_is_wanted() -> None:
    voices = PiperVoices("", {})
    assert (voices.found, voices.problem) == ([], None)


async def test_sound_depends_on_the_bytes_of_the_model(tmp_path: Path) -> None:
    put(tmp_path, "en_US-joe-medium", model=b"one")
    put(tmp_path, "en_US-ryan-medium", model=b"two")
    voices = PiperVoices(str(tmp_path), {})
    one, two = [await voices.model_hash(Voice(f"en_US-{name}-medium")) for name in ("joe", "ryan")]
    assert len(one) == len(two) == 64
    assert one != two
    assert await voices.model_hash(Voice("en_US-joe-medium#3")) == one
    with pytest.raises(VoiceFailed, match="cannot be read"):
        await voices.model_hash(Voice("gone"))
