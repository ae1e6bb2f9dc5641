"""Offers and answers."""

from __future__ import annotations

import msgspec
import pytest

from callwright.sip.offer import Agreed, Local, NoCommonCodec, answer, first_law, make_offer, read_answer, revise
from callwright.sip.sdp import PCMA, PCMU, SdpError, Session, parse, serialize

HERE = Local("198.51.100.1", 20000, 77)
HEAD = ("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0")
OUR_HEAD = ("v=0", "o=callwright 77 1 IN IP4 198.51.100.1", "s=-", "c=IN IP4 198.51.100.1", "t=0 0")
EVENTS = ("a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15")


def text(*lines: str) -> str:
    return "\r\n".join([*lines, ""])


def far(*lines: str) -> Session:
    return parse(text(*HEAD, *lines))


ANSWERS = {
    "static types without maps": (
        ("m=audio 4000 RTP/AVP 0 8",),
        ("m=audio 20000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=ptime:20", "a=sendrecv"),
        Agreed("192.0.2.1", 4000, PCMU, 0, None),
    ),
    "the offerer's order counts": (
        ("m=audio 4000 RTP/AVP 18 8 0",),
        ("m=audio 20000 RTP/AVP 8", "a=rtpmap:8 PCMA/8000", "a=ptime:20", "a=sendrecv"),
        Agreed("192.0.2.1", 4000, PCMA, 8, None),
    ),
    "events keep the offerer's number": (
        ("m=audio 4000 RTP/AVP 8 97", "a=rtpmap:97 Telephone-Event/8000"),
        (
            "m=audio 20000 RTP/AVP 8 97",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:97 telephone-event/8000",
            "a=fmtp:97 0-15",
            "a=ptime:20",
            "a=sendrecv",
        ),
        Agreed("192.0.2.1", 4000, PCMA, 8, 97),
    ),
    "events at another clock are left out": (
        ("m=audio 4000 RTP/AVP 0 98", "a=rtpmap:98 telephone-event/16000"),
        ("m=audio 20000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=ptime:20", "a=sendrecv"),
        Agreed("192.0.2.1", 4000, PCMU, 0, None),
    ),
    "a law on a dynamic number": (
        ("m=audio 4000 RTP/AVP 100 101", "a=rtpmap:100 pcma/8000/1", EVENTS[0]),
        ("m=audio 20000 RTP/AVP 100 101", "a=rtpmap:100 pcma/8000", *EVENTS, "a=ptime:20", "a=sendrecv"),
        Agreed("192.0.2.1", 4000, PCMA, 100, 101),
    ),
    "sendonly": (
        ("m=audio 4000 RTP/AVP 0", "a=sendonly"),
        ("m=audio 20000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=ptime:20", "a=recvonly"),
        Agreed("192.0.2.1", 4000, PCMU, 0, None, send=False, receive=True, direction="sendonly"),
    ),
    "recvonly": (
        ("m=audio 4000 RTP/AVP 0", "a=recvonly"),
        ("m=audio 20000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=ptime:20", "a=sendonly"),
        Agreed("192.0.2.1", 4000, PCMU, 0, None, send=True, receive=False, direction="recvonly"),
    ),
    "inactive": (
        ("m=audio 4000 RTP/AVP 0", "a=inactive"),
        ("m=audio 20000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=ptime:20", "a=inactive"),
        Agreed("192.0.2.1", 4000, PCMU, 0, None, send=False, receive=False, direction="inactive"),
    ),
    "old-style hold": (
        ("m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0"),
        ("m=audio 20000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=ptime:20", "a=recvonly"),
        Agreed("0.0.0.0", 4000, PCMU, 0, None, send=False, receive=True, direction="sendonly"),
    ),
    "old-style hold that does not send either": (
        ("m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=recvonly"),
        ("m=audio 20000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=ptime:20", "a=inactive"),
        Agreed("0.0.0.0", 4000, PCMU, 0, None, send=False, receive=False, direction="inactive"),
    ),
    "other media are refused in their places": (
        (
            "m=video 5000 RTP/AVP 96 97",
            "m=audio 0 RTP/AVP 0",
            "m=audio 4000 RTP/SAVP 0",
            "m=audio 4002 RTP/AVPF 0",
            "m=audio 4004 RTP/AVP 8",
            "m=image 5002 udptl t38",
        ),
        (
            "m=video 0 RTP/AVP 96 97",
            "m=audio 0 RTP/AVP 0",
            "m=audio 0 RTP/SAVP 0",
            "m=audio 20000 RTP/AVPF 0",
            "a=rtpmap:0 PCMU/8000",
            "a=ptime:20",
            "a=sendrecv",
            "m=audio 0 RTP/AVP 8",
            "m=image 0 udptl t38",
        ),
        Agreed("192.0.2.1", 4002, PCMU, 0, None),
    ),
    "IPv6 where IPv4 is offered too": (
        ("m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:db8::1", "m=audio 4002 RTP/AVP 0"),
        (
            "m=audio 0 RTP/AVP 0",
            "m=audio 20000 RTP/AVP 0",
            "a=rtpmap:0 PCMU/8000",
            "a=ptime:20",
            "a=sendrecv",
        ),
        Agreed("192.0.2.1", 4002, PCMU, 0, None),
    ),
}


