"""What keeps a flow from being saved, and what is only said about it."""

from __future__ import annotations

from typing import Any

import pytest

from callwright import ids
from callwright.clock import SystemClock
from callwright.errors import Invalid, Missing, Problem
from callwright.flows.check import Abilities, check, said
from callwright.flows.flows import Flows
from callwright.flows.schema import Flow, compile_flow
from callwright.flows.settings import FlowSettings
from callwright.store import Store
from callwright.telephony.speech import Utterance

SAY = {"id": "s", "action": "say", "options": {"payload": "Hello."}}
PLAY = {"id": "p", "action": "play", "options": {"media": "https://sounds.test/a.wav"}}
HANGUP = {"id": "h", "action": "hangup"}
FETCH = {"id": "f", "action": "fetchCallFlow", "options": {"url": "https://flows.test/"}}
TOLD = {"id": "r", "action": "record", "options": {"onFinish": "https://flows.test/"}}
IF_ONE = {"conditions": [{"variable": "x", "operator": "==", "value": "1"}]}
ASK = {**PLAY, "id": "ask", "onKeypressVar": "x"}


def transfer(destination: str = "31205550199", **options: Any) -> dict[str, Any]:
    return {"id": "t", "action": "transfer", "options": {"destination": destination, **options}}


def record(**options: Any) -> dict[str, Any]:
    return {"id": "r", "action": "record", "options": options}


def errors(*steps: dict[str, Any], abilities: Abilities | None = None) -> list[tuple[str, str, str]]:
    return [(one.step, one.parameter, one.sentence) for one in check({"steps": list(steps)}, abilities).errors]


def warnings(*steps: dict[str, Any], **head: Any) -> list[tuple[str, str, str]]:
    report = check({"steps": list(steps), **head})
    assert not report.errors
    return [(one.step, one.parameter, one.sentence) for one in report.findings]


EARLIER = "it is empty unless an earlier flow of the call did."


@pytest.mark.parametrize(
    "steps",
    [
        # the contract's own example: what a hangup separates, a key joins
        [{**ASK, "onKeypressGoto": "sales"}, HANGUP, {**transfer(), **IF_ONE, "id": "sales"}],
        # a hangup that may be left out
        [ASK, {**HANGUP, **IF_ONE}, PLAY],
        # steps of one that is reached by a key reach others
        [{**SAY, "onKeypressGoto": "a"}, HANGUP, {**PLAY, "id": "a"}, {**PLAY, "id": "b"}],
        # a loop that waits for a key
        [{**PLAY, "id": "a", "onKeypressGoto": "b"}, {**PLAY, "id": "b", "onKeypressGoto": "a"}],
        [FETCH],
        [transfer("+31 (20) 555-0199"), transfer("0031205550199") | {"id": "u"}, transfer("tel:+31205550199") | {"id": "v"}],
        [record(transcribe=True, transcribeLanguage="nl-NL")],
    ],
)
def test_nothing_is_said_about_what_is_right(steps: list[dict[str, Any]]) -> None:
    assert check({"steps": steps}).findings == ()


HOMELESS = "{!r} has no host, and only a flow that was fetched has a URL to put before it; give the whole URL."
NEVER = "it is never reached: step 'h' hangs up, and no key leads here."
IGNORED = "it is ignored: the flow that step {!r} fetches takes its place."


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([HANGUP, SAY], [("s", "steps[1]", f"Step 's': {NEVER}")]),
        ([HANGUP, SAY, PLAY], [("s", "steps[1]", f"Step 's': {NEVER}"), ("p", "steps[2]", f"Step 'p': {NEVER}")]),
        # a key of a step that is itself not reached leads nowhere, and a hangup hears none
        (
            [HANGUP, {**PLAY, "onKeypressGoto": "s"}, SAY],
            [("p", "steps[1]", f"Step 'p': {NEVER}"), ("s", "steps[2]", f"Step 's': {NEVER}")],
        ),
        ([{**HANGUP, "onKeypressGoto": "s"}, SAY], [("s", "steps[1]", f"Step 's': {NEVER}")]),
        (
            [transfer("desk")],
            [
                (
                    "t",
                    "steps[0].options.destination",
                    "Step 't': 'desk' is neither a number of 3 to 15 digits nor a URI such as sip:user@host.",
                )
            ],
        ),
        (
            [record(transcribe=True)],
            [("r", "steps[0].options.transcribeLanguage", "Step 'r': transcribe needs transcribeLanguage, such as en-US.")],
        ),
        (
            [record(onFinish="/done"), {**FETCH, "options": {"url": "?step=2"}}],
            [
                ("r", "steps[0].options.onFinish", f"Step 'r': {HOMELESS.format('/done')}"),
                ("f", "steps[1].options.url", f"Step 'f': {HOMELESS.format('?step=2')}"),
            ],
        ),
    ],
)
def test_what_keeps_a_flow_from_being_saved(steps: list[dict[str, Any]], found: list[tuple[str, str, str]]) -> None:
    assert errors(*steps) == found


