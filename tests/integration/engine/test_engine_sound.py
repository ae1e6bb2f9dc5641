"""What far ends hear and say, through the engine with its real processes: music on hold, keys, recordings, conversations."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import pytest_asyncio

pytest.register_assert_rewrite("support.engine_stage")

from callwright.telephony import (  # noqa: E402
    Bridge,
    Bridged,
    Digit,
    Ended,
    HangUp,
    Held,
    Hold,
    Play,
    PlayFinished,
    PlayMore,
    PlayOutcome,
    PlayStarted,
    RecordingFinished,
    RecordingStarted,
    RecordOutcome,
    Resume,
    StartRecording,
    Tracks,
    Unbridged,
)
from support.engine_stage import EngineStage, FarParty, description, engine_stage, key_tones  # noqa: E402
from support.sound import tone, tone_file  # noqa: E402

pytestmark = pytest.mark.asyncio(loop_scope="module")

MUSIC_HZ = 620.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[EngineStage]:
    async with engine_stage() as stage:
        yield stage


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("music") / "music.wav"
    path.write_bytes(tone_file(MUSIC_HZ, 10))
    return str(path)


async def let_go(stage: EngineStage, *parties: FarParty) -> None:
    for party in parties:
        stage.do(HangUp, party.leg)
        bye = await party.peer.get("BYE")
        party.peer.reply(bye, 200)
    for party in parties:
        await stage.told(Ended, party.leg)


async def test_a_leg_on_hold_hears_music_and_is_not_heard(stage: EngineStage, music: str) -> None:
    a, b = await stage.party(), await stage.party()
    stage.do(Bridge, a.leg, other=b.leg)
    await stage.told(Bridged, a.leg)
    a.sound.says = tone(440, 60_000)
    await b.sound.hears(440)
    stage.do(Hold, a.leg)
    invite = await a.peer.get("INVITE")
    assert "a=sendonly" in invite.body
    a.peer.reply(invite, 200, body=description(a.sound.port, version=2, direction="recvonly"))
    await a.peer.get("ACK")
    await stage.told(Held, a.leg)
    stage.do(Play, a.leg, files=(music,), repeat=0)
    await a.sound.hears(MUSIC_HZ)
    await b.sound.hears_nothing()
    stage.do(Resume, a.leg)
    invite = await a.peer.get("INVITE")
    a.peer.reply(invite, 200, body=description(a.sound.port, version=3))
    await a.peer.get("ACK")
    await b.sound.hears(440)
    await let_go(stage, a, b)
    assert [event.outcome for event in stage.of(PlayFinished, a.leg)] == [PlayOutcome.STOPPED]


async def test_a_prompt_whose_files_come_one_by_one(stage: EngineStage, tmp_path: Path) -> None:
    a = await stage.party()
    for number, hz in enumerate((500, 900)):
        (tmp_path / f"{number}.wav").write_bytes(tone_file(hz, 0.5))
    play = stage.do(Play, a.leg, files=(str(tmp_path / "0.wav"),), more=True)
    await a.sound.hears(500)
    await a.sound.hears_nothing()
    stage.do(PlayMore, a.leg, play=play, files=(str(tmp_path / "1.wav"),))
    await a.sound.hears(900)
    assert (await stage.told(PlayFinished, a.leg)).outcome is PlayOutcome.DONE
    await let_go(stage, a)


async def test_keys_as_tones_of_a_telephone_without_events(stage: EngineStage, music: str) -> None:
    a = await stage.party(events=False)
    stage.do(Play, a.leg, files=(music,), repeat=0, stop_on_digit=True)
    await a.sound.hears(MUSIC_HZ)
    a.sound.says = key_tones("5#")
    await stage.told(Digit, a.leg, 2)
    assert [(event.digit, event.means) for event in stage.of(Digit, a.leg)] == [("5", "inband"), ("#", "inband")]
    assert (await stage.told(PlayFinished, a.leg)).outcome is PlayOutcome.DIGIT
    await a.sound.hears_nothing()
    await let_go(stage, a)


@pytest.mark.parametrize("events", [True, False])
@pytest.mark.parametrize(
    ("kind", "body"), [("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"), ("application/dtmf", "5")]
)
async def test_a_key_in_info_stops_a_prompt(stage: EngineStage, music: str, events: bool, kind: str, body: str) -> None:
    a = await stage.party(events=events)
    stage.do(Play, a.leg, files=(music,), repeat=0, stop_on_digit=True)
    await stage.told(PlayStarted, a.leg)
    a.dialog.send("INFO", body, kind=kind)
    digit = await stage.told(Digit, a.leg)
    assert (digit.digit, digit.means) == ("5", "info")
    assert (await stage.told(PlayFinished, a.leg)).outcome is PlayOutcome.DIGIT
    await a.sound.hears_nothing()
    await let_go(stage, a)


async def test_a_recording_holds_what_was_said_and_ends_by_a_key(stage: EngineStage, tmp_path: Path) -> None:
    a = await stage.party(events=False)
    recording, path = uuid4(), tmp_path / "recording.wav"
    stage.do(StartRecording, a.leg, recording=recording, path=str(path), stop_keys="#", tracks=Tracks.BOTH)
    await stage.told(RecordingStarted, a.leg)
    a.sound.says = np.concatenate([tone(440, 1000), np.zeros(1600, np.int16), key_tones("#")])
    finished = await stage.told(RecordingFinished, a.leg)
    assert (finished.recording, finished.outcome) == (recording, RecordOutcome.KEY)
    with wave.open(str(path)) as sound:
        assert sound.getparams()[:3] == (2, 2, 8000)
        assert finished.duration_ms == pytest.approx(sound.getnframes() / 8, abs=20)
        said = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")[::2]
    assert np.count_nonzero(np.abs(said.astype(int)) > 1000) > 4000
    await let_go(stage, a)


async def test_a_recording_ends_with_its_leg(stage: EngineStage, tmp_path: Path) -> None:
    a = await stage.party()
    stage.do(StartRecording, a.leg, recording=uuid4(), path=str(tmp_path / "recording.wav"))
    await stage.told(RecordingStarted, a.leg)
    a.sound.says = tone(440, 400)
    await a.sound.has_spoken()
    a.dialog.send("BYE")
    await a.peer.ok("BYE")
    ended = await stage.told(Ended, a.leg)
    (finished,) = stage.of(RecordingFinished, a.leg)
    assert (finished.outcome, finished.seq < ended.seq) == (RecordOutcome.STOPPED, True)
    assert finished.duration_ms >= 200


async def test_three_hear_each_other(stage: EngineStage) -> None:
    a, b, c = [await stage.party() for _ in range(3)]
    for party, hz in ((a, 440), (b, 700), (c, 1000)):
        party.sound.says = tone(hz, 60_000, 4000)
    stage.do(Bridge, a.leg, other=b.leg)
    stage.do(Bridge, c.leg, other=a.leg)
    await stage.told(Bridged, c.leg)
    for party, others in ((a, (700, 1000)), (b, (440, 1000)), (c, (440, 700))):
        for hz in others:
            await party.sound.hears(hz)
    await let_go(stage, a)
    await b.sound.hears(1000)
    await c.sound.hears(700)
    await let_go(stage, c)
    await stage.told(Unbridged, b.leg)
    await let_go(stage, b)


async def test_a_recording_fails_with_its_media_process(stage: EngineStage, tmp_path: Path) -> None:
    a = await stage.party()
    stage.do(StartRecording, a.leg, recording=uuid4(), path=str(tmp_path / "recording.wav"))
    await stage.told(RecordingStarted, a.leg)
    stage.kill(stage.media)
    await stage.told(Ended, a.leg)
    (finished,) = stage.of(RecordingFinished, a.leg)
    assert finished.outcome is RecordOutcome.LOST
    assert "(media-1: " in finished.detail
