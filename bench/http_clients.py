"""The client behind the door against a small one of our own: signed callbacks of 0.7 kB, on connections that are kept.

    scripts/bench http_clients [--posts 4000] [--rounds 5] [--at-once 128] [--origins 1 10 1000]

aiohttp  `callwright.egress.post.HttpDoor` as the server uses it: veto, timings, bounds
small    bench/small_client.py on httptools: what a client made for nothing but this costs

bare        signed and posted, so many at once; every origin is a loopback address of its own, and has been posted to before
end to end  the same events through the product: committed, fanned out, signed, posted, logged and settled in a database
            on disk by the real deliverer; each of its deliveries is two commits beside the post

Both take turns in one process; the receiver is another. A ratio is of two turns that follow each other; processor time is
that of this process with all its threads, the receiver's left out.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import uvloop
from machine import machine_line
from receiver import loopback
from small_client import SmallDoor

from callwright import ids
from callwright.calls.events import CREATED, TOPIC, Snapshot
from callwright.calls.model import Call, CallStatus
from callwright.calls.rows import insert_event
from callwright.clock import SystemClock
from callwright.egress import EgressSettings, parse
from callwright.egress.post import HttpDoor
from callwright.store import Change, Store, Wake
from callwright.webhooks import signature
from callwright.webhooks.deliverer import Deliverer
from callwright.webhooks.settings import WebhookSettings
from callwright.webhooks.signing import Signer

BENCH = Path(__file__).parent
CLOCK = SystemClock()
WORLD = ids.uuid7(CLOCK.now_us())
KEY = "k" * 43
BODY = b"{" + b'"callId":"%036d",' % 7 + b" " * 650 + b"}"
SETTINGS = EgressSettings(allow=("127.0.0.0/8",), connections=4_096, idle_connections=4_096, idle_s=60.0)
DOORS: dict[str, Callable[[], Any]] = {
    "aiohttp": lambda: HttpDoor(SETTINGS, CLOCK),
    "small": lambda: SmallDoor(SETTINGS, CLOCK),
}


class Turn(NamedTuple):
    """Posts a second, by the clock and by the processor time of this process."""

    per_s: float
    per_cpu_s: float


async def post(door: Any, url: str) -> None:
    at_us = CLOCK.now_us()
    event_id = ids.uuid7(at_us)
    signed = signature.headers(url=parse(url), body=BODY, signing_key=KEY, token=None, now_us=at_us, jti=event_id)
    headers = [("Content-Type", "application/json"), ("webhook-id", str(event_id)), ("webhook-sequence", "1"), *signed]
    answer = await door.post(url, headers, BODY, 10.0, repeatable=True)
    assert answer.ok, answer


async def bare(door: Any, urls: list[str], posts: int, at_once: int) -> Turn:
    left = iter(range(posts))

    async def one_after_the_other() -> None:
        for number in left:
            await post(door, urls[number % len(urls)])

    return await timed(posts, lambda: asyncio.gather(*(one_after_the_other() for _ in range(at_once))))


async def end_to_end(door: Any, urls: list[str], posts: int, at_once: int) -> Turn:
    """As many calls with one event each, written by as many callers as posts may be under way."""
    done = 0
    all_done = asyncio.Event()

    def counted(result: str) -> None:
        nonlocal done
        assert result == "delivered", result
        done += 1
        if done == posts:
            all_done.set()

    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "bench.db", CLOCK)
        signer = Signer(lambda world: KEY)
        settings = WebhookSettings(concurrency=at_once, per_endpoint=at_once)
        deliverer = Deliverer(store, door, CLOCK, settings, render=lambda event: BODY, sign=signer.headers, counted=counted)
        store.on(TOPIC, lambda wake: deliverer.wake(wake.world_id, wake.subject_id))
        running = asyncio.create_task(deliverer.run())
        left = iter(range(posts))

        async def calls() -> None:
            for number in left:
                await store.commit(event_of(urls[number % len(urls)]))

        async def everything() -> None:
            await asyncio.gather(*(calls() for _ in range(at_once)))
            await all_done.wait()

        try:
            return await timed(posts, everything)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            store.close()


def event_of(url: str) -> Change:
    """The commit of a call that has just been made."""
    at_us = CLOCK.now_us()
    call_id = ids.uuid7(at_us)
    call = Call(
        id=call_id,
        world_id=WORLD,
        status=CallStatus.ONGOING,
        source="31205550177",
        destination="31205550100",
        number_id=None,
        webhook_url=url,
        webhook_token=None,
        created_us=at_us,
        updated_us=at_us,
    )
    event_id: UUID = ids.uuid7(at_us)
    return Change((insert_event(event_id, 1, CREATED, Snapshot(call, ())),), (Wake(TOPIC, WORLD, call_id),))


async def timed(posts: int, work: Callable[[], Awaitable[Any]]) -> Turn:
    began, cpu = time.perf_counter(), time.process_time()
    await work()
    return Turn(posts / (time.perf_counter() - began), posts / (time.process_time() - cpu))


@contextmanager
def receiving(origins: int) -> Iterator[list[str]]:
    """A receiver in a process of its own, and the URL of each of its addresses."""
    arguments = [sys.executable, str(BENCH / "receiver.py"), str(origins)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        try:
            yield [f"http://{address}:{port}/hook" for address in loopback(origins)]
        finally:
            process.communicate("\n")


async def compare(origins: int, posts: int, rounds: int, at_once: int) -> None:
    with receiving(origins) as urls:
        doors = {name: make() for name, make in DOORS.items()}
        for door in doors.values():
            await bare(door, urls, origins, min(at_once, origins))
        for what, work in (("bare", bare), ("end to end", end_to_end)):
            turns: dict[str, list[Turn]] = {name: [] for name in doors}
            for _ in range(rounds):
                for name, door in doors.items():
                    turns[name].append(await work(door, urls, posts, at_once))
            tell(f"{origins} origins, {what}", turns)
        for door in doors.values():
            await door.close()


def tell(what: str, turns: dict[str, list[Turn]]) -> None:
    for name, its in turns.items():
        wall, cpu = (statistics.median(each) for each in zip(*its, strict=True))
        print(f"{what}, {name}: {wall:,.0f} posts/s, {cpu:,.0f} posts a CPU-second")
    pairs = list(zip(turns["small"], turns["aiohttp"], strict=True))
    for name, pick in (("a second", lambda turn: turn.per_s), ("a CPU-second", lambda turn: turn.per_cpu_s)):
        ratios = sorted(pick(small) / pick(library) for small, library in pairs)
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"{what}, small / aiohttp: posts {name}, median {statistics.median(ratios):.2f} ({each})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=4_000, help="in each turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=128, help="posts under way at a time")
    parser.add_argument("--origins", type=int, nargs="+", default=[1, 10, 1_000])
    chosen = parser.parse_args()
    print(__doc__)
    print(machine_line())
    print(f"{chosen.posts} posts a turn, {chosen.rounds} rounds, {chosen.at_once} at once")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for origins in chosen.origins:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(compare(origins, chosen.posts, chosen.rounds, chosen.at_once))


if __name__ == "__main__":
    main()