@pytest.mark.parametrize(("offered", "ours", "agreed"), ANSWERS.values(), ids=ANSWERS.keys())
def test_answers(offered: tuple[str, ...], ours: tuple[str, ...], agreed: Agreed) -> None:
    session, got = answer(far(*offered), HERE)
    assert serialize(session) == text(*OUR_HEAD, *ours)
    assert got == agreed
    assert first_law(far(*offered)) == agreed.law


@pytest.mark.parametrize(("prefer", "law"), [(PCMA, PCMA), (PCMU, PCMU), (None, PCMU)])
def test_a_preferred_law_wins_where_it_is_offered(prefer: int | None, law: int) -> None:
    assert answer(far("m=audio 4000 RTP/AVP 0 8"), HERE, prefer=prefer)[1].law == law
    assert answer(far("m=audio 4000 RTP/AVP 0"), HERE, prefer=prefer)[1].law == PCMU


@pytest.mark.parametrize(
    ("lines", "ptime"),
    [
        ((), 20),
        (("a=ptime:10",), 10),
        (("a=ptime:30",), 30),
        (("a=ptime:60",), 60),
        (("a=ptime:5",), 10),
        (("a=ptime:120",), 60),
        (("a=ptime:0",), 20),
        (("a=ptime:40", "a=maxptime:30"), 30),
        (("a=maxptime:10",), 10),
        (("a=maxptime:0",), 20),
    ],
)
def test_packet_times(lines: tuple[str, ...], ptime: int) -> None:
    assert answer(far("m=audio 4000 RTP/AVP 0", *lines), HERE)[1].ptime_ms == ptime


NEEDED = "; PCMU or PCMA at 8 kHz over RTP/AVP is needed"


@pytest.mark.parametrize(
    ("lines", "kind", "error"),
    [
        ((), NoCommonCodec, "no m= line" + NEEDED),
        (("m=audio 4000 RTP/AVP 18 3",), NoCommonCodec, "m=audio 4000 RTP/AVP 18 3" + NEEDED),
        (("m=audio 4000 RTP/SAVP 0 8",), NoCommonCodec, "m=audio 4000 RTP/SAVP 0 8" + NEEDED),
        (("m=audio 0 RTP/AVP 0",), NoCommonCodec, "m=audio 0 RTP/AVP 0" + NEEDED),
        (
            ("m=audio 9 UDP/TLS/RTP/SAVPF 111 0", "m=video 9 UDP/TLS/RTP/SAVPF 96"),
            NoCommonCodec,
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 0, m=video 9 UDP/TLS/RTP/SAVPF 96" + NEEDED,
        ),
        (
            ("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 PCMU/16000"),
            NoCommonCodec,
            "m=audio 4000 RTP/AVP 97" + NEEDED,
        ),
        (
            ("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 PCMU/8000/2"),
            NoCommonCodec,
            "m=audio 4000 RTP/AVP 97" + NEEDED,
        ),
        (
            ("m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:DB8::1"),
            SdpError,
            "c=IN IP6 2001:db8::1: IPv6 is not supported; offer an IPv4 address",
        ),
        (
            ("m=audio 4000 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"),
            SdpError,
            "c=IN IP4 224.2.1.1: sound cannot be sent to a multicast or reserved address",
        ),
        (
            ("m=audio 4000 RTP/AVP 0", "c=IN IP4 255.255.255.255"),
            SdpError,
            "c=IN IP4 255.255.255.255: sound cannot be sent to a multicast or reserved address",
        ),
    ],
)
def test_offers_that_cannot_be_answered(lines: tuple[str, ...], kind: type, error: str) -> None:
    for use in (lambda session: answer(session, HERE), first_law):
        with pytest.raises(SdpError) as caught:
            use(far(*lines))
        assert (type(caught.value), str(caught.value)) == (kind, error)


