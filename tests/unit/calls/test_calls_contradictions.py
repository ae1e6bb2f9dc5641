"""No filter is refused that a call can match, whatever the lifecycle does with it."""

from hypothesis import given
from hypothesis import strategies as st

from callwright import ids
from callwright.calls.contradictions import contradiction
from callwright.calls.filters import CallFilter
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import Call, CalledNumber, CallStatus, Direction, LegStatus
from callwright.calls.tables import FORWARD, end_of
from callwright.reasons import Reason
from support.invariants import tightest

T0 = 1_700_000_000_000_000
WORLD = ids.uuid7(T0)
IN, OUT = Direction.INCOMING, Direction.OUTGOING


def begun(direction: Direction) -> CallRecord:
    named = {"call_id": ids.uuid7(T0), "leg_id": ids.uuid7(T0), "world_id": WORLD, "at_us": T0, "node": "test"}
    parties = {"source": "31600000001", "destination": "31205550123"}
    if direction is IN:
        called = CalledNumber(ids.uuid7(T0), "31205550123", None, T0, T0)
        return CallRecord.incoming(**named, **parties, called=called, sip_call_id="a")
    return CallRecord.requested(**named, **parties, number_id=None, webhook_url=None, webhook_token=None)


def happen(record: CallRecord, data: st.DataObject, at_us: int) -> object:
    """One of all the things the tables let happen."""
    if record.call.status is CallStatus.QUEUED and data.draw(st.booleans(), "dialled"):
        return record.start(at_us)
    if record.live and data.draw(st.integers(0, 4), "transferred") == 0:
        return record.add_transfer(ids.uuid7(at_us), "31600000001", "31205550199", at_us)
    leg = data.draw(st.sampled_from([leg for leg in record.legs if leg.live]))
    # The dialler has taken a call before anybody can answer, or be busy.
    queued = record.call.status is CallStatus.QUEUED
    ends = {LegStatus.FAILED, LegStatus.HANGUP} if queued else set(LegStatus)
    reasons = [reason for reason in Reason if end_of(leg.direction, leg.status, reason) in ends]
    moves = [] if queued else [to for to, before in FORWARD.items() if leg.status in before]
    match data.draw(st.sampled_from([*moves, *reasons])):
        case Reason() as reason:
            return record.end_leg(leg.id, reason, at_us)
        case LegStatus.RINGING:
            return record.rings(leg.id, at_us)
        case _:
            return record.answered(leg.id, at_us)


@given(st.sampled_from(Direction), st.data())
def test_what_a_call_may_be_is_never_refused(direction: Direction, data: st.DataObject) -> None:
    record, at_us = begun(direction), T0
    seen: list[Call] = []
    while record.live and len(seen) < 8:
        at_us += data.draw(st.sampled_from([0, 1, 999_999, 1_000_001, 9_000_000]), "later")
        happen(record, data, at_us)
        record.take()
        seen.append(record.call)
    others = data.draw(st.builds(CallFilter, statuses=st.frozensets(st.sampled_from(CallStatus)),
                                 direction=st.none() | st.sampled_from(Direction),
                                 reasons=st.frozensets(st.sampled_from(Reason), max_size=5),
                                 duration=st.sampled_from([None, (0, 3), (1, 9)]),
                                 created=st.sampled_from([None, (T0, T0 + 1), (T0 + 1, T0 + 9)]),
                                 ended=st.sampled_from([None, (T0, T0 + 3_000_000), (T0 + 9, T0 + 9_000_001)])))  # fmt: skip
    for call in seen:
        assert contradiction(tightest(call)) is None
        assert not others.matches(call) or contradiction(others) is None


def test_what_none_can_be_is_known() -> None:
    def between(**wanted: object) -> tuple[str, ...] | None:
        found = contradiction(CallFilter(**wanted))  # type: ignore[arg-type]
        return None if found is None else found.between

    # Where a leg was answered while the first was not yet, the call has ended for any reason, and has lasted.
    ended, busy = frozenset({CallStatus.ENDED}), frozenset({CallStatus.BUSY})
    assert between(statuses=ended, reasons=frozenset({Reason.CALLER_CANCELLED}), duration=(9, 9)) is None
    assert between(statuses=busy | ended, duration=(1, 9)) is None
    assert between(statuses=busy, duration=(0, 0), ended=(T0, T0 + 1)) is None
    assert between(statuses=busy, reasons=frozenset({Reason.BUSY, Reason.LIMIT}), direction=IN) is None
    assert between(created=(T0, T0 + 1), ended=(T0, T0 + 1_000_001), duration=(1, 9)) is None
    assert between(created=(T0, T0 + 1), ended=(T0, T0 + 1_000_001), duration=(2, 9)) == ("duration", "created", "ended")
    assert between(statuses=busy, reasons=frozenset({Reason.LIMIT})) == ("reasons", "statuses")
    assert between(direction=OUT, reasons=frozenset({Reason.CALLER_CANCELLED, Reason.NO_ACK})) == ("reasons", "direction")
