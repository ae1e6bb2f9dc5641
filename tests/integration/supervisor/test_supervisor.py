from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest
import uvloop

import callwright
from callwright import childprocess
from callwright.clock import SystemClock
from callwright.supervisor import Child, ChildFailed, Patience, State, Supervisor
from support.deaths import alive
from support.echo_child import Heard, Say
from support.litter import clear_litter

SOURCES = os.pathsep.join([str(Path(callwright.__file__).parents[1]), str(Path(__file__).parents[2])])
# which of them depends on whether the child had read all we sent
KILLED = ("down: end of file", "down: [Errno 104] Connection reset by peer")
QUICK = Patience(first_pause=0.01, longest_pause=0.02, leave=0.3)
PATIENCE_S = 40.0  # of a machine that does many other things


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", SOURCES)


class Core:
    """The owner of one echo child: what it was told, in order."""

    def __init__(self, behaviour: str = "", patience: Patience = QUICK, name: str = "echo", **options) -> None:
        self.told: asyncio.Queue[object] = asyncio.Queue()
        self.child = Child(
            name, "support.echo_child", Say | Heard, self.told.put_nowait, clock=options.pop("clock", None) or SystemClock(),
            arguments=["--behaviour", behaviour, *options.pop("arguments", ())],
            up=lambda link: self.told.put_nowait("up"), down=lambda why: self.told.put_nowait(f"down: {why}"),
            patience=patience, **options,
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        self.child.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.child.stop()

    async def next(self) -> object:
        async with asyncio.timeout(PATIENCE_S):
            return await self.told.get()

    async def echo(self, text: str) -> Heard:
        self.child.link.send(Say(text))
        heard = await self.next()
        assert isinstance(heard, Heard)
        return heard


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def lines(caplog, event: str) -> list[dict[str, object]]:
    return [record.fields for record in caplog.records if record.getMessage() == event]


async def start_crash_restart() -> None:
    async with Core() as core:
        await core.child.started()
        assert await core.next() == "up"
        pid = core.child.pid
        assert core.child.unhealthy() is None
        assert await core.echo("hello") == Heard("hello", pid, 1)

        os.kill(pid, signal.SIGKILL)
        assert await core.next() in KILLED
        assert core.child.unhealthy() == "echo is down"
        assert core.child.link is None
        assert await core.next() == "up"
        assert await core.echo("again") == Heard("again", core.child.pid, 2)
        assert core.child.pid != pid
    assert core.told.empty()
    assert core.child.state is State.STOPPED


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_killed_child_is_started_again(loop):
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(start_crash_restart())


@pytest.fixture
def ends_in_its_time(monkeypatch):
    """A child's status is its own, however long it takes to end."""
    monkeypatch.setattr(childprocess, "DYING_S", PATIENCE_S)


@pytest.mark.usefixtures("ends_in_its_time")
async def test_a_death_is_told_with_status_and_last_words(caplog):
    async with Core() as core:
        assert await core.next() == "up"
        core.child.link.send(Say("crash"))
        assert await core.next() in KILLED
        assert await core.next() == "up"
    (died,) = lines(caplog, "child_died")
    assert died.pop("lived_s") >= 0
    assert f"down: {died.pop('why')}" in KILLED
    assert died == {"child": "echo", "epoch": 1, "status": "exit 7", "pause_s": 0.01}


async def test_what_a_child_says_before_it_ends_is_heard():
    async with Core() as core:
        assert await core.next() == "up"
        pid = core.child.pid
        core.child.link.send(Say("farewell"))
        assert await core.next() == Heard("farewell", pid, 1)
        assert await core.next() in KILLED


async def test_a_child_that_only_dies_is_unhealthy(caplog):
    patience = Patience(first_pause=0.01, longest_pause=0.02, deaths=2)
    async with Core("crash at start", patience) as core:
        with pytest.raises(ChildFailed) as caught:
            await core.child.started()
        assert str(caught.value) == "echo died more than 2 times within 60 s; the log has its last words"
        assert core.child.unhealthy() == "echo died more than 2 times within 60 s"
        assert core.told.empty()
    died = lines(caplog, "child_died")[:3]
    assert [(one["epoch"], one["status"], one["pause_s"]) for one in died] == [
        (1, "exit 3", 0.01),
        (2, "exit 3", 0.02),
        (3, "exit 3", 0.02),
    ]
    assert [one["why"] for one in died] == ["ended before it greeted"] * 3
    assert lines(caplog, "child_unhealthy") == [{"child": "echo", "deaths": 3, "window_s": 60.0}]
    first, second, *_ = (one["line"] for one in lines(caplog, "child_last_words"))
    assert (first, second) == ("x" * (2048 - len("\nlast line\n")), "last line")


class Settling(SystemClock):
    """A life has been a long one when the test says so: `settle`."""

    def call_later(self, seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        if seconds == LONG.settled:
            self.settle = callback
        return super().call_later(seconds, callback)


LONG = Patience(first_pause=0.01, longest_pause=1.0, deaths=1, settled=599.0)


async def test_a_long_life_makes_it_healthy_again(caplog):
    caplog.set_level(logging.INFO, "callwright")
    clock = Settling()
    async with Core(patience=LONG, clock=clock) as core:
        for _ in range(2):
            assert await core.next() == "up"
            os.kill(core.child.pid, signal.SIGKILL)
            assert await core.next() in KILLED
        assert await core.next() == "up"
        # it is up, and yet not relied on
        assert core.child.unhealthy() == "echo died more than 1 times within 60 s"
        clock.settle()
        assert core.child.unhealthy() is None
        assert lines(caplog, "child_healthy") == [{"child": "echo", "epoch": 3}]
        os.kill(core.child.pid, signal.SIGKILL)
        assert await core.next() in KILLED
        assert await core.next() == "up"
    assert [one["pause_s"] for one in lines(caplog, "child_died")] == [0.01, 0.02, 0.01]


async def test_a_child_that_does_not_do_its_work_is_ended_from_here(caplog):
    async with Core() as core:
        assert await core.next() == "up"
        core.child.kill()
        assert await core.next() in KILLED
        assert await core.next() == "up"
    (died,) = lines(caplog, "child_died")
    assert died["status"] == "signal 9 (SIGKILL)"
    core.child.kill()  # there is none, and nothing happens


async def test_what_calls_do_not_need_is_neither_waited_for_nor_judged():
    needed = Core()
    other = Core("crash at start", Patience(first_pause=0.01, longest_pause=0.02, deaths=1), "other", essential=False)
    supervisor = Supervisor([needed.child, other.child])
    supervisor.start()
    await supervisor.started()
    await until(lambda: other.child.unhealthy() == "other died more than 1 times within 60 s")
    assert supervisor.unhealthy() is None
    assert [child.name for child in supervisor.children] == ["echo", "other"]
    await supervisor.stop()


async def test_a_child_of_another_epoch_is_not_listened_to(caplog):
    async with Core("old epoch") as core:
        await until(lambda: len(lines(caplog, "child_died")) >= 2)
        assert core.told.empty()
        assert [one["why"] for one in lines(caplog, "child_died")][:2] == [
            "a peer of protocol 1, epoch 0",
            "a peer of protocol 1, epoch 1",
        ]


async def test_a_child_that_never_greets(caplog):
    async with Core("mute", Patience(first_pause=0.01, greeting=0.3, leave=0.1)) as core:
        await until(lambda: bool(lines(caplog, "child_died")))
        died = lines(caplog, "child_died")[0]
        assert (died["why"], died["status"]) == ("did not greet within 0.3 s", "signal 9 (SIGKILL)")
        assert core.told.empty()


async def test_a_module_that_is_not_there(caplog):
    child = Child("ghost", "support.no_such_child", Say, print, clock=SystemClock(), patience=QUICK)
    child.start()
    await until(lambda: bool(lines(caplog, "child_last_words")))
    await child.stop()
    assert "No module named support.no_such_child" in lines(caplog, "child_last_words")[0]["line"]


@pytest.mark.parametrize(
    ("behaviour", "leave", "status"),
    [("", PATIENCE_S, "exit 0"), ("deaf to the link", 1.0, "signal 15 (SIGTERM)"), ("deaf", 0.1, "signal 9 (SIGKILL)")],
)
async def test_stopping(caplog, behaviour, leave, status):
    caplog.set_level(logging.INFO, "callwright")
    async with Core(behaviour, Patience(leave=leave)) as core:
        assert await core.next() == "up"
        pid = core.child.pid
    assert lines(caplog, "child_stopped") == [{"child": "echo", "epoch": 1, "status": status}]
    assert lines(caplog, "child_died") == []
    assert not alive(pid)
    assert core.told.empty()


async def test_stopping_one_that_is_not_up():
    core = Core("mute", Patience(leave=0.1))
    core.child.start()
    await until(lambda: core.child.pid is not None)
    pid = core.child.pid
    waiting = asyncio.create_task(core.child.started())
    await asyncio.sleep(0)
    await core.child.stop()
    with pytest.raises(ChildFailed, match="echo was stopped before it was up"):
        await waiting
    assert not alive(pid)


@pytest.mark.usefixtures("ends_in_its_time")
async def test_a_link_that_cannot_be_made_is_a_death(caplog):
    patience = Patience(first_pause=0.01, longest_pause=0.02, deaths=1)
    child = Child("echo", "support.echo_child", dict[int, Say], print, clock=SystemClock(), patience=patience)
    child.start()
    with pytest.raises(ChildFailed):
        await child.started()
    await child.stop()
    assert [(one["why"], one["status"]) for one in lines(caplog, "child_died")] == [("a fault of the core", "exit 0")] * 2


async def test_descriptors_are_handed_on_and_none_is_left():
    ours, theirs = socket.socketpair()
    clear_litter()
    before = len(os.listdir("/proc/self/fd"))
    with ours, theirs:
        async with Core(arguments=["--inherited", str(theirs.fileno())], descriptors=[theirs.fileno()]) as core:
            assert await core.next() == "up"
            assert ours.recv(20) == b"inherited"
            os.kill(core.child.pid, signal.SIGKILL)
            assert await core.next() in KILLED
            assert await core.next() == "up"
            assert ours.recv(20) == b"inherited"
        await until(lambda: len(os.listdir("/proc/self/fd")) <= before)


async def test_what_a_child_logs_is_logged(caplog):
    caplog.set_level(logging.DEBUG, "callwright")
    async with Core("noisy") as core:
        assert await core.next() == "up"
        await until(lambda: bool(lines(caplog, "child_said")))
    assert lines(caplog, "echo_ready") == [{"child": "echo", "number": "***678"}]
    assert next(record for record in caplog.records if record.getMessage() == "echo_ready").levelname == "WARNING"
    assert lines(caplog, "child_said") == [{"child": "echo", "line": "plain words"}]


async def test_a_fault_of_the_core_does_not_cost_the_child(caplog):
    def fail(message: object) -> None:
        raise RuntimeError("no")

    core = Core()
    core.child._receive = fail
    async with core:
        assert await core.next() == "up"
        core.child.link.send(Say("hello"))
        await until(lambda: bool(lines(caplog, "child_callback_failed")))
        assert core.child.unhealthy() is None
    assert core.told.empty()


ORPHANAGE = """
import asyncio
from callwright.clock import SystemClock
from callwright.supervisor import Child, Supervisor
from support.echo_child import Heard, Say

async def main():
    child = Child("echo", "support.echo_child", Say | Heard, print, clock=SystemClock())
    supervisor = Supervisor([child])
    supervisor.start()
    await supervisor.started()
    print(child.pid, flush=True)
    await asyncio.sleep(30)

asyncio.run(main())
"""


async def core_ends_by(end: signal.Signals) -> None:
    core = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ORPHANAGE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert core.stdout is not None
    pid = int(await core.stdout.readline())
    assert alive(pid)
    core.send_signal(end)
    try:
        await until(lambda: not alive(pid))
    finally:
        if core.returncode is None:
            core.kill()
        await core.wait()


async def freeze_a_child(caplog) -> None:
    async with Core(name="frozen") as core:
        assert await core.next() == "up"
        frozen = core.child.pid
        os.kill(frozen, signal.SIGSTOP)
        assert await core.next() == "down: silent for 1.5 s"
        assert await core.next() == "up"
        assert not alive(frozen)
    (died,) = (one for one in lines(caplog, "child_died") if one["child"] == "frozen")
    assert (died["why"], died["status"]) == ("silent for 1.5 s", "signal 9 (SIGKILL)")


async def start_slowly(caplog) -> None:
    cores = [Core("slow to import", name="slow-1"), Core("slow to import", name="slow-2")]
    supervisor = Supervisor([core.child for core in cores])
    supervisor.start()
    assert supervisor.unhealthy() == "slow-1 is starting"
    await until(lambda: all(core.child.pid is not None for core in cores))
    assert [core.child.state for core in cores] == [State.STARTING, State.STARTING]
    await supervisor.started()
    assert supervisor.unhealthy() is None
    await supervisor.stop()
    assert [core.child.state for core in cores] == [State.STOPPED, State.STOPPED]
    assert not [one for one in lines(caplog, "child_died") if one["child"] != "frozen"]


async def test_silence_means_death_and_slow_imports_do_not(caplog):
    # each takes the two seconds after which silence counts, so they share them
    await asyncio.gather(
        freeze_a_child(caplog), start_slowly(caplog), core_ends_by(signal.SIGKILL), core_ends_by(signal.SIGSTOP)
    )


def environment_of(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


async def test_a_child_is_told_no_secrets(monkeypatch):
    monkeypatch.setenv("CALLWRIGHT_RECORDINGS__KEYS", "k1:secret")
    async with Core() as core:
        assert await core.next() == "up"
        told = environment_of((await core.echo("hello")).pid)
    assert any(line.startswith(b"PYTHONPATH=") for line in told)
    assert not [line for line in told if line.startswith((b"CALLWRIGHT_", b"NOTIFY_"))]
