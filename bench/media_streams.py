"""Two-way G.711 streams through one media process alone, for its profile; `media` measures the whole server.

    scripts/bench media_streams [STREAMS] [relay|mix|play] [SECONDS]

Far ends are UDP sockets of this program; each sends a packet every 20 ms and counts what comes back. `relay` bridges
them in pairs of one law, `mix` in pairs of both laws, `play` has each hear a prompt. Printed are the share of packets
returned in the measured time, the media process's CPU, and the lateness of its ticks, second by second.
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
from callwright.media.settings import MediaSettings

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


def connect_all(core: Core, mode: str, peers: list[socket.socket], prompt: str) -> None:
    for index, peer in enumerate(peers):
        law = 8 if mode == "mix" and index % 2 else 0
        core.send(wire.Connect(UUID(int=index + 1), "127.0.0.1", peer.getsockname()[1], law, 101))
    for index in range(len(peers)):
        if mode == "play":
            core.send(wire.Play(UUID(int=index + 1), 1, (prompt,), 0, stop_on_digit=True))
        elif index % 2 == 0:
            core.send(wire.Join(UUID(int=index + 1), UUID(int=index + 2)))


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
    connect_all(core, mode, peers, prompt.name)
    sound = bytes(range(160))
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
            law = 8 if mode == "mix" and index % 2 else 0
            peer.sendto(HEADER.pack(0x80, law, sequence, sequence * 160, index) + sound, ("127.0.0.1", ports[index]))
        sent += streams * measuring
        due += TICK_S
        core.ping()
        loads += [message for message in core.poll() if isinstance(message, wire.Load)]
    cpu, own = cpu_seconds(core.process.pid) - cpu, time.process_time() - own
    late = sorted(load.late_ms for load in loads)
    print(machine_line())
    print(f"{streams} streams, {mode}, {seconds:g} s: {100 * returned / sent:.2f} % returned")
    print(f"media CPU {100 * cpu / seconds:.0f} % of a core, this program {100 * own / seconds:.0f} %")
    print(f"worst lateness in each second, ms: {late}; ticks skipped: {sum(load.skipped for load in loads)}")
    core.sock.close()
    core.process.wait(5)


if __name__ == "__main__":
    arguments = [*sys.argv[1:], *("300", "relay", "8")[len(sys.argv) - 1 :]]
    run(int(arguments[0]), arguments[1], float(arguments[2]))
