"""Sound files of every kind that is played, made by encoding what a test wants heard; and what is left of them, read back."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[Any]

# Name of the kind: muxer, encoder, sample rate.
KINDS: dict[str, tuple[str, str, int]] = {
    "wav": ("wav", "pcm_s16le", 44_100),
    "wav24": ("wav", "pcm_s24le", 48_000),
    "ulaw": ("wav", "pcm_mulaw", 8_000),
    "mp3": ("mp3", "libmp3lame", 44_100),
    "ogg": ("ogg", "vorbis", 44_100),
    "opus": ("ogg", "libopus", 48_000),
    "flac": ("flac", "flac", 44_100),
    "m4a": ("ipod", "aac", 44_100),
}


def sine(hz: float, seconds: float, rate: int, peak: float = 0.5) -> Samples:
    """A tone from -1 to 1, shaped at both ends so that it has no clicks."""
    at = np.arange(round(seconds * rate)) / rate
    edge = np.clip(np.minimum(at, seconds - at) / 0.005, 0, 1)
    return (peak * edge * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def encoded(kind: str, channels: Iterable[Samples], *, rate: int | None = None, **options: str) -> bytes:
    """A file of this kind; each channel is given in the kind's own sample rate, unless another is named."""
    muxer, encoder, usual = KINDS[kind]
    rate = rate or usual
    sound = np.stack([np.asarray(channel, np.float32) for channel in channels])
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(sound)]
    file = io.BytesIO()
    with av.open(file, "w", format=muxer, container_options=options) as container:
        stream: Any = container.add_stream(encoder, rate=rate)
        stream.layout = layout
        if encoder == "vorbis":
            stream.codec_context.options = {"strict": "experimental"}  # and of two channels
        context = stream.codec_context
        context.open()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        fitted = av.AudioResampler(context.format, context.layout, rate, frame_size=context.frame_size or 1_024)
        for part in [*fitted.resample(frame), *fitted.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


def video(seconds: float = 0.5) -> bytes:
    """A film with a sound track."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        pictures: Any = container.add_stream("mpeg4", rate=10)
        pictures.width = pictures.height = 64
        pictures.pix_fmt = "yuv420p"
        sound: Any = container.add_stream("aac", rate=44_100)
        for _ in range(round(seconds * 10)):
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(pictures.encode(None))
        for _ in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1_024), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 44_100
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return file.getvalue()


def heard_of(files: Iterable[Path]) -> NDArray[np.int16]:
    """The samples of files that are played one after the other; every one must be WAV, 8 kHz, 16 bit, mono."""
    parts = []
    for path in files:
        with wave.open(str(path), "rb") as file:
            assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8_000, 2, 1)
            parts.append(np.frombuffer(file.readframes(file.getnframes()), "<i2"))
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)
