import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from callwright.phone.client import Phone

Starter = Callable[..., Awaitable[Phone]]


@pytest.fixture
async def phone() -> AsyncIterator[Starter]:
    """Start phones that end with the test."""
    started: list[Phone] = []

    async def start(**options: str | int | bool) -> Phone:
        started.append(await Phone.start(**options))
        return started[-1]

    yield start
    await asyncio.gather(*(one.stop() for one in started))
