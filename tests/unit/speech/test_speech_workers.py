"""The core's side of a process that speaks: its queue, its deadline, its deaths; the process is played by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from callwright.speech import wire
from callwright.speech.languages import find
from callwright.speech.settings import VoiceSettings
from callwright.speech.source import Job, Voice, VoiceDied, VoiceFailed, VoiceResting
from callwright.speech.workers import MOST_WAITING, Worker
from support.fake_children import Line, ManualClock


class Stage:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.worker = Worker(VoiceSettings(engine="espeak"), self.clock, deadline_s=10, busy_s=1)
        self.kills = 0
        self.worker.kill = self.killed
        self.line = Line()

    def killed(self) -> None:
        self.kills += 1

    def up(self) -> None:
        self.line = Line()
        self.worker.up(self.line)
        self.worker.receive(wire.Ready())

    def ask(self, text: str, *, urgent: bool = True) -> asyncio.Task[Any]:
        language = find("en-GB")
        assert language is not None
        return asyncio.create_task(self.worker.render(Job(text, language, Voice("v"), Path("/x") / text, urgent=urgent)))

    @property
    def given(self) -> list[str]:
        return [message.text for message in self.line.sent]  # type: ignore[attr-defined]

    def answer(self, **changes: Any) -> None:
        number = self.line.sent[-1].id  # type: ignore[attr-defined]
        self.worker.receive(wire.Failed(number, changes["why"]) if changes else wire.Rendered(number, 99))


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_one_at_a_time_and_what_calls_wait_for_first(stage: Stage) -> None:
    stage.up()
    tasks = [stage.ask("a", urgent=False), stage.ask("b", urgent=False), stage.ask("c"), stage.ask("d")]
    await turn()
    assert stage.given == ["a"]
    for _ in tasks:
        stage.answer()
        await turn()
    assert stage.given == ["a", "c", "d", "b"]
    assert [(await task).size for task in tasks] == [99] * 4
    assert stage.clock.pending == 0


async def test_nothing_is_given_before_the_engine_is_loaded(stage: Stage) -> None:
    task = stage.ask("a")
    await turn()
    assert stage.worker.trouble == "espeak is being started"
    stage.worker.up(stage.line)
    await turn()
    assert stage.given == []
    stage.worker.receive(wire.Ready())
    assert stage.given == ["a"]
    assert stage.worker.trouble is None
    stage.answer()
    await task


async def test_what_it_says_may_come_before_it_is_known_to_be_up(stage: Stage) -> None:
    task = stage.ask("a")
    await turn()
    stage.worker.receive(wire.Ready())
    assert stage.worker.trouble == "espeak is being started"
    stage.worker.up(stage.line)
    assert stage.worker.trouble is None
    assert stage.given == ["a"]
    stage.answer()
    await task
    assert stage.clock.pending == 0


async def test_one_that_takes_too_long_is_killed_and_the_others_wait_for_the_next_life(stage: Stage) -> None:
    stage.up()
    hanging, waiting = stage.ask("hangs"), stage.ask("waits")
    await turn()
    stage.clock.advance(11)
    with pytest.raises(VoiceFailed, match="did not come to an end"):
        await hanging
    assert (stage.kills, stage.given) == (1, ["hangs"])
    assert stage.worker.trouble == "espeak is being started"
    stage.worker.down("end of file")
    stage.up()
    assert stage.given == ["waits"]
    stage.answer()
    await waiting
    with pytest.raises(VoiceFailed, match="died of this text before"):
        await stage.ask("hangs")


async def test_an_answer_of_what_was_given_up_is_not_taken_for_another(stage: Stage) -> None:
    stage.up()
    hanging = stage.ask("hangs")
    await turn()
    late = stage.line.sent[-1].id  # type: ignore[attr-defined]
    stage.clock.advance(11)
    stage.worker.receive(wire.Rendered(late, 1))
    with pytest.raises(VoiceFailed):
        await hanging
    stage.worker.down("killed")
    stage.up()
    other = stage.ask("other")
    await turn()
    stage.worker.receive(wire.Rendered(late, 1))
    assert not other.done()
    stage.answer()
    assert (await other).size == 99


async def test_a_death_may_be_an_accident_once(stage: Stage) -> None:
    for _ in range(2):
        stage.up()
        task = stage.ask("a")
        await turn()
        stage.worker.down("end of file")
        with pytest.raises(VoiceDied, match="died while it spoke"):
            await task
    stage.up()
    with pytest.raises(VoiceFailed, match="before"):
        await stage.ask("a")
    other = stage.ask("b")
    await turn()
    stage.answer()
    await other


async def test_an_engine_that_does_not_load_in_time_is_killed(stage: Stage) -> None:
    stage.worker.up(stage.line)
    stage.clock.advance(61)
    assert stage.kills == 1


async def test_one_that_cannot_be_loaded_lets_nobody_wait(stage: Stage) -> None:
    waiting = stage.ask("a")
    await turn()
    stage.worker.up(stage.line)
    stage.worker.receive(wire.Unusable("install it"))
    with pytest.raises(VoiceFailed, match="install it"):
        await waiting
    with pytest.raises(VoiceResting, match="install it"):
        await stage.ask("b")
    assert stage.worker.trouble == "install it"
    assert stage.clock.pending == 0


async def test_who_stops_waiting_leaves_the_queue(stage: Stage) -> None:
    stage.up()
    first, second = stage.ask("a"), stage.ask("b")
    await turn()
    second.cancel()
    await turn()
    stage.answer()
    await first
    assert stage.given == ["a"]
    assert stage.worker.idle


async def test_a_failure_is_told(stage: Stage) -> None:
    stage.up()
    task = stage.ask("a")
    await turn()
    stage.answer(why="no sound came of it")
    with pytest.raises(VoiceFailed, match="no sound came of it"):
        await task


async def test_with_too_much_to_do_calls_are_sent_elsewhere(stage: Stage) -> None:
    stage.up()
    for _ in range(20):  # it learns that a text takes half a second
        task = stage.ask("a")
        await turn()
        stage.clock.advance(0.5)
        stage.answer()
        await task
    tasks = [stage.ask(f"text {number}", urgent=number > 20) for number in range(24)]
    await turn()
    assert stage.worker.trouble == "3 texts wait for espeak"
    stage.answer()
    await turn()
    assert stage.worker.trouble is None  # what nobody waits for does not count
    for task in tasks:
        task.cancel()


async def test_a_queue_has_an_end(stage: Stage) -> None:
    tasks = [stage.ask(f"text {number}") for number in range(MOST_WAITING)]
    await turn()
    with pytest.raises(VoiceFailed, match="2000 texts wait"):
        await stage.ask("one more")
    for task in tasks:
        task.cancel()
