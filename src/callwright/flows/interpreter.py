"""The interpreter: pure, so that the same code runs a live call, a flow test and a replay.

``step(state, input)`` returns the next state and what is to be done (`callwright.flows.effects`). It knows no engine, no
record and no clock; whoever runs it carries the effects out and feeds back what became of them.
"""

from __future__ import annotations

from msgspec.structs import replace

from callwright.flows import keys
from callwright.flows.effects import (
    Answered,
    Begin,
    Cancel,
    Connect,
    DropPeer,
    Effect,
    Expired,
    FetchFailed,
    FlowFetched,
    Input,
    Judge,
    Judged,
    Key,
    KeysSent,
    Leave,
    Party,
    PeerAnswered,
    PeerFailed,
    PeerGone,
    PlayEnded,
    Recorded,
    Replace,
    StopPlay,
    StopRecord,
    Timer,
    Verdict,
)
from callwright.flows.model import Flow, SayOptions, TransferOptions
from callwright.flows.moves import fail, record_call, run, then
from callwright.flows.state import Ending, Phase, Result, State, answer, finish
from callwright.flows.steps import work
from callwright.reasons import Reason

__all__ = ["Phase", "State", "step"]

_WITH_PEER = (Phase.DIAL, Phase.JUDGE_PEER, Phase.ANSWER_TO_CONNECT, Phase.TALK)
# How what is being done is left when another flow takes its place.
_LEFT: dict[Phase, tuple[Effect, ...]] = {
    Phase.PLAY: (StopPlay(),),
    Phase.PAUSE: (Cancel(Timer.PAUSE),),
    Phase.RECORD: (StopRecord(),),
    **{phase: (DropPeer(Reason.FLOW_REPLACED),) for phase in _WITH_PEER},
}


def step(state: State, happened: Input) -> Result:
    """Move a flow on. An input that the phase does not wait for changes nothing, or only what is remembered."""
    match state.phase, happened:
        case Phase.OVER, Replace(flow=flow, url=url):
            return run(replace(state, ending=None, failed=None), flow, url)
        case Phase.OVER, _:
            return state, ()
        case Phase.BEGIN, Begin(answered=answered):
            return run(replace(state, answered=answered, placed=answered), state.flow, state.url)
        case Phase.BEGIN, Replace(flow=flow, url=url):
            return replace(state, flow=flow, url=url), ()
        case _, Replace(flow=flow, url=url):
            return _replaced(state, flow, url)
        case _, Answered():
            return _answered(state)
        case _, Key(key=key):
            return keys.pressed(state, key)
        case _, Expired(timer=Timer.KEYS):
            return keys.expired(state)
        case Phase.JUDGE_PEER, Judged(verdict=verdict, party=(Party.B | None)):
            return _peer_judged(state, verdict)
        case _, Judged(verdict=verdict, party=(Party.A | None)):
            return _judged(state, verdict)
        case Phase.FETCH, FlowFetched(flow=flow, url=url):
            return then(_left(state, "fetched"), run(replace(state, ending=None), flow, url))
        case Phase.FETCH, FetchFailed(fault=fault, fallback=fallback):
            return _not_fetched(state, fault, fallback)
    return _work_over(state, happened)


def _work_over(state: State, happened: Input) -> Result:
    """What the step at hand waits for has come."""
    match state.phase, happened:
        case Phase.PLAY, PlayEnded(fault=""):
            return keys.over(state, "played")
        case Phase.PLAY, PlayEnded(fault=fault):
            said = isinstance(state.step.options, SayOptions)
            return fail(state, Reason.SPEECH_UNAVAILABLE if said else Reason.MEDIA_UNAVAILABLE, fault)
        case Phase.PAUSE, Expired(timer=Timer.PAUSE):
            return keys.over(state, "paused")
        case Phase.RECORD, Recorded():
            return keys.recorded(state, happened)
        case Phase.SEND_KEYS, KeysSent():
            return keys.over(state, "sent")
        case Phase.DIAL, PeerAnswered():
            return _peer_answered(state)
        case Phase.DIAL, PeerFailed(reason=reason):
            return keys.over(replace(state, failed=reason), reason.value)
        case Phase.JUDGE_PEER, PeerGone():
            return keys.over(state, "left")
        case ((Phase.ANSWER_TO_CONNECT | Phase.TALK), PeerGone()):
            return keys.over(state, "talked")
    return state, ()


def _answered(state: State) -> Result:
    state, recording = record_call(replace(state, answered=True))
    match state.phase:
        case Phase.ANSWER:
            return then(recording, work(state))
        case Phase.ANSWER_TO_CONNECT:
            return then(recording, _connect(state))
    return state, recording  # asked for in a step that is over


def _judged(state: State, verdict: Verdict) -> Result:
    """Remembered once; whoever pressed a key in the meantime is known already."""
    state = replace(state, judging=False, verdict=state.verdict or verdict)
    return work(state) if state.phase is Phase.JUDGE else (state, ())


def _peer_answered(state: State) -> Result:
    options = state.step.options
    assert isinstance(options, TransferOptions)
    if options.if_machine not in ("delay", "hangup"):
        return _connect(state)
    timeout = options.machine_timeout or state.settings.machine_timeout
    return replace(state, phase=Phase.JUDGE_PEER, judging=False), (Judge(Party.B, options.if_machine == "delay", timeout),)


def _peer_judged(state: State, verdict: Verdict) -> Result:
    options = state.step.options
    assert isinstance(options, TransferOptions)
    if verdict is not Verdict.MACHINE or options.if_machine != "hangup":
        return _connect(state)
    dropped = (DropPeer(Reason.MACHINE),)
    return then(dropped, keys.over(replace(state, failed=Reason.MACHINE), Reason.MACHINE.value))


def _connect(state: State) -> Result:
    if not state.answered:
        return answer(state, Phase.ANSWER_TO_CONNECT)
    return replace(state, phase=Phase.TALK), (Connect(),)


def _not_fetched(state: State, fault: str, fallback: Flow | None) -> Result:
    """Let callers hear what the operator has for this; whatever it does, the call ends for the fault.

    A fallback that fetches, in vain, is none. Nor is there one for a caller who was not answered, unless the operator wants
    it: who is refused may be led elsewhere by the network.
    """
    left = _left(state, "failed", fault)
    heard = state.answering or state.answered or state.settings.fallback_answers
    if fallback is None or state.ending is not None or not heard:
        return then(left, finish(state, Reason.FLOW_UNAVAILABLE, fault))
    return then(left, run(replace(state, ending=Ending(Reason.FLOW_UNAVAILABLE, fault)), fallback))


def _replaced(state: State, flow: Flow, url: str) -> Result:
    stopped = _LEFT.get(state.phase, ())
    if state.keys is not None:
        stopped = (*stopped, Cancel(Timer.KEYS))
    left = (*stopped, *_left(state, "replaced"))
    return then(left, run(replace(state, ending=None, failed=None), flow, url))


def _left(state: State, outcome: str, detail: str = "") -> tuple[Effect, ...]:
    """A step that waits for the answer to its recording has been left already."""
    if state.phase is Phase.FETCH and state.step.action == "record":
        return ()
    return (Leave(state.step.id, outcome, detail),)
