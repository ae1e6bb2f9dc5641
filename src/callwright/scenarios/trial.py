"""Tries scenarios the way they are asked for, and never fails itself: what goes wrong is the scenario's verdict."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import msgspec

from callwright.errors import CallwrightError
from callwright.plain import escaped
from callwright.scenarios.reading import Script
from callwright.scenarios.running import simulate
from callwright.scenarios.screen import WIDTH
from callwright.scenarios.verdict import Verdict, verdict
from callwright.settings import Settings

# A call over SIP takes as long as it takes.
LONGEST_LIVE_S = 600.0
LIVE_AT_ONCE = 100
# Beyond its simulated length, before a call over SIP is given up.
GRACE_S = 60.0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """`settings` are those at hand, which scenarios may change; the others are as in `simulate`."""

    settings: Settings
    real_web: bool = False
    deliver_to: str = ""
    width: int = WIDTH

    def simulate(self, script: Script) -> Verdict:
        try:
            result = simulate(script.scenario, settings=self.settings, real_web=self.real_web, deliver_to=self.deliver_to)
        except CallwrightError as error:
            return _failed(script, str(error))
        except Exception as error:
            return _failed(script, f"It could not be run: {type(error).__name__}: {error}")
        return verdict(script, result, width=self.width)

    async def live(self, scripts: Sequence[Script], simulated: Sequence[Verdict]) -> AsyncGenerator[Verdict, None]:
        """Over real SIP, many at once; verdicts in the order of the scenarios. Raises `NoStage`.

        What each came to when it was `simulated` says how long it takes.
        """
        from callwright.rehearsal.live import live_stage
        from callwright.scenarios.live import play_live

        free = asyncio.Semaphore(LIVE_AT_ONCE)

        async def one(script: Script, expected: Verdict) -> Verdict:
            if expected.error or expected.seconds > LONGEST_LIVE_S:
                told = f"It takes {expected.seconds:g} s, and over SIP that is real time: have somebody hang up."
                return _failed(script, expected.error or told)
            async with free:
                try:
                    async with asyncio.timeout(expected.seconds + GRACE_S):
                        result = await play_live(stage, script.scenario, settings=self.settings)
                except TimeoutError:
                    return _failed(script, f"Its call was not over after {expected.seconds + GRACE_S:g} s.")
                except CallwrightError as error:
                    return _failed(script, str(error))
            return verdict(script, result, width=self.width)

        async with live_stage(self.settings) as stage:
            trials = [asyncio.create_task(one(*both)) for both in zip(scripts, simulated, strict=True)]
            try:
                for trial in trials:
                    yield await trial
            finally:
                for trial in trials:
                    trial.cancel()
                await asyncio.gather(*trials, return_exceptions=True)


def _failed(script: Script, error: str) -> Verdict:
    return Verdict(name=script.scenario.name, file=script.file, line=script.line, error=escaped(error))
