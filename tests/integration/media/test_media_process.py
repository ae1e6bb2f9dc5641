"""The media process as it runs: a child on a socket pair, real UDP, real time."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import msgspec
import numpy as np
import pytest

from callwright import ipc
from callwright.media import rtcp, wire
from callwright.media.g711 import PCMA, PCMU, Law
from callwright.media.settings import MediaSettings
from support.deaths import gone
from support.media_child import FarEnd, MediaChild, converse, free_range
from support.sound import FRAME, share, tone

A, B, NOBODY = UUID(int=1), UUID(int=2), UUID(int=99)


@pytest.fixture(scope="module")
def child() -> Iterator[MediaChild]:
    with MediaChild(free_range(24)) as child:
        yield child
    assert '"level":"error"' not in child.errors


@pytest.fixture
def far_end() -> Iterator[Callable[..., FarEnd]]:
    ends: list[FarEnd] = []

    def make(law: Law = PCMU, hz: int | None = None) -> FarEnd:
        ends.append(FarEnd(law, hz))
        return ends[-1]

    yield make
    for end in ends:
        end.close()


@pytest.fixture(autouse=True)
def all_closed(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "child" in request.fixturenames:
        child = request.getfixturevalue("child")
        child.send(wire.Close(A), wire.Close(B))
        child.caught_up()
        child.messages.clear()


@pytest.fixture
def prompt(tmp_path: Path) -> Callable[..., str]:
    def write(name: str, hz: int, ms: int) -> str:
        with wave.open(str(tmp_path / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(tone(hz, ms).tobytes())
        return str(tmp_path / name)

    return write


def test_a_stream_opens_on_an_even_port_and_closes_with_a_goodbye(child: MediaChild, far_end) -> None:
    port = child.open(A)
    assert port % 2 == 0
    child.send(wire.Open(A))
    assert child.wait(wire.Opened, A).port == port
    end = far_end()
    end.connect(child, A, port)
    converse(child, 0.2, end)
    converse(child, 5.0, end, until=lambda: len(end.heard) >= 8)
    child.caught_up()
    child.send(wire.Close(A))
    closed = child.wait(wire.Closed, A)
    assert (closed.counters.received, closed.counters.lost, closed.dropped) == (end.said, 0, wire.Dropped())
    assert closed.counters.sent >= 8
    packets = rtcp.parse(end.control.recv(2048))
    assert isinstance(packets[0], rtcp.SenderReport)
    assert packets[-1] == rtcp.Goodbye((packets[0].ssrc,))


@pytest.mark.parametrize(("law_a", "law_b", "how"), [(PCMU, PCMU, "relay"), (PCMA, PCMA, "relay"), (PCMU, PCMA, "mix")])
def test_two_far_ends_hear_each_other(child: MediaChild, far_end, law_a: Law, law_b: Law, how: str) -> None:
    a, b = far_end(law_a, 400), far_end(law_b, 1000)
    for end, stream in ((a, A), (b, B)):
        end.connect(child, stream, child.open(stream))
    child.send(wire.Join(A, B))
    assert child.wait(wire.Joined, A) == wire.Joined(A, B, how)
    assert child.wait(wire.Joined, B) == wire.Joined(B, A, how)
    converse(child, 0.8, a, b)
    for end, hz in ((a, 1000), (b, 400)):
        assert share(end.sound[12 * FRAME : 34 * FRAME], hz) > 0.6  # the rest is silence, where the machine was late
        packets = [packet for _, packet in end.heard]
        assert {(y.sequence - x.sequence) & 0xFFFF for x, y in pairwise(packets)} == {1}
        steps = {(y.timestamp - x.timestamp) & 0xFFFF_FFFF for x, y in pairwise(packets)}
        assert all(0 < step < 50 * FRAME and step % FRAME == 0 for step in steps), steps
        assert {packet.ssrc for packet in packets} == {packets[0].ssrc}
    child.send(wire.Part(B))
    assert (child.wait(wire.Parted, A), child.wait(wire.Parted, B)) == (wire.Parted(A), wire.Parted(B))


def test_closing_one_side_parts_the_other(child: MediaChild) -> None:
    child.open(A)
    child.open(B)
    child.send(wire.Join(A, B), wire.Close(A))
    child.wait(wire.Closed, A)
    assert child.told() == [wire.Joined(A, B, "relay"), wire.Joined(B, A, "relay"), wire.Parted(A), wire.Parted(B)]


def test_a_prompt_begins_at_once_lasts_its_time_and_ends(child: MediaChild, far_end, prompt) -> None:
    end = far_end(PCMA)
    end.connect(child, A, child.open(A))
    converse(child, 0.1, end)
    asked = len(end.heard)
    child.send(wire.Play(A, 7, (prompt("a.wav", 400, 200), prompt("b.wav", 800, 100)), 2, stop_on_digit=False))
    converse(child, 5.0, end, until=lambda: child.told(wire.PlayEnded))
    converse(child, 0.2, end)
    assert child.told() == [wire.PlayBegan(A, 7), wire.PlayEnded(A, 7, "done")]
    first = next(n for n, (at, packet) in enumerate(end.heard) if packet.payload != PCMA.silent_frame)
    assert first - asked < 50  # a second of the process's own time; a file is read beside it
    sound = end.sound[first * FRAME :]
    for begin, length, hz in ((0, 10, 400), (10, 5, 800), (15, 10, 400), (25, 5, 800)):
        assert share(sound[begin * FRAME : (begin + length) * FRAME], hz) > 0.95
    assert np.abs(sound[30 * FRAME :]).max() <= 8
    assert end.heard[first][1].marker


def test_a_file_that_cannot_be_played_fails_by_name(child: MediaChild, far_end, tmp_path: Path) -> None:
    end = far_end()
    end.connect(child, A, child.open(A))
    child.send(wire.Play(A, 1, (str(tmp_path / "none.wav"),), 1, stop_on_digit=False))
    ended = child.wait(wire.PlayEnded, A)
    assert ended == wire.PlayEnded(
        A, 1, "failed", f"{tmp_path}/none.wav: No such file or directory; check the path and its permissions"
    )


def test_a_digit_stops_a_prompt_within_a_frame_and_is_told_once(child: MediaChild, far_end, prompt) -> None:
    end = far_end()
    end.connect(child, A, child.open(A))
    child.send(wire.Play(A, 3, (prompt("long.wav", 400, 1000),), 0, stop_on_digit=True))
    before: list[int] = []

    def press(number: int) -> None:
        if 20 <= number < 27:
            end.hear()
            before.append(len(end.heard))
            end.press(5, number - 19)

    converse(child, 5.0, end, each=press, until=lambda: child.told(wire.DigitHeard))
    converse(child, 0.2, end)
    assert child.told() == [wire.PlayBegan(A, 3), wire.PlayEnded(A, 3, "digit"), wire.DigitHeard(A, "5", 100)]
    after = [packet for _, packet in end.heard[before[0] :]]
    # Two, and of a process that was late what it makes up for: less than the press lasts, and its prompt goes on for ever.
    assert sum(packet.payload != PCMU.silent_frame for packet in after) <= 6


def test_digits_are_sent_and_passed_on(child: MediaChild, far_end) -> None:
    a, b = far_end(PCMU), far_end(PCMU)
    for end, stream in ((a, A), (b, B)):
        end.connect(child, stream, child.open(stream))
    child.send(wire.Join(A, B), wire.SendDigits(A, "1", 60, 40))
    converse(child, 0.6, a, b, each=lambda number: b.press(9, number - 9) if 10 <= number < 17 else None)
    assert [(event.code, event.end) for event in a.events()[:5]] == [(1, False)] * 2 + [(1, True)] * 3
    assert {event.code for event in a.events()[5:]} == {9}
    assert [event.end for event in a.events()[5:]][-3:] == [True] * 3
    assert child.told(wire.DigitHeard) == [wire.DigitHeard(B, "9", 100)]


def test_hold_and_a_new_address(child: MediaChild, far_end) -> None:
    first, second = far_end(PCMU), far_end(PCMU)
    port = child.open(A)
    first.connect(child, A, port)
    converse(child, 0.2, first)
    first.connect(child, A, port, send=False, receive=False)
    child.caught_up()
    first.hear()
    first.heard.clear()
    converse(child, 0.3, first)
    assert first.heard == []
    second.connect(child, A, port)
    converse(child, 0.3, first, second)
    converse(child, 5.0, first, second, until=lambda: len(second.heard) >= 12)
    child.send(wire.Close(A))
    closed = child.wait(wire.Closed, A)
    assert len(first.heard) <= 1
    assert closed.dropped.stranger >= 10
    assert closed.dropped.held >= 10


def test_junk_of_every_kind_disturbs_nobody(child: MediaChild, far_end) -> None:
    chance = random.Random(7)
    a, b = far_end(PCMU, 400), far_end(PCMU, 1000)
    ports = {stream: child.open(stream) for stream in (A, B)}
    a.connect(child, A, ports[A])
    b.connect(child, B, ports[B])
    child.send(wire.Join(A, B))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:

        def shoot(_: int) -> None:
            for sender in (stranger, a.rtp):
                junk = chance.randbytes(chance.randrange(64))
                sender.sendto(junk, ("127.0.0.1", ports[A] + chance.randrange(2)))
                sender.sendto(b"\x80" + junk, ("127.0.0.1", ports[A]))

        converse(child, 0.8, a, b, each=shoot)
    assert share(b.sound[12 * FRAME : 34 * FRAME], 400) > 0.6
    child.send(wire.Close(A))
    dropped = child.wait(wire.Closed, A).dropped
    assert dropped.malformed > 30
    assert dropped.malformed_control > 10
    assert dropped.failures == 0


def test_commands_for_streams_that_are_not_there_are_counted(child: MediaChild) -> None:
    child.open(A)
    child.messages.clear()  # loads of tests before
    child.send(
        wire.Connect(NOBODY, "127.0.0.1", 4000, 0, None),
        wire.Play(NOBODY, 1, (), 1, stop_on_digit=False),
        wire.Stop(NOBODY),
        wire.SendDigits(NOBODY, "1", 100, 100),
        wire.Join(A, NOBODY),
        wire.Join(NOBODY, A),
        wire.Part(NOBODY),
        wire.Close(NOBODY),
    )
    assert child.wait(wire.Parted, A) == wire.Parted(A)
    assert child.wait(wire.Parted, NOBODY) == wire.Parted(NOBODY)
    loads = (child.wait(wire.Load) for _ in range(5))
    load = next((load for load in loads if load.strays >= 8), None)
    assert load is not None, "they were not counted"
    # Beside these eight, what `all_closed` closed without its being open.
    assert load == wire.Load(UUID(int=0), 1, load.late_ms, load.skipped, load.strays, 0, load.ports, load.ticks)
    assert len(load.ticks) == len(wire.TICK_LATE_MS) + 1
    assert sum(load.ticks) >= 50
    assert load.late_ms >= 0


def test_a_far_end_that_says_nothing_is_told_once(far_end) -> None:
    settings = msgspec.structs.replace(free_range(1), silence_s=0.2)
    with MediaChild(settings) as child:
        end = far_end()
        end.connect(child, A, child.open(A))
        assert child.wait(wire.WentSilent, A, within=3) == wire.WentSilent(A)
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            child.poll()
            time.sleep(0.02)
        assert child.told() == []


def test_ports_run_out_rest_and_come_back() -> None:
    settings = msgspec.structs.replace(free_range(2), port_quarantine_s=0.4)
    with MediaChild(settings) as child:
        first, second = child.open(A), child.open(B)
        child.send(wire.Open(NOBODY))
        assert "widen media.ports" in child.wait(wire.OpenFailed, NOBODY).detail
        child.send(wire.Close(B), wire.Close(A), wire.Open(NOBODY))
        child.wait(wire.OpenFailed, NOBODY)
        time.sleep(0.5)
        assert [child.open(B), child.open(A)] == [second, first]


def test_after_a_stall_the_clock_is_right_and_nothing_is_made_up_for(far_end) -> None:
    with MediaChild(free_range(1)) as child:
        end = far_end()
        end.connect(child, A, child.open(A))
        converse(child, 0.2, end)
        child.process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        end.hear()
        begin = time.monotonic()
        child.process.send_signal(signal.SIGCONT)
        converse(child, 0.3, end)
        before = [packet for at, packet in end.heard if at < begin][-1]
        after = [packet for at, packet in end.heard if at >= begin]
        assert (after[0].sequence - before.sequence) & 0xFFFF == 1
        assert 20 * FRAME <= (after[0].timestamp - before.timestamp) & 0xFFFF_FFFF <= 30 * FRAME
        assert after[0].marker
        assert len(after) <= 18
        assert any(child.wait(wire.Load).skipped >= 20 for _ in range(5))


def ends_by_itself(child: MediaChild, within: float) -> str:
    assert child.process.wait(within) == 0
    assert child.process.stderr is not None
    return child.process.stderr.read()


def test_it_ends_when_the_core_closes_the_link_and_not_at_a_signal() -> None:
    with MediaChild(free_range(1)) as child:
        for number in (signal.SIGINT, signal.SIGTERM):
            child.process.send_signal(number)
        time.sleep(0.1)
        child.open(A)
        child.sock.close()
        assert '"why":"end of file"' in ends_by_itself(child, 20)


def test_it_ends_when_the_core_is_silent_for_three_pings() -> None:
    with MediaChild(free_range(1)) as child:
        child.open(A)
        begin = time.monotonic()
        assert '"why":"silent for 1.5 s"' in ends_by_itself(child, 20)
        assert time.monotonic() - begin > 1.0


def test_it_ends_when_the_core_is_of_another_epoch() -> None:
    with MediaChild(free_range(1), epoch=4, greets=False) as child:
        child.send(ipc.Hello(ipc.PROTOCOL, 3))
        assert "epoch 3; ours is 4" in ends_by_itself(child, 20)


def test_it_dies_with_its_parent_even_if_the_link_stays_open() -> None:
    ours, theirs = socket.socketpair()
    settings = msgspec.json.encode(free_range(1)).decode()
    arguments = [sys.executable, "-m", "callwright.media.process", "--fd", str(theirs.fileno()), "--epoch", "1", settings]
    code = f"import subprocess, time; print(subprocess.Popen({arguments!r}, close_fds=False).pid, flush=True); time.sleep(60)"
    with (
        ours,
        theirs,
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, pass_fds=[theirs.fileno()]) as parent,
    ):
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        ours.settimeout(20)
        assert ours.recv(100)  # its greeting: it is up
        parent.kill()
        gone([pid])


def test_it_goes_before_other_processes_where_it_may() -> None:
    ask = "import os\ntry: os.setpriority(os.PRIO_PROCESS, 0, -5)\nexcept PermissionError: pass\nprint(os.nice(0))"
    allowed = int(subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, timeout=20).stdout)
    with MediaChild(free_range(1)) as child:
        assert os.getpriority(os.PRIO_PROCESS, child.process.pid) == allowed
    assert ("media_precedence_refused" in child.errors) == (allowed != -5)


def test_precedence_that_is_refused_is_said_with_its_remedy() -> None:
    """A user without the right, whose limit grants none: the child starts, and says what it lacks."""
    limits = "import os, resource; resource.setrlimit(resource.RLIMIT_NICE, (0, 0)); "
    if os.geteuid() == 0:
        limits += "os.setgid(65534); os.setuid(65534); "
    load = "from callwright import log; from callwright.media import process; log.configure('info'); "
    call = "process._take_precedence()"
    ended = subprocess.run([sys.executable, "-c", load + limits + call], capture_output=True, text=True, timeout=20, check=True)
    (line,) = [json.loads(line) for line in ended.stderr.splitlines()]
    assert {name: line[name] for name in ("level", "event", "wanted", "niceness", "remedy")} == {
        "level": "info",
        "event": "media_precedence_refused",
        "wanted": -5,
        "niceness": os.nice(0),
        "remedy": "allow it with LimitNICE=-5 in the unit, or ulimit -e 25 before the start",
    }


def test_a_range_without_a_pair_is_refused_at_the_start() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        settings = msgspec.json.encode(MediaSettings(first_port=40001, last_port=40002)).decode()
        ended = subprocess.run(
            [sys.executable, "-m", "callwright.media.process", "--fd", str(theirs.fileno()), "--epoch", "1", settings],
            pass_fds=[theirs.fileno()], capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    assert ended.returncode == 1
    assert "hold no even and odd pair: widen media.ports" in ended.stderr


async def test_it_speaks_with_the_link_of_the_core() -> None:
    ours, theirs = socket.socketpair()
    settings = msgspec.json.encode(free_range(1)).decode()
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "callwright.media.process", "--fd", str(theirs.fileno()), "--epoch", "9", settings],
        pass_fds=[theirs.fileno()], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    theirs.close()
    messages: asyncio.Queue[object] = asyncio.Queue()
    try:
        async with asyncio.timeout(20):
            await asyncio.get_running_loop().run_in_executor(None, lambda: ours.recv(1, socket.MSG_PEEK))
            link = await ipc.Link.over(ours, wire.MediaMessage, 9, messages.put_nowait, lambda why: None, pings=True)
            await link.ready
            link.send(wire.Open(A))
            seen = {type(await messages.get())}
            while len(seen) < 2:
                seen.add(type(await messages.get()))
        assert seen == {wire.Opened, wire.Load}
        link.close()
        assert await asyncio.get_running_loop().run_in_executor(None, process.wait, 20) == 0
    finally:
        process.kill()
        process.wait(5)
