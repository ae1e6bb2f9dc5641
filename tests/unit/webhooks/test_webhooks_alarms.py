from __future__ import annotations

import asyncio

from callwright.clock import VirtualClock, VirtualLoop
from callwright.webhooks.alarms import Alarms

S = 1_000_000


def test_each_sleeper_is_woken_once_at_the_earliest_of_its_times() -> None:
    async def play(clock: VirtualClock) -> list[tuple[float, str]]:
        woken: list[tuple[float, str]] = []
        start = clock.now_us()
        alarms = Alarms[str](clock, lambda who: woken.append(((clock.now_us() - start) / S, who)))
        for at_s, who in ((9, "late"), (3, "twice"), (5, "twice"), (4, "earlier"), (2, "earlier"), (2, "same")):
            alarms.set(start + at_s * S, who)
        assert len(alarms) == 4
        await clock.sleep(4)
        alarms.set(start, "past")
        await clock.sleep(6)
        assert len(alarms) == 0
        return woken

    assert _run(play) == [(2, "earlier"), (2, "same"), (3, "twice"), (4, "past"), (9, "late")]


def test_one_that_is_woken_may_sleep_again() -> None:
    async def play(clock: VirtualClock) -> list[float]:
        woken: list[float] = []
        start = clock.now_us()

        def again(who: str) -> None:
            woken.append((clock.now_us() - start) / S)
            alarms.set(clock.now_us() + 2 * S, who)

        alarms = Alarms[str](clock, again)
        alarms.set(start + S, "one")
        await clock.sleep(6)
        alarms.close()
        await clock.sleep(6)
        return woken

    assert _run(play) == [1, 3, 5]


def test_wall_time_that_jumps_ahead_is_noticed_within_a_minute() -> None:
    async def play(clock: VirtualClock) -> list[int]:
        woken: list[int] = []
        alarms = Alarms[str](clock, lambda who: woken.append(clock.mono_ns() // 1_000_000_000))
        alarms.set(clock.now_us() + 7200 * S, "one")
        await clock.sleep(1)
        clock._start_us += 7200 * S
        await clock.sleep(100)
        return woken

    assert _run(play) == [60]


def _run(play):  # type: ignore[no-untyped-def]
    async def run():  # type: ignore[no-untyped-def]
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return await play(VirtualClock(loop))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(run())
