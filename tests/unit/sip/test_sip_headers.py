"""Text on its way into and out of sippy."""

from __future__ import annotations

import pytest
from sippy.MsgBody import MsgBody
from sippy.SipContentType import SipContentType
from sippy.SipHeader import SipHeader

from callwright.sip.headers import content_of, description, description_in, field, inward, one_line, outward, reason_of
from callwright.sip.server import Datagram, is_ipv4


@pytest.mark.parametrize("text", ["plain", "Åsa", "电话", "\U0001f4de"])
def test_text_goes_in_as_bytes_and_comes_out_the_same(text: str) -> None:
    assert len(inward(text)) == len(text.encode())
    assert outward(inward(text)) == text
    assert inward(text).encode("utf-8", "surrogateescape") == text.encode()


def test_datagrams_keep_every_byte() -> None:
    data = bytes(range(256)) + "Å".encode()
    text = Datagram(data).decode(errors="backslashreplace")
    assert len(text) == len(data)
    assert text.encode("utf-8", "surrogateescape") == data
    assert outward(Datagram(b"\xc3\x85 \xff").decode()) == "Å \ufffd"


def test_a_field_is_one_line() -> None:
    assert str(field("Reason", "Q.850\r\nX: y\x00")) == "Reason: Q.850  X: y "
    assert one_line("a\u2028b\x85c\td") == "a b c d"
    copied = field("X-Callwright-Hops", "3").getCopy()
    assert copied.localStr((("127.0.0.1", 5060), "udp")) == "X-Callwright-Hops: 3"


def test_reasons_come_as_they_were_sent() -> None:
    class Message:
        def getHFs(self, name: str) -> list[SipHeader]:  # noqa: N802
            assert name == "reason"
            return [SipHeader('Reason: SIP ;cause=200;text="Å"'), SipHeader("Reason: not;even=close")]

    assert reason_of(Message()) == 'SIP ;cause=200;text="Å", not;even=close'


def typed(content: str, kind: str) -> MsgBody:
    mtype = SipContentType(kind)
    mtype.parse()
    return MsgBody(content, mtype)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (None, ""),
        (MsgBody("v=0\r\n"), "v=0\r\n"),
        (typed("v=0\r\n", "Application/SDP; charset=x"), "v=0\r\n"),
        (typed("hello", "text/plain"), ""),
        (typed("--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n", "multipart/mixed;boundary=b"), "v=0"),
        (typed("--b\r\nContent-Type: text/plain\r\n\r\nv=0\r\n--b--\r\n", "multipart/mixed;boundary=b"), ""),
        (typed("no parts", "multipart/mixed"), ""),
    ],
)
def test_description_in_a_body(body: MsgBody | None, found: str) -> None:
    assert description_in(body).rstrip("\r\n") == found.rstrip("\r\n")


def test_bodies() -> None:
    assert description("") is None
    assert content_of(description("v=0 Å")) == ("application/sdp", "v=0 Å")
    assert content_of(None) == ("", "")


@pytest.mark.parametrize(
    ("host", "literal"),
    [
        ("192.0.2.1", True),
        ("example.org", False),
        ("", False),
        ("::1", False),
        ("[::1]", False),
        ("127.1", False),
        ("1.2.3.256", False),
    ],
)
def test_literal_addresses(host: str, literal: bool) -> None:
    assert is_ipv4(host) is literal
