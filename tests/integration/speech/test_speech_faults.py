"""Engines that crash, hang, refuse and give nothing, in real processes: another speaks, and nothing waits without end."""

from __future__ import annotations

import asyncio
import os
import signal
import wave
from pathlib import Path

import numpy as np
import pytest

import callwright
from callwright.telephony.speech import SpeechUnavailable, Utterance
from support.recogniser import samples_of
from support.sound import share
from support.studio import said, studio

SOURCES = os.pathsep.join([str(Path(callwright.__file__).parents[1]), str(Path(__file__).parents[2])])
BAD = "support.bad_voice"
BOTH = ("espeak", "pico")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", SOURCES)


def speaker(path: Path) -> str:
    samples = samples_of(path)[200:3_800]
    return max({"espeak": 300, "pico": 500}.items(), key=lambda one: share(samples, one[1]))[0]


def found(folder: Path, pattern: str) -> list[Path]:
    return list(folder.rglob(pattern))


@pytest.mark.parametrize("misbehaviour", ["crash", "hang", "refuse", "fault", "silence", "noise"])
async def test_the_next_voice_takes_over(tmp_path: Path, misbehaviour: str, caplog: pytest.LogCaptureFixture) -> None:
    text = f"First. Then {misbehaviour} espeak secret. And on."
    deadline_s = 1 if misbehaviour == "hang" else 20
    async with studio(tmp_path, module=BAD, engines=BOTH, deadline_s=deadline_s, patience_s=30) as made, asyncio.timeout(60):
        assert [speaker(path) for path in await said(made.library, text)] == ["espeak", "pico", "pico"]
        # The engine is back for others, and what it did not say is not asked of it again at once.
        while not any(worker.engine == "espeak" and worker.idle for worker in made.workers):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert [speaker(path) for path in await said(made.library, "Hello.")] == ["espeak"]
    assert "secret" not in "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)


async def test_a_text_that_kills_is_not_tried_for_ever(tmp_path: Path) -> None:
    async with studio(tmp_path, module=BAD, engines=("espeak",), patience_s=30) as made, asyncio.timeout(60):
        for _ in range(4):
            with pytest.raises(SpeechUnavailable):
                await said(made.library, "crash espeak")
        (worker,) = made.workers
        assert worker.lives <= 3
        assert [speaker(path) for path in await said(made.library, "Hello.")] == ["espeak"]


async def test_a_crash_takes_nobody_else_down(tmp_path: Path) -> None:
    async with studio(tmp_path, module=BAD, engines=BOTH, patience_s=30) as made, asyncio.timeout(60):
        texts = ["crash espeak" if number == 25 else f"Text {number}." for number in range(50)]
        files = await asyncio.gather(*(said(made.library, text) for text in texts))
        speakers = [speaker(path) for (path,) in files]
        assert speakers == ["pico" if number == 25 else "espeak" for number in range(50)]


async def test_a_process_killed_from_outside_is_back(tmp_path: Path) -> None:
    async with studio(tmp_path, module=BAD, engines=("espeak",), patience_s=30) as made, asyncio.timeout(60):
        for number in range(3):
            os.kill(made.pids["espeak"], signal.SIGKILL)
            assert len(await said(made.library, f"Text {number}.")) == 1


async def test_a_process_that_is_stopped_is_replaced(tmp_path: Path) -> None:
    stopped = studio(tmp_path, module=BAD, engines=("espeak",), patience_s=30, silence_s=1.5)
    async with stopped as made, asyncio.timeout(60):
        os.kill(made.pids["espeak"], signal.SIGSTOP)
        assert len(await said(made.library, "Hello.")) == 1


async def test_an_engine_that_cannot_be_loaded_is_passed_over(tmp_path: Path) -> None:
    async with studio(tmp_path, module=BAD, engines=("hibari", "espeak"), patience_s=30) as made, asyncio.timeout(60):
        assert [speaker(path) for path in await said(made.library, "Hello.", "en-US")] == ["espeak"]


