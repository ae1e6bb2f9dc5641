from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callwright.media.g711 import PCMA, PCMU
from callwright.media.jitter import CATCH_UP, MAX_DELAY, JitterBuffer
from support.sound import FRAME, kept, share, tone

MS = 8
Packet = tuple[int, int, bytes]  # media time of coming, timestamp, payload


def source(frames: int, ptime: int = 20, begin: int = 1000, hz: int = 400) -> list[Packet]:
    """A tone whose period divides 20 ms, so that no frame can be told from another by its phase."""
    length = ptime * MS
    sound = PCMU.encode(tone(hz, frames * 20))
    return [(begin + at, at & 0xFFFF_FFFF, sound[at : at + length]) for at in range(0, len(sound) - length + 1, length)]


def play(packets: Iterable[Packet], until: int, buffer: JitterBuffer | None = None) -> list[bytes | None]:
    """Run packets through a buffer with a tick every 20 ms; the frames from the first one on."""
    buffer = buffer or JitterBuffer(PCMU)
    coming = defaultdict(list)
    for at, timestamp, payload in packets:
        coming[-(-at // FRAME)].append((at, timestamp, payload))
    frames = []
    for tick in range(until):
        for at, timestamp, payload in sorted(coming[tick]):
            buffer.put(timestamp, payload, at)
        frames.append(buffer.take(tick * FRAME))
    while frames and frames[0] is None:
        del frames[0]
    return frames


def samples(frames: list[bytes | None]) -> np.ndarray:
    return np.concatenate([PCMU.decode(frame or PCMU.silent_frame) for frame in frames])


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
@pytest.mark.parametrize("begin", [0, 33, 159])
def test_steady_packets_come_out_whole_whatever_their_length(ptime: int, begin: int) -> None:
    packets = source(60, ptime, begin)
    frames = play(packets, 70)
    sound = b"".join(payload for _, _, payload in packets)
    assert b"".join(frame for frame in frames if frame)[: len(sound)] == sound


@pytest.mark.parametrize("begin", [0, 33, 159])
def test_the_delay_is_40_to_60_ms(begin: int) -> None:
    buffer = JitterBuffer(PCMU)
    (at, timestamp, payload), *_ = source(10, begin=begin)
    buffer.put(timestamp, payload, at)
    tick = next(tick for tick in range(1, 20) if buffer.take(tick * FRAME) is not None)
    assert 40 * MS <= tick * FRAME - at <= 60 * MS


def test_swapped_and_doubled_packets_come_out_in_order_and_once() -> None:
    packets = source(50)
    shuffled = [
        (packets[i][0], *packets[j][1:])
        for pair in range(0, 50, 2)
        for i, j in ((pair, pair + 1), (pair + 1, pair), (pair + 1, pair))
    ]
    frames = play(shuffled, 60)
    assert b"".join(frame or b"" for frame in frames)[: 50 * FRAME] == b"".join(payload for *_, payload in packets)


@pytest.mark.parametrize("losses", [[False, True], [False, False, False, True, True, True], [False] * 9 + [True]])
def test_loss_is_covered_and_never_shifts_what_came(losses: list[bool]) -> None:
    packets = source(60)
    frames = play(kept(packets, losses), 60)
    for (_, _, payload), frame, lost in zip(packets[:50], frames, losses * 50, strict=False):
        assert frame is not None
        assert frame == payload or (lost and share(PCMU.decode(frame), 400) > 0.95)


def test_what_covers_a_loss_fades_to_nothing_in_60_ms() -> None:
    frames = play(source(5), 20)
    peaks = [int(np.abs(PCMU.decode(frame)).max()) if frame else 0 for frame in frames[4:10]]
    assert peaks == pytest.approx([peaks[0], peaks[0] / 2, peaks[0] / 4, peaks[0] / 8, 0, 0], rel=0.1)


def test_jitter_within_its_reach_costs_no_packet_once_the_delay_has_grown() -> None:
    chance = random.Random(4)
    packets = [(at + chance.randrange(150 * MS), timestamp, payload) for at, timestamp, payload in source(300)]
    buffer = JitterBuffer(PCMU)
    frames = play(packets, 320, buffer)
    assert buffer.late == 0
    assert buffer.delay <= MAX_DELAY
    assert sum(frame is None for frame in frames[50:250]) == 0
    assert share(samples(frames[50:250]), 400) > 0.95


def test_the_delay_shrinks_again_when_the_network_calms_down() -> None:
    chance = random.Random(4)
    packets = [
        (at + (chance.randrange(150 * MS) if i < 100 else 0), timestamp, payload)
        for i, (at, timestamp, payload) in enumerate(source(1000))
    ]
    buffer = JitterBuffer(PCMU)
    play(packets[:110], 110, buffer)
    grown = buffer.delay
    play([(at - 110 * FRAME, timestamp, payload) for at, timestamp, payload in packets[110:]], 880, buffer)
    assert grown > 120 * MS
    assert buffer.delay <= 80 * MS


def test_once_the_network_is_calm_the_delay_is_small_again_within_six_seconds() -> None:
    packets = [(max(at, 60 * FRAME) if at >= 50 * FRAME else at, *rest) for at, *rest in source(400)]
    buffer = JitterBuffer(PCMU)
    frames = play(packets, 400, buffer)
    assert buffer.delay <= 60 * MS
    # Each frame that was left out is one of a tone; what came between is whole.
    assert frames[80:380].count(None) == 0
    assert share(samples(frames[350:390]), 400) > 0.98


@pytest.mark.parametrize("missed", [1, 2, 7, 40])
def test_frames_nobody_took_delay_nothing(missed: int) -> None:
    """A process that stood still takes in what waited, and skips the ticks it missed."""
    buffer = JitterBuffer(PCMU)
    waiting = [(1010 + i * FRAME, i * FRAME, bytes([i]) * FRAME) for i in range(200)]
    delays = set()
    for tick in [*range(100), *range(100 + missed, 200)]:
        while waiting and waiting[0][0] <= tick * FRAME:
            _, timestamp, payload = waiting.pop(0)
            buffer.put(timestamp, payload, tick * FRAME)
        frame = buffer.take(tick * FRAME)
        if frame is not None:
            delays.add(tick - frame[0])
    assert max(delays) - min(delays) <= (1 if missed > 15 else 0), delays


@pytest.mark.parametrize("stall_ms", [95, 100, 105, 110, 115, 119, 120, 125, 150])
def test_a_tick_is_made_up_for_or_skipped_and_never_both(stall_ms: int) -> None:
    """The process's loop makes up for `CATCH_UP` ticks and skips more: what is heard is as old as before either way."""
    buffer = JitterBuffer(PCMU)
    waiting = [(1010 + i * FRAME, i * FRAME, bytes([i]) * FRAME) for i in range(150)]
    due, awake = FRAME, 100 * FRAME + stall_ms * MS
    delays = []
    while due < 150 * FRAME:
        now = due if due <= 100 * FRAME else max(due, awake)
        behind = (now - due) // FRAME
        while waiting and waiting[0][0] <= now:
            _, timestamp, payload = waiting.pop(0)
            buffer.put(timestamp, payload, now)
        if behind >= CATCH_UP:
            due += behind * FRAME
        frame = buffer.take(due)
        if frame is not None:
            delays.append(due // FRAME - frame[0])
        due += FRAME
    assert (set(delays), len(delays)) == ({9}, 141 - (stall_ms // 20 - 1 if stall_ms >= 120 else 0))
    assert (buffer.late == 0) == (stall_ms < 120)


def test_a_delay_that_grew_is_not_cut_by_what_was_too_much_before() -> None:
    """While frames are still to be left out, since the network had calmed down, a packet comes late again."""
    packets = [(1010 + i * FRAME, i * FRAME, bytes([i % 80]) * FRAME) for i in range(310)]
    packets[10] = (packets[10][0] + 160 * MS, *packets[10][1:])
    packets[225] = (packets[225][0] + 190 * MS, *packets[225][1:])
    frames = play(packets, 305)
    steps = [(b[0] - a[0]) % 80 for a, b in pairwise(frame for frame in frames if frame is not None)]
    assert 2 in steps[190:235]
    assert set(steps[-50:]) == {1}


def test_packets_too_late_for_the_longest_delay_are_counted_and_left_out() -> None:
    packets = source(100)
    packets[50] = (packets[50][0] + 300 * MS, *packets[50][1:])
    buffer = JitterBuffer(PCMU)
    frames = play(packets, 110, buffer)
    assert buffer.late == 1
    assert frames[49] == packets[49][2]
    assert frames[51] == packets[51][2]


def test_a_burst_after_a_stall_keeps_what_is_still_wanted() -> None:
    packets = [(max(at, 80 * FRAME) if at >= 50 * FRAME else at, timestamp, payload) for at, timestamp, payload in source(200)]
    buffer = JitterBuffer(PCMU)
    frames = play(packets, 210, buffer)
    assert 15 <= buffer.late <= 30
    assert buffer.delay <= MAX_DELAY
    assert share(samples(frames[100:190]), 400) > 0.95


@pytest.mark.parametrize("jump", [8000 * 60, 4000, -4000, -8000 * 60, 0x8000_0000 - 50])
def test_a_clock_that_is_set_is_followed(jump: int) -> None:
    packets = source(100)
    packets[50:] = [(at, (timestamp + jump) & 0xFFFF_FFFF, payload) for at, timestamp, payload in packets[50:]]
    frames = play(packets, 110)
    assert frames.count(None) < 20
    assert share(samples(frames[62:95]), 400) > 0.95


def test_the_wrap_of_timestamps_is_not_heard() -> None:
    packets = [(at, (timestamp - 25 * FRAME) & 0xFFFF_FFFF, payload) for at, timestamp, payload in source(50)]
    frames = play(packets, 65)
    assert b"".join(frame or b"" for frame in frames)[: 50 * FRAME] == b"".join(payload for *_, payload in packets)


def test_a_talk_spurt_after_suppressed_silence_is_heard_at_once() -> None:
    packets = source(200)
    frames = play(packets[:50] + packets[150:], 210)
    assert frames[:50] == [payload for *_, payload in packets[:50]]
    assert frames[60:150] == [None] * 90
    assert share(samples(frames[152:198]), 400) > 0.95


def test_a_restart_forgets_the_old_source() -> None:
    buffer = JitterBuffer(PCMU)
    play(source(20), 5, buffer)
    buffer.restart()
    assert play([(at, timestamp + 777_777, payload) for at, timestamp, payload in source(5, begin=0)], 5, buffer)[0] is not None


@pytest.mark.parametrize("drift", [200, -200])
def test_a_source_whose_clock_is_off_is_followed(drift: int) -> None:
    """200 in a million, for five minutes: three packets."""
    packets = [(at + at * drift // 1_000_000, timestamp, payload) for at, timestamp, payload in source(15_000)]
    buffer = JitterBuffer(PCMU)
    frames = play(packets, 15_000, buffer)
    assert buffer.late == 0
    assert buffer.delay <= 100 * MS
    assert frames.count(None) == 0


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2000), st.integers(0, 0xFFFF_FFFF), st.integers(0, 4), st.sampled_from([40, 80, 160, 480, 960])
        ),
        max_size=60,
    )
)
def test_anything_in_gives_frames_out(steps) -> None:
    buffer = JitterBuffer(PCMA)
    now = timestamp = 0
    for wait, jump, kind, length in steps:
        now += wait
        timestamp = jump if kind == 0 else timestamp + length
        buffer.put(timestamp & 0xFFFF_FFFF, bytes(length), now)
        frame = buffer.take(now)
        assert frame is None or len(frame) == FRAME
        assert len(buffer._segments) < 80
