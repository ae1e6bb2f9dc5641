"""A recording in object storage is the same from every place as the file it was copied from."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from callwright.audiofile import UnreadableSound, Writer, open_sound, repair
from callwright.recordings.objects import NoObject
from callwright.recordings.remote import RemoteSound

KEY = bytes(range(32))
SOUND = random.Random(1).randbytes(100_004)


class Shelf:
    """Objects in memory; `asked` counts the reads."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects
        self.asked = 0

    def put(self, name: str, path: Path) -> None:
        self.objects[name] = path.read_bytes()

    def size(self, name: str) -> int:
        if name not in self.objects:
            raise NoObject(name)
        return len(self.objects[name])

    def read(self, name: str, start: int, length: int) -> bytes:
        self.asked += 1
        return self.objects[name][start : start + length] if length > 0 else b""

    def delete(self, name: str) -> None:
        self.objects.pop(name, None)


def written(path: Path, key: bytes, channels: int, sound: bytes, *, closed: bool = True) -> Path:
    writer = Writer(path, channels, key)
    writer.write(sound)
    if closed:
        writer.close()
    else:
        writer.abandon()
    return path


@pytest.mark.parametrize("key", [b"", KEY], ids=["plain", "sealed"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("ending", ["closed", "torn", "repaired", "empty"])
def test_it_reads_as_the_file_does(tmp_path, key, channels, ending):
    sound = b"" if ending == "empty" else SOUND
    path = written(tmp_path / "sound", key, channels, sound, closed=ending in ("closed", "empty"))
    if ending == "repaired":
        repair(path, key)
    shelf = Shelf(sound=path.read_bytes())
    with open_sound(path, key) as file, RemoteSound(shelf, "sound", key) as remote:
        assert (remote.size, remote.channels, remote.complete, remote.duration_ms) == (
            file.size, file.channels, file.complete, file.duration_ms,
        )  # fmt: skip
        whole = file.read(0, 1 << 20)
        assert remote.read(0, 1 << 20) == whole
        chance = random.Random(2)
        for _ in range(300):
            start, length = chance.randrange(len(whole) + 10), chance.choice([0, 1, 44, 4_000, 8_000, 8_001, 50_000])
            before = shelf.asked
            assert remote.read(start, length) == file.read(start, length) == whole[start : start + length]
            assert shelf.asked <= before + 1


def test_a_sealed_object_that_was_changed_is_not_heard(tmp_path):
    content = bytearray(written(tmp_path / "sound", KEY, 1, SOUND).read_bytes())
    content[20_000] ^= 1
    remote = RemoteSound(Shelf(sound=bytes(content)), "sound", KEY)
    assert remote.read(44, 4_000) == SOUND[:4_000]
    with pytest.raises(UnreadableSound, match=r"part \d of the sealed object sound was changed"):
        remote.read(16_000, 10_000)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all, but long enough for a header of a file"])
def test_what_is_no_recording(content):
    with pytest.raises(UnreadableSound):
        RemoteSound(Shelf(sound=content), "sound", b"")


def test_another_key_or_none_at_all(tmp_path):
    shelf = Shelf(sound=written(tmp_path / "sound", KEY, 1, SOUND).read_bytes())
    for key in (bytes(32), b""):
        with pytest.raises((UnreadableSound, ValueError)):
            RemoteSound(shelf, "sound", key)
    with pytest.raises(NoObject):
        RemoteSound(shelf, "absent", KEY)
