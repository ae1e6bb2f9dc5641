"""Sounds from a web server to the files that engines play, through the real door and real decoding processes."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from callwright.clock import SystemClock
from callwright.egress import EgressSettings
from callwright.egress.post import HttpDoor
from callwright.switch.sounds import SoundLibrary, SoundSettings, SoundStream, SoundUnavailable, cutting, library, production
from support.media_host import MediaHost, media_host
from support.sound import share, tone_file
from support.soundfiles import KINDS, encoded, heard_of, sine, video

PATIENCE_S = 90.0


@pytest.fixture
async def host() -> AsyncIterator[MediaHost]:
    async with media_host() as made:
        yield made


@pytest.fixture
async def door() -> AsyncIterator[HttpDoor]:
    made = HttpDoor(EgressSettings(), SystemClock(), allow=("127.0.0.0/8",))
    yield made
    await made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cache", "sounds"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
async def sounds(door: HttpDoor, folder: Path) -> AsyncIterator[SoundLibrary]:
    made = SoundLibrary(door, folder / "cache", folder / "sounds")
    yield made
    await made.close()


async def all_of(stream: SoundStream) -> list[Path]:
    async with asyncio.timeout(PATIENCE_S):
        return [path async for path in stream]


async def refused(sounds: SoundLibrary, url: str) -> SoundUnavailable:
    with pytest.raises(SoundUnavailable) as caught:
        await all_of(sounds.stream(url))
    return caught.value


def level(samples: np.ndarray, hz: float) -> float:
    """The amplitude of one frequency, 0 to 1."""
    at = np.arange(len(samples)) / 8_000
    return float(2 * abs(np.mean(samples / 32_768 * np.exp(-2j * np.pi * hz * at))))


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_file_is_heard_as_it_was_meant(kind: str, sounds: SoundLibrary, host: MediaHost) -> None:
    """Left 440 Hz, right 1000 Hz, and in both 5 kHz, which a telephone cannot carry: folded back it would be 3 kHz."""
    rate = KINDS[kind][2]
    too_high = sine(5_000, 3, rate, 0.3) if rate > 10_000 else sine(5_000, 3, rate, 0)
    left, right = sine(440, 3, rate, 0.4) + too_high, sine(1_000, 3, rate, 0.4) + too_high
    stream = sounds.stream(host.put("sound", encoded(kind, [left, right])))
    heard = heard_of(await all_of(stream))
    assert stream.status == 200
    assert abs(len(heard) / 8_000 - 3) < 0.1
    middle = heard[4_000:20_000]
    near = 0.6 if kind == "ogg" else 0.1  # FFmpeg's own Vorbis encoder is a poor one
    assert level(middle, 440) == pytest.approx(0.2, rel=near)
    assert level(middle, 1_000) == pytest.approx(0.2, rel=near)
    assert level(middle, 3_000) < 0.003  # the noise of the coarsest coding


@pytest.mark.parametrize(("channels", "hz"), [(1, 300), (6, 3_300)])
async def test_a_telephones_whole_band_is_kept(channels: int, hz: float, sounds: SoundLibrary, host: MediaHost) -> None:
    sound = encoded("flac", [sine(hz, 1, 48_000)] * channels, rate=48_000)
    heard = heard_of(await all_of(sounds.stream(host.put("sound", sound))))
    assert level(heard[2_000:6_000], hz) == pytest.approx(0.5, rel=0.02)


async def test_what_fits_already_goes_through_unchanged(sounds: SoundLibrary, host: MediaHost) -> None:
    sound = tone_file(700, 2)
    files = await all_of(sounds.stream(host.put("sound", sound)))
    assert heard_of(files).tobytes() == sound[44:]
    assert sounds._decoders._busy == set()
    (again,) = await all_of(sounds.stream(host.url + "sound"))
    assert again.read_bytes() == sound


async def test_it_starts_while_the_rest_is_on_its_way(sounds: SoundLibrary, host: MediaHost) -> None:
    file = encoded("mp3", [sine(440, 30, 44_100)])
    more = asyncio.Event()

    async def in_two_parts(writer: asyncio.StreamWriter) -> None:
        writer.write(file[: len(file) // 4])
        await writer.drain()
        await more.wait()
        writer.write(file[len(file) // 4 :])

    given: list[Path] = []
    async with asyncio.timeout(PATIENCE_S):
        async for path in sounds.stream(host.put("sound", in_two_parts)):
            given.append(path)
            if len(given) == 1:
                assert 0.4 < len(heard_of(given)) / 8_000 < 4
            if len(heard_of(given)) > 4 * 8_000:
                more.set()
    heard = heard_of(given)
    assert abs(len(heard) / 8_000 - 30) < 0.1
    assert 3 < len(given) < 12
    assert share(heard[8_000:80_000], 440) > 0.95  # no seam is heard


async def test_those_who_want_it_at_once_share_one_request(sounds: SoundLibrary, host: MediaHost) -> None:
    url = host.put("sound", encoded("ogg", [sine(440, 5, 44_100)] * 2))
    heard = await asyncio.gather(*(all_of(sounds.stream(url)) for _ in range(20)))
    assert len(host.requests) == 1
    assert {len(heard_of(files)) for files in heard} == {len(heard_of(heard[0]))}


async def test_a_copy_is_kept_as_long_as_it_has_not_changed(
    sounds: SoundLibrary, host: MediaHost, door: HttpDoor, folder: Path
) -> None:
    url = host.put("sound", encoded("mp3", [sine(440, 1, 44_100)]), 'ETag: "1"')
    await all_of(sounds.stream(url))
    successor = SoundLibrary(door, folder / "cache", folder / "sounds")
    stream = successor.stream(url)
    (copy,) = await all_of(stream)
    assert stream.status == 304
    assert share(heard_of([copy])[1_000:7_000], 440) > 0.95
    host.put("sound", encoded("mp3", [sine(880, 1, 44_100)]), 'ETag: "2"')
    assert share(heard_of(await all_of(successor.stream(url)))[1_000:7_000], 880) > 0.95
    assert [("If-None-Match" in request) for request in host.requests] == [False, True, True]
    await successor.close()


async def test_a_server_is_believed_about_how_long_its_sound_keeps(sounds: SoundLibrary, host: MediaHost) -> None:
    for path, headers, asked in (
        ("max-age", ("Cache-Control: public, max-age=60",), 1),
        ("no-store", ("Cache-Control: no-store", 'ETag: "1"'), 2),
        ("no-cache", ("Cache-Control: no-cache, max-age=60", 'ETag: "1"'), 2),
    ):
        url = host.put(path, tone_file(440, 1), *headers)
        host.requests.clear()
        for _ in range(2):
            assert len(heard_of(await all_of(sounds.stream(url)))) == 8_000
        assert len(host.requests) == asked
        assert ("If-None-Match" in host.requests[-1]) == (path == "no-cache")


async def test_when_the_server_fails_the_copy_at_hand_is_played(sounds: SoundLibrary, host: MediaHost) -> None:
    for path, headers, status, played in (
        ("a", ('ETag: "1"',), 503, True),
        ("b", ('ETag: "1"', "Cache-Control: must-revalidate"), 503, False),
        ("c", ('ETag: "1"',), 404, False),  # it is gone on purpose
    ):
        url = host.put(path, tone_file(440, 1), *headers)
        await all_of(sounds.stream(url))
        host.put(path, b"broken", status=status)
        if played:
            stream = sounds.stream(url)
            assert len(heard_of(await all_of(stream))) == 8_000
            assert (stream.status, stream.note) == (503, "127.0.0.1 answered 503; the copy at hand is played")
        else:
            assert (await refused(sounds, url)).status == status


async def test_when_the_proxy_fails_too(sounds: SoundLibrary, host: MediaHost, folder: Path) -> None:
    url = host.put("sound", tone_file(440, 1), 'ETag: "1"')
    await all_of(sounds.stream(url))
    door = HttpDoor(EgressSettings(proxy="http://127.0.0.1:1"), SystemClock(), allow=("127.0.0.0/8",))
    successor = SoundLibrary(door, folder / "cache", folder / "sounds")
    stream = successor.stream(url)
    assert len(heard_of(await all_of(stream))) == 8_000
    assert stream.note.startswith("the proxy 127.0.0.1:1 does not take the connection")
    await successor.close()
    await door.close()


def cut(kind: str) -> bytes:
    file = encoded(kind, [sine(440, 4, KINDS[kind][2])] * 2)
    return file[: len(file) // 2]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: b"", "it is empty"),
        (lambda: b"<!DOCTYPE html><html>Not found", "it is a page of HTML or XML"),
        (lambda: b"#EXTM3U\nhttp://10.0.0.1/secret\n", "it begins with '#EXTM3U"),
        (lambda: bytes(50_000), "it begins with 00 00"),
        (lambda: b"\x1aE\xdf\xa3webm" + bytes(9_000), "as no sound does that is played: WAV, MP3, Ogg"),
        (video, "it is a video"),
        (lambda: tone_file(440, 2)[:20_000], "the WAV file is cut off: it announces 2.0 s and holds 1.2 s"),
        (lambda: cut("wav"), "the WAV file is cut off: it announces 4.0 s and holds 2.0 s"),
        (lambda: cut("mp3"), "the MP3 file is cut off: it announces 4."),
        (lambda: cut("flac"), "the FLAC file is cut off: it announces 4.0 s"),
        (lambda: cut("m4a"), "the M4A file is damaged or cut off"),
        (lambda: b"OggS" + bytes(5_000), "the Ogg file"),
        (lambda: b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"words " * 3_000, "the MP3 file"),
        (lambda: b"\x00\x00\x00\x18ftypM4A " + bytes(10_000), "the M4A file"),
    ],
)  # fmt: skip
async def test_what_is_no_sound_is_refused_in_words(
    make: Callable[[], bytes], said: str, sounds: SoundLibrary, host: MediaHost
) -> None:
    url = host.put("sound.wav", make(), "Content-Type: audio/wav")
    error = await refused(sounds, url)
    assert said in str(error)
    assert error.status == 200
    assert await sounds._transport.fetch(url, timeout=5, max_bytes=1 << 20)
    assert (await refused(sounds, url)).status == 200  # and nothing of it was kept


async def test_a_table_of_contents_at_the_front_need_not_wait_for_the_end(sounds: SoundLibrary, host: MediaHost) -> None:
    file = encoded("m4a", [sine(440, 20, 44_100)], movflags="frag_keyframe+empty_moov")
    more = asyncio.Event()

    async def in_two_parts(writer: asyncio.StreamWriter) -> None:
        writer.write(file[: len(file) // 2])
        await writer.drain()
        await more.wait()
        writer.write(file[len(file) // 2 :])

    files = []
    async with asyncio.timeout(PATIENCE_S):
        async for path in sounds.stream(host.put("sound", in_two_parts)):
            files.append(path)
            more.set()
    assert abs(len(heard_of(files)) / 8_000 - 20) < 0.1


async def test_hours_in_a_few_bytes_are_cut_off_at_one(sounds: SoundLibrary, host: MediaHost) -> None:
    bomb = encoded("flac", [np.zeros(3_700 * 8_000, np.float32)], rate=8_000)
    assert len(bomb) < 2 << 20
    assert "it lasts more than 60 minutes" in str(await refused(sounds, host.put("bomb", bomb)))


async def test_a_file_without_end_is_left(sounds: SoundLibrary, host: MediaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MAX_BYTES", 1 << 20)

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(tone_file(440, 0)[:40] + b"\xff\xff\xff\xff")
        while True:
            writer.write(bytes(65_536))
            await writer.drain()

    assert "sends more than 1048576 bytes" in str(await refused(sounds, host.put("endless", endless)))


async def test_a_server_that_trickles_is_left(sounds: SoundLibrary, host: MediaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(production, "STALL_S", 0.5)

    async def trickle(writer: asyncio.StreamWriter) -> None:
        for byte in encoded("mp3", [sine(440, 1, 44_100)]):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)

    assert "no more of it came for 0.5 s" in str(await refused(sounds, host.put("trickle", trickle)))


async def test_a_server_that_is_only_just_fast_enough_is_heard_without_waiting(sounds: SoundLibrary, host: MediaHost) -> None:
    """Pieces are given early when a listener would else run out of sound."""
    file = tone_file(440, 2.4)
    loop = asyncio.get_running_loop()
    behind = 0.0  # the server itself, on a busy machine

    async def in_time(writer: asyncio.StreamWriter) -> None:
        nonlocal behind
        began = loop.time()
        for number in range(-(-len(file) // 4_000)):  # a quarter of a second each
            behind = max(behind, loop.time() - began - number * 0.2)
            writer.write(file[number * 4_000 : (number + 1) * 4_000])
            await writer.drain()
            await asyncio.sleep(0.2)

    began, given, late = 0.0, 0.0, []
    async for path in sounds.stream(host.put("in-time", in_time)):
        now = loop.time()
        began = began or now
        late.append(now - began - given)
        given += len(heard_of([path])) / 8_000
    assert given == pytest.approx(2.4)
    assert max(late) < 1.0 + behind  # 0 on an idle machine
    assert len(late) > 3


async def test_a_decoder_that_dies_is_replaced(sounds: SoundLibrary, host: MediaHost) -> None:
    killed = asyncio.Event()

    async def in_two_parts(writer: asyncio.StreamWriter) -> None:
        writer.write(encoded("mp3", [sine(440, 2, 44_100)])[:8_000])
        await writer.drain()
        await killed.wait()

    url = host.put("sound", in_two_parts)
    listening = asyncio.create_task(refused(sounds, url))
    while not sounds._decoders._busy:  # noqa: ASYNC110 - it gives no sign
        await asyncio.sleep(0.01)
    (decoder,) = sounds._decoders._busy
    os.kill(decoder._process.pid, signal.SIGKILL)
    assert "the program that reads it ended (signal 9)" in str(await listening)
    killed.set()
    host.put("sound", encoded("mp3", [sine(440, 2, 44_100)]))
    assert len(await all_of(sounds.stream(url))) > 0


async def test_a_decoder_that_hangs_is_ended(sounds: SoundLibrary, host: MediaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    await all_of(sounds.stream(host.put("first", encoded("mp3", [sine(440, 1, 44_100)]))))
    (decoder,) = sounds._decoders._ready
    os.kill(decoder._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(production, "STALL_S", 0.5)
    error = await refused(sounds, host.put("sound", encoded("mp3", [sine(440, 60, 44_100)])))
    assert "no more of it came" in str(error)
    assert decoder._process.poll() == -signal.SIGKILL


async def test_a_listener_who_leaves_lets_the_next_one_have_it(sounds: SoundLibrary, host: MediaHost) -> None:
    more = asyncio.Event()
    file = encoded("mp3", [sine(440, 20, 44_100)])

    async def in_two_parts(writer: asyncio.StreamWriter) -> None:
        writer.write(file[:80_000])
        await writer.drain()
        await more.wait()
        writer.write(file[80_000:])

    url = host.put("sound", in_two_parts)
    async for _ in sounds.stream(url):
        break
    more.set()
    assert abs(len(heard_of(await all_of(sounds.stream(url)))) / 8_000 - 20) < 0.1
    assert len(host.requests) == 1


async def test_the_operators_own_files_may_be_of_any_kind(sounds: SoundLibrary, folder: Path) -> None:
    own = folder / "sounds" / "welcome.mp3"
    for hz in (440, 880):
        own.write_bytes(encoded("mp3", [sine(hz, 1, 44_100)]))
        os.utime(own, ns=(hz, hz))
        for _ in range(2):
            files = await all_of(sounds.stream("file:welcome.mp3"))
            assert share(heard_of(files)[1_000:7_000], hz) > 0.95
        assert len(files) == 1
    plain = folder / "sounds" / "plain.wav"
    plain.write_bytes(tone_file(440, 1))
    assert await all_of(sounds.stream("file:plain.wav")) == [plain]
    assert "it begins with" in str(await refused_file(sounds, folder, b"words"))


async def refused_file(sounds: SoundLibrary, folder: Path, content: bytes) -> SoundUnavailable:
    (folder / "sounds" / "odd").write_bytes(content)
    return await refused(sounds, "file:odd")


async def test_a_full_disk_is_told_as_such(sounds: SoundLibrary, host: MediaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def add(self: cutting.Cutter, sound: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cutting.Cutter, "add", add)
    error = await refused(sounds, host.put("sound", tone_file(440, 1)))
    assert "cannot be kept on the disk: No space left on device" in str(error)


async def test_the_longest_unused_go_when_room_runs_out(
    host: MediaHost, door: HttpDoor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callwright.switch.sounds.cache.IN_USE_US", 0)
    sounds = SoundLibrary(door, folder / "cache", folder / "sounds", settings=SoundSettings(cache_bytes=40_000))
    urls = [host.put(name, tone_file(440, 1), f'ETag: "{name}"') for name in "abc"]
    for url in (urls[0], urls[1], urls[0], urls[2]):  # 16 kB each: the third pushes one out
        await all_of(sounds.stream(url))
    host.requests.clear()
    for url in (urls[0], urls[2], urls[1]):
        await all_of(sounds.stream(url))
    assert [("If-None-Match" in request) for request in host.requests] == [True, True, False]
    await sounds.close()


async def test_pieces_of_a_server_that_was_before_are_removed(sounds: SoundLibrary, host: MediaHost, folder: Path) -> None:
    left = folder / "cache" / "live" / "left"
    left.mkdir(parents=True)
    await all_of(sounds.stream(host.put("sound", tone_file(440, 1))))
    assert not left.exists()


async def test_what_is_not_answered_is_told(sounds: SoundLibrary, host: MediaHost) -> None:
    error = await refused(sounds, host.url + "nothing")
    assert (error.status, str(error)) == (404, "127.0.0.1 answered 404")
    assert "10.0.0.1 is refused: private" in str(await refused(sounds, "http://10.0.0.1/sound.mp3"))
    host.put("loop", b"", f"Location: {host.url}loop", status=302)
    assert "redirects once more after 3" in str(await refused(sounds, host.url + "loop"))


async def test_spoilt_files_are_heard_or_refused(sounds: SoundLibrary, host: MediaHost) -> None:
    """Whatever is done to a file, its decoder lives on or is replaced, and the listener has an answer."""
    random = np.random.default_rng(11)
    files = [encoded(kind, [sine(440, 1, KINDS[kind][2])] * 2) for kind in KINDS]
    sentences = []
    for number in range(80):
        spoilt = bytearray(files[number % len(files)])
        for _ in range(random.integers(1, 30)):
            at = int(random.integers(0, min(len(spoilt), 2_000) if random.random() < 0.7 else len(spoilt)))
            spoilt[at] = int(random.integers(0, 256))
        if random.random() < 0.3:
            del spoilt[int(random.integers(1, len(spoilt))) :]
        url = host.put(f"spoilt-{number}", bytes(spoilt))
        try:
            assert len(heard_of(await all_of(sounds.stream(url)))) <= 3_600 * 8_000
        except SoundUnavailable as error:
            sentences.append(str(error))
    assert all(10 < len(sentence) < 300 and sentence.isprintable() for sentence in sentences)
