"""Where a flow stands between two inputs."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from callwright.flows.effects import Answer, Effect, Finish, Recorded, Verdict
from callwright.flows.model import Flow, Step
from callwright.flows.settings import FlowSettings
from callwright.reasons import Reason


class Phase(Enum):
    """What the interpreter waits for."""

    BEGIN = "begin"
    ANSWER = "answer"  # A's answer, before the step at `index` can do its work
    JUDGE = "judge"  # who A is, before anything is said
    PLAY = "play"  # the end of something said or played
    PAUSE = "pause"
    RECORD = "record"
    SEND_KEYS = "send_keys"
    KEYS = "keys"  # more keys; the step's own work is over
    FETCH = "fetch"  # the flow that replaces this one
    DIAL = "dial"
    JUDGE_PEER = "judge_peer"  # who B is, before it is connected
    ANSWER_TO_CONNECT = "answer_to_connect"  # B has answered; A must be before they can talk
    TALK = "talk"
    OVER = "over"


class Ending(NamedTuple):
    """What the flow at hand ends with, in place of its own end."""

    reason: Reason
    detail: str


class State(msgspec.Struct, frozen=True):
    """A flow, the step it is at, and what is remembered of the call.

    `url` is where the flow came from, empty for one that was stored or sent. `placed` says that we placed the call,
    `answering` that A's answer was asked for, `judging` that who A is was asked and not told yet. `failed` is why the last
    transfer failed, if no step has followed it.

    `keys` are those collected so far, None while none is; `pressed` says that this step has had its keys and still has work
    to finish; `recorded` is a recording whose end waits for keys. `entered` and `fetches` count the steps and fetches of
    the call: they bound it.

    Whoever runs the flow looks at `flow` after each step: another one may have its own `max_duration`.
    """

    flow: Flow
    settings: FlowSettings = FlowSettings()
    url: str = ""
    phase: Phase = Phase.BEGIN
    index: int = -1
    placed: bool = False
    answering: bool = False
    answered: bool = False
    failed: Reason | None = None
    ending: Ending | None = None
    variables: dict[str, str] = {}
    keys: str | None = None
    pressed: bool = False
    recorded: Recorded | None = None
    judging: bool = False
    verdict: Verdict | None = None
    call_recorded: bool = False
    entered: int = 0
    fetches: int = 0

    @property
    def step(self) -> Step:
        return self.flow.steps[self.index]


Result = tuple[State, tuple[Effect, ...]]


def answer(state: State, phase: Phase) -> Result:
    """Ask for A's answer, once, and wait for it in `phase`."""
    asked = () if state.answering else (Answer(),)
    return replace(state, phase=phase, answering=True), asked


def finish(state: State, reason: Reason, detail: str = "") -> Result:
    return replace(state, phase=Phase.OVER, keys=None), (Finish(reason, detail),)


def hang_up(state: State) -> Result:
    """A step says that it is over, for everybody."""
    if state.ending is not None:
        return finish(state, state.ending.reason, state.ending.detail)
    return replace(state, phase=Phase.OVER, keys=None), (Finish(Reason.FLOW_ENDED, everybody=True),)


def end_of_flow(state: State, reason: Reason = Reason.FLOW_ENDED) -> Result:
    """There is no further step."""
    if state.ending is not None:
        return finish(state, state.ending.reason, state.ending.detail)
    return finish(state, reason)
