"""The interpreter as a table of stories: inputs in, effects out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callwright.flows.effects import (
    Answer,
    Answered,
    Begin,
    Connect,
    Dial,
    Effect,
    Enter,
    Expired,
    Finish,
    Input,
    Leave,
    PeerAnswered,
    PeerFailed,
    PeerGone,
    Play,
    PlayEnded,
    Start,
    Timer,
)
from callwright.flows.interpreter import Phase, State, step
from callwright.flows.schema import compile_flow
from callwright.reasons import Reason

TRANSFER = {"id": "t", "action": "transfer", "options": {"destination": "31205550199"}}
PLAY = {"id": "p", "action": "play", "options": {"media": "http://sounds.test/a.wav"}}
PAUSE = {"id": "w", "action": "pause", "options": {"length": 2}}
HANGUP = {"id": "h", "action": "hangup"}
DIAL = Dial("31205550199", False, None)


def tell(steps: list[dict[str, Any]], inputs: list[Input]) -> list[Effect]:
    state = State(compile_flow({"steps": steps}))
    done: list[Effect] = []
    for happened in inputs:
        state, effects = step(state, happened)
        done += effects
    return done


@pytest.mark.parametrize(
    ("steps", "inputs", "effects"),
    [
        # transfer first: the answer is deferred until B answers
        (
            [TRANSFER],
            [Begin(False), PeerAnswered(), Answered(), PeerGone()],
            [Enter("t", "transfer"), DIAL, Answer(), Connect(), Leave("t", "talked"), Finish(Reason.FLOW_ENDED)],
        ),
        # an answered caller is connected at once
        (
            [TRANSFER],
            [Begin(True), PeerAnswered(), PeerGone()],
            [Enter("t", "transfer"), DIAL, Connect(), Leave("t", "talked"), Finish(Reason.FLOW_ENDED)],
        ),
        # a caller who was never answered hears what became of the last transfer
        (
            [TRANSFER],
            [Begin(False), PeerFailed(Reason.BUSY)],
            [Enter("t", "transfer"), DIAL, Leave("t", "busy"), Finish(Reason.BUSY)],
        ),
        # one who was answered is hung up on
        (
            [TRANSFER],
            [Begin(True), PeerFailed(Reason.BUSY)],
            [Enter("t", "transfer"), DIAL, Leave("t", "busy"), Finish(Reason.FLOW_ENDED)],
        ),
        # B goes away while A is being answered: that is asked for once
        (
            [TRANSFER, PAUSE],
            [Begin(False), PeerAnswered(), PeerGone()],
            [
                Enter("t", "transfer"),
                DIAL,
                Answer(),
                Leave("t", "talked"),
                Enter("w", "pause"),
            ],
        ),
        # sound needs an answer first
        (
            [PLAY, PAUSE],
            [Begin(False), Answered(), PlayEnded(), Expired(Timer.PAUSE)],
            [
                Enter("p", "play"),
                Answer(),
                Play(("http://sounds.test/a.wav",)),
                Leave("p", "played"),
                Enter("w", "pause"),
                Start(Timer.PAUSE, 2.0),
                Leave("w", "paused"),
                Finish(Reason.FLOW_ENDED),
            ],
        ),
        (
            [PLAY, PAUSE],
            [Begin(True), PlayEnded("HTTP 404")],
            [
                Enter("p", "play"),
                Play(("http://sounds.test/a.wav",)),
                Leave("p", "failed", "HTTP 404"),
                Finish(Reason.MEDIA_UNAVAILABLE, "HTTP 404"),
            ],
        ),
        ([HANGUP, PLAY], [Begin(False)], [Enter("h", "hangup"), Finish(Reason.FLOW_ENDED)]),
        # a hangup step after a failed transfer is a decision of its own
        (
            [TRANSFER, HANGUP],
            [Begin(False), PeerFailed(Reason.BUSY)],
            [Enter("t", "transfer"), DIAL, Leave("t", "busy"), Enter("h", "hangup"), Finish(Reason.FLOW_ENDED)],
        ),
    ],
)
def test_stories(steps: list[dict[str, Any]], inputs: list[Input], effects: list[Effect]) -> None:
    assert tell(steps, inputs) == effects


anything = st.one_of(
    st.builds(Begin, st.booleans()),
    st.builds(PlayEnded, st.sampled_from(["", "fault"])),
    st.builds(PeerFailed, st.sampled_from([Reason.BUSY, Reason.NO_ROUTE])),
    st.sampled_from([Answered(), Expired(Timer.PAUSE), PeerAnswered(), PeerGone()]),
)


@given(st.lists(st.sampled_from([TRANSFER, PLAY, PAUSE, HANGUP]), min_size=1, max_size=5), st.lists(anything, max_size=30))
def test_no_order_of_inputs_confuses_it(steps: list[dict[str, Any]], inputs: list[Input]) -> None:
    """It finishes at most once, asks for nothing afterwards, and always knows what it waits for."""
    state = State(compile_flow({"steps": [{**one, "id": str(n)} for n, one in enumerate(steps)]}))
    effects: list[Effect] = []
    for happened in inputs:
        state, more = step(state, happened)
        effects += more
        if state.phase in (Phase.DIAL, Phase.TALK, Phase.ANSWER_TO_CONNECT):
            assert state.step.action == "transfer"
    finishes = [index for index, effect in enumerate(effects) if isinstance(effect, Finish)]
    assert finishes in ([], [len(effects) - 1])
    assert (state.phase is Phase.OVER) == bool(finishes)
