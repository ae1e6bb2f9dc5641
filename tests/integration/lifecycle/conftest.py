from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest_asyncio

from support.sip_peer import Peer
from support.sip_stage import SipStage, sip_stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[SipStage]:
    """One switch with its processes for the tests of a module; each test has numbers and calls of its own."""
    async with sip_stage() as stage:
        yield stage
        await stage.until(lambda: stage.switch.live_calls == 0, "the end of the last call")


@pytest_asyncio.fixture(loop_scope="module")
async def a(stage: SipStage) -> AsyncIterator[Peer]:
    peer = Peer(stage.address)
    yield peer
    peer.close()


@pytest_asyncio.fixture(loop_scope="module")
async def b(stage: SipStage) -> AsyncIterator[Peer]:
    peer = Peer(stage.address)
    yield peer
    peer.close()


@pytest_asyncio.fixture(loop_scope="module")
async def another(stage: SipStage) -> AsyncIterator[Callable[..., Peer]]:
    """Makes further far ends, of a kind."""
    made: list[Peer] = []

    def make(kind: type[Peer] = Peer) -> Peer:
        made.append(kind(stage.address))
        return made[-1]

    yield make
    for peer in made:
        peer.close()