def test_an_offer_that_does_not_say_where_it_is() -> None:
    session = parse(text("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "t=0 0", "m=audio 4000 RTP/AVP 0"))
    with pytest.raises(SdpError, match=r"m=audio 4000: no c= line says where it is \(RFC 8866 §5.7\)"):
        answer(session, HERE)


# our own offers

OFFER = ("m=audio 20000 RTP/AVP 0 8 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", *EVENTS, "a=ptime:20", "a=sendrecv")


def test_our_offer() -> None:
    assert serialize(make_offer(HERE)) == text(*OUR_HEAD, *OFFER)
    other = msgspec.structs.replace(HERE, laws=(PCMA, PCMU), event_type=96)
    assert make_offer(other).media[0].formats == ("8", "0", "96")


@pytest.mark.parametrize(
    ("lines", "agreed"),
    [
        (("m=audio 4000 RTP/AVP 8 101", EVENTS[0]), Agreed("192.0.2.1", 4000, PCMA, 8, 101)),
        (("m=audio 4000 RTP/AVP 0 8",), Agreed("192.0.2.1", 4000, PCMU, 0, None)),
        (
            ("m=audio 4000 RTP/AVP 0", "a=sendonly", "a=ptime:30"),
            Agreed("192.0.2.1", 4000, PCMU, 0, None, send=False, ptime_ms=30, direction="sendonly"),
        ),
    ],
)
def test_answers_to_our_offer(lines: tuple[str, ...], agreed: Agreed) -> None:
    assert read_answer(make_offer(HERE), far(*lines)) == agreed


@pytest.mark.parametrize(
    ("lines", "kind", "error"),
    [
        (("m=audio 0 RTP/AVP 0",), NoCommonCodec, "m=audio 0 RTP/AVP 0; PCMU or PCMA at 8 kHz over RTP/AVP was offered"),
        (
            ("m=audio 4000 RTP/AVP 18",),
            NoCommonCodec,
            "m=audio 4000 RTP/AVP 18; PCMU or PCMA at 8 kHz over RTP/AVP was offered",
        ),
        ((), SdpError, "0 m= lines answer 1 (RFC 3264 §6)"),
        (("m=audio 4000 RTP/AVP 0", "m=video 0 RTP/AVP 96"), SdpError, "2 m= lines answer 1 (RFC 3264 §6)"),
        (("m=video 4000 RTP/AVP 0",), SdpError, "m=video answers m=audio (RFC 3264 §6)"),
        (
            ("m=audio 4000 RTP/AVP 0", "c=IN IP6 ::1"),
            SdpError,
            "c=IN IP6 ::1: IPv6 is not supported; offer an IPv4 address",
        ),
    ],
)
def test_answers_that_cannot_be_used(lines: tuple[str, ...], kind: type, error: str) -> None:
    with pytest.raises(SdpError) as caught:
        read_answer(make_offer(HERE), far(*lines))
    assert (type(caught.value), str(caught.value)) == (kind, error)


def test_an_answer_may_only_take_what_was_offered() -> None:
    ours = make_offer(msgspec.structs.replace(HERE, laws=(PCMU,)))
    with pytest.raises(NoCommonCodec):
        read_answer(ours, far("m=audio 4000 RTP/AVP 8"))


def test_a_later_offer_keeps_places_and_numbers() -> None:
    ours, _ = answer(
        far(
            "m=video 5000 RTP/AVP 96",
            "m=audio 4000 RTP/AVPF 100 96",
            "a=rtpmap:100 PCMU/8000",
            "a=rtpmap:96 telephone-event/8000",
        ),
        HERE,
    )
    assert serialize(make_offer(HERE, after=ours)) == text(
        *OUR_HEAD,
        "m=video 0 RTP/AVP 96",
        "m=audio 20000 RTP/AVPF 100 8 96",
        "a=rtpmap:100 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-15",
        "a=ptime:20",
        "a=sendrecv",
    )


def test_a_number_in_use_is_not_given_to_events() -> None:
    ours, _ = answer(far("m=audio 4000 RTP/AVP 101", "a=rtpmap:101 PCMU/8000"), HERE)
    assert make_offer(HERE, after=ours).media[0].formats == ("101", "8", "96")


def test_the_version_grows_with_each_change_only() -> None:
    first, _ = answer(far("m=audio 4000 RTP/AVP 0"), HERE)
    held, _ = answer(far("m=audio 4000 RTP/AVP 0", "a=sendonly"), HERE)
    assert revise(None, first) == first
    assert revise(first, first).version == "1"
    second = revise(first, held)
    assert (second.version, second.id) == ("2", "77")
    assert revise(second, held) == second
    assert revise(second, first).version == "3"
