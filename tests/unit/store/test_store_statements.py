"""What every commit runs once is compiled once, however much else a commit writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

from callwright.calls.lifecycle import CallRecord
from callwright.reasons import Reason
from callwright.store import Change, queries
from callwright.store.batch import Transaction
from callwright.store.migrate import migrate
from callwright.store.store import _connect

CALLS = 100  # whose changes share a commit, as those of so many callers do
WORLD = UUID(int=1)


def life(n: int) -> Iterator[Change]:
    record = CallRecord.requested(
        call_id=UUID(int=100 * n + 100),
        leg_id=UUID(int=100 * n + 101),
        world_id=WORLD,
        source="31205550123",
        destination="31655550177",
        number_id=UUID(int=n % 7 + 1),
        webhook_url=None,
        webhook_token=None,
        at_us=n,
        node="one",
    )
    yield record.take()
    record.start(n + 1)
    record.answered(record.legs[0].id, n + 2)
    yield record.take()
    record.end_leg(record.legs[0].id, Reason.CALLEE_HANGUP, n + 3)
    yield record.take()


def test_the_statement_that_counts_is_compiled_in_no_later_commit(tmp_path: Path) -> None:
    with closing(_connect(str(tmp_path / "callwright.db"), "off")) as connection:
        migrate(connection)
        transaction = Transaction(connection, queries.load())
        lives = [life(n) for n in range(CALLS)]
        compiled = []
        for changes in zip(*lives, strict=True):
            connection.execute("BEGIN IMMEDIATE")
            for change in changes:
                transaction.write_all(change.writes)
            before = connection.cache_stats()["misses"]
            transaction.count()
            compiled.append(connection.cache_stats()["misses"] - before)
            connection.execute("COMMIT")
        assert compiled[0] > 0
        assert compiled[1:] == [0, 0]
        counted = "SELECT n, outgoing_ended FROM call_blocks WHERE number_id = x'' AND level = 0"
        assert list(connection.execute(counted)) == [(CALLS, CALLS)]
