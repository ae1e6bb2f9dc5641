"""Call control over real SIP: switch and SIP engine in this process, signalling and media as they are, far ends by hand.

Times of RFC 3261 are a tenth of what they are, so that 32 s on the wire take 3.2 s.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

import msgspec

from callwright.calls import rows
from callwright.calls.model import Call
from callwright.clock import SystemClock
from callwright.media import wire as media_wire
from callwright.media.settings import MediaSettings
from callwright.sip import wire as sip_wire
from callwright.sip.engine import EngineSettings, SipEngine
from callwright.sip.settings import SignallingSettings
from callwright.store import Store
from callwright.supervisor import Child, Supervisor
from callwright.switch.settings import CallSettings
from callwright.switch.switch import Line, Switch
from callwright.trunks.routes import Routes, Trunk
from support.invariants import check_record
from support.platform import Platform
from support.ports import free_ports
from support.sip_peer import Caller, Message, Peer, sdp

PATIENCE_S = 30.0
Outcome = tuple[str, list[tuple[str, str, str]]]
_numbers = itertools.count(31_205_560_000)


def transfer(to: Peer | str, **options: Any) -> dict[str, Any]:
    destination = to if isinstance(to, str) else f"sip:3000@127.0.0.1:{to.port}"
    return {"action": "transfer", "options": {"destination": destination, **options}}


def pause(seconds: float = 60.0) -> dict[str, Any]:
    return {"action": "pause", "options": {"length": seconds}}


class SipStage(Platform):
    """A platform over real SIP. A is who calls in, B who is called by a transfer or by POST /calls."""

    address: tuple[str, int]
    signalling: Child
    media: Child

    async def begin(self, *, pairs: int = 100, silence_s: float = 60.0, trunk: int = 9) -> None:
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind(("127.0.0.1", 0))
        self.address = self.sip.getsockname()
        # The children share the processors with other tests, and may answer late.
        self.engine_settings = EngineSettings(
            address="127.0.0.1", open_s=20.0, close_s=10.0, word_s=10.0, ack_s=4.0, call_s=8.0
        )
        engine = self.sip_engine = SipEngine(self.engine_settings, self.clock)
        first = free_ports(2 * pairs)
        ports = MediaSettings(first_port=first, last_port=first + 2 * pairs - 1, silence_s=silence_s, port_quarantine_s=0.0)
        timers = SignallingSettings(t1_s=0.05, offer_answer_s=2.0, max_late_ms=10_000.0)
        self.signalling = Child(
            "signalling",
            "callwright.sip.process",
            sip_wire.SignallingMessage,
            engine.on_signalling,
            clock=self.clock,
            arguments=["--sip-fd", str(self.sip.fileno()), "--settings", msgspec.json.encode(timers).decode()],
            descriptors=[self.sip.fileno()],
            up=engine.signalling_up,
            down=engine.signalling_down,
        )
        self.media = Child(
            "media-1",
            "callwright.media.process",
            media_wire.MediaMessage,
            lambda message: engine.on_media(0, message),
            clock=self.clock,
            arguments=[msgspec.json.encode(ports).decode()],
            up=lambda link: engine.media_up(0, link),
            down=lambda why: engine.media_down(0, why),
        )
        self.routes = Routes([Trunk("carrier", "127.0.0.1", trunk, "bob", "secret")], ["127.0.0.1"], ["112"])
        await self.accounts.prepare()
        self.world = self.accounts.world("live")
        self.settings = CallSettings(linger=10.0)
        self.switch = Switch(
            lines={self.world.id: Line(self.world, engine, lambda destination: self.routes.target(destination))},
            store=self.store,
            clock=self.clock,
            numbers=self.numbers,
            flows=self.flows,
            supplies=self.supplies(),
            settings=self.settings,
            counters=self.counters,
            node="test",
        )
        self.supervisor = Supervisor([self.signalling, self.media])
        self.supervisor.start()
        await self.supervisor.started()
        await self.switch.start()

    async def end(self) -> None:
        await self.switch.stop()
        await self.supervisor.stop()
        self.sip_engine.close()
        self.sip.close()
        self.store.close()
        self.close()

    # what is there before a test

    @contextmanager
    def calls_with(self, **settings: Any) -> Iterator[None]:
        """Settings of call control for the calls that begin meanwhile."""
        self.switch._settings = msgspec.structs.replace(self.settings, **settings)
        try:
            yield
        finally:
            self.switch._settings = self.settings

    async def answers(self, *steps: dict[str, Any], **flow: Any) -> str:
        """A new number that runs these steps."""
        number = str(next(_numbers))
        await self.number(number, list(steps), **flow)
        return number

    # what is on record

    async def until(self, look: Callable[[], Any], what: str = "", *, within: float = PATIENCE_S) -> Any:
        """Look until something is there."""
        deadline = asyncio.get_running_loop().time() + within
        while not (seen := look()):
            assert asyncio.get_running_loop().time() < deadline, f"not within {within:g} s: {what}"
            await asyncio.sleep(0.004)
        return seen

    def calls_to(self, number: str) -> list[Call]:
        return [call for call in self.calls() if call.destination == number]

    async def call_to(self, number: str) -> Call:
        (call,) = await self.until(lambda: self.calls_to(number), f"a call to {number}")
        return call

    async def reaches(self, call: Call, *legs: str) -> None:
        """Wait until the legs of a call, oldest first, have these statuses."""
        await self.until(
            lambda: [leg[1] for leg in self.outcome(call)[1]] == list(legs), f"legs {legs}, not {self.outcome(call)}"
        )

    async def over(self, call: Call, *, within: float = PATIENCE_S) -> Outcome:
        """Wait until a call is over, on the wire too; check its record, and return how it ended."""
        await self.until(lambda: call.id not in self.switch._by_call, f"the end of {self.outcome(call)}", within=within)
        check_record(self.store, self.world.id, call.id, over=True)
        return self.outcome(call)

    def entries(self, call: Call, *kinds: type) -> list[Any]:
        return [told.entry for told in self.journal(call) if not kinds or isinstance(told.entry, kinds)]

    def legs(self, call: Call) -> list[Any]:
        return rows.legs_of(self.store, self.world.id, call.id)

    def leg_id(self, call: Call, n: int) -> UUID:
        found: UUID = self.legs(call)[n].id
        return found

    # whole stretches of a call

    async def rings(self, a: Peer, b: Peer, *more: dict[str, Any], **options: Any) -> tuple[Caller, Message, Call]:
        """A calls a number that transfers to B, which rings."""
        number = await self.answers(transfer(b, **options), *more)
        caller = a.call(number)
        caller.invite()
        invite = await b.get("INVITE")
        b.reply(invite, 180, "Ringing")
        caller.learn(await a.get(180))
        return caller, invite, await self.call_to(number)

    async def talk(self, a: Peer, b: Peer, *more: dict[str, Any], **options: Any) -> tuple[Caller, Caller, Call]:
        """A and B are connected; both as dialogs that can say more."""
        caller, invite, call = await self.rings(a, b, *more, **options)
        b.reply(invite, 200, body=sdp())
        await b.get("ACK")
        caller.ack(await a.get(200))
        await self.reaches(call, "ongoing", "ongoing")
        return caller, b.called(invite), call

    async def answered(self, a: Peer, *steps: dict[str, Any]) -> tuple[Caller, Call]:
        """A calls a number that answers by itself."""
        number = await self.answers(*(steps or (pause(),)))
        caller = a.call(number)
        caller.invite()
        caller.ack(await a.get(200))
        call = await self.call_to(number)
        await self.reaches(call, "ongoing")
        return caller, call

    def kill(self, child: Child) -> None:
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)


@asynccontextmanager
async def sip_stage(**options: Any) -> AsyncIterator[SipStage]:
    stage = SipStage(Store.in_memory(), SystemClock())  # type: ignore[arg-type]
    await stage.begin(**options)
    try:
        yield stage
    finally:
        await stage.end()


async def hung_up(peer: Peer, *, reason: str = "") -> Message:
    """Answer the BYE that comes, and return it."""
    bye = await peer.get("BYE")
    peer.reply(bye, 200)
    assert bye.get("Reason") == reason
    return bye


async def gone(peer: Peer, dialog: Caller, **options: Any) -> None:
    """Hang up, and see that it is taken."""
    dialog.send("BYE", **options)
    await peer.ok("BYE")


async def cancelled(peer: Peer, invite: Message, *, reason: str = "") -> None:
    """Take the CANCEL of an INVITE."""
    cancel = await peer.get("CANCEL")
    assert (cancel.branch, cancel.get("Reason")) == (invite.branch, reason)
    peer.reply(cancel, 200)
    peer.reply(invite, 487, "Request Terminated")
    assert (await peer.get("ACK")).branch == invite.branch
