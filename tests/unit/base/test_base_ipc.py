"""The link between processes: frames, greetings, and what happens when the other side goes quiet."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from itertools import cycle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callwright import ipc
from callwright.clock import VirtualLoop
from callwright.ipc import Hello, Link, LinkBroken, Ping, Pong, Unframer, frame


class Word(msgspec.Struct, frozen=True, tag=True):
    text: str


class Number(msgspec.Struct, frozen=True, tag=True):
    value: int


Words = Word | Number
SILENCE_S = 0.06


messages = st.builds(Word, st.text(max_size=20)) | st.builds(Number, st.integers(-(2**63), 2**63 - 1))


@given(st.lists(st.lists(messages, max_size=4), max_size=4), st.lists(st.integers(1, 100), min_size=1, max_size=8))
def test_frames_survive_any_cutting(batches: list[list[Any]], cuts: list[int]) -> None:
    stream = b"".join(frame(batch) for batch in batches)
    unframer = Unframer(Words)
    seen = []
    for cut in cycle(cuts):
        seen += unframer.feed(stream[:cut])
        stream = stream[cut:]
        if not stream:
            break
    assert seen == [message for batch in batches for message in batch]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff\xff\xff\xff", "a frame of 4294967295 bytes"),
        ((3).to_bytes(4, "big") + b"\xc1\xc1\xc1", "MessagePack|malformed|Invalid"),
        (frame([Ping()]).replace(b"Ping", b"Pang"), "Invalid value 'Pang'"),
        ((1).to_bytes(4, "big") + b"\x01", "Expected `array`"),
        (frame([Word("word")]).replace(b"\xa4word", b"\xa4\xff\xffrd"), "'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_what_is_not_the_protocol_breaks_the_link(data: bytes, why: str) -> None:
    with pytest.raises(LinkBroken, match=why):
        Unframer(Words).feed(data)


def stand_still(seconds: float) -> None:
    """The machine has something else to do."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.advance(seconds)


class Ends:
    """Two links over a socket pair and what each heard."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.lost: list[str] = []

    async def open(self, core_epoch: int = 1, child_epoch: int = 1) -> tuple[Link, Link]:
        near, far = socket.socketpair()
        core = await Link.over(near, Words, core_epoch, self.heard.append, self.lost.append, pings=True, silence_s=SILENCE_S)
        child = await Link.over(far, Words, child_epoch, self.heard.append, self.lost.append, pings=False, silence_s=SILENCE_S)
        return core, child


def in_virtual_time(story: Callable[[Ends], Coroutine[Any, Any, None]]) -> Callable[[pytest.MonkeyPatch], None]:
    """What one end of a socket pair sends is at the other at once, so nothing but timers is ever waited for."""

    async def tell() -> None:
        await story(Ends())
        await asyncio.sleep(0)

    def test(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ipc, "PING_S", SILENCE_S / ipc.DEAD_AFTER_PINGS)
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(tell())

    test.__name__, test.__doc__ = story.__name__, story.__doc__
    return test


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # a link has no event to wait for from outside
            await asyncio.sleep(0.005)


@in_virtual_time
async def test_messages_of_one_turn_arrive_in_order_both_ways(ends: Ends) -> None:
    core, child = await ends.open()
    await asyncio.gather(core.ready, child.ready)
    core.send(Word("a"))
    core.send(Number(1))
    child.send(Word("b"))
    await until(lambda: len(ends.heard) == 3)
    assert [one for one in ends.heard if one != Word("b")] == [Word("a"), Number(1)]
    assert core.backlog == 0
    core.close()
    await until(lambda: ends.lost)
    assert ends.lost == ["end of file"]
    child.close()


@in_virtual_time
async def test_pings_keep_a_quiet_link_alive(ends: Ends) -> None:
    core, child = await ends.open()
    await asyncio.sleep(0.3)
    assert ends.lost == []
    core.close()
    child.close()
    assert ends.lost == []


@in_virtual_time
async def test_a_peer_of_another_epoch_is_not_listened_to(ends: Ends) -> None:
    core, child = await ends.open(core_epoch=2, child_epoch=1)
    child.send(Word("from the past"))
    await until(lambda: len(ends.lost) == 2)
    assert ends.heard == []
    assert "a peer of protocol 1, epoch 1" in ends.lost
    with pytest.raises(LinkBroken):
        await core.ready


@in_virtual_time
async def test_a_side_that_stops_answering_is_dead(ends: Ends) -> None:
    near, far = socket.socketpair()
    core = await Link.over(near, Words, 1, ends.heard.append, ends.lost.append, pings=True, silence_s=SILENCE_S)
    far.sendall(frame([Hello(ipc.PROTOCOL, 1)]))
    await core.ready
    await until(lambda: ends.lost)
    assert ends.lost == ["silent for 0.06 s"]
    assert frame([Ping()]) in far.recv(65536)
    far.close()


@in_virtual_time
async def test_a_side_that_did_not_run_itself_tells_nobody_dead(ends: Ends) -> None:
    near, far = socket.socketpair()
    core = await Link.over(near, Words, 1, ends.heard.append, ends.lost.append, pings=True, silence_s=SILENCE_S)
    far.sendall(frame([Hello(ipc.PROTOCOL, 1)]))
    await core.ready
    for _ in range(3 * ipc.DEAD_AFTER_PINGS):
        stand_still(3 * ipc.PING_S)
        await asyncio.sleep(0.001)
    assert ends.lost == []
    await until(lambda: ends.lost)
    assert ends.lost == ["silent for 0.06 s"]
    far.close()


@in_virtual_time
async def test_a_message_before_the_greeting_is_not_heard(ends: Ends) -> None:
    near, far = socket.socketpair()
    core = await Link.over(near, Words, 1, ends.heard.append, ends.lost.append, pings=True, silence_s=SILENCE_S)
    far.sendall(frame([Word("early"), Hello(ipc.PROTOCOL, 1), Word("in time"), Pong()]))
    await until(lambda: ends.heard)
    assert ends.heard == [Word("in time")]
    core.close()
    far.close()


@in_virtual_time
async def test_a_side_that_is_always_late_misses_a_dead_one_in_the_end(ends: Ends) -> None:
    near, far = socket.socketpair()
    core = await Link.over(near, Words, 1, ends.heard.append, ends.lost.append, pings=True, silence_s=SILENCE_S)
    far.sendall(frame([Hello(ipc.PROTOCOL, 1)]))
    await core.ready
    for _ in range(round(ipc.EXCUSED_S / (3 * ipc.PING_S)) + 6):
        stand_still(3 * ipc.PING_S)
        await asyncio.sleep(0.001)
    assert ends.lost == ["silent for 0.06 s"]
    far.close()


@in_virtual_time
async def test_a_message_that_cannot_be_written_keeps_back_no_other(ends: Ends) -> None:
    core, child = await ends.open()
    await core.ready
    child.send(Word("before"))
    child.send(Word("sip:a@b\udcc2"))
    child.send(Word("after"))
    await until(lambda: len(ends.heard) == 3)
    assert ends.heard == [Word("before"), Word("sip:a@b\ufffd"), Word("after")]
    child.send(Word("later"))
    await until(lambda: len(ends.heard) == 4)
    assert ends.lost == []
    core.close()
    child.close()
