from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from callwright.media.ports import NoPorts, PortPool
from support.ports import free_ports

SECOND = 8000


@contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", port))
        yield


@pytest.fixture
def first() -> int:
    """The begin of ten free ports."""
    return free_ports(10)


def test_pairs_are_even_and_odd_in_order_and_none_is_given_twice(first: int) -> None:
    pool = PortPool("127.0.0.1", first, first + 5, quarantine_s=5)
    pairs = [pool.take(0) for _ in range(3)]
    assert [(pair.rtp.getsockname()[1], pair.rtcp.getsockname()[1]) for pair in pairs] == [
        (first, first + 1),
        (first + 2, first + 3),
        (first + 4, first + 5),
    ]
    with pytest.raises(NoPorts, match=f"all port pairs of {first}-{first + 5} are in use, resting .* widen media.ports"):
        pool.take(0)
    for pair in pairs:
        pool.give_back(pair, 0)


def test_what_came_back_rests_and_is_given_in_the_order_it_came(first: int) -> None:
    pool = PortPool("127.0.0.1", first, first + 5, quarantine_s=5)
    a, b, c = (pool.take(0) for _ in range(3))
    pool.give_back(b, 1 * SECOND)
    pool.give_back(a, 2 * SECOND)
    with pytest.raises(NoPorts):
        pool.take(6 * SECOND - 1)
    assert pool.free(6 * SECOND) == 1
    again = [pool.take(7 * SECOND) for _ in range(2)]
    assert [pair.port for pair in again] == [first + 2, first]
    for pair in (c, *again):
        pool.give_back(pair, 0)


@pytest.mark.parametrize("offset", [0, 1])
def test_a_pair_of_which_one_port_is_taken_is_skipped_and_tried_later(first: int, offset: int) -> None:
    pool = PortPool("127.0.0.1", first, first + 3, quarantine_s=5)
    with taken(first + offset):
        pair = pool.take(0)
    assert pair.port == first + 2
    later = pool.take(5 * SECOND)
    assert later.port == first
    for one in (pair, later):
        pool.give_back(one, 0)


def test_the_first_round_begins_anywhere(first: int) -> None:
    pool = PortPool("127.0.0.1", first, first + 5, quarantine_s=5, start=4)
    pairs = [pool.take(0) for _ in range(3)]
    assert [pair.port for pair in pairs] == [first + 2, first + 4, first]
    for pair in pairs:
        pool.give_back(pair, 0)


def test_an_odd_begin_and_a_lone_even_end_are_left_out(first: int) -> None:
    pool = PortPool("127.0.0.1", first + 1, first + 4, quarantine_s=5)
    assert pool.free(0) == 1
    with pytest.raises(NoPorts, match="hold no even and odd pair"):
        PortPool("127.0.0.1", first + 1, first + 2, quarantine_s=5)


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(NoPorts, match=r"cannot bind 192\.0\.2\.1:40000: .*; look at media.bind"):
        PortPool("192.0.2.1", 40000, 40001, quarantine_s=5).take(0)


def test_running_out_of_descriptors_is_said_and_keeps_the_port(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    pool = PortPool("127.0.0.1", first, first + 1, quarantine_s=5)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", none_left)
        with pytest.raises(NoPorts, match="LimitNOFILE"):
            pool.take(0)
    pool.give_back(pool.take(0), 0)


def test_what_nobody_reads_is_bounded_to_less_than_a_second(first: int) -> None:
    pool = PortPool("127.0.0.1", first, first + 1, 5.0)
    pair = pool.take(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(200):
            sender.sendto(bytes([number]) * 172, ("127.0.0.1", pair.port))
    waiting = []
    with suppress(BlockingIOError):
        while True:
            waiting.append(pair.rtp.recv(2048)[0])
    pool.give_back(pair, 0)
    # A burst of 400 ms is taken whole.
    assert waiting == list(range(len(waiting)))
    assert 20 <= len(waiting) <= 50
