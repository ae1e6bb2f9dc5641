"""The media process: ``python -m callwright.media.process --fd N --epoch N SETTINGS``.

One thread, one loop: wait for datagrams until the next tick is due, take them in, and every 20 ms fill a slot of all
streams at once. No asyncio, and no garbage collection while a call is up: what a stream leaves behind has no cycles.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import resource
import secrets
import select
import signal
import socket
import sys
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
import numpy as np

from callwright import log
from callwright.clock import Clock, SystemClock
from callwright.log import Log
from callwright.media.clips import ClipLibrary
from callwright.media.disk import Disk
from callwright.media.dtmf import BLOCK, keys_of
from callwright.media.g711 import FRAME, LAWS, SAMPLE_RATE
from callwright.media.jitter import CATCH_UP
from callwright.media.keypad import tone
from callwright.media.latch import Address
from callwright.media.link import CoreGone, CoreLink
from callwright.media.plane import TICKS_A_SECOND, Entropy, Plane, Receive
from callwright.media.ports import NoPorts, PortPool
from callwright.media.settings import MediaSettings
from callwright.media.voice import pitches
from callwright.media.wire import TICK_LATE_MS, CoreMessage

_SAMPLE_NS: Final = 1_000_000_000 // SAMPLE_RATE
_TICK_NS: Final = FRAME * _SAMPLE_NS
_LATE_NS: Final = tuple(bound * 1_000_000 for bound in TICK_LATE_MS)
_BATCH: Final = 64  # datagrams taken in before the clock is looked at again
_LARGEST: Final = 2048  # bytes of a datagram that are read
_NICENESS: Final = -5
_LAST_WORDS_S: Final = 0.4  # for the files of recordings; who waits for this process to end kills it after half a second
_PR_SET_PDEATHSIG: Final = 1

_log = Log("media")


class MediaProcess:
    """The loop. Media time is zero when it is built."""

    def __init__(self, settings: MediaSettings, sock: socket.socket, epoch: int, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._origin_ns = clock.mono_ns()
        self._due_ns = self._origin_ns + _TICK_NS
        self._epoll = select.epoll()
        self._readers: dict[int, tuple[Callable[[int], tuple[bytes, Address]], Receive]] = {}
        self._link = CoreLink(sock, CoreMessage, epoch, self._command, self._origin_ns)
        self._writable_wanted = False
        self._threads_ready = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._library = ClipLibrary(settings.cache_mb << 20, self._wake)
        pool = PortPool(settings.bind, settings.first_port, settings.last_port, settings.port_quarantine_s, entropy(16))
        self._plane = Plane(pool, self._library, Disk(self._wake), self, clock, entropy, self._link.send, settings.silence_s)
        self._now = 0
        self._ticks = 0
        self._late_ns = 0
        self._late = [0] * (len(_LATE_NS) + 1)
        self._skipped = 0
        self._littered = False

    def run(self) -> str:
        """Work until the core is gone; return why it is thought to be."""
        self._epoll.register(self._link, select.EPOLLIN)
        self._epoll.register(self._threads_ready, select.EPOLLIN)
        try:
            self._link.flush()
            while True:
                self._turn()
        except CoreGone as gone:
            return str(gone)
        finally:
            self._plane.close(_LAST_WORDS_S, self._now)
            self._library.close()
            self._epoll.close()
            os.close(self._threads_ready)

    def watch(self, sock: socket.socket, receive: Receive) -> None:
        self._epoll.register(sock, select.EPOLLIN)
        self._readers[sock.fileno()] = (sock.recvfrom, receive)

    def forget(self, sock: socket.socket) -> None:
        # Closing it takes it out of the epoll set.
        self._readers.pop(sock.fileno(), None)

    def _turn(self) -> None:
        wait_ns = self._due_ns - self._clock.mono_ns()
        ready = self._epoll.poll(max(wait_ns, 0) / 1e9, _BATCH)
        now_ns = self._clock.mono_ns()
        self._now = (now_ns - self._origin_ns) // _SAMPLE_NS
        self._read(ready)
        if now_ns >= self._due_ns:
            if now_ns - self._due_ns >= _TICK_NS:
                # Each tick that is made up for gets a packet of each stream first, or buffers would take them for late.
                self._read(self._epoll.poll(0, len(self._readers) + 2))
            self._tick(now_ns)
        self._link.flush()
        if self._link.is_waiting != self._writable_wanted:
            self._writable_wanted = self._link.is_waiting
            self._epoll.modify(self._link, select.EPOLLIN | (select.EPOLLOUT if self._writable_wanted else 0))

    def _read(self, ready: list[tuple[int, int]]) -> None:
        """Take in one datagram of each that is ready."""
        readers, now = self._readers, self._now
        for descriptor, _ in ready:
            reader = readers.get(descriptor)
            if reader is None:
                self._other_event(descriptor)
                continue
            recvfrom, receive = reader
            try:
                data, source = recvfrom(_LARGEST)
            except OSError:
                continue  # a datagram with a bad checksum wakes and is gone
            receive(data, source, now)

    def _tick(self, now_ns: int) -> None:
        self._late_ns = max(self._late_ns, now_ns - self._due_ns)
        self._late[bisect_left(_LATE_NS, now_ns - self._due_ns)] += 1
        behind = (now_ns - self._due_ns) // _TICK_NS
        if behind >= CATCH_UP:
            self._skipped += behind
            self._late[-1] += behind
            self._ticks += behind
            self._due_ns += behind * _TICK_NS
        self._plane.tick((self._due_ns - self._origin_ns) // _SAMPLE_NS)
        self._due_ns += _TICK_NS
        self._ticks += 1
        if self._ticks >= TICKS_A_SECOND:
            self._ticks = 0
            self._each_second()
        self._link.check(now_ns)

    def _each_second(self) -> None:
        self._link.send(self._plane.load(self._late_ns / 1e6, self._skipped, self._now, tuple(self._late)))
        if self._skipped:
            _log.warning("media_stalled", ticks_skipped=self._skipped, late_ms=self._late_ns // 1_000_000)
        self._late_ns = self._skipped = 0
        self._late = [0] * len(self._late)
        if len(self._plane):
            self._littered = True
        elif self._littered:
            gc.collect()
            self._littered = False

    def _other_event(self, descriptor: int) -> None:
        if descriptor == self._link.fileno():
            self._link.read()
        elif descriptor == self._threads_ready:
            os.eventfd_read(self._threads_ready)
            self._plane.collect()

    def _wake(self) -> None:
        """Called from threads that have something for the loop."""
        with suppress(OSError):  # the loop is over, and the thread not yet
            os.eventfd_write(self._threads_ready, 1)

    def _command(self, message: Any) -> None:
        self._plane.handle(message, self._now)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="callwright.media.process", description="Carries the sound of calls; started by the server."
    )
    parser.add_argument("--fd", type=int, required=True, help="descriptor of the socket pair's end")
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument(
        "settings", type=lambda text: msgspec.json.decode(text, type=MediaSettings), help="JSON of MediaSettings"
    )
    options = parser.parse_args(arguments)
    log.configure(options.settings.log_level)
    _die_with_parent()
    _take_precedence()
    # A terminal's Ctrl-C and a service manager's SIGTERM go to the whole group; calls last until the core has drained.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        process = MediaProcess(
            options.settings, socket.socket(fileno=options.fd), options.epoch, SystemClock(), secrets.randbits
        )
    except (NoPorts, OSError) as error:
        _log.error("media_cannot_start", detail=str(error))
        return 1
    _warm_up()
    _log.info("media_stopped", why=process.run())
    return 0


def _die_with_parent() -> None:
    """Have the kernel end this process with its parent; end of file on the socket says so too, if later."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _take_precedence() -> None:
    """Sound that is late is lost, so it goes before everything else that this machine does, where that may be asked for."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    except PermissionError:
        _log.info(
            "media_precedence_refused",
            wanted=_NICENESS,
            niceness=os.getpriority(os.PRIO_PROCESS, 0),
            remedy=f"allow it with LimitNICE={_NICENESS} in the unit, or ulimit -e {20 - _NICENESS} before the start",
        )


def _warm_up() -> None:
    for law in LAWS.values():
        tone("1", 5, law.payload_type)
    # What is done for the first time in numpy takes milliseconds.
    keys_of(np.full((2, BLOCK), 8000, np.float32))
    pitches(np.full((2, FRAME), 8000, np.float32))
    sys.setswitchinterval(0.0005)  # a thread that reads a prompt gives way within half a millisecond
    gc.collect()
    gc.freeze()
    gc.disable()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
