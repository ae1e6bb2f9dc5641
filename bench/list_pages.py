"""Pages and totals through `calls.lists`, in turn in one process, and the same rows with OFFSET and COUNT from one file."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from functools import partial
from random import Random
from typing import NamedTuple, TypeVar

from list_history import History

from callwright.calls.lists import Facets, Page, count_calls, list_calls
from callwright.calls.model import CallStatus, Direction
from callwright.store import Param, Store

T = TypeVar("T")

SIZE = 20
WARM = 10
SLOW_S, SLOW_TIMES = 1.0, 5  # how long one slow statement is repeated
ANY = "any"  # another each time, mostly from where nobody has looked lately
PLACES = ("page 1", "page 1,000", "middle", "last", ANY)


class Measured(NamedTuple):
    """Milliseconds: of the pages at each of `PLACES` the median and the p99, and of the total."""

    name: str
    total: int
    pages: dict[str, tuple[float, float]]
    count: tuple[float, float]
    slow_pages: dict[str, float]
    slow_count: float

    @property
    def worst_ratio(self) -> float:
        """The median of the last page to that of the first."""
        return self.pages["last"][0] / self.pages["page 1"][0]

    @property
    def worst_p99(self) -> float:
        return max(p99 for place, (_, p99) in self.pages.items() if place != ANY)


def facets_of(history: History) -> dict[str, Facets]:
    """Every facet there is, and mixes of them."""
    ended, failed, incoming = frozenset({CallStatus.ENDED}), frozenset({CallStatus.FAILED}), Direction.INCOMING
    begin, end = history.month
    quarter = (begin + (end - begin) // 4, begin + (end - begin) // 2)  # cuts through blocks at both ends
    return {
        "all": Facets(),
        "status ended": Facets(statuses=ended),
        "status failed": Facets(statuses=failed),
        "status busy, no_answer or failed": Facets(statuses=frozenset({*failed, CallStatus.BUSY, CallStatus.NO_ANSWER})),
        "direction incoming": Facets(direction=incoming),
        "direction and status": Facets(direction=incoming, statuses=ended),
        "number, 17 %": Facets(number_id=history.big),
        "number, 0.1 %": Facets(number_id=history.small),
        "number and status": Facets(number_id=history.big, statuses=failed),
        "number, direction and status": Facets(number_id=history.big, direction=Direction.OUTGOING, statuses=ended),
        "created in 30 days": Facets(created=history.month),
        "created in 30 days, status": Facets(created=history.month, statuses=failed),
        "created in 30 days, number": Facets(created=history.month, number_id=history.big),
        "created in 7 days": Facets(created=quarter),
        "ended in 7 days": Facets(ended=quarter),
        "ended in 7 days, number and status": Facets(ended=quarter, number_id=history.big, statuses=ended),
    }


def measure(store: Store, history: History, repeats: int, seed: int) -> list[Measured]:
    """Ask for every page and total in turn, `repeats` times in an order by chance; then the slow way, which must agree."""
    facets = facets_of(history)
    totals = {name: count_calls(store, history.world_id, one) for name, one in facets.items()}
    asked: dict[tuple[str, str], Callable[[Random], object]] = {}
    for name, one in facets.items():
        asked[name, "count"] = partial(_count, store, history, one)
        for place in PLACES:
            asked[name, place] = partial(_page, store, history, one, place, totals[name])
    taken = _timed(asked, repeats, Random(seed))
    found = []
    for name, one in facets.items():
        slow = Slow(store, history, one)
        slow_pages = {}
        for place in PLACES[:-1]:
            offset = offset_of(place, totals[name])
            page = list_calls(store, history.world_id, limit=SIZE, offset=offset, facets=one)
            rows, slow_pages[place] = _median(partial(slow.page, offset))
            if [call.id.bytes for call in page.calls] != [row[0] for row in rows]:
                raise SystemExit(f"{name}, {place}: the page is not the one that OFFSET finds")
        count, slow_count = _median(slow.count)
        if count != totals[name]:
            raise SystemExit(f"{name}: {totals[name]} are counted, there are {count}")
        pages = {place: quantiles(taken[name, place]) for place in PLACES}
        found.append(Measured(name, totals[name], pages, quantiles(taken[name, "count"]), slow_pages, slow_count))
    return found


def offset_of(place: str, total: int, chance: Random | None = None) -> int:
    """Where a page begins, in a list of so many; where there is no page 1,000 it is the last."""
    last = max(total - 1, 0) // SIZE
    number = {"page 1": 0, "page 1,000": min(999, last), "middle": last // 2, "last": last}.get(place)
    if number is None:
        assert chance is not None
        number = chance.randint(0, last)
    return number * SIZE


def quantiles(seconds: list[float]) -> tuple[float, float]:
    """The median and the p99, in milliseconds."""
    in_order = sorted(seconds)
    return 1000 * statistics.median(in_order), 1000 * in_order[min(int(len(in_order) * 0.99), len(in_order) - 1)]


class Slow:
    """The same list by OFFSET and COUNT: from the same covering indexes, passed over row by row from the newest."""

    def __init__(self, store: Store, history: History, facets: Facets) -> None:
        self._store = store
        terms, params = ["world_id = ?"], list[Param]([history.world_id.bytes])
        if facets.number_id is not None:
            terms.append("number_id = ?")
            params.append(facets.number_id.bytes)
        for column, span in (("created_us", facets.created), ("ended_us", facets.ended)):
            if span is not None:
                terms.append(f"{column} >= ? AND {column} < ?")
                params += span
        if facets.direction is None and facets.statuses == frozenset(CallStatus):
            cells, index = [""], "calls_by_pos" if facets.number_id is None else "calls_by_number"
        else:
            words = [(direction.value, status.value) for direction, status in facets.cells]
            cells = [f" AND direction = '{direction}' AND status = '{status}'" for direction, status in words]
            index = "calls_by_status" if facets.number_id is None else "calls_by_number_status"
        self._arms = [f"SELECT pos FROM calls INDEXED BY {index} WHERE {' AND '.join(terms)}{cell}" for cell in cells]
        self._params = tuple(params) * len(cells)

    def page(self, offset: int) -> list[tuple[Param, ...]]:
        arms = " UNION ALL ".join(self._arms)
        places = f"SELECT pos FROM ({arms} ORDER BY pos DESC LIMIT {SIZE} OFFSET {offset})"
        sql = f"SELECT id, status, source, destination FROM calls WHERE pos IN ({places}) ORDER BY pos DESC"
        return self._store.select(sql, self._params)

    def count(self) -> int:
        ((count,),) = self._store.select(f"SELECT COUNT(*) FROM ({' UNION ALL '.join(self._arms)})", self._params)
        return int(count or 0)


def _page(store: Store, history: History, facets: Facets, place: str, total: int, chance: Random) -> Page:
    offset = offset_of(place, total, chance)
    return list_calls(store, history.world_id, limit=SIZE, offset=offset, facets=facets)


def _count(store: Store, history: History, facets: Facets, chance: Random) -> int:
    return count_calls(store, history.world_id, facets)


def _timed(
    asked: dict[tuple[str, str], Callable[[Random], object]], repeats: int, chance: Random
) -> dict[tuple[str, str], list[float]]:
    taken: dict[tuple[str, str], list[float]] = {key: [] for key in asked}
    order = list(asked)
    gc.collect()
    gc.freeze()
    for turn in range(-WARM, repeats):
        chance.shuffle(order)
        for key in order:
            ask = asked[key]
            began = time.perf_counter()
            ask(chance)
            if turn >= 0:
                taken[key].append(time.perf_counter() - began)
    return taken


def _median(ask: Callable[[], T]) -> tuple[T, float]:
    """What is answered, and the median of the milliseconds it takes."""
    taken: list[float] = []
    while sum(taken) < SLOW_S and len(taken) < SLOW_TIMES:
        began = time.perf_counter()
        answer = ask()
        taken.append(time.perf_counter() - began)
    return answer, 1000 * statistics.median(taken)
