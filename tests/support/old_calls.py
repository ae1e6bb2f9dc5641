"""Calls that ended in the past, with everything that can be kept of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from callwright import ids
from callwright.calls.lifecycle import CallRecord
from callwright.reasons import Reason
from callwright.recordings.keys import Keyring
from callwright.recordings.model import RecordingType
from callwright.recordings.recordings import Recordings
from callwright.store import Store, Transaction
from callwright.telephony import RecordOutcome, Tracks
from callwright.transcriptions.transcriptions import Transcriptions

DAY_US = 86_400 * 1_000_000
NOW_US = 1_700_000_000_000_000
SOUND = b"RIFF"
# Nothing of these is of a call, or only until a file is gone.
OF_NO_CALL = frozenset({"migrations", "accounts", "worlds", "keys", "flows", "numbers", "nodes", "webhooks", "endpoints"})


class HandClock:
    """Time is what a test says; whoever sleeps lets others run."""

    def __init__(self) -> None:
        self.us = NOW_US
        self.slept: list[float] = []
        self.tick_ns = 0
        self._ns = 0

    def now_us(self) -> int:
        return self.us

    def mono_ns(self) -> int:
        """Each look takes `tick_ns`."""
        self._ns += self.tick_ns
        return self._ns

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class OldCalls:
    """A record with calls in it; ages are days since their end."""

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        self.clock: Any = HandClock()
        self.store = store or Store.in_memory()
        self.world = uuid4()
        self.recordings = Recordings(self.store, self.clock, folder, Keyring({}))
        self.transcriptions = Transcriptions(self.store, self.clock, Keyring({}))

    async def call(self, age: float | None, *tags: str, url: str | None = None) -> UUID:
        """A call that ended so long ago; None for one that is up."""
        at_us = self.clock.us - round((age or 0) * DAY_US) - 60_000_000
        record = CallRecord.requested(
            call_id=ids.uuid7(at_us),
            leg_id=ids.uuid7(at_us),
            world_id=self.world,
            source="31205550199",
            destination="31612345678",
            number_id=UUID(int=len(tags) + 1),
            webhook_url=url,
            webhook_token=None,
            at_us=at_us,
            node="here",
        )
        await self.store.commit(record.take())
        (leg,) = record.legs
        record.start(at_us)
        record.rings(leg.id, at_us)
        record.answered(leg.id, at_us + 1)
        await self.store.commit(record.take())
        if age is not None:
            record.end_leg(leg.id, Reason.FLOW_ENDED, at_us + 60_000_000)
            await self.store.commit(record.take())
        if tags:
            await self.label(record.call.id, *tags)
        return record.call.id

    async def label(self, call_id: UUID, *tags: str) -> None:
        await self.sql("UPDATE calls SET tags = ? WHERE id = ?", json.dumps(tags) if tags else None, call_id.bytes)

    async def with_everything(self, age: float) -> UUID:
        """A call with each kind of row there is, and a file."""
        call_id = await self.call(age, "plain", url="https://example.com/hook")
        await self.record(call_id)
        await self.deliver(call_id)
        await self.fan_out()
        return call_id

    async def record(self, call_id: UUID, *, over: bool = True) -> Path:
        begun = self.recordings.begin(self.world, call_id, uuid4(), RecordingType.CALL, Tracks.FROM, self.clock.us)
        begun.path.write_bytes(SOUND)
        await self.store.commit(begun.change)
        if over:
            ended = self.recordings.finished(begun.recording, RecordOutcome.STOPPED, 1000, "", self.clock.us)
            await self.store.commit(ended.change)
            await self.store.commit(self.transcriptions.request(ended.recording, "en-US", self.clock.us).change)
        return begun.path

    async def deliver(self, call_id: UUID, state: str = "delivered", settled_us: int | None = NOW_US - DAY_US) -> None:
        delivery_id = uuid4().bytes
        await self.sql(
            "INSERT INTO deliveries (world_id, id, event_id, call_id, sequence, kind, scope, url, endpoint, body, state, "
            "created_us, since_us, settled_us) VALUES (?, ?, ?, ?, 1, 'callCreated', 'call', ?, 'e', x'00', ?, 1, 1, ?)",
            self.world.bytes, delivery_id, uuid4().bytes, call_id.bytes, f"https://e/{uuid4()}", state,
            None if state == "pending" else settled_us,
        )  # fmt: skip
        await self.sql(
            "INSERT INTO attempts (world_id, delivery_id, n, at_us, headers, total_us) VALUES (?, ?, 1, 1, '[]', 1)",
            self.world.bytes, delivery_id,
        )  # fmt: skip

    async def fan_out(self) -> None:
        """As if every event had become callbacks."""
        await self.sql("UPDATE fanned_out SET pos = (SELECT COALESCE(MAX(pos), 0) FROM events)")

    async def jump(self, pos: int) -> None:
        """Have the next call stand right after this position."""
        await self.sql("DELETE FROM sqlite_sequence WHERE name = 'calls'")
        await self.sql("INSERT INTO sqlite_sequence (name, seq) VALUES ('calls', ?)", pos)

    async def sql(self, statement: str, *params: object) -> list[Any]:
        def run(transaction: Transaction) -> list[Any]:
            return list(transaction._connection.execute(statement, params))  # type: ignore[arg-type]

        return await self.store.transact(run)

    async def calls(self) -> list[UUID]:
        return [UUID(bytes=id_) for (id_,) in await self.sql("SELECT id FROM calls ORDER BY pos")]

    async def rows(self) -> dict[str, int]:
        """How many rows each table has that may say something of a call."""
        tables = [name for (name,) in await self.sql("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            name: (await self.sql(f"SELECT COUNT(*) FROM {name}"))[0][0]
            for name in sorted(tables)
            if name not in OF_NO_CALL and not name.startswith("sqlite_")
        }

    async def mentions(self, call_id: UUID) -> list[str]:
        """Tables with a row that has the call's id anywhere."""
        found = []
        for (name,) in await self.sql("SELECT name FROM sqlite_schema WHERE type = 'table'"):
            columns: Sequence[Any] = await self.sql(f"SELECT name FROM pragma_table_info('{name}')")
            any_of = " OR ".join(f"instr(CAST({column} AS BLOB), ?1) OR instr({column}, ?2)" for (column,) in columns)
            if any_of and (await self.sql(f"SELECT COUNT(*) FROM {name} WHERE {any_of}", call_id.bytes, str(call_id)))[0][0]:
                found.append(name)
        return found
