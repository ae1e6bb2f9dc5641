"""What steps have a call do: speak, listen for keys, record, press keys, ask for the next flow."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callwright import telephony
from callwright.calls import journal
from callwright.recordings import rows as recording_rows
from callwright.recordings.model import Recording, RecordingStatus, RecordingType
from callwright.settings import Settings
from callwright.switch.fallback import fallback_flow
from callwright.telephony import Cause, PlayOutcome, RecordOutcome, Tracks, Utterance
from callwright.transcriptions import rows as transcription_rows
from support.scripted import URL, B, Stage, pause, play, tell, transfer

FLOW_URL = "http://app.test/flow"
BEEP = "/sounds/beep.wav"


def say(text: str = "Hello.", **more: Any) -> dict[str, Any]:
    return {"action": "say", "options": {"payload": text, "language": "en-GB", "voice": "female"}, **more}


def record(**options: Any) -> dict[str, Any]:
    return {"id": "record", "action": "record", "options": options}


def fetch(url: str = FLOW_URL) -> dict[str, Any]:
    return {"action": "fetchCallFlow", "options": {"url": url}}


def recordings(stage: Stage) -> list[Recording]:
    """Those of the last call, oldest first."""
    page = recording_rows.of_call(stage.store, stage.world.id, stage.calls()[-1].id, limit=100, offset=0)
    return page.recordings[::-1]


async def answered(stage: Stage, *steps: dict[str, Any]) -> Any:
    a = await stage.arrive([*steps])
    await stage.answer(a)
    return a


# speaking


def test_sentences_are_played_as_they_come() -> None:
    async def story(stage: Stage) -> None:
        stage.speech.texts["One. Two."] = [Path("/speech/1.wav"), Path("/speech/2.wav")]
        stage.speech.seconds = 2.0
        a = await answered(stage, say("One. Two.", repeat=None))
        assert stage.speech.asked == [Utterance("One. Two.", "en-GB", "female")]
        assert stage.script.to(a) == ["Answer"]
        await stage.after(2)
        (first,) = stage.script.of(telephony.Play, a)
        assert (first.files, first.more, first.repeat, first.stop_on_digit) == (("/speech/1.wav",), True, 1, False)
        await stage.after(2)
        more = stage.script.of(telephony.PlayMore, a)
        assert [(one.play, one.files, one.more) for one in more] == [
            (first.id, ("/speech/2.wav",), True),
            (first.id, (), False),
        ]
        stage.script.say(telephony.PlayFinished, a, play=first.id, outcome=PlayOutcome.DONE)
        await stage.tick()
        assert stage.sound() == ("ended", [("incoming", "hangup", "flow_ended")])

    tell(story)


def test_a_text_that_breaks_off_is_heard_as_far_as_it_goes() -> None:
    async def story(stage: Stage) -> None:
        async def say_some(utterance: Utterance) -> Any:
            yield Path("/speech/1.wav")
            raise telephony.SpeechUnavailable("the voice died")

        stage.speech.say = say_some  # type: ignore[method-assign]
        a = await answered(stage, say())
        (heard,) = stage.script.of(telephony.Play, a)
        assert stage.outcome()[0] == "ongoing"
        stage.script.say(telephony.PlayFinished, a, play=heard.id, outcome=PlayOutcome.DONE)
        await stage.tick()
        assert stage.sound() == ("ended", [("incoming", "hangup", "speech_unavailable")])
        assert stage.legs()[0].detail == "the voice died"

    tell(story)


def test_a_key_stops_what_is_being_made_ready() -> None:
    """What comes for a prompt that a key has ended is not played."""

    async def story(stage: Stage) -> None:
        stage.speech.texts["Hello."] = [Path("/speech/1.wav"), Path("/speech/2.wav")]
        stage.speech.seconds = 2.0
        a = await answered(stage, say(onKeypressVar="choice"), pause(10))
        stage.script.say(telephony.Digit, a, digit="1", duration_ms=100, means="rfc4733")
        await stage.after(10)
        assert stage.script.of(telephony.Play, a) == []
        kept = [entry for entry in stage.entries() if isinstance(entry, journal.VariableSet)]
        assert kept == [journal.VariableSet(variable="choice", value="1")]
        assert stage.outcome()[0] == "ongoing"

    tell(story)


def test_a_key_during_a_prompt_moves_the_flow_once() -> None:
    """The engine stops the sound by itself, and says both; the key's step comes after it, and only one."""

    async def story(stage: Stage) -> None:
        stage.speech.texts["Hello."] = [Path("/speech/1.wav")]
        a = await answered(stage, say(onKeypressVar="choice"), pause(10), pause(10))
        (heard,) = stage.script.of(telephony.Play, a)
        assert heard.stop_on_digit
        stage.script.say(telephony.Digit, a, digit="1", duration_ms=100, means="rfc4733")
        stage.script.say(telephony.PlayFinished, a, play=heard.id, outcome=PlayOutcome.DIGIT)
        await stage.after(9)
        started = [entry.step for entry in stage.entries() if isinstance(entry, journal.StepStarted)]
        assert started == ["step-1", "step-2"]

    tell(story)


