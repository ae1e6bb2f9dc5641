"""Keys that A presses while a step listens for them (contract §2.3.1).

The first one stops a sound or a pause. They are collected until the step's `end_key`, which is not kept, until there are
`max_num_keys`, or until none follows in time; then they are stored, and the flow goes to `on_keypress_goto` or on.
"""

from __future__ import annotations

from msgspec.structs import replace

from callwright.flows.effects import (
    Cancel,
    DropPeer,
    Effect,
    Leave,
    Recorded,
    Start,
    StopPlay,
    StopRecord,
    Store,
    Timer,
    Verdict,
)
from callwright.flows.model import KEYS, MAX_DIGITS, RecordOptions, Step, stop_keys_of
from callwright.flows.moves import jump, leave, then
from callwright.flows.state import Phase, Result, State
from callwright.flows.steps import tell_of_recording
from callwright.reasons import Reason

MAX_VARIABLES = 256

# Phases of a step that listens; in the others nobody is there, or what comes next is being fetched.
_LISTENS = frozenset(
    {
        Phase.JUDGE,
        Phase.PLAY,
        Phase.PAUSE,
        Phase.RECORD,
        Phase.SEND_KEYS,
        Phase.KEYS,
        Phase.DIAL,
        Phase.JUDGE_PEER,
        Phase.TALK,
    }
)
# What the first key stops; other work goes on until there are enough of them.
_STOPPED: dict[Phase, tuple[Effect, ...]] = {
    Phase.JUDGE: (),
    Phase.PLAY: (StopPlay(),),
    Phase.PAUSE: (Cancel(Timer.PAUSE),),
}


def pressed(state: State, key: str) -> Result:
    """A key; it means nothing to a step that does not listen, or has had its keys."""
    key = key.upper()
    if not state.answered or not state.step.hears_keys or state.phase not in _LISTENS or state.pressed or key not in KEYS:
        return state, ()
    effects = list(_STOPPED.get(state.phase, ()))
    if state.phase is Phase.JUDGE:
        state = replace(state, verdict=Verdict.HUMAN)  # machines press no keys
    if state.phase in _STOPPED:
        state = replace(state, phase=Phase.KEYS)
    before, end_key = state.keys, (state.step.end_key or "").upper()
    so_far = (before or "") + ("" if key == end_key else key)
    state = replace(state, keys=so_far)
    if key != end_key and len(so_far) < _most(state.step):
        return state, (*effects, Start(Timer.KEYS, state.settings.key_timeout))
    if before is not None:
        effects.append(Cancel(Timer.KEYS))
    return then(tuple(effects), _complete(state, key))


def expired(state: State) -> Result:
    """No further key came in time."""
    return (state, ()) if state.keys is None else _complete(state, "")


def over(state: State, outcome: str, detail: str = "") -> Result:
    """The step's own work is over: keys that are being collected are waited for, those that were decide."""
    if state.keys is not None:
        return replace(state, phase=Phase.KEYS), ()
    if state.pressed:
        return jump(state, outcome, detail)
    return leave(state, outcome, detail)


def recorded(state: State, end: Recorded) -> Result:
    """A recording is over by itself, or by one of its own keys; if anyone wants to be told, that decides what follows."""
    outcome, detail = ("failed", end.fault) if end.fault else ("recorded", end.outcome)
    options = state.step.options
    if not isinstance(options, RecordOptions) or options.on_finish is None:
        return over(state, outcome, detail)
    if state.keys is not None:
        return replace(state, phase=Phase.KEYS, recorded=end), ()
    return then((Leave(state.step.id, outcome, detail),), tell_of_recording(state, options.on_finish, end.recording))


def _complete(state: State, last: str) -> Result:
    """All keys are there; `last` is the one that completed them, if one did. What is still done is stopped or waited for."""
    state, stored = _stored(state)
    state = replace(state, keys=None, pressed=True)
    ended: tuple[Effect, ...] = ()
    match state.phase, state.step.options:
        case Phase.SEND_KEYS, _:
            return state, stored
        case Phase.KEYS, _ if state.recorded is not None:
            return then(stored, recorded(state, state.recorded))
        case Phase.RECORD, RecordOptions(finish_on_key=finish_on_key, on_finish=on_finish):
            by_itself = on_finish is not None and state.step.on_keypress_goto is None
            if by_itself or (last and last in stop_keys_of(finish_on_key)):
                return state, stored
            ended = (StopRecord(),)
        case ((Phase.DIAL | Phase.JUDGE_PEER | Phase.TALK), _):
            ended = (DropPeer(Reason.LEFT_BY_KEY),)
    return then((*stored, *ended), jump(state, "keys"))


def _most(step: Step) -> int:
    if step.max_num_keys is not None:
        return min(step.max_num_keys, MAX_DIGITS)
    return MAX_DIGITS if step.end_key else 1


def _stored(state: State) -> tuple[State, tuple[Effect, ...]]:
    """Keep the keys in the step's variable; of variables there is an end too."""
    name, keys = state.step.on_keypress_var, state.keys or ""
    if name is None or (name not in state.variables and len(state.variables) >= MAX_VARIABLES):
        return state, ()
    return replace(state, variables={**state.variables, name: keys}), (Store(name, keys),)
