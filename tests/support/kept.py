"""The databases that are kept, by the milestone that made them; `tests/migration` says how."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from uuid import UUID

from callwright.core import NODE
from callwright.datafolder import DataFolder
from callwright.store import Store
from callwright.switch import recovery
from support.asgi import Client
from support.rest import Rest, StillClock

KEPT = Path(__file__).parents[1] / "migration"
FIRST = KEPT / "first"
LATER_US = 1_900_000_000_000_000


def unpack(kept: Path, root: Path) -> DataFolder:
    """Put a kept database into a data folder as its server left it."""
    folder = DataFolder(root)
    folder.prepare()
    for packed in kept.glob("*.gz"):
        file = root / packed.name.removesuffix(".gz")
        file.touch(mode=0o600)
        file.write_bytes(gzip.decompress(packed.read_bytes()))
    return folder


class Successor:
    """Today's program started on a kept database, some time later: migrated, and what lived settled (row R2)."""

    def __init__(self, folder: DataFolder) -> None:
        self.clock = StillClock()
        self.clock.at_us = LATER_US
        self.store = Store.open(folder.database, self.clock)
        self.dialogs: list[tuple[UUID, bytes]] = []
        self.settled = 0

    async def settle(self) -> None:
        self.settled = await recovery.settle(self.store, self.clock, NODE, self.dialogs.extend)


def keys_of(kept: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((kept / "keys.json").read_text())
    return found


async def shown(store: Store, keys: dict[str, str]) -> dict[str, Any]:
    """Everything the compatible interface shows of both worlds, by world and path."""
    rest = Rest(store)
    await rest.accounts.prepare()
    told: dict[str, Any] = {}
    for world, key in keys.items():
        client = Client(rest.app, key)
        calls = (await client("GET", "/calls?perPage=100")).json["data"]
        below = [path for call in calls for path in (f"/calls/{call['id']}", f"/calls/{call['id']}/legs")]
        for path in ("/calls", "/call-flows", "/numbers", "/webhooks", *below):
            answer = await client("GET", f"{path}?perPage=100")
            assert answer.status == 200, (path, answer)
            told[f"{world} {path}"] = answer.json
    return told
