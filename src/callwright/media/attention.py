"""Looking for keys, voices and beeps in the sound of all streams that somebody wants to hear of, at once at every tick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from callwright.media.dtmf import BLOCK, KEYS, NO_KEY, keys_of
from callwright.media.ear import Ear
from callwright.media.g711 import FRAME, PCMU, SAMPLE_RATE
from callwright.media.stream import Stream
from callwright.media.voice import levels, pitches
from callwright.media.wire import BeepHeard, MediaMessage, VoiceChanged

_LOUD: Final = -40.0  # dBFS of a frame that may be a beep
_RIPENS: Final = SAMPLE_RATE // 10  # a press may still turn out to be the begin of a telephone-event
_SAMPLES = PCMU.decode(bytes(range(256))).astype(np.float32)


class Attention:
    """Streams whose ear is open. `fail` is told of a stream that could not be looked at."""

    def __init__(self, report: Callable[[MediaMessage], None], fail: Callable[[Stream], None]) -> None:
        self._report = report
        self._fail = fail
        self._streams: dict[UUID, Stream] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def detect_keys(self, stream: Stream, on: bool) -> None:
        ear = stream.tapped().ear
        ear.wants_keys = on
        if not on:
            self._finish_press(stream, ear)
        ear.attend()
        self.admit(stream)

    def listen(self, stream: Stream, on: bool) -> None:
        ear = stream.tapped().ear
        began = on and not ear.listens
        ear.listens = on
        ear.attend()
        self.admit(stream)
        if began and ear.voice.speaking:
            self._report(VoiceChanged(stream.id, True, 0))

    def admit(self, stream: Stream) -> None:
        """Look after a stream while its ear is open."""
        if stream.tapped().ear.is_open:
            self._streams[stream.id] = stream

    def leave(self, stream: Stream) -> None:
        """The stream is closed; a press that was not told yet is."""
        if self._streams.pop(stream.id, None) is not None:
            self._finish_press(stream, stream.tapped().ear)

    def tick(self, now: int) -> None:
        if not self._streams:
            return
        for stream in [stream for stream in self._streams.values() if not stream.tapped().ear.is_open]:
            del self._streams[stream.id]
        self._look_for_keys(now)
        self._look_for_voices(now)

    def _look_for_keys(self, now: int) -> None:
        found, blocks = self._gathered(Ear.whole_blocks, BLOCK, now)
        if not found:
            return
        keys = keys_of(blocks).tolist() if len(blocks) else []
        at = 0
        for stream, ear, count in found:
            try:
                self._take_keys(stream, ear, keys[at : at + count], now)
            except Exception:
                self._fail(stream)
            at += count

    def _take_keys(self, stream: Stream, ear: Ear, keys: list[int], now: int) -> None:
        presses = ear.presses
        if ear.told is not None and now >= ear.ripe_at:
            self._tell_press(stream, ear)
        for number, key in enumerate(keys):
            if key == NO_KEY and presses.is_idle:
                continue
            before = presses.pressed
            ended = presses.block(key)
            if ended is not None:
                self._tell_press(stream, ear)
                ear.told = ended
                ear.ripe_at = now + _RIPENS if stream.event_type is not None else now
            if presses.pressed not in (NO_KEY, before) or (ended is not None and presses.pressed != NO_KEY):
                self._tell_press(stream, ear)
                stream.hear_tone(KEYS[key], ear.head - (len(keys) - number + 1) * BLOCK, now)
        if ear.told is not None and now >= ear.ripe_at:
            self._tell_press(stream, ear)

    def _tell_press(self, stream: Stream, ear: Ear) -> None:
        told, ear.told = ear.told, None
        if told is not None:
            stream.hear_tone_end(KEYS[told[0]], told[1] * BLOCK * 1000 // SAMPLE_RATE)

    def _finish_press(self, stream: Stream, ear: Ear) -> None:
        """Tell of a press although it is not over."""
        self._tell_press(stream, ear)
        if ear.presses.pressed != NO_KEY:
            ear.told = ear.presses.release()
            self._tell_press(stream, ear)

    def _look_for_voices(self, now: int) -> None:
        found, frames = self._gathered(Ear.whole_frames, FRAME, now)
        if not len(frames):
            return
        loudness = levels(frames)
        loud = np.flatnonzero(loudness >= _LOUD)
        hz = np.zeros(len(frames))
        if len(loud):
            hz[loud] = pitches(frames[loud])
        level_of, hz_of = loudness.tolist(), hz.tolist()
        at = 0
        for stream, ear, count in found:
            try:
                for number in range(at, at + count):
                    self._take_frame(stream, ear, level_of[number], hz_of[number], now)
            except Exception:
                self._fail(stream)
            at += count

    def _take_frame(self, stream: Stream, ear: Ear, level: float, hz: float, now: int) -> None:
        ago_ms = ear.voice.frame(level)
        if ear.voice.speaking and ear.voice.voiced:
            ear.spoke_at = now
        if not ear.listens:
            return
        if ago_ms is not None:
            self._report(VoiceChanged(stream.id, ear.voice.speaking, ago_ms))
        if (hz or not ear.beep.is_idle) and ear.beep.frame(hz):
            self._report(BeepHeard(stream.id))

    def _gathered(
        self, take: Callable[[Ear, int], bytes], size: int, now: int
    ) -> tuple[list[tuple[Stream, Ear, int]], NDArray[np.float32]]:
        """What waits in all ears, a row for each block or frame, and how many rows each has."""
        found = []
        pieces = []
        for stream in self._streams.values():
            ear = stream.tapped().ear
            piece = take(ear, now)
            if piece or ear.told is not None:
                found.append((stream, ear, len(piece) // size))
                pieces.append(piece)
        codes = np.frombuffer(b"".join(pieces), np.uint8)
        return found, _SAMPLES.take(codes).reshape(-1, size)
