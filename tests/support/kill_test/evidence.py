"""What is on disk after a run: the events that were committed, and every call's record."""

from __future__ import annotations

import sqlite3
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid5

from callwright.calls import rows
from callwright.calls.events import decode_snapshot
from callwright.clock import SystemClock
from callwright.recordings.events import unpack
from callwright.store import Store
from support.invariants import check_record
from support.kill_test.judging import Lane, Message
from support.kill_test.plan import TRAFFIC, WORLDS, Hearer
from support.kill_test.signatures import Secrets

_BY_NUMBER = {traffic.number: traffic for traffic in TRAFFIC}


def unsettled(database: Path) -> dict[str, int]:
    """What is still to come: calls that are up, events that are not fanned out, deliveries that are pending."""
    with closing(_open(database)) as connection:
        ((calls,),) = connection.execute("SELECT COUNT(*) FROM calls WHERE ended_us IS NULL")
        ((events,),) = connection.execute("SELECT COUNT(*) FROM events WHERE pos > (SELECT pos FROM fanned_out)")
        ((deliveries,),) = connection.execute("SELECT COUNT(*) FROM deliveries WHERE state = 'pending'")
    return {"calls": calls, "events": events, "deliveries": deliveries}


class Evidence:
    """`due` has what each receiver must have been told; `wrong` what is wrong with what is on record."""

    def __init__(self, database: Path, url: Callable[[Hearer], str]) -> None:
        self._url = url
        self.due: defaultdict[Lane, list[Message]] = defaultdict(list)
        self.ends: Counter[str] = Counter()
        self.by_number: Counter[str] = Counter()
        self.calls: set[str] = set()
        self.events = 0
        self.wrong: list[str] = []
        self._told: dict[UUID, str] = {}  # the status of each recording as its last event has it
        with closing(_open(database)) as connection:
            self._signing_keys = dict(connection.execute("SELECT kind, signing_key FROM worlds"))
            self._traffic = {
                str(UUID(bytes=call)): _BY_NUMBER[number]
                for call, number in connection.execute("SELECT id, destination FROM calls")
            }
            self._events(connection)
            self._deliveries(connection)
            self._recordings(connection)
            known = [
                (UUID(bytes=world), UUID(bytes=call))
                for world, call in connection.execute("SELECT world_id, id FROM calls ORDER BY pos")
            ]
        self._records(database, known)

    def secrets_of(self, lane: Lane) -> Secrets:
        """What is known to the receiver at a lane's URL: the token of the narrowest that names it, and its world's key."""
        traffic = self._traffic[lane.call]
        named = {self._url(hearer): hearer.token for hearer in (WORLDS[traffic.world], *traffic.hearers)}
        return Secrets(named[lane.url], self._signing_keys[traffic.world])

    def _events(self, connection: sqlite3.Connection) -> None:
        legs: dict[UUID, str] = {}  # the status of each leg as its call's last event has it
        query = "SELECT call_id, id, kind, seq, content FROM events ORDER BY pos"
        for call, event, kind, seq, content in connection.execute(query):
            self.events += 1
            call_id, id_ = str(UUID(bytes=call)), UUID(bytes=event)
            if seq is None:
                recording = unpack(content)
                self._told[recording.id] = recording.status.value
                self._is_due(call_id, Message(str(id_), kind, recording.status.value))
                continue
            snapshot = decode_snapshot(content)
            self._is_due(call_id, Message(str(id_), kind, snapshot.call.status.value))
            for leg in snapshot.legs:
                if legs.get(leg.id) != leg.status.value:
                    told = "legUpdated" if leg.id in legs else "legCreated"
                    legs[leg.id] = leg.status.value
                    self._is_due(call_id, Message(str(uuid5(id_, leg.id.hex)), told, leg.status.value))

    def _is_due(self, call_id: str, message: Message) -> None:
        """It must be told to each URL of the call's hearers that hears of its type."""
        traffic = self._traffic[call_id]
        type_ = message.kind.removesuffix("Created").removesuffix("Updated")
        for url in {self._url(hearer) for hearer in (*traffic.hearers, WORLDS[traffic.world]) if type_ in hearer.types}:
            self.due[Lane(call_id, url)].append(message)

    def _deliveries(self, connection: sqlite3.Connection) -> None:
        due = sum(len(messages) for messages in self.due.values())
        states = dict(connection.execute("SELECT state, COUNT(*) FROM deliveries GROUP BY state"))
        if states != {"delivered": due}:
            self.wrong.append(f"{due} deliveries are due, on record are {states}")

    def _recordings(self, connection: sqlite3.Connection) -> None:
        kept = {UUID(bytes=id_): status for id_, status in connection.execute("SELECT id, status FROM recordings")}
        if kept != self._told:
            strange = {str(id_): (kept.get(id_), self._told.get(id_)) for id_ in kept.keys() | self._told.keys()}
            different = {id_: pair for id_, pair in strange.items() if pair[0] != pair[1]}
            self.wrong.append(
                f"{len(different)} recordings are not as their last events tell: {dict([*different.items()][:3])}"
            )

    def _records(self, database: Path, known: list[tuple[UUID, UUID]]) -> None:
        store = Store.open(database, SystemClock())
        try:
            for world_id, call_id in known:
                try:
                    check_record(store, world_id, call_id, over=True)
                except AssertionError as error:
                    self.wrong.append(f"call {call_id}: {str(error) or traceback.format_exc(limit=-1)}")
                call = rows.find_call(store, world_id, call_id)
                assert call is not None
                self.calls.add(str(call_id))
                self.ends[call.status.value] += 1
                self.by_number[call.destination] += 1
        finally:
            store.close()


def _open(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
