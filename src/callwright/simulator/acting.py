"""What parties do by their scripts once they are connected: at times, or when the flow asks for it.

Nobody hears words here. That a flow asks is known by its prompts: one that listens for keys asks for them, and silence after
one asks for whatever is next. The telephone of a person who waits for a word would be no wiser.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol
from uuid import UUID

from callwright.simulator.legs import Leg, Stage, State
from callwright.simulator.settings import Act
from callwright.simulator.talk import spoken_s

# Of a prompt that listens for keys: once it is over the flow may listen no more.
BEFORE_END_S = 0.1
# So long nothing is heard after a prompt before one knows that it was the last, and where there was none to begin with.
SILENCE_S, UNPROMPTED_S = 0.5, 6.0


class FarEnd(Protocol):
    """What can be done at the far end of a leg."""

    def far_presses(self, leg_id: UUID, digit: str) -> None: ...

    def far_says(self, leg_id: UUID, text: str, seconds: float) -> None: ...

    def far_beeps(self, leg_id: UUID) -> None: ...

    def far_holds(self, leg_id: UUID, direction: str) -> None: ...

    def far_asks_for_transfer(self, leg_id: UUID, target: str) -> None: ...

    def far_hangs_up(self, leg_id: UUID) -> None: ...


class Acting:
    def __init__(self, stage: Stage, far_end: FarEnd) -> None:
        self._stage = stage
        self._far_end = far_end

    def answered(self, leg: Leg) -> None:
        for act in leg.script.plan():
            if act.when_asked:
                leg.waiting.append(act)
            else:
                self._perform(leg, act, act.at)
        leg.replied = True
        self._wait(leg, UNPROMPTED_S)

    # what is heard

    def prompted(self, leg: Leg) -> None:
        """A prompt begins."""
        leg.replied = False
        self._wait(leg, None)

    def ends_in(self, leg: Leg, seconds: float) -> None:
        """It is known how long the prompt goes on that is heard, and listens for keys."""
        if any(act.press for act in leg.waiting):
            self._wait(leg, max(0.0, seconds - BEFORE_END_S), keys=True)

    def silent(self, leg: Leg) -> None:
        """A prompt is over."""
        self._wait(leg, UNPROMPTED_S if leg.replied else SILENCE_S)

    def _wait(self, leg: Leg, seconds: float | None, *, keys: bool = False) -> None:
        """Do the next act in so many seconds, unless something is heard before; None: not until something was."""
        if leg.due is not None:
            leg.due.cancel()
            leg.due = None
        if leg.waiting and seconds is not None and leg.state is State.ANSWERED:
            leg.due = self._stage.later(leg, seconds, partial(self._answer, leg, keys))

    def _answer(self, leg: Leg, keys: bool) -> None:
        leg.due = None
        act = self._next(leg, keys)
        leg.waiting.remove(act)
        leg.replied = True
        self._wait(leg, UNPROMPTED_S + act.at + self._seconds(leg, act))
        self._perform(leg, act, act.at)

    def _next(self, leg: Leg, keys: bool) -> Act:
        for act in leg.waiting:
            if act.press if keys else act.speaks and leg.takes:
                return act
        return leg.waiting[0]

    # what is done

    def _perform(self, leg: Leg, act: Act, after: float) -> None:
        for n, key in enumerate(act.press):
            self._stage.later(leg, after + n * leg.script.digit_gap, partial(self._far_end.far_presses, leg.id, key))
        if not act.press:
            self._stage.later(leg, after, partial(self._do, leg, act))

    def _do(self, leg: Leg, act: Act) -> None:
        far = self._far_end
        if act.speaks:
            far.far_says(leg.id, act.says, self._seconds(leg, act))
        elif act.beeps:
            far.far_beeps(leg.id)
        elif act.holds:
            far.far_holds(leg.id, "sendonly")
        elif act.resumes:
            far.far_holds(leg.id, "sendrecv")
        elif act.transfers_to:
            far.far_asks_for_transfer(leg.id, act.transfers_to)
        else:
            far.far_hangs_up(leg.id)

    def _seconds(self, leg: Leg, act: Act) -> float:
        if act.speaks:
            return act.speaks_for or spoken_s(act.says)
        return leg.script.digit_gap * max(len(act.press) - 1, 0)
