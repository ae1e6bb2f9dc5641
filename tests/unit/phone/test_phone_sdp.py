import pytest

from callwright.phone.sdp import Description, meet, parse, write


def text(*lines):
    return "\r\n".join(lines) + "\r\n"


HEAD = ("v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=-")
AUDIO = ("m=audio 4000 RTP/AVP 8 0 96", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-16")
PLAIN = Description(("192.0.2.1", 4000), "PCMA", 96, "sendrecv")


@pytest.mark.parametrize(
    ("sdp", "meaning"),
    [
        # the address of the session
        (text(*HEAD, "c=IN IP4 192.0.2.1", "t=0 0", *AUDIO), PLAIN),
        # the address of the section goes before it
        (text(*HEAD, "c=IN IP4 192.0.2.9", "t=0 0", AUDIO[0], "c=IN IP4 192.0.2.1", *AUDIO[1:]), PLAIN),
        # no carriage returns
        ("\n".join([*HEAD, "c=IN IP4 192.0.2.1", "t=0 0", *AUDIO]), PLAIN),
        # a direction for the session
        (text(*HEAD, "c=IN IP4 192.0.2.1", "t=0 0", "a=sendonly", *AUDIO), PLAIN._replace(direction="sendonly")),
        # and one for the section before it
        (
            text(*HEAD, "c=IN IP4 192.0.2.1", "t=0 0", "a=sendonly", *AUDIO, "a=recvonly"),
            PLAIN._replace(direction="recvonly"),
        ),
        # hold as before RFC 3264
        (
            text(*HEAD, "c=IN IP4 0.0.0.0", "t=0 0", *AUDIO),
            PLAIN._replace(to=("0.0.0.0", 4000), direction="inactive"),
        ),
        # no digits; a law by its static number alone; a codec we do not know
        (
            text(*HEAD, "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 4000 RTP/AVP 9 0"),
            Description(("192.0.2.1", 4000), "PCMU", None, "sendrecv"),
        ),
        # a payload type that the section does not offer
        (
            text(*HEAD, "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 4000 RTP/AVP 8", *AUDIO[1:]),
            PLAIN._replace(event_type=None),
        ),
    ],
)
def test_a_description_is_understood(sdp, meaning):
    assert parse(sdp, ("PCMU", "PCMA")) == meaning


@pytest.mark.parametrize(("laws", "law"), [(("PCMU",), "PCMU"), (("PCMA",), "PCMA"), (("PCMU", "PCMA"), "PCMA")])
def test_the_far_side_chooses_among_our_laws(laws, law):
    assert parse(text(*HEAD, "c=IN IP4 192.0.2.1", "t=0 0", *AUDIO), laws).law == law


@pytest.mark.parametrize(
    ("sdp", "complaint"),
    [
        ("", "not one audio section"),
        (text(*HEAD, "c=IN IP4 192.0.2.1", "t=0 0", "m=video 5000 RTP/AVP 31"), "not one audio section"),
        (text(*HEAD, "c=IN IP4 192.0.2.1", "t=0 0", "m=video 5000 RTP/AVP 31", *AUDIO), "not one audio section"),
        (text(*HEAD, "c=IN IP4 192.0.2.1", "t=0 0", *AUDIO, "m=video 5000 RTP/AVP 31"), "not one audio section"),
        (text(*HEAD, "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 4000 RTP/AVP 9 96", *AUDIO[1:]), "No Common Codec"),
        (text(*HEAD, "t=0 0", *AUDIO), "neither the session nor its audio section has c=IN IP4"),
        (text(*HEAD, "c=IN IP4 ", "t=0 0", *AUDIO), "neither the session nor its audio section has c=IN IP4"),
        (text(*HEAD, "c=IN IP6 ::1", "t=0 0", *AUDIO), "neither the session nor its audio section has c=IN IP4"),
        (text(*HEAD, "c=IN IP4 192.0.2.1", "t=0 0", "m=audio many RTP/AVP 0"), "many"),
    ],
)
def test_a_description_of_no_use_is_refused(sdp, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse(sdp, ("PCMU", "PCMA"))


def test_our_offer():
    assert write(("127.0.0.1", 30000), (5, 2), ("PCMU", "PCMA"), 101, "sendonly") == text(
        "v=0", "o=phone 5 2 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
        "m=audio 30000 RTP/AVP 0 8 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20", "a=sendonly",
    )  # fmt: skip


def test_our_answer_without_telephone_event():
    assert write(("127.0.0.1", 30000), (5, 1), ("PCMA",), None, "recvonly") == text(
        "v=0", "o=phone 5 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
        "m=audio 30000 RTP/AVP 8", "a=rtpmap:8 PCMA/8000", "a=ptime:20", "a=recvonly",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "met"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendrecv", "sendonly", "recvonly"),
        ("sendrecv", "recvonly", "sendonly"),
        ("sendrecv", "inactive", "inactive"),
        ("sendonly", "sendrecv", "sendonly"),
        ("sendonly", "sendonly", "inactive"),
        ("recvonly", "sendrecv", "recvonly"),
        ("inactive", "sendrecv", "inactive"),
    ],
)
def test_directions_meet(ours, theirs, met):
    assert meet(ours, theirs) == met
