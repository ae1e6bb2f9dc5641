from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callwright.media.rtp import MalformedPacket
from callwright.media.telephone_event import KEYS, EventPayload, EventReader, KeyDown, KeyUp
from support.sound import FRAME, kept

Packet = tuple[int, EventPayload, bool]


def press(key: str, at: int, ms: int = 100, ptime: int = 20, ends: int = 3) -> list[Packet]:
    """The packets of one press: first one marked, updates, the end three times."""
    code, step, last = KEYS.index(key), ptime * 8, ms * 8
    updates = [(at, EventPayload(code, False, duration), duration == step) for duration in range(step, last, step)]
    return updates + [(at, EventPayload(code, True, last), not updates and end == 0) for end in range(ends)]


def read(packets, reader: EventReader | None = None, quiet: int = 20) -> list[KeyDown | KeyUp]:
    """Feed a packet every 20 ms, then some time of nothing."""
    reader = reader or EventReader()
    found: list[KeyDown | KeyUp] = []
    now = 0
    for packet in packets:
        now += FRAME
        if packet is not None:
            timestamp, payload, marker = packet
            found += reader.packet(timestamp & 0xFFFF_FFFF, payload, marker, now)
        found += reader.elapse(now)
    for _ in range(quiet):
        now += FRAME
        found += reader.elapse(now)
    return found


@pytest.mark.parametrize("key", KEYS)
def test_a_press_is_told_once_with_its_length(key: str) -> None:
    assert read(press(key, 1000)) == [KeyDown(key), KeyUp(key, 100)]


FIVE = press("5", 1000)  # four updates, three ends


@pytest.mark.parametrize(
    ("losses", "ms"),
    [
        # the first is lost
        ([True] + [False] * 6, 100),
        # the first four are lost
        ([True] * 4 + [False] * 3, 100),
        # only the last end is left
        ([True] * 6 + [False], 100),
        # all ends are lost
        ([False] * 4 + [True] * 3, 80),
        # one of the ends is left
        ([False] * 4 + [True, False, True], 100),
        # every second is lost
        ([False, True] * 4, 100),
    ],
)
def test_lost_packets_neither_lose_nor_double_a_press(losses: list[bool], ms: int) -> None:
    assert read(kept(FIVE, losses)) == [KeyDown("5"), KeyUp("5", ms)]


@pytest.mark.parametrize(
    "packets",
    [
        # every packet twice
        [packet for packet in FIVE for _ in range(2)],
        # an update after the ends
        [*FIVE, FIVE[2]],
        # the ends again and again
        FIVE + FIVE[-1:] * 20,
        # the ends lost, and an update later than the silence that ended it
        [*FIVE[:2], *[None] * 15, *FIVE[2:]],
    ],
)
def test_repeated_and_late_packets_are_not_a_second_press(packets: list[Packet]) -> None:
    assert [type(event) for event in read(packets)] == [KeyDown, KeyUp]


def test_presses_of_one_key_follow_each_other() -> None:
    assert read(press("7", 1000) + press("7", 2600)) == [KeyDown("7"), KeyUp("7", 100)] * 2


def test_the_next_press_ends_one_whose_ends_were_lost() -> None:
    packets = press("1", 1000)[:-3] + press("2", 2600)
    assert read(packets) == [KeyDown("1"), KeyUp("1", 80), KeyDown("2"), KeyUp("2", 100)]


def test_a_late_packet_of_the_press_before_is_no_press() -> None:
    first, second = press("1", 1000), press("2", 2600)
    assert read([*first, second[0], first[-1], first[1], *second[1:]]) == [
        KeyDown("1"),
        KeyUp("1", 100),
        KeyDown("2"),
        KeyUp("2", 100),
    ]


def test_a_clock_that_was_set_back_does_not_hide_later_presses() -> None:
    assert read([*press("1", 0x7000_0000), *[None] * 60, *press("2", 5)])[2:] == [KeyDown("2"), KeyUp("2", 100)]


def test_timestamps_may_wrap_between_presses() -> None:
    assert read(press("1", 0xFFFF_FF00) + press("2", 0x1_0000_0600))[2:] == [KeyDown("2"), KeyUp("2", 100)]


def test_a_key_that_is_stuck_is_told_after_five_seconds_and_once() -> None:
    packets = [(1000, EventPayload(3, False, min(n * FRAME, 0xFFFF)), n == 1) for n in range(1, 600)]
    assert read(packets) == [KeyDown("3"), KeyUp("3", 5000)]


def test_segments_of_a_long_press_are_one_press() -> None:
    segments = [
        (1000 + segment * 0xFFFF, EventPayload(3, False, min(n * FRAME, 0xFFFF)), segment == n == 0)
        for segment in range(3)
        for n in range(1, 411)
    ]
    end = (1000 + 3 * 0xFFFF, EventPayload(3, True, 800), False)
    assert read([*segments, end]) == [KeyDown("3"), KeyUp("3", 5000)]


def test_events_that_are_no_keys_are_nothing() -> None:
    assert read([(1000, EventPayload(16, True, 800), True), (1000, EventPayload(36, True, 800), True)]) == []


@given(st.binary(max_size=12))
def test_any_bytes_give_a_payload_or_the_one_error(data: bytes) -> None:
    with contextlib.suppress(MalformedPacket):
        payload = EventPayload.parse(data)
        assert payload.serialize()[0] == data[0]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF_FFFF) | st.sampled_from([1000, 2600]),
            st.builds(EventPayload, code=st.integers(0, 20), end=st.booleans(), duration=st.integers(0, 0xFFFF)),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_every_key_that_goes_down_comes_up(packets: list[Packet]) -> None:
    found = read(packets)
    downs, ups = found[::2], found[1::2]
    assert [type(event) for event in found] == [KeyDown, KeyUp] * len(ups)
    assert [event.key for event in downs] == [event.key for event in ups]
