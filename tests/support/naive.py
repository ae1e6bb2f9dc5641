"""Lists as anyone would first write them: COUNT, ORDER BY and OFFSET over the rows; to hold those by counters against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import apsw

from callwright.calls.lists import Facets
from callwright.store.blocks import CountedList

# For each list that `blocks` counts: its table, what is said of its rows, and the column of what it hangs on.
LISTS = {
    "flows": ("flows", "TRUE", None),
    "numbers": ("numbers", "TRUE", None),
    "numbers_of_flow": ("numbers", "TRUE", "flow_id"),
    "webhooks": ("webhooks", "TRUE", None),
    "webhooks_of_world": ("webhooks", "number_id IS NULL", None),
    "recordings": ("recordings", "TRUE", None),
    "transcriptions": ("transcriptions", "TRUE", None),
}
QUERIES = {
    "flows": CountedList("flows", "flows.list", "flows.count"),
    "numbers": CountedList("numbers", "numbers.list", "numbers.count"),
    "numbers_of_flow": CountedList("numbers_of_flow", "numbers.list_of_flow", "numbers.count_of_flow"),
    "webhooks": CountedList("webhooks", "webhooks.list_all_webhooks", "webhooks.count_all_webhooks"),
    "webhooks_of_world": CountedList("webhooks_of_world", "webhooks.list_of_world", "webhooks.count_of_world"),
    "recordings": CountedList("recordings", "recordings.of_world", "recordings.count_of_world"),
    "transcriptions": CountedList("transcriptions", "transcriptions.of_world", "transcriptions.count_of_world"),
}


class Naive(NamedTuple):
    """A connection of its own, so that it sees what is on disk."""

    connection: apsw.Connection

    def calls(self, world_id: UUID, facets: Facets) -> list[UUID]:
        """All that are asked for, newest first."""
        terms = ["world_id = ?", f"status IN ({', '.join(repr(status.value) for status in facets.statuses) or 'NULL'})"]
        params: list[int | str | bytes] = [world_id.bytes]
        if facets.direction is not None:
            terms.append("direction = ?")
            params.append(facets.direction.value)
        if facets.number_id is not None:
            terms.append("number_id = ?")
            params.append(facets.number_id.bytes)
        for column, span in (("created_us", facets.created), ("ended_us", facets.ended)):
            if span is not None:
                terms.append(f"{column} >= ? AND {column} < ?")
                params += span
        return self._ids("calls", " AND ".join(terms), params)

    def rows(self, name: str, world_id: UUID, parent_id: UUID | None = None) -> list[UUID]:
        """All of a list that `blocks` counts, newest first."""
        table, terms, parent = LISTS[name]
        params: list[int | str | bytes] = [world_id.bytes]
        if parent is not None:
            assert parent_id is not None
            terms += f" AND {parent} = ?"
            params.append(parent_id.bytes)
        return self._ids(table, f"world_id = ? AND {terms}", params)

    def _ids(self, table: str, terms: str, params: Sequence[int | str | bytes]) -> list[UUID]:
        found = self.connection.execute(f"SELECT id FROM {table} NOT INDEXED WHERE {terms} ORDER BY pos DESC", tuple(params))
        return [UUID(bytes=id_) for (id_,) in found]
