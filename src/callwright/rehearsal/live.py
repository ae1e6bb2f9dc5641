"""Rehearsals over real SIP: the engine of the server with its signalling and media processes, and telephones for the parties.

A stage carries many rehearsals at once. Each has a platform of its own (store, switch, web, settings) and sees its own calls
alone, so that a hundred scenarios take as long as the longest of them.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, Self

import msgspec

from callwright.clock import Clock, SystemClock
from callwright.egress import Transport
from callwright.errors import CallwrightError
from callwright.media import wire as media_wire
from callwright.media.settings import MediaSettings
from callwright.rehearsal.live_exchange import Exchange
from callwright.rehearsal.live_network import SipNetwork, Switchboard
from callwright.rehearsal.live_sound import SoundingPrompts, Voices
from callwright.rehearsal.live_telephones import TelephonesFailed
from callwright.rehearsal.platform import Props, Rehearsal
from callwright.rehearsal.prompts import RehearsedSounds, RehearsedSpeech
from callwright.rehearsal.web import ScriptedWeb
from callwright.settings import Settings
from callwright.sip import wire as sip_wire
from callwright.sip.engine import EngineSettings, SipEngine
from callwright.sip.settings import SignallingSettings
from callwright.store import Store
from callwright.supervisor import Child, ChildFailed, Supervisor

# By so much more may times differ from what a scenario expects than in virtual time: an INVITE and its answer take a few
# milliseconds, sound comes in ticks of 20 ms, a key is told once it is let go, and the machine may be at other work.
TOLERANCE_S: Final = 0.5

LOOPBACK: Final = "127.0.0.1"
TELEPHONES: Final = 2
PORTS: Final = 1_000  # two for each leg
FIRST_PORT, LAST_PORT = 12_000, 32_000  # below those the kernel gives to whoever asks for any
ATTEMPTS: Final = 40
# Between one platform and the next: children that hear nothing of this process while it makes a hundred take it for dead.
APART_S: Final = 0.01
# There is one caller for all, and no machine is too slow for what it does for itself.
LEGS_PER_S: Final = 10_000.0
LATE_MS: Final = 10_000.0


class NoStage(CallwrightError):
    """Calls over SIP cannot be made on this machine; the sentence says what is missing."""


class LiveStage:
    """What is shared: the engine and its processes, and the telephones. Made by `live_stage`."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.clock = clock
        self._settings = settings
        self._stack = AsyncExitStack()
        self._door = asyncio.Lock()

    async def __aenter__(self) -> Self:
        try:
            await self._set_up()
        except (ChildFailed, TelephonesFailed) as error:
            await self._stack.aclose()
            raise NoStage(f"There is no stage for calls over SIP: {error}") from error
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    async def _set_up(self) -> None:
        stack = self._stack
        self._folder = Path(tempfile.mkdtemp(prefix="callwright-live-"))
        stack.callback(partial(shutil.rmtree, self._folder, ignore_errors=True))
        sip = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sip.bind((LOOPBACK, 0))
        engine = SipEngine(EngineSettings(address=LOOPBACK, max_calls=PORTS // 2), self.clock)
        stack.callback(engine.close)
        server = f"{LOOPBACK}:{sip.getsockname()[1]}"
        silence = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        silence.bind((LOOPBACK, 0))
        self._switchboard = Switchboard(Exchange(engine), server, Voices(self._folder), silence.getsockname())
        supervisor = Supervisor(self._children(engine, sip))
        supervisor.start()
        stack.push_async_callback(supervisor.stop)
        stack.push_async_callback(self._switchboard.telephones.stop)
        await self._switchboard.telephones.start(TELEPHONES)
        await supervisor.started()

    def _children(self, engine: SipEngine, sip: socket.socket) -> list[Child]:
        level = "error"
        first = free_ports(PORTS)
        media = MediaSettings(
            bind=LOOPBACK,
            first_port=first,
            last_port=first + PORTS - 1,
            silence_s=self._settings.media.silence,
            port_quarantine_s=0.0,
            log_level=level,
        )
        signalling = SignallingSettings(new_legs_per_s=LEGS_PER_S, max_late_ms=LATE_MS, log_level=level)
        return [
            Child(
                "signalling",
                "callwright.sip.process",
                sip_wire.SignallingMessage,
                engine.on_signalling,
                clock=self.clock,
                arguments=["--sip-fd", str(sip.fileno()), "--settings", msgspec.json.encode(signalling).decode()],
                descriptors=[sip.fileno()],
                up=engine.signalling_up,
                down=engine.signalling_down,
            ),
            Child(
                "media-1",
                "callwright.media.process",
                media_wire.MediaMessage,
                partial(engine.on_media, 0),
                clock=self.clock,
                arguments=[msgspec.json.encode(media).decode()],
                up=partial(engine.media_up, 0),
                down=partial(engine.media_down, 0),
            ),
        ]

    @asynccontextmanager
    async def rehearsal(self, settings: Settings | None = None, *, beyond: Transport | None = None) -> AsyncIterator[Rehearsal]:
        """A platform of its own on the stage; what is left of its calls ends with it.

        `beyond` is as in `ScriptedWeb`.
        """
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        prompts = SoundingPrompts(folder)
        props = Props(
            network=SipNetwork(self.clock, prompts, self._switchboard),
            speech=RehearsedSpeech(prompts),
            sounds=RehearsedSounds(prompts),
            web=ScriptedWeb(self.clock, beyond),
        )
        async with self._door:
            rehearsal = Rehearsal(Store.in_memory(), self.clock, settings or self._settings, props)
            await rehearsal.start()
            await self.clock.sleep(APART_S)
        try:
            yield rehearsal
        finally:
            with suppress(TimeoutError):
                await rehearsal.switch.drain(0)
            await rehearsal.stop()
            shutil.rmtree(folder, ignore_errors=True)


def live_stage(settings: Settings | None = None) -> LiveStage:
    """Set a stage: ``async with live_stage() as stage``. Raises `NoStage`."""
    return LiveStage(settings or Settings(), SystemClock())


def free_ports(count: int, first: int = FIRST_PORT, last: int = LAST_PORT) -> int:
    """The first, an even one, of so many UDP ports in a row that nobody has. Raises `NoStage`."""
    for _ in range(ATTEMPTS):
        found = random.randrange(first, last - count + 1, 2)  # noqa: S311
        if all(_is_free(port) for port in range(found, found + count)):
            return found
    raise NoStage(
        f"There is no stage for calls over SIP: between {first} and {last} no {count} UDP ports in a row are free. "
        "End what holds them (ss -lun shows it), and try again."
    )


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        try:
            end.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
