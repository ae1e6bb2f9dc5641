"""The signalling process: ``python -m callwright.sip.process --fd N --sip-fd M --epoch N --settings JSON``.

One thread, one event loop: the SIP socket, sippy's timers and the link to the core. It dies with the core and keeps nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import heapq
import select
import signal
import socket
import sys
from collections.abc import Sequence
from random import SystemRandom

import msgspec
import uvloop
from sippy.Core.EventDispatcher import ED2
from sippy.Time.MonoTime import MonoTime

from callwright import log
from callwright.clock import Clock, SystemClock
from callwright.errors import SettingsError
from callwright.ipc import Link, LinkBroken
from callwright.sip import server, wire
from callwright.sip.exchange import Exchange
from callwright.sip.settings import SignallingSettings

BUSY_TICK_S = 0.01
IDLE_TICK_S = 0.25
SMALL_RECEIVE_BUFFER = 1 << 20
IDLE_GARBAGE = 1_000  # container objects made since the last collection
HOARDED_GARBAGE = 500_000  # the same, beyond what live legs explain: something leaks
OBJECTS_PER_LEG = 1_000
_PR_SET_PDEATHSIG = 1


class Signalling:
    """Drives sippy from the event loop: its socket, its timers, and the collector that it must not meet during calls."""

    link: Link  # set before anything is started

    def __init__(self, sip: socket.socket, settings: SignallingSettings, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self.exchange = Exchange(sip, settings, clock, SystemRandom(), self._tell, lambda: self.link.backlog)
        self._server = self.exchange.transactions.server
        # libuv gives up a socket that has an error to report (ICMP); one level down such a socket is merely readable.
        self._poll = select.epoll()
        self._poll.register(sip.fileno(), select.EPOLLIN)
        self._tick: asyncio.TimerHandle | None = None
        self._due_ns = 0
        self._reported = (0, 0)
        self._reading = False

    def start(self) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()
        self._arm(BUSY_TICK_S)
        self._loop.call_later(1.0, self._every_second)

    def command(self, message: msgspec.Struct) -> None:
        self.exchange.command(message)
        if isinstance(message, wire.Admit) and not self._reading:
            # Until then the kernel keeps what arrives: the dialogs of a predecessor are ended first.
            self._reading = True
            self._loop.add_reader(self._poll.fileno(), self._readable)
        self._wake()

    def _tell(self, message: msgspec.Struct) -> None:
        self.link.send(message)

    def _readable(self) -> None:
        self._server.drain()
        self._wake()

    def _arm(self, seconds: float) -> None:
        self._due_ns = self._clock.mono_ns() + round(seconds * 1e9)
        self._tick = self._loop.call_later(seconds, self._on_tick)

    def _wake(self) -> None:
        """There may be new timers; after an idle time the next tick is too far away for them."""
        if self._tick is not None and self._due_ns - self._clock.mono_ns() > BUSY_TICK_S * 1e9:
            self._tick.cancel()
            self._arm(BUSY_TICK_S)

    def _on_tick(self) -> None:
        self._tick = None
        self.exchange.admission.lateness.note(max(self._clock.mono_ns() - self._due_ns, 0) / 1e6)
        ED2.last_ts = MonoTime()
        ED2.dispatchTimers()
        if ED2.twasted * 2 > len(ED2.tlisteners):
            ED2.tlisteners = [timer for timer in ED2.tlisteners if timer.cb_func is not None]
            heapq.heapify(ED2.tlisteners)
            ED2.twasted = 0
        self._arm(IDLE_TICK_S if self.exchange.idle else BUSY_TICK_S)

    def _every_second(self) -> None:
        live, dropped, garbage = self.exchange.every_second()
        late_ms = self.exchange.admission.lateness.take_worst()
        dropped_now, garbage_now = dropped - self._reported[0], garbage - self._reported[1]
        self._reported = (dropped, garbage)
        self.link.send(wire.Load(wire.NO_LEG, live, late_ms, dropped_now, garbage_now))
        self._collect()
        self._loop.call_later(1.0, self._every_second)

    def _collect(self) -> None:
        """The collector stays off, for legs leave no cycles; look after them when nobody waits, or when that proves wrong."""
        made = gc.get_count()[0]
        if self.exchange.idle and made > IDLE_GARBAGE:
            gc.collect()
        elif made > HOARDED_GARBAGE + OBJECTS_PER_LEG * len(self.exchange.dialogs):
            found = gc.collect()
            self.exchange.log.warning("collected_under_load", objects=made, unreachable=found)


async def serve(link_socket: socket.socket, sip: socket.socket, epoch: int, settings: SignallingSettings) -> str:
    """Run until the core is gone; return why it is."""
    loop = asyncio.get_running_loop()
    gone: asyncio.Future[str] = loop.create_future()
    signalling = Signalling(sip, settings, SystemClock())
    link = signalling.link = Link(wire.CoreMessage, epoch, signalling.command, gone.set_result, pings=False)
    link_socket.setblocking(False)
    await loop.create_connection(lambda: link, sock=link_socket)
    try:
        await link.ready
    except LinkBroken as error:
        return str(error)
    signalling.start()
    return await gone


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL at the parent's death, and leave the signals of a terminal or service manager to it."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="callwright.sip.process", description="Callwright's signalling process")
    parser.add_argument("--fd", type=int, required=True, help="the link to the core, a connected stream socket")
    parser.add_argument("--sip-fd", type=int, required=True, help="a bound UDP socket")
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("--settings", default="{}", help="a JSON object, see callwright.sip.settings")
    options = parser.parse_args(arguments)
    die_with_parent()
    log.configure()
    own_log = log.Log("sip")
    try:
        settings = msgspec.json.decode(options.settings, type=SignallingSettings)
        log.configure(settings.log_level)
        sip = socket.socket(fileno=options.sip_fd)
        received = server.prepare(sip)
        if received < SMALL_RECEIVE_BUFFER:
            own_log.warning("small_receive_buffer", bytes=received, remedy="raise the sysctl net.core.rmem_max to 4194304")
        with socket.socket(fileno=options.fd) as link_socket, sip:
            why = uvloop.run(serve(link_socket, sip, options.epoch, settings))
    except (SettingsError, msgspec.MsgspecError) as error:
        own_log.error("bad_settings", error=str(error))
        return 2
    own_log.info("core_gone", why=why)
    return 0


if __name__ == "__main__":
    sys.exit(main())
