"""The interpreter as tables of stories: inputs in, effects out. Every step without keys; those are a table of their own."""

from __future__ import annotations

from typing import Any

import pytest

from callwright.calls.labels import Relabelling
from callwright.flows.effects import (
    Answer,
    Answered,
    Begin,
    Connect,
    Dial,
    DropPeer,
    Effect,
    Enter,
    Expired,
    Finish,
    Input,
    Judge,
    Judged,
    Key,
    KeysSent,
    Label,
    Leave,
    Party,
    PeerAnswered,
    PeerFailed,
    PeerGone,
    Play,
    PlayEnded,
    Record,
    RecordCall,
    Recorded,
    Say,
    SendKeys,
    Skip,
    Start,
    Timer,
    Verdict,
)
from callwright.flows.model import MAX_STEPS
from callwright.flows.settings import FlowSettings
from callwright.reasons import Reason
from support.flow_driver import RECORDING, told

TRANSFER = {"id": "t", "action": "transfer", "options": {"destination": "31205550199"}}
PLAY = {"id": "p", "action": "play", "options": {"media": "http://sounds.test/a.wav"}}
PAUSE = {"id": "w", "action": "pause", "options": {"length": 2}}
SAY = {"id": "s", "action": "say", "options": {"payload": "Hello."}}
RECORD = {"id": "r", "action": "record"}
HANGUP = {"id": "h", "action": "hangup"}
DIAL = Dial("31205550199", False, None)
PLAYED = Play(("http://sounds.test/a.wav",))
SAID = Say("Hello.", "en-GB", "female")
TO_PAUSE = Start(Timer.PAUSE, 2.0)
PAUSED = Expired(Timer.PAUSE)
ENDED = Finish(Reason.FLOW_ENDED)
HUNG_UP = Finish(Reason.FLOW_ENDED, everybody=True)


def say(**options: Any) -> dict[str, Any]:
    return {**SAY, "options": {"payload": "Hello.", **options}}


def record(**options: Any) -> dict[str, Any]:
    return {**RECORD, "options": options}


def transfer(**options: Any) -> dict[str, Any]:
    return {**TRANSFER, "options": {"destination": "31205550199", **options}}


