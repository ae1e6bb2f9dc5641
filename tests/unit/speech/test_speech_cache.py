"""What is kept of speech: found by what it is made of, and the longest unused goes first, but never from under a call."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from callwright.speech.cache import SpeechCache
from callwright.speech.wavfile import HEADER, wav, write
from support.fake_children import ManualClock

KIB = 1024
DAY = 86_400
OF = {"engine": "espeak", "identity": "1", "voice": "gmw/en+f2", "language": "en-gb", "text": "Hello."}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def kept(folder: Path, clock: ManualClock, *, kib: int = 100, age_s: float = 90 * DAY, keep_s: float = 3_600) -> SpeechCache:
    return SpeechCache(folder, clock, most_bytes=kib * KIB, age_s=age_s, keep_s=keep_s)


def put(cache: SpeechCache, text: str, kib: int = 10) -> Path:
    key = cache.key(**{**OF, "text": text})
    path = cache.make_room(key)
    write(path, wav(bytes(kib * KIB - HEADER)))
    return cache.admit(key, kib * KIB)


def found(cache: SpeechCache, text: str) -> Path | None:
    return cache.find(cache.key(**{**OF, "text": text}))


def test_it_is_found_by_all_that_it_is_made_of() -> None:
    keys = {SpeechCache.key(**OF)}
    for field in OF:
        keys.add(SpeechCache.key(**{**OF, field: "other"}))
    assert len(keys) == len(OF) + 1
    assert all(len(key) == 64 and set(key) <= set("0123456789abcdef") for key in keys)
    # Names are the same in every process and for ever, or an upgrade would begin with an empty cache.
    assert SpeechCache.key(**OF) == SpeechCache.key(**dict(reversed(OF.items())))


def test_what_was_put_in_is_there(tmp_path: Path, clock: ManualClock) -> None:
    cache = kept(tmp_path, clock)
    assert found(cache, "a") is None
    path = put(cache, "a")
    assert found(cache, "a") == path
    assert cache.size == 10 * KIB
    put(cache, "a", 20)
    assert cache.size == 20 * KIB


def test_what_an_operator_removed_is_made_again(tmp_path: Path, clock: ManualClock) -> None:
    cache = kept(tmp_path, clock)
    put(cache, "a").unlink()
    assert found(cache, "a") is None
    assert cache.size == 0


def test_a_file_without_sound_is_not_found(tmp_path: Path, clock: ManualClock) -> None:
    cache = kept(tmp_path, clock)
    put(cache, "a").write_bytes(wav(b""))
    assert found(cache, "a") is None


def test_the_longest_unused_goes_first(tmp_path: Path, clock: ManualClock) -> None:
    cache = kept(tmp_path, clock)
    for number in range(10):
        put(cache, str(number))
        clock.advance(1)
    clock.advance(7_200)
    found(cache, "0")
    put(cache, "new", 20)
    assert [number for number in range(10) if found(cache, str(number)) is None] == [1, 2]
    assert cache.size == 100 * KIB
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.wav")) == cache.size


def test_what_a_call_may_play_stays_although_it_is_too_much(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    cache = kept(tmp_path, clock)
    with caplog.at_level(logging.WARNING):
        for number in range(15):
            put(cache, str(number))
            clock.advance(1)
    assert all(found(cache, str(number)) for number in range(15))
    assert [record.getMessage() for record in caplog.records] == ["speech_cache_full"]
    clock.advance(3_601)
    put(cache, "new")
    assert cache.size <= 100 * KIB


def test_what_nobody_asks_for_ages(tmp_path: Path, clock: ManualClock) -> None:
    cache = kept(tmp_path, clock)
    put(cache, "old")
    clock.advance(50 * DAY)
    put(cache, "used")
    clock.advance(41 * DAY)
    found(cache, "used")
    put(cache, "new")
    assert found(cache, "old") is None
    assert found(cache, "used") is not None


def test_another_server_takes_up_what_is_there(tmp_path: Path, clock: ManualClock) -> None:
    before = kept(tmp_path, clock)
    for number in range(5):
        path = put(before, str(number))
        at = clock.now_us() / 1e6 - 100 + number
        os.utime(path, (at, at))
    (tmp_path / "ab").mkdir(exist_ok=True)
    (tmp_path / "ab" / ".half.wav.1.part").write_bytes(b"half")
    (tmp_path / "stray.txt").write_bytes(b"not ours")

    after = kept(tmp_path, clock, kib=30)
    put(after, "new")  # a call came before the survey was over
    after.take_up(after.survey())
    assert not list(tmp_path.rglob("*.part"))
    assert after.size == 30 * KIB
    assert [number for number in range(5) if found(after, str(number))] == [3, 4]
    assert found(after, "new") is not None


def test_a_file_that_is_used_tells_so_to_the_next_server(tmp_path: Path, clock: ManualClock) -> None:
    cache = kept(tmp_path, clock)
    path = put(cache, "a")
    long_ago = clock.now_us() / 1e6 - 10 * DAY
    os.utime(path, (long_ago, long_ago))
    found(cache, "a")
    assert path.stat().st_mtime == pytest.approx(clock.now_us() / 1e6)


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        write(tmp_path / "no" / "folder.wav", b"x")
    (tmp_path / "taken.wav").mkdir()
    with pytest.raises(OSError):
        write(tmp_path / "taken.wav", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.wav"]
