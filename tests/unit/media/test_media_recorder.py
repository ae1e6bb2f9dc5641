"""What goes into recordings, from when and until when; far ends are lists of packets."""

from __future__ import annotations

import gc
import random
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from callwright.audiofile import peaks
from callwright.media.g711 import PCMA, PCMU, Law
from callwright.media.rtp import RtpPacket
from callwright.media.telephone_event import KEYS, EventPayload
from callwright.media.wire import Closed, DigitHeard, PauseRecord, RecordBegan, RecordEnded
from callwright.telephony import RtpCounters
from support.listening import RECORDING, Surroundings, sound_of
from support.litter import clear_litter
from support.sound import FRAME, share, tone
from support.streams import EVENTS, Came, Leg, clip

A, B, C = UUID(int=10), UUID(int=11), UUID(int=12)
MS = 8


def packets(leg: Leg, sound: np.ndarray, at: int = 0, clock: int = 900_000, sequence: int = 7000, ssrc: int = 99) -> list[Came]:
    """Sound in packets of 20 ms; the first comes just after `at`."""
    coded = leg.law.encode(sound)
    return [
        Came(
            at + start + FRAME // 2,
            RtpPacket(leg.law.payload_type, sequence + n & 0xFFFF, clock + start, ssrc, coded[start : start + FRAME]),
            leg.address,
        )
        for n, start in enumerate(range(0, len(coded), FRAME))
    ]


def said(leg: Leg, came: list[Came]) -> list[tuple[Leg, Came]]:
    return [(leg, one) for one in came]


def begins(channel: np.ndarray, least: int = 500) -> float:
    """Milliseconds until sound begins."""
    return float(np.flatnonzero(np.abs(channel) > least)[0]) / MS


def quiet(ms: int) -> np.ndarray:
    return np.zeros(ms * MS, np.int16)


def ended(room: Surroundings) -> RecordEnded:
    [end] = room.of(RecordEnded)
    assert isinstance(end, RecordEnded)
    return end


@pytest.mark.parametrize("law", [PCMU, PCMA])
@pytest.mark.parametrize(
    ("tracks", "channels"),
    [("from", [{400}]), ("to", [{1000}]), ("mix", [{400, 1000}]), ("both", [{400}, {1000}])],
)
def test_each_track_holds_its_side(tmp_path: Path, law: Law, tracks: str, channels: list[set[int]]) -> None:
    leg = Leg(A, law)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav", tracks)
    leg.play(1, (clip(1000, 2000),), 1, stop_on_digit=False)
    room.tick(100, said(leg, packets(leg, tone(400, 2000))))
    room.stop()
    assert room.of(RecordBegan, RecordEnded) == [RecordBegan(A, RECORDING), RecordEnded(A, RECORDING, "stopped", 2000)]
    sound = sound_of(tmp_path / "a.wav")
    assert sound.shape == (16_000, len(channels))
    for channel, tones in zip(sound.T, channels, strict=True):
        for hz in (400, 1000):
            assert (share(channel, hz) > 0.9 / len(tones) / 1.1) is (hz in tones)
    assert peaks(tmp_path / "a.wav").length == 63
    assert room.failed == []


def test_both_tracks_have_one_clock(tmp_path: Path) -> None:
    """What goes out and comes back at once lies in one place, whatever has become of the network's delay until then."""
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav", "both")
    chance = random.Random(5)
    came = []
    for one in packets(leg, np.concatenate([quiet(3000), tone(400, 200), quiet(1800)])):
        came.append(one._replace(at=one.at + chance.randrange(60 * MS)))
    room.tick(150, said(leg, came))
    leg.play(1, (clip(1000, 200),), 1, stop_on_digit=False)
    room.tick(100, said(leg, came[150:]))
    room.stop()
    heard, sent = sound_of(tmp_path / "a.wav").T
    assert abs(begins(heard) - begins(sent)) <= 40
    assert share(heard[3020 * MS : 3180 * MS], 400) > 0.9
    assert share(sent[3040 * MS : 3200 * MS], 1000) > 0.9


