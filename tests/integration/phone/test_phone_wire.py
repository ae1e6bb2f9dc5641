"""What the phone puts on the wire, seen by a peer that is nothing but a socket."""

import asyncio
import re
import socket

import pytest

from callwright.phone.client import PhoneError

OFFER = "\r\n".join(
    ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "m=audio 9000 RTP/AVP 8 96", "c=IN IP4 127.0.0.1",
     "a=rtpmap:96 telephone-event/8000", ""]
)  # fmt: skip


class Peer:
    """Sends requests and responses as text, and gives those that come, in order."""

    def __init__(self, far):
        host, port = far.split(":")
        self._far = (host, int(port))
        self.end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.end.bind(("127.0.0.1", 0))
        self.end.setblocking(False)
        self.port = self.end.getsockname()[1]
        self.to = "<sip:bob@127.0.0.1>"
        self._cseq = 0

    async def next(self, start):
        async with asyncio.timeout(20):
            while True:
                message = (await asyncio.get_running_loop().sock_recv(self.end, 65535)).decode()
                if re.match(start, message):
                    return message

    def request(self, method, body="", *, number=None):
        self._cseq += number is None
        number = number or self._cseq
        lines = [
            f"{method} sip:bob@{self._far[0]}:{self._far[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{number}{'a' if method == 'ACK' else ''}",
            f"From: <sip:peer@127.0.0.1>;tag=peer\r\nTo: {self.to}\r\nCall-ID: wire-{self.port}\r\nCSeq: {number} {method}",
            f"Contact: <sip:peer@127.0.0.1:{self.port}>\r\nMax-Forwards: 70",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}\r\n\r\n{body}",
        ]
        self.end.sendto("\r\n".join(lines).encode(), self._far)

    def respond(self, request, status, *headers, body=""):
        kept = [line for line in request.split("\r\n") if re.match("(Via|From|To|Call-ID|CSeq):", line)]
        kept = [line + (";tag=peer" if line.startswith("To:") and "tag=" not in line else "") for line in kept]
        kept += [f"Contact: <sip:peer@127.0.0.1:{self.port};transport=UDP>", *headers]
        kept += ["Content-Type: application/sdp"] if body else []
        message = "\r\n".join([f"SIP/2.0 {status}", *kept, f"Content-Length: {len(body)}\r\n\r\n{body}"])
        self.end.sendto(message.encode(), self._far)


def field(message, name):
    return re.search(rf"^{name}: (.*?)\r$", message, re.M)[1]


@pytest.fixture
async def bob(phone):
    return await phone(user="bob")


@pytest.fixture
def peer(bob):
    peer = Peer(bob.sip)
    yield peer
    peer.end.close()


async def test_the_bye_of_the_phone_ends_a_call_with_its_answer(bob, peer):
    await bob.call(f"sip:trunk@127.0.0.1:{peer.port}")
    peer.respond(await peer.next("INVITE"), "200 OK", body=OFFER)
    await peer.next("ACK")
    await bob.do("hangup", reason="Q.850;cause=16")
    bye = await peer.next("BYE")
    assert field(bye, "Reason").replace(" ", "") == "Q.850;cause=16"
    peer.respond(bye, "481 Call Does Not Exist")
    assert (await bob.wait("ended"))["code"] == 481


async def test_a_cancel_ends_the_dialog_that_the_180_began(bob, peer):
    await bob.do("policy", answer=None)
    peer.request("INVITE", OFFER)
    ringing = await peer.next("SIP/2.0 180")
    peer.request("CANCEL", number=1)
    ended = await peer.next("SIP/2.0 487")
    assert field(ended, "To") == field(ringing, "To")
    assert "tag=" in field(ended, "To")


async def answered(peer, body):
    peer.request("INVITE", body)
    ok = await peer.next("SIP/2.0 200")
    peer.to = field(ok, "To")
    return ok


async def test_an_answer_takes_the_law_and_the_event_type_of_the_offer(bob, peer):
    ok = await answered(peer, OFFER)
    sdp = ok.partition("\r\n\r\n")[2]
    audio, *rest = re.findall(r"^[ma]=.*?(?=\r)", sdp, re.M)
    assert re.fullmatch(r"m=audio \d+ RTP/AVP 8 96", audio)
    assert int(audio.split()[1]) % 2 == 0
    assert rest == [
        "a=rtpmap:8 PCMA/8000", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-15", "a=ptime:20", "a=sendrecv",
    ]  # fmt: skip


@pytest.mark.parametrize("offer", ["", OFFER + "m=video 9002 RTP/AVP 31\r\n", OFFER.replace("AVP 8 96", "AVP 9 96")])
async def test_an_offer_the_phone_cannot_follow_is_refused(bob, peer, offer):
    peer.request("INVITE", offer)
    await peer.next("SIP/2.0 488")
    assert (await bob.wait("ended"))["code"] == 488


async def test_the_sound_of_the_phone_is_one_line_of_packets(bob, peer):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
        media.bind(("127.0.0.1", 0))
        media.setblocking(False)
        await answered(peer, OFFER.replace("9000", str(media.getsockname()[1])))
        peer.request("ACK", number=1)
        assert (await bob.wait("answered"))["law"] == "PCMA"
        async with asyncio.timeout(20):
            packets = [await asyncio.get_running_loop().sock_recv(media, 2048) for _ in range(5)]
    heads = [(packet[1], int.from_bytes(packet[2:4]), int.from_bytes(packet[4:8]), packet[8:12]) for packet in packets]
    _, sequence, timestamp, ssrc = heads[0]
    assert heads == [
        (8 | (128 if n == 0 else 0), sequence + n & 0xFFFF, timestamp + 160 * n & 0xFFFFFFFF, ssrc) for n in range(5)
    ]


async def test_a_hold_that_is_refused_changes_nothing(bob, peer):
    await bob.call(f"sip:trunk@127.0.0.1:{peer.port}")
    peer.respond(await peer.next("INVITE"), "200 OK", body=OFFER)
    await peer.next("ACK")
    await bob.do("hold")
    hold = await peer.next("INVITE")
    assert "a=sendonly" in hold
    peer.respond(hold, "491 Request Pending")
    assert (await bob.wait("unchanged"))["code"] == 491
    await peer.next("ACK")
    await bob.do("hold", direction="sendrecv")
    peer.respond(await peer.next("INVITE"), "200 OK", body=OFFER)
    assert (await bob.wait("changed"))["direction"] == "sendrecv"


async def test_a_reinvite_the_phone_cannot_follow_is_488_and_the_call_goes_on(bob, peer):
    await answered(peer, OFFER)
    peer.request("ACK", number=1)
    peer.request("INVITE", OFFER.replace("AVP 8 96", "AVP 9 96").replace("o=- 1 1", "o=- 1 2"))
    await peer.next("SIP/2.0 488")
    peer.request("ACK", number=2)
    with pytest.raises(PhoneError, match="only an incoming call that has no answer"):
        await bob.do("answer")
    assert (await bob.measure(0.1))["silence"]


async def test_other_requests_have_an_answer(bob, peer):
    async def answer_to(method):
        peer.request(method)
        return (await peer.next(f"SIP/2.0 .*(\r\n.*)*CSeq: .* {method}")).split()[1]

    assert await answer_to("MESSAGE") == "501"
    peer.to = "<sip:bob@127.0.0.1>;tag=nobody"
    assert await answer_to("BYE") == "481"
    peer.to = "<sip:bob@127.0.0.1>"
    await answered(peer, OFFER)
    peer.request("ACK", number=3)
    assert [await answer_to(method) for method in ("OPTIONS", "INFO", "BYE")] == ["200"] * 3
