"""Two-way G.711 streams through one media process alone, for its profile; `media` measures the whole server.

    scripts/bench media_streams [STREAMS] [relay|mix|round|play|ivr] [SECONDS]

Far ends are UDP sockets of this program; each sends a packet every 20 ms and counts what comes back. `relay` bridges
them in pairs of one law, `mix` in pairs of both laws, `round` in conversations of five that are mixed and recorded, `play`
has each hear a prompt. `ivr` has each hear a prompt, press a key into it after three seconds, and be recorded for five,
again and again; keys are events for half of them, and tones in the sound for the others, and all are listened to for voices.
Printed are the share of packets returned in the measured time, the media process's CPU, and the lateness of its ticks.
"""

from __future__ import annotations

import resource
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
import wave
from uuid import UUID

import msgspec
from machine import cpu_seconds, machine_line

from callwright import ipc
from callwright.media import wire
from callwright.media.keypad import tone
from callwright.media.settings import MediaSettings
from callwright.media.telephone_event import EventPayload

WARM_UP_S = 2.0
TICK_S = 0.02
HEADER = struct.Struct("!BBHII")


class Core:
    """The core's part of the link, by hand."""

    def __init__(self, settings: MediaSettings) -> None:
        self.sock, theirs = socket.socketpair()
        arguments = ["--fd", str(theirs.fileno()), "--epoch", "1", msgspec.json.encode(settings).decode()]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "callwright.media.process", *arguments], pass_fds=[theirs.fileno()]
        )
        theirs.close()
        self.unframer = ipc.Unframer(wire.MediaMessage)
        self.sock.sendall(ipc.frame([ipc.Hello(ipc.PROTOCOL, 1)]))
        self.pinged = time.monotonic()

    def send(self, *messages: msgspec.Struct) -> None:
        self.sock.sendall(ipc.frame(messages))

    def ping(self) -> None:
        if time.monotonic() - self.pinged > ipc.PING_S:
            self.pinged = time.monotonic()
            self.send(ipc.Ping())

    def poll(self) -> list[msgspec.Struct]:
        if not select.select([self.sock], [], [], 0)[0]:
            return []
        return self.unframer.feed(self.sock.recv(1 << 16))

    def wait(self, kind: type, count: int) -> list[msgspec.Struct]:
        found: list[msgspec.Struct] = []
        deadline = time.monotonic() + 20
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} {kind.__name__}"
            self.ping()
            found += [message for message in self.poll() if isinstance(message, kind)]
        return found


class Menu:
    """The `ivr` of one stream: a prompt, a key into it after a while, a recording, and all over again."""

    def __init__(self, core: Core, number: int, folder: str, prompt: str) -> None:
        self._core = core
        self._number = number
        self._folder = folder
        self._prompt = prompt
        self._round = 0
        self._press_at = 0
        self.inband = number % 2 == 1
        self.rounds = 0
        self.failed = 0

    def begin(self, tick: int) -> None:
        self._round += 1
        self._press_at = tick + 125 + self._number * 7 % 50
        stream = UUID(int=self._number)
        self._core.send(wire.Play(stream, self._round, (self._prompt,), 0, stop_on_digit=True))

    def key(self, tick: int) -> int | None:
        """Which packet of its key is due, of six."""
        step = tick - self._press_at
        return step if 0 <= step < 6 else None

    def told(self, message: msgspec.Struct, tick: int) -> None:
        if isinstance(message, wire.PlayEnded):
            recording = UUID(int=self._number << 32 | self._round)
            path = f"{self._folder}/{recording}.wav"
            self.failed += message.outcome != "digit"
            self._core.send(wire.Record(message.stream, recording, path, "from", max_ms=5000, silence_ms=4000))
        elif isinstance(message, wire.RecordEnded):
            self.rounds += 1
            self.failed += message.outcome == "failed"
            self.begin(tick)


