"""The program that makes telephone sound of files nobody knows: a process of its own, because C code reads hostile bytes.

It serves one file after the other over a socket. In come blocks, each after its length (4 bytes): the file as it arrives,
an empty block at its end, `ABORT` for a length when nobody wants it any more. Out come blocks after a letter and their
length: ``P`` for sound (8 kHz, 16 bit, mono, little-endian), then ``E`` at its end or ``F`` with the sentence that says why
there is none. Limits on memory and time are the kernel's; an environment without secrets is the parent's doing.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import struct
from contextlib import suppress
from typing import Any, Final

import av
import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.container.input import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.stream import Disposition
from numpy.typing import NDArray

from callwright.switch.sounds.formats import Format, Unplayable, announced_seconds, sniff

ABORT: Final = 0xFFFF_FFFF
SOUND, END, FAILURE = b"P", b"E", b"F"

RATE: Final = 8_000
LONGEST_S: Final = 3_600
MOST_CHANNELS: Final = 8
RATES: Final = range(2_000, 384_001)
PIECE: Final = RATE // 5  # samples sent at once, at least
# PyAV, NumPy and what they load take 300 MB of addresses before the first file.
MEMORY: Final = 1 << 30
CPU_S: Final = 120  # for one file: an hour of MP3 takes 40 s on a slow core

_HEAD: Final = 4_096
_LENGTH = struct.Struct("<I")
_OUT = struct.Struct("<cI")

# What the containers of `formats` may hold; anything else is never given to a decoder.
CODECS: Final = frozenset(
    {"mp3", "mp3float", "mp2", "mp2float", "vorbis", "opus", "libopus", "flac", "aac", "alac", "pcm_u8", "pcm_s16le"}
    | {"pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_mulaw", "pcm_alaw", "adpcm_ms", "adpcm_ima_wav"}
)  # fmt: skip

_SCALE: Final = {"u8": 1 / 128, "s16": 1 / 32_768, "s32": 1 / 2_147_483_648, "flt": 1.0, "dbl": 1.0}


class Aborted(Exception):
    """Nobody wants this file any more."""


class Incoming:
    """A file as it comes, for PyAV to read; reading waits."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self.received = bytearray()
        self.complete = False
        self.aborted = False
        self._at = 0

    def read(self, count: int) -> bytes:
        self._wait(self._at + 1)
        piece = bytes(self.received[self._at : self._at + count])
        self._at += len(piece)
        return piece

    def head(self, size: int) -> bytes:
        """The first so many bytes, or all there are."""
        self._wait(size)
        return bytes(self.received[:size])

    def drain(self) -> None:
        """Let the rest of the file go by."""
        while not self.complete:
            self._take()
            self.received.clear()

    def _wait(self, size: int) -> None:
        while len(self.received) < size and not self.complete:
            self._take()

    def _take(self) -> None:
        (length,) = _LENGTH.unpack(_exactly(self._link, _LENGTH.size))
        if length == ABORT:
            self.aborted = True
        elif length:
            self.received += _exactly(self._link, length)
            return
        self.complete = True


class Seekable(Incoming):
    """A file that is also read backwards. Its size is unknown, so that nobody goes to its end for what may be there."""

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence not in (0, 1):
            return -1
        self._at = offset if whence == 0 else self._at + offset
        return self._at

    def tell(self) -> int:
        return self._at