@pytest.mark.parametrize(
    ("steps", "inputs", "effects"),
    [
        # transfer first: the answer is deferred until B answers
        (
            [TRANSFER],
            [Begin(False), PeerAnswered(), Answered(), PeerGone()],
            [Enter("t", "transfer"), DIAL, Answer(), Connect(), Leave("t", "talked"), ENDED],
        ),
        # an answered caller is connected at once
        (
            [TRANSFER],
            [Begin(True), PeerAnswered(), PeerGone()],
            [Enter("t", "transfer"), DIAL, Connect(), Leave("t", "talked"), ENDED],
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
            [Enter("t", "transfer"), DIAL, Leave("t", "busy"), ENDED],
        ),
        # B goes away while A is being answered: that is asked for once
        (
            [TRANSFER, PAUSE],
            [Begin(False), PeerAnswered(), PeerGone(), Answered()],
            [Enter("t", "transfer"), DIAL, Answer(), Leave("t", "talked"), Enter("w", "pause"), TO_PAUSE],
        ),
        # a hangup step after a failed transfer is a decision of its own
        (
            [TRANSFER, HANGUP],
            [Begin(False), PeerFailed(Reason.BUSY)],
            [Enter("t", "transfer"), DIAL, Leave("t", "busy"), Enter("h", "hangup"), HUNG_UP],
        ),
        ([HANGUP, PLAY], [Begin(False)], [Enter("h", "hangup"), HUNG_UP]),
        # sound needs an answer first
        (
            [PLAY, PAUSE],
            [Begin(False), Answered(), PlayEnded(), PAUSED],
            [
                Enter("p", "play"),
                Answer(),
                PLAYED,
                Leave("p", "played"),
                Enter("w", "pause"),
                TO_PAUSE,
                Leave("w", "paused"),
                ENDED,
            ],
        ),
        # what cannot be heard ends the call
        (
            [PLAY, PAUSE],
            [Begin(True), PlayEnded("HTTP 404")],
            [
                Enter("p", "play"),
                PLAYED,
                Leave("p", "failed", "HTTP 404"),
                Finish(Reason.MEDIA_UNAVAILABLE, "HTTP 404"),
            ],
        ),
        (
            [SAY, PAUSE],
            [Begin(False), Answered(), PlayEnded("no voice for xx-XX")],
            [
                Enter("s", "say"),
                Answer(),
                SAID,
                Leave("s", "failed", "no voice for xx-XX"),
                Finish(Reason.SPEECH_UNAVAILABLE, "no voice for xx-XX"),
            ],
        ),
        # several media are one effect, and a pause of no length is one too
        (
            [{**PLAY, "options": {"media": ["file:a.wav", "https://sounds.test/b.mp3"]}}],
            [Begin(True), PlayEnded()],
            [Enter("p", "play"), Play(("file:a.wav", "https://sounds.test/b.mp3")), Leave("p", "played"), ENDED],
        ),
        (
            [{**PAUSE, "options": {"length": 0}}],
            [Begin(True), PAUSED],
            [Enter("w", "pause"), Start(Timer.PAUSE, 0.0), Leave("w", "paused"), ENDED],
        ),
        # all that say may say
        (
            [say(language="nl-NL", voice="Male", repeat="3")],
            [Begin(False), Answered(), PlayEnded()],
            [Enter("s", "say"), Answer(), Say("Hello.", "nl-NL", "male", 3), Leave("s", "played"), ENDED],
        ),
        (
            [{"id": "k", "action": "sendKeys", "options": {"keys": "1W2, d#", "duration": 150, "interval": 80}}],
            [Begin(False), Answered(), KeysSent()],
            [Enter("k", "sendKeys"), Answer(), SendKeys("1w2,D#", 150, 80), Leave("k", "sent"), ENDED],
        ),
    ],
)
def test_stories(steps: list[dict[str, Any]], inputs: list[Input], effects: list[Effect]) -> None:
    assert told(steps, inputs) == effects


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        (RECORD, Record(3_600.0, None, "", True)),
        (record(maxLength=0, timeout=0, finishOnKey="none"), Record(3_600.0, None, "", True)),
        (record(maxLength=10, timeout=3, beep=False), Record(10.0, 3.0, "", False)),
        # one of the vendor's libraries counts in nanoseconds
        (record(maxLength=10_000_000_000, timeout=1_500_000_000), Record(10.0, 1.5, "", True)),
        (record(maxLength=7_200), Record(3_600.0, None, "", True)),
        (record(finishOnKey="#"), Record(3_600.0, None, "#", True)),
        (record(finishOnKey="Any"), Record(3_600.0, None, "#*0123456789ABCD", True)),
        (record(finishOnKey="1"), Record(3_600.0, None, "1", True)),
        (record(transcribe=True), Record(3_600.0, None, "", True, "en-US")),
        (record(transcribe=True, transcribeLanguage="nl-NL"), Record(3_600.0, None, "", True, "nl-NL")),
        (record(transcribeLanguage="nl-NL"), Record(3_600.0, None, "", True)),
    ],
)
def test_recordings(step: dict[str, Any], wanted: Record) -> None:
    assert told([step], [Begin(False), Answered(), Recorded(RECORDING, "silence")]) == [
        Enter("r", "record"),
        Answer(),
        wanted,
        Leave("r", "recorded", "silence"),
        ENDED,
    ]


def test_a_recording_may_have_no_limit_at_all() -> None:
    effects = told([RECORD], [Begin(True)], FlowSettings(longest_recording=0))
    assert effects[1:] == [Record(None, None, "", True)]


def test_a_recording_that_failed_does_not_end_the_call() -> None:
    assert told([RECORD, HANGUP], [Begin(True), Recorded(RECORDING, "failed", "disk full")])[2:] == [
        Leave("r", "failed", "disk full"),
        Enter("h", "hangup"),
        HUNG_UP,
    ]


def test_the_whole_call_is_recorded_once_the_caller_is_there() -> None:
    assert told([TRANSFER], [Begin(False), PeerAnswered(), Answered()], record=True) == [
        Enter("t", "transfer"),
        DIAL,
        Answer(),
        RecordCall(),
        Connect(),
    ]
    assert told([SAY], [Begin(True)], FlowSettings(if_machine="continue"), record=True) == [
        RecordCall(),
        Enter("s", "say"),
        SAID,
    ]


def test_what_a_transfer_may_say() -> None:
    wanted = transfer(mask=True, record="both", ringTimeout=30)
    assert told([wanted], [Begin(False)])[1:] == [Dial("31205550199", True, 30, "both")]


WAITS = Judge(Party.A, True, 7_000)


