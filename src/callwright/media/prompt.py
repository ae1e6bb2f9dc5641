"""A list of clips that is played on a stream."""

from __future__ import annotations

from callwright.media.clips import Clip
from callwright.media.g711 import FRAME, Law


class Prompt:
    """Hand out frames, clip after clip without a seam, `repeat` times over (0: until somebody stops asking).

    Clips come in parts, each of which is expected before it is there. Silence is handed out where one is not there in time, and
    while `more` parts are to be expected; the first clip follows the last once that is known.
    """

    def __init__(self, play: int, repeat: int, *, stop_on_digit: bool, more: bool = False) -> None:
        self.play = play
        self.stop_on_digit = stop_on_digit
        self.began = False
        self.more = more
        self._parts: list[tuple[Clip, ...] | None] = []
        self._clips: list[Clip] = []
        self._known = 0  # parts whose clips are among those
        self._repeat = repeat
        self._round = 1
        self._index = 0
        self._at = 0

    @property
    def is_ready(self) -> bool:
        """Whether the first part is there."""
        return self._known > 0

    def expect(self) -> int:
        """A further part will come; return its number."""
        self._parts.append(None)
        return len(self._parts) - 1

    def fill(self, number: int, clips: tuple[Clip, ...]) -> None:
        """Here is the part."""
        self._parts[number] = clips
        while self._known < len(self._parts):
            part = self._parts[self._known]
            if part is None:
                return
            self._clips += part
            self._known += 1

    def next(self, law: Law) -> bytes | None:
        """The next 20 ms in this law, the last one filled up with silence; None at the end."""
        frame = b""
        if self._index < len(self._clips):
            frame = self._clips[self._index].coded[law.payload_type][self._at : self._at + FRAME]
            self._at += FRAME
            if len(frame) == FRAME:
                return frame
            self._turn_page()
        return self._over_the_seam(frame, law)

    @property
    def _starves(self) -> bool:
        return self.more or self._known < len(self._parts)

    def _over_the_seam(self, frame: bytes, law: Law) -> bytes | None:
        while len(frame) < FRAME and (self._index < len(self._clips) or self._begins_again()):
            piece = self._clips[self._index].coded[law.payload_type][: FRAME - len(frame)]
            self._at = len(piece)
            frame += piece
            if len(frame) < FRAME:
                self._turn_page()
        if not frame and not self._starves:
            return None
        return frame + law.silent_frame[len(frame) :]

    def _turn_page(self) -> None:
        self._at = 0
        self._index += 1

    def _begins_again(self) -> bool:
        if self._starves or (self._repeat and self._round >= self._repeat):
            return False
        if not any(clip.coded[0] for clip in self._clips):
            return False
        self._round += 1
        self._at = self._index = 0
        return True
