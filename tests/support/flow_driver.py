"""Whoever runs a flow, reduced to what it owes: it remembers which effects must be answered, and holds the flow to its words.

Every effect is checked as it comes: nothing is said while something is being said, only what runs is stopped, nobody is
recorded, spoken to or connected who is not there, and a step that is left leaves nothing running.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from callwright.flows import effects as fx
from callwright.flows.effects import Effect, Input, Party, Timer
from callwright.flows.interpreter import Phase, State, step
from callwright.flows.schema import Flow, compile_flow
from callwright.flows.settings import FlowSettings
from callwright.reasons import Reason

RECORDING = UUID(int=7)


def told(steps: list[dict[str, Any]], inputs: list[Input], settings: FlowSettings | None = None, **flow: Any) -> list[Effect]:
    """The effects of a whole story."""
    driver = Driver(compile_flow({"steps": steps, **flow}), settings)
    return [effect for happened in inputs for effect in driver.feed(happened)]


class Driver:
    def __init__(self, flow: Flow, settings: FlowSettings | None = None) -> None:
        self.state = State(flow, settings or FlowSettings())
        self.over = False
        self.answered = False
        self.owes_answer = False
        self.playing = False
        self.timers: set[Timer] = set()
        self.recording = False
        self.call_recorded = False
        self.sending = False
        self.fetching = False
        self.judging: Party | None = None
        self.peer = ""  # dialled, answered, connected
        self.open = ""  # the step that was entered and not left

    def feed(self, happened: Input) -> tuple[Effect, ...]:
        self._happens(happened)
        self.state, effects = step(self.state, happened)
        for effect in effects:
            assert not self.over, f"{effect} after the end"
            self._carry_out(effect)
        assert self.over == (self.state.phase is Phase.OVER)
        assert self.over or self.owed(), f"nothing will ever move {self.state.phase}"
        return effects

    def owed(self) -> list[Input]:
        """What must come sooner or later, as it comes when all goes well."""
        if self.state.phase is Phase.BEGIN:
            return [fx.Begin(False)]
        inputs: list[Input] = [fx.Expired(timer) for timer in sorted(self.timers, key=str)]
        if self.owes_answer:
            inputs.append(fx.Answered())
        if self.playing:
            inputs.append(fx.PlayEnded())
        if self.recording:
            inputs.append(fx.Recorded(RECORDING, "silence"))
        if self.sending:
            inputs.append(fx.KeysSent())
        if self.fetching:
            inputs.append(fx.FetchFailed("HTTP 500"))
        if self.judging is not None:
            inputs.append(fx.Judged(fx.Verdict.HUMAN, self.judging))
        if self.peer:
            inputs.append(fx.PeerAnswered() if self.peer == "dialled" else fx.PeerGone())
        return inputs

    def may_happen(self, happened: Input) -> bool:
        """Whether it can come now, from someone who keeps to the words."""
        match happened:
            case fx.Begin():
                return self.state.phase is Phase.BEGIN
            case fx.PeerFailed():
                return self.peer == "dialled"
            case fx.FlowFetched():
                return self.fetching
            case fx.Judged(party=party):
                return party is self.judging
            case fx.Key():
                return self.answered
            case fx.Replace():
                return not self.over
            case fx.Expired():
                return happened in self.owed()
        return any(type(one) is type(happened) for one in self.owed())

    def _happens(self, happened: Input) -> None:
        match happened:
            case fx.Begin(answered=answered):
                self.answered = answered
            case fx.Answered():
                self.answered, self.owes_answer = True, False
            case fx.PlayEnded():
                self.playing = False
            case fx.Expired(timer=timer):
                self.timers.discard(timer)
            case fx.KeysSent():
                self.sending = False
            case fx.Recorded():
                self.recording = False
            case fx.FlowFetched() | fx.FetchFailed():
                self.fetching = False
            case fx.Judged():
                self.judging = None
            case fx.PeerAnswered():
                self.peer = "answered"
            case fx.PeerFailed() | fx.PeerGone():
                self._peer_is_gone()
            case fx.Replace():
                self.fetching = self.sending = False

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case fx.Answer():
                assert not self.answered
                assert not self.owes_answer
                self.owes_answer = True
            case fx.Say() | fx.Play():
                assert self.answered
                assert not self.playing
                self.playing = True
            case fx.StopPlay():
                assert self.playing
                self.playing = False
            case fx.Start(timer=timer, seconds=seconds):
                assert seconds >= 0
                assert timer is Timer.KEYS or timer not in self.timers
                self.timers.add(timer)
            case fx.Cancel(timer=timer):
                self.timers.remove(timer)
            case fx.Record():
                assert self.answered
                assert not self.recording
                self.recording = True
            case fx.StopRecord():
                assert self.recording
                self.recording = False
            case fx.RecordCall():
                assert self.answered
                assert not self.call_recorded
                self.call_recorded = True
            case fx.SendKeys():
                assert self.answered
                assert not self.sending
                self.sending = True
            case fx.Fetch() | fx.PostRecording():
                assert not self.fetching
                self.fetching = True
            case fx.Judge(party=party):
                assert party is not self.judging
                assert self.answered if party is Party.A else self.peer == "answered"
                self.judging = party  # in the place of another
            case _:
                self._carry_out_of_peer(effect)

    def _carry_out_of_peer(self, effect: Effect) -> None:
        match effect:
            case fx.Dial():
                assert not self.peer
                self.peer = "dialled"
            case fx.Connect():
                assert self.answered
                assert self.peer == "answered"
                assert self.judging is not Party.B
                self.peer = "connected"
            case fx.DropPeer():
                assert self.peer
                self._peer_is_gone()
            case fx.Enter(step=step_id):
                assert not self.open
                self.open = step_id
            case fx.Leave(step=step_id):
                assert self.open == step_id
                self.open = ""
                assert not (self.playing)
                assert not (self.timers)
                assert not (self.recording)
                assert not (self.sending)
                assert not (self.fetching)
                assert not (self.peer)
            case fx.Finish(reason=reason):
                assert isinstance(reason, Reason)
                self.over = True

    def _peer_is_gone(self) -> None:
        self.peer = ""
        if self.judging is Party.B:
            self.judging = None
