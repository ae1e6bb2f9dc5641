from __future__ import annotations

import numpy as np
import pytest

from callwright.media.g711 import PCMA, PCMU, Law
from callwright.media.keypad import MAX_WAITING, Keypad, KeySlot
from callwright.media.telephone_event import KEYS, EventPayload
from support.sound import share

PITCHES = {key: pair for row, keys in zip((697, 770, 852, 941), ("123A", "456B", "789C", "*0#D"), strict=True)
           for key, pair in zip(keys, ((row, high) for high in (1209, 1336, 1477, 1633)), strict=True)}  # fmt: skip


def played(keypad: Keypad, events: bool, law: Law = PCMU) -> list[KeySlot]:
    slots = []
    while keypad.busy:
        slots.append(keypad.next(law, events))
        assert len(slots) < 2000
    return slots


def event(key: str, duration: int, end: bool = False) -> bytes:
    return EventPayload(KEYS.index(key), end, duration).serialize()


def test_a_press_is_updates_and_three_ends_and_a_gap() -> None:
    keypad = Keypad()
    assert keypad.press("5", tone_ms=80, gap_ms=100) == 0
    assert played(keypad, events=True) == [
        KeySlot(event("5", 160), event=True, first=True),
        KeySlot(event("5", 320), event=True),
        KeySlot(event("5", 480), event=True),
        *[KeySlot(event("5", 640, end=True), event=True)] * 3,
        *[KeySlot(PCMU.silent_frame)] * 3,
    ]


def test_a_held_key_is_sent_until_it_is_released() -> None:
    keypad = Keypad()
    press = keypad.hold("9")
    slots = [keypad.next(PCMU, True) for _ in range(6)]
    press.release(100)
    slots += played(keypad, events=True)
    assert [EventPayload.parse(slot.payload).duration for slot in slots] == [160, 320, 480, 640, 800, 960, 1120, 1120, 1120]
    assert [EventPayload.parse(slot.payload).end for slot in slots] == [False] * 6 + [True] * 3


def test_a_key_held_for_ever_ends_within_what_a_packet_can_say() -> None:
    keypad = Keypad()
    keypad.hold("9")
    slots = played(keypad, events=True)
    assert EventPayload.parse(slots[-1].payload) == EventPayload(9, True, 64_000)


def test_a_key_released_before_its_turn_is_still_pressed() -> None:
    keypad = Keypad()
    keypad.press("1", 40, 40)
    keypad.hold("2").release(40)
    ends = [slot.payload for slot in played(keypad, events=True) if slot.event and EventPayload.parse(slot.payload).end]
    assert ends == [event("1", 320, end=True)] * 3 + [event("2", 320, end=True)] * 3


@pytest.mark.parametrize("law", [PCMU, PCMA])
@pytest.mark.parametrize("key", KEYS)
def test_without_events_a_press_is_its_two_tones(law: Law, key: str) -> None:
    keypad = Keypad()
    keypad.press(key, tone_ms=100, gap_ms=60)
    slots = played(keypad, events=False, law=law)
    sound = law.decode(b"".join(slot.payload for slot in slots))
    low, high = PITCHES[key]
    assert not any(slot.event for slot in slots)
    assert share(sound[:800], low) + share(sound[:800], high) > 0.95
    assert share(sound[:800], low) == pytest.approx(0.38, abs=0.05)
    assert len(sound) == 1280
    assert np.abs(sound[800:]).max() <= 8
    # A ramp of 5 ms at either end
    assert np.abs(sound[:8]).max() < np.abs(sound[200:600]).max() / 4
    assert np.abs(sound[792:800]).max() < np.abs(sound[200:600]).max() / 4


def test_keys_that_are_none_and_too_many_are_refused_by_count() -> None:
    keypad = Keypad()
    assert keypad.press("1x,2", 100, 100) == 2
    assert keypad.press("d" * (MAX_WAITING + 5), 100, 100) == 7


@pytest.mark.parametrize(("asked", "frames"), [(-1, 2), (0, 2), (45, 3), (100, 5), (10**9, 400)])
def test_lengths_are_kept_within_what_can_be_sent(asked: int, frames: int) -> None:
    keypad = Keypad()
    keypad.press("1", tone_ms=asked, gap_ms=40)
    assert sum(slot.event for slot in played(keypad, events=True)) == frames + 2