def test_urls_that_can_never_be_requested() -> None:
    media = ["https://a.test/a.wav", "http://10.0.0.1/b.wav", "file:bell"]
    steps = [
        {**PLAY, "options": {"media": media}},
        record(onFinish="http://10.0.0.1/done"),
        {**FETCH, "options": {"url": "http://10.0.0.1/next"}},
    ]
    asked: list[str] = []

    def reaches(url: str) -> str | None:
        asked.append(url)
        return "it is private" if "//10." in url else None

    report = check({"steps": steps}, Abilities(reaches=reaches))
    assert [(one.step, one.parameter, one.sentence) for one in report.errors] == [
        ("p", "steps[0].options.media", "Step 'p': 'http://10.0.0.1/b.wav' cannot be used: it is private."),
        ("r", "steps[1].options.onFinish", "Step 'r': 'http://10.0.0.1/done' cannot be used: it is private."),
        ("f", "steps[2].options.url", "Step 'f': 'http://10.0.0.1/next' cannot be used: it is private."),
    ]
    assert len(asked) == 4  # the operator's own sound is no URL
    assert check({"steps": [record(onFinish="/done")]}, Abilities(reaches=reaches), fetched=True).findings == ()


@pytest.mark.parametrize("step", [record(onFinish="/done"), {**FETCH, "options": {"url": "../next?a=1"}}])
def test_a_flow_that_was_fetched_may_name_paths(step: dict[str, Any]) -> None:
    assert check({"steps": [step]}, fetched=True).findings == ()


@pytest.mark.parametrize(
    "destination", ["", "12", "1234567890123456789", "sip:host", "sips:a@b", "sip:a b@c", "client:", "http://a/", "x" * 300]
)
def test_destinations_that_nobody_can_dial(destination: str) -> None:
    assert [one[:2] for one in errors(transfer(destination))] == [("t", "steps[0].options.destination")]


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = errors(
        {"id": "a", "action": "dance"},
        {"id": "b", "action": "say", "options": {"payload": "x", "repeat": 11}},
        {"id": "c", "action": "play", "options": {"media": "file:a.wav"}, "onKeypressGoto": "nowhere"},
        {"id": "d", "action": "record", "options": {"finishOnKey": "x"}},
        {"id": "e", "action": "play", "options": {"media": "file:a.wav"}, "endKey": "##"},
        {"id": "e", "action": "hangup"},
    )
    assert [(step, parameter) for step, parameter, _ in found] == [
        ("a", "steps[0].action"),
        ("b", "steps[1].options.repeat"),
        ("d", "steps[3].options.finishOnKey"),
        ("e", "steps[4].endKey"),
        ("c", "steps[2].onKeypressGoto"),
        ("e", "steps[5].id"),
    ]
    assert all(sentence.startswith(f"Step {step!r}: ") or "Two steps" in sentence for step, _, sentence in found)


def test_texts_that_no_voice_can_say() -> None:
    asked: list[Utterance] = []

    def speaks(utterance: Utterance) -> str | None:
        asked.append(utterance)
        return "no voice speaks ko-KR; install one" if utterance.language == "ko-KR" else None

    korean = {"id": "k", "action": "say", "options": {"payload": "Annyeong.", "language": "ko-KR", "voice": "Male"}}
    abilities = Abilities(speaks=speaks, settings=FlowSettings(language="nl-NL", voice="male"))
    assert errors(SAY, korean, abilities=abilities) == [
        ("k", "steps[1].options.payload", "Step 'k': no voice speaks ko-KR; install one")
    ]
    assert asked == [Utterance("Hello.", "nl-NL", "male"), Utterance("Annyeong.", "ko-KR", "male")]
    assert asked == [utterance for _, utterance in said(compile_flow({"steps": [SAY, korean]}), abilities.settings)]