@pytest.mark.parametrize("lost", [False, True])
def test_a_key_that_is_told_after_it_stopped_the_prompt_counts(lost: bool) -> None:
    """A telephone event is told when the key is let go, a while after it has stopped the sound."""

    async def story(stage: Stage) -> None:
        stage.speech.texts["Hello."] = [Path("/speech/1.wav")]
        a = await answered(stage, say(onKeypressVar="choice", onKeypressGoto="end"), pause(10), {**pause(10), "id": "end"})
        (heard,) = stage.script.of(telephony.Play, a)
        stage.script.say(telephony.PlayFinished, a, play=heard.id, outcome=PlayOutcome.DIGIT)
        await stage.after(2)
        started = [entry.step for entry in stage.entries() if isinstance(entry, journal.StepStarted)]
        assert started == ["step-1"]
        if not lost:
            stage.script.say(telephony.Digit, a, digit="1", duration_ms=2_000, means="rfc4733")
        await stage.after(9)
        started = [entry.step for entry in stage.entries() if isinstance(entry, journal.StepStarted)]
        assert started == ["step-1", "step-2" if lost else "end"]

    tell(story)


# recording


def test_a_recording_from_beep_to_transcription() -> None:
    async def story(stage: Stage) -> None:
        a = await answered(stage, record(maxLength=20, timeout=3, finishOnKey="#", transcribe=True, transcribeLanguage="nl-NL"))
        (beep,) = stage.script.of(telephony.Play, a)
        assert (beep.files, recordings(stage)) == ((BEEP,), [])
        stage.script.say(telephony.PlayFinished, a, play=beep.id, outcome=PlayOutcome.DONE)
        await stage.tick()
        (asked,) = stage.script.of(telephony.StartRecording, a)
        assert (asked.tracks, asked.max_ms, asked.silence_ms, asked.stop_keys) == (Tracks.FROM, 20_000, 3_000, "#")
        (made,) = recordings(stage)
        assert (made.id, made.leg_id, made.type, made.status) == (
            asked.recording, a, RecordingType.IVR, RecordingStatus.INITIALISED,
        )  # fmt: skip
        stage.script.say(telephony.RecordingStarted, a, recording=made.id)
        await stage.tick()
        assert recordings(stage)[0].status is RecordingStatus.RECORDING
        stage.script.say(telephony.RecordingFinished, a, recording=made.id, outcome=RecordOutcome.SILENCE, duration_ms=4_200)
        await stage.tick()
        (done,) = recordings(stage)
        assert (done.status, done.duration_ms) == (RecordingStatus.DONE, 4_200)
        (wanted,) = transcription_rows.of_recording(stage.store, stage.world.id, done.id, limit=10, offset=0).transcriptions
        assert wanted.language == "nl-NL"
        assert stage.sound() == ("ended", [("incoming", "hangup", "flow_ended")])

    tell(story, beep=BEEP)


