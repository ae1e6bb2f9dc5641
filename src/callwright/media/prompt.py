"""A list of clips that is played on a stream."""

from __future__ import annotations

from callwright.media.clips import Clip
from callwright.media.g711 import FRAME, Law


class Prompt:
    """Hand out frames, clip after clip without a seam, `repeat` times over (0: until somebody stops asking)."""

    def __init__(self, play: int, clips: tuple[Clip, ...], repeat: int, *, stop_on_digit: bool) -> None:
        self.play = play
        self.stop_on_digit = stop_on_digit
        self.began = False
        self._clips = clips
        self._repeat = repeat
        self._round = 1
        self._index = 0
        self._at = 0
        self._is_empty = not any(clip.coded[0] for clip in clips)

    def next(self, law: Law) -> bytes | None:
        """The next 20 ms in this law, the last one filled up with silence; None at the end."""
        if self._is_empty:
            return None
        frame = self._clips[self._index].coded[law.payload_type][self._at : self._at + FRAME]
        self._at += FRAME
        if len(frame) == FRAME:
            return frame
        return self._over_the_seam(frame, law)

    def _over_the_seam(self, frame: bytes, law: Law) -> bytes | None:
        while len(frame) < FRAME and self._turn_page():
            piece = self._clips[self._index].coded[law.payload_type][: FRAME - len(frame)]
            self._at = len(piece)
            frame += piece
        return frame + law.silent_frame[len(frame) :] if frame else None

    def _turn_page(self) -> bool:
        self._at = 0
        self._index += 1
        if self._index < len(self._clips):
            return True
        if self._repeat and self._round >= self._repeat:
            self._is_empty = True
            return False
        self._round += 1
        self._index = 0
        return True
