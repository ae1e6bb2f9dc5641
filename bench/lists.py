"""Lists that hold at any size: pages and totals of a history of calls, over HTTP too, and what counting costs who writes.

    scripts/bench lists [--rows 1000000] [--parts pages,http,export,writes] [--keep FOLDER] [--seed 1] [--repeats 300]
                        [--rounds 5] [--seconds 2] [--turns 11] [--lifecycles 2000]

A data folder with that many calls is made first: two years that end on a fixed day, 8 % of the calls in the last 30 days,
2.5 legs each, 200 numbers by Zipf's law, 300,000 people, tags on 5 %, and a tenth as many calls of another world. With
`--keep` it stays, and is used again by the next run that names it.

pages   `calls.lists`, as the server calls it, pages of 20: every list and place in turn, in an order by chance. The slow way
        passes over rows with OFFSET and counts with COUNT, by the same covering indexes; both must find the same
http    the whole server on that folder, requests in turn under wrk; what it does not serve is left out
export  exports read to their end, and the server's memory meanwhile
writes  lifecycles through the real writer in fresh files, in turn with and without; see bench/writes.py

A line for each aim says whether it was met.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import apsw
import list_http
import list_writes
from list_history import PEOPLE, History, history_of, make
from list_pages import ANY, PLACES, Measured, measure
from machine import clean_up_when_ended, machine_line

from callwright.accounts.worlds import LIVE, TEST, Accounts
from callwright.clock import SystemClock, rfc3339
from callwright.datafolder import DataFolder
from callwright.store import Store

PARTS = ("pages", "http", "export", "writes")
EXPORT = "/api/calls/export?format={}"
FLAT_MB = 20
SEARCHERS = 4  # connections that search at once: a search may take long, and wrk waits two seconds
CLOCK = SystemClock()


class Opened(NamedTuple):
    worlds: tuple[UUID, UUID]
    key: str


async def open_folder(folder: DataFolder) -> Opened:
    """Make the worlds where they are missing, and a key for the first."""
    store = Store.open(folder.database, CLOCK)
    try:
        accounts = Accounts(store, CLOCK)
        await accounts.prepare()
        made = await accounts.make_key(LIVE, "bench")
        return Opened((accounts.world(LIVE).id, accounts.world(TEST).id), made.secret)
    finally:
        store.close()


def prepare(folder: DataFolder, rows: int, seed: int) -> tuple[History, str]:
    """See that the folder has its history; make it where there is none."""
    folder.prepare()
    opened = asyncio.run(open_folder(folder))
    began = time.perf_counter()
    connection = apsw.Connection(str(folder.database))
    ((there,),) = connection.execute("SELECT EXISTS (SELECT 1 FROM calls)")
    if not there:
        make(connection, opened.worlds, rows, seed)
    connection.close()
    store = Store.open(folder.database, CLOCK)
    history = history_of(store, opened.worlds[0])
    store.close()
    if history.rows != rows:
        raise SystemExit(f"--keep: {folder.root} has {history.rows} calls, not {rows}; name another folder, or --rows")
    size = folder.database.stat().st_size / 1e6
    made = "found" if there else f"made in {time.perf_counter() - began:.0f} s"
    print(f"history: {rows:,} calls and a tenth as many of another world, {size:,.0f} MB, {made}", flush=True)
    return history, opened.key


def pages(folder: DataFolder, history: History, chosen: argparse.Namespace) -> None:
    store = Store.open(folder.database, CLOCK)
    try:
        found = measure(store, history, chosen.repeats, chosen.seed)
    finally:
        store.close()
    print(f"\nMilliseconds, p50 and p99 of {chosen.repeats}; in brackets by OFFSET and by COUNT, p50\n")
    print(f"| List | Calls | {' | '.join(PLACES)} | Total |")
    print("|---" * (len(PLACES) + 3) + "|")
    for one in found:
        cells = [_cell(one.pages[place], one.slow_pages.get(place)) for place in PLACES]
        print(f"| {one.name} | {one.total:,} | {' | '.join(cells)} | {_cell(one.count, one.slow_count)} |")
    print()
    _aim(found, "last page / page 1, p50", 6, lambda one: one.worst_ratio, "times")
    _aim(found, "those pages, p99", 5, lambda one: one.worst_p99, "ms")
    _aim(found, "pages by chance, p99", 5, lambda one: one.pages[ANY][1], "ms")
    _aim(found, "any total, p50", 1, lambda one: one.count[0], "ms")


def _cell(taken: tuple[float, float], slow: float | None) -> str:
    text = f"{taken[0]:.3f}, {taken[1]:.2f}"
    return text if slow is None else f"{text} ({slow:.3g})"


def _aim(found: list[Measured], what: str, at_most: float, of: Callable[[Measured], float], unit: str) -> None:
    worst = max(found, key=of)
    print(
        f"{what}: at most {at_most} {unit}: worst {of(worst):.2f} ({worst.name}): {_verdict(of(worst) <= at_most)}", flush=True
    )


def _verdict(met: bool) -> str:
    return "met" if met else "NOT MET"


def http(folder: DataFolder, history: History, key: str, chosen: argparse.Namespace) -> None:
    last = -(-history.rows // list_http.SIZE)
    paged = {"page 1": "/calls", "middle page": f"/calls?page={last // 2}", "last page": f"/calls?page={last}"}
    asked = ((paged, chosen.connections), (_searches(history), SEARCHERS))
    with list_http.serving(folder.root) as side:
        turns = {
            name: (seen, connections)
            for paths, connections in asked
            for name, seen in list_http.under_load(
                side, key, paths, rounds=chosen.rounds, seconds=chosen.seconds, connections=connections
            ).items()
        }
    print(f"\nOver HTTP under wrk, medians of {chosen.rounds} turns of {chosen.seconds} s\n")
    print("| Request | Connections | Requests/s | p99 (ms) | CPU-ms a request |")
    print("|---|---|---|---|---|")
    for name, (seen, connections) in turns.items():
        one = list_http.medians(seen) if seen else None
        figures = f"{one.rate:,.0f} | {one.p99_ms:.1f} | {one.own_ms:.3f}" if one else "not served, or too slow | – | –"
        print(f"| {name} | {connections} | {figures} |")
    first, end = turns["page 1"][0], turns["last page"][0]
    ratios = [one.rate / other.rate for one, other in zip(end, first, strict=True)]
    ratio = statistics.median(ratios) if ratios else 0.0
    print(f"\nlast page / page 1, requests/s: at least 0.5: {ratio:.2f}: {_verdict(ratio >= 0.5)}", flush=True)


def _searches(history: History) -> dict[str, str]:
    """Requests of the native list; what is sought are parts of numbers that a few in 300,000 have."""
    person = f"316{(PEOPLE // 2 + 1) * 331 % 100_000_000:08d}"  # ends as none of the numbers does
    begin, end = (rfc3339(at_us).replace("+00:00", "Z") for at_us in history.month)
    asked = {
        "newest": "",
        "oldest": "sort=oldest",
        "status": "status=failed",
        "number": f"number={history.small}",
        "created in 30 days": f"createdFrom={begin}&createdTo={end}",
        "source": f"source={person}",
        "source, beginning": f"source={person[:7]}*",
        "source, end": f"source=*{person[-5:]}",
        "source, anywhere in 30 days": f"source=*{person[4:9]}*&createdFrom={begin}&createdTo={end}",
        "tag": "tag=campaign-3",
        "two tags": "tag=campaign-4&tag=callback",
        "reason": "reason=no_route",
        "duration": "durationFrom=600",
    }
    return {f"/api/calls, {name}": f"/api/calls?limit=20&{query}" for name, query in asked.items()}


def export(folder: DataFolder, history: History, key: str) -> None:
    print("\n| Export | Rows | Rows/s | Memory before, most (MB) | CPU-s |\n|---|---|---|---|---|")
    rates, grown = [], []
    with list_http.serving(folder.root) as side:
        list_http.export(side, key, EXPORT.format("csv") + "&status=failed")  # what is loaded once, and caches
        for form in ("csv", "ndjson"):
            for name, query in (("all", ""), ("status failed", "&status=failed")):
                taken = list_http.export(side, key, EXPORT.format(form) + query)
                if taken.status != 200:
                    print(f"| {form}, {name} | the server answers {taken.status} | | | |")
                    continue
                rates.append(taken.rows / taken.seconds)
                grown.append(taken.most_mb - taken.before_mb)
                print(
                    f"| {form}, {name} | {taken.rows:,} | {rates[-1]:,.0f} | {taken.before_mb:.0f}, {taken.most_mb:.0f} "
                    f"| {taken.cpu_s:.1f} |"
                )
    if rates:
        print(f"\nexport, rows/s: at least 50,000: slowest {min(rates):,.0f}: {_verdict(min(rates) >= 50_000)}")
        print(f"export, memory: flat: at most {max(grown):.0f} MB more: {_verdict(max(grown) <= FLAT_MB)}", flush=True)


def writes(folder: Path, chosen: argparse.Namespace) -> None:
    print(f"\nlifecycles through the writer, {chosen.lifecycles} a turn, {chosen.turns} turns each")
    done = {
        what: list_writes.compare(
            folder,
            what,
            one,
            other,
            lifecycles=chosen.lifecycles,
            rounds=chosen.rounds,
            say=lambda line: print(line, flush=True),
        )
        for what, one, other in list_writes.COMPARISONS
    }
    print("\n| What | Lifecycles/s: first, second | Ratio, median (each round) | By processor time |\n|---|---|---|---|")
    for what, seen in done.items():
        each = ", ".join(f"{ratio:.2f}" for ratio in seen.each)
        print(
            f"| {what}: {seen.first.name}, {seen.second.name} | {seen.rates[0]:,.0f}, {seen.rates[1]:,.0f} "
            f"| {seen.ratio:.2f} ({each}) | {seen.cpu:.2f} |"
        )
    cost, full = 1 - done["counters"].ratio, done["FULL and NORMAL at 256"].ratio
    print(f"\ncounters, share of throughput: at most 12 %: {100 * cost:.1f} %: {_verdict(cost <= 0.12)}")
    print(f"FULL / NORMAL with 256 waiting: at least 0.8: {full:.2f}: {_verdict(full >= 0.8)}", flush=True)


@contextmanager
def _folder(keep: Path | None) -> Iterator[DataFolder]:
    if keep is not None:
        yield DataFolder(keep)
        return
    with tempfile.TemporaryDirectory(prefix="callwright-bench-") as name:
        yield DataFolder(Path(name) / "data")


def _parts(text: str) -> list[str]:
    chosen = text.split(",")
    for part in chosen:
        if part not in PARTS:
            raise argparse.ArgumentTypeError(f"there is no {part!r}; choose from {', '.join(PARTS)}")
    return chosen


def _at_least_one(text: str) -> int:
    """Of nothing every aim is met."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"it must be at least 1; it is {number}")
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=_at_least_one, default=1_000_000, help="calls of the first world")
    parser.add_argument("--parts", type=_parts, default=list(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--keep", type=Path, help="a data folder that stays, and is used again")
    parser.add_argument("--seed", type=int, default=1, help="decides the history, and the order of what is asked")
    parser.add_argument("--repeats", type=_at_least_one, default=300, help="of each page and total")
    parser.add_argument("--rounds", type=_at_least_one, default=5, help="of requests under load")
    parser.add_argument("--seconds", type=_at_least_one, default=2, help="of each turn under load")
    parser.add_argument("--connections", type=_at_least_one, default=32)
    parser.add_argument("--turns", type=_at_least_one, default=11, help="of writers, with and without")
    parser.add_argument("--lifecycles", type=_at_least_one, default=2000, help="in each of them")
    chosen = parser.parse_args()
    if "http" in chosen.parts and shutil.which("wrk") is None:
        raise SystemExit("lists: wrk is not installed; try: apt-get install wrk, or leave out http with --parts")
    clean_up_when_ended()
    print(__doc__)
    print(machine_line(), flush=True)
    with _folder(chosen.keep) as folder:
        if {"pages", "http", "export"} & set(chosen.parts):
            history, key = prepare(folder, chosen.rows, chosen.seed)
        if "pages" in chosen.parts:
            pages(folder, history, chosen)
        if "http" in chosen.parts:
            http(folder, history, key, chosen)
        if "export" in chosen.parts:
            export(folder, history, key)
    if "writes" in chosen.parts:
        with tempfile.TemporaryDirectory(prefix="callwright-bench-") as name:
            writes(Path(name), chosen)


if __name__ == "__main__":
    main()
