"""The commands of the core, on real ports, with prompts that are read when the test says so."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path
from uuid import UUID

import pytest

from callwright.audiofile import open_sound
from callwright.media import wire
from callwright.media.wav import UnplayableFile
from support.litter import clear_litter
from support.planes import Core
from support.sound import FRAME

A, B, C = (UUID(int=number) for number in (1, 2, 3))


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


def more(number: int, *files: str, further: bool = False) -> wire.PlayMore:
    return wire.PlayMore(A, number, files, further)


def test_further_files_follow_in_the_order_they_were_named(core: Core) -> None:
    core.open(A)
    core.say(wire.Play(A, 1, ("slow.wav",), 1, stop_on_digit=False, more=True), more(1, "kept.wav", further=True))
    assert core.run(2) == []
    core.library.read()
    core.plane.collect()
    assert core.run(4) == [wire.PlayBegan(A, 1)]
    assert core.run(50) == []
    core.say(more(2, "kept.wav"), more(1, "slow.wav", further=True), more(1))
    assert core.run(50) == []
    core.library.read()
    core.plane.collect()
    assert core.run(2) == []
    assert core.run(1) == [wire.PlayEnded(A, 1, "done")]
    assert core.say(more(1, "kept.wav"), wire.PlayMore(B, 1, ("kept.wav",))) == []
    assert core.plane.load(0.0, 0, 0).strays == 1


@pytest.mark.parametrize("way", ["unreadable", "stopped", "replaced", "closed"])
def test_a_prompt_that_still_waits_for_files_can_end(core: Core, way: str) -> None:
    core.open(A)
    core.say(wire.Play(A, 1, ("kept.wav",), 1, stop_on_digit=False, more=True))
    assert core.run(5) == [wire.PlayBegan(A, 1)]
    core.say(more(1, "slow.wav", further=True))
    if way == "unreadable":
        core.library.read(UnplayableFile("slow.wav: no"))
        core.plane.collect()
        assert core.heard() == [wire.PlayEnded(A, 1, "failed", "slow.wav: no")]
    else:
        ending = {"stopped": wire.Stop(A), "replaced": play(2, "kept.wav"), "closed": wire.Close(A)}[way]
        assert core.say(ending)[0] == wire.PlayEnded(A, 1, "stopped")
    core.library.read()
    core.plane.collect()
    assert core.plane.load(0.0, 0, 0).failures == 0


def recorded(core: Core, path: Path, **options) -> wire.Record:
    return wire.Record(A, UUID(int=9), str(path), "both", **options)


def until_told(core: Core, kind: type) -> list[object]:
    """Let the thread that writes files have its time; everything told until one of this kind was."""
    told = []
    deadline = time.monotonic() + 60
    while not any(isinstance(message, kind) for message in told):
        assert time.monotonic() < deadline, told
        core.plane.collect()
        told += core.heard()
        time.sleep(0.002)
    return told


def test_recording_from_the_command_to_the_last_word(core: Core, tmp_path: Path) -> None:
    core.open(A)
    core.say(recorded(core, tmp_path / "a.wav"))
    assert until_told(core, wire.RecordBegan) == [wire.RecordBegan(A, UUID(int=9))]
    core.run(25)
    core.say(wire.PauseRecord(A, UUID(int=9), True))
    core.run(25)
    core.say(wire.StopRecord(A, UUID(int=9)))
    core.run()
    assert until_told(core, wire.RecordEnded) == [wire.RecordEnded(A, UUID(int=9), "stopped", 1000)]
    core.say(wire.Record(A, UUID(int=8), str(tmp_path / "b.wav"), "from"), wire.StopRecord(A, UUID(int=7)))
    core.run(10)
    core.say(wire.Close(A))
    told = until_told(core, wire.Closed)
    assert [type(message) for message in told] == [wire.RecordBegan, wire.RecordEnded, wire.Closed]
    assert told[1] == wire.RecordEnded(A, UUID(int=8), "stopped", 200)


def test_commands_for_streams_that_are_not_open_are_counted(core: Core, tmp_path: Path) -> None:
    core.say(recorded(core, tmp_path / "a.wav"), wire.Listen(A, True), wire.DetectDigits(A, True))
    assert core.plane.load(0.0, 0, 0).strays == 3


def test_files_are_closed_when_the_process_ends(core: Core, tmp_path: Path) -> None:
    core.open(A)
    core.say(recorded(core, tmp_path / "a.wav"))
    core.run(50)
    core.plane.close(60, 50 * FRAME)
    with open_sound(tmp_path / "a.wav") as sound:
        assert (sound.complete, sound.duration_ms) == (True, 1000)


def test_a_fault_in_what_is_done_for_all_at_once_is_survived(core: Core, caplog: pytest.LogCaptureFixture) -> None:
    core.open(A)
    core.say(play(1, "kept.wav"))
    core.plane._conversations._mixing = [None]  # type: ignore[list-item]
    assert core.run(3) == [wire.PlayBegan(A, 1), wire.PlayEnded(A, 1, "done")]
    assert core.plane.load(0.0, 0, 0).failures == 3
    assert [record.message for record in caplog.records].count("media_tick_failed") == 1


def test_joining_again_says_so_and_parting_frees_both(core: Core) -> None:
    core.open(A, B, C)
    both = [wire.Joined(A, B, "relay"), wire.Joined(B, A, "relay")]
    assert core.say(wire.Join(A, B)) == both
    assert core.say(wire.Join(A, B)) == both
    assert core.say(wire.Part(B)) == [wire.Parted(B), wire.Parted(A)]
    assert core.say(wire.Join(A, A)) == [wire.Parted(A)]
    assert core.say(wire.Part(B)) == []
    assert core.say(wire.Join(A, B), wire.Join(C, A)) == [*both, wire.Joined(C, A, "mix")]
    assert core.run(5) == []
    assert core.say(wire.Close(A))[0] == wire.Parted(A)
    assert core.say(wire.Close(B))[:2] == [wire.Parted(B), wire.Parted(C)]


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
    clear_litter()
    gc.disable()
    try:
        core.open(A, B)
        core.say(wire.Join(A, B), play(1, "kept.wav"), wire.Listen(A, True), wire.DetectDigits(B, True))
        core.run(10)
        core.say(wire.Close(A), wire.Close(B))
        core.run()
        assert gc.collect() == 0
    finally:
        gc.enable()


def descriptors() -> int:
    clear_litter()  # nothing is to go while it is counted
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