def test_on_finish_is_told_of_the_recording_and_gives_the_next_flow() -> None:
    async def story(stage: Stage) -> None:
        stage.flow_source.flows[FLOW_URL] = {"steps": [pause(3)], "maxDuration": 600}
        a = await answered(stage, record(beep=False, onFinish=FLOW_URL))
        (asked,) = stage.script.of(telephony.StartRecording, a)
        stage.script.say(
            telephony.RecordingFinished, a, recording=asked.recording, outcome=RecordOutcome.SILENCE, duration_ms=900
        )
        await stage.tick()
        (question,) = stage.flow_source.asked
        call = stage.calls()[-1]
        assert question.query == {
            "callID": str(call.id), "source": call.source, "destination": call.destination, "variables": "{}",
        }  # fmt: skip
        assert question.body is not None
        told = msgspec.json.decode(question.body)
        assert (told["id"], told["legId"], told["status"], told["duration"]) == (str(asked.recording), str(a), "done", 1)
        (entry,) = [entry for entry in stage.entries() if isinstance(entry, journal.FlowAnswered)]
        assert (entry.url, entry.how, entry.status) == (FLOW_URL, "on_finish", 200)
        assert entry.flow is not None
        assert entry.flow["steps"][0]["action"] == "pause"
        await stage.after(4)
        assert stage.sound() == ("ended", [("incoming", "hangup", "flow_ended")])

    tell(story)


def test_a_caller_who_hangs_up_while_recording_leaves_a_recording_that_is_done() -> None:
    async def story(stage: Stage) -> None:
        a = await answered(stage, record(beep=False, onFinish=FLOW_URL))
        (asked,) = stage.script.of(telephony.StartRecording, a)
        stage.script.say(
            telephony.RecordingFinished, a, recording=asked.recording, outcome=RecordOutcome.STOPPED, duration_ms=900
        )
        stage.script.ended(a)
        await stage.tick()
        assert recordings(stage)[0].status is RecordingStatus.DONE
        assert stage.sound() == ("ended", [("incoming", "hangup", "caller_hangup")])

    tell(story)


@pytest.mark.parametrize(
    ("outcome", "status"), [(RecordOutcome.STOPPED, "done"), (RecordOutcome.LOST, "failed")], ids=["hangs up", "media dies"]
)
@pytest.mark.parametrize("answered_at_once", [True, False])
def test_who_leaves_while_recorded_is_told_of_and_the_flow_goes_nowhere(
    answered_at_once: bool, outcome: RecordOutcome, status: str
) -> None:
    async def story(stage: Stage) -> None:
        stage.flow_source.flows[FLOW_URL] = {"steps": [transfer()]}
        stage.flow_source.seconds = 0 if answered_at_once else 3
        a = await answered(stage, record(beep=False, onFinish=FLOW_URL), transfer())
        (asked,) = stage.script.of(telephony.StartRecording, a)
        stage.script.say(telephony.RecordingFinished, a, recording=asked.recording, outcome=outcome, duration_ms=900)
        await stage.tick()
        stage.script.ended(a)
        await stage.tick()
        assert stage.outcome() == ("ended", [("incoming", "hangup", "caller_hangup")])
        await stage.after(4)
        (question,) = stage.flow_source.asked
        assert msgspec.json.decode(question.body or b"")["status"] == status
        (entry,) = [entry for entry in stage.entries() if isinstance(entry, journal.FlowAnswered)]
        assert (entry.how, entry.status) == ("on_finish", 200)
        assert not stage.script.of(telephony.Originate)
        assert stage.switch.live_calls == 0
        assert stage.sound() == ("ended", [("incoming", "hangup", "caller_hangup")])

    tell(story)


