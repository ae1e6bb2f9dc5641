"""Events at a rate, and how long each took from its commit to its receiver."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from webhook_receiver import Receiver, origins, paths, receiving
from webhook_stage import Stage, Told, call_of, staged


async def commit_at(stage: Stage, urls: Sequence[str], rate: float, count: int, *, even: bool) -> None:
    """Commit so many events at a rate, for each URL in turn the next of its call; evenly, or as callers come.

    An event that is due is committed though those before it are not, so that a slow store does not lower the rate.
    """
    chance = random.Random(7)
    lives: dict[str, Iterator[Told]] = {}
    commits: set[asyncio.Task[None]] = set()
    due_s = time.monotonic() + 0.05
    for number in range(count):
        url = urls[number % len(urls)]
        if (event := next(lives.get(url, iter(())), None)) is None:
            lives[url] = call_of(url)
            event = next(lives[url])
        due_s += 1 / rate if even else chance.expovariate(rate)
        if (wait := due_s - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(stage.commit(event, round(due_s * 1e9)))
        commits.add(task)
        task.add_done_callback(commits.discard)
    await asyncio.gather(*commits)


MISSING_S = 60.0  # what has not come so long after the last commit does not come


class Spread(NamedTuple):
    """Milliseconds."""

    p50: float
    p99: float
    most: float

    def __str__(self) -> str:
        return f"{self.p50:.2f}, {self.p99:.2f}, {self.most:.1f}"


def spread(seconds: Sequence[float]) -> Spread:
    if not seconds:
        return Spread(*[float("nan")] * 3)
    in_order = sorted(seconds)
    return Spread(*(1000 * in_order[min(int(len(in_order) * share), len(in_order) - 1)] for share in (0.5, 0.99, 1.0)))


class Rated(NamedTuple):
    """What came of events at a rate.

    `wire` is from the commit until the whole request was at the receiver, `whole` from when the commit was due; `on_time`
    is how many came within the time asked for, of `events`.
    """

    events: int
    missing: int
    on_time: int
    wire: Spread
    whole: Spread
    commit: Spread


async def rated(
    stage: Stage,
    receiver: Receiver,
    urls: Sequence[str],
    rate: float,
    seconds: float,
    *,
    even: bool = True,
    hanging: frozenset[str] = frozenset(),
    on_time_s: float = 0.05,
    warm_up: float = 0.1,
) -> Rated:
    """Commit events at a rate while a stage delivers; those for `hanging` URLs and in the first tenth are not judged."""
    count, warming = round(rate * seconds), round(rate * seconds * warm_up)
    stage.committed.clear()
    stage.commits_s.clear()
    await commit_at(stage, urls, rate, warming + count, even=even)
    healthy = {id_ for id_, committed in stage.committed.items() if committed.url not in hanging}
    came: dict[bytes, int] = {}
    deadline = time.monotonic() + MISSING_S
    while not healthy <= came.keys() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        for one in await receiver.dump():
            came.setdefault(one.id, one.at_ns)
    measured = list(stage.committed.items())[warming:]
    judged = [(committed, came.get(id_)) for id_, committed in measured if committed.url not in hanging]
    wire = [(at_ns - committed.at_ns) / 1e9 for committed, at_ns in judged if at_ns is not None]
    whole = [(at_ns - committed.due_ns) / 1e9 for committed, at_ns in judged if at_ns is not None]
    return Rated(
        events=len(judged),
        missing=len(judged) - len(wire),
        on_time=sum(one <= on_time_s for one in wire),
        wire=spread(wire),
        whole=spread(whole),
        commit=spread(stage.commits_s),
    )


async def longest_hold(seconds: float) -> float:
    """How long the event loop was held up at a stretch, at most, within so many seconds from now; in seconds."""
    longest, ended, last = 0.0, time.monotonic() + seconds, time.monotonic()
    while last < ended:
        await asyncio.sleep(0.005)
        now = time.monotonic()
        longest, last = max(longest, now - last - 0.005), now
    return longest


async def latency(folder: Path, rate: float, seconds: float, endpoints: int, of_one_origin: bool, even: bool) -> Rated:
    """Events at a rate for so many endpoints that all answer at once."""
    async with receiving(folder) as receiver, staged(folder / f"latency-{of_one_origin}-{even}.db") as stage:
        stage.start()
        urls = list((paths if of_one_origin else origins)(endpoints, receiver.port))
        return await rated(stage, receiver, urls, rate, seconds, even=even)


async def hanging(folder: Path, rate: float, seconds: float, endpoints: int, hang: int, hang_s: float, turn: int) -> Rated:
    """Events at a rate for so many endpoints, of which `hang` answer only after `hang_s` seconds."""
    async with receiving(folder, hang_s) as receiver, staged(folder / f"hanging-{hang}-{turn}.db") as stage:
        stage.start()
        urls = list(origins(endpoints, receiver.port))
        ill = frozenset(origins(hang, receiver.port, second=3))
        # Spread over the others, so that they do not come due together.
        for number, url in enumerate(sorted(ill)):
            urls[number * endpoints // hang] = url
        return await rated(stage, receiver, urls, rate, seconds, hanging=ill)
