"""Speech services over HTTP, on loopback: what each is asked, and who speaks when one does not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from callwright.clock import SystemClock
from callwright.egress.post import HttpDoor
from callwright.errors import SettingsError
from callwright.settings import load, rooms, rows
from callwright.speech.languages import find
from callwright.speech.providers.adapters import ADAPTERS
from callwright.speech.providers.breaker import FIRST_PAUSE_S, LONGEST_PAUSE_S, Breaker
from callwright.speech.providers.service import MOST_BYTES, Service
from callwright.speech.settings import ProviderSettings
from callwright.speech.source import Voice
from callwright.telephony.speech import SpeechUnavailable, Utterance
from support.fake_children import ManualClock
from support.recogniser import samples_of
from support.speech_service import SOUND, SpeechService, is_of_service, speech_service
from support.studio import RunningStudio, said, studio

KEY = "key-that-nobody-may-see"


def settings_of(service: SpeechService, **changes: Any) -> ProviderSettings:
    return ProviderSettings(
        **{"name": "kokoro", "kind": "openai", "url": f"{service.url}/v1", "voices": {"*": "nova"}, "key": KEY, **changes}
    )


@asynccontextmanager
async def door() -> AsyncIterator[HttpDoor]:
    opened = HttpDoor(rooms.speech_egress(), SystemClock())
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def speaking(folder: Path, service: SpeechService, **changes: Any) -> AsyncIterator[RunningStudio]:
    options = {"patience_s": 20.0, **changes.pop("options", {})}
    async with (
        door() as transport,
        studio(
            folder, transport=transport, engines=("espeak",), providers=(settings_of(service, **changes),), **options
        ) as made,
    ):
        yield made


async def test_the_service_speaks_first_and_once(tmp_path: Path) -> None:
    async with speech_service() as service, speaking(tmp_path, service) as made:
        (path,) = await said(made.library, 'Say "this" & <that>, in São Paulo.', "pt-BR", "male")
        assert is_of_service(samples_of(path))
        assert await said(made.library, 'Say "this" & <that>, in São Paulo.', "pt-BR", "male") == [path]
        (asked,) = service.asked
        assert asked.target == "/v1/audio/speech"
        assert asked.headers["authorization"] == f"Bearer {KEY}"
        assert json.loads(asked.body) == {
            "model": "tts-1", "voice": "nova", "input": "Say \"this\" & <that>, in São Paulo.", "response_format": "wav",
        }  # fmt: skip


@pytest.mark.parametrize("kind", sorted(set(ADAPTERS) - {"openai"}))
async def test_what_other_services_are_asked(tmp_path: Path, kind: str) -> None:
    async with speech_service() as service, speaking(tmp_path, service, kind=kind, url=f"{service.url}/", model="m1") as made:
        (path,) = await said(made.library, "Fish & <chips>.", "en-GB")
        assert is_of_service(samples_of(path))
    (asked,) = service.asked
    match kind:
        case "azure":
            assert asked.target == "/cognitiveservices/v1"
            assert asked.headers["ocp-apim-subscription-key"] == KEY
            assert asked.headers["content-type"] == "application/ssml+xml"
            assert asked.headers["x-microsoft-outputformat"] == "riff-16khz-16bit-mono-pcm"
            assert asked.headers["user-agent"]
            spoken = ElementTree.fromstring(asked.body)
            (voice,) = spoken
            assert (voice.get("name"), voice.text) == ("nova", "Fish & <chips>.")
            assert spoken.get("{http://www.w3.org/XML/1998/namespace}lang") == "en-GB"
        case "elevenlabs":
            assert asked.target == "/v1/text-to-speech/nova?output_format=pcm_16000"
            assert asked.headers["xi-api-key"] == KEY
            assert json.loads(asked.body) == {"text": "Fish & <chips>.", "model_id": "m1"}
        case "deepgram":
            assert asked.target == "/v1/speak?model=nova&encoding=linear16&container=wav&sample_rate=16000"
            assert asked.headers["authorization"] == f"Token {KEY}"
            assert json.loads(asked.body) == {"text": "Fish & <chips>."}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((500, b"oh no"), "answered 500"),
        ((404, b""), "answered 404"),
        ((429, b""), "answered 429"),
        ((302, b""), "redirects are not followed"),
        ((200, b""), "no sound"),
        ((200, b'{"error": "model not found"}'), "neither WAV nor bare samples"),
        ((200, b"<html>"), "neither WAV nor bare samples"),
        ((200, b"RIFF" + b"\xff" * 20_000), "neither WAV nor bare samples"),
        ((200, SOUND[:44]), "no sound"),
        ((200, SOUND[:20]), "without sound"),
        ((200, bytes(20_000)), "no sound"),
        ((200, bytes(MOST_BYTES + 2)), "no whole answer of at most 8 MB"),
    ],
)
async def test_what_a_service_may_answer_instead(
    tmp_path: Path, answer: tuple[int, bytes], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with speech_service() as service, speaking(tmp_path, service) as made:
        service.answer = lambda asked: answer
        (path,) = await said(made.library, "A secret text.", "en-GB")
        assert not is_of_service(samples_of(path))
    told = [record.fields for record in caplog.records if record.getMessage() == "voice_failed"]
    assert why in told[0]["detail"]
    assert told[0]["source"] == "kokoro"
    everything = "".join(str(vars(record)) for record in caplog.records)
    assert KEY not in everything
    assert "secret text" not in everything


async def test_a_service_that_hangs_is_not_waited_for_and_its_answer_is_kept(tmp_path: Path) -> None:
    async with speech_service() as service, speaking(tmp_path, service, timeout=0.5, options={"patience_s": 0.1}) as made:
        service.answer = lambda asked: None
        (path,) = await said(made.library, "Hello.", "en-GB")
        assert not is_of_service(samples_of(path))


async def test_a_service_that_is_down(tmp_path: Path) -> None:
    async with speech_service() as service, speaking(tmp_path, service, url="http://127.0.0.1:9/v1") as made:
        for number in range(5):
            (path,) = await said(made.library, f"Hello {number}.", "en-GB")
            assert not is_of_service(samples_of(path))
        assert made.library.cast.sources[0].trouble == "kokoro failed before and is left alone for a while"


async def test_a_service_that_does_not_take_the_key_is_left_alone_at_once(tmp_path: Path) -> None:
    async with speech_service() as service, speaking(tmp_path, service) as made:
        service.answer = lambda asked: (401, b"who are you")
        for number in range(4):
            await said(made.library, f"Hello {number}.", "en-GB")
        assert len(service.asked) == 1


async def test_a_language_without_a_voice_is_not_asked_of_it(tmp_path: Path) -> None:
    async with speech_service() as service, speaking(tmp_path, service, voices={"nl-NL female": "fenna"}) as made:
        await said(made.library, "Hello.", "en-GB")
        await said(made.library, "Hallo.", "nl-NL", "female")
        assert [json.loads(asked.body)["voice"] for asked in service.asked] == ["fenna"]


async def test_with_a_service_kanji_can_be_said(tmp_path: Path) -> None:
    kanji = Utterance("東京へようこそ。", "ja-JP")
    async with speech_service() as service, speaking(tmp_path, service) as made:
        assert made.library.refusal(kanji) is None
        assert len(await said(made.library, kanji.text, kanji.language)) == 1
        service.answer = lambda asked: (500, b"")
        with pytest.raises(SpeechUnavailable, match="answered 500"):  # and not "Chinese letter, Chinese letter"
            await said(made.library, "京都。", "ja-JP")


@pytest.mark.parametrize(
    ("voices", "tag", "gender", "voice"),
    [
        ({"*": "a"}, "en-GB", "male", Voice("a")),
        ({"female": "f", "male": "m"}, "en-GB", "male", Voice("m", "male")),
        ({"female": "f"}, "en-GB", "male", None),
        ({"NL_nl Female": "f", "*": "a"}, "nl-NL", "female", Voice("f", "female")),
        ({"nl-NL female": "f", "*": "a"}, "nl-NL", "male", Voice("a")),
        ({"nl-NL female": "f"}, "nl-NL", "male", Voice("f", "female")),
        ({"nl": "n", "*": "a"}, "nl-BE", "male", Voice("n")),
        ({"nl male": "n", "nl-BE": "b"}, "nl-BE", "male", Voice("b")),
        ({"nl": "n"}, "de-DE", "male", None),
        ({"en-uk": "b"}, "en-GB", "male", Voice("b")),
    ],
)
def test_whose_voice_it_is(voices: dict[str, str], tag: str, gender: str, voice: Voice | None) -> None:
    settings = ProviderSettings(name="x", kind="openai", url="http://x", voices=voices)
    language = find(tag)
    assert language is not None
    service = Service(settings, None, ManualClock())  # type: ignore[arg-type]
    assert service.voice(language, gender) == voice


def test_the_breaker() -> None:
    clock = ManualClock()
    breaker = Breaker(clock)
    for _ in range(2):
        breaker.ask()
        breaker.fail()
    assert not breaker.open
    breaker.ask()
    breaker.succeed()
    pause = FIRST_PAUSE_S
    for _ in range(3):
        breaker.ask()
        breaker.fail()
    for _ in range(8):
        assert breaker.open
        clock.advance(pause - 1)
        assert breaker.open
        clock.advance(2)
        assert not breaker.open
        breaker.ask()
        assert breaker.open  # one tries, the others wait
        breaker.fail()
        pause = min(pause * 2, LONGEST_PAUSE_S)
    clock.advance(LONGEST_PAUSE_S + 1)
    breaker.ask()
    breaker.succeed()
    assert not breaker.open
    breaker.fail(at_once=True)
    assert breaker.open


def test_settings_become_a_service(tmp_path: Path) -> None:
    (tmp_path / "callwright.toml").write_text(
        '[speech]\nengines = ["pico", "espeak"]\npatience = 1.5\n[[speech.providers]]\nname = "own"\nkind = "openai"\n'
        f'url = "http://10.0.0.8:8880/v1"\nvoices = {{ "nl-NL female" = "fenna", "*" = "nova" }}\nkey = "{KEY}"\n'
    )
    loaded = load({}, {}, None, tmp_path)
    speech = rooms.speech(loaded.settings)
    assert speech.engines == ("pico", "espeak")
    assert speech.patience_s == 1.5
    assert speech.providers == (
        ProviderSettings(
            name="own", kind="openai", url="http://10.0.0.8:8880/v1", voices={"nl-NL female": "fenna", "*": "nova"}, key=KEY
        ),
    )
    assert KEY not in str(rows(loaded))
    assert KEY not in repr(loaded.settings)


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ('engines = []', "must name at least one engine"),
        ('engines = ["espeak", "espeak"]', "must name each engine once"),
        ('engines = ["festival"]', "one of"),
        ('piper_genders = { "x" = "neuter" }', "one of"),
        ('providers = [{name="espeak", kind="openai", url="http://x", voices={"*"="a"}}]', "the name of an engine"),
        ('providers = [{name="a", kind="openai", url="http://x", voices={}}]', "must name a voice"),
        ('providers = [{name="a", kind="openai", url="ftp://x", voices={"*"="a"}}]', "http:// or https://"),
        ('providers = [{name="a", kind="openai", url="http://x", voices={"xx"="a"}}]', "'xx' must be a language"),
        ('providers = [{name="a", kind="openai", url="http://x", voices={"nl robot"="a"}}]', "must be a language"),
        ('providers = [{name="a", kind="polly", url="http://x", voices={"*"="a"}}]', "one of"),
        ('providers = [{name="a", kind="openai", url="http://x", voices={"*"=""}}]', "must have a voice"),
        ('providers = [{name="a", kind="openai", voices={"*"="a"}}]', "must have url"),
    ],
)  # fmt: skip
def test_bad_settings_are_told(tmp_path: Path, setting: str, why: str) -> None:
    (tmp_path / "callwright.toml").write_text(f"[speech]\n{setting}\n")
    with pytest.raises(SettingsError, match=why):
        load({}, {}, None, tmp_path)