@pytest.mark.parametrize("keys", [False, True], ids=["being told", "waits for keys"])
def test_a_program_is_told_of_a_recording_though_the_caller_hangs_up_after_it(keys: bool) -> None:
    async def story(stage: Stage) -> None:
        stage.flow_source.flows[FLOW_URL] = {"steps": [transfer()]}
        stage.flow_source.seconds = 2
        step = record(beep=False, onFinish=FLOW_URL)
        a = await answered(stage, {**step, "onKeypressVar": "x", "maxNumKeys": 3} if keys else step)
        (asked,) = stage.script.of(telephony.StartRecording, a)
        if keys:
            stage.script.say(telephony.Digit, a, digit="1", duration_ms=100, means="rfc4733")
        stage.script.say(
            telephony.RecordingFinished, a, recording=asked.recording, outcome=RecordOutcome.SILENCE, duration_ms=900
        )
        await stage.tick()
        assert len(stage.flow_source.asked) == (0 if keys else 1)
        stage.script.ended(a)
        await stage.tick()
        assert stage.outcome() == ("ended", [("incoming", "hangup", "caller_hangup")])
        await stage.after(3)
        assert len(stage.flow_source.asked) == 1
        assert [entry.how for entry in stage.entries() if isinstance(entry, journal.FlowAnswered)] == ["on_finish"]
        assert not stage.script.of(telephony.Originate)
        assert stage.switch.live_calls == 0

    tell(story)


def test_a_recording_that_failed_is_not_written_down_and_says_so() -> None:
    async def story(stage: Stage) -> None:
        a = await answered(stage, record(beep=False, transcribe=True, transcribeLanguage="en-US"), pause(9))
        (asked,) = stage.script.of(telephony.StartRecording, a)
        stage.script.say(
            telephony.RecordingFinished, a, recording=asked.recording, outcome=RecordOutcome.FAILED, detail="the disk is full"
        )
        await stage.tick()
        assert [entry.language for entry in stage.entries() if isinstance(entry, journal.TranscriptionWanted)] == ["en-US"]

    tell(story)


@pytest.mark.parametrize("goes_on", [False, True], ids=["the call is over", "the call goes on"])
def test_who_is_gone_before_a_recording_begins_leaves_an_empty_one(goes_on: bool) -> None:
    """An engine refuses commands for a leg whose end waits behind the commit that leads to them."""

    async def story(stage: Stage) -> None:
        stage.script.refuses = lambda command: isinstance(command, telephony.StartRecording)
        a = await stage.arrive([transfer(record="in"), pause(9)] if goes_on else [record(beep=False)])
        if goes_on:
            await stage.answer(stage.placed()[0])
        stage.script.say(telephony.Answered, a)
        stage.script.ended(stage.placed()[0] if goes_on else a)
        await stage.tick()
        (empty,) = recordings(stage)
        assert (empty.status, empty.duration_ms, empty.detail) == (RecordingStatus.DONE, 0, "")
        with wave.open(str(Path(stage.recordings.folder, empty.file))) as sound:
            assert sound.getnframes() == 0
        assert stage.switch.live_calls == goes_on

    tell(story)


def test_a_recording_the_engine_says_no_more_of_is_closed_with_the_call() -> None:
    async def story(stage: Stage) -> None:
        a = await answered(stage, record(beep=False))
        (asked,) = stage.script.of(telephony.StartRecording, a)
        stage.script.say(telephony.RecordingStarted, a, recording=asked.recording)
        stage.script.ended(a)
        await stage.tick()
        (lost,) = recordings(stage)
        assert lost.status is RecordingStatus.FAILED
        assert "lost" in lost.detail
        assert stage.sound() == ("ended", [("incoming", "hangup", "caller_hangup")])

    tell(story)


def test_a_recording_the_engine_refuses_fails_and_the_flow_goes_on() -> None:
    async def story(stage: Stage) -> None:
        stage.script.refuses = lambda command: isinstance(command, telephony.StartRecording)
        await answered(stage, record(beep=False), pause(100))
        await stage.tick()
        assert recordings(stage)[0].status is RecordingStatus.FAILED
        assert stage.outcome()[0] == "ongoing"

    tell(story)


