"""One server for all these tests, a web service that hears of its calls, and peers that are nobody's relatives."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from callwright.phone.client import Phone
from support.ports import free_port
from support.server import Server, Webserver
from support.sipp import cast

RING_S = 3  # what every call rings at most, unless a step says otherwise


class Trunk(NamedTuple):
    """Where telephone numbers go, and what it is told when it asks who we are."""

    port: int
    username: str = "callwright"
    password: str = "open sesame"


@pytest.fixture(scope="session")
def trunk() -> Trunk:
    return Trunk(free_port())


@pytest.fixture(scope="session")
def web() -> Iterator[Webserver]:
    service = Webserver()
    yield service
    service.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, trunk: Trunk) -> Iterator[Server]:
    toml = (
        f'[[trunks]]\nname = "carrier"\naddress = "127.0.0.1:{trunk.port}"\n'
        f'username = "{trunk.username}"\npassword = "{trunk.password}"\n'
    )
    running = Server.start(tmp_path_factory.mktemp("server") / "one", {"calls.ring_timeout": str(RING_S)}, toml)
    yield running
    running.stop()


@pytest.fixture
def sipp(tmp_path: Path) -> Iterator[Any]:
    """Start SIPps that end with the test."""
    with cast(tmp_path) as start:
        yield start


_numbers = itertools.count(31_205_550_000)


@pytest.fixture
def number() -> Callable[[], str]:
    """A telephone number that no other test has."""
    return lambda: str(next(_numbers))


@pytest.fixture
async def phone() -> AsyncIterator[Callable[..., Awaitable[Phone]]]:
    """Start telephones that end with the test."""
    started: list[Phone] = []

    async def start(**options: str | int | bool) -> Phone:
        started.append(await Phone.start(**options))
        return started[-1]

    yield start
    await asyncio.gather(*(one.stop() for one in started))