class Telephone:
    """Sound of any kind to that of a telephone: channels averaged, resampled behind a steep filter, 16 bit."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._rate = 0
        self._resampler: soxr.ResampleStream | None = None
        self._pending: list[NDArray[np.int16]] = []
        self._waiting = 0
        self.samples = 0

    def add(self, frame: AudioFrame) -> None:
        channels, rate = len(frame.layout.channels), frame.sample_rate
        if not 1 <= channels <= MOST_CHANNELS or rate not in RATES:
            raise Unplayable(f"it has {channels} channels at {rate} Hz; record it with one at 8000 Hz")
        if rate != self._rate:
            self._give_last()
            self._rate = rate
            self._resampler = None if rate == RATE else soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="HQ")
        mono = _mono(frame, channels)
        self._give(mono if self._resampler is None else self._resampler.resample_chunk(mono))

    def end(self) -> None:
        self._give_last()
        self._send(0)

    def _give_last(self) -> None:
        if self._resampler is not None:
            self._give(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))

    def _give(self, samples: NDArray[Any]) -> None:
        self.samples += len(samples)
        if self.samples > LONGEST_S * RATE:
            raise Unplayable(f"it lasts more than {LONGEST_S // 60} minutes; split it")
        whole = np.rint(np.nan_to_num(samples, posinf=1.0, neginf=-1.0) * 32_768)
        self._pending.append(np.clip(whole, -32_768, 32_767).astype("<i2"))
        self._waiting += len(samples)
        self._send(PIECE)

    def _send(self, least: int) -> None:
        if self._waiting > least:
            _say(self._link, SOUND, b"".join(piece.tobytes() for piece in self._pending))
            self._pending.clear()
            self._waiting = 0


def serve(link: socket.socket) -> None:
    """Serve files until the other side closes."""
    while True:
        # One that only the first bytes tell from the other kind; both read the same blocks.
        incoming = Seekable(link)
        try:
            _convert(incoming, Telephone(link))
            answer, words = END, ""
        except Unplayable as error:
            answer, words = FAILURE, str(error)
        except Aborted:
            answer, words = END, ""
        except MemoryError:
            answer, words = FAILURE, "it takes more memory than a sound may"
        _say(link, answer, words.encode())
        incoming.drain()


def _convert(incoming: Seekable, telephone: Telephone) -> None:
    kind = sniff(incoming.head(_HEAD), incoming.head)
    limit_time()
    try:
        with _opened(incoming, kind) as container:
            stream = _audio(container)
            good, bad = _decode(container, stream, telephone)
            announced = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
    except FFmpegError as error:
        if incoming.aborted:
            raise Aborted from None
        raise Unplayable(f"the {kind.name} file is damaged or cut off ({error.strerror})") from None
    if incoming.aborted:
        raise Aborted
    telephone.end()
    if not telephone.samples:
        raise Unplayable(f"the {kind.name} file holds no sound")
    if bad > good:
        raise Unplayable(f"the {kind.name} file is damaged: {bad} of {good + bad} packets cannot be read")
    announced = announced_seconds(kind, incoming.received) or announced
    held = telephone.samples / RATE
    if announced is not None and held < announced * 0.98 - 0.5:
        raise Unplayable(f"the {kind.name} file is cut off: it announces {announced:.1f} s and holds {held:.1f} s")


def _opened(incoming: Seekable, kind: Format) -> InputContainer:
    options = {"codec_whitelist": ",".join(sorted(CODECS)), "probesize": "32768", "analyzeduration": "200000"}
    file = incoming if kind.backwards else _Forwards(incoming)
    return av.open(file, "r", format=kind.demuxer, buffer_size=4_096, options=options)


class _Forwards:
    """The same file without a way back."""

    def __init__(self, incoming: Incoming) -> None:
        self.read = incoming.read


def _audio(container: InputContainer) -> Any:
    for picture in container.streams.video:
        if not picture.disposition & Disposition.attached_pic:  # a picture on the cover is no film
            raise Unplayable("it is a video; take the sound out of it")
    if not container.streams.audio:
        raise Unplayable("it holds no sound")
    stream = container.streams.audio[0]
    if stream.codec_context is None or stream.codec_context.name not in CODECS:
        name = "unknown" if stream.codec_context is None else stream.codec_context.name
        raise Unplayable(f"its sound is coded as {name[:40]}, which is not played")
    return stream


def _decode(container: InputContainer, stream: Any, telephone: Telephone) -> tuple[int, int]:
    """Decode all of it; return how many packets could be read and how many could not."""
    good = bad = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except InvalidDataError:
            bad += 1
            continue
        good += bool(frames)
        for frame in frames:
            telephone.add(frame)
    return good, bad


def _mono(frame: AudioFrame, channels: int) -> NDArray[np.float32]:
    scale = _SCALE.get(frame.format.packed.name)
    if scale is None:
        raise Unplayable(f"its samples are {frame.format.name[:20]}, which are not played")
    values = frame.to_ndarray()
    values = values if frame.format.is_planar else values.reshape(-1, channels).T
    mono: NDArray[np.float32] = values.mean(axis=0, dtype=np.float32)
    if frame.format.packed.name == "u8":
        mono -= 128
    return mono * np.float32(scale)


def _say(link: socket.socket, kind: bytes, block: bytes) -> None:
    link.sendall(_OUT.pack(kind, len(block)) + block)


def _exactly(link: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = link.recv(min(count - len(parts), 1 << 20))
        if not part:
            raise SystemExit(0)
        parts += part
    return bytes(parts)


def limit_time() -> None:
    """Give the process so many seconds of its core from here on; SIGXCPU ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def confine() -> None:
    """Little memory, no files to write, no core to dump, and behind all others in the queue for a core."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    os.nice(5)


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes telephone sound of sound files; started by the server.")
    parser.add_argument("--fd", type=int, required=True)
    arguments = parser.parse_args()
    av.logging.set_level(av.logging.PANIC)
    confine()
    with socket.socket(fileno=arguments.fd) as link, suppress(BrokenPipeError, ConnectionResetError):
        serve(link)


if __name__ == "__main__":
    main()
