"""The thread that writes recordings, so that no disk, however slow or full, delays anybody's sound."""

from __future__ import annotations

import errno
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np

from callwright.audiofile import Writer
from callwright.log import Log
from callwright.media.g711 import Law, Samples
from callwright.telephony import Tracks

_log = Log("media")

_REMEDIES: Final = {
    errno.ENOSPC: "free space on the disk of the recordings",
    errno.EDQUOT: "raise the quota of the server's user",
    errno.EACCES: "let the server's user write into the folder",
    errno.EPERM: "let the server's user write into the folder",
    errno.EROFS: "mount the disk of the recordings so that it takes writes",
    errno.EEXIST: "the file is there already, and nothing is written over",
    errno.EMFILE: "raise LimitNOFILE (ulimit -n)",
    errno.ENFILE: "raise fs.file-max",
}


class Tape:
    """One file. `put` and `dropped` are the tick's to write, everything else is the thread's.

    `put` and `written` count samples of a channel; `dropped` says that nobody waits for the file any more.
    """

    def __init__(self, recording: UUID, stream: UUID, path: str, tracks: Tracks, key: bytes) -> None:
        self.recording: Final = recording
        self.stream: Final = stream
        self.path: Final = path
        self.tracks: Final = tracks
        self.key: Final = key
        self.put = 0
        self.dropped = False
        self.written = 0
        self.writer: Writer | None = None


class Began(msgspec.Struct, frozen=True):
    """The file is there."""


class Done(msgspec.Struct, frozen=True):
    """The file is closed."""

    duration_ms: int


class Failed(msgspec.Struct, frozen=True):
    """Nothing more is written; so much is."""

    duration_ms: int
    detail: str


Told = tuple[Tape, Began | Done | Failed]


class Disk:
    """`open`, `write` and `finish` return at once; `wake` is called from the thread when there is something to collect.

    What is written waits for `go_on`: a thread that is woken for each portion would take the interpreter's lock from
    the tick many times, and not once in a while.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._work: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._wakes: SimpleQueue[bool] = SimpleQueue()  # True: there is work; False: and no more will come
        self._told: SimpleQueue[Told] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def open(self, tape: Tape) -> None:
        self._submit(self._open, tape)
        self.go_on()

    def write(self, tape: Tape, law: Law, heard: bytes | bytearray | None, sent: bytes | bytearray | None) -> None:
        """Append what came from the far end and what went there, of one length, as far as the tape's tracks want them."""
        tape.put += len(heard if heard is not None else sent or b"")
        self._submit(self._write, tape, law, heard, sent)

    def finish(self, tape: Tape) -> None:
        self._submit(self._finish, tape)
        self.go_on()

    def go_on(self) -> None:
        """Write what waits."""
        if not self._work:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="recordings", daemon=True)
            self._thread.start()
        self._wakes.put(True)

    def collect(self) -> list[Told]:
        """What became of tapes since the last time."""
        told = []
        while not self._told.empty():
            told.append(self._told.get_nowait())
        return told

    def close(self, within_s: float) -> None:
        """Write what is waiting, as far as there is time."""
        if self._thread is not None:
            self._wakes.put(False)
            self._thread.join(within_s)
            self._thread = None

    def _submit(self, work: Callable[..., None], *arguments: Any) -> None:
        self._work.append((work, arguments))

    def _serve(self) -> None:
        goes_on = True
        while goes_on:
            goes_on = self._wakes.get()
            while self._work:
                self._do_next()

    def _do_next(self) -> None:
        work, arguments = self._work.popleft()
        try:
            work(*arguments)
        except Exception:
            # Nobody is told, so its recording is given up in time; the thread lives on for the others.
            _log.exception("recordings_disk_failed")

    def _open(self, tape: Tape) -> None:
        try:
            tape.writer = Writer(tape.path, 2 if tape.tracks is Tracks.BOTH else 1, tape.key)
        except Exception as error:
            self._fail(tape, error)
        else:
            self._tell(tape, Began())

    def _write(self, tape: Tape, law: Law, heard: bytes | None, sent: bytes | None) -> None:
        writer = tape.writer
        if writer is None:
            return
        if tape.dropped:
            writer.abandon()
            tape.writer = None
            return
        try:
            writer.write(_pcm(law, tape.tracks, heard, sent))
        except Exception as error:
            self._fail(tape, error)
            return
        tape.written += len(heard if heard is not None else sent or b"")

    def _finish(self, tape: Tape) -> None:
        writer = tape.writer
        if writer is None:
            return
        try:
            if tape.dropped:
                writer.abandon()
            else:
                writer.close()
        except Exception as error:
            self._fail(tape, error)
            return
        tape.writer = None
        self._tell(tape, Done(writer.duration_ms))

    def _fail(self, tape: Tape, error: Exception) -> None:
        duration_ms = 0
        writer, tape.writer = tape.writer, None
        if writer is not None:
            duration_ms = writer.safe_ms
            writer.abandon()
        self._tell(tape, Failed(duration_ms, _reason(tape.path, error)))

    def _tell(self, tape: Tape, what: Began | Done | Failed) -> None:
        self._told.put((tape, what))
        self._wake()


def _pcm(law: Law, tracks: Tracks, heard: bytes | None, sent: bytes | None) -> bytes:
    sounds: list[Samples] = [law.decode(bytes(codes)) for codes in (heard, sent) if codes is not None]
    if len(sounds) == 1:
        [sound] = sounds
    elif tracks is Tracks.BOTH:
        sound = np.stack(sounds, axis=1)
    else:
        sound = np.clip(sounds[0].astype(np.int32) + sounds[1], -32768, 32767).astype(np.int16)
    return sound.astype("<i2", copy=False).tobytes()


def _reason(path: str, error: Exception) -> str:
    if not isinstance(error, OSError) or error.errno is None:
        return f"the recording could not be written to {path}: {error}"
    remedy = _REMEDIES.get(error.errno, "look at the disk of the recordings and the kernel's log")
    return f"the recording could not be written to {path}: {error.strerror}; {remedy}"