def connect_all(core: Core, mode: str, peers: list[socket.socket], prompt: str, folder: str) -> dict[UUID, Menu]:
    menus = {}
    for index, peer in enumerate(peers):
        stream = UUID(int=index + 1)
        law = 8 if mode in ("mix", "round") and index % 2 else 0
        core.send(wire.Connect(stream, "127.0.0.1", peer.getsockname()[1], law, 101))
        if mode == "play":
            core.send(wire.Play(stream, 1, (prompt,), 0, stop_on_digit=True))
        elif mode == "ivr":
            menus[stream] = Menu(core, index + 1, folder, prompt)
            core.send(wire.Listen(stream, True), wire.DetectDigits(stream, menus[stream].inband))
            menus[stream].begin(index % 400 - 125)
        elif mode == "round":
            if index % 5:
                core.send(wire.Join(stream, UUID(int=index + 1 - index % 5)))
            core.send(wire.Record(stream, UUID(int=1 << 40 | index), f"{folder}/{index}.wav", "both"))
        elif index % 2:
            core.send(wire.Join(stream, UUID(int=index)))
    return menus


def run(streams: int, mode: str, seconds: float) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    prompt = tempfile.NamedTemporaryFile(suffix=".wav")  # noqa: SIM115
    with wave.open(prompt, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16_000))
    prompt.flush()
    core = Core(MediaSettings(first_port=30000, last_port=30000 + 2 * streams + 99))
    core.wait(ipc.Hello, 1)
    core.send(*(wire.Open(UUID(int=index + 1)) for index in range(streams)))
    ports = {message.stream.int - 1: message.port for message in core.wait(wire.Opened, streams)}
    peers = []
    waiting = select.epoll()
    for _ in range(streams):
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        waiting.register(peer, select.EPOLLIN)
        peers.append(peer)
    by_descriptor = {peer.fileno(): peer for peer in peers}
    folder = tempfile.TemporaryDirectory()
    menus = connect_all(core, mode, peers, prompt.name, folder.name)
    sound = bytes(range(160))
    tones = tone("5", 6, 0)
    begin = due = time.monotonic()
    measuring = False
    sequence = sent = returned = 0
    loads: list[wire.Load] = []
    cpu = own = 0.0
    while due - begin < WARM_UP_S + seconds:
        for descriptor, _ in waiting.poll(max(due - time.monotonic(), 0), 256):
            by_descriptor[descriptor].recv(2048)
            returned += measuring
        if time.monotonic() < due:
            continue
        if not measuring and due - begin >= WARM_UP_S:
            measuring = True
            cpu, own = cpu_seconds(core.process.pid), time.process_time()
            loads.clear()
        sequence += 1
        for index, peer in enumerate(peers):
            kind, payload, clock = 8 if mode in ("mix", "round") and index % 2 else 0, sound, sequence * 160
            menu = menus.get(UUID(int=index + 1)) if menus else None
            key = None if menu is None else menu.key(sequence)
            if key is not None and menu is not None and menu.inband:
                payload = tones[key]
            elif key is not None:
                kind, clock = 101, (sequence - key) * 160
                payload = EventPayload(5, key > 2, min(key + 1, 4) * 160).serialize()
            peer.sendto(HEADER.pack(0x80, kind, sequence, clock, index) + payload, ("127.0.0.1", ports[index]))
        sent += streams * measuring
        due += TICK_S
        core.ping()
        for message in core.poll():
            if isinstance(message, wire.Load):
                loads.append(message)
            elif isinstance(message, wire.ToCore) and message.stream in menus:
                menus[message.stream].told(message, sequence)
    cpu, own = cpu_seconds(core.process.pid) - cpu, time.process_time() - own
    late = sorted(load.late_ms for load in loads)
    print(machine_line())
    print(f"{streams} streams, {mode}, {seconds:g} s: {100 * returned / sent:.2f} % returned")
    print(f"media CPU {100 * cpu / seconds:.0f} % of a core, this program {100 * own / seconds:.0f} %")
    print(f"worst lateness in each second, ms: {late}; ticks skipped: {sum(load.skipped for load in loads)}")
    counts = [sum(column) for column in zip(*(load.ticks for load in loads), strict=True)]
    shares = [f"{100 * sum(counts[: n + 1]) / sum(counts):.2f} % <= {bound} ms" for n, bound in enumerate(wire.TICK_LATE_MS)]
    print("ticks: " + ", ".join(shares))
    if menus:
        rounds, failed = (sum(getattr(menu, name) for menu in menus.values()) for name in ("rounds", "failed"))
        print(f"{rounds} rounds of prompt, key and recording, {failed} of them not as they should be")
    core.sock.close()
    core.process.wait(5)
    folder.cleanup()


if __name__ == "__main__":
    arguments = [*sys.argv[1:], *("300", "relay", "8")[len(sys.argv) - 1 :]]
    run(int(arguments[0]), arguments[1], float(arguments[2]))
