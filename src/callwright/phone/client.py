"""Start a phone and drive it: for demo and tests, in their own process and with the standard library alone."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

Event = dict[str, Any]

PATIENCE_S = 30.0


class PhoneError(Exception):
    """The phone refused a command, or is gone."""


class Phone:
    """`events` is all the phone has said, in order. `sip` is its host and port.

    `listener`, once it is set, is told of events of calls in their place.
    """

    listener: Callable[[Event], None] | None = None

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.events: list[Event] = []
        self.sip = ""
        self._process, self._ids, self._taken, self._news, self._gone = process, count(1), set[int](), asyncio.Event(), False
        self._reading = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def start(cls, **options: str | int | bool) -> Phone:
        """Start ``python -m callwright.phone`` with `options` (address, port, user)."""
        flags = [f"--{name}" + ("" if value is True else f"={value}") for name, value in options.items() if value is not False]
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-m", "callwright.phone", *flags]
        # A session of its own: Ctrl-C is for whoever drives it, who ends it by closing its input.
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=1 << 20, start_new_session=True)
        phone = cls(process)
        try:
            phone.sip = (await phone.wait("ready", timeout=60.0))["sip"]
        except BaseException:
            await phone.stop()
            raise
        return phone

    def order(self, command: str, **fields: Any) -> int:
        """Give a command; its number, which the event `done` or `error` carries as `id`."""
        number = next(self._ids)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": command, "id": number} | fields).encode() + b"\n")
        return number

    async def do(self, command: str, **fields: Any) -> int | None:
        """Give a command and wait until it is taken; the number of the call it is about."""
        answer = await self.wait("done", "error", id=self.order(command, **fields))
        if answer["event"] == "error":
            raise PhoneError(f"{command}: {answer['detail']}")
        return answer["call"]  # type: ignore[no-any-return]

    async def call(self, uri: str, **fields: Any) -> int | None:
        return await self.do("call", uri=uri, **fields)

    async def wait(self, *names: str, timeout: float = PATIENCE_S, **facts: Any) -> Event:
        """The first event of such a name and with such facts that was not waited for before; TimeoutError when none comes."""
        async with asyncio.timeout(timeout):
            while True:
                for n, event in enumerate(self.events):
                    if n not in self._taken and event["event"] in names and facts.items() <= event.items():
                        self._taken.add(n)
                        return event
                if self._gone:
                    raise PhoneError(f"the phone ended before {' or '.join(names)} came")
                self._news.clear()
                await self._news.wait()

    async def measure(self, seconds: float = 0.5, **fields: Any) -> Event:
        """What the phone hears in the next `seconds`."""
        number = await self.do("report", measure=seconds, **fields)
        return await self.wait("heard", timeout=seconds + PATIENCE_S, asked=True, call=number)

    def tones(self, call: int = 1) -> list[tuple[float, float | None]]:
        """What was heard from when on: pairs of the loop's time and the frequency, None for silence or noise."""
        changes = [event for event in self.events if event["event"] == "heard" and not event["asked"] and event["call"] == call]
        return [(event["since"], event["hz"]) for event in changes]

    async def stop(self) -> int:
        """Hang up and end the phone; its exit code."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(5.0):
                await self._reading
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
        return await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            event: Event = json.loads(line)
            if self.listener is not None:
                self.listener(event)
            else:
                self.events.append(event)
            self._news.set()
        self._gone = True
        self._news.set()
