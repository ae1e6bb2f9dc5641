"""Sound on disk: 8 kHz, 16 bit, one or two channels, as a plain WAV or sealed, whole after any crash.

`Writer` makes a file, `open_sound` reads one as a WAV whatever it is on disk, `repair` puts one right that was not closed,
and `peaks` gives the waveform that is kept beside it. How a file is sealed is told in `callwright.audiofile.sealed`.
"""

from __future__ import annotations

from callwright.audiofile.errors import UnreadableSound
from callwright.audiofile.peaks import PEAKS_SUFFIX, Peaks, peaks
from callwright.audiofile.reader import SoundFile, open_sound
from callwright.audiofile.repair import repair
from callwright.audiofile.writer import Writer

__all__ = ["PEAKS_SUFFIX", "Peaks", "SoundFile", "UnreadableSound", "Writer", "open_sound", "peaks", "repair"]
