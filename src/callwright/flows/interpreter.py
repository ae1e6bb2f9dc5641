"""The interpreter: pure, so that the same code runs a live call, a flow test and a replay.

``step(state, input)`` returns the next state and what is to be done. It knows no engine, no record and no clock;
whoever runs it carries the effects out and feeds back what became of them. The caller's leg is A, a transfer's is B.
"""

from __future__ import annotations

from enum import Enum

import msgspec
from msgspec.structs import replace

from callwright.flows.schema import Flow, PauseOptions, PlayOptions, Step, TransferOptions
from callwright.reasons import Reason


class Input(msgspec.Struct, frozen=True):
    pass


class Begin(Input, frozen=True):
    """Start the flow; `answered` for a call we placed, whose flow runs once it is answered."""

    answered: bool


class Answered(Input, frozen=True):
    """A is answered, as asked by `Answer`."""


class PlayEnded(Input, frozen=True):
    """The media of a play step is over; `fault` says why it could not be played."""

    fault: str = ""


class Slept(Input, frozen=True):
    pass


class PeerAnswered(Input, frozen=True):
    """B answered."""


class PeerFailed(Input, frozen=True):
    """B ended before it answered, for this reason."""

    reason: Reason


class PeerGone(Input, frozen=True):
    """B had answered and is over; A is still there."""


class Effect(msgspec.Struct, frozen=True):
    pass


class Answer(Effect, frozen=True):
    """Answer A; `Answered` must follow."""


class Play(Effect, frozen=True):
    """Play these URLs to A; `PlayEnded` must follow."""

    urls: tuple[str, ...]


class Sleep(Effect, frozen=True):
    """`Slept` must follow after so many seconds."""

    seconds: float


class Dial(Effect, frozen=True):
    """Make B; `PeerAnswered` or `PeerFailed` must follow. `ring_timeout` in seconds, None for the setting's."""

    destination: str
    mask: bool
    ring_timeout: int | None


class Connect(Effect, frozen=True):
    """Bridge A and B; `PeerGone` follows when B is over."""


class Finish(Effect, frozen=True):
    """The flow is over: end every leg for this reason."""

    reason: Reason
    detail: str = ""


class Enter(Effect, frozen=True):
    """A step begins (for the journal)."""

    step: str
    action: str


class Leave(Effect, frozen=True):
    """A step is over (for the journal)."""

    step: str
    outcome: str
    detail: str = ""


class Phase(Enum):
    """What the interpreter waits for."""

    BEGIN = "begin"
    ANSWER = "answer"  # A's answer, before the step at `index` can do its work
    PLAY = "play"
    SLEEP = "sleep"
    DIAL = "dial"
    ANSWER_TO_CONNECT = "answer_to_connect"  # B has answered; A must be before they can talk
    TALK = "talk"
    OVER = "over"


class State(msgspec.Struct, frozen=True):
    """Where a flow stands.

    `answering` says that A's answer was asked for; `failed` is why the last transfer failed, if no step has followed it.
    """

    flow: Flow
    phase: Phase = Phase.BEGIN
    index: int = -1
    answering: bool = False
    answered: bool = False
    failed: Reason | None = None

    @property
    def step(self) -> Step:
        return self.flow.steps[self.index]


Result = tuple[State, tuple[Effect, ...]]


def step(state: State, happened: Input) -> Result:
    """Move a flow on. An input that the phase does not wait for changes nothing."""
    match state.phase, happened:
        case Phase.BEGIN, Begin(answered=answered):
            if state.flow.record:
                return _finish(state, Reason.NOT_SUPPORTED_YET, "the flow's option record")
            return _next(replace(state, answered=answered))
        case Phase.ANSWER, Answered():
            return _work(replace(state, answered=True))
        case Phase.PLAY, PlayEnded(fault=""):
            return _leave(state, "played")
        case Phase.PLAY, PlayEnded(fault=fault):
            after, effects = _finish(state, Reason.MEDIA_UNAVAILABLE, fault)
            return after, (Leave(state.step.id, "failed", fault), *effects)
        case Phase.SLEEP, Slept():
            return _leave(state, "paused")
        case Phase.DIAL, PeerAnswered() if state.answered:
            return replace(state, phase=Phase.TALK), (Connect(),)
        case Phase.DIAL, PeerAnswered():
            return _answer(state, Phase.ANSWER_TO_CONNECT)
        case Phase.DIAL, PeerFailed(reason=reason):
            return _leave(replace(state, failed=reason), reason.value)
        case Phase.ANSWER_TO_CONNECT, Answered():
            return replace(state, phase=Phase.TALK, answered=True), (Connect(),)
        case ((Phase.ANSWER_TO_CONNECT | Phase.TALK), PeerGone()):
            return _leave(state, "talked")
        case _, Answered():
            return replace(state, answered=True), ()  # asked for in a step that is over
    return state, ()


def _answer(state: State, phase: Phase) -> Result:
    """Ask for A's answer, once, and wait for it in `phase`."""
    asked = () if state.answering else (Answer(),)
    return replace(state, phase=phase, answering=True), asked


def _next(state: State) -> Result:
    """Enter the step after this one, or end the flow."""
    state = replace(state, index=state.index + 1)
    if state.index == len(state.flow.steps):
        # A caller who was never answered hears what became of the last transfer.
        unheard = None if state.answered else state.failed
        return _finish(state, unheard or Reason.FLOW_ENDED)
    entered = Enter(state.step.id, state.step.action)
    if (missing := _unsupported(state.step)) is not None:
        after, effects = _finish(state, Reason.NOT_SUPPORTED_YET, f"step {state.step.id}: {missing}")
    elif state.step.action in ("play", "pause") and not state.answered:
        after, effects = _answer(state, Phase.ANSWER)
    else:
        after, effects = _work(state)
    return after, (entered, *effects)


def _work(state: State) -> Result:
    match state.step.options:
        case TransferOptions(destination=destination, mask=mask, ring_timeout=ring_timeout):
            return replace(state, phase=Phase.DIAL, failed=None), (Dial(destination, mask, ring_timeout),)
        case PlayOptions(urls=urls):
            return replace(state, phase=Phase.PLAY), (Play(urls),)
        case PauseOptions(length=length):
            return replace(state, phase=Phase.SLEEP), (Sleep(length),)
    return _finish(state, Reason.FLOW_ENDED)  # hangup


def _leave(state: State, outcome: str) -> Result:
    after, effects = _next(state)
    return after, (Leave(state.step.id, outcome), *effects)


def _finish(state: State, reason: Reason, detail: str = "") -> Result:
    return replace(state, phase=Phase.OVER), (Finish(reason, detail),)


_RUNS = frozenset({"transfer", "play", "pause", "hangup"})


def _unsupported(step: Step) -> str | None:
    """Name the action or option of a step that is not run yet."""
    if step.action not in _RUNS:
        return f"action {step.action}"
    for name in ("conditions", "on_keypress_goto", "on_keypress_var", "end_key", "max_num_keys"):
        if getattr(step, name):
            return f"option {_CAMEL[name]}"
    if isinstance(step.options, TransferOptions):
        for name in ("record", "if_machine", "machine_timeout"):
            if getattr(step.options, name) is not None:
                return f"option {_CAMEL[name]} of transfer"
    return None


_CAMEL = {
    "conditions": "conditions",
    "on_keypress_goto": "onKeypressGoto",
    "on_keypress_var": "onKeypressVar",
    "end_key": "endKey",
    "max_num_keys": "maxNumKeys",
    "record": "record",
    "if_machine": "ifMachine",
    "machine_timeout": "machineTimeout",
}
