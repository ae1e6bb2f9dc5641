"""Callbacks at full speed: the whole way from the outbox to the settled delivery, and bare posts by the same client."""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import resource
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from machine import cpu_seconds
from webhook_receiver import Receiver, limit_per_second, origins, receiving
from webhook_stage import EVENTS_OF_A_CALL, PATIENCE_S, WEBHOOKS, Noting, Stage, new_door, staged
from writes import each_connection, thread_seconds

from callwright.egress import Header
from callwright.store import queries

Post = tuple[str, list[Header], bytes]
NOTED = 1_000
NAMING = 80  # characters of a statement in which no two are alike


class Turn(NamedTuple):
    """So many posts, each answered and, where they are deliveries, its outcome durable; `cpu_s` by thread."""

    posts: int
    seconds: float
    cpu_s: dict[str, float]
    receiver_cpu_s: float

    @property
    def rate(self) -> float:
        return self.posts / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Processor time of this process for a post."""
        return 1000 * sum(self.cpu_s.values()) / self.posts


class Meter:
    """What threads and the receiver use from its making on."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._threads = thread_seconds()
        self._other = cpu_seconds(receiver.pid)
        self._began = time.monotonic()

    def turn(self, posts: int) -> Turn:
        seconds = time.monotonic() - self._began
        used = {name: used - self._threads.get(name, 0.0) for name, used in thread_seconds().items()}
        cpu_s = {name: one for name, one in used.items() if one > 0.001}
        return Turn(posts, seconds, cpu_s, cpu_seconds(self._receiver.pid) - self._other)


async def from_outbox(database: Path, receiver: Receiver, urls: Sequence[str], count: int) -> Turn:
    """Commit so many events, then let a deliverer begin."""
    async with staged(database) as stage:
        await stage.commit_fast(urls, count)
        meter = Meter(receiver)
        stage.start()
        await _all_delivered(stage, count)
        return await _checked(meter.turn(count), receiver, stage)


async def beside_committers(database: Path, receiver: Receiver, urls: Sequence[str], count: int) -> Turn:
    """Commit so many events as fast as they are taken, while a deliverer works."""
    async with staged(database) as stage:
        stage.start()
        meter = Meter(receiver)
        await stage.commit_fast(urls, count)
        await _all_delivered(stage, count)
        return await _checked(meter.turn(count), receiver, stage)


async def _all_delivered(stage: Stage, count: int) -> None:
    if not await stage.delivered(count):
        raise SystemExit(f"webhooks: of {count} deliveries not all were made within {PATIENCE_S:g} s: {dict(stage.results)}")


async def _checked(turn: Turn, receiver: Receiver, stage: Stage) -> Turn:
    came = {one.id for one in await receiver.dump()}
    if lost := stage.committed.keys() - came:
        raise SystemExit(f"webhooks: {len(lost)} of {turn.posts} events did not come to the receiver: {dict(stage.results)}")
    return turn


async def bare(receiver: Receiver, posts: Sequence[Post], count: int, in_flight: int) -> Turn:
    """Post so many times what deliveries have posted, so many at a time."""
    door = new_door()
    turns = iter(range(count))

    async def poster() -> None:
        for turn in turns:
            url, headers, body = posts[turn % len(posts)]
            answer = await door.post(url, headers, body, WEBHOOKS.timeout, repeatable=True)
            if not answer.ok:
                raise SystemExit(f"webhooks: a bare post failed: {answer.detail}")

    try:
        await door.open()
        meter = Meter(receiver)
        await asyncio.gather(*(poster() for _ in range(in_flight)))
        turn = meter.turn(count)
    finally:
        await door.close()
    await receiver.dump()
    return turn


async def noted_posts(database: Path, urls: Sequence[str], count: int = NOTED) -> list[Post]:
    """What deliveries post: addresses, headers, bodies."""
    door = Noting(new_door())
    async with staged(database, door) as stage:
        stage.start()
        await stage.commit_fast(urls, max(count, EVENTS_OF_A_CALL * len(urls)))
        await _all_delivered(stage, len(stage.committed))
    # Those of an address do not follow each other, as lanes take turns too.
    return sorted(door.posts, key=lambda post: dict(post[1])["webhook-sequence"])


class Full(NamedTuple):
    """A round: the three, one after the other."""

    outbox: Turn
    committers: Turn
    bare: Turn


async def full(folder: Path, endpoints: int, events: int, rounds: int) -> list[Full]:
    """Rounds of the three with so many endpoints; `bare` has as many requests under way as deliveries may."""
    in_flight = min(WEBHOOKS.concurrency, endpoints * WEBHOOKS.per_endpoint)
    async with receiving(folder) as receiver:
        urls = list(origins(endpoints, receiver.port))
        posts = await noted_posts(folder / "noted.db", urls)
        done = []
        for number in range(rounds):
            outbox, committers = folder / f"outbox-{number}.db", folder / f"committers-{number}.db"
            done.append(
                Full(
                    await from_outbox(outbox, receiver, urls, events),
                    await beside_committers(committers, receiver, urls, events),
                    await bare(receiver, posts, events, in_flight),
                )
            )
        return done


async def receivers_limit(folder: Path, seconds: float) -> float:
    async with receiving(folder) as receiver:
        return await limit_per_second(receiver, seconds)


class Profile(NamedTuple):
    """`functions` of the event loop with the microseconds of their own and calls for a delivery; `statements` likewise."""

    turn: Turn
    functions: list[tuple[str, float, float]]
    statements: list[tuple[str, float, float]]
    switches: float  # of threads or processes, for a delivery


async def profile(folder: Path, endpoints: int, events: int, top: int = 30) -> Profile:
    """The way from the outbox once, under cProfile; its times are longer than those without, by more where calls are many."""
    statements: dict[str, list[int]] = {}

    def note(sql: str, nanoseconds: int) -> None:
        statements.setdefault(sql, []).append(nanoseconds)

    profiler = cProfile.Profile()
    async with receiving(folder) as receiver:
        urls = list(origins(endpoints, receiver.port))
        with each_connection(lambda connection: connection.set_profile(note)):
            async with staged(folder / "profile.db") as stage:
                await stage.commit_fast(urls, events)
                statements.clear()
                meter, switches = Meter(receiver), _switches()
                profiler.enable()
                stage.start()
                await _all_delivered(stage, events)
                profiler.disable()
                turn, switches = meter.turn(events), _switches() - switches
                seen = {sql: list(spans) for sql, spans in statements.items()}
    return Profile(turn, _functions(profiler, events)[:top], _statements(seen, events)[:top], switches / events)


def _switches() -> int:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_nvcsw + used.ru_nivcsw


def _functions(profiler: cProfile.Profile, events: int) -> list[tuple[str, float, float]]:
    stats: dict[tuple[str, int, str], Any] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    found = []
    for (file, line, name), (_, calls, own_s, _, _) in stats.items():
        where = name if file == "~" else f"{'/'.join(Path(file).parts[-2:])}:{line} {name}"
        found.append((where, 1e6 * own_s / events, calls / events))
    return sorted(found, key=lambda one: -one[1])


def _statements(seen: dict[str, list[int]], events: int) -> list[tuple[str, float, float]]:
    """By their names, whatever number of rows one has. SQLite counts whole milliseconds, of which only sums say something."""
    named = {sql[:NAMING]: name for name, sql in queries.load().items()}
    took, times = Counter[str](), Counter[str]()
    for sql, spans in seen.items():
        name = named.get(sql[:NAMING], sql)
        took[name] += sum(spans)
        times[name] += len(spans)
    return [(name, spent / 1000 / events, times[name] / events) for name, spent in took.most_common()]