async def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"")  # a file where the folder should be
    async with studio(tmp_path / "cache", module=BAD, engines=("espeak",)) as made:
        with pytest.raises(SpeechUnavailable, match="cannot be made"):
            await said(made.library, "Hello.")


async def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    async with studio(tmp_path, module=BAD, engines=("espeak",)) as made:
        # As good as full: the folder of the key is there and takes no file.
        made.library._cache.make_room = lambda key: Path("/proc/no/such/place")
        with pytest.raises(SpeechUnavailable, match="cannot be written"):
            await said(made.library, "Hello.")
    assert found(tmp_path, "*.part") == []


STRANGE = [
    "\U0001f600" * 50 + "a",
    "\u0000\u0007bell",
    "\ud800 lone surrogate",
    "\u202e right to left",
    "a" * 5_000,
    "word " * 999,
    "Z\u0351\u036b\u0343\u036a\u0302\u0364a\u0346\u035f\u0347l\u034bg\u0330o" * 20,
    "1234567890" * 40,
    "5 < 6 & \"x\" 'y' <b>z</b>",
    "[[h@'loU]] {{x}} \\pau=100\\ <genfile file='/tmp/callwright-must-not-be'>no</genfile>",
    "%s%n%d %x",
    "../../etc/passwd",
    "日本語 mixed العربية text Привет",
    "\u0301\u0301\u0301 a",
    "ª º ½ ² № ™ © ®",
    "Hi " + "\u093c" * 100 + "क",
    "\uffff\ufffe x",
]


@pytest.mark.parametrize("engine", ["espeak", "pico"])
async def test_strange_texts_come_to_an_end(tmp_path: Path, engine: str) -> None:
    async with studio(tmp_path, engines=(engine, *({"espeak"} - {engine})), patience_s=20) as made, asyncio.timeout(90):
        for number, text in enumerate(STRANGE):
            files = await said(made.library, text)
            assert files, number
            assert all(len(samples_of(path)) > 400 for path in files), number
            assert all(worker.lives == 1 for worker in made.workers), number
    assert not os.path.exists("/tmp/callwright-must-not-be")  # noqa: ASYNC240


async def test_fifty_calls_speak_at_once(tmp_path: Path) -> None:
    async with studio(tmp_path, engines=BOTH, patience_s=60) as made, asyncio.timeout(120):
        texts = [f"Caller {number} hears this. And that of {number}." for number in range(50)]
        genders = ["male", "female"]
        files = await asyncio.gather(
            *(said(made.library, text, "en-GB", genders[number % 2]) for number, text in enumerate(texts))
        )
        assert all(len(of_one) == 2 for of_one in files)
        assert len({path for of_one in files for path in of_one}) == 100
        again = await said(made.library, texts[7], "en-GB", "female")
        assert again == files[7]
        sounds = {path.read_bytes() for of_one in files for path in of_one}
        assert len(sounds) == 100


async def test_files_are_what_is_played_and_their_owners_alone(tmp_path: Path) -> None:
    async with studio(tmp_path, engines=("espeak",), patience_s=20) as made:
        (path,) = await said(made.library, "Your secret is four two.")
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8_000, 2, 1)
    assert path.stat().st_mode & 0o077 == 0
    assert not [
        one for one in found(tmp_path, "*") if "secret" in one.name or (one.is_file() and b"secret" in one.read_bytes())
    ]
    assert np.abs(samples_of(path)[:400]).max() > 0  # it begins at once


async def test_what_is_prepared_is_there_when_it_is_said(tmp_path: Path) -> None:
    async with studio(tmp_path, engines=("espeak",), patience_s=20) as made, asyncio.timeout(60):
        made.library.prepare(Utterance("Welcome. Press one.", "en-GB"))
        while len(found(tmp_path, "*.wav")) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        made.workers[0].render = None  # type: ignore[assignment]  # nobody is asked any more
        assert len(await said(made.library, "Welcome. Press one.")) == 2
