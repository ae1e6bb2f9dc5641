import pytest

from callwright.phone.rtp import Packet, Reception, digit_payloads

VOICE = b"\xff" * 160


def packet(sequence, timestamp=None, ssrc=7, kind=0, marker=False, payload=VOICE):
    return Packet(
        kind, marker, sequence & 0xFFFF, (sequence * 160 if timestamp is None else timestamp) & 0xFFFFFFFF, ssrc, payload
    )


def test_a_packet_survives_the_wire():
    sent = Packet(101, True, 65535, 0xFFFFFFF0, 0xDEADBEEF, b"\x05\x0a\x00\xa0")
    assert sent.pack() == bytes.fromhex("80e5fffffffffff0deadbeef050a00a0")
    assert Packet.parse(sent.pack()) == sent


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(11),
        # version 1
        bytes.fromhex("40 00 0001 000000a0 00000007"),
        # two contributing sources
        bytes.fromhex("82 00 0001 000000a0 00000007 11111111 22222222") + VOICE,
        # a header extension of one word
        bytes.fromhex("90 00 0001 000000a0 00000007 bede0001 10ff0000") + VOICE,
        # three bytes of padding
        bytes.fromhex("a0 00 0001 000000a0 00000007") + VOICE + b"\0\0\3",
    ],
)
def test_what_is_not_rtp_as_agreed_is_refused(data):
    with pytest.raises(ValueError, match="not RTP with the plain header"):
        Packet.parse(data)


def test_a_digit_grows_and_ends_three_times():
    assert [payload.hex() for payload in digit_payloads("5", 100)] == [
        "050a00a0", "050a0140", "050a01e0", "050a0280", "058a0320", "058a0320", "058a0320",
    ]  # fmt: skip
    assert [digit_payloads(digit, 20)[0][0] for digit in "09*#AD"] == [0, 9, 10, 11, 12, 15]


@pytest.mark.parametrize(("digit", "tone_ms"), [("x", 100), ("1", 19), ("1", 8001)])
def test_a_digit_that_cannot_be_sent_is_refused(digit, tone_ms):
    with pytest.raises(ValueError, match=r"20 to 8000 ms"):
        digit_payloads(digit, tone_ms)


@pytest.mark.parametrize(
    ("sequences", "counts"),
    [
        # in order, over the end of the numbers
        ([65534, 65535, 65536, 65537], {"received": 4}),
        # three lost in two gaps
        ([1, 2, 5, 7], {"received": 4, "lost": 3, "gaps": 2}),
        # one late: it was a gap and a loss until it came
        ([1, 3, 2, 4], {"received": 4, "gaps": 1, "reordered": 1}),
        # late over the end of the numbers
        ([65535, 65537, 65536], {"received": 3, "gaps": 1, "reordered": 1}),
        # the same twice, at once and later; and the late one twice
        ([1, 2, 2, 3, 1], {"received": 3, "duplicate": 2}),
        ([1, 3, 2, 2], {"received": 3, "gaps": 1, "reordered": 1, "duplicate": 1}),
        # a packet from before the first one is no loss, and not ours to count
        ([10, 9, 11], {"received": 2, "duplicate": 1}),
    ],
)
def test_sequence_numbers_are_accounted_for(sequences, counts):
    reception = Reception()
    for sequence in sequences:
        reception.note(packet(sequence), 0.0)
    assert {name: count for name, count in reception.counts.items() if count} == counts


def test_a_new_ssrc_is_a_new_line_of_numbers():
    reception = Reception()
    for one in (packet(1), packet(2), packet(60000, ssrc=8, marker=True), packet(60001, ssrc=8)):
        assert reception.note(one, 0.0)
    assert {name: count for name, count in reception.counts.items() if count} == {
        "received": 4,
        "ssrc_changes": 1,
        "markers": 1,
    }


def test_a_timestamp_that_runs_back_is_seen_and_one_that_wraps_is_not():
    reception = Reception()
    for n, timestamp in enumerate((0xFFFFFF60, 0x100000000, 0x1000000A0, 160, 0, 320)):
        reception.note(packet(n, timestamp), n * 0.02)
    assert reception.counts["timestamp_back"] == 1


def test_jitter_is_that_of_rfc_3550():
    reception = Reception()
    expected, transits = 0.0, [0.0, 4.0, 1.0, 1.0, 9.0]
    for n, (before, late_ms) in enumerate(zip([0.0, *transits], transits, strict=False)):
        reception.note(packet(n), n * 0.02 + late_ms / 1000)
        expected += (abs(late_ms - before) - expected) / 16 if n else 0.0
    assert reception.jitter_ms == pytest.approx(expected)
    assert expected > 0.5


def test_the_packets_of_an_event_do_not_touch_jitter_and_timestamps():
    reception = Reception()
    reception.note(packet(1, 1600), 0.0)
    for n in range(3):
        reception.note(packet(2 + n, 1760, kind=101), 0.02 + n * 0.02)
    reception.note(packet(5, 2240), 0.08)
    assert (reception.counts["timestamp_back"], reception.jitter_ms) == (0, pytest.approx(0.0))


def events(sequence, timestamp, *payloads):
    return [packet(sequence + n, timestamp, kind=101, payload=bytes.fromhex(payload)) for n, payload in enumerate(payloads)]


def test_digits_are_told_once_each_at_their_first_end():
    arriving = [
        *events(1, 1000, "050a00a0", "050a0140", "058a01e0", "058a01e0", "058a01e0"),
        # the same key again is another digit, since it starts at another time; its beginning and first ends are lost
        *events(10, 3000, "058a0320"),
        # a key that is still down
        *events(12, 5000, "0b0a00a0"),
        # an event that is no key, and one cut short
        *events(13, 6000, "288a00a0"),
        *events(14, 7000, "05"),
    ]
    reception = Reception()
    assert [reception.digit(one) for one in arriving if reception.note(one, 0.0)] == [
        None, None, ("5", 60), None, None, ("5", 100), None, None, None,
    ]  # fmt: skip
    assert (reception.counts["event_packets"], reception.counts["event_ends"]) == (9, 5)
