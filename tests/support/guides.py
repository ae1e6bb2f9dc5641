"""Programs like those of the vendor's guides for its voice interface, written anew from what the guides describe.

Each is one class with one page, put on a `WebApplication`; what it learns is kept in it, for tests to look at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from support.web_application import Asked, Reply, WebApplication, xml


def say(text: str, language: str = "en-GB", voice: str = "female", **step: Any) -> dict[str, Any]:
    return {"action": "say", "options": {"payload": text, "language": language, "voice": voice}, **step}


class Response(NamedTuple):
    """One answer of a participant: where its recording is."""

    leg: str
    recording: str


class Survey:
    """Automated surveys: one page is the first flow and the target of every ``onFinish``.

    A participant is known by the call's id; each POST brings the recording of an answer, and is answered with the next
    question, or with thanks.
    """

    def __init__(self, web: WebApplication, questions: Sequence[str]) -> None:
        self.responses: dict[str, list[Response]] = {}
        self._questions = questions
        self.url = web.at("/callStep", self._step)

    def _say(self, text: str) -> dict[str, Any]:
        return say(text, "en-US", "male")

    def _step(self, asked: Asked) -> dict[str, Any]:
        known = asked.query["callID"] in self.responses
        responses = self.responses.setdefault(asked.query["callID"], [])
        if known:
            recording = asked.json  # whatever the type that was sent with it says
            responses.append(Response(recording["legId"], recording["id"]))
        number = len(responses)
        if number == len(self._questions):
            return {"title": "Survey Call Step", "steps": [self._say("You have completed our survey. Thank you!")]}
        steps = [] if number else [self._say("Welcome to our survey. Please press a key after each answer.")]
        ask = {"finishOnKey": "any", "timeout": 10, "onFinish": self.url}
        return {
            "title": "Survey Call Step",
            "steps": [*steps, say(self._questions[number]), {"action": "record", "options": ask}],
        }


class MaskedNumbers:
    """Masked phone numbers: customer and driver of a ride both call one number of ours, and reach each other through it."""

    def __init__(self, web: WebApplication, rides: Mapping[str, tuple[str, str]]) -> None:
        """`rides` has the customer's and the driver's number by the number they call."""
        self._rides = rides
        self.url = web.at("/webhook-voice", self._voice)

    def _voice(self, asked: Asked) -> Reply:
        customer, driver = self._rides.get(asked.query["destination"], ("", ""))
        others = {customer: driver, driver: customer}
        other = others.get(asked.query["source"])
        if not other:
            return xml('<Say language="en-GB" voice="female">Sorry, we cannot identify your transaction.</Say>')
        return xml(f'<Transfer destination="{other}" mask="true" />')


class Voicemail:
    """Voicemail: a greeting, then a message that is recorded, written down, and told to the program when it is there."""

    def __init__(self, web: WebApplication, greeting: str) -> None:
        self.messages: list[dict[str, Any]] = []
        self._greeting = greeting
        self._done = web.at("/voicemail/done", self._finished)
        self.url = web.at("/voicemail", self._begin)

    def _begin(self, asked: Asked) -> dict[str, Any]:
        options = {"maxLength": 60, "timeout": 3, "finishOnKey": "#", "transcribe": True, "transcribeLanguage": "en-US"}
        return {"steps": [say(self._greeting), {"action": "record", "options": {**options, "onFinish": self._done}}]}

    def _finished(self, asked: Asked) -> dict[str, Any]:
        self.messages.append(asked.json)
        return {"steps": [say("Thank you. Goodbye."), {"action": "hangup"}]}


class Menu:
    """A menu: one key chooses; the program is asked again with the key in ``variables``."""

    def __init__(self, web: WebApplication, choices: Mapping[str, str]) -> None:
        """`choices` has by each key what is said for it, or ``transfer:`` and a destination."""
        self._choices = choices
        self._chosen = web.at("/menu/chosen", self._answer)
        self.url = web.at("/menu", self._ask)

    def _ask(self, asked: Asked) -> dict[str, Any]:
        prompt = "For opening hours press one. For an agent press two."
        keys = {"onKeypressVar": "choice", "onKeypressGoto": "chosen", "maxNumKeys": 1}
        fetch = {"action": "fetchCallFlow", "options": {"url": self._chosen}}
        return {
            "steps": [
                say(prompt, id="ask", **keys),
                {"action": "pause", "options": {"length": 5}, **keys},
                say("The office is closed today. Goodbye."),
                {"action": "hangup"},
                {"id": "chosen", **fetch},
            ]
        }

    def _answer(self, asked: Asked) -> Reply | dict[str, Any]:
        choice = json.loads(asked.query["variables"])["choice"]
        wanted = self._choices.get(choice)
        if wanted is None:
            return self._ask(asked)
        kind, _, destination = wanted.partition(":")
        if kind == "transfer":
            return {"steps": [{"action": "transfer", "options": {"destination": destination}}]}
        return {"steps": [say(wanted), {"action": "hangup"}]}
