"""The commands of the core, on real ports, with prompts that are read when the test says so."""

from __future__ import annotations

import errno
import gc
import os
import random
from uuid import UUID

import pytest

from callwright.clock import SystemClock
from callwright.media import wire
from callwright.media.clips import Clip
from callwright.media.disk import Disk
from callwright.media.plane import Plane
from callwright.media.ports import PortPool
from callwright.media.wav import UnplayableFile
from support.media_child import free_range
from support.sound import FRAME

A, B, C = (UUID(int=number) for number in (1, 2, 3))
CLIP = Clip({0: bytes(320), 8: bytes(320)})


class SlowLibrary:
    """Knows ``kept.wav`` at once; reads everything else when asked to."""

    def __init__(self) -> None:
        self.reading: list[object] = []
        self._loaded: list[object] = []

    def find(self, paths, ticket):
        if all(path == "kept.wav" for path in paths):
            return (CLIP,) * len(paths)
        self.reading.append(ticket)
        return None

    def read(self, result=(CLIP,)) -> None:
        self._loaded += [(ticket, result) for ticket in self.reading]
        self.reading.clear()

    def collect(self):
        loaded, self._loaded = self._loaded, []
        return loaded


class Sockets:
    def __init__(self) -> None:
        self.watched: dict[object, object] = {}
        self.room = 1000

    def watch(self, sock, receive) -> None:
        if len(self.watched) >= self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.watched[sock] = receive

    def forget(self, sock) -> None:
        self.watched.pop(sock, None)


class Core:
    def __init__(self, quarantine_s: float = 5.0) -> None:
        settings = free_range(3)
        self.library = SlowLibrary()
        self.disk = Disk(lambda: None)
        self.sockets = Sockets()
        self.told: list[object] = []
        pool = PortPool(settings.bind, settings.first_port, settings.last_port, quarantine_s)
        chance = random.Random(1)
        self.plane = Plane(pool, self.library, self.disk, self.sockets, SystemClock(), chance.getrandbits, self.told.append, 60)
        self._tick = 0

    def say(self, *messages) -> list[object]:
        for message in messages:
            self.plane.handle(message, self._tick * FRAME)
        return self.heard()

    def run(self, ticks: int = 1) -> list[object]:
        for _ in range(ticks):
            self._tick += 1
            self.plane.tick(self._tick * FRAME)
        return self.heard()

    def heard(self) -> list[object]:
        told, self.told[:] = list(self.told), []
        return told

    def open(self, *streams: UUID) -> None:
        for stream in streams:
            self.say(wire.Open(stream), wire.Connect(stream, "127.0.0.1", 9, 0, 101))


@pytest.fixture
def core():
    core = Core()
    yield core
    core.say(*(wire.Close(stream) for stream in (A, B, C)))


def play(number: int, path: str = "slow.wav") -> wire.Play:
    return wire.Play(A, number, (path,), 1, stop_on_digit=False)


def test_a_kept_prompt_begins_with_the_next_tick(core: Core) -> None:
    core.open(A)
    assert core.say(play(1, "kept.wav")) == []
    assert core.run() == [wire.PlayBegan(A, 1)]
    assert core.run(2) == [wire.PlayEnded(A, 1, "done")]


def test_a_prompt_that_has_to_be_read_begins_when_it_has_been(core: Core) -> None:
    core.open(A)
    core.say(play(1))
    assert core.run(3) == []
    core.library.read()
    core.plane.collect()
    assert core.run() == [wire.PlayBegan(A, 1)]


def test_a_prompt_stopped_while_it_is_read_never_begins(core: Core) -> None:
    core.open(A)
    core.say(play(1))
    assert core.say(wire.Stop(A)) == [wire.PlayEnded(A, 1, "stopped")]
    core.library.read()
    core.plane.collect()
    assert core.run(3) == []


def test_a_prompt_replaced_while_it_is_read_never_begins(core: Core) -> None:
    core.open(A)
    core.say(play(1))
    assert core.say(play(2)) == [wire.PlayEnded(A, 1, "stopped")]
    core.library.read()
    core.plane.collect()
    assert core.run() == [wire.PlayBegan(A, 2)]


def test_a_prompt_that_cannot_be_read_fails_with_the_reason(core: Core) -> None:
    core.open(A)
    core.say(play(1))
    core.library.read(UnplayableFile("slow.wav: not a WAV file"))
    core.plane.collect()
    assert core.heard() == [wire.PlayEnded(A, 1, "failed", "slow.wav: not a WAV file")]


