"""Callbacks from the commit of an event to their receiver: how soon, how many, and what ill endpoints do to the others.

    scripts/bench webhooks [--parts latency,hanging,full,backlog] [--rounds 3] [--backlog 100000] [--profile] [--json]

Everything is the product's own with its default settings: the store on disk (synchronous = full), fan-out, lanes, signatures
and the door for HTTP, in one process as in the core. The calls are made and committed as their actors do, each with its own
webhook. The receiver is another process, of which each loopback address is an origin. Both read one monotonic clock.

latency  400 events a second for 200 endpoints, each of its own origin or all of one; committed evenly, or as callers come
         (exponential gaps). *Wire* is from the durable commit until the whole request has been read; *whole* from when the
         commit was due. One call at a time for each endpoint; the first tenth is not counted.
hanging  the same for 1,000 endpoints, of which in turn none and 20 accept and answer only after 30 s, all the time. On time
         is what is at a healthy endpoint within 50 ms of its commit.
full     as fast as it goes, to 1, 10 and 1,000 endpoints: *outbox*, all events are committed, then delivery begins;
         *committers*, 64 of them commit meanwhile; *bare*, the same client posts the same requests, as many at a time, and
         nothing else. A delivery counts when its outcome is durable. In turn in one process; ratios are of one round.
backlog  so many deliveries, four of each call, at 100 endpoints that refuse connections. Healthy events at the rate of
         `latency` beside it; then the endpoints return. Compared with processes that have no backlog.

It fails when an event did not come; times are for you to judge. `--profile` says instead where the time of a delivery goes,
waits for the interpreter's lock and the disk included.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import webhook_backlog
import webhook_full
import webhook_rates
from machine import machine_line
from webhook_stage import apart

PARTS = ("latency", "hanging", "full", "backlog")
RATE = 400
# The aims: those of the last two lines are this benchmark's own choice.
LATENCY_P99_MS, HANGING_RATIO, ON_TIME, FULL_RATIO = 5.0, 4.0, 0.99, 0.7
BESIDE_RATIO, MORE_MB, DRAIN_RATIO = 2.0, 100.0, 0.8


def latency(chosen: argparse.Namespace, folder: Path) -> tuple[Table, dict[str, Any]]:
    """How soon, for the three ways in which so many events a second may come."""
    table = Table("latency", "Endpoints", "Commits", "Events", "Missing", "Wire p50, p99, max (ms)", "Whole", "Group commit")
    seen = {}
    for of_one_origin, even in ((False, True), (True, True), (False, False)):
        done = apart(webhook_rates.latency, folder, chosen.rate, chosen.seconds, chosen.endpoints, of_one_origin, even)
        where, when = "of one origin" if of_one_origin else "an origin each", "evenly" if even else "as callers come"
        table.add(f"{chosen.endpoints}, {where}", when, done.events, done.missing, done.wire, done.whole, done.commit)
        seen[f"{where}, {when}"] = done
    table.aims.append(f"wire p99 at most {LATENCY_P99_MS:g} ms: {max(done.wire.p99 for done in seen.values()):.2f} ms at most")
    return table, seen


def hanging(chosen: argparse.Namespace, folder: Path) -> tuple[Table, dict[str, Any]]:
    """What endpoints that hang do to the others, in turns without and with them."""
    table = Table("hanging", "Endpoints", "Hang", "Healthy events", "Missing", "On time", "Wire p50, p99, max (ms)", "Whole")
    seen: dict[str, list[Any]] = {"none": [], "some": []}
    for turn in range(chosen.rounds):
        for name, hang in (("none", 0), ("some", chosen.hang)):
            done = apart(
                webhook_rates.hanging, folder, chosen.rate, chosen.hang_seconds, chosen.many, hang, chosen.hang_seconds, turn
            )
            on_time = f"{done.on_time / done.events:.2%}"
            table.add(chosen.many, hang, done.events, done.missing, on_time, done.wire, done.whole)
            seen[name].append(done)
    ratio = statistics.median(ill.wire.p99 / well.wire.p99 for well, ill in zip(seen["none"], seen["some"], strict=True))
    on_time = min(done.on_time / done.events for done in seen["some"])
    table.aims.append(f"on time at least {ON_TIME:.0%}: {on_time:.2%} at least")
    table.aims.append(f"p99 at most {HANGING_RATIO:g} times that without: {ratio:.2f} times (median of the rounds)")
    return table, seen


def full(chosen: argparse.Namespace, folder: Path) -> tuple[Table, dict[str, Any]]:
    """How many, as a share of what the client alone can."""
    table = Table("full", "Endpoints", "What", "Posts/s", "CPU-s for 1,000", "by thread", "Receiver", "Posts/s by bare")
    limit = apart(webhook_full.receivers_limit, folder, min(chosen.seconds, 3))
    table.aims.append(f"the receiver alone takes {limit:,.0f} requests/s")
    seen: dict[str, Any] = {"receiver": limit}
    for endpoints in chosen.full_endpoints:
        rounds = seen[str(endpoints)] = apart(webhook_full.full, folder, endpoints, chosen.events, chosen.rounds)
        ratios = {}
        for what in webhook_full.Full._fields:
            turns = [getattr(one, what) for one in rounds]
            each = sorted(turn.rate / one.bare.rate for turn, one in zip(turns, rounds, strict=True))
            ratios[what] = statistics.median(each)
            cpu = statistics.median(turn.cpu_ms for turn in turns)
            middle = sorted(turns, key=lambda turn: turn.rate)[len(turns) // 2]
            threads = ", ".join(f"{name} {1000 * used / middle.posts:.2f}" for name, used in middle.cpu_s.items())
            receiver = 1000 * middle.receiver_cpu_s / middle.posts
            told = f"{ratios[what]:.2f} ({each[0]:.2f} to {each[-1]:.2f})"
            table.add(endpoints, what, f"{middle.rate:,.0f}", f"{cpu:.2f}", threads, f"{receiver:.2f}", told)
        least = min(ratios["outbox"], ratios["committers"])
        processor = statistics.median(one.bare.cpu_ms / one.outbox.cpu_ms for one in rounds)
        table.aims.append(
            f"at least {FULL_RATIO:g} of bare, {endpoints} endpoints: {least:.2f} (the worse of the medians); "
            f"by processor time {processor:.2f}"
        )
    return table, seen


def backlog(chosen: argparse.Namespace, folder: Path) -> tuple[Table, dict[str, Any]]:
    """What a backlog costs, and how it drains."""
    start = "Start: open, first, held (ms)"
    table = Table("backlog", "Backlog", start, "Wire p50, p99, max (ms)", "Group commit", "MB", "Failed attempts")
    wanted = chosen.rate, chosen.seconds, chosen.endpoints
    none = apart(webhook_backlog.without, folder, *wanted)
    speed = apart(webhook_backlog.full_speed, folder, chosen.away, chosen.events)
    there = apart(webhook_backlog.backlog, folder, chosen.backlog, chosen.away, *wanted, chosen.drain_seconds)
    for name, one in (("none", none), (f"{chosen.backlog:,}", there.beside)):
        start = f"{1000 * one.open_s:.0f}, {1000 * one.first_s:.0f}, {1000 * one.held_s:.0f}"
        table.add(name, start, one.rated.wire, one.rated.commit, f"{one.resident_mb:.0f}", one.failed)
    drained = there.drained
    table.aims += [
        f"the file has {there.file_mb:,.0f} MB; it was made in {there.made_s:.0f} s",
        f"wire p99 at most {BESIDE_RATIO:g} times: {there.beside.rated.wire.p99 / none.rated.wire.p99:.2f} times",
        f"commit p99 at most {BESIDE_RATIO:g} times: {there.beside.rated.commit.p99 / none.rated.commit.p99:.2f} times",
        f"at most {MORE_MB:g} MB more: {there.beside.resident_mb - none.resident_mb:.0f} MB beside it, "
        f"{drained.resident_mb - none.resident_mb:.0f} MB while it drains",
        f"{drained.first_s:.1f} s from the return to the first delivery; {drained.deliveries:,} since, {drained.left:,} left",
        f"drains at {DRAIN_RATIO:g} of full speed: {drained.rate / speed.rate:.2f} ({drained.rate:,.0f}/s, median second "
        f"{drained.median_rate:,.0f}/s, of {speed.rate:,.0f}/s)",
    ]
    return table, {"without": none, "full speed": speed, "with": there}


def profile(chosen: argparse.Namespace, folder: Path) -> tuple[Table, dict[str, Any]]:
    """Where the time of a delivery goes."""
    table = Table("profile", "Event loop, own µs", "Calls", "Function")
    done = apart(webhook_full.profile, folder, chosen.away, chosen.events)
    for name, own_us, calls in done.functions:
        table.add(f"{own_us:.1f}", f"{calls:.2f}", f"`{name}`")
    table.aims.append(f"under the profile {done.turn.rate:,.0f}/s; {done.switches:.2f} switches of context a delivery")
    table.aims += [f"{took_us:.1f} µs in {times:.2f} of `{sql}`" for sql, took_us, times in done.statements]
    return table, {"profile": done}


class Table:
    """Rows, and below them what they come to beside what is aimed at."""

    def __init__(self, name: str, *titles: str) -> None:
        self.name = name
        self._rows: list[tuple[str, ...]] = [titles, ("---",) * len(titles)]
        self.aims: list[str] = []

    def add(self, *cells: object) -> None:
        self._rows.append(tuple(map(str, cells)))

    def lines(self) -> Iterable[str]:
        yield f"\n{self.name}:\n"
        for row in self._rows:
            yield f"| {' | '.join(row)} |"
        yield ""
        for aim in self.aims:
            yield f"{self.name}: {aim}"


def plain(seen: Any) -> Any:
    """Results as JSON has them."""
    if hasattr(seen, "_asdict"):
        return plain(seen._asdict())
    if isinstance(seen, dict):
        return {str(name): plain(one) for name, one in seen.items()}
    if isinstance(seen, list | tuple):
        return [plain(one) for one in seen]
    return None if isinstance(seen, float) and not math.isfinite(seen) else seen


def missing(seen: Any) -> int:
    """How many events did not come to their receiver, in results as JSON has them."""
    if isinstance(seen, dict):
        return int(seen.get("missing", 0)) + sum(map(missing, seen.values()))
    return sum(map(missing, seen)) if isinstance(seen, list) else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS), help="which of them, separated by commas")
    parser.add_argument("--seconds", type=float, default=10, help="of each turn of latency, and beside a backlog")
    parser.add_argument("--hang-seconds", type=float, default=30, help="of each turn of hanging, and how long they hang")
    parser.add_argument("--rounds", type=int, default=3, help="of hanging and full")
    parser.add_argument("--rate", type=float, default=RATE, help="events a second in latency, hanging and backlog")
    parser.add_argument("--endpoints", type=int, default=200, help="in latency, and healthy ones beside a backlog")
    parser.add_argument("--many", type=int, default=1_000, help="endpoints in hanging")
    parser.add_argument("--hang", type=int, default=20, help="of them")
    parser.add_argument("--full-endpoints", default="1,10,1000", help="in full, separated by commas")
    parser.add_argument("--events", type=int, default=20_000, help="in each turn of full")
    parser.add_argument("--backlog", type=int, default=100_000, help="undelivered events")
    parser.add_argument("--away", type=int, default=100, help="endpoints that refuse connections, and those of the profile")
    parser.add_argument("--drain-seconds", type=float, default=120, help="the draining is watched for at most")
    parser.add_argument("--profile", action="store_true", help="say where the time of a delivery goes, and do nothing else")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--folder", type=Path, help="where the files are made; the system's folder for temporary files")
    chosen = parser.parse_args()
    chosen.parts = chosen.parts.split(",")
    if unknown := [part for part in chosen.parts if part not in PARTS]:
        parser.error(f"--parts: there is no {unknown[0]!r}; choose from {', '.join(PARTS)}")
    chosen.full_endpoints = [int(one) for one in chosen.full_endpoints.split(",")]
    return chosen


def main() -> None:
    chosen = parsed()
    every: dict[str, Callable[..., tuple[Table, dict[str, Any]]]] = {
        "latency": latency, "hanging": hanging, "full": full, "backlog": backlog, "profile": profile,
    }  # fmt: skip
    machine = machine_line()
    if not chosen.json:
        print(__doc__)
        print(machine, flush=True)
    found: dict[str, Any] = {"machine": machine}
    for name in ["profile"] if chosen.profile else chosen.parts:
        with tempfile.TemporaryDirectory(dir=chosen.folder, prefix="webhooks-") as folder:
            table, found[name] = every[name](chosen, Path(folder))
        if not chosen.json:
            print("\n".join(table.lines()), flush=True)
    results = plain(found)
    if chosen.json:
        print(json.dumps(results))
    if lost := missing(results):
        raise SystemExit(f"webhooks: {lost} events did not come to their receiver")


if __name__ == "__main__":
    main()
