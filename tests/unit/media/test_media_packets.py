"""Packets as they could have been captured, one a file in `packets`, each named by what is the matter with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from callwright.media import rtcp, rtp
from callwright.media.rtcp import Goodbye, ReceiverReport, ReportBlock, SenderReport
from callwright.media.rtp import MalformedPacket, RtpPacket
from callwright.media.telephone_event import EventPayload

PACKETS = Path(__file__).with_name("packets")
SOURCE = 0xCAFE_0001
SOUND = bytes((0xFF, 0x7F, 0xFE, 0x7E)) * 40
SHORT = SOUND[:8]
BLOCK = ReportBlock(0x0BAD_F00D, 64, 5, 0x1_1234, 33, 0x8000, 0x1_0000)
REPORT = SenderReport(SOURCE, 0xE000_0000_8000_0000, 160_000, 1000, 160_000)


def sound(payload: bytes, payload_type: int = 0, *, marker: bool = False) -> RtpPacket:
    return RtpPacket(payload_type, 0x1234, 0x1_0000, SOURCE, payload, marker)


# What is read, or the sentence of the refusal.
RTP: dict[str, RtpPacket | str] = {
    "dtls_hello": "RTP version 0",
    "empty": "0 bytes are too few for an RTP header",
    "rtp_cut_off_in_the_header": "11 bytes are too few for an RTP header",
    "rtp_everything_at_once": sound(bytes.fromhex("8507d000"), 101, marker=True),
    "rtp_of_comfort_noise": sound(b"\x4f", 13),
    "rtp_of_nothing": sound(b""),
    "rtp_of_padding_alone": sound(b""),
    "rtp_of_version_1": "RTP version 1",
    "rtp_of_version_3": "RTP version 3",
    "rtp_padding_announced_on_nothing": "1 bytes of padding in 0 of payload",
    "rtp_plain_20_ms": sound(SOUND),
    "rtp_sequence_and_timestamp_at_their_ends": RtpPacket(0, 0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF, SHORT),
    "rtp_with_contributing_sources_cut_off": "the RTP header is longer than the datagram",
    "rtp_with_empty_extension": sound(SHORT),
    "rtp_with_extension_header_cut_off": "the RTP header extension is cut off",
    "rtp_with_extension_longer_than_packet": "the RTP header is longer than the datagram",
    "rtp_with_marker": sound(SOUND, marker=True),
    "rtp_with_one_byte_extension": sound(SHORT),
    "rtp_with_padding_longer_than_payload": "9 bytes of padding in 8 of payload",
    "rtp_with_padding_of_four": sound(SHORT),
    "rtp_with_padding_of_zero": "0 bytes of padding in 8 of payload",
    "rtp_with_two_contributing_sources": sound(SHORT),
    "sip_keep_alive": "4 bytes are too few for an RTP header",
    "stun_binding_request": "RTP version 0",
}

RTCP: dict[str, list[rtcp.RtcpPacket] | str] = {
    "rtcp_bye_alone": [Goodbye((SOURCE,))],
    "rtcp_bye_of_nobody": [Goodbye(())],
    "rtcp_bye_of_two_with_one": "the BYE is cut off",
    "rtcp_bye_with_a_reason": [Goodbye((SOURCE,))],
    "rtcp_header_cut_off_behind_a_report": "the RTCP header is cut off",
    "rtcp_length_beyond_the_datagram": "RTCP version 2, type 201, 200 words, 8 bytes left",
    "rtcp_of_application_feedback_and_extended_reports": [],
    "rtcp_padding_announced_on_nothing": "RTCP padding longer than the packet",
    "rtcp_receiver_report_of_nobody": "the receiver report is cut off",
    "rtcp_receiver_report_with_fewer_blocks_than_said": "3 report blocks announced, 24 bytes left",
    "rtcp_receiver_report_with_more_blocks_than_said": [ReceiverReport(SOURCE, (BLOCK,))],
    "rtcp_receiver_report_with_negative_loss": [ReceiverReport(SOURCE, (ReportBlock(0x0BAD_F00D, 0, -2, 0x1_1234, 0),))],
    "rtcp_sdes_that_makes_no_sense": [],
    "rtcp_second_packet_of_a_type_of_rtp": "RTCP version 2, type 96, 1 words, 8 bytes left",
    "rtcp_second_packet_of_version_0": "RTCP version 0, type 203, 1 words, 8 bytes left",
    "rtcp_sender_report_cut_off": "the sender report is cut off",
    "rtcp_sender_report_with_a_block": [SenderReport(SOURCE, REPORT.ntp, 160_000, 1000, 160_000, (BLOCK,))],
    "rtcp_sender_report_with_profile_extension": [REPORT],
    "rtcp_with_padding_longer_than_packet": "RTCP padding longer than the packet",
    "rtcp_with_padding_of_four": [Goodbye((SOURCE,))],
}

EVENTS: dict[str, EventPayload | str] = {
    "event_5_begins": EventPayload(5, False, 160),
    "event_5_ends": EventPayload(5, True, 800),
    "event_beyond_the_keys": EventPayload(16, True, 800),
    "event_cut_off": "a telephone-event of 3 bytes",
    "event_of_255": EventPayload(255, True, 800),
    "event_of_no_length": EventPayload(5, True, 0),
    "event_of_nothing": "a telephone-event of 0 bytes",
    "event_of_the_longest": EventPayload(5, True, 0xFFFF, 63),
    "event_with_reserved_bit": EventPayload(5, True, 800),
    "two_events_in_one_packet": EventPayload(5, True, 800),
}


def test_every_file_has_its_outcome() -> None:
    assert sorted([*RTP, *RTCP, *EVENTS]) == sorted(path.stem for path in PACKETS.glob("*.bin"))


@pytest.mark.parametrize(
    ("name", "parse", "outcome"),
    [
        *((name, rtp.parse, outcome) for name, outcome in RTP.items()),
        *((name, rtcp.parse, outcome) for name, outcome in RTCP.items()),
        *((name, EventPayload.parse, outcome) for name, outcome in EVENTS.items()),
    ],
)
def test_a_packet(name: str, parse: Callable[[bytes], object], outcome: object) -> None:
    data = (PACKETS / f"{name}.bin").read_bytes()
    if isinstance(outcome, str):
        with pytest.raises(MalformedPacket) as error:
            parse(data)
        assert str(error.value) == outcome
    else:
        assert parse(data) == outcome
