"""The demo from its start to its verdict: runs the acts, shows what was seen, stays up if asked to."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

from callwright.cli import show
from callwright.cli.demo import acts
from callwright.cli.demo.expectations import ACTS, Findings
from callwright.cli.demo.observations import observations
from callwright.cli.demo.page import Page
from callwright.cli.demo.server import NotStarted
from callwright.cli.demo.stage import Stage
from callwright.clock import SystemClock
from callwright.errors import CallwrightError
from callwright.phone.client import PhoneError

_ACTS: Mapping[str, Callable[[Stage], Awaitable[None]]] = {
    "simulated": acts.simulated,
    "greeting": acts.greeting,
    "transfer": acts.transfer,
}
INTERRUPTED = 130


def run(*, once: bool, json: bool) -> int:
    """Run the demo and return its exit code: 0 when all was as expected, 1 when not, 130 when it was interrupted."""
    return asyncio.run(_Demo(Page(aside=json), json=json).run(stay=not once))


class _Demo:
    def __init__(self, page: Page, *, json: bool) -> None:
        self._page = page
        self._json = json
        self._findings = Findings(page.finding)
        self._judged = False
        self._fell = False

    async def run(self, *, stay: bool) -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        playing = loop.create_task(self._play(stop, stay=stay))
        stopping = loop.create_task(stop.wait())
        await asyncio.wait((playing, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not self._judged:
            playing.cancel()
        try:
            await playing
        except asyncio.CancelledError:
            self._page.title("Interrupted.")
            return INTERRUPTED
        return 0 if self._findings.all_met and not self._fell else 1

    async def _play(self, stop: asyncio.Event, *, stay: bool) -> None:
        async with AsyncExitStack() as keep:
            with self._page.status() as status:
                try:
                    stage = await Stage.set_up(SystemClock(), self._findings, keep, status.update)
                except (CallwrightError, PhoneError, OSError, TimeoutError) as error:
                    for act in ACTS:
                        self._findings.close(act, _in_words(error))
                    await self._judge(None, error.log if isinstance(error, NotStarted) else [])
                    return
                for act, title in ACTS.items():
                    status.update(title)
                    self._page.title(title)
                    await self._act(act, stage)
            await self._judge(stage, stage.server.log_tail())
            if stay and stage.server.running:
                await self._stay(stage, stop)

    async def _act(self, act: str, stage: Stage) -> None:
        why = "the demo does not look for it"
        try:
            await _ACTS[act](stage)
        except Exception as error:
            # Whatever goes wrong in an act is a miss of what it still had to show; the other acts go on.
            why = _in_words(error)
        self._findings.close(act, why)

    async def _judge(self, stage: Stage | None, log: list[str]) -> None:
        seen = await observations(self._findings, stage)
        self._judged = True
        if self._json:
            show.as_json_line(seen)
        elif stage is not None:
            self._page.records(seen)
        self._page.verdict(self._findings.misses, log)

    async def _stay(self, stage: Stage, stop: asyncio.Event) -> None:
        self._page.title("The platform stays up for you to try this. Ctrl-C ends it.")
        waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(stage.server.gone())]
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        if not stop.is_set():
            self._fell = True
            self._page.title("The platform ended by itself.")
            self._page.log(stage.server.log_tail())


def _in_words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "nothing happened for too long"
    return str(error) if isinstance(error, CallwrightError | PhoneError) else f"{type(error).__name__}: {error}"
