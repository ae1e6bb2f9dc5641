from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callwright.audiofile import UnreadableSound, Writer, open_sound, peaks, repair
from callwright.audiofile.sealed import HEADER_SIZE, TAG_SIZE
from callwright.audiofile.writer import PIECE
from support.sound import FRAME, tone

KEY = bytes(range(32))
KINDS = pytest.mark.parametrize("key", [b"", KEY], ids=["plain", "sealed"])


def sound(ms: int, channels: int = 1) -> bytes:
    return np.stack([tone(300 + 200 * channel, ms) for channel in range(channels)], axis=1).astype("<i2").tobytes()


def write(path: Path, pcm: bytes, channels: int = 1, key: bytes = b"", portion: int = 2 * FRAME) -> None:
    writer = Writer(path, channels, key)
    for start in range(0, len(pcm), portion):
        writer.write(pcm[start : start + portion])
    writer.close()


def whole(path: Path, key: bytes = b"") -> bytes:
    with open_sound(path, key) as opened:
        return opened.read(0, opened.size)


def wav_of(pcm: bytes, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(channels)
        written.setsampwidth(2)
        written.setframerate(8000)
        written.writeframes(pcm)
    return file.getvalue()


@KINDS
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("ms", [0, 20, 500, 1000, 3210])
def test_what_is_written_is_read_as_a_wav(tmp_path: Path, key: bytes, channels: int, ms: int) -> None:
    pcm = sound(ms, channels)
    path = tmp_path / "2026" / "a.wav"
    write(path, pcm, channels, key)
    with open_sound(path, key) as opened:
        assert (opened.size, opened.duration_ms, opened.channels, opened.complete) == (44 + len(pcm), ms, channels, True)
    assert whole(path, key) == wav_of(pcm, channels)
    assert path.stat().st_mode & 0o777 == 0o600
    if not key:
        assert path.read_bytes() == wav_of(pcm, channels)


@KINDS
def test_any_part_can_be_read(tmp_path: Path, key: bytes) -> None:
    path = tmp_path / "a.wav"
    write(path, sound(2300), key=key, portion=999)
    wav = wav_of(sound(2300))
    with open_sound(path, key) as opened:
        for start, length in [(0, 1), (0, 44), (40, 8), (44, 16000), (8043, 2), (8044, 8000), (30000, 10**9), (len(wav), 9)]:
            assert opened.read(start, length) == wav[start : start + length]
        with pytest.raises(ValueError, match="not negative"):
            opened.read(-1, 5)


def test_a_sealed_file_shows_nothing(tmp_path: Path) -> None:
    one, other = tmp_path / "a.wav", tmp_path / "b.wav"
    for path in (one, other):
        write(path, bytes(16_000), key=KEY)
    assert bytes(32) not in one.read_bytes() + (tmp_path / "a.wav.peaks").read_bytes()
    assert one.read_bytes()[HEADER_SIZE:] != other.read_bytes()[HEADER_SIZE:]


def test_a_sealed_file_that_was_changed_is_refused_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write(path, sound(2000), key=KEY)
    data = bytearray(path.read_bytes())
    stride = PIECE * 2 + TAG_SIZE
    data[HEADER_SIZE + stride + 5] ^= 1
    path.write_bytes(data)
    with open_sound(path, KEY) as opened:
        assert opened.read(44, PIECE * 2) == sound(2000)[: PIECE * 2]
        with pytest.raises(UnreadableSound, match=r"part 1 .* was changed"):
            opened.read(44, PIECE * 2 + 1)
    first = bytes(data[HEADER_SIZE : HEADER_SIZE + stride])
    data[HEADER_SIZE + stride : HEADER_SIZE + 2 * stride] = first
    path.write_bytes(data)
    with open_sound(path, KEY) as opened, pytest.raises(UnreadableSound, match="part 1"):
        opened.read(44 + PIECE * 2, 2)


def test_wrong_keys_and_wrong_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write(path, sound(100), key=KEY)
    data = path.read_bytes()
    for key, what in [(b"", "no key was given"), (bytes(32), "not the one"), (b"short", "32 bytes")]:
        with pytest.raises((UnreadableSound, ValueError), match=what):
            open_sound(path, key)
    for spoilt, what in [
        (data[:30], "too few"),
        (b"", "too few"),
        (data[:8] + b"\x02" + data[9:], "version 2"),
        (data[:20] + bytes([data[20] ^ 1]) + data[21:], "header was changed"),
        (b"RIFF" + bytes(60), "not a recording"),
        (data[:9] + b"\x07" + data[10:], "damaged"),
    ]:
        path.write_bytes(spoilt)
        with pytest.raises(UnreadableSound, match=what):
            open_sound(path, KEY)
        with pytest.raises(UnreadableSound, match=what):
            repair(path, KEY)
    with pytest.raises(UnreadableSound, match="No such file"):
        open_sound(tmp_path / "none.wav")
    with pytest.raises(ValueError, match="32 bytes"):
        Writer(tmp_path / "b.wav", 1, b"short")
    with pytest.raises(ValueError, match="1 or 2"):
        Writer(tmp_path / "b.wav", 3)
    with pytest.raises(FileExistsError):
        Writer(path, 1)


@KINDS
def test_a_file_that_is_being_written_can_be_heard(tmp_path: Path, key: bytes) -> None:
    path = tmp_path / "a.wav"
    writer = Writer(path, 1, key)
    writer.write(sound(1700))
    with open_sound(path, key) as opened:
        assert (opened.duration_ms, opened.complete) == (1500, False)
        assert opened.read(0, opened.size) == wav_of(sound(1700)[:24_000])
    assert (writer.duration_ms, writer.safe_ms) == (1700, 1500)
    writer.close()
    writer.close()
    assert whole(path, key) == wav_of(sound(1700))


@KINDS
@pytest.mark.parametrize("cut", [0, 1, 7, 15, 16, 17, 500, 8000])
def test_a_file_cut_off_anywhere_is_repaired_once(tmp_path: Path, key: bytes, cut: int) -> None:
    path = tmp_path / "a.wav"
    writer = Writer(path, 1, key)
    writer.write(sound(2000))
    writer.abandon()
    os.truncate(path, path.stat().st_size - cut)
    duration_ms = repair(path, key)
    assert 2000 - 750 <= duration_ms <= 2000
    kept = whole(path, key)
    assert kept[44:] == sound(2000)[: len(kept) - 44]
    data = path.read_bytes()
    if not key:
        assert data == wav_of(kept[44:])
        assert len(kept) - 44 == (32_000 - cut) // 2 * 2
    with open_sound(path, key) as opened:
        assert opened.complete
    assert peaks(path, key).length == -(-(len(kept) - 44) // 512)
    assert repair(path, key) == duration_ms
    assert path.read_bytes() == data


def test_the_last_part_lost_to_the_disk_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    writer = Writer(path, 2, KEY)
    writer.write(sound(1500, 2))
    writer.abandon()
    size = path.stat().st_size
    os.truncate(path, size - 4500)
    os.truncate(path, size)  # nothing but zeros there
    assert repair(path, KEY) == 1250
    assert whole(path, KEY) == wav_of(sound(1250, 2), 2)


WRITES = """
import sys
import tempfile
from callwright.audiofile import Writer
writer = Writer(sys.argv[1], 2, bytes.fromhex(sys.argv[2]))
frame = bytes(range(64)) * 10
while True:
    writer.write(frame)
    sys.stdout.write("x")
    sys.stdout.flush()
"""


@KINDS
def test_what_was_heard_until_a_kill_is_playable(tmp_path: Path, key: bytes) -> None:
    path = tmp_path / "a.wav"
    with subprocess.Popen([sys.executable, "-c", WRITES, str(path), key.hex()], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        frames = len(child.stdout.read(517))
        child.kill()
        frames += len(child.stdout.read())
    duration_ms = repair(path, key)
    assert frames * 20 - 250 <= duration_ms <= frames * 20 + 20
    frame = bytes(range(64)) * 10
    kept = whole(path, key)[44:]
    assert kept == (frame * (frames + 2))[: len(kept)]
    assert len(kept) // 32 == duration_ms  # a write may be cut within a millisecond
    if not key:
        with wave.open(str(path)) as opened:
            assert opened.getnframes() * 4 == len(kept)


@KINDS
@pytest.mark.parametrize("channels", [1, 2])
def test_peaks_are_of_every_256_samples(tmp_path: Path, key: bytes, channels: int) -> None:
    path = tmp_path / "a.wav"
    pcm = np.zeros((1000, channels), "<i2")
    pcm[300, 0], pcm[301, 0], pcm[999, channels - 1] = 25_600, -12_800, 256
    write(path, pcm.tobytes(), channels, key, portion=100)
    found = peaks(path, key)
    assert (found.length, found.channels, found.bits, found.samples_per_pixel) == (4, channels, 8, 256)
    columns = np.array(found.data).reshape(4, channels, 2)
    assert columns[1, 0].tolist() == [-50, 100]
    assert columns[3, channels - 1].tolist() == [0, 1]
    assert np.count_nonzero(columns) == 3


def test_peaks_that_are_spoilt_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write(path, sound(1000), key=KEY)
    beside = tmp_path / "a.wav.peaks"
    data = beside.read_bytes()
    for spoilt, what in [
        (data[:-1], "changed or cut"),
        (data[:20], "too few"),
        (b"RIFF", "too few"),
        (bytes(99), "not a wave"),
    ]:
        beside.write_bytes(spoilt)
        with pytest.raises(UnreadableSound, match=what):
            peaks(path, KEY)
    beside.unlink()
    with pytest.raises(UnreadableSound, match="No such file"):
        peaks(path, KEY)
    assert repair(path, KEY) == 1000
    assert peaks(path, KEY).length == 32
    assert beside.read_bytes() != data


@KINDS
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, key: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    writer = Writer(path, 1, key)
    writer.write(sound(1000))

    def full(file: int, data: bytes, at: int) -> int:
        monkeypatch.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        return real(file, data[:100], at)

    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        writer.write(sound(1000))
    monkeypatch.undo()
    writer.abandon()
    assert repair(path, key) == 1000
    assert whole(path, key) == wav_of(sound(1000))


@KINDS
@given(st.data())
@settings(max_examples=150)
def test_a_file_spoilt_anyhow_is_read_or_refused_and_never_heard_wrong(key: bytes, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        write(path, sound(900), key=key)
        spoilt = bytearray(path.read_bytes())
        for place in data.draw(st.lists(st.integers(0, len(spoilt) - 1), max_size=3)):
            spoilt[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(spoilt[: data.draw(st.integers(0, len(spoilt)))])
        try:
            duration_ms = repair(path, key)
            with open_sound(path, key) as opened:
                found = opened.read(44, opened.size)
        except UnreadableSound:
            return
        assert abs(len(found) / 16 - duration_ms) < 1
        if key:
            assert found == sound(900)[: len(found)]