def test_disorder_and_jitter_are_put_right_and_losses_are_silence(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav")
    chance = random.Random(3)
    came = packets(leg, tone(400, 4000))
    late = [one._replace(at=one.at + (chance.randrange(120 * MS) if n > 20 else 0)) for n, one in enumerate(came)]
    lost = {60, 61, 62, 100}
    room.tick(220, said(leg, [one for n, one in enumerate(late) if n not in lost]))
    room.stop()
    [sound] = sound_of(tmp_path / "a.wav").T
    frames = [sound[start : start + FRAME] for start in range(FRAME // 2, len(sound) - FRAME, FRAME)]
    silent = [n for n, frame in enumerate(frames[: len(came)]) if np.abs(frame).max() < 50]
    assert silent == sorted(lost)
    assert min(share(frame, 400) for n, frame in enumerate(frames[20:190], 20) if n not in lost and n - 1 not in lost) > 0.9


def test_a_new_source_and_a_clock_that_was_set_stay_in_time(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav")
    came = packets(leg, tone(400, 1000))
    came += packets(leg, tone(600, 1000), at=1000 * MS, clock=5, sequence=40_000, ssrc=100)
    came += packets(leg, tone(800, 1000), at=2000 * MS, clock=77_000_000, sequence=40_050, ssrc=100)
    came += packets(leg, tone(1100, 1000), at=3000 * MS, clock=77_000_000 + 8000 + 4000, sequence=40_100, ssrc=100)
    room.tick(200, said(leg, came))
    room.stop()
    [sound] = sound_of(tmp_path / "a.wav").T
    for second, hz in enumerate((400, 600, 800, 1100)):
        part = sound[(1000 * second + 250) * MS : (1000 * second + 980) * MS]
        assert share(part, hz) > 0.9, second


@pytest.mark.parametrize("fast", [-300, 300])
def test_a_clock_that_drifts_is_followed(tmp_path: Path, fast: int) -> None:
    """A far end's clock that is off by 300 ppm is 36 ms off after two minutes."""
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav", "both")
    sound = np.concatenate([quiet(119_000), tone(400, 1000)])
    came = [one._replace(at=round(one.at * (1 - fast / 1e6))) for one in packets(leg, sound)]
    first = next(n for n, one in enumerate(came) if n * 20 >= 119_000)
    room.tick(6030, said(leg, came))
    room.stop()
    heard = sound_of(tmp_path / "a.wav")[:, 0]
    assert abs(begins(heard) - came[first].at / MS) <= 20


def test_after_a_stall_of_ours_the_far_end_is_in_time_again(tmp_path: Path) -> None:
    """For a second nothing is read; then all that the socket kept comes at once."""
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav")
    came = packets(leg, np.concatenate([quiet(3500), tone(400, 500)]))
    room.tick(50, said(leg, came[:50]))
    room.ticks += 50
    kept = [one._replace(at=room.now) for one in came[60:100]]
    room.tick(110, said(leg, kept + came[100:]))
    room.stop()
    [sound] = sound_of(tmp_path / "a.wav").T
    assert abs(begins(sound) - 3500) <= 40


def test_a_relayed_call_is_recorded_and_relayed_as_ever(tmp_path: Path) -> None:
    def call(recorded: bool) -> tuple[list[RtpPacket], list[RtpPacket]]:
        a, b = Leg(A), Leg(B, address="192.0.2.2")
        room = Surroundings(a, b)
        room.conversations.join(a.stream, b.stream)
        if recorded:
            room.record(a, tmp_path / "a.wav", "both")
        came = [*said(a, packets(a, tone(400, 2000))), *said(b, packets(b, tone(1000, 2000), clock=55))]
        chance = random.Random(1)
        room.tick(110, [(leg, one._replace(at=one.at + chance.randrange(400))) for leg, one in came if chance.random() > 0.1])
        room.stop()
        return [packet for packet, _ in a.sent], [packet for packet, _ in b.sent]

    assert call(recorded=True) == call(recorded=False)
    heard, sent = sound_of(tmp_path / "a.wav").T
    for channel, hz in ((heard, 400), (sent, 1000)):
        shares = [share(channel[start : start + FRAME], hz) for start in range(0, 2000 * MS, FRAME)]
        assert np.percentile(shares, 30) > 0.9


@pytest.mark.parametrize("law_b", [PCMU, PCMA], ids=["relay", "mix"])
def test_of_two_who_talk_both_are_recorded_from_either_end(tmp_path: Path, law_b: Law) -> None:
    a, b = Leg(A), Leg(B, law_b, address="192.0.2.2")
    room = Surroundings(a, b)
    room.conversations.join(a.stream, b.stream)
    room.record(a, tmp_path / "a.wav", "both")
    room.record(b, tmp_path / "b.wav", "both", recording=C)
    room.tick(110, [*said(a, packets(a, tone(400, 2000))), *said(b, packets(b, tone(1000, 2000)))])
    room.stop()
    room.stop(C)
    for name, (heard_hz, sent_hz) in {"a.wav": (400, 1000), "b.wav": (1000, 400)}.items():
        heard, sent = sound_of(tmp_path / name)[: 2000 * MS].T
        assert share(heard, heard_hz) > 0.9
        assert share(sent, sent_hz) > 0.85


def test_a_recording_ends_at_its_length_to_the_millisecond(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav", max_ms=1234)
    room.tick(80, said(leg, packets(leg, tone(400, 3000))))
    assert ended(room) == RecordEnded(A, RECORDING, "max_length", 1234)
    assert len(sound_of(tmp_path / "a.wav")) == 1234 * MS


@pytest.mark.parametrize(
    ("voice", "expected_ms"),
    [
        # nobody says anything
        ([], 2000),
        # from the last word on
        ([(500, 1500)], 3500),
        # pauses within speech are shorter than that
        ([(500, 1500), (3000, 4000)], 6000),
    ],
)
def test_a_recording_ends_with_the_far_ends_silence(tmp_path: Path, voice: list[tuple[int, int]], expected_ms: int) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav", silence_ms=2000)
    sound = quiet(8000)
    for begin, end in voice:
        sound[begin * MS : end * MS] = tone(300, end - begin)
    sound += np.random.default_rng(1).normal(0, 30, len(sound)).astype(np.int16)
    leg.play(1, (clip(1000, 8000),), 1, stop_on_digit=False)  # what the far end hears is not its voice
    room.tick(400, said(leg, packets(leg, sound)))
    end = ended(room)
    assert end.outcome == "silence"
    assert abs(end.duration_ms - expected_ms) <= 60


def test_a_far_end_that_sends_nothing_is_silent(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav", silence_ms=1000)
    room.tick(100)
    assert ended(room) == RecordEnded(A, RECORDING, "silence", 1000)
    assert not np.abs(sound_of(tmp_path / "a.wav")).max() > 8


def pressed(leg: Leg, key: str, begin: int, leak: int, sequence: int) -> list[Came]:
    """A press of 100 ms as a telephone-event, and so many packets of its tone before."""
    came = packets(leg, tone(1336, 20 * leak), at=begin - leak * FRAME, clock=900_000 + begin - leak * FRAME, sequence=sequence)
    for n in range(1, 8):
        payload = EventPayload(KEYS.index(key), n > 4, min(n, 5) * FRAME).serialize()
        packet = RtpPacket(EVENTS, sequence + leak + n - 1, 900_000 + begin, 99, payload, n == 1)
        came.append(Came(begin + (n - 1) * FRAME + FRAME // 2, packet, leg.address))
    return came


def test_a_key_ends_a_recording_and_leaves_no_trace(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav", stop_keys="#", tracks="both")
    came = packets(leg, tone(400, 1000)) + pressed(leg, "5", 1000 * MS, 0, 7050)
    came += packets(leg, tone(400, 860), at=1140 * MS, clock=900_000 + 1140 * MS, sequence=7057)
    came += pressed(leg, "#", 2040 * MS, 2, 7100)
    room.tick(130, said(leg, came))
    [digit5, digit, end] = room.of(DigitHeard, RecordEnded)
    assert (digit5, digit) == (DigitHeard(A, "5", 100), DigitHeard(A, "#", 100))
    assert isinstance(end, RecordEnded)
    assert end.outcome == "key"
    assert 1970 <= end.duration_ms <= 2000
    sound = sound_of(tmp_path / "a.wav")[:, 0]
    assert share(sound[: 1000 * MS], 400) > 0.9
    assert share(sound[1200 * MS :], 400) > 0.9
    assert share(sound[-80 * MS :], 1336) < 0.01


def test_a_key_whose_event_has_a_clock_of_its_own_is_cut_out_where_it_came(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav", stop_keys="#")
    event = EventPayload(KEYS.index("#"), False, FRAME).serialize()
    odd = Came(1000 * MS, RtpPacket(EVENTS, 5, 4_000_000_000, 1234, event, True), leg.address)
    room.tick(80, said(leg, [*packets(leg, tone(400, 1000)), odd]))
    assert 900 <= ended(room).duration_ms <= 960


def test_other_keys_do_not_end_it(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav", stop_keys="*0")
    room.tick(50, said(leg, pressed(leg, "#", 200 * MS, 0, 7000)))
    assert room.of(RecordEnded) == []


def test_a_pause_is_silence_in_place(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav", "both", silence_ms=1500)
    leg.play(1, (clip(1000, 4000),), 1, stop_on_digit=False)
    came = said(leg, packets(leg, tone(400, 6000)))
    for paused, ticks in [(True, 50), (True, 5), (False, 95), (False, 50)]:
        room.tick(ticks, came)
        came = [one for one in came if one[1].at > room.now]
        room.studio.pause(PauseRecord(A, RECORDING, paused), room.now)
    room.stop()
    assert ended(room).outcome == "stopped"
    sound = sound_of(tmp_path / "a.wav")
    assert len(sound) == 4000 * MS
    for channel, hz in zip(sound.T, (400, 1000), strict=True):
        assert share(channel[: 990 * MS], hz) > 0.9
        assert np.abs(channel[1000 * MS : 3000 * MS]).max() <= 8
        assert share(channel[3020 * MS :], hz) > 0.9


def test_a_pause_that_lasts_to_the_end(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav", "mix", silence_ms=500)
    came = said(leg, packets(leg, tone(400, 3000)))
    room.tick(20, came)
    room.studio.pause(PauseRecord(A, RECORDING, True), room.now)
    room.tick(80, [one for one in came if one[1].at > room.now])
    room.stop()
    assert ended(room) == RecordEnded(A, RECORDING, "stopped", 2000)
    assert np.abs(sound_of(tmp_path / "a.wav")[400 * MS :]).max() <= 16


def test_another_law_in_the_midst(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav")
    room.tick(50, said(leg, packets(leg, tone(400, 1000))))
    leg.law = PCMA
    leg.connect(room.now)
    room.tick(60, said(leg, packets(leg, tone(400, 1000), at=1000 * MS, clock=900_000 + 1000 * MS, sequence=7050)))
    room.stop()
    assert share(sound_of(tmp_path / "a.wav")[: 1980 * MS, 0], 400) > 0.97


def test_a_sealed_recording(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    key = bytes(range(32))
    room.record(leg, tmp_path / "a.wav", key=key)
    room.tick(50, said(leg, packets(leg, tone(400, 1000))))
    room.stop()
    assert share(sound_of(tmp_path / "a.wav", key)[:, 0], 400) > 0.9
    assert b"RIFF" not in (tmp_path / "a.wav").read_bytes()


def test_a_stream_that_closes_ends_its_recordings_first(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav")
    room.record(leg, tmp_path / "b.wav", "to", recording=C)
    room.tick(50)
    closed = Closed(A, RtpCounters())
    room.disk.stalls = True
    room.studio.leave(leg.stream, closed, room.now)
    assert room.of(RecordEnded, Closed) == []
    room.disk.stalls = False
    room.disk.go_on()
    room.studio.collect()
    assert room.of(RecordEnded, Closed) == [
        RecordEnded(A, RECORDING, "stopped", 1000),
        RecordEnded(A, C, "stopped", 1000),
        closed,
    ]
    assert len(room.studio) == 0
    room.studio.leave(leg.stream, closed, room.now)
    assert room.told[-1] == closed


def test_a_recording_asked_for_twice_is_one_and_one_that_is_over_cannot_be_stopped(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav")
    room.record(leg, tmp_path / "a.wav")
    room.stop()
    room.stop()
    room.studio.pause(PauseRecord(A, RECORDING, True), room.now)
    assert room.told == [RecordBegan(A, RECORDING), RecordEnded(A, RECORDING, "stopped", 0)]


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda folder: (folder / "a.wav").write_text("x"), "the file is there already"),
        (lambda folder: (folder / "f").write_text("x"), "Not a directory"),
        (lambda folder: None, "32 bytes"),
        (lambda folder: None, "'all' is not a valid Tracks"),
    ],
)
def test_a_recording_that_cannot_begin_fails_with_a_sentence(tmp_path: Path, spoil, what: str) -> None:
    spoil(tmp_path)
    leg = Leg(A)
    room = Surroundings(leg)
    path = tmp_path / "f" / "a.wav" if what == "Not a directory" else tmp_path / "a.wav"
    room.record(leg, path, "all" if "Tracks" in what else "from", key=b"short" if "bytes" in what else b"")
    room.tick(50, said(leg, packets(leg, tone(400, 1000))))
    end = ended(room)
    assert (end.outcome, end.duration_ms) == ("failed", 0)
    assert what in end.detail
    assert leg.stream.tapped().recorders == []
    assert len(leg.sent) == 50


def test_a_disk_that_fills_up_ends_the_recording_and_not_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav")
    came = said(leg, packets(leg, tone(400, 4000)))
    room.tick(100, came)
    monkeypatch.setattr("os.pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    room.tick(100, [one for one in came if one[1].at > room.now])
    end = ended(room)
    assert end.outcome == "failed"
    assert "No space left on device; free space" in end.detail
    assert 1000 <= end.duration_ms <= 2000
    assert len(leg.sent) == 200
    assert share(sound_of(tmp_path / "a.wav")[: end.duration_ms * MS, 0], 400) > 0.9


@pytest.mark.parametrize("closes", [False, True])
def test_a_disk_that_hangs_is_given_up_in_time(tmp_path: Path, closes: bool) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav")
    room.tick(50)
    room.disk.stalls = True
    if closes:
        closed = Closed(A, RtpCounters())
        room.studio.leave(leg.stream, closed, room.now)
        room.tick(251)
        [end, last] = room.of(RecordEnded, Closed)
        assert last == closed
    else:
        room.tick(600)
        end = ended(room)
    assert isinstance(end, RecordEnded)
    assert end.outcome == "failed"
    assert "disk" in end.detail
    room.disk.stalls = False
    room.disk.go_on()
    room.tick(300)
    assert len(room.of(RecordEnded)) == 1
    assert len(room.studio) == 0


def test_recordings_that_are_over_leave_no_cycles(tmp_path: Path) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    came = said(leg, packets(leg, tone(400, 1000)))
    room.record(leg, tmp_path / "first.wav", silence_ms=3000)
    room.stop()
    clear_litter()
    gc.disable()
    try:
        room.record(leg, tmp_path / "a.wav", "both", silence_ms=3000, recording=C, stop_keys="1")
        room.tick(50, came)
        room.stop(C)
        room.told.clear()
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("fails", ["hear", "send"])
def test_a_fault_of_ours_in_a_recording_leaves_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    a, b = Leg(A), Leg(B, address="192.0.2.2")
    room = Surroundings(a, b)
    room.conversations.join(a.stream, b.stream)
    room.record(a, tmp_path / "a.wav", "both")
    came = [*said(a, packets(a, tone(400, 1000))), *said(b, packets(b, tone(1000, 1000)))]
    room.tick(20, came)
    [recorder] = a.stream.tapped().recorders
    monkeypatch.setattr(recorder, fails, None)
    room.tick(30, [one for one in came if one[1].at > room.now])
    end = ended(room)
    assert (end.outcome, end.detail) == ("failed", "an error of ours; the log has it")
    assert a.stream.dropped["failures"] == 1
    assert all(share(leg.heard[-20 * FRAME :], hz) > 0.9 for leg, hz in ((a, 1000), (b, 400)))


def test_a_file_that_cannot_even_be_closed_is_given_up_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    leg = Leg(A)
    room = Surroundings(leg)
    room.record(leg, tmp_path / "a.wav")
    room.record(leg, tmp_path / "b.wav", recording=C)
    room.tick(50)

    def fails(_: object) -> None:
        raise OSError(5, "Input/output error")

    tape = leg.stream.tapped().recorders[0].tape
    assert tape.writer is not None
    monkeypatch.setattr(tape.writer, "write", fails)
    monkeypatch.setattr(tape.writer, "abandon", fails)
    room.stop()
    room.tick(251)
    assert ended(room).outcome == "failed"
    assert "recordings_disk_failed" in [record.message for record in caplog.records]
    room.stop(C)
    assert room.of(RecordEnded)[1] == RecordEnded(A, C, "stopped", 6040)
