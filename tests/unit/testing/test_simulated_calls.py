"""Calls as the fixture ``simulated_call`` has them: whole, and step by step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callwright.errors import Problem, SettingsError
from callwright.testing import Act, Party, Reply, Request, SimulatedCalls, SoundReply
from callwright.testing.calls import CallIsOver, Leg

AGENT = "31612345678"


def say(text: str, **step: Any) -> dict[str, Any]:
    return {"action": "say", "options": {"payload": text, "language": "en-GB", "voice": "female"}, **step}


def pause(seconds: int, **step: Any) -> dict[str, Any]:
    return {"action": "pause", "options": {"length": seconds}, **step}


KEY = {"onKeypressVar": "choice", "maxNumKeys": 1}
MENU = [
    say("Press one for sales.", id="ask", **KEY),
    pause(5, id="wait", **KEY),
    {
        "action": "transfer",
        "options": {"destination": AGENT},
        "conditions": [{"variable": "choice", "operator": "==", "value": "1"}],
    },
    say("Goodbye."),
]


@pytest.fixture
def simulated_call() -> Iterator[SimulatedCalls]:
    calls = SimulatedCalls()
    yield calls
    calls.close()


def test_a_caller_hears_a_menu_presses_a_key_and_talks(simulated_call: SimulatedCalls) -> None:
    agent = Party(answer_after=2, acts=(Act(at=30, hangs_up=True),))
    call = simulated_call(MENU, caller="31600000007", hears={"press one": "1"}, callees={AGENT: agent})
    assert (call.status, call.reason, call.pressed, call.variables) == ("ended", "flow_ended", "1", {"choice": "1"})
    assert call.said == ["Press one for sales.", "Goodbye."]
    assert call.told == ["callCreated starting", "callUpdated ongoing", *call.told[2:-1], "callUpdated ended"]
    assert call.legs[0] == Leg("incoming", "31600000007", "31205550100", "hangup", "flow_ended", 200, 33.88)
    assert call.legs[1][:4] == ("outgoing", "31600000007", AGENT, "hangup")


def test_somebody_is_called_who_does_not_answer(simulated_call: SimulatedCalls) -> None:
    call = simulated_call(
        [say("Hello.")], to=AGENT, number="31205550123", answers="busy", tags=["vip"], metadata={"order": "7"}
    )
    assert (call.status, call.said, call.tags, call.metadata) == ("busy", [], ["vip"], {"order": "7"})
    assert [(leg.source, leg.destination, leg.status, leg.sip_code) for leg in call.legs] == [
        ("31205550123", AGENT, "busy", 486)
    ]
    assert simulated_call([say("Hello.")], to=AGENT, answers="no_response").status == "failed"


def test_keys_and_words_have_times_of_their_own(simulated_call: SimulatedCalls) -> None:
    record = {"action": "record", "options": {"timeout": 2}}
    call = simulated_call([record], says="my name is Alice", hangs_up=60)
    assert [one.heard for one in call.recordings] == ["my name is Alice"]
    assert simulated_call([record], says={0.5: "one", 2.0: "two"}).recordings[0].heard == "one two"
    assert simulated_call(MENU, keys="2").heard() == ["Press one for sales.", "Goodbye."]


def test_on_hearing_something_one_presses_says_or_does(simulated_call: SimulatedCalls) -> None:
    steps = [say("Your name?"), {"action": "record", "options": {"timeout": 2}}, say("Stay."), pause(30)]
    call = simulated_call(steps, hears={"your name": "Alice", "Stay": Act(after=3, hangs_up=True)})
    assert call.recordings[0].heard == "Alice"
    assert call.reason == "caller_hangup"
    again = [say("Again?", id="ask"), pause(1), say("Again?"), pause(1)]
    assert simulated_call(again, hears={"Again": ["1", Act(press="2")]}).pressed == "12"
    unheard = simulated_call([say("Again?")], hears={"Press two": "2", "Again": "1"})
    assert unheard.notes == ['Leg 1 waits for the end of "Press two", which it never heard: it did not press 2.']


def test_a_flow_is_read_from_its_file(simulated_call: SimulatedCalls, tmp_path: Path) -> None:
    (tmp_path / "flow.json").write_text(json.dumps({"steps": [say("From a file.")]}))
    assert simulated_call(tmp_path / "flow.json").said == ["From a file."]
    assert simulated_call(str(tmp_path / "flow.json")).said == ["From a file."]


def test_web_services_are_a_script_or_a_function(simulated_call: SimulatedCalls) -> None:
    asked: list[Request] = []

    def shop(request: Request) -> object:
        asked.append(request)
        return [say(f"You called {request.query['destination']}.")]

    fetch = {"action": "fetchCallFlow", "options": {"url": "https://shop.example/calls/next?shop=3"}}
    call = simulated_call([fetch], web={"https://shop.example": shop})
    assert call.said == ["You called 31205550100."]
    assert (asked[0].method, asked[0].query["shop"], call.fetches[0].status) == ("GET", "3", 200)
    assert {name.lower() for name, _ in asked[0].headers} >= {"messagebird-signature-jwt"}
    url = "https://shop.example/calls/next"
    assert simulated_call([fetch], web={url: [503, {"steps": [say("At last.")]}]}).said == ["At last."]
    assert simulated_call([fetch], web={url: [say("Steps.")]}).said == ["Steps."]
    assert simulated_call([fetch], web={url: Reply(fails="timeout")}).seconds > 4
    xml = '<?xml version="1.0"?><Flow><Say language="en-GB" voice="female">In XML.</Say></Flow>'
    assert simulated_call([fetch], web={url: lambda request: xml}).said == ["In XML."]


def test_the_service_with_the_longest_base_answers(simulated_call: SimulatedCalls) -> None:
    fetch = {"action": "fetchCallFlow", "options": {"url": "https://shop.example/calls/next"}}
    web = {f"https://shop.example{path}": lambda request, path=path: [say(path)] for path in ("", "/calls/", "/call")}
    assert simulated_call([fetch], web=web).said == ["/calls/"]
    call = simulated_call([fetch], web={"https://shop.example/call": lambda request: [say("Another.")]})
    assert call.fetches[0].fault == "https://shop.example/calls/next is not in the script: say what it answers"


def test_what_a_function_raises_fails_the_test_and_not_the_call(simulated_call: SimulatedCalls) -> None:
    def broken(request: Request) -> object:
        raise KeyError("stock")

    fetch = {"action": "fetchCallFlow", "options": {"url": "https://shop.example/next"}}
    with pytest.raises(KeyError, match="stock"):
        simulated_call([fetch], web={"https://shop.example/next": broken})
    with pytest.raises(TypeError, match="this is None"):
        simulated_call([fetch], web={"https://shop.example/next": lambda request: None})


def test_sounds_last_as_long_as_is_said_or_are_not_there(simulated_call: SimulatedCalls) -> None:
    play = [{"action": "play", "options": {"media": "https://shop.example/a.wav"}}]
    assert simulated_call(play, sounds={"https://shop.example/a.wav": 12.5}).seconds == 12.5
    assert simulated_call(play, sounds={"https://shop.example/a.wav": SoundReply(status=404)}).seconds == 0.0


def test_a_call_goes_on_step_by_step(simulated_call: SimulatedCalls) -> None:
    call = simulated_call.begin(MENU)
    assert (call.status, call.seconds, call.heard()) == ("ongoing", 0.0, ["Press one for sales."])
    assert call.wait_for("press ONE") == "Press one for sales."
    call.advance(1)
    call.press("1")
    assert call.variables == {"choice": "1"}
    call.advance(1.5)
    assert [leg.status for leg in call.legs] == ["ongoing", "ongoing"]
    assert call.outcome.pressed[0].at == pytest.approx(2.34)
    call.hang_up(leg=2)
    call.hang_up()
    assert call.over
    assert call.finish().reason == "caller_hangup"
    assert call.finish() is call


def test_words_that_are_never_said_tell_the_story(simulated_call: SimulatedCalls) -> None:
    call = simulated_call.begin([say("Hello."), pause(600)])
    with pytest.raises(AssertionError, match=r"'Goodbye' was not said to leg 1\.\n31600000001 to 31205550100: ongoing at"):
        call.wait_for("Goodbye", within=60)
    assert call.wait_for("Hello") == "Hello."
    with pytest.raises(AssertionError, match="was not said"):
        call.wait_for("Hello", within=1)  # that was found before


def test_a_call_that_is_over_takes_nothing_more(simulated_call: SimulatedCalls) -> None:
    call = simulated_call([say("Hello.")])
    with pytest.raises(CallIsOver, match="The call is over; nobody can do anything in it"):
        call.press("1")
    going_on = simulated_call.begin([pause(60)])
    with pytest.raises(CallIsOver, match="There is no leg 2 that is alive"):
        going_on.hang_up(leg=2)
    going_on.end()
    assert going_on.over


async def test_a_test_that_is_a_coroutine_has_calls_too(simulated_call: SimulatedCalls) -> None:
    call = simulated_call.begin(MENU)
    await asyncio.sleep(0)
    call.wait_for("press one")
    assert call.finish().status == "ended"


def test_the_story_of_a_call_has_a_line_for_each_thing(simulated_call: SimulatedCalls) -> None:
    call = simulated_call(MENU, keys="2", hears={"nothing": "1"})
    lines = call.story.splitlines()
    assert lines[0] == "31600000001 to 31205550100: ended (flow_ended) after 6.04 s"
    assert '     0.00  leg 1 hears "Press one for sales." (0.5 s, until a key was pressed)' in lines
    assert "     0.50  leg 1 pressed 2 for 100 ms, simulated" in lines
    assert '     5.50  leg 1 hears "Goodbye." (0.54 s)' in lines
    assert lines[-1].endswith("which it never heard: it did not press 1.")
    assert repr(call).startswith("<SimulatedCall 31600000001 to 31205550100: ended (flow_ended) after 6.04 s, said [")


def test_what_cannot_be_is_refused_in_a_sentence(simulated_call: SimulatedCalls) -> None:
    with pytest.raises(ValueError, match="give caller or to, not both"):
        simulated_call(MENU, caller="1", to="2")
    with pytest.raises(SettingsError, match="ring_timeouts"):
        simulated_call(MENU, settings={"calls.ring_timeouts": 5})
    with pytest.raises(Problem, match="action"):
        simulated_call([{"action": "sing"}])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"to": AGENT, "answers": "maybe"},
            "does one of answer, .*, no_response, or is a Party; this is 'maybe'",
        ),
        ({"callees": {AGENT: "engaged"}}, "does one of answer, busy, .*; this is 'engaged'"),
        ({"callees": {"Alice": "busy"}}, "'Alice' is neither a telephone number of 3 to 15 digits nor a URI"),
        ({"caller": 31600000007}, 'A number is a text, such as "31612345678"; this is 31600000007'),
        ({"callees": [AGENT]}, "callees is a dictionary, by the numbers or URLs it is about; this is"),
        ({"hears": "Press one"}, "hears has what is done by what is heard, .*; this is 'Press one'"),
        ({"acts": Act(at=1, press="1")}, "acts is a list, such as"),
        ({"says": 5}, "says is a text, or texts by their seconds"),
        ({"web": {"shop": 503}}, "web: 'shop' is no URL such as"),
        ({"deliver_to": [None]}, "deliver_to is a URL or an inbox, or a list of them; this is None"),
        ({"deliver_to": "nowhere"}, "deliver_to: 'nowhere' is no URL"),
        ({"settings": {"calls": {"ring_timeout": 5}}}, "settings has values by name, such as .*; this is"),
        ({"settings": {5: 5}}, "settings has values by name, such as .*; this is"),
        ({"to": "Alice"}, "'Alice' is neither a telephone number"),
        ({"keys": "1,2"}, "Keys are a text of 0-9, .*; this is '1,2'"),
        ({"hears": {"Press one": 1}}, "On hearing 'Press one' one presses or says a text, .*; this is 1"),
        ({"hears": {"": "1"}}, "neither is empty; this is '': '1'"),
        ({"hears": {"Press one": ""}}, "neither is empty; this is 'Press one': ''"),
        ({"hangs_up": -1}, r"Nobody can do this: acts\[0\]\.at: expected a number >= 0\.0\."),
        ({"acts": [Act(at=1, press="x")]}, "Nobody can do this: .*press"),
        ({"acts": [Act(press="1")]}, r"Nobody can do this: party\.acts\[1\]: it must say when: at .*, or hears"),
        ({"acts": [Act(at=1, press="1", says="one")]}, r"Nobody can do this: party\.acts\[1\]"),
        # what only a call that is placed has
        ({"answers": "busy"}, "are for a call that is placed: say to whom, with to"),
        ({"tags": ["vip"]}, "are for a call that is placed"),
        ({"web": {"https://shop.example/next?a=1": MENU}}, "without their query, such as 'https://shop.example/next'; this is"),
        ({"web": {"https://shop.example/next": 99}}, "No server answers like this: status: expected a whole number >= 200"),
        ({"web": {"https://shop.example/next": Reply(after=-1)}}, "No server answers like this: .*after"),
        ({"sounds": {"https://shop.example/a.wav": -1}}, "No sound is like this: .*seconds"),
    ],
)
def test_what_a_test_says_wrong_is_refused_before_the_call(
    given: dict[str, Any], sentence: str, simulated_call: SimulatedCalls
) -> None:
    with pytest.raises((ValueError, TypeError), match=sentence):
        simulated_call(MENU, **given)
    assert simulated_call.calls == []


def test_calls_are_made_before_anything_is_done_in_them(simulated_call: SimulatedCalls) -> None:
    with pytest.raises(AttributeError, match=r"simulated_call has no press: that is of a call, such as"):
        simulated_call.press("1")  # type: ignore[attr-defined]
    call = simulated_call.begin(MENU)
    with pytest.raises(TypeError, match="leave await out"):
        call.__await__()  # type: ignore[attr-defined]
    for wrongly in (lambda: call.advance(-1), lambda: call.wait_for(""), lambda: call.say("")):
        with pytest.raises(ValueError, match="; this is"):
            wrongly()


@pytest.mark.parametrize("flow", [None, 5, [5], b"{}"])
def test_what_is_no_flow_is_refused(flow: Any, simulated_call: SimulatedCalls) -> None:
    with pytest.raises(TypeError, match=r"A flow is a dictionary, a list of its steps, or the name of its file; this is"):
        simulated_call(flow)


def test_labels_are_looked_at_as_the_server_does(simulated_call: SimulatedCalls) -> None:
    with pytest.raises(Problem, match="tags must be an array of texts"):
        simulated_call(MENU, to=AGENT, tags="vip")
    with pytest.raises(Problem, match=r"metadata\.order must be a text"):
        simulated_call(MENU, to=AGENT, metadata={"order": 7})


def test_numbers_may_be_written_as_people_write_them(simulated_call: SimulatedCalls) -> None:
    steps = [{"action": "transfer", "options": {"destination": "+31 6 12345678"}}]
    call = simulated_call(steps, number="+31205550100", callees={"0031-612345678": "busy"})
    assert [(leg.destination, leg.status) for leg in call.legs] == [("31205550100", "busy"), (AGENT, "busy")]
    assert simulated_call(MENU, to="+31612345678", answers="busy").legs[0].destination == AGENT


def test_keys_that_no_telephone_has_are_not_pressed(simulated_call: SimulatedCalls) -> None:
    call = simulated_call.begin(MENU)
    with pytest.raises(ValueError, match="this is 'x'"):
        call.press("x")
    call.press("2")
    assert call.pressed == "2"


def test_settings_are_those_of_the_server(simulated_call: SimulatedCalls) -> None:
    call = simulated_call(
        [{"action": "transfer", "options": {"destination": AGENT}}],
        callees={AGENT: "no_answer"},
        settings={"calls.ring_timeout": 7, "speech.piper_genders": {"nl_NL-mls-medium#12": "female"}},
    )
    assert call.seconds == 7.0
