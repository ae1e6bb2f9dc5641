"""Calls in every state, for a death to meet; and the service manager that restarts what died."""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Lock, Thread
from typing import NamedTuple

from support.server import Server, Webserver, children_of, until
from support.sip_peer import Caller, Message, Peer, sdp

WITHIN_S = 40.0
_numbers = itertools.count(31_205_550_200)
PAUSE = {"action": "pause", "options": {"length": 120}}


def child_of(server: Server, name: str) -> int:
    """The process id of ``signalling`` or ``media-N`` as it is now."""
    ups = [line for line in server.logged(event="child_up") if line["child"] == name]
    pid: int = ups[-1]["pid"]
    return pid


def family(server: Server) -> list[int]:
    """The process ids of a server's children."""
    return children_of(server.process.pid)


def alive(pid: int) -> bool:
    """Whether a process still runs; one that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(pids: list[int], *, within: float = WITHIN_S) -> None:
    until(lambda: [pid for pid in pids if alive(pid)], lambda left: not left, within=within, what="the end of processes")


class Call(NamedTuple):
    """A call in one state; `callee` has `invite` from us if there is a B leg.

    `media` is the process that has its sound, `port` the one where we take it.
    """

    state: str
    number: str
    id: str
    caller: Caller
    callee: Peer | None
    invite: Message | None
    media: str
    port: int

    @property
    def ends(self) -> list[Peer]:
        """The far ends that think they are in a call."""
        if self.state == "ringing":
            return []
        return [self.caller.peer, *([self.callee] if self.callee is not None else [])]


class Cast:
    """Far ends of a server. `web` hears of their calls."""

    def __init__(self, server: Server, web: Webserver) -> None:
        self._server = server
        self._web = web
        self._peers: list[Peer] = []
        self._middle = server.rtp_ports[len(server.rtp_ports) // 2]

    def close(self) -> None:
        for peer in self._peers:
            peer.close()

    def peer(self) -> Peer:
        self._peers.append(Peer((self._server.host, self._server.port)))
        return self._peers[-1]

    async def call(self, state: str, offer: str = "", answer: str = "") -> Call:
        """Bring a call into a state: ``ringing``, ``answered``, ``unacknowledged`` or ``bridged``.

        `offer` is the caller's description, `answer` the callee's, if they are not those of a peer without sound.
        """
        number = str(next(_numbers))
        callee = self.peer() if state in ("ringing", "bridged") else None
        steps = PAUSE
        if callee is not None:
            steps = {"action": "transfer", "options": {"destination": f"sip:callee@127.0.0.1:{callee.port}"}}
        await asyncio.to_thread(self._server.answers, number, steps, webhook=self._web.url("/calls"))
        caller = self.peer().call(number, caller="<sip:31612345678@127.0.0.1>")
        caller.invite(offer or None)
        invite = None
        description = ""
        if callee is not None:
            invite = await callee.get("INVITE")
            description = invite.body
            callee.reply(invite, 180, "Ringing")
            await caller.peer.get(180)
        if state == "bridged":
            assert callee is not None
            assert invite is not None
            callee.reply(invite, 200, body=answer or sdp())
            await callee.get("ACK")
        if state != "ringing":
            answered = await caller.peer.get(200)
            description = answered.body
            caller.learn(answered)
            if state != "unacknowledged":
                caller.ack(answered)
        call_id = await asyncio.to_thread(self._server.call_to, number)
        legs = {"ringing": ("ringing", "ringing"), "bridged": ("ongoing", "ongoing")}.get(state, ("ongoing",))
        await asyncio.to_thread(self._server.reaches, call_id, *legs)
        port = re.search(r"m=audio (\d+)", description)
        assert port is not None
        media = "media-1" if int(port.group(1)) < self._middle else "media-2"
        return Call(state, number, call_id, caller, callee, invite, media, int(port.group(1)))

    async def let_go(self, calls: list[Call]) -> None:
        """Every far end that is in one of these calls hears a BYE, and answers it."""

        async def hears(peer: Peer) -> None:
            peer.reply(await peer.get("BYE", within=WITHIN_S), 200)

        await asyncio.gather(*(hears(peer) for call in calls for peer in call.ends))


class ServiceManager:
    """What systemd is to a unit with Type=notify, WatchdogSec= and Restart=always."""

    def __init__(self, path: Path, watchdog_s: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.watchdog_s = watchdog_s
        self.environment: Mapping[str, str] = {
            "NOTIFY_SOCKET": str(path),
            "WATCHDOG_USEC": str(round(watchdog_s * 1_000_000)),
        }
        self.said: list[str] = []
        self._heard_at = time.monotonic()
        self._hearing, self._closed = Lock(), Event()
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def close(self) -> None:
        self._closed.set()
        self._listener.join()
        self._socket.close()

    def watch(self, server: Server) -> None:
        """Wait until the server has died, or was silent too long and was killed for that."""
        began = time.monotonic()
        while server.process.poll() is None:
            self.hear()
            if time.monotonic() - max(self._heard_at, began) > self.watchdog_s:
                self.said.append("killed by the watchdog")
                server.process.kill()
                server.process.wait()
            time.sleep(0.05)

    def hear(self) -> list[str]:
        """What was said so far."""
        with self._hearing:
            while True:
                try:
                    self.said.append(self._socket.recv(200, socket.MSG_DONTWAIT).decode())
                except BlockingIOError:
                    return self.said
                self._heard_at = time.monotonic()

    def _listen(self) -> None:
        """The kernel keeps ten words for one who does not listen; of what it says beyond them a server warns."""
        while not self._closed.wait(0.05):
            self.hear()
