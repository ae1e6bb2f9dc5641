from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callwright.media import rtcp
from callwright.media.rtcp import Goodbye, ReceiverReport, ReportBlock, SenderReport, SourceName
from callwright.media.rtp import MalformedPacket

word = st.integers(0, 0xFFFF_FFFF)
blocks = st.lists(
    st.builds(
        ReportBlock,
        ssrc=word,
        fraction=st.integers(0, 255),
        lost=st.integers(-0x80_0000, 0x7F_FFFF),
        highest=word,
        jitter=word,
        last_sr=word,
        delay=word,
    ),
    max_size=31,
).map(tuple)
reports = st.builds(
    SenderReport, ssrc=word, ntp=st.integers(0, 2**64 - 1), timestamp=word, packets=word, octets=word, blocks=blocks
) | st.builds(ReceiverReport, ssrc=word, blocks=blocks)
byes = st.builds(Goodbye, sources=st.lists(word, max_size=31).map(tuple))


@given(st.lists(reports | byes, min_size=1, max_size=4))
def test_what_is_written_is_read(compound) -> None:
    assert rtcp.parse(rtcp.serialize(*compound)) == compound


@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda rest: b"\x81\xc8\x00\x0c" + rest))
def test_any_bytes_give_packets_or_the_one_error(data: bytes) -> None:
    with contextlib.suppress(MalformedPacket):
        rtcp.parse(data)


@pytest.mark.parametrize("cname", ["", "a", "ab", "abc", "abcd", "x" * 255])
def test_a_name_is_padded_to_words_and_ends_in_a_null(cname: str) -> None:
    data = rtcp.serialize(SourceName(7, cname))
    assert len(data) == 4 + 4 * int.from_bytes(data[2:4], "big")
    assert data[:2] == b"\x81\xca"
    assert data[4:].startswith(bytes.fromhex("00000007 01") + bytes([len(cname)]) + cname.encode() + b"\0")


def test_kinds_that_are_not_kept_are_stepped_over() -> None:
    application = bytes.fromhex("80cc0002 00000001 74657374")
    feedback = bytes.fromhex("81cd0002 00000001 00000002")
    extended = bytes.fromhex("80cf0001 00000001")
    bye = Goodbye((1,))
    assert rtcp.parse(application + feedback + extended + rtcp.serialize(SourceName(1, "a"), bye)) == [bye]


def test_a_bye_with_a_reason_and_padding_is_read() -> None:
    assert rtcp.parse(bytes.fromhex("a1cb0003 00000009 03627965 00000004")) == [Goodbye((9,))]


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("80c9"),  # header cut off
        bytes.fromhex("80c90002 00000001"),  # length beyond the datagram
        bytes.fromhex("40c90001 00000001"),  # version 1
        bytes.fromhex("80000001 00000001"),  # not a type of RTCP
        bytes.fromhex("81c90001 00000001"),  # a block announced, none there
        bytes.fromhex("80c80001 00000001"),  # a sender report without its fixed part
        bytes.fromhex("80c90000"),  # a receiver report without its sender
        bytes.fromhex("82cb0001 00000001"),  # a BYE of two sources with one
        bytes.fromhex("a0c90001 000000ff"),  # more padding than packet
    ],
)
def test_packets_that_do_not_add_up_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedPacket):
        rtcp.parse(data)


def test_ntp_time_counts_from_1900() -> None:
    assert rtcp.ntp_time(0) == 2_208_988_800 << 32
    assert rtcp.ntp_time(1_500_000) == 2_208_988_801 << 32 | 1 << 31
