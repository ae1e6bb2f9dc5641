"""The room of speech with its real processes, as the server runs it, on a cache of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from callwright.clock import SystemClock
from callwright.speech import wire
from callwright.speech.library import Library
from callwright.speech.settings import SpeechSettings
from callwright.speech.studio import Studio
from callwright.supervisor import Child, Patience, Supervisor
from callwright.telephony.speech import Utterance

MODULE = "callwright.speech.process"


class RunningStudio(Studio):
    """A studio and its processes, by engine."""

    children: dict[str, Child]

    @property
    def pids(self) -> dict[str, int]:
        return {engine: child.pid for engine, child in self.children.items() if child.pid is not None}


@asynccontextmanager
async def studio(
    folder: Path, *, module: str = MODULE, transport: Any = None, silence_s: float = 20.0, **settings: Any
) -> AsyncIterator[RunningStudio]:
    """A studio whose processes are up. `module` may be another that talks like `callwright.speech.process`; a process that
    says nothing for `silence_s` is taken for dead.
    """
    clock = SystemClock()
    made = RunningStudio(SpeechSettings(**settings), folder, transport, clock)
    children = []
    for worker in made.workers:
        child = Child(
            worker.name, module, wire.SpeechMessage, worker.receive, clock=clock, arguments=[worker.arguments],
            up=worker.up, down=worker.down, patience=Patience(first_pause=0.05, deaths=1_000, greeting=60.0, silence=silence_s),
        )  # fmt: skip
        worker.kill = child.kill
        children.append(child)
    supervisor = Supervisor(children)
    supervisor.start()
    try:
        await supervisor.started()
        async with asyncio.timeout(120):
            await made.ready()
        made.children = {child.name.removeprefix("speech-"): child for child in children}
        yield made
    finally:
        await made.library.close()
        await supervisor.stop()


async def said(library: Library, text: str, language: str = "en-GB", gender: str = "") -> list[Path]:
    """The files of a text, all of them."""
    return [path async for path in library.say(Utterance(text, language, gender))]
