from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callwright.store import Store
from support.rest import Rest


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[Rest]:
    store = Store.in_memory()
    rest = await Rest(store, tmp_path).prepare()
    yield rest
    rest.files.close()
    store.close()
