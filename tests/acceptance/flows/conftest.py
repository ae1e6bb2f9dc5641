"""What acceptance tests of flows share: a running server, the customer's web application, and telephones that listen."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import numpy as np
import pytest

from support.far_end import FarEnd, Samples
from support.server import EVERY_VOICE, Server
from support.steps import say
from support.web_application import WebApplication

_numbers = itertools.count(31_207_000_001)


@pytest.fixture(scope="module")
def web() -> Iterator[WebApplication]:
    application = WebApplication()
    yield application
    application.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server.start(tmp_path_factory.mktemp("flows") / "one", EVERY_VOICE)
    yield running
    running.stop()


@pytest.fixture
def number() -> str:
    """A telephone number nobody has yet."""
    return str(next(_numbers))


@pytest.fixture
def numbers() -> Iterator[str]:
    """Telephone numbers nobody has yet."""
    return map(str, _numbers)


@pytest.fixture
async def telephone(server: Server) -> AsyncIterator[Callable[..., FarEnd]]:
    """Make far ends of the server."""
    made: list[FarEnd] = []

    def make(**options: object) -> FarEnd:
        made.append(FarEnd((server.host, server.port), **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def spoken() -> dict[str, Samples]:
    return {}


@pytest.fixture
def voice(server: Server, telephone: Callable[..., FarEnd], spoken: dict[str, Samples]) -> Callable[[str], Awaitable[Samples]]:
    """A person's voice: what the server's own voice makes of a text, over the telephone, without silence around it."""

    async def speak(text: str) -> Samples:
        if text in spoken:
            return spoken[text]
        called = str(next(_numbers))
        await asyncio.to_thread(server.answers, called, say(text))
        listener = telephone()
        await listener.call(called)
        await listener.is_hung_up(within=60)
        heard = listener.line.heard
        loud = np.flatnonzero(np.abs(heard) > 500)
        spoken[text] = heard[loud[0] : loud[-1]]
        return spoken[text]

    return speak
