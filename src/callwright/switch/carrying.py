"""What the flow wants, carried out: each effect becomes commands, timers and lines of the journal."""

from __future__ import annotations

from typing import NamedTuple

from callwright import telephony
from callwright.calls import journal
from callwright.flows import effects
from callwright.switch.conversation import Conversation
from callwright.switch.dialling import Dialler
from callwright.switch.listening import Listener
from callwright.switch.live import LiveCall
from callwright.switch.nextflow import NextFlow
from callwright.switch.recording import Recorder
from callwright.switch.speaking import Prompter
from callwright.switch.transfer import Transfer

# Timers of the flow, by the name they run under here.
FLOW_TIMER = "flow "
# These are done with A, which cannot be on hold then.
_NEEDS_A = (effects.Say, effects.Play, effects.Record, effects.SendKeys, effects.Judge, effects.Dial)


class Concerns(NamedTuple):
    """The concerns of one live call that a flow has to do with."""

    conversation: Conversation
    prompter: Prompter
    recorder: Recorder
    listener: Listener
    dialler: Dialler
    next_flow: NextFlow
    transfer: Transfer


def concerns_of(call: LiveCall) -> Concerns:
    conversation = Conversation(call)
    recorder = Recorder(call)
    listener = Listener(call)
    return Concerns(
        conversation=conversation,
        prompter=Prompter(call),
        recorder=recorder,
        listener=listener,
        dialler=Dialler(call),
        next_flow=NextFlow(call, recorder),
        transfer=Transfer(call, conversation, recorder, listener),
    )


def carry_out(call: LiveCall, its: Concerns, effect: effects.Effect) -> None:
    """Carry out any effect but `Finish`."""
    if isinstance(effect, _NEEDS_A) and its.conversation.is_held(call.a):
        its.conversation.leave(call.a)
    match effect:
        case effects.Answer():
            call.record.intend_answer(call.a, call.at_us)
            call.command(telephony.Answer, call.a)
        case effects.Start(timer=timer, seconds=seconds):
            call.start_timer(f"{FLOW_TIMER}{timer.value}", seconds)
        case effects.Cancel(timer=timer):
            call.cancel_timer(f"{FLOW_TIMER}{timer.value}")
        case effects.SendKeys():
            its.dialler.press(effect)
        case effects.Fetch():
            its.next_flow.fetch(effect)
        case effects.PostRecording():
            its.next_flow.post(effect)
        case effects.Judge(party=party):
            its.listener.judge(effect, call.a if party is effects.Party.A else its.transfer.b)
        case effects.Dial():
            its.transfer.dial(effect)
        case effects.Connect():
            its.transfer.connect()
        case effects.DropPeer(reason=reason):
            its.transfer.drop(reason)
        case effects.Say() | effects.Play() | effects.StopPlay() | effects.Record() | effects.StopRecord():
            _sound(call, its, effect)
        case effects.RecordCall():
            its.recorder.record_call()
        case _:
            _write_down(call, effect)


def _sound(call: LiveCall, its: Concerns, effect: effects.Effect) -> None:
    match effect:
        case effects.Say():
            its.conversation.quiet(call.a)
            its.prompter.say(effect)
        case effects.Play():
            its.conversation.quiet(call.a)
            its.prompter.play(effect)
        case effects.StopPlay():
            its.prompter.stop()
        case effects.Record():
            its.conversation.quiet(call.a)
            its.recorder.record(effect)
        case effects.StopRecord():
            its.recorder.stop_step()


def _write_down(call: LiveCall, effect: effects.Effect) -> None:
    match effect:
        case effects.Enter(step=step, action=action):
            call.note(journal.StepStarted(step=step, action=action))
        case effects.Leave(step=step, outcome=outcome, detail=detail):
            call.note(journal.StepEnded(step=step, outcome=outcome, detail=detail))
        case effects.Skip(step=step, detail=detail):
            call.note(journal.StepSkipped(step=step, detail=detail))
        case effects.Label(change=change, left_out=left_out):
            call.record.label_as_far_as_fits(change, call.at_us, left_out=left_out)
        case effects.Store(variable=variable, value=value):
            call.note(journal.VariableSet(variable=variable, value=value))
        case _:
            raise AssertionError(f"nothing carries out {type(effect).__name__}")
