"""Reading and writing session descriptions."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callwright.sip import offer
from callwright.sip.sdp import Codec, Media, SdpError, Session, parse, serialize

PCMU, PCMA = Codec(0, "PCMU", 8000), Codec(8, "PCMA", 8000)
EVENTS = Codec(101, "telephone-event", 8000, "0-16")


def sdp(*lines: str) -> str:
    return "\r\n".join([*lines, ""])


PBX = sdp(  # as Asterisk writes it
    "v=0",
    "o=- 1711398201 1711398201 IN IP4 203.0.113.5",
    "s=Asterisk",
    "c=IN IP4 203.0.113.5",
    "t=0 0",
    "m=audio 17334 RTP/AVP 8 0 101",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-16",
    "a=ptime:20",
    "a=maxptime:150",
    "a=sendrecv",
)
GATEWAY = sdp(  # as a Cisco gateway does: c= on both levels, static types without a map, its own event number
    "v=0",
    "o=CiscoSystemsSIP-GW-UserAgent 2713 7104 IN IP4 203.0.113.6",
    "s=SIP Call",
    "c=IN IP4 203.0.113.6",
    "t=0 0",
    "m=audio 16392 RTP/AVP 18 0 127 19",
    "c=IN IP4 203.0.113.66",
    "a=rtpmap:18 G729/8000",
    "a=fmtp:18 annexb=no",
    "a=rtpmap:127 telephone-event/8000",
    "a=fmtp:127 0-16",
    "a=rtpmap:19 CN/8000",
    "a=ptime:20",
)
SOFTPHONE = sdp(  # as Linphone does: wideband first, two event clocks, feedback, video
    "v=0",
    "o=anna 3904 2301 IN IP4 192.0.2.44",
    "s=Talk",
    "c=IN IP4 192.0.2.44",
    "b=AS:380",
    "t=0 0",
    "a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics",
    "m=audio 7078 RTP/AVPF 96 97 0 8 98 101",
    "a=rtpmap:96 opus/48000/2",
    "a=fmtp:96 useinbandfec=1",
    "a=rtpmap:97 speex/16000",
    "a=rtpmap:98 telephone-event/48000",
    "a=rtpmap:101 telephone-event/8000",
    "a=rtcp-fb:* trr-int 5000",
    "m=video 9078 RTP/AVPF 96",
    "a=rtpmap:96 VP8/90000",
)


@pytest.mark.parametrize(
    ("text", "session"),
    [
        (
            PBX,
            Session(
                "-",
                "1711398201",
                "1711398201",
                "203.0.113.5",
                "203.0.113.5",
                (
                    Media(
                        "audio",
                        17334,
                        "RTP/AVP",
                        ("8", "0", "101"),
                        "203.0.113.5",
                        "sendrecv",
                        (PCMA, PCMU, EVENTS),
                        20,
                        150,
                    ),
                ),
            ),
        ),
        (
            GATEWAY,
            Session(
                "CiscoSystemsSIP-GW-UserAgent",
                "2713",
                "7104",
                "203.0.113.6",
                "203.0.113.6",
                (
                    Media(
                        "audio",
                        16392,
                        "RTP/AVP",
                        ("18", "0", "127", "19"),
                        "203.0.113.66",
                        "sendrecv",
                        (
                            Codec(18, "G729", 8000, "annexb=no"),
                            PCMU,
                            Codec(127, "telephone-event", 8000, "0-16"),
                            Codec(19, "CN", 8000),
                        ),
                        20,
                    ),
                ),
            ),
        ),
        (
            SOFTPHONE,
            Session(
                "anna",
                "3904",
                "2301",
                "192.0.2.44",
                "192.0.2.44",
                (
                    Media(
                        "audio",
                        7078,
                        "RTP/AVPF",
                        ("96", "97", "0", "8", "98", "101"),
                        "192.0.2.44",
                        "sendrecv",
                        (
                            Codec(97, "speex", 16000),
                            PCMU,
                            PCMA,
                            Codec(98, "telephone-event", 48000),
                            Codec(101, "telephone-event", 8000),
                        ),
                    ),
                    Media("video", 9078, "RTP/AVPF", ("96",), "192.0.2.44"),
                ),
            ),
        ),
    ],
    ids=["pbx", "gateway", "softphone"],
)
def test_what_others_write(text: str, session: Session) -> None:
    assert parse(text) == session


@pytest.mark.parametrize(
    "text",
    [
        PBX.replace("\r\n", "\n"),
        PBX.replace("\r\n", "\r"),
        PBX + "\r\n\r\n",
        PBX.replace("s=Asterisk\r\n", "").replace("t=0 0\r\n", ""),
        PBX.replace("s=Asterisk", "s=Zentrale Süd"),
        PBX.replace("t=0 0", "t=0 0\r\nz=0 0\r\nk=clear:x"),
        PBX.replace("a=ptime:20", "a=ptime:20.0 "),
        PBX.replace("a=rtpmap:8 PCMA/8000", "a=rtpmap:8 PCMA/8000/1"),
        PBX.replace("m=audio 17334 ", "m=audio 17334/1 "),
        PBX.replace("c=IN IP4 203.0.113.5", "c=IN IP4 203.0.113.5/127"),
        PBX.replace("a=sendrecv\r\n", ""),
        PBX.replace("t=0 0", "t=0 0\r\na=sendrecv"),
    ],
    ids=[
        "bare line feeds",
        "bare carriage returns",
        "blank lines at the end",
        "no s= and t=",
        "a name that is not ASCII",
        "lines nobody uses",
        "ptime with a fraction",
        "one channel",
        "a count of ports",
        "a time to live",
        "no direction",
        "direction for the session",
    ],
)
def test_what_does_no_harm_is_read(text: str) -> None:
    assert parse(text) == parse(PBX)


def test_a_user_with_blanks_in_the_origin() -> None:
    session = parse(PBX.replace("o=- ", "o=Anna von Bergen "))
    assert (session.user, session.id) == ("Anna von Bergen", "1711398201")


def test_a_media_direction_is_stronger_than_the_session_s() -> None:
    [media] = parse(PBX.replace("t=0 0", "t=0 0\r\na=inactive")).media
    assert media.direction == "sendrecv"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "'': a description begins with v=0 (RFC 8866 §5.1)"),
        ("v=1\r\n", "'v=1': a description begins with v=0 (RFC 8866 §5.1)"),
        ("v=0\r\ns=-\r\n", "no o= line (RFC 8866 §5.2)"),
        (PBX.replace("t=0 0", "t 0 0"), "'t 0 0': a line is a letter, = and a value (RFC 8866 §5)"),
        (PBX.replace("t=0 0", " t=0 0"), "' t=0 0': a line is a letter, = and a value (RFC 8866 §5)"),
        (
            PBX.replace("o=- 1711398201 1711398201", "o=1711398201"),
            "'o=1711398201 IN IP4 203.0.113.5': o= has six fields (RFC 8866 §5.2)",
        ),
        (
            PBX.replace("m=audio 17334 RTP/AVP 8 0 101", "m=audio 17334 RTP/AVP"),
            "'m=audio 17334 RTP/AVP': m= has a kind, a port, a protocol and formats (RFC 8866 §5.14)",
        ),
        (PBX.replace("m=audio 17334 ", "m=audio 70000 "), "'m=audio 70000 RTP/AVP 8 0 101': a port is a number up to 65535"),
        (PBX.replace("m=audio 17334 ", "m=audio -1 "), "'m=audio -1 RTP/AVP 8 0 101': a port is a number up to 65535"),
        (
            PBX.replace("m=audio 17334 ", "m=audio ١٢٣٤ "),
            r"'m=audio \u0661\u0662\u0663\u0664 RTP/AVP 8 0 101': m= is made of ASCII tokens (RFC 8866 §9)",
        ),
        (
            PBX.replace("c=IN IP4 203.0.113.5", "c=IN IP4 pbx.example.com"),
            "'c=IN IP4 pbx.example.com': not an IP4 address; names are not looked up",
        ),
        (
            PBX.replace("c=IN IP4 203.0.113.5", "c=IN IP4 203.0.113.999"),
            "'c=IN IP4 203.0.113.999': not an IP4 address; names are not looked up",
        ),
        (
            PBX.replace("c=IN IP4 203.0.113.5", "c=IN ATM x"),
            "'c=IN ATM x': c= is IN, IP4 or IP6, and an address (RFC 8866 §5.7)",
        ),
        (
            PBX.replace("a=rtpmap:8 PCMA/8000", "a=rtpmap:8"),
            "'a=rtpmap:8': a=rtpmap has a payload type and an encoding (RFC 8866 §6.6)",
        ),
        (PBX.replace("a=rtpmap:8 PCMA/8000", "a=rtpmap:8 PCMA"), "'a=rtpmap:8 PCMA': a clock rate is a number up to 10000000"),
        (PBX.replace("a=rtpmap:8 PCMA", "a=rtpmap:200 PCMA"), "'a=rtpmap:200 PCMA/8000': a payload type is a number up to 127"),
        (PBX.replace("a=fmtp:101", "a=fmtp:x"), "'a=fmtp:x 0-16': a payload type is a number up to 127"),
        (
            PBX.replace("a=ptime:20", "a=ptime:soon"),
            "'a=ptime:soon': a packet time is a number of milliseconds (RFC 8866 §6.4)",
        ),
        (PBX + "m=video 1 RTP/AVP 96\r\n" * 16, "'m=video 1 RTP/AVP 96': more than 16 m= lines"),
    ],
)
def test_a_broken_line_is_named_with_the_rule_it_breaks(text: str, error: str) -> None:
    with pytest.raises(SdpError) as caught:
        parse(text)
    assert str(caught.value) == error


LINES = [line for text in (PBX, GATEWAY, SOFTPHONE) for line in text.split("\r\n")]


@settings(max_examples=400)
@given(
    st.one_of(
        st.text(max_size=300),
        st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=40)), max_size=25).map("\r\n".join),
        st.lists(st.one_of(st.sampled_from(LINES), st.text("acmov=:/ 0123456789IPNRT4.", max_size=30)), max_size=20).map(
            lambda lines: "\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1", *lines])
        ),
    )
)
def test_nothing_but_an_sdp_error_comes_of_any_text(text: str) -> None:
    here = offer.Local("198.51.100.1", 20000, 1)
    try:
        session = parse(text)
    except SdpError:
        return
    with suppress(SdpError):
        offer.read_answer(offer.make_offer(here), session)
    try:
        answered, _ = offer.answer(session, here)
    except SdpError:
        return
    written = serialize(answered)
    assert written.isascii()
    again = parse(written)
    assert [(m.kind, m.port) for m in again.media] == [(m.kind, m.port) for m in answered.media]
    assert len(again.media) == len(session.media)


addresses = st.ip_addresses(v=4).map(str)
tokens = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=8)
codecs = st.builds(
    Codec,
    st.integers(96, 127),
    tokens,
    st.sampled_from([8000, 16000, 48000]),
    st.sampled_from(["", "0-16", "mode=20; annexb=no"]),
)


@st.composite
def audio(draw: st.DrawFn, address: str) -> Media:
    chosen = draw(st.lists(codecs, max_size=4, unique_by=lambda codec: codec.payload_type))
    chosen = [*draw(st.lists(st.sampled_from([PCMU, PCMA]), unique=True)), *chosen] or [PCMU]
    return Media(
        "audio",
        draw(st.integers(1, 65535)),
        draw(st.sampled_from(["RTP/AVP", "RTP/AVPF", "RTP/SAVP"])),
        tuple(str(codec.payload_type) for codec in chosen),
        draw(st.one_of(st.just(address), addresses)),
        draw(st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"])),
        tuple(chosen),
        draw(st.one_of(st.none(), st.integers(1, 200))),
        draw(st.one_of(st.none(), st.integers(1, 200))),
    )


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    address = draw(addresses)
    number = st.integers(0, 2**62).map(str)
    media = draw(st.lists(audio(address), max_size=3))
    return Session(draw(tokens), draw(number), draw(number), draw(addresses), address, tuple(media))


@settings(max_examples=100)
@given(sessions())
def test_what_is_written_is_read_back(session: Session) -> None:
    text = serialize(session)
    assert parse(text) == session
    assert text.isascii()
    assert text.endswith("\r\n")