@pytest.mark.parametrize(
    ("steps", "placed", "verdicts", "effects"),
    [
        # a call we placed asks before the first words, also when the step does not say so
        ([SAY], True, [Verdict.HUMAN], [Enter("s", "say"), WAITS, SAID]),
        ([say(ifMachine="delay", machineTimeout=400)], True, [], [Enter("s", "say"), Judge(Party.A, True, 400)]),
        ([say(ifMachine="continue")], True, [], [Enter("s", "say"), SAID]),
        # with delay a machine is spoken to once it can be
        ([SAY], True, [Verdict.MACHINE], [Enter("s", "say"), WAITS, SAID]),
        (
            [say(ifMachine="hangup")],
            True,
            [Verdict.MACHINE],
            [Enter("s", "say"), Judge(Party.A, False, 7_000), Leave("s", "machine"), Finish(Reason.MACHINE)],
        ),
        # only a machine is hung up on
        *(
            ([say(ifMachine="hangup")], True, [verdict], [Enter("s", "say"), Judge(Party.A, False, 7_000), SAID])
            for verdict in (Verdict.HUMAN, Verdict.SILENCE, Verdict.UNSURE)
        ),
        # nobody asks who it was that called
        ([say(ifMachine="hangup")], False, [], [Enter("s", "say"), SAID]),
    ],
)
def test_who_answered(steps: list[dict[str, Any]], placed: bool, verdicts: list[Verdict], effects: list[Effect]) -> None:
    inputs: list[Input] = [Begin(True)] if placed else [Begin(False), Answered()]
    got = told(steps, [*inputs, *(Judged(verdict, Party.A) for verdict in verdicts)])
    assert [effect for effect in got if effect != Answer()] == effects


def test_who_answered_is_asked_once_and_remembered() -> None:
    steps = [SAY, {**say(ifMachine="hangup"), "id": "again"}]
    assert told(steps, [Begin(True), Judged(Verdict.MACHINE), PlayEnded()]) == [
        Enter("s", "say"),
        WAITS,
        SAID,
        Leave("s", "played"),
        Enter("again", "say"),
        Leave("again", "machine"),
        Finish(Reason.MACHINE),
    ]


@pytest.mark.parametrize(
    ("mode", "verdict", "effects"),
    [
        ("delay", Verdict.MACHINE, [Judge(Party.B, True, 7_000), Connect()]),
        ("hangup", Verdict.HUMAN, [Judge(Party.B, False, 7_000), Connect()]),
        (
            "hangup",
            Verdict.MACHINE,
            [Judge(Party.B, False, 7_000), DropPeer(Reason.MACHINE), Leave("t", "machine"), Enter("w", "pause"), TO_PAUSE],
        ),
    ],
)
def test_who_answered_a_transfer(mode: str, verdict: Verdict, effects: list[Effect]) -> None:
    steps = [transfer(ifMachine=mode), PAUSE]
    assert told(steps, [Begin(True), PeerAnswered(), Judged(verdict, Party.B)])[2:] == effects


def test_a_transfer_asks_only_when_it_says_so_itself() -> None:
    for step in (TRANSFER, transfer(ifMachine="continue")):
        assert told([step], [Begin(True), PeerAnswered()])[2:] == [Connect()]


def test_a_caller_who_was_not_answered_learns_that_it_was_a_machine() -> None:
    got = told([transfer(ifMachine="hangup")], [Begin(False), PeerAnswered(), Judged(Verdict.MACHINE)])
    assert got[2:] == [
        Judge(Party.B, False, 7_000),
        DropPeer(Reason.MACHINE),
        Leave("t", "machine"),
        Finish(Reason.MACHINE),
    ]


def test_a_party_that_leaves_while_it_is_judged() -> None:
    got = told([transfer(ifMachine="delay"), PAUSE], [Begin(True), PeerAnswered(), PeerGone(), Judged(Verdict.HUMAN, Party.B)])
    assert got[3:] == [Leave("t", "left"), Enter("w", "pause"), TO_PAUSE]


def test_steps_whose_conditions_do_not_hold_are_left_out() -> None:
    unmet = {"conditions": [{"variable": "x", "operator": "==", "value": "1"}]}
    met = {"conditions": [{"variable": "x", "operator": "==", "value": ""}]}
    assert told([{**PLAY, **unmet}, {**TRANSFER, **unmet}, {**PAUSE, **met}, {**HANGUP, **unmet}], [Begin(True), PAUSED]) == [
        Skip("p", "x == 1"),
        Skip("t", "x == 1"),
        Enter("w", "pause"),
        TO_PAUSE,
        Leave("w", "paused"),
        Skip("h", "x == 1"),
        ENDED,
    ]


