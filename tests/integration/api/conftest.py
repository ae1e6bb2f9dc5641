from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from callwright.store import Store
from support.rest import Rest


@pytest.fixture
async def rest() -> AsyncIterator[Rest]:
    store = Store.in_memory()
    yield await Rest(store).prepare()
    store.close()
