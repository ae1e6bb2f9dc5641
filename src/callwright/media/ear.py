"""What one stream's far end says, as it comes, for whoever looks for something in it; nothing is kept while nobody does."""

from __future__ import annotations

from typing import Final

from callwright.media.dtmf import BLOCK, Presses
from callwright.media.g711 import FRAME, PCMU, SAMPLE_RATE, TRANSLATED, Law
from callwright.media.voice import Beep, Voice

STARVED: Final = 3 * FRAME  # without a packet: the far end sends nothing while it is silent
_MOST: Final = SAMPLE_RATE // 2  # that may wait, after a stall


class Ear:
    """Codes are kept in mu-law, whatever the stream speaks. Times are media time.

    `keys` and `frames` are sound that was not looked at yet, in blocks and in frames; None while nobody asks for it.
    `takes_events` is set for good by the first telephone-event: its sender does not press keys in sound besides.
    """

    __slots__ = (
        "_table",
        "beep",
        "frames",
        "head",
        "heard_at",
        "keys",
        "listens",
        "presses",
        "ripe_at",
        "spoke_at",
        "takes_events",
        "told",
        "voice",
        "wants_keys",
        "watchers",
    )

    def __init__(self, law: Law) -> None:
        self.wants_keys = False
        self.listens = False
        self.watchers = 0
        self.takes_events = False
        self.keys: bytearray | None = None
        self.frames: bytearray | None = None
        self.head = 0
        self.heard_at = 0
        self.spoke_at = 0
        self.presses = Presses()
        self.told: tuple[int, int] | None = None  # a press that is over and not told yet: its key and how many blocks
        self.ripe_at = 0
        self.voice = Voice()
        self.beep = Beep()
        self.agree(law)

    @property
    def is_open(self) -> bool:
        return self.keys is not None or self.frames is not None

    def agree(self, law: Law) -> None:
        self._table = None if law is PCMU else TRANSLATED[law.payload_type, PCMU.payload_type]

    def attend(self) -> None:
        """Begin to keep what is asked for now, and no more what is not."""
        if not self.wants_keys or self.takes_events:
            self.keys = None
            self.presses = Presses()
            self.told = None
        elif self.keys is None:
            self.keys = bytearray()
        if not self.listens and not self.watchers:
            self.frames = None
        elif self.frames is None:
            self.frames = bytearray()
            self.voice, self.beep = Voice(), Beep()

    def hear(self, timestamp: int, payload: bytes, now: int) -> None:
        self.heard_at = now
        if self.keys is None and self.frames is None:
            return
        if self._table is not None:
            payload = payload.translate(self._table)
        if self.keys is not None:
            if len(self.keys) > _MOST:
                self.keys.clear()
            self.head = timestamp - len(self.keys)
            self.keys += payload
        if self.frames is not None:
            if len(self.frames) > _MOST:
                self.frames.clear()
            self.frames += payload

    def whole_blocks(self, now: int) -> bytes:
        """Blocks to be looked at now, taken from `keys`; silence ends a press whose packets stopped coming."""
        keys = self.keys
        if keys is None:
            return b""
        length = len(keys) // BLOCK * BLOCK
        if not length:
            starved = not self.presses.is_idle and now - self.heard_at >= STARVED
            return PCMU.silent_frame[:BLOCK] if starved else b""
        found = bytes(keys[:length])
        del keys[:length]
        self.head += length
        return found

    def whole_frames(self, now: int) -> bytes:
        """The same of `frames`: silence for the time in which no packets come."""
        frames = self.frames
        if frames is None:
            return b""
        length = len(frames) // FRAME * FRAME
        if not length:
            return PCMU.silent_frame if now - self.heard_at >= STARVED else b""
        found = bytes(frames[:length])
        del frames[:length]
        return found
