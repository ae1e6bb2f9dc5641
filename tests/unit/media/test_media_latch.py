from __future__ import annotations

import pytest

from callwright.media.latch import MOVED_AFTER, Address, Latch
from support.sound import FRAME

SIGNALLED = ("192.0.2.1", 4000)
BEHIND_NAT = ("198.51.100.7", 61234)
STRANGER = ("203.0.113.9", 5000)


def after(*sources: Address) -> tuple[Latch, list[bool]]:
    latch = Latch()
    assert latch.signal(SIGNALLED)
    return latch, [latch.admit(source, FRAME) for source in sources]


@pytest.mark.parametrize(
    ("sources", "admitted", "target"),
    [
        # nothing came yet
        ([], [], SIGNALLED),
        # two packets are not enough to send elsewhere
        ([BEHIND_NAT] * 2, [True] * 2, SIGNALLED),
        # three lock
        ([BEHIND_NAT] * 3, [True] * 3, BEHIND_NAT),
        # the same host, another port
        ([("192.0.2.1", 4002)] * 3, [True] * 3, ("192.0.2.1", 4002)),
        # strangers after the lock
        ([BEHIND_NAT] * 3 + [STRANGER] * 9 + [BEHIND_NAT], [True] * 3 + [False] * 9 + [True], BEHIND_NAT),
        # two in turn lock nothing
        ([BEHIND_NAT, STRANGER] * 4, [True] * 8, SIGNALLED),
        # the signalled host goes before a stranger that was first
        (
            [STRANGER, STRANGER, SIGNALLED, STRANGER, STRANGER, SIGNALLED, SIGNALLED],
            [True] * 3 + [False] * 2 + [True] * 2,
            SIGNALLED,
        ),
        # and before another port of its own
        ([("192.0.2.1", 4002), SIGNALLED] * 3, [True] + [True, False] * 2 + [True], SIGNALLED),
    ],
)
def test_sources_are_learnt_and_locked(sources, admitted, target) -> None:
    latch, seen = after(*sources)
    assert seen == admitted
    assert latch.target == target


def test_the_same_address_signalled_again_keeps_the_lock_and_another_opens_it() -> None:
    latch, _ = after(*[BEHIND_NAT] * 3)
    latch.signal(SIGNALLED)
    assert latch.locked == BEHIND_NAT
    latch.signal(("192.0.2.1", 4004))
    assert (latch.locked, latch.target) == (None, ("192.0.2.1", 4004))
    assert [latch.admit(STRANGER, FRAME) for _ in range(3)] == [True] * 3


@pytest.mark.parametrize(
    ("locked", "source", "quiet", "moves"),
    [
        # a stranger was there before the far end: three packets from nearer to what was signalled
        (STRANGER, SIGNALLED, FRAME, True),
        (STRANGER, ("192.0.2.1", 4002), FRAME, True),
        (("192.0.2.1", 4002), SIGNALLED, FRAME, True),
        # a router gave the far end another port, once nothing comes through the old one
        (BEHIND_NAT, (BEHIND_NAT[0], 50000), MOVED_AFTER, True),
        (BEHIND_NAT, (BEHIND_NAT[0], 50000), MOVED_AFTER - 1, False),
        (SIGNALLED, ("192.0.2.1", 4002), MOVED_AFTER, True),
        # a stranger never, however long it is quiet
        (BEHIND_NAT, STRANGER, 100 * MOVED_AFTER, False),
        (SIGNALLED, STRANGER, 100 * MOVED_AFTER, False),
    ],
)
def test_a_lock_opens_for_the_far_end_alone(locked: Address, source: Address, quiet: int, moves: bool) -> None:
    latch, _ = after(*[locked] * 3)
    assert [latch.admit(source, quiet) for _ in range(3)] == [False, False, moves]
    assert latch.target == (source if moves else locked)
    assert latch.admit(latch.target, quiet)


@pytest.mark.parametrize(
    ("address", "valid"),
    [
        # hold in the old way, and a refused stream
        (("0.0.0.0", 4000), True),
        (("192.0.2.1", 0), True),
        # names are never looked up
        (("example.com", 4000), False),
        (("::1", 4000), False),
        (("224.0.0.1", 4000), False),
        (("255.255.255.255", 4000), False),
        (("192.0.2.1", 70000), False),
        (("", 4000), False),
    ],
)
def test_nothing_is_sent_where_nothing_can_be(address: Address, valid: bool) -> None:
    latch = Latch()
    assert latch.signal(address) is valid
    assert latch.target is None


def test_control_packets_are_of_the_signalled_or_the_locked_host() -> None:
    latch, _ = after(*[BEHIND_NAT] * 3)
    assert [latch.knows(host) for host, _ in (SIGNALLED, BEHIND_NAT, STRANGER)] == [True, True, False]
