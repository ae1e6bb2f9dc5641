"""The tables of the lifecycle, walked row by row."""

import pytest

from callwright.calls.model import LIVE_CALL, LIVE_LEG, CallStatus, Direction, LegStatus
from callwright.calls.tables import CALL_END, CALL_MOVES, ENDS, FORWARD, End, end_of
from callwright.reasons import Reason


@pytest.mark.parametrize("row", ENDS, ids=lambda row: f"{row.rows} to {row.to.value}")
def test_each_row_ends_a_live_leg_as_it_says(row: End) -> None:
    assert row.states <= LIVE_LEG
    assert row.to not in LIVE_LEG
    for direction in row.directions:
        for state in row.states:
            for reason in row.reasons:
                assert end_of(direction, state, reason) is row.to


def test_no_two_rows_disagree() -> None:
    seen: dict[tuple[Direction, LegStatus, Reason], End] = {}
    for row in ENDS:
        for key in [(d, s, r) for d in row.directions for s in row.states for r in row.reasons]:
            assert key not in seen, f"{row.rows} and {seen[key].rows} both decide {key}"
            seen[key] = row


def test_every_reason_ends_some_leg() -> None:
    assert {reason for row in ENDS for reason in row.reasons} == set(Reason)


def test_an_answered_leg_ends_only_as_hangup() -> None:
    for reason in Reason:
        for direction in Direction:
            assert end_of(direction, LegStatus.ONGOING, reason) in (None, LegStatus.HANGUP)


def test_nothing_moves_what_is_over() -> None:
    over = set(LegStatus) - LIVE_LEG
    assert not any(over & states for states in FORWARD.values())
    assert not any(over & row.states for row in ENDS)
    ended = set(CallStatus) - LIVE_CALL
    assert not any(ended & states for states in CALL_MOVES.values())


def test_every_end_of_a_first_leg_is_an_end_of_the_call() -> None:
    assert set(CALL_END) == set(LegStatus) - LIVE_LEG
    for status in CALL_END.values():
        assert CallStatus.STARTING in CALL_MOVES[status]


@pytest.mark.parametrize(
    ("direction", "status", "reason", "to"),
    [
        (Direction.OUTGOING, LegStatus.RINGING, Reason.BUSY, LegStatus.BUSY),  # P3
        (Direction.OUTGOING, LegStatus.STARTING, Reason.RING_TIMEOUT, LegStatus.NO_ANSWER),  # P4
        (Direction.OUTGOING, LegStatus.RINGING, Reason.NO_RESPONSE, LegStatus.FAILED),  # P5
        (Direction.OUTGOING, LegStatus.RINGING, Reason.CALLER_GONE, LegStatus.HANGUP),  # P6
        (Direction.INCOMING, LegStatus.RINGING, Reason.CALLER_CANCELLED, LegStatus.NO_ANSWER),  # A4
        (Direction.INCOMING, LegStatus.ONGOING, Reason.NO_ACK, LegStatus.HANGUP),  # A5
        (Direction.INCOMING, LegStatus.STARTING, Reason.FLOW_ENDED, LegStatus.HANGUP),  # A6
        (Direction.INCOMING, LegStatus.RINGING, Reason.MACHINE, LegStatus.NO_ANSWER),  # A6
        (Direction.INCOMING, LegStatus.STARTING, Reason.NO_FLOW, LegStatus.FAILED),  # N3
        (Direction.OUTGOING, LegStatus.STARTING, Reason.NO_ROUTE, LegStatus.FAILED),  # N6
        (Direction.INCOMING, LegStatus.RINGING, Reason.API_HANGUP, LegStatus.HANGUP),  # C1
        (Direction.INCOMING, LegStatus.ONGOING, Reason.CALLEE_HANGUP, None),  # a caller is no callee
        (Direction.OUTGOING, LegStatus.HANGUP, Reason.API_HANGUP, None),  # over is over
    ],
)
def test_what_the_specification_says(direction: Direction, status: LegStatus, reason: Reason, to: LegStatus | None) -> None:
    assert end_of(direction, status, reason) is to
