from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callwright.media import rtp
from callwright.media.rtp import MalformedPacket, RtpPacket

PLAIN = bytes.fromhex("80 00 0102 00000a0b 11223344") + b"sound"

packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFF_FFFF),
    ssrc=st.integers(0, 0xFFFF_FFFF),
    payload=st.binary(max_size=480),
    marker=st.booleans(),
)


@given(packets)
def test_what_is_written_is_read(packet: RtpPacket) -> None:
    assert rtp.parse(rtp.serialize(packet)) == packet


@given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda rest: b"\xb2" + rest))
def test_any_bytes_give_a_packet_or_the_one_error(data: bytes) -> None:
    with contextlib.suppress(MalformedPacket):
        rtp.parse(data)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        # two contributing sources
        b"\x82" + PLAIN[1:12] + bytes(8) + b"sound",
        # header extension of one word
        b"\x90" + PLAIN[1:12] + bytes.fromhex("bede 0001 00000000") + b"sound",
        # three bytes of padding
        b"\xa0" + PLAIN[1:] + b"\0\0\x03",
    ],
)
def test_the_payload_is_found_behind_what_the_header_carries(data: bytes) -> None:
    assert rtp.parse(data) == RtpPacket(0, 0x0102, 0x0A0B, 0x11223344, b"sound")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PLAIN[:11], "11 bytes are too few for an RTP header"),
        (b"\x40" + PLAIN[1:], "RTP version 1"),
        # STUN begins with two zero bits
        (bytes.fromhex("0001 0000 2112a442") + bytes(12), "RTP version 0"),
        (b"\x8f" + PLAIN[1:], "the RTP header is longer than the datagram"),
        (b"\x90" + PLAIN[1:12] + b"\0\0", "the RTP header extension is cut off"),
        (b"\x90" + PLAIN[1:12] + b"\0\0\xff\xff", "the RTP header is longer than the datagram"),
        (b"\xa0" + PLAIN[1:] + b"\x00", "0 bytes of padding in 6 of payload"),
        (b"\xa0" + PLAIN[1:] + b"\x07", "7 bytes of padding in 6 of payload"),
    ],
)
def test_what_is_wrong_with_a_packet_is_said(data: bytes, message: str) -> None:
    with pytest.raises(MalformedPacket) as error:
        rtp.parse(data)
    assert str(error.value) == message
