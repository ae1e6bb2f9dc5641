from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from support.signalling import SETTINGS, Core
from support.sip_peer import Peer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def core() -> AsyncIterator[Core]:
    """One signalling process for the tests of a module; each test has legs of its own."""
    core = await Core(SETTINGS).start()
    yield core
    out, err = await core.stop()
    assert core.lost is None
    assert out == ""
    assert "sip_fault" not in err, err


@pytest_asyncio.fixture(loop_scope="module")
async def peer(core: Core) -> AsyncIterator[Peer]:
    peer = Peer(core.address)
    core.said.clear()
    yield peer
    peer.close()
