"""Who may call and whether there is room, without a socket."""

from __future__ import annotations

import asyncio

import pytest

from callwright import ipc
from callwright.clock import VirtualClock, VirtualLoop
from callwright.errors import SettingsError
from callwright.reasons import Refusal
from callwright.sip.gate import Admission, Lateness, SourceRules, TurnedBack
from callwright.sip.settings import SignallingSettings, TrunkSource

RULES = SourceRules(
    [
        TrunkSource("wide", ("192.0.2.0/24", "127.0.0.0/8")),
        TrunkSource("narrow", ("192.0.2.16/28",)),
        TrunkSource("one", ("192.0.2.17", "198.51.100.7/32")),
    ]
)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("192.0.2.1", (True, "wide")),
        ("192.0.2.16", (True, "narrow")),
        ("192.0.2.17", (True, "one")),
        ("198.51.100.7", (True, "one")),
        ("198.51.100.8", (False, None)),
        ("127.0.0.1", (True, "wide")),
    ],
)
def test_source_rules(host: str, found: tuple[bool, str | None]) -> None:
    assert RULES.find(host) == found


def test_loopback_needs_no_trunk() -> None:
    assert SourceRules([]).find("127.3.2.1") == (True, None)
    assert SourceRules([]).find("10.0.0.1") == (False, None)


def test_a_network_that_is_none() -> None:
    with pytest.raises(SettingsError, match=r"trunks.carrier.from: '192.0.2' is no IPv4 network .*; write it like"):
        SourceRules([TrunkSource("carrier", ("192.0.2",))])


def test_a_machine_that_stood_still_is_no_overload() -> None:
    late = Lateness(50.0)
    late.note(3_000.0)
    assert late.smoothed == 50.0
    late.note(3_000.0)
    assert late.smoothed > 50.0


def test_lateness_is_smoothed_and_the_worst_is_kept() -> None:
    late = Lateness(50.0)
    late.note(120.0)
    assert late.smoothed == 30.0  # one hiccup
    for _ in range(8):
        late.note(120.0)
    assert late.smoothed > 100.0
    assert (late.take_worst(), late.take_worst()) == (120.0, 0.0)


class Room:
    """An admission whose surroundings a test sets."""

    def __init__(self, clock: VirtualClock, **changes: float) -> None:
        self.legs = 0
        self.backlog = 0
        settings = SignallingSettings(**changes)  # type: ignore[arg-type]
        self.admission = Admission(settings, clock, lambda: self.legs, lambda: self.backlog)

    def verdict(self) -> tuple[Refusal, str] | None:
        try:
            self.admission.check()
        except TurnedBack as refused:
            return refused.refusal, refused.detail
        return None


def test_admission_says_what_is_full() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        room = Room(VirtualClock(runner.get_loop()), max_legs=3, max_late_ms=50.0)  # type: ignore[arg-type]
    assert room.verdict() is None
    room.admission.lateness.smoothed = 50.1
    assert room.verdict() == (Refusal.OVER_LIMIT, "signalling is 50 ms late (sip.max_late_ms)")
    room.backlog = ipc.MAX_BACKLOG + 1
    assert room.verdict() == (Refusal.OVER_LIMIT, "the core does not keep up")
    room.legs = 3
    assert room.verdict() == (Refusal.OVER_LIMIT, "3 legs are up (max_legs)")
    room.admission.closed = Refusal.DRAINING
    assert room.verdict() == (Refusal.DRAINING, "the core takes no calls")
    with pytest.raises(TurnedBack) as refused:
        room.admission.check()
    assert (refused.value.response, refused.value.fields) == ((503, "Service Unavailable"), (("Retry-After", "5"),))


def test_rate_is_a_bucket_of_half_a_second() -> None:
    async def story() -> None:
        clock = VirtualClock(asyncio.get_running_loop())  # type: ignore[arg-type]
        room = Room(clock, new_legs_per_s=100.0)

        def taken(asked: int) -> int:
            count = 0
            for _ in range(asked):
                if room.verdict() is None:
                    room.admission.count()
                    count += 1
            return count

        assert taken(80) == 50
        await clock.sleep(0.1)
        assert taken(80) == 10
        await clock.sleep(60.0)
        assert taken(80) == 50
        for _ in range(500):  # legs of ours are never refused here, but they use the room of others
            room.admission.count()
        await clock.sleep(0.5)
        assert taken(80) == 0
        await clock.sleep(0.1)
        assert taken(80) == 10

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())
