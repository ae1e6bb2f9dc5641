"""baresip as a telephone without sound hardware: it says a tone, and what it hears is measured."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Self

import baresip
import numpy as np
from baresip.call import DigitEvent

from callwright.phone.sound import Heard, measure
from support.ports import free_port
from support.sound import tone

PATIENCE_S = 30.0
AHEAD = 3200  # bytes of sound written before they are due: 200 ms


class Call:
    """A call of the telephone. It says its tone as soon as it is up; `digits` are the keys the far end pressed."""

    def __init__(self, call: baresip.Call, hz: float) -> None:
        self.call = call
        self.digits: list[str] = []
        self._news = asyncio.Event()
        self._pcm = tone(hz, 1000).astype("<i2").tobytes()
        call.on(lambda _: self._news.set())
        call.on_dtmf(self._key)
        self._speaking = asyncio.get_running_loop().create_task(self._speak())

    async def reaches(self, state: str) -> None:
        """Wait for ``ESTABLISHED`` or ``CLOSED``."""
        await self._until(lambda: self.call.state is baresip.CallState[state])

    async def presses(self, wanted: str) -> None:
        """Wait until these keys were pressed by the far end, each once."""
        await self._until(lambda: len(self.digits) >= len(wanted))
        assert self.digits == list(wanted)

    async def hears(self, hz: float | None) -> Heard:
        """Wait until what is heard is this tone and no other; None is silence."""
        heard = Heard()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    heard = await self._listen()
                    if heard.silence if hz is None else heard.hz is not None and abs(heard.hz - hz) < 3:
                        return heard
        except TimeoutError:
            raise AssertionError(f"baresip hears {heard} and not {hz}") from None

    async def close(self) -> None:
        self._speaking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._speaking

    async def _until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def _listen(self, seconds: float = 0.3) -> Heard:
        pcm = b""
        while len(pcm) < seconds * 16_000:
            with contextlib.suppress(baresip.AudioRestarted):
                pcm += self.call.audio.read(16_000)
            await asyncio.sleep(0.02)
        return measure(np.frombuffer(pcm, "<i2"))

    async def _speak(self) -> None:
        at = 0
        while self.call.state is not baresip.CallState.CLOSED:
            with contextlib.suppress(baresip.AudioNotActive, baresip.AudioRestarted):
                if self.call.audio.info().tx_buffered < AHEAD:
                    at = (at + self.call.audio.write(self._pcm[at : at + AHEAD])) % len(self._pcm)
            await asyncio.sleep(0.02)

    def _key(self, event: DigitEvent) -> None:
        self.digits.append(event.digit)
        self._news.set()


class Baresip:
    """`sip` is its host and port. There can be one at a time in a process."""

    def __init__(self, runtime: baresip.Runtime, agent: baresip.UserAgent, port: int, hz: float) -> None:
        self.sip = f"127.0.0.1:{port}"
        self._runtime = runtime
        self._agent = agent
        self._hz = hz
        self._calls: list[Call] = []
        self._incoming: asyncio.Queue[Call] = asyncio.Queue()
        agent.on_incoming(lambda call: self._incoming.put_nowait(self._adopt(call)))

    @classmethod
    async def start(cls, user: str, codecs: tuple[str, ...], hz: float) -> Self:
        port = free_port()
        runtime = baresip.Runtime()
        listen = f"sip_listen 127.0.0.1:{port}\nsip_transports udp\n"
        await runtime.start(baresip.Config(net_interface="127.0.0.1", extra_config_text=listen))
        account = baresip.Account(user, "127.0.0.1", "", reg_interval=0, audio_codecs=codecs)
        return cls(runtime, await baresip.UserAgent.create(runtime, account), port, hz)

    async def dial(self, uri: str) -> Call:
        call = self._adopt(await self._agent.dial(uri))
        await call.reaches("ESTABLISHED")
        return call

    async def incoming(self) -> Call:
        """The next call that comes in; it rings until it is answered."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._incoming.get()

    async def stop(self) -> None:
        for call in self._calls:
            await call.close()
        await self._runtime.close()

    def _adopt(self, call: baresip.Call) -> Call:
        self._calls.append(Call(call, self._hz))
        return self._calls[-1]


@contextlib.asynccontextmanager
async def baresip_phone(
    *, user: str = "31205550199", codecs: tuple[str, ...] = ("pcmu", "pcma"), hz: float = 850.0
) -> AsyncIterator[Baresip]:
    phone = await Baresip.start(user, codecs, hz)
    try:
        yield phone
    finally:
        await phone.stop()
