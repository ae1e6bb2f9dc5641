"""Legs with recordings, detectors and conversations around them, as a media process has; time is the number of the tick."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

import numpy as np

from callwright.audiofile import open_sound
from callwright.media import rtp, wire
from callwright.media.attention import Attention
from callwright.media.conversation import Conversations
from callwright.media.disk import Disk
from callwright.media.studio import Studio
from support.sound import FRAME
from support.streams import Came, Leg

RECORDING = UUID(int=77)


class DiskAtOnce(Disk):
    """Writes in the caller's thread; while `stalls`, nothing is done."""

    def __init__(self) -> None:
        super().__init__(lambda: None)
        self.stalls = False

    def go_on(self) -> None:
        while self._work and not self.stalls:
            self._do_next()


class Surroundings:
    """Everything that a plane has around its streams but the ports."""

    def __init__(self, *legs: Leg) -> None:
        self.legs = legs
        self.told: list[object] = []
        self.disk = DiskAtOnce()
        self.failed: list[object] = []
        self.conversations = Conversations(self.told.append, self.failed.append)
        self.attention = Attention(self.told.append, self.failed.append)
        self.studio = Studio(self.disk, self.told.append, self.failed.append)
        self.ticks = 0
        for leg in legs:
            leg.conversations = self.conversations
            leg.told = self.told
            leg.stream._report = self.told.append

    @property
    def now(self) -> int:
        return self.ticks * FRAME

    def record(self, leg: Leg, path: Path, tracks: str = "from", **options: object) -> None:
        recording = options.pop("recording", RECORDING)
        message = wire.Record(leg.stream.id, recording, str(path), tracks, **options)  # type: ignore[arg-type]
        self.studio.record(leg.stream, message, self.now)
        self.attention.admit(leg.stream)
        self.studio.collect()

    def stop(self, recording: UUID = RECORDING) -> None:
        self.studio.stop(wire.StopRecord(UUID(int=0), recording), self.now)
        self.tick(1)

    def tick(self, ticks: int, came: Iterable[tuple[Leg, Came]] = ()) -> None:
        """Let so many ticks pass; packets come at their times, and all is said in the order in which a plane does it."""
        queue = sorted(came, key=lambda one: one[1].at, reverse=True)
        for _ in range(ticks):
            self.ticks += 1
            while queue and queue[-1][1].at <= self.now:
                leg, one = queue.pop()
                for each in self.legs:
                    each.now = one.at
                leg.stream.receive(rtp.serialize(one.packet), one.source, one.at)
            for each in self.legs:
                each.now = self.now
            self.attention.tick(self.now)
            self.conversations.tick(self.now)
            for each in self.legs:
                each.stream.tick(self.now)
            self.studio.tick(self.now)
            self.studio.collect()

    def of(self, *kinds: type) -> list[object]:
        return [message for message in self.told if isinstance(message, kinds)]


def sound_of(path: Path, key: bytes = b"") -> np.ndarray:
    """The samples of a recording, a column for each channel."""
    with open_sound(path, key) as opened:
        data = opened.read(44, opened.size)
        return np.frombuffer(data, "<i2").reshape(-1, opened.channels)