def test_a_transfer_is_recorded_while_both_talk() -> None:
    async def story(stage: Stage) -> None:
        a, b = await stage.talking([transfer(record="both"), pause(10)])
        made = recordings(stage)
        assert [(one.leg_id, one.type, one.tracks) for one in made] == [
            (b, RecordingType.TRANSFER, "from"),
            (a, RecordingType.TRANSFER, "from"),
        ]
        stage.script.say(telephony.RecordingFinished, b, recording=made[0].id, outcome=RecordOutcome.STOPPED, duration_ms=1000)
        stage.script.ended(b)
        await stage.tick()
        assert [stop.recording for stop in stage.script.of(telephony.StopRecording, a)] == [made[1].id]

    tell(story)


def test_a_whole_call_is_recorded_both_ways_until_it_ends() -> None:
    async def story(stage: Stage) -> None:
        await stage.number("31205550100", [pause(5)], record=True)
        a = await stage.arrive(destination="31205550100")
        await stage.answer(a)
        (made,) = recordings(stage)
        assert (made.leg_id, made.type, made.tracks) == (a, RecordingType.CALL, "both")

    tell(story)


# keys that are sent


def test_keys_are_pressed_with_their_pauses() -> None:
    async def story(stage: Stage) -> None:
        a = await answered(stage, {"action": "sendKeys", "options": {"keys": "1w23", "duration": 200, "interval": 50}})
        await stage.after(0.2)
        assert [one.digits for one in stage.script.of(telephony.SendDigits, a)] == ["1"]
        await stage.after(0.6)
        sent = stage.script.of(telephony.SendDigits, a)
        assert [(one.digits, one.tone_ms, one.gap_ms) for one in sent] == [("1", 200, 50), ("23", 200, 50)]
        await stage.after(1)
        assert stage.sound() == ("ended", [("incoming", "hangup", "flow_ended")])

    tell(story)


# the next flow


def test_a_fetched_flow_runs_and_its_limit_holds() -> None:
    async def story(stage: Stage) -> None:
        stage.flow_source.flows[FLOW_URL] = {"steps": [pause(100)], "maxDuration": 10}
        await answered(stage, pause(5), fetch())
        await stage.after(8)
        assert stage.outcome()[0] == "ongoing"
        await stage.after(3)
        assert stage.sound() == ("ended", [("incoming", "hangup", "max_duration")])

    tell(story)


def test_who_is_on_the_line_hears_that_there_is_no_flow() -> None:
    async def story(stage: Stage) -> None:
        chosen = Settings().flows
        stage.fallback = fallback_flow(chosen.fallback, chosen.language)
        sorry = "We are sorry, your call cannot be handled at the moment. Please try again later."
        stage.speech.texts[sorry] = [Path("/speech/sorry.wav")]
        a = await answered(stage, pause(1), fetch())
        await stage.after(2)
        (heard,) = stage.script.of(telephony.Play, a)
        assert (heard.files, stage.speech.asked) == (("/speech/sorry.wav",), [Utterance(sorry, "en-GB", "female")])
        assert stage.outcome()[0] == "ongoing"
        stage.script.say(telephony.PlayFinished, a, play=heard.id, outcome=PlayOutcome.DONE)
        await stage.tick()
        assert stage.sound() == ("ended", [("incoming", "hangup", "flow_unavailable")])

        await stage.arrive([fetch()])
        await stage.after(1)
        assert stage.sound() == ("failed", [("incoming", "failed", "flow_unavailable")])

    tell(story)


def test_a_flow_that_cannot_be_had_ends_the_call_for_that() -> None:
    async def story(stage: Stage) -> None:
        await answered(stage, pause(1), fetch())
        await stage.after(2)
        assert stage.sound() == ("ended", [("incoming", "hangup", "flow_unavailable")])
        (entry,) = [entry for entry in stage.entries() if isinstance(entry, journal.FlowAnswered)]
        assert (entry.status, entry.cause, entry.error) == (404, "status", "it answered 404")

    tell(story)


