from __future__ import annotations

import socket
from uuid import UUID

import pytest

from callwright.ipc import DEAD_AFTER_PINGS, PROTOCOL, Hello, Ping, Pong, Unframer, frame
from callwright.media.link import PING_NS, SILENCE_NS, CoreGone, CoreLink
from callwright.media.wire import CoreMessage, MediaMessage, Open, Opened, Stop

STREAM = UUID(int=1)


class Ends:
    def __init__(self) -> None:
        self.core, ours = socket.socketpair()
        self.core.setblocking(False)
        self.received: list[object] = []
        self.ours = ours
        self.link = CoreLink(ours, CoreMessage, 3, self.received.append, now_ns=0)
        self.unframer = Unframer(MediaMessage)

    def say(self, *messages) -> None:
        self.core.sendall(frame(messages))
        self.link.read()

    def heard(self) -> list[object]:
        self.link.flush()
        try:
            return self.unframer.feed(self.core.recv(1 << 20))
        except BlockingIOError:
            return []


@pytest.fixture
def ends():
    ends = Ends()
    yield ends
    ends.core.close()
    ends.ours.close()


def test_the_greeting_goes_first_and_pings_are_answered(ends: Ends) -> None:
    ends.link.send(Opened(STREAM, 20000))
    assert ends.heard() == [Hello(PROTOCOL, 3), Opened(STREAM, 20000)]
    ends.say(Ping())
    assert ends.heard() == [Pong()]
    assert ends.heard() == []


def test_commands_count_only_after_the_greeting(ends: Ends) -> None:
    ends.say(Open(STREAM))
    ends.say(Hello(PROTOCOL, 3), Stop(STREAM), Pong())
    assert ends.received == [Stop(STREAM)]


@pytest.mark.parametrize("hello", [Hello(PROTOCOL, 2), Hello(PROTOCOL, 4), Hello(PROTOCOL + 1, 3)])
def test_another_epoch_or_protocol_is_not_ours(ends: Ends, hello: Hello) -> None:
    with pytest.raises(CoreGone, match="epoch"):
        ends.say(hello)


def test_garbage_is_not_a_core(ends: Ends) -> None:
    ends.core.sendall(b"\0\0\0\x03abc")
    with pytest.raises(CoreGone, match="unreadable"):
        ends.link.read()


def test_the_end_of_the_file_is_the_end(ends: Ends) -> None:
    ends.core.close()
    with pytest.raises(CoreGone, match="end of file"):
        ends.link.read()


def test_silence_of_three_pings_is_the_end(ends: Ends) -> None:
    ends.say(Ping())
    for number in range(1, DEAD_AFTER_PINGS + 1):
        ends.link.check(number * PING_NS)
    with pytest.raises(CoreGone, match=r"silent for 1\.5 s"):
        ends.link.check(SILENCE_NS + 1)


def test_a_machine_that_stood_still_had_the_core_stand_still_as_well(ends: Ends) -> None:
    ends.say(Ping())
    ends.link.check(100 * SILENCE_NS)
    ends.link.check(100 * SILENCE_NS + 2 * PING_NS)
    ends.say(Ping())
    for number in range(1, DEAD_AFTER_PINGS + 1):
        ends.link.check(100 * SILENCE_NS + number * PING_NS)


def test_what_the_core_does_not_read_yet_waits_whole_and_in_order(ends: Ends) -> None:
    sent = []
    while not ends.link.is_waiting:
        batch = [Opened(UUID(int=len(sent) + i), 20000) for i in range(1000)]
        sent += batch
        for message in batch:
            ends.link.send(message)
        ends.link.flush()
    heard: list[object] = []
    while len(heard) < len(sent) + 1:
        heard += ends.heard()
    assert heard == [Hello(PROTOCOL, 3), *sent]
    assert not ends.link.is_waiting


def test_words_that_waited_while_this_side_stalled_count(ends: Ends) -> None:
    """The link's turn comes after those of many far ends; the core was not silent."""
    ends.say(Ping())
    for number in range(1, DEAD_AFTER_PINGS + 1):
        ends.link.check(number * PING_NS)
    ends.core.sendall(frame([Hello(PROTOCOL, 3), Stop(STREAM)]))
    ends.link.check(SILENCE_NS + 1)
    assert ends.received == [Stop(STREAM)]
    for number in range(1, DEAD_AFTER_PINGS + 1):
        ends.link.check(SILENCE_NS + 1 + number * PING_NS)
    with pytest.raises(CoreGone, match=r"silent for 1\.5 s"):
        ends.link.check(2 * SILENCE_NS + 2)
