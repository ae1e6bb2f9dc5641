"""What is heard in a replay, and for how long: as on record where the very same is heard, else as long as it would take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from callwright import telephony
from callwright.calls import journal
from callwright.rehearsal.prompts import SOUND_S, Prompt, Prompts
from callwright.replay.follower import Follower
from callwright.replay.plan import Plan, PromptPlan
from callwright.replay.timeline import TICK_US, Timeline
from callwright.simulator.talk import spoken_s
from callwright.switch.sounds import SoundUnavailable
from callwright.telephony import SpeechUnavailable, Utterance

BEEP_US = 300_000
# What was broken off lasts so much longer than it was heard, at least.
LONGER_US = 500_000


class End(NamedTuple):
    """When a prompt has been heard, in time of the record; `line` is what followed then on record."""

    at_us: float
    line: int | None
    fault: str = ""


class Prompting:
    def __init__(self, plan: Plan, follower: Follower, timeline: Timeline, prompts: Prompts) -> None:
        self._plan = plan
        self._follower = follower
        self._timeline = timeline
        self._prompts = prompts
        self._lengths: dict[Any, int] = {}
        paces: list[float] = []
        for prompt in plan.prompts.values():
            if prompt.length is None or prompt.fault:
                continue
            self._lengths[_heard(prompt.step)] = prompt.length
            options = prompt.step.get("options") or {}
            if prompt.step.get("action") == "say":
                paces.append(prompt.length / (spoken_s(str(options.get("payload", ""))) * _repeat(options) * 1e6))
        # Real voices are slower or faster than the estimate, each by itself.
        self._pace = min(3.0, max(0.3, median(paces))) if paces else 1.0
        self._begin_us = 0.0
        self._seconds = 0.0
        self._repeat = 1
        self._more = False
        self._beep = False

    def step(self) -> PromptPlan | None:
        """What the record has of the step at hand, if that is the very same."""
        known = self._plan.prompts.get(-1 if self._follower.step is None else self._follower.step)
        return known if self._follower.same else None

    def begins(self, play: telephony.Play) -> None:
        self._begin_us, self._more, self._repeat = self._timeline.now_us, play.more, play.repeat
        self._beep = self._prompts.of(play.files[0]) is None
        self._seconds = self._length(play.files)

    def goes_on(self, play: telephony.PlayMore) -> None:
        self._more = play.more
        self._seconds += self._length(play.files)

    @property
    def end(self) -> End | None:
        """None while it is not known."""
        if self._more:
            return None
        known = self.step()
        if self._beep:
            length = BEEP_US if known is None or known.length is None else known.length
            return End(self._begin_us + length, None if known is None else known.line)
        if known is not None and known.length is not None:
            failed = known.fault if known.step.get("action") == "play" and not _broken(known) else ""
            return End(self._begin_us + known.length, known.line, failed)
        body = self._follower.body
        length = self._lengths.get(_heard(body), round(self._seconds * max(1, self._repeat) * 1e6))
        return End(self._begin_us + max(length, 0 if known is None else known.least + LONGER_US), None)

    def _length(self, files: tuple[str, ...]) -> float:
        return sum(0.0 if (prompt := self._prompts.of(file)) is None else prompt.seconds for file in files)

    # voices and sounds

    async def say(self, utterance: Utterance) -> AsyncIterator[Path]:
        known = self.step()
        if known is not None and known.fault and known.length is not None:
            await self._timeline.wait(known.length, known.line)
            raise SpeechUnavailable(known.fault)
        seconds = spoken_s(utterance.text) * self._pace
        yield self._prompts.file(Prompt(seconds, utterance.text, utterance.language, utterance.gender))

    def stream(self, url: str) -> _Stream:
        return _Stream(self, url)

    def sound(self, url: str) -> Path:
        return self._prompts.file(Prompt(SOUND_S, url=url))

    async def fetched(self, url: str) -> journal.MediaFetched | None:
        """What came of asking for a sound, once it has come; the time of a step is spent on the first."""
        known = self.step()
        if known is not None:
            found = next((one for one in known.fetched if one.url == url), None)
            if found is None and known.length is None:
                await self._timeline.never()
            if known.fetched and url == known.fetched[0].url:
                await self._timeline.wait(known.fetching, known.fetched_line)
            return found
        every = (one for prompt in self._plan.prompts.values() for one in prompt.fetched)
        return next((one for one in every if one.url == url), None)

    def broken(self) -> str:
        known = self.step()
        return "" if known is None else known.fault

    def partly(self) -> bool:
        """Whether something was heard of a sound that is broken: the step went on for a while after that was known."""
        known = self.step()
        return known is not None and known.length is not None and known.length - known.fetching > TICK_US


class _Stream:
    def __init__(self, prompting: Prompting, url: str) -> None:
        self._prompting = prompting
        self._url = url
        self.status: int | None = None
        self.note = ""

    async def __aiter__(self) -> AsyncIterator[Path]:
        sound = self._prompting.sound(self._url)
        fault = self._prompting.broken()
        heard = not fault or self._prompting.partly()
        if heard:
            yield sound
        came = await self._prompting.fetched(self._url)
        if came is None:
            self.status = 200
            return
        self.status = came.status
        if came.error and came.error == fault:
            raise SoundUnavailable(came.error, came.status)
        self.note = came.error
        if not heard:
            yield sound


def _broken(known: PromptPlan) -> bool:
    return any(one.error == known.fault for one in known.fetched)


def _repeat(options: dict[str, Any]) -> int:
    repeat = options.get("repeat")
    return repeat if isinstance(repeat, int) and repeat > 0 else 1


def _heard(step: dict[str, Any]) -> tuple[str, str]:
    options = step.get("options") or {}
    what = [str(options.get(name, "")) for name in ("payload", "media", "repeat", "language", "voice")]
    return str(step.get("action")), "\n".join(what)