def test_keys_mean_nothing_to_a_step_that_does_not_listen() -> None:
    assert told([PLAY], [Begin(True), Key("1"), PlayEnded()]) == [
        Enter("p", "play"),
        PLAYED,
        Leave("p", "played"),
        ENDED,
    ]


# tag: what it writes, and that it takes no time


def tagging(options: dict[str, Any], keys: str = "") -> list[Effect]:
    """What a tag step writes after so many keys went into `x`."""
    first = {"id": "k", "action": "pause", "options": {"length": 1}, "onKeypressVar": "x", "maxNumKeys": len(keys) or 1}
    steps = [first, {"id": "t", "action": "tag", "options": options}]
    inputs: list[Input] = [Begin(True), *(Key(key) for key in keys)] if keys else [Begin(True), PAUSED]
    effects = told(steps, inputs)
    assert effects[-4] == Enter("t", "tag")
    assert effects[-1] == ENDED
    return effects[-3:-1]


@pytest.mark.parametrize(
    ("options", "keys", "change"),
    [
        ({"tags": ["vip", "new"]}, "", Relabelling(added=("vip", "new"))),
        ({"tags": "vip , new", "remove": "old"}, "", Relabelling(added=("vip", "new"), removed=("old",))),
        ({"metadata": {"a": "b", "c": None}}, "", Relabelling(metadata={"a": "b", "c": None})),
        (
            {"tags": "menu-{{x}}", "remove": ["asked-{{ x }}"], "metadata": {"pin": "{{x}}/{{x}}"}},
            "12#",
            Relabelling(added=("menu-12#",), removed=("asked-12#",), metadata={"pin": "12#/12#"}),
        ),
        # a variable that nobody set is empty, and so is what it alone makes up
        (
            {"tags": "{{x}},{{y}}-", "metadata": {"pin": "{{x}}", "who": "-{{y}}"}},
            "",
            Relabelling(added=("-",), metadata={"who": "-"}),
        ),
        # what is not a name in braces is a text
        ({"tags": ["{{}}", "{x}", "{{x"]}, "7", Relabelling(added=("{{}}", "{x}", "{{x"))),
        # variables can make two of them the same
        ({"tags": ["7", "{{x}}"], "remove": ["7{{y}}", "8"]}, "7", Relabelling(added=("7",), removed=("8",))),
    ],
)
def test_a_tag_step_writes_what_variables_hold(options: dict[str, Any], keys: str, change: Relabelling) -> None:
    assert tagging(options, keys) == [Label(change), Leave("t", "tagged")]


def test_what_becomes_too_long_is_left_out_and_the_step_says_so() -> None:
    long = {"tags": ["ok", "{{x}}-{{x}}"], "metadata": {"a": "{{x}}" * 10, "b": "{{x}}"}}
    wrote, left = tagging(long, "1" * 64)
    reasons = (
        "tag {{x}}-{{x}} must have 1 to 64 characters; it has 129",
        "metadata a must have 1 to 500 characters; it has 640",
    )
    assert wrote == Label(Relabelling(added=("ok",), metadata={"b": "1" * 64}), reasons)
    assert left == Leave("t", "tagged", "; ".join(reasons))


def test_a_tag_step_answers_nobody_and_listens_to_nobody() -> None:
    tag = {"id": "g", "action": "tag", "options": {"tags": ["x"]}, "onKeypressGoto": "t"}
    assert told([tag, TRANSFER, HANGUP], [Begin(False)])[-2:] == [Enter("t", "transfer"), DIAL]
    effects = told([TRANSFER, tag], [Begin(False), PeerFailed(Reason.BUSY)])
    assert effects[-1] == Finish(Reason.BUSY), "the caller is refused as the transfer was"


def test_as_many_tag_steps_as_a_flow_may_have_run_at_once() -> None:
    steps = [{"id": f"t{n}", "action": "tag", "options": {"tags": [f"t{n}"]}} for n in range(MAX_STEPS)]
    effects = told(steps, [Begin(True)])
    assert [effect.change.added for effect in effects if isinstance(effect, Label)] == [(f"t{n}",) for n in range(MAX_STEPS)]
    assert effects[-1] == ENDED
