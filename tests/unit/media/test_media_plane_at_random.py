"""Whatever a core asks, in whatever order, and whatever far ends send meanwhile: everything that began ends, once."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

from callwright.media import rtp, wire
from callwright.media.g711 import PCMU
from callwright.media.keypad import tone as keypad_tone
from callwright.media.rtp import RtpPacket
from callwright.media.telephone_event import EventPayload
from callwright.media.wav import UnplayableFile
from support.listening import DiskAtOnce
from support.planes import CLIP, Core
from support.sound import FRAME, tone

STREAMS = [UUID(int=number) for number in (1, 2, 3)]
SOUNDS = [PCMU.silent_frame, PCMU.encode(tone(1000, 20)), *keypad_tone("5", 5, 0), b"\x00" * 80, b""]


class Caller:
    """A core that has lost its mind, and keeps count."""

    def __init__(self, core: Core, chance: random.Random, folder: Path) -> None:
        self.core = core
        self.chance = chance
        self.folder = folder
        self.number = 0
        self.plays: list[int] = []
        self.recordings: list[UUID] = []
        self.told: list[object] = []
        self.clocks: Counter[UUID] = Counter()

    def do_something(self) -> None:
        chance, core = self.chance, self.core
        self.number += 1
        stream, other = chance.choice(STREAMS), chance.choice(STREAMS)
        recording = chance.choice(self.recordings) if self.recordings else UUID(int=5)
        play = chance.choice(self.plays) if self.plays else 5
        law = chance.choice([0, 8])
        path = chance.choice([f"{self.number}.wav"] * 4 + ["1.wav", "gone/\0"])
        message = chance.choice(
            [
                wire.Open(stream),
                wire.Connect(
                    stream, "127.0.0.1", 9, law, chance.choice([None, 101]), chance.random() > 0.2, chance.random() > 0.2
                ),
                wire.Play(stream, self.number, (self.file(), self.file()), 1, chance.random() > 0.5, chance.random() > 0.5),
                wire.PlayMore(stream, play, (self.file(),), chance.random() > 0.5),
                wire.Stop(stream),
                wire.SendDigits(stream, "5#", 60, 60),
                wire.Record(
                    stream, UUID(int=1000 + self.number), str(self.folder / path),
                    chance.choice(["from", "to", "mix", "both", "both", "nothing"]),
                    chance.choice([None, 100, 2000]), chance.choice([None, 200]), chance.choice(["", "5"]),
                    chance.choice([b"", bytes(32), b"x"]),
                ),
                wire.PauseRecord(stream, recording, chance.random() > 0.5),
                wire.StopRecord(stream, recording),
                wire.Listen(stream, chance.random() > 0.4),
                wire.DetectDigits(stream, chance.random() > 0.4),
                wire.Join(stream, other),
                wire.Part(stream),
                wire.Close(stream),
            ]
        )  # fmt: skip
        opened = message.stream in core.plane._seats
        if opened and isinstance(message, wire.Play):
            self.plays.append(message.play)
        if opened and isinstance(message, wire.Record):
            self.recordings.append(message.recording)
        self.told += core.say(message)

    def file(self) -> str:
        return self.chance.choice(["kept.wav", "slow.wav"])

    def let_pass(self) -> None:
        chance, core = self.chance, self.core
        for _ in range(chance.randrange(1, 8)):
            for stream in STREAMS:
                seat = core.plane._seats.get(stream)
                if seat is None or chance.random() < 0.1:
                    continue
                self.clocks[stream] += FRAME
                clock = self.clocks[stream]
                kind, payload = 0, chance.choice(SOUNDS)
                if chance.random() < 0.2:
                    kind, payload = 101, EventPayload(5, chance.random() < 0.5, FRAME).serialize()
                if chance.random() < 0.03:
                    clock += chance.randrange(1 << 20)
                packet = RtpPacket(kind, clock // FRAME & 0xFFFF, clock & 0xFFFF_FFFF, chance.choice([7] * 30 + [8]), payload)
                core.sockets.watched[seat.pair.rtp](rtp.serialize(packet), ("127.0.0.1", 9), core._tick * FRAME)
            self.told += core.run(1)
        if chance.random() < 0.3:
            core.library.read(UnplayableFile("no") if chance.random() < 0.1 else (CLIP,))
        core.disk.stalls = chance.random() < 0.2
        core.disk.go_on()
        core.plane.collect()
        self.told += core.heard()


@pytest.mark.parametrize("seed", range(12))
def test_everything_that_began_ends_once(tmp_path: Path, seed: int) -> None:
    core = Core(quarantine_s=0.1, disk=DiskAtOnce())
    caller = Caller(core, random.Random(seed), tmp_path)
    for _ in range(600):
        caller.do_something()
        if caller.chance.random() < 0.4:
            caller.let_pass()
    caller.told += core.say(*(wire.Close(stream) for stream in STREAMS))
    core.disk.stalls = False
    core.disk.go_on()
    core.plane.collect()
    caller.told += core.heard()
    caller.told += core.run(10)

    ended = Counter(message.play for message in caller.told if isinstance(message, wire.PlayEnded))
    assert ended == Counter(caller.plays)
    recorded = Counter(message.recording for message in caller.told if isinstance(message, wire.RecordEnded))
    assert recorded == Counter(caller.recordings)
    joined: set[UUID] = set()
    opened: set[UUID] = set()
    for message in caller.told:
        if isinstance(message, wire.Joined):
            joined.add(message.stream)
        elif isinstance(message, wire.Parted):
            joined.discard(message.stream)
        elif isinstance(message, wire.Opened):
            opened.add(message.stream)
        elif isinstance(message, wire.Closed):
            assert message.stream in opened
            assert message.stream not in joined
            assert message.dropped.failures == 0
    assert joined == set()
    load = core.plane.load(0.0, 0, core._tick * FRAME + 8000)
    assert (load.streams, load.ports, load.failures) == (0, 3, 0)
    assert len(core.plane._studio) == 0
    assert len(core.plane._attention) == 0
    assert core.plane._conversations._mixing == []
    assert core.sockets.watched == {}