def test_languages_that_nobody_writes_down() -> None:
    abilities = Abilities(writes_down=lambda language: None if language == "en-UK" else f"{language} is no language")
    assert errors(record(transcribe=True, transcribeLanguage="en-UK"), abilities=abilities) == []
    assert errors(record(transcribe=True, transcribeLanguage="tlh"), abilities=abilities) == [
        ("r", "steps[0].options.transcribeLanguage", "Step 'r': tlh is no language")
    ]
    assert errors(record(transcribeLanguage="tlh"), abilities=abilities) == []


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        # one of the vendor's libraries says that such steps are ignored; so they are saved
        ([FETCH, SAY], [("s", "steps[1]", IGNORED.format("f"))]),
        ([TOLD, SAY], [("s", "steps[1]", IGNORED.format("r"))]),
        (
            [ASK],
            [("ask", "steps[0].onKeypressVar", "no condition reads 'x', no tag step writes it, and no fetch tells of it.")],
        ),
        ([{**PLAY, "onKeypressVar": "x"}, {"id": "t", "action": "tag", "options": {"metadata": {"choice": "{{ x }}"}}}], []),
        (
            [
                {
                    "id": "t",
                    "action": "tag",
                    "options": {"tags": "vip, menu-{{x}}", "metadata": {"choice": "{{y}}"}},
                    "endKey": "#",
                }
            ],
            [
                ("t", "steps[0].endKey", "tag waits for no keys; ignored: endKey."),
                ("t", "steps[0].options.tags", f"no step of this flow sets 'x'; {EARLIER}"),
                ("t", "steps[0].options.metadata.choice", f"no step of this flow sets 'y'; {EARLIER}"),
            ],
        ),
        (
            [{**PLAY, "endKey": "#", "maxNumKeys": 4}],
            [("p", "steps[0].endKey", "keys end this step and are forgotten; onKeypressVar would keep them.")],
        ),
        (
            [{**HANGUP, "onKeypressGoto": "h", "endKey": "#"}],
            [("h", "steps[0].onKeypressGoto", "hangup waits for no keys; ignored: onKeypressGoto, endKey.")],
        ),
        (
            [{**PLAY, **IF_ONE}],
            [
                (
                    "p",
                    "steps[0].conditions[0].variable",
                    "no step of this flow sets 'x'; it is empty unless an earlier flow of the call did.",
                )
            ],
        ),
        (
            [{**SAY, "options": {"payload": "Hello.", "voice": "robot"}}],
            [("s", "steps[0].options.voice", "voice is male or female; another is ignored.")],
        ),
        (
            [{**PLAY, "options": {"media": ["https://sounds.test/a", "https://sounds.test/?file=a.MP3"]}}],
            [
                (
                    "p",
                    "steps[0].options.media",
                    "'https://sounds.test/a' does not say that it is a sound; a name that ends in .wav or .mp3 would.",
                )
            ],
        ),
        (
            [transfer("client:anna")],
            [("t", "steps[0].options.destination", "client: addresses cannot be reached here; the transfer will fail.")],
        ),
        (
            [transfer("sip:desk@pbx.test", mask=True)],
            [("t", "steps[0].options.mask", "a sip: destination may know callers by more than the number that mask shows.")],
        ),
        (
            [transfer(ifMachine="machine1")],
            [("t", "steps[0].options.ifMachine", "ifMachine is continue, delay or hangup; another is ignored.")],
        ),
        (
            [transfer(machineTimeout=2_000)],
            [("t", "steps[0].options.machineTimeout", "machineTimeout does nothing unless ifMachine is delay or hangup.")],
        ),
        (
            [record(transcribeLanguage="en-US")],
            [("r", "steps[0].options.transcribeLanguage", "transcribeLanguage does nothing unless transcribe is true.")],
        ),
        (
            [{**HANGUP, "colour": "red", "options": {"length": 1, "payload": "x", "token": "y", "endKey": "#"}}],
            [
                ("h", "steps[0]", "a step has no colour; it is ignored."),
                ("h", "steps[0].options", "hangup has no option length, payload; it is ignored."),
                ("h", "steps[0].endKey", "hangup waits for no keys; ignored: endKey."),
            ],
        ),
    ],
)
def test_what_is_only_said(steps: list[dict[str, Any]], found: list[tuple[str, str, str]]) -> None:
    assert warnings(*steps) == [(step, place, f"Step {step!r}: {sentence}") for step, place, sentence in found]


