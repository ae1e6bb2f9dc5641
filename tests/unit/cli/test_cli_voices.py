"""``callwright voices``, without a server."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import pytest

from callwright.cli import main
from callwright.speech.languages import LANGUAGES

pytestmark = pytest.mark.usefixtures("log_as_before")


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run a command in a folder of its own; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    for name in ("CALLWRIGHT_DATA", "CALLWRIGHT_CONFIG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        out, err = capfd.readouterr()
        return exit_.value.code, out, err

    return run


def test_every_language_with_who_speaks_it(run) -> None:
    code, out, _ = run("voices")
    assert code == 0
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in out.splitlines()}
    assert set(rows) == {language.tag for language in LANGUAGES}
    assert rows["nl-NL"] == ["Dutch", "espeak:gmw/nl+f2", "espeak:gmw/nl+m3", ""]
    assert rows["de-DE"][1].startswith("pico:de-DE, espeak:gmw/de")
    assert rows["ja-JP"][3] == "without kanji"
    assert rows["gl-ES"] == ["Galician", "", "", "nobody speaks it here"]


def test_as_json_and_with_other_settings(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "callwright-data").mkdir()
    (tmp_path / "callwright-data" / "callwright.toml").write_text(
        '[speech]\nengines = ["pico"]\n[[speech.providers]]\nname = "own"\nkind = "openai"\nurl = "http://127.0.0.1:1/v1"\n'
        'voices = { "ja" = "sakura" }\n'
    )
    code, out, _ = run("voices", "--json")
    assert code == 0
    told = json.loads(out)
    rows = {row["language"]: row for row in told["languages"]}
    assert rows["ja-JP"] == {
        "language": "ja-JP",
        "name": "Japanese",
        "female": ["own:sakura"],
        "male": ["own:sakura"],
        "note": "",
    }
    assert rows["de-DE"]["male"] == []
    assert rows["nl-NL"]["note"] == "nobody speaks it here"
    assert told["absent"] == {}


def test_a_text_becomes_a_file(run, tmp_path: Path) -> None:
    code, out, err = run("voices", "say", "Hello there. This is a test.", "--language", "en-GB", "--male", "--out", "a.wav")
    assert (code, out, err) == (0, "", "a.wav: spoken by espeak.\n")
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8_000, 2, 1)
        assert 1.5 < file.getnframes() / 8_000 < 6
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("東京", "--language", "ja-JP"), "Japanese with kanji"),
        (("Hello", "--language", "xx"), "is not a language"),
        (("",), "nothing in the text"),
        (("Hello", "--out", "no/such/folder/a.wav"), "cannot be written"),
    ],
)
def test_what_cannot_be_said(run, arguments: tuple[str, ...], why: str) -> None:
    code, _, err = run("voices", "say", "--out", "a.wav", *arguments)
    assert code == 1
    assert why in err
