"""Who hears whom on the SIP engine between fake children: two legs, more than two, and those that come and go meanwhile."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.telephony import (
    Bridge,
    Bridged,
    Cause,
    CommandRefused,
    EarlyMedia,
    Ended,
    HangUp,
    Play,
    PlayFinished,
    Ring,
    Unbridge,
    Unbridged,
    Who,
)
from support.engine_story import Story
from support.fake_children import COUNTERS, FAR_ANSWER, OTHER_CALL, A, B, Bench, C
from support.sip_driver import SipDriver


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.answer(A)
    return bench


@pytest.fixture
def pair(bench: Bench) -> Bench:
    bench.reach(B)
    return bench


@pytest.fixture
def three(pair: Bench) -> Bench:
    """A and B are in a conversation, C is answered."""
    pair.reach(C)
    pair.submit(Bridge, A, other=B)
    pair.media_says(media.Joined(A, B, "relay"), media.Joined(B, A, "relay"))
    pair.take()
    return pair


def test_a_bridge_and_its_end(pair: Bench) -> None:
    pair.submit(Bridge, A, other=B)
    pair.media_says(media.Joined(A, B, "relay"))
    assert pair.take() == [media.Join(A, B)]
    pair.media_says(media.Joined(B, A, "relay"))
    assert pair.take() == [pair.event(Bridged, A, 3, other=B, how="relay")]
    assert pair.clock.pending == 0
    pair.submit(Unbridge, B)
    pair.submit(Unbridge, A)
    assert pair.take() == [media.Part(B), media.Part(A)]
    pair.media_says(media.Parted(A), media.Parted(B))
    assert pair.take() == [pair.event(Unbridged, A, 4), pair.event(Unbridged, B, 2)]
    pair.submit(Bridge, B, other=A)
    pair.media_says(media.Joined(A, B, "mix"), media.Joined(B, A, "mix"))
    assert pair.take() == [media.Join(B, A), pair.event(Bridged, B, 3, other=A, how="mix")]
    assert pair.clock.pending == 0


def test_an_unbridge_that_overtakes_the_joining(pair: Bench) -> None:
    pair.submit(Bridge, A, other=B)
    pair.submit(Unbridge, A)
    pair.media_says(media.Joined(A, B, "relay"), media.Joined(B, A, "relay"), media.Parted(A), media.Parted(B))
    assert pair.take() == [
        media.Join(A, B),
        media.Part(A),
        pair.event(Bridged, A, 3, other=B, how="relay"),
        pair.event(Unbridged, A, 4),
        pair.event(Unbridged, B, 2),
    ]


def test_one_bridge_at_a_time_and_only_within_a_call(pair: Bench) -> None:
    pair.reach(C, call=OTHER_CALL)
    with pytest.raises(CommandRefused, match="is no other leg of this call"):
        pair.submit(Bridge, A, other=C)
    pair.submit(Bridge, A, other=B)
    with pytest.raises(CommandRefused, match="the leg is in a conversation"):
        pair.submit(Bridge, B, other=A)


def test_a_leg_that_is_not_answered_cannot_be_bridged_with(bench: Bench) -> None:
    bench.place(B)
    with pytest.raises(CommandRefused, match="the other leg is not answered by the far end"):
        bench.submit(Bridge, A, other=B)


def test_ring_back_from_the_callee_to_a_caller_who_is_not_answered() -> None:
    bench = Bench()
    bench.arrive(A)
    bench.submit(Ring)
    bench.place(B)
    bench.hear(sip.LegProgress(B, 183, FAR_ANSWER))
    bench.submit(Ring, A, early_media=True)
    bench.submit(Bridge, A, other=B)
    assert bench.take() == [
        media.Connect(B, "192.0.2.2", 4000, 0, 101),
        bench.event(EarlyMedia, B, 1),
        media.Open(A),
    ]
    bench.media_says(media.Opened(A, 20000))
    assert bench.take()[:2] == [media.Connect(A, "192.0.2.1", 4000, 0, 101), media.Join(A, B)]


def test_what_waited_for_early_media_is_given_up_with_the_leg() -> None:
    bench = Bench()
    bench.arrive(A)
    bench.place(B)
    bench.hear(sip.LegProgress(B, 183, FAR_ANSWER))
    bench.submit(Ring, A, early_media=True)
    play = bench.submit(Play, A, files=("a.wav",))
    bench.submit(Bridge, A, other=B)
    bench.submit(Unbridge, A)
    bench.submit(Bridge, A, other=B)
    bench.take()
    bench.submit(HangUp, A)
    bench.hear(sip.LegFailed(A, 603, "Decline"))
    assert [type(message) for message in bench.take()[:3]] == [sip.EndLeg, media.Close, PlayFinished]
    with pytest.raises(CommandRefused, match="in no conversation"):
        bench.submit(Unbridge, B)
    assert play


def test_a_late_word_about_an_earlier_pair_does_not_touch_the_next(pair: Bench) -> None:
    pair.reach(C)
    pair.submit(Bridge, A, other=B)
    pair.media_says(media.Joined(A, B, "relay"), media.Joined(B, A, "relay"))
    pair.hear(sip.LegEnded(A, "far"))
    pair.take()
    pair.submit(Bridge, B, other=C)
    pair.media_says(media.Parted(B), media.Joined(B, A, "relay"), media.Joined(B, C, "mix"), media.Joined(C, B, "mix"))
    assert pair.take() == [media.Join(B, C), pair.event(Bridged, B, 3, other=C, how="mix")]


# more than two


def test_a_third_leg_joins(three: Bench) -> None:
    three.submit(Bridge, C, other=B)
    three.media_says(media.Joined(C, B, "mix"))
    assert three.take() == [media.Join(C, B), three.event(Bridged, C, 2, other=B, how="mix")]
    three.submit(Unbridge, B)
    three.media_says(media.Parted(B))
    assert three.take() == [media.Part(B), three.event(Unbridged, B, 2)]
    three.submit(Unbridge, C)
    three.media_says(media.Parted(C), media.Parted(A))
    assert three.take() == [media.Part(C), three.event(Unbridged, C, 3), three.event(Unbridged, A, 4)]
    assert three.clock.pending == 0


def test_whoever_a_third_leg_wanted_to_join_leaves_meanwhile(three: Bench) -> None:
    three.submit(Bridge, C, other=B)
    three.submit(HangUp, B)
    three.media_says(media.Joined(C, B, "mix"), media.Parted(B), media.Closed(B, COUNTERS))
    three.hear(sip.LegEnded(B, "us"))
    assert three.take() == [
        media.Join(C, B),
        sip.EndLeg(B),
        media.Close(B),
        three.event(Bridged, C, 2, other=B, how="mix"),
        three.event(Ended, B, 2, cause=Cause.HANGUP, who=Who.US, counters=COUNTERS),
    ]
    three.submit(HangUp, A)
    three.media_says(media.Parted(A), media.Parted(C))
    assert three.take()[2:] == [three.event(Unbridged, C, 3)]


def test_a_third_leg_joins_one_that_is_being_left_alone(three: Bench) -> None:
    three.submit(Unbridge, B)
    three.submit(Bridge, C, other=A)
    three.media_says(media.Parted(B), media.Parted(A), media.Joined(C, A, "mix"), media.Joined(A, C, "mix"))
    assert three.take() == [
        media.Part(B),
        media.Join(C, A),
        three.event(Unbridged, B, 2),
        three.event(Bridged, C, 2, other=A, how="mix"),
    ]
    assert three.clock.pending == 0
    three.submit(Unbridge, A)
    three.media_says(media.Parted(A), media.Parted(C))
    assert three.take()[1:] == [three.event(Unbridged, A, 4), three.event(Unbridged, C, 3)]


def test_a_third_leg_that_joins_and_ends_at_once_leaves_the_other_alone(three: Bench) -> None:
    three.submit(Unbridge, B)
    three.submit(Bridge, C, other=A)
    three.media_says(media.Parted(B), media.Parted(A))
    three.hear(sip.LegEnded(C, "far"))
    three.media_says(media.Joined(A, C, "mix"), media.Parted(A), media.Closed(C, COUNTERS))
    events = [event for event in three.take() if isinstance(event, Bridged | Unbridged)]
    assert events == [three.event(Unbridged, B, 2), three.event(Unbridged, A, 4)]
    three.submit(Bridge, A, other=B)
    three.media_says(media.Joined(A, B, "relay"), media.Joined(B, A, "relay"))
    assert three.take() == [media.Join(A, B), three.event(Bridged, A, 5, other=B, how="relay")]


def test_a_leg_whose_sound_comes_late_joins_whoever_is_there(pair: Bench) -> None:
    """A caller who is not answered yet is to hear a conversation, in which nobody is left but whom it did not ask for."""
    pair.arrive(C)
    pair.submit(Ring, C, early_media=True)
    pair.submit(Bridge, C, other=B)
    pair.submit(Bridge, A, other=B)
    assert pair.take()[-2:] == [media.Open(C), media.Join(A, B)]
    pair.media_says(media.Joined(A, B, "relay"), media.Joined(B, A, "relay"), media.Opened(C, 20006))
    sent = [message for message in pair.take() if isinstance(message, media.Join | Bridged)]
    assert sent == [pair.event(Bridged, A, 3, other=B, how="relay"), media.Join(C, B)]


def test_two_that_wait_for_the_same_third_hear_each_other_meanwhile(pair: Bench) -> None:
    pair.arrive(C)
    pair.submit(Ring, C, early_media=True)
    pair.submit(Bridge, A, other=C)
    pair.submit(Bridge, B, other=C)
    pair.media_says(media.Opened(C, 20006))
    assert [message for message in pair.take() if isinstance(message, media.Join)] == [media.Join(A, B), media.Join(C, A)]


@pytest.mark.parametrize("leaver", [A, B])
def test_media_that_does_not_part_is_lost(three: Bench, leaver: UUID) -> None:
    three.submit(Unbridge, leaver)
    three.clock.advance(2)
    three.media_says(media.Closed(leaver, COUNTERS))
    ended = [event for event in three.take() if isinstance(event, Ended)]
    assert [(event.leg, event.cause, event.detail) for event in ended] == [
        (leaver, Cause.MEDIA_LOST, "media-1 did not part two streams within 2 s")
    ]


# at once after an Unbridge


def joined(bench: Bench, leg: UUID, other: UUID) -> None:
    """Media says that two have formed a conversation; forget how it was asked to."""
    bench.media_says(media.Joined(leg, other, "relay"), media.Joined(other, leg, "relay"))


def test_a_leg_that_is_being_taken_out_is_let_in_again(three: Bench) -> None:
    three.submit(Unbridge, A)
    three.submit(Bridge, A, other=B)
    with pytest.raises(CommandRefused, match="in a conversation"):
        three.submit(Bridge, A, other=C)
    assert three.take() == [media.Part(A)]
    three.media_says(media.Parted(A), media.Parted(B))
    joined(three, A, B)
    assert three.take() == [
        three.event(Unbridged, A, 4),
        media.Join(A, B),
        three.event(Bridged, A, 5, other=B, how="relay"),
    ]
    assert three.clock.pending == 0


def test_a_leg_waits_for_one_that_is_being_taken_out(three: Bench) -> None:
    three.submit(Unbridge, B)
    three.submit(Bridge, C, other=B)
    assert three.take() == [media.Part(B)]
    three.media_says(media.Parted(B), media.Parted(A))
    joined(three, C, B)
    assert three.take() == [
        three.event(Unbridged, B, 2),
        media.Join(C, B),
        three.event(Unbridged, A, 4),
        three.event(Bridged, C, 2, other=B, how="relay"),
    ]


def test_two_that_are_being_taken_out_ask_for_each_other(three: Bench) -> None:
    for leg in (A, B):
        three.submit(Unbridge, leg)
    three.submit(Bridge, A, other=B)
    three.submit(Bridge, B, other=A)
    three.submit(Bridge, C, other=A)
    assert three.take() == [media.Part(A), media.Part(B)]
    three.media_says(media.Parted(A), media.Parted(B))
    joined(three, A, B)
    three.media_says(media.Joined(C, A, "mix"))
    assert three.take() == [
        three.event(Unbridged, A, 4),
        three.event(Unbridged, B, 2),
        media.Join(A, B),
        media.Join(C, A),
        three.event(Bridged, B, 3, other=A, how="relay"),
        three.event(Bridged, A, 5, other=B, how="relay"),
        three.event(Bridged, C, 2, other=A, how="mix"),
    ]
    assert three.clock.pending == 0


def test_who_waits_changes_its_mind_or_ends(three: Bench) -> None:
    three.submit(Unbridge, B)
    three.submit(Bridge, C, other=B)
    three.submit(Unbridge, C)
    three.submit(Bridge, C, other=B)
    three.submit(HangUp, C)
    three.submit(Bridge, B, other=A)
    three.submit(HangUp, A)
    three.take()
    three.media_says(media.Parted(B))
    assert three.take() == [three.event(Unbridged, B, 2)]


def test_one_waits_for_one_that_waits_for_a_third(three: Bench) -> None:
    """B goes from A to C, whom D talks to, and A wants to hear B wherever that is: all four end up together."""
    d = UUID(int=0xD)
    three.reach(d)
    three.submit(Bridge, C, other=d)
    joined(three, C, d)
    for leg in (A, B):
        three.submit(Unbridge, leg)
    three.submit(Bridge, A, other=B)
    three.submit(Bridge, B, other=C)
    three.take()
    three.media_says(media.Parted(A), media.Parted(B))
    assert [message for message in three.take() if isinstance(message, media.Join)] == [media.Join(B, C), media.Join(A, B)]


def test_three_that_are_being_taken_out_ask_for_each_other_in_a_ring(three: Bench) -> None:
    three.submit(Bridge, C, other=A)
    three.media_says(media.Joined(C, A, "mix"))
    for leg in (A, B, C):
        three.submit(Unbridge, leg)
    for leg, other in ((A, B), (B, C), (C, A)):
        three.submit(Bridge, leg, other=other)
    three.take()
    three.media_says(media.Parted(A), media.Parted(B), media.Parted(C))
    assert [message for message in three.take() if isinstance(message, media.Join)] == [media.Join(A, B), media.Join(C, A)]
    joined(three, A, B)
    three.media_says(media.Joined(C, A, "mix"))
    told = {(event.leg, event.other) for event in three.take() if isinstance(event, Bridged)}
    assert told == {(A, B), (B, C), (C, A)}
    assert three.clock.pending == 0


# whatever is asked, and however long it takes


@settings(max_examples=200)
@given(data=st.data())
def test_media_has_the_conversations_that_call_control_was_told_of(data: st.DataObject) -> None:
    driver = SipDriver(Path("/nowhere.wav"), data.draw(st.sampled_from([0.0, 0.001, 0.3]), "link"))
    story = Story(driver)
    legs = [story.answered() for _ in range(4)]
    for _ in range(data.draw(st.integers(1, 16), "steps")):
        leg = data.draw(st.sampled_from(legs), "leg")
        act = data.draw(st.sampled_from(["bridge", "bridge", "unbridge", "unbridge", "hang up"]), "act")
        with suppress(CommandRefused):
            if act == "bridge":
                story.do(Bridge, leg, other=data.draw(st.sampled_from(legs), "other"))
            else:
                story.do(Unbridge if act == "unbridge" else HangUp, leg)
        driver.settle(data.draw(st.sampled_from([0.0, 0.0, 0.001, 0.4, 1.0]), "pause"))
    driver.settle(5)
    ended = {event.leg for event in story.seen(Ended)}
    for leg in legs:
        if leg in ended:
            assert leg not in driver.media.together
            story.last(leg)
            continue
        talking = driver.media.together.get(leg, set())
        seat = driver.engine._legs.alive[leg].seat
        assert {member.id for member in seat.legs} == talking if seat is not None else not talking
        story.check_conversations(story.of(leg))
        told = [event for event in story.of(leg) if isinstance(event, Bridged | Unbridged)]
        if told:
            assert isinstance(told[-1], Bridged) <= bool(talking)
    assert [event for event in story.seen(Ended) if event.cause is not Cause.HANGUP] == []