def test_a_stream_closed_while_its_prompt_is_read_ends_it_and_is_gone(core: Core) -> None:
    core.open(A)
    core.say(play(1))
    ended, closed = core.say(wire.Close(A))
    assert ended == wire.PlayEnded(A, 1, "stopped")
    assert isinstance(closed, wire.Closed)
    core.library.read()
    core.plane.collect()
    assert core.run() == []
    assert core.sockets.watched == {}


def test_a_play_said_twice_is_one(core: Core) -> None:
    core.open(A)
    core.say(play(1, "kept.wav"))
    core.run()
    assert core.say(play(1, "kept.wav")) == []
    assert core.run(2) == [wire.PlayEnded(A, 1, "done")]


def test_joining_again_says_so_and_joining_another_parts_first(core: Core) -> None:
    core.open(A, B, C)
    both = [wire.Joined(A, B, "relay"), wire.Joined(B, A, "relay")]
    assert core.say(wire.Join(A, B)) == both
    assert core.say(wire.Join(A, B)) == both
    assert core.say(wire.Part(B)) == [wire.Parted(B), wire.Parted(A)]
    assert core.say(wire.Join(A, A)) == [wire.Parted(A)]
    assert core.say(wire.Part(B)) == []


def test_a_fault_of_ours_in_one_stream_is_counted_and_leaves_the_others(core: Core, caplog: pytest.LogCaptureFixture) -> None:
    core.open(A, B)
    seat = core.plane._seats[A]
    seat.stream._next_of_prompt = None  # type: ignore[method-assign]
    core.say(play(1, "kept.wav"), wire.Play(B, 1, ("kept.wav",), 1, stop_on_digit=False))
    assert core.run(3) == [wire.PlayBegan(B, 1), wire.PlayEnded(B, 1, "done")]
    receive = core.sockets.watched[seat.pair.rtp]
    seat.stream.receive = None  # type: ignore[method-assign]
    receive(b"", ("127.0.0.1", 9), 0)
    assert core.plane.load(0.0, 0, 0).failures == 4
    assert [record.message for record in caplog.records].count("media_stream_failed") == 1


def test_a_message_that_cannot_be_carried_out_is_survived(core: Core, caplog: pytest.LogCaptureFixture) -> None:
    core.open(A)
    core.say(wire.SendDigits(A, None, 100, 100))  # type: ignore[arg-type]
    load = core.plane.load(0.0, 0, 0)
    assert (load.failures, load.streams) == (1, 1)
    assert core.plane.load(0.0, 0, 0).failures == 0
    assert [record.message for record in caplog.records].count("media_command_failed") == 1


def test_streams_that_came_and_went_leave_no_cycles(core: Core) -> None:
    core.open(A)
    core.say(wire.Close(A))
    gc.collect()
    gc.disable()
    try:
        core.open(A, B)
        core.say(wire.Join(A, B), play(1, "kept.wav"))
        core.run(10)
        core.say(wire.Close(A), wire.Close(B))
        core.run()
        assert gc.collect() == 0
    finally:
        gc.enable()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("room", [0, 1])
def test_a_port_that_cannot_be_waited_on_goes_back(core: Core, room: int) -> None:
    before = descriptors()
    core.sockets.room = room
    [failed] = core.say(wire.Open(A))
    assert isinstance(failed, wire.OpenFailed)
    assert "cannot be waited on: No space left on device" in failed.detail
    assert (core.sockets.watched, len(core.plane), descriptors()) == ({}, 0, before)
    assert core.plane.load(0.0, 0, 6 * 8000).ports == 3


def test_ports_and_descriptors_return_from_thousands_of_streams() -> None:
    """Every way out: opened and closed, opened twice, connected, playing, joined, closed twice, refused for want of ports."""
    core = Core(quarantine_s=0.01)
    before = descriptors()
    streams = [UUID(int=number) for number in range(1, 5)]
    for turn in range(1000):
        a, b, c, d = streams[turn % 4 :] + streams[: turn % 4]
        core.say(wire.Open(a), wire.Open(b), wire.Open(a), wire.Connect(a, "127.0.0.1", 9, 0, 101))
        core.say(wire.Connect(b, "127.0.0.1", 9, 8 * (turn % 2), None), wire.Join(a, b))
        core.say(wire.Play(a, turn, ("kept.wav" if turn % 3 else "slow.wav",), 1, stop_on_digit=False))
        core.run(1)
        refused = core.say(wire.Open(c), wire.Open(d))
        assert [type(message) for message in refused] == [wire.Opened, wire.OpenFailed]
        core.say(wire.Close(b), wire.Close(c), wire.Close(a), wire.Close(a), wire.Close(d))
        core.run(1)
    assert (len(core.plane), core.sockets.watched, descriptors()) == (0, {}, before)
    load = core.plane.load(0.0, 0, 10_000 * FRAME)
    assert (load.ports, load.failures, load.strays) == (3, 0, 2000)
