"""Sentences one after the other, the chain of voices, and who waits for whom; time is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from callwright.clock import VirtualClock, VirtualLoop
from callwright.speech import sentences
from callwright.telephony.speech import SpeechUnavailable, Utterance
from support.voices import FakeVoice, library, speaker_of, spoken_by

THREE = "One is here. Two is here. Three is here."


def play(scene: Callable[[VirtualClock], Awaitable[None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)

        async def act() -> None:
            await scene(VirtualClock(loop))

        runner.run(act())


def test_the_first_sentence_comes_before_the_second_is_made(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        voice = FakeVoice("one", clock, takes_s=1)
        came = []
        async for _ in library(tmp_path, clock, voice).say(Utterance(THREE, "en-GB")):
            came.append((round(clock.mono_ns() / 1e9), len(voice.spoken)))
        assert came == [(1, 1), (2, 2), (3, 3)]

    play(scene)


def test_the_next_sentence_is_made_while_one_is_played(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        made = library(tmp_path, clock, FakeVoice("one", clock, takes_s=1))
        came = []
        async for _ in made.say(Utterance(THREE, "en-GB")):
            came.append(round(clock.mono_ns() / 1e9))
            await clock.sleep(5)  # it is played
        assert came == [1, 6, 11]

    play(scene)


def test_a_sentence_is_made_once(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        voice = FakeVoice("one", clock)
        made = library(tmp_path, clock, voice)
        first = [path async for path in made.say(Utterance("Hello.", "en-GB"))]
        again = [path async for path in made.say(Utterance("  Hello. \n", "EN_gb", "female"))]
        assert first == again
        assert voice.spoken == ["Hello."]
        # Another server on the same folder finds it.
        assert [path async for path in library(tmp_path, clock, voice).say(Utterance("Hello.", "en-GB"))] == first
        assert voice.spoken == ["Hello."]

    play(scene)


def test_calls_that_want_the_same_at_once_share_the_making(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        voice = FakeVoice("one", clock)
        made = library(tmp_path, clock, voice)
        spoken = await asyncio.gather(*(spoken_by(made, THREE) for _ in range(50)))
        assert spoken == [["one"] * 3] * 50
        assert sorted(voice.asked) == sorted(sentences.split(THREE))

    play(scene)


def test_what_differs_is_made_apart(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        made = library(tmp_path, clock, FakeVoice("one", clock), FakeVoice("two", clock, gender="male"))
        files = set()
        for language, gender in (("en-GB", "female"), ("en-GB", "male"), ("nl-NL", "female"), ("de-DE", "")):
            files |= {path async for path in made.say(Utterance("Radio.", language, gender))}
        assert len(files) == 4

    play(scene)


def test_a_voice_that_fails_is_followed_by_the_next_for_the_rest(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        first = FakeVoice("first", clock)
        first.fails_on = {"Two is here."}
        assert await spoken_by(library(tmp_path, clock, first, FakeVoice("second", clock)), THREE) == [
            "first",
            "second",
            "second",
        ]

    play(scene)


def test_a_voice_that_lets_a_caller_wait_is_followed_by_the_next(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        slow = FakeVoice("slow", clock, takes_s=5)
        made = library(tmp_path, clock, slow, FakeVoice("quick", clock), patience_s=2)
        assert await spoken_by(made, "Hello.") == ["quick"]
        assert clock.mono_ns() / 1e9 == pytest.approx(2.1, abs=0.01)
        await clock.sleep(10)
        # What came too late is there the next time.
        assert await spoken_by(made, "Hello.") == ["slow"]

    play(scene)


def test_the_last_voice_is_waited_for(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        made = library(tmp_path, clock, FakeVoice("slow", clock, takes_s=5), patience_s=2)
        assert await spoken_by(made, "Hello.") == ["slow"]

    play(scene)


def test_when_all_fail_it_is_said_so(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        voices = FakeVoice("first", clock), FakeVoice("second", clock)
        for voice in voices:
            voice.fails_on = {"Two is here."}
        saying = library(tmp_path, clock, *voices).say(Utterance(THREE, "en-GB"))
        assert speaker_of(await anext(saying)) == "first"
        with pytest.raises(SpeechUnavailable) as caught:
            await anext(saying)
        told = "first (first-en-gb): first gave up; second (second-en-gb): second gave up"
        assert str(caught.value) == f"No voice could say the text: {told}."

    play(scene)


def test_a_voice_in_trouble_is_not_asked_for_what_it_did_not_say_before(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        voice = FakeVoice("one", clock)
        made = library(tmp_path, clock, voice, FakeVoice("two", clock))
        await spoken_by(made, "Hello.")
        voice.trouble = "it is tired"
        assert await spoken_by(made, "Hello.") == ["one"]
        assert await spoken_by(made, "Goodbye.") == ["two"]
        # What nobody waits for is asked of it all the same: it may only be about to start.
        made.prepare(Utterance("Later.", "en-GB"))
        await clock.sleep(1)
        assert await spoken_by(made, "Later.") == ["one"]

    play(scene)


def test_a_voice_of_the_right_gender_is_not_left_for_a_moment_of_trouble(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        he, she = FakeVoice("he", clock, gender="male"), FakeVoice("she", clock)
        he.trouble = "it is being started"
        made = library(tmp_path, clock, he, she)
        assert await spoken_by(made, "Hello.", gender="male") == ["he"]
        he.fails_on = {"No."}
        assert await spoken_by(made, "No.", gender="male") == ["she"]

    play(scene)


def test_the_last_voice_is_asked_in_whatever_trouble_it_is(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        voice = FakeVoice("one", clock)
        voice.trouble = "it is being started"
        assert await spoken_by(library(tmp_path, clock, voice), "Hello.") == ["one"]

    play(scene)


def test_the_gender_goes_before_the_order_and_is_not_insisted_on(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        made = library(tmp_path, clock, FakeVoice("she", clock), FakeVoice("he", clock, gender="male", languages="en-gb"))
        assert await spoken_by(made, "Hello.", gender="male") == ["he"]
        assert await spoken_by(made, "Hello.", gender="Female") == ["she"]
        assert await spoken_by(made, "Hallo.", "nl-NL", gender="male") == ["she"]
        assert await spoken_by(made, "Hello.", gender="robot") == ["she"]

    play(scene)


def test_what_is_prepared_waits_for_what_a_call_needs(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        voice = FakeVoice("one", clock, takes_s=1)
        made = library(tmp_path, clock, voice)
        for number in range(20):
            made.prepare(Utterance(f"Number {number}x. And more.", "en-GB"))
        await clock.sleep(0.5)
        await spoken_by(made, "A caller waits.")
        # One that was under way is finished first, no more.
        assert clock.mono_ns() / 1e9 <= 2.01
        await clock.sleep(60)
        assert len(voice.spoken) == 22  # "And more." is one sentence, whoever says it
        assert await spoken_by(made, "Number 7x. And more.") == ["one", "one"]
        assert len(voice.spoken) == 22

    play(scene)


def test_a_call_that_wants_what_is_being_prepared_makes_it_urgent(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        voice = FakeVoice("one", clock, takes_s=1)
        made = library(tmp_path, clock, voice)
        calls = [asyncio.create_task(spoken_by(made, f"Caller {number}.")) for number in range(3)]
        made.prepare(Utterance("Prepared.", "en-GB"))
        await clock.sleep(0.5)
        wants = asyncio.create_task(spoken_by(made, "Prepared."))
        await clock.sleep(0)
        late = asyncio.create_task(spoken_by(made, "Late."))
        await asyncio.gather(*calls, wants, late)
        assert voice.spoken.index("Prepared.") < voice.spoken.index("Late.")

    play(scene)


def test_what_cannot_be_prepared_keeps_nothing_back(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        voice = FakeVoice("one", clock)
        voice.fails_on = {"Bad."}
        made = library(tmp_path, clock, voice)
        for text, language in (("Bad.", "en-GB"), ("Strange.", "xx-YY"), ("", "en-GB"), ("Good.", "en-GB")):
            made.prepare(Utterance(text, language))
        await clock.sleep(5)
        assert voice.spoken == ["Good."]

    play(scene)


def test_a_caller_who_hangs_up_leaves_no_task_behind(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        made = library(tmp_path, clock, FakeVoice("one", clock, takes_s=1))
        saying = made.say(Utterance(THREE, "en-GB"))
        await anext(saying)
        await saying.aclose()
        await clock.sleep(30)
        assert len(asyncio.all_tasks()) == 1
        impatient = asyncio.create_task(spoken_by(made, "Something else."))
        await clock.sleep(0.1)
        impatient.cancel()
        await clock.sleep(30)
        assert len(asyncio.all_tasks()) == 1
        await made.close()

    play(scene)


@pytest.mark.parametrize(
    "text", ["", " \n\t ", "...", "?!", "\U0001f600\U0001f600", "\x00\x01", "<speak></speak>", "\u200b\ufeff"]
)
def test_a_text_without_words_is_refused_and_heard_as_a_pause(tmp_path: Path, text: str) -> None:
    async def scene(clock: VirtualClock) -> None:
        voice = FakeVoice("one", clock)
        made = library(tmp_path, clock, voice)
        refusal = made.refusal(Utterance(text, "en-GB"))
        assert refusal is not None
        assert "nothing in the text" in refusal
        (path,) = [path async for path in made.say(Utterance(text, "en-GB"))]
        assert set(path.read_bytes()[44:]) == {0}
        assert voice.asked == []

    play(scene)


@pytest.mark.parametrize(
    ("text", "language", "why"),
    [
        ("word " * 2_000, "en-GB", "9999 characters"),
        ("Hello.", "xx-YY", "'xx-YY' is not a language"),
        ("Hello.", "english", "callwright voices"),
        ("Hello.", "tlh-" + "x" * 500, "is not a language"),
    ],
)
def test_what_is_refused_is_not_said_either(tmp_path: Path, text: str, language: str, why: str) -> None:
    async def scene(clock: VirtualClock) -> None:
        made = library(tmp_path, clock, FakeVoice("one", clock))
        refusal = made.refusal(Utterance(text, language))
        assert refusal is not None
        assert why in refusal
        assert len(refusal) < 200
        with pytest.raises(SpeechUnavailable, match=why):
            await spoken_by(made, text, language)

    play(scene)


def test_without_voices_everything_is_refused_with_a_remedy(tmp_path: Path) -> None:
    async def scene(clock: VirtualClock) -> None:
        made = library(tmp_path, clock)
        assert made.refusal(Utterance("Hello.", "en-GB")) == (
            "No voice that is set up speaks English, Great Britain. A Piper voice or a speech service for en-GB can: "
            "see [speech] in the settings, docs/speech.md."
        )

    play(scene)
