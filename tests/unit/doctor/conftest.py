from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from callwright.clock import SystemClock
from callwright.datafolder import DataFolder
from callwright.store import Store
from callwright.switch import recovery
from support.kept import FIRST, unpack
from support.patient import Patient


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The kept database after a start of today's program, with its far ends gone and its callbacks delivered."""
    folder = unpack(FIRST, tmp_path_factory.mktemp("healthy") / "data")

    async def start() -> None:
        store = Store.open(folder.database, SystemClock())
        await recovery.settle(store, SystemClock(), "one", lambda dialogs: None)
        store.close()

    asyncio.run(start())
    patient = Patient(folder)
    patient.sql(
        "UPDATE legs SET dialog = NULL WHERE dialog IS NOT NULL",
        "UPDATE deliveries SET state = 'delivered', next_at_us = NULL",
        "UPDATE fanned_out SET pos = (SELECT MAX(pos) FROM events)",
    )
    return folder.database.read_bytes()


@pytest.fixture
def patient(tmp_path: Path, healthy: bytes) -> Patient:
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    folder.database.touch(mode=0o600)
    folder.database.write_bytes(healthy)
    return Patient(folder)
