"""A plane on real ports whose prompts are read, and whose recordings are written, when the test says so."""

from __future__ import annotations

import errno
import random
from uuid import UUID

from callwright.clock import SystemClock
from callwright.media import wire
from callwright.media.clips import Clip
from callwright.media.disk import Disk
from callwright.media.plane import Plane
from callwright.media.ports import PortPool
from support.media_child import free_range
from support.sound import FRAME

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
    def __init__(self, quarantine_s: float = 5.0, disk: Disk | None = None) -> None:
        settings = free_range(3)
        self.library = SlowLibrary()
        self.disk = disk or Disk(lambda: None)
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
