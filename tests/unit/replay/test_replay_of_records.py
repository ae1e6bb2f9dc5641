"""Records as real servers write them: late, of older programs, and with several things at one time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from callwright.calls import journal
from callwright.calls.rows import Told
from callwright.clock import VirtualLoop
from callwright.reasons import Reason
from callwright.rehearsal.parties import Act, Party
from callwright.replay.timeline import ORDER_US, PATIENCE_US, ReplayClock, Timeline
from callwright.settings import Settings
from callwright.settings.telephony import SipSection
from support.replayed import AGENT, again, called, in_short, pause, placed, say, transfer

ASK = say("Press one for sales.", "ask", onKeypressVar="choice", maxNumKeys=1)
SECOND = 1_000_000


def numbered(lines: Sequence[tuple[int, journal.AnyEntry]]) -> list[Told]:
    return [Told(n, at_us, entry) for n, (at_us, entry) in enumerate(lines, 1)]


def later(told: Sequence[Told], by_us: int, *, tells: bool) -> list[Told]:
    """The record of a server whose first pause ended so much later, and all after it."""
    lines: list[tuple[int, journal.AnyEntry]] = []
    shift = 0
    for line in told:
        if isinstance(line.entry, journal.StepEnded) and line.entry.outcome == "paused" and not shift:
            shift = by_us
            if tells:
                lines.append((line.at_us + shift, journal.TimerLate(timer="pause", late_us=by_us)))
        lines.append((line.at_us + shift, line.entry))
    return numbered(lines)


def test_a_server_that_was_late_is_late_again() -> None:
    told = called([pause(1), ASK, pause(2)], Act(hears="press one", interrupts=True, after=0.5, press="1")).journal
    assert again(later(told, 700_000, tells=True))[1] == []
    # one that told nothing of it is shown as what it was: slower than its flow
    replayed, found = again(later(told, 700_000, tells=False))
    assert in_short(replayed, found) == [("shift", "StepEnded", -0.7)]
    assert again(later(told, 15_000, tells=False))[1] == []  # within a tick


def test_a_key_that_came_before_a_late_timer_does_so_again() -> None:
    """The timer was due, and the server still asleep, when the key was pressed; it was overtaken."""
    steps = [{**pause(1, "wait"), "onKeypressVar": "choice"}, pause(2, "more")]
    told = called(steps, Act(at=0.9, press="1")).journal
    (digit,) = [line for line in told if isinstance(line.entry, journal.DigitPressed)]
    due_us = told[0].at_us + SECOND
    shift = due_us + 300_000 - digit.at_us
    lines: list[tuple[int, journal.AnyEntry]] = []
    for line in told:
        if line.seq == digit.seq + 1:
            lines.append((digit.at_us + shift, journal.TimerLate(timer="pause", late_us=300_000)))
        lines.append((line.at_us + (shift if line.seq >= digit.seq else 0), line.entry))
    replayed, found = again(numbered(lines))
    assert in_short(replayed, found) == []


@pytest.mark.parametrize("apart_us", [0, 1, 4_000])
@pytest.mark.parametrize("first", ["key", "timer"])
def test_what_lies_within_a_tick_keeps_its_order(first: str, apart_us: int) -> None:
    """As recorded, whichever of the two virtual time would have let come first."""
    told = called([pause(1, "wait"), pause(2, "more")], Act(at=1.5, press="1")).journal
    (digit,) = [line for line in told if isinstance(line.entry, journal.DigitPressed)]
    (ended,) = [line for line in told if isinstance(line.entry, journal.StepEnded) and line.entry.step == "wait"]
    rest = [line for line in told if line is not digit]
    place = rest.index(ended)
    if first == "key":
        rest.insert(place, digit._replace(at_us=ended.at_us))
        moved = [line._replace(at_us=line.at_us + apart_us) if n > place else line for n, line in enumerate(rest)]
    else:
        rest.insert(place + 2, digit._replace(at_us=ended.at_us + apart_us))
        moved = rest
    replayed, found = again(numbered([(line.at_us, line.entry) for line in moved]))
    assert in_short(replayed, found) == []


def test_a_journal_without_voices_says_so() -> None:
    told = placed([say("Your parcel is here."), pause(1)], Party(acts=(Act(at=0.4, says="Hello?"),))).journal
    assert again(told)[1] == []
    old = numbered([(line.at_us, line.entry) for line in told if not isinstance(line.entry, journal.VoiceHeard)])
    replayed, found = again(old)
    assert replayed.missing == [
        "The journal is of an older program, which kept no record of voices: who answered cannot be judged again."
    ]
    assert found[0].kind == "changed"


def test_a_sound_that_broke_off_is_heard_as_far_as_it_was() -> None:
    url = "https://a.example/1.mp3"
    told = called([{"id": "tune", "action": "play", "options": {"media": url}}]).journal
    fault = "the MP3 file is cut off"
    broken: list[tuple[int, journal.AnyEntry]] = []
    for line in told:
        match line.entry:
            case journal.MediaFetched():
                broken.append((line.at_us, journal.MediaFetched(url=url, status=200, error=fault)))
            case journal.StepEnded():
                broken.append((line.at_us, journal.StepEnded(step="tune", outcome="failed", detail=fault)))
            case journal.LegMoved(reason=Reason.FLOW_ENDED):
                broken.append((line.at_us, replace(line.entry, reason=Reason.MEDIA_UNAVAILABLE, detail=fault)))
            case entry:
                broken.append((line.at_us, entry))
    replayed, found = again(numbered(broken))
    assert [one for one in in_short(replayed, found) if one[1] != "LegMoved"] == []


def test_labels_that_came_after_the_end_are_left_out() -> None:
    told = called([pause(1)]).journal
    late = journal.CallLabelled(tags=("late",), metadata={})
    assert again([*told, Told(len(told) + 1, told[-1].at_us + 60 * SECOND, late)])[1] == []


def test_what_is_of_the_network_alone_is_not_compared() -> None:
    told = called([pause(1)], Act(at=0.5, press="1")).journal
    seen = [
        line._replace(entry=replace(line.entry, means="tones", duration_ms=222))
        if isinstance(line.entry, journal.DigitPressed)
        else line
        for line in told
    ]
    replayed, found = again(seen)
    assert found == []
    (digit,) = [line.entry for line in replayed.replayed if isinstance(line.entry, journal.DigitPressed)]
    assert (digit.means, digit.duration_ms) == ("tones", 222)  # and yet given back


# the timeline by itself


def timed(story: Any) -> None:
    async def tell() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        clock = ReplayClock(loop, 0)
        await story(clock, Timeline(clock, [(5 * SECOND, 300_000)]))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(tell())


def test_what_waits_moves_with_the_replay() -> None:
    async def story(clock: ReplayClock, timeline: Timeline) -> None:
        done: list[tuple[str, int]] = []
        timeline.put(2 * SECOND, lambda: done.append(("a", clock.now_us())))
        timeline.put(1 * SECOND, lambda: done.append(("b", clock.now_us())))
        out = timeline.put(1 * SECOND, lambda: done.append(("never", 0)))
        timeline.take_out(out)
        await clock.sleep(1.5)
        timeline.come_to(1, 3.0 * SECOND)
        await clock.sleep(10)
        assert done == [("b", 1 * SECOND), ("a", 5 * SECOND)]

    timed(story)


def test_a_deed_waits_for_its_step_and_not_for_ever() -> None:
    async def story(clock: ReplayClock, timeline: Timeline) -> None:
        done: list[tuple[str, int]] = []
        timeline.put(1 * SECOND, lambda: done.append(("in step 7", clock.now_us())), 9, step=7)
        timeline.put(1 * SECOND, lambda: done.append(("after line 2", clock.now_us())), 3)
        await clock.sleep(60)
        assert done == [("after line 2", SECOND + ORDER_US), ("in step 7", SECOND + PATIENCE_US)]

    timed(story)


def test_how_late_the_server_was() -> None:
    async def story(clock: ReplayClock, timeline: Timeline) -> None:
        assert [timeline.lateness_us(seconds) for seconds in (4.9, 4.99, 5.0, 5.019, 5.1)] == [0, 300_000, 300_000, 300_000, 0]

    timed(story)


def test_a_limit_that_refused_one_leg_refuses_that_one_alone() -> None:
    busy, soon = Party(outcome="busy", answer_after=0.1), Settings(sip=SipSection(new_legs_per_second=1))
    steps = [transfer(name="first"), transfer(name="second"), pause(3), transfer(name="third")]
    outcome = called(steps, callees={AGENT: busy}, settings=soon)
    assert [leg.reason for leg in outcome.legs[1:]] == [Reason.BUSY, Reason.LIMIT, Reason.BUSY]
    _, found = again(outcome)
    assert found == []