def test_a_title_is_deprecated() -> None:
    assert warnings(HANGUP, title="Desk") == [
        ("", "title", "title is deprecated: it is kept and returned, and newer client libraries do not know it.")
    ]


def test_no_flow_makes_calls_longer_than_the_server_lets_them_be() -> None:
    told = "maxDuration does nothing: no call is longer than 14400 seconds (setting calls.max_duration) here."
    assert warnings(HANGUP, maxDuration=28_800) == [("", "maxDuration", told)]
    assert warnings(HANGUP, maxDuration=14_400) == []
    allowed = Abilities(settings=FlowSettings(longest_call=28_800))
    assert check({"steps": [HANGUP], "maxDuration": 28_800}, allowed).findings == ()


def test_so_many_steps_and_no_more() -> None:
    def steps(count: int) -> dict[str, Any]:
        return {"steps": [{"action": "pause", "options": {"length": 0}} for _ in range(count)]}

    assert len(compile_flow(steps(500)).steps) == 500
    with pytest.raises(Invalid, match="may have 500 steps; it has 501"):
        compile_flow(steps(501))


def test_a_hundred_steps_that_jump_in_circles_pass_and_end() -> None:
    """Each jump waits for a key; what a caller who presses without end comes to is the interpreter's affair."""
    steps = [{"id": str(n), **PLAY, "onKeypressGoto": str((n * 7 + 1) % 100)} for n in range(100)]
    assert check({"steps": [{**step, "id": str(n)} for n, step in enumerate(steps)]}).findings == ()


# What the vendor's own libraries and guides send.
JAVA_OPTIONS = {
    "destination": "123",
    "payload": "Test payload Update",
    "language": "en-US",
    "voice": "female",
    "repeat": 5,
    "media": "test.wav",
    "length": 10,
    "maxLength": 20,
    "timeout": 30,
    "finishOnKey": "#",
    "transcribe": True,
    "transcribeLanguage": "en-US",
    "record": "in",
    "url": "http://www.",
    "ifMachine": "machine1",
    "machineTimeout": 2000,
    "onFinish": "http://www.",
    "mask": False,
}
FROM_CLIENTS: dict[str, list[dict[str, Any]]] = {
    "java": [{"id": "a8e44a38-b935-482f-b17f-ed3472c6292c", "action": "transfer", "options": JAVA_OPTIONS}],
    "go": [
        {"action": "say", "options": {"payload": "Hello", "voice": "male", "language": "en-US"}},
        {"action": "pause", "options": {"length": 1}},
        {
            "id": "3",
            "action": "record",
            "options": {
                "maxLength": 10_000_000_000,
                "timeout": 5_000_000_000,
                "finishOnKey": "#",
                "transcribe": True,
                "transcribeLanguage": "en-US",
            },
        },
    ],
    "ruby": [{"action": "transfer", "options": {"destination": "31612345678"}}],
    "survey": [
        {"action": "say", "options": {"payload": "Welcome.", "voice": "male", "language": "en-US"}},
        {"action": "record", "options": {"finishOnKey": "any", "timeout": 10, "onFinish": "https://survey.test/callStep"}},
    ],
    "fetch": [{"action": "fetchCallFlow", "options": {"url": "https://flows.test/"}}, {"action": "hangup"}],
}


@pytest.mark.parametrize("client", FROM_CLIENTS)
async def test_what_the_vendors_libraries_send_is_saved(client: str) -> None:
    saved: list[Flow] = []
    flows = Flows(Store.in_memory(), SystemClock(), saved=saved.append)
    made = await flows.make(ids.uuid7(1), {"title": "the-title", "steps": FROM_CLIENTS[client]})
    assert saved == [made.compiled()]


async def test_a_flow_with_errors_is_neither_saved_nor_replaced() -> None:
    saved: list[Flow] = []
    flows = Flows(Store.in_memory(), SystemClock(), saved=saved.append)
    world = ids.uuid7(1)
    made = await flows.make(world, {"steps": [HANGUP]})
    with pytest.raises(Invalid) as caught:
        await flows.make(world, {"steps": [HANGUP, SAY]})
    with pytest.raises(Missing):
        await flows.replace(world, made.id, {"steps": [record(transcribe=True)]})
    problem: Problem = caught.value
    assert (problem.http, problem.parameter, problem.message) == (422, "steps[1]", f"Step 's': {NEVER}")
    assert [flow.id for flow in flows.page(world, limit=9, offset=0).flows] == [made.id]
    assert len(saved) == 1
