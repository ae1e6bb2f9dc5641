from __future__ import annotations

import pytest

from callwright.media.reception import Arrival, Reception
from callwright.media.rtcp import ReportBlock
from support.sound import FRAME, kept

SSRC = 0xA1B2C3D4


def feed(sequences, reception: Reception | None = None, ssrc: int = SSRC, start: int = 0) -> tuple[Reception, list[Arrival]]:
    reception = reception or Reception()
    return reception, [reception.arrived(number & 0xFFFF, ssrc, (start + i) * FRAME) for i, number in enumerate(sequences)]


def counts(reception: Reception) -> tuple[int, int, int, int]:
    return reception.received, reception.lost, reception.duplicate, reception.reordered


@pytest.mark.parametrize(
    ("sequences", "expected"),
    [
        # all there, over the wrap
        (range(65530, 65546), (16, 0, 0, 0)),
        # one lost
        ([1, 2, 4, 5], (4, 1, 0, 0)),
        # two swapped
        ([1, 3, 2, 4], (4, 0, 0, 1)),
        # swapped over the wrap
        ([65535, 1, 0, 2], (4, 0, 0, 1)),
        # each twice
        ([1, 1, 2, 2, 3, 3], (6, 0, 3, 0)),
        # one late and twice
        ([1, 2, 4, 3, 3, 5], (6, 0, 1, 1)),
    ],
)
def test_what_came_is_counted(sequences, expected) -> None:
    assert counts(feed(sequences)[0]) == expected


@pytest.mark.parametrize(("losses", "lost"), [([False, False, True], 33), ([True, False, False, False], 24)])
def test_loss_is_what_the_pattern_lost(losses: list[bool], lost: int) -> None:
    reception, _ = feed(kept(range(100), losses))
    assert reception.lost == lost


def test_a_jump_of_numbers_is_no_loss_and_takes_two_packets_to_be_believed() -> None:
    reception, arrivals = feed([1, 2, 3, 5000, 5001, 5002])
    assert arrivals[3:] == [Arrival.STRAY, Arrival.RESTART, Arrival.NEXT]
    assert reception.lost == 0


def test_a_single_number_out_of_order_changes_nothing() -> None:
    reception, arrivals = feed([1000, 1001, 3, 1002, 40000, 1003])
    assert arrivals == [Arrival.RESTART, Arrival.NEXT, Arrival.STRAY, Arrival.NEXT, Arrival.STRAY, Arrival.NEXT]
    assert (reception.lost, reception.reordered) == (0, 0)


def test_many_packets_may_be_lost_if_there_was_time_to_send_them() -> None:
    reception, _ = feed([1, 2])
    assert reception.arrived(102, SSRC, 101 * FRAME) is Arrival.NEXT
    assert reception.lost == 99


def test_a_new_source_begins_anew_and_keeps_the_counts() -> None:
    reception, _ = feed([1, 2, 4])
    _, arrivals = feed([9000, 9001], reception, ssrc=7, start=10)
    assert arrivals == [Arrival.STRAY, Arrival.RESTART]
    assert counts(reception) == (4, 1, 0, 0)


def arrive(reception: Reception, *packets: tuple[int, int]) -> list[Arrival]:
    return [reception.arrived(sequence, ssrc, i * FRAME) for i, (ssrc, sequence) in enumerate(packets)]


@pytest.mark.parametrize(
    "thrown_in",
    [
        # beside every packet one of a source that counts on its own
        [(7, number) for number in range(500, 540)],
        # and one whose every number is another
        [(7, number * 977 & 0xFFFF) for number in range(40)],
        # each under a source of its own
        [(number, 1) for number in range(40)],
    ],
)
def test_what_a_stranger_throws_in_under_another_source_takes_no_one_s_place(thrown_in) -> None:
    reception, _ = feed([99])
    both = [packet for i, stray in enumerate(thrown_in, 100) for packet in ((SSRC, i), stray)]
    assert arrive(reception, *both) == [Arrival.NEXT, Arrival.STRAY] * 40
    assert counts(reception) == (41, 0, 0, 0)


def test_a_new_source_that_loses_packets_is_believed_with_the_second_that_comes() -> None:
    reception, _ = feed([1, 2])
    assert arrive(reception, (7, 65534), (7, 3), (7, 4), (7, 6)) == [Arrival.STRAY, Arrival.RESTART, Arrival.NEXT, Arrival.NEXT]
    assert counts(reception) == (5, 1, 0, 0)


def test_packets_of_the_source_before_do_not_bring_it_back() -> None:
    reception, _ = feed([1, 2])
    arrivals = arrive(reception, (7, 50), (7, 51), (SSRC, 3), (7, 52), (SSRC, 4), (7, 53))
    assert arrivals == [Arrival.STRAY, Arrival.RESTART, Arrival.STRAY, Arrival.NEXT, Arrival.STRAY, Arrival.NEXT]


def test_gaps_are_counted_beside_the_packets_in_them() -> None:
    reception, _ = feed(kept(range(100), [False] * 7 + [True] * 3))
    assert (reception.lost, reception.gaps) == (27, 9)


@pytest.mark.parametrize(
    ("delays", "expected"),
    [
        # steady
        ([0] * 200, 0),
        # every other packet 10 ms late: a difference of 80 samples each time
        ([0, 80] * 200, 80),
    ],
)
def test_jitter_is_that_of_rfc_3550(delays: list[int], expected: float) -> None:
    reception = Reception()
    for i, delay in enumerate(delays):
        reception.timed((0xFFFF_FF00 + i * FRAME) & 0xFFFF_FFFF, i * FRAME + delay)
    assert reception.jitter == pytest.approx(expected, abs=0.5)


def test_a_clock_that_is_set_is_no_jitter() -> None:
    reception = Reception()
    for i in range(100):
        reception.timed(i * FRAME + (100_000 if i >= 50 else 0), i * FRAME)
    assert reception.jitter == 0


def test_a_report_tells_of_the_interval_and_of_all() -> None:
    reception, _ = feed(kept(range(10, 110), [False, False, False, True]))
    first = reception.report(last_sr=5, delay=6)
    feed(range(110, 210), reception, start=110)
    second = reception.report(last_sr=0, delay=0)
    # The last of the hundred was lost, so it is not missed before the next comes.
    assert first == ReportBlock(SSRC, (24 << 8) // 99, 24, 108, 0, 5, 6)
    assert second == ReportBlock(SSRC, (1 << 8) // 101, 25, 209, 0, 0, 0)


def test_there_is_no_report_without_a_source() -> None:
    assert Reception().report(0, 0) is None
