"""Whatever arrives, a parser gives a value or its one documented error, in bounded time, and reads what is written back.

A few seconds of examples in every run; `--long` tries many times as many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callwright import ipc
from callwright.dialect import decode
from callwright.egress import urls
from callwright.errors import Problem
from callwright.flows.schema import Flow, compile_flow
from callwright.media import rtcp, rtp
from callwright.media import wire as media_wire
from callwright.media.rtp import MalformedPacket
from callwright.media.telephone_event import KEYS, EventPayload, EventReader, KeyDown, KeyUp
from callwright.numbers.numbers import normalised
from callwright.sip import offer, sdp
from callwright.sip import wire as sip_wire
from callwright.trunks.routes import SipUri, parse_sip_uri
from support import bodies
from support.fuzzing import SHORT, bounded, fuzzed, spoilt

# Session descriptions

LINES = st.sampled_from(
    [
        *("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "t=0 0", "c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0", "c=IN IP6 ::1"),
        *("c=IN IP4 224.0.0.1/127", "m=audio 4000 RTP/AVP 0 8 101", "m=audio 0 RTP/AVP 0", "m=audio 4000/2 RTP/AVP 96"),
        *("m=video 4002 RTP/AVP 31", "m=audio 4000 RTP/SAVP 0", "m=audio 65535 RTP/AVPF 8 0", "m=image 9 udptl t38"),
        *("a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000", "a=rtpmap:96 PCMA/8000/1", "a=rtpmap:8 opus/48000/2"),
        *("a=fmtp:101 0-15", "a=ptime:20", "a=ptime:0", "a=maxptime:99999.5", "a=sendonly", "a=inactive", "a=recvonly"),
        *("b=AS:64", "a=", "a=rtcp:1", "z=", "=", "m=", "m=audio", "o=", "c=IN"),
    ]
)
DESCRIPTIONS = st.lists(LINES, max_size=14).map(lambda lines: "\r\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.1", *lines, ""]))
SPOILT_DESCRIPTIONS = spoilt(DESCRIPTIONS.map(str.encode)).map(lambda data: data.decode("utf-8", "replace"))
US = offer.Local("198.51.100.1", 20_000, 7)


@fuzzed(text=SPOILT_DESCRIPTIONS | DESCRIPTIONS | st.text(max_size=300))
def test_session_descriptions(text: str) -> None:
    with bounded(sdp.SdpError):
        session = sdp.parse(text)
        assert sdp.parse(sdp.serialize(session)).media == rewritten(session)
        assert len(session.media) <= sdp.MAX_MEDIA


def rewritten(session: sdp.Session) -> tuple[sdp.Media, ...]:
    """What is left of the sections of a description when it is written: of a refused stream its first line.

    Attributes of anything but sound are not read, its direction neither.
    """
    kept = []
    for media in session.media:
        if media.kind != "audio":
            media = msgspec.structs.replace(media, direction=sdp.SENDRECV)
        if media.port == 0:
            static = tuple(codec for codec in media.codecs if codec.payload_type in sdp.LAW_NAMES and not codec.params)
            media = msgspec.structs.replace(media, direction=sdp.SENDRECV, codecs=static, ptime=None, maxptime=None)
        kept.append(media)
    return tuple(kept)


@fuzzed(text=SPOILT_DESCRIPTIONS | DESCRIPTIONS, prefer=st.sampled_from([None, sdp.PCMU, sdp.PCMA]))
def test_any_offer_is_answered_line_by_line_or_refused(text: str, prefer: int | None) -> None:
    with bounded(sdp.SdpError):
        theirs = sdp.parse(text)
        ours, agreed = offer.answer(theirs, US, prefer=prefer)
        assert [media.kind for media in ours.media] == [media.kind for media in theirs.media]
        assert sum(media.port != 0 for media in ours.media) == 1
        assert agreed.law in offer.REVERSED or agreed.law in sdp.LAW_NAMES
        assert 10 <= agreed.ptime_ms <= 60
        again = offer.make_offer(US, after=ours)
        assert sdp.parse(sdp.serialize(again)).media[0].kind == ours.media[0].kind


@fuzzed(text=SPOILT_DESCRIPTIONS | DESCRIPTIONS)
def test_any_answer_is_read_or_refused(text: str) -> None:
    with bounded(sdp.SdpError):
        agreed = offer.read_answer(offer.make_offer(US), sdp.parse(text))
        assert agreed.law in sdp.LAW_NAMES
        assert 0 < agreed.port <= 65_535


# Packets

WORDS = st.integers(0, 0xFFFF_FFFF)
RTP_PACKETS = st.builds(
    rtp.RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=WORDS,
    ssrc=WORDS,
    payload=st.binary(max_size=40),
    marker=st.booleans(),
)
BLOCKS = st.lists(
    st.builds(
        rtcp.ReportBlock,
        *(WORDS, st.integers(0, 255), st.integers(-0x80_0000, 0x7F_FFFF)),
        *(WORDS, WORDS, WORDS, WORDS),
    ),
    max_size=3,
).map(tuple)
RTCP_PACKETS = (
    st.builds(rtcp.SenderReport, WORDS, st.integers(0, (1 << 64) - 1), WORDS, WORDS, WORDS, BLOCKS)
    | st.builds(rtcp.ReceiverReport, WORDS, BLOCKS)
    | st.builds(rtcp.Goodbye, st.lists(WORDS, max_size=31).map(tuple))
)


@fuzzed(data=spoilt(RTP_PACKETS.map(rtp.serialize)) | st.binary(max_size=80))
def test_rtp(data: bytes) -> None:
    with bounded(MalformedPacket):
        packet = rtp.parse(data)
        assert len(packet.payload) <= len(data) - 12
        assert rtp.parse(rtp.serialize(packet)) == packet


@fuzzed(data=spoilt(st.lists(RTCP_PACKETS, max_size=3).map(lambda packets: rtcp.serialize(*packets))) | st.binary(max_size=200))
def test_rtcp(data: bytes) -> None:
    with bounded(MalformedPacket):
        packets = rtcp.parse(data)
        assert rtcp.parse(rtcp.serialize(*packets)) == packets


EVENT_PACKETS = st.tuples(
    st.sampled_from([0, 160, 800, 0xFFFF_FF00]) | WORDS,
    spoilt(
        st.builds(EventPayload, st.integers(0, 17), st.booleans(), st.integers(0, 0xFFFF), st.integers(0, 63)).map(
            EventPayload.serialize
        )
    ),
    st.booleans(),
    st.integers(0, 20_000),
)


@fuzzed(packets=st.lists(EVENT_PACKETS, max_size=25))
def test_telephone_events(packets: list[tuple[int, bytes, bool, int]]) -> None:
    """Keys go down and up by turns, whatever came, and none stays down."""
    reader, now, found = EventReader(), 0, list[KeyDown | KeyUp]()
    for timestamp, data, marker, later in packets:
        now += later
        with bounded(MalformedPacket):
            found += reader.packet(timestamp, EventPayload.parse(data), marker, now)
        found += reader.elapse(now)
    found += reader.elapse(now + 8_000)
    assert not reader.pressed
    assert [type(event) for event in found] == [KeyDown, KeyUp] * (len(found) // 2)
    for down, up in zip(found[::2], found[1::2], strict=True):
        assert isinstance(up, KeyUp)
        assert down.key == up.key
        assert up.key in KEYS
        assert up.duration_ms >= 0


# Requests and flows

DECODERS: dict[str, Callable[[bytes], Any]] = {
    "call": lambda body: decode.call(body, flow_limit=4_000),
    "call flow": lambda body: decode.call_flow(body, flow_limit=4_000),
    "party": decode.party,
    "flow": lambda body: decode.flow(body, limit=4_000),
    "numbers": decode.numbers,
    "webhook": decode.webhook,
    "transcription": decode.transcription,
}


@fuzzed(body=bodies.bodies | spoilt(bodies.calls.map(msgspec.json.encode)), decoder=st.sampled_from(list(DECODERS)))
def test_request_bodies(body: bytes, decoder: str) -> None:
    with bounded(Problem):
        msgspec.json.encode(DECODERS[decoder](body))


@fuzzed(body=st.dictionaries(st.sampled_from(bodies.NAMES), bodies.values, max_size=5) | bodies.flows)
def test_flows(body: dict[str, Any]) -> None:
    with bounded(Problem):
        flow = compile_flow(body)
        assert isinstance(flow, Flow)
        assert len({step.id for step in flow.steps}) == len(flow.steps) == len(body["steps"])
        assert compile_flow(msgspec.to_builtins(flow)) == flow


# Addresses

ADDRESS_PARTS = st.lists(
    st.sampled_from([*"sip:@;?=&/[]%<>\"' +-().0123456789٣²", "sip:", "tel:", "http://", "https://", "a.test", "%00", "xn--"])
    | st.text(max_size=3),
    max_size=14,
).map("".join)


@fuzzed(text=ADDRESS_PARTS | ADDRESS_PARTS.map("sip:a@{}".format))
def test_sip_uris(text: str) -> None:
    with bounded():
        uri = parse_sip_uri(text)
        if uri is not None:
            assert uri.host
            assert uri.host == uri.host.lower()
            assert uri.port is None or 0 < uri.port < 65_536
            port = "" if uri.port is None else f":{uri.port}"
            assert parse_sip_uri(f"sip:x@{uri.host}{port}") == SipUri("x", uri.host, uri.port)


@fuzzed(text=ADDRESS_PARTS | ADDRESS_PARTS.map("+31 20 {}".format))
def test_numbers(text: str) -> None:
    with bounded():
        number = normalised(text)
        if number is not None:
            assert 3 <= len(number) <= 15
            assert number.isascii()
            assert number.isdigit()
            assert normalised(f"+{number}") == number


@fuzzed(text=ADDRESS_PARTS | ADDRESS_PARTS.map("https://a.test{}".format) | ADDRESS_PARTS.map("http://{}".format))
def test_urls(text: str) -> None:
    with bounded(urls.BadUrl):
        url = urls.parse(text)
        assert urls.parse(url.text) == url
        assert url.text.isascii()
        assert url.text.isprintable()


# Links between processes

MESSAGES: dict[str, tuple[Any, st.SearchStrategy[msgspec.Struct]]] = {
    "signalling": (
        sip_wire.SignallingMessage,
        st.builds(sip_wire.LegFailed, st.uuids(), st.integers(300, 699), st.text(max_size=9), st.just("")),
    ),
    "media": (media_wire.MediaMessage, st.builds(media_wire.Opened, st.uuids(), st.integers(1, 65_535))),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_frames_of(kind: str) -> None:
    union, messages = MESSAGES[kind]

    @settings(max_examples=SHORT)
    @given(st.lists(messages, max_size=4), st.integers(1, 30))
    def property_of(sent: list[msgspec.Struct], step: int) -> None:
        data, unframer = ipc.frame(sent), ipc.Unframer(union)
        assert [m for at in range(0, len(data), step) for m in unframer.feed(data[at : at + step])] == sent

    property_of()


@fuzzed(
    data=spoilt(st.lists(MESSAGES["signalling"][1], max_size=4).map(ipc.frame)) | st.binary(max_size=80),
    step=st.integers(1, 40),
)
def test_frames(data: bytes, step: int) -> None:
    unframer = ipc.Unframer(sip_wire.SignallingMessage)
    with bounded(ipc.LinkBroken):
        for at in range(0, len(data), step):
            for message in unframer.feed(data[at : at + step]):
                assert ipc.frame([message])
