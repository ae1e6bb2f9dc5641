"""Ports that tests take, and waits that they make, where others are at work beside them."""

from __future__ import annotations

import os
import socket

import pytest

from support.ports import NOBODYS, free_port, ports_of
from support.server import until
from support.sip_peer import sdp


def test_a_port_that_was_given_out_is_not_given_out_again_soon() -> None:
    given = [free_port() for _ in range(20)]
    assert len({*given, NOBODYS}) == 21
    assert f"m=audio {NOBODYS} " in sdp()


def test_the_ports_of_a_process_are_its_own() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        port = end.getsockname()[1]
        assert port in ports_of(os.getpid())
        assert port not in ports_of(os.getppid())


def test_who_waits_looks_once_more_when_the_time_is_over() -> None:
    looks = iter([0, 1, 2])
    assert until(lambda: next(looks), lambda seen: seen == 0, within=-1) == 0
    with pytest.raises(AssertionError, match="seen last: 1"):
        until(lambda: next(looks), lambda seen: seen == 5, within=-1, what="five")
