"""Putting right a file of sound that was not closed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from callwright.audiofile import sealed, wav
from callwright.audiofile.errors import UnreadableSound
from callwright.audiofile.peaks import PEAKS_SUFFIX, PeakMeter, write_peaks
from callwright.audiofile.reader import open_sound
from callwright.audiofile.sealed import Seal

_PORTION: Final = 1 << 18


def repair(path: str | Path, key: bytes = b"") -> int:
    """Make the lengths of a file true, drop a torn end, and put the waveform beside it; return its milliseconds of sound.

    A file that was closed is left as it is. Raise `UnreadableSound` for one that nothing can be had from, or with a wrong
    key, and `OSError` when the disk takes no writes. Not to be used on a file that is being written.
    """
    with open_sound(path, key) as sound:
        whole = sound.complete
    if not whole:
        _close(path, key)
    if not whole or not os.path.exists(f"{path}{PEAKS_SUFFIX}"):
        _measure(path, key)
    with open_sound(path, key) as sound:
        return sound.duration_ms


def _close(path: str | Path, key: bytes) -> None:
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        begin = os.pread(file, max(sealed.HEADER_SIZE, wav.HEADER_SIZE), 0)
        if begin.startswith(sealed.MAGIC):
            _close_sealed(file, Seal.open(key, begin))
        else:
            _close_plain(file, wav.channels_of(begin))
        os.fdatasync(file)
    finally:
        os.close(file)


def _close_plain(file: int, channels: int) -> None:
    block = 2 * channels
    size = (os.fstat(file).st_size - wav.HEADER_SIZE) // block * block
    os.ftruncate(file, wav.HEADER_SIZE + size)
    os.pwrite(file, wav.header(channels, size), 0)


def _close_sealed(file: int, seal: Seal) -> None:
    whole = (os.fstat(file).st_size - sealed.HEADER_SIZE) // seal.stride
    # A crash of the machine may leave parts whose sound never reached the disk.
    while whole and seal.open_chunk(whole - 1, os.pread(file, seal.stride, _place(seal, whole - 1))) is None:
        whole -= 1
    os.ftruncate(file, _place(seal, whole))
    os.pwrite(file, seal.end(whole), _place(seal, whole))


def _place(seal: Seal, number: int) -> int:
    return sealed.HEADER_SIZE + number * seal.stride


def _measure(path: str | Path, key: bytes) -> None:
    with open_sound(path, key) as sound:
        meter = PeakMeter(sound.channels)
        at = wav.HEADER_SIZE
        while portion := sound.read(at, _PORTION):
            meter.add(portion)
            at += len(portion)
        if at < sound.size:
            raise UnreadableSound(f"{path}: it became shorter while it was read")
    write_peaks(Path(path), meter.finish(), key)
