"""The answer to a request that no parser takes: written from whatever fields it has, to where its Via says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callwright.sip.wellformed import refusal_of

VIA = b"Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1"
REQUEST = [
    b"INVITE sip:2000@192.0.2.9 SIP/2.0",
    VIA,
    b"Via: SIP/2.0/UDP [2001:db8::1];branch=z9hG4bK0",
    b"From: <sip:1000@192.0.2.1>;tag=near",
    b"To: <sip:2000@192.0.2.9>",
    b"Call-ID: c",
    b"CSeq: one INVITE",
    b"Contact: <sip:1000@192.0.2.1>",
    b"",
    b"v=0",
]


def changed(old: bytes = b"", new: bytes = b"") -> bytes:
    return b"\r\n".join(REQUEST).replace(old, new) if old else b"\r\n".join(REQUEST)


def test_what_is_there_is_echoed() -> None:
    answer, port = refusal_of(changed(), 9) or (b"", 0)
    tag = re.search(rb";tag=[0-9a-f]{8}\r", answer)
    assert tag is not None
    assert (port, answer.replace(tag[0], b"\r").split(b"\r\n")) == (
        5070,
        [b"SIP/2.0 400 Bad Request", VIA, *REQUEST[2:7], b"Content-Length: 0", b"", b""],
    )
    assert refusal_of(changed(), 9) == (answer, 5070)  # a repeat gets the very same


@pytest.mark.parametrize(
    ("old", "new", "start", "port"),
    [
        (b"Call-ID: c\r\n", b"", b"SIP/2.0 400 Missing Call-ID", 5070),
        (b"From", b"f", b"SIP/2.0 400 Bad Request", 5070),
        (b"From: <sip:1000@192.0.2.1>;tag=near\r\n", b"", b"SIP/2.0 400 Missing From", 5070),
        (b"CSeq: one INVITE\r\n", b"", b"SIP/2.0 400 Missing CSeq", 5070),
        (b"192.0.2.1:5070;branch", b"192.0.2.1;branch", b"SIP/2.0 400 Bad Request", 5060),
        (b"192.0.2.1:5070;branch", b"host.example;rport;branch", b"SIP/2.0 400 Bad Request", 9),
    ],
)
def test_what_is_missing_is_named_and_where_it_goes(old: bytes, new: bytes, start: bytes, port: int) -> None:
    answer, to = refusal_of(changed(old, new), 9) or (b"", 0)
    assert (answer.split(b"\r\n")[0], to) == (start, port)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"INVITE sip", b"ACK sip"),
        (b"INVITE sip:2000@192.0.2.9 SIP/2.0", b"SIP/2.0 200 OK"),
        (b"INVITE sip:2000@192.0.2.9 SIP/2.0", b"SIP/2.0 200 SIP/2.0"),
        (b" SIP/2.0\r\nVia", b"\r\nVia"),
        (VIA + b"\r\n", b"Via\r\n"),
        (b"192.0.2.1:5070", b"192.0.2.1:99999"),
        (b"192.0.2.1:5070", b"[2001:db8::1]:5070"),
        (b"SIP/2.0/UDP 192", b"garbage 192"),
    ],
)
def test_what_gets_none(old: bytes, new: bytes) -> None:
    if old.startswith(VIA):
        assert refusal_of(b"\r\n".join([REQUEST[0], b"Via", *REQUEST[3:]]), 9) is None
    else:
        assert refusal_of(changed(old, new), 9) is None


def test_of_fields_that_are_there_many_times_the_first_is_echoed() -> None:
    many = changed(b"CSeq: one INVITE\r\n", b"".join(b"t:\r\nf: x\r\ni: y\r\nCSeq: z\r\n" for _ in range(50)))
    answer, _ = refusal_of(many, 9) or (b"", 0)
    fields = [line.partition(b":")[0] for line in answer.split(b"\r\n")[1:-2]]
    assert fields == [b"Via", b"Via", b"From", b"To", b"Call-ID", b"CSeq", b"Content-Length"]
    assert b"To: <sip:2000@192.0.2.9>;tag=" in answer


def test_there_is_none_longer_than_the_request() -> None:
    lines = [b"OPTIONS sip:h SIP/2.0", b"v:SIP/2.0/UDP h", b"f:x", b"t:", b"i:y"]
    assert refusal_of(b"\r\n".join([*lines, b"", b""]), 9) is None
    assert refusal_of(b"\r\n".join([*lines, b"X: " + b"x" * 200, b"", b""]), 9) is not None


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from(REQUEST) | st.binary(max_size=20), max_size=12).map(b"\r\n".join)
    | st.tuples(st.integers(0, 200), st.binary(max_size=9)).map(lambda cut: changed()[: cut[0]] + cut[1] + changed()[cut[0] :])
)
def test_whatever_comes_the_answer_is_one_or_none(data: bytes) -> None:
    refusal = refusal_of(data, 5060)
    if refusal is not None:
        answer, port = refusal
        assert answer.startswith(b"SIP/2.0 400 ")
        assert answer.endswith(b"\r\nContent-Length: 0\r\n\r\n")
        assert answer.count(b"\r\n\r\n") == 1
        assert len(answer) <= len(data)
        assert 0 < port < 65_536
