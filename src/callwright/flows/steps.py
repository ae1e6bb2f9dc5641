"""What each step begins with: its work, as effects, and the phase that waits for it."""

from __future__ import annotations

from uuid import UUID

from msgspec.structs import replace

from callwright.flows.effects import (
    Dial,
    Fetch,
    Judge,
    Leave,
    Party,
    Play,
    PostRecording,
    Record,
    Say,
    SendKeys,
    Start,
    Timer,
    Verdict,
)
from callwright.flows.model import (
    FetchCallFlowOptions,
    PauseOptions,
    PlayOptions,
    RecordOptions,
    SayOptions,
    SendKeysOptions,
    TransferOptions,
    seconds_of,
    stop_keys_of,
)
from callwright.flows.state import Phase, Result, State, answer, finish, hang_up
from callwright.reasons import Reason

# These need A on the line. A transfer defers the answer to B's, and what a fetched flow begins with is not known yet.
ANSWERS_FIRST = frozenset({"say", "play", "pause", "record", "sendKeys"})


def begin(state: State) -> Result:
    """Begin the step at hand; A is answered first if the step needs it."""
    if state.step.action in ANSWERS_FIRST and not state.answered:
        return answer(state, Phase.ANSWER)
    return work(state)


def work(state: State) -> Result:
    match state.step.options:
        case SayOptions() as say:
            return _say(state, say)
        case PlayOptions(urls=urls):
            return replace(state, phase=Phase.PLAY), (Play(urls, state.step.hears_keys),)
        case PauseOptions(length=length):
            return replace(state, phase=Phase.PAUSE), (Start(Timer.PAUSE, length),)
        case RecordOptions() as record:
            return _record(state, record)
        case TransferOptions() as transfer:
            dial = Dial(transfer.destination, transfer.mask, transfer.ring_timeout, transfer.record)
            return replace(state, phase=Phase.DIAL, failed=None), (dial,)
        case FetchCallFlowOptions(url=url):
            return _fetch(state, Fetch(url, state.variables, state.url))
        case SendKeysOptions(keys=keys, duration=duration, interval=interval):
            pressed = keys.upper().replace("W", "w").replace(" ", "")
            return replace(state, phase=Phase.SEND_KEYS), (SendKeys(pressed, duration, interval),)
    return hang_up(state)


def _say(state: State, say: SayOptions) -> Result:
    """Find out who is there first, if that is wanted of a call we placed and not known yet."""
    mode = say.if_machine or state.settings.if_machine
    if state.placed and mode != "continue":
        if state.verdict is None:
            timeout = say.machine_timeout or state.settings.machine_timeout
            asked = () if state.judging else (Judge(Party.A, mode == "delay", timeout),)
            return replace(state, phase=Phase.JUDGE, judging=True), asked
        if state.verdict is Verdict.MACHINE and mode == "hangup":
            after, effects = finish(state, Reason.MACHINE)
            return after, (Leave(state.step.id, Reason.MACHINE.value), *effects)
    speak = Say(
        text=say.payload,
        language=say.language or state.settings.language,
        gender=(say.voice or state.settings.voice).lower(),
        repeat=say.repeat,
        stop_on_key=state.step.hears_keys,
    )
    return replace(state, phase=Phase.PLAY), (speak,)


def _record(state: State, record: RecordOptions) -> Result:
    longest = min(filter(None, (seconds_of(record.max_length), state.settings.longest_recording)), default=None)
    wanted = Record(
        max_length=longest,
        silence=seconds_of(record.timeout),
        stop_keys=stop_keys_of(record.finish_on_key),
        beep=record.beep is not False,
        transcribe=(record.transcribe_language or state.settings.transcribe_language) if record.transcribe else None,
    )
    return replace(state, phase=Phase.RECORD), (wanted,)


def tell_of_recording(state: State, url: str, recording: UUID) -> Result:
    return _fetch(state, PostRecording(url, recording, state.variables, state.url))


def last_words(state: State, recording: UUID) -> PostRecording | None:
    """Whom to tell of a recording that ended with its party: the flow is over, and the answer changes nothing."""
    options = state.step.options if state.index >= 0 else None
    if not isinstance(options, RecordOptions) or options.on_finish is None:
        return None
    return PostRecording(options.on_finish, recording, state.variables, state.url)


def untold(state: State) -> UUID | None:
    """A recording that is over, and of which nobody has been told yet, as its step waits for keys."""
    return state.recorded.recording if state.phase is Phase.KEYS and state.recorded is not None else None


def _fetch(state: State, asked: Fetch | PostRecording) -> Result:
    """Ask for the flow that replaces this one, but not for ever."""
    if state.fetches >= state.settings.fetches:
        return finish(state, Reason.FLOW_LOOP, f"more than {state.settings.fetches} flows were fetched")
    return replace(state, phase=Phase.FETCH, fetches=state.fetches + 1), (asked,)