def test_what_comes_for_a_flow_that_was_stopped_is_passed_over() -> None:
    async def story(stage: Stage) -> None:
        stage.flow_source.flows[FLOW_URL] = {"steps": [transfer(B)]}
        stage.flow_source.seconds = 3.0
        a = await answered(stage, pause(1), fetch())
        await stage.after(2)
        stage.script.ended(a)
        await stage.after(5)
        assert stage.placed() == []
        assert stage.sound() == ("ended", [("incoming", "hangup", "caller_hangup")])

    tell(story)


# answering machines


def test_a_machine_is_waited_for_until_its_beep() -> None:
    async def story(stage: Stage) -> None:
        stage.speech.texts["Hello."] = [Path("/speech/1.wav")]
        await stage.place(B, [say()])
        await stage.tick()
        (a,) = stage.placed()
        await stage.answer(a)
        assert stage.script.to(a) == ["Originate", "Listen"]
        await stage.after(0.5)
        stage.script.say(telephony.Voice, a, speaking=True)
        await stage.after(6)
        assert stage.script.of(telephony.Play) == []
        stage.script.say(telephony.Beep, a)
        await stage.tick()
        assert stage.script.to(a) == ["Originate", "Listen", "Unlisten", "Play", "PlayMore"]
        (judged,) = [entry for entry in stage.entries() if isinstance(entry, journal.Judged)]
        assert (judged.verdict, judged.basis) == ("machine", "a beep 6.5 s after the answer")

    tell(story, if_machine="delay")


def test_a_machine_is_hung_up_on() -> None:
    async def story(stage: Stage) -> None:
        await stage.place(B, [{"action": "say", "options": {"payload": "x", "language": "en-GB", "ifMachine": "hangup"}}])
        await stage.tick()
        (a,) = stage.placed()
        await stage.answer(a)
        stage.script.say(telephony.Voice, a, speaking=True)
        await stage.after(3)
        assert stage.sound() == ("ended", [("outgoing", "hangup", "machine")])

    tell(story)


def test_a_callee_of_a_transfer_that_is_a_machine_is_left() -> None:
    async def story(stage: Stage) -> None:
        a = await answered(stage, pause(1), transfer(ifMachine="hangup"), pause(30))
        await stage.after(1)
        (b,) = stage.placed()
        await stage.answer(b)
        assert stage.script.to(b) == ["Originate", "Listen"]
        stage.script.say(telephony.Voice, b, speaking=True)
        await stage.after(3)
        assert stage.script.to(b) == ["Originate", "Listen", "Unlisten", "HangUp"]
        assert "Bridge" not in stage.script.to(a)
        assert stage.outcome() == ("ongoing", [("incoming", "ongoing", ""), ("outgoing", "hangup", "machine")])

    tell(story)


def test_play_names_every_url_in_one_prompt(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        second = "http://sounds.test/second.wav"
        stage.sounds.sounds = {URL: tmp_path / "1.wav", second: tmp_path / "2.wav"}
        a = await answered(stage, {"action": "play", "options": {"media": [URL, second]}})
        (heard,) = stage.script.of(telephony.Play, a)
        assert [one.files for one in stage.script.of(telephony.PlayMore, a)] == [(str(tmp_path / "2.wav"),), ()]
        stage.script.say(telephony.PlayFinished, a, play=heard.id, outcome=PlayOutcome.DONE)
        await stage.tick()
        assert stage.sound() == ("ended", [("incoming", "hangup", "flow_ended")])
        fetched = [entry for entry in stage.entries() if isinstance(entry, journal.MediaFetched)]
        assert [(entry.url, entry.status) for entry in fetched] == [(URL, 200), (second, 200)]

    tell(story)


def test_a_prompt_of_an_unanswered_call_is_not_begun() -> None:
    """A3: the answer it waits for never comes."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([play()])
        stage.script.refused(a, Cause.CANCELLED, 487)
        await stage.tick()
        assert stage.script.of(telephony.Play) == []
        assert stage.sound() == ("no_answer", [("incoming", "no_answer", "caller_cancelled")])

    tell(story)
