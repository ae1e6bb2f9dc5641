"""Whether a flow can do what it says: what is looked at when it is saved, and by ``callwright flow check``.

An error keeps a flow from being saved; a warning does not. Which is which, and why: ``docs/decisions/0026-flow-check.md``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from callwright.errors import Missing, Problem
from callwright.flows.doubts import doubts
from callwright.flows.findings import Finding, about
from callwright.flows.model import FetchCallFlowOptions, Flow, PlayOptions, RecordOptions, SayOptions, TransferOptions
from callwright.flows.reach import unreached
from callwright.flows.rules import is_relative
from callwright.flows.schema import examine, with_step_ids
from callwright.flows.settings import FlowSettings
from callwright.telephony.speech import Utterance

_PLACE = re.compile(r"steps\[(\d+)\]")
_NUMBER = re.compile(r"(tel:)?[\s+\d().\-/]+(;.*)?", re.IGNORECASE)
_URI = re.compile(r"sip:[^\s@]+@[^\s@]+|client:\S+", re.IGNORECASE)


class Abilities(NamedTuple):
    """What this server can do; each tells why it cannot, with a remedy, or None.

    `speaks` is asked about texts, `writes_down` about languages of recordings, `reaches` about URLs.
    """

    speaks: Callable[[Utterance], str | None] = lambda utterance: None
    writes_down: Callable[[str], str | None] = lambda language: None
    settings: FlowSettings = FlowSettings()
    reaches: Callable[[str], str | None] = lambda url: None


class Report(NamedTuple):
    """What was found; `flow` is None when it cannot run at all."""

    flow: Flow | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.error)

    def passed(self, place: str = "") -> Flow:
        """The flow, or raise the first error as a `Problem`; `place` is where in the body it was sent."""
        if self.errors:
            raise self.errors[0].problem(place)
        assert self.flow is not None
        return self.flow


def check(body: dict[str, Any], abilities: Abilities | None = None, *, fetched: bool = False, warns: bool = True) -> Report:
    """Look at a flow as it was sent, keys under their own names; `fetched` is one that a program will answer with.

    Who only wants to know whether it can run needs no warnings, which take longer than all else.
    """
    flow, problems = examine(body)
    if flow is None:
        return Report(None, tuple(_told(body, problem) for problem in problems))
    sent = with_step_ids(body)["steps"]
    abilities = abilities or Abilities()
    homeless = () if fetched else _homeless(flow)
    warnings = doubts(flow, sent, abilities.settings) if warns else ()
    return Report(flow, (*_errors(flow, abilities), *homeless, *warnings))


def said(flow: Flow, settings: FlowSettings) -> Iterator[tuple[int, Utterance]]:
    """The texts a flow says, each with the number of its step, as they will be asked for in a call."""
    for index, step in enumerate(flow.steps):
        match step.options:
            case SayOptions(payload=text, language=language, voice=voice):
                yield index, Utterance(text, language or settings.language, (voice or settings.voice).lower())


def _told(body: dict[str, Any], problem: Problem) -> Finding:
    parameter = problem.parameter or ""
    found = _PLACE.match(parameter)
    step = body["steps"][int(found[1])] if found else None
    step_id = step.get("id") if isinstance(step, dict) else None
    return Finding(
        sentence=problem.message,
        parameter=parameter,
        step=step_id if isinstance(step_id, str) else "",
        error=True,
        missing=isinstance(problem, Missing),
    )


def _errors(flow: Flow, abilities: Abilities) -> Iterator[Finding]:
    yield from unreached(flow)
    for index, utterance in said(flow, abilities.settings):
        if (refusal := abilities.speaks(utterance)) is not None:
            yield about(flow, index, "options.payload", refusal, error=True)
    for index, name, url in _asked_for(flow):
        if not is_relative(url) and (refusal := abilities.reaches(url)) is not None:
            yield about(flow, index, f"options.{name}", f"{url[:80]!r} cannot be used: {refusal}.", error=True)
    for index, step in enumerate(flow.steps):
        match step.options:
            case TransferOptions(destination=destination) if not _can_be_dialled(destination):
                told = f"{destination[:80]!r} is neither a number of 3 to 15 digits nor a URI such as sip:user@host."
                yield about(flow, index, "options.destination", told, error=True)
            case RecordOptions(transcribe=True, transcribe_language=None):
                told = "transcribe needs transcribeLanguage, such as en-US."
                yield about(flow, index, "options.transcribeLanguage", told, error=True, missing=True)
            case RecordOptions(transcribe=True, transcribe_language=str(language)):
                if (refusal := abilities.writes_down(language)) is not None:
                    yield about(flow, index, "options.transcribeLanguage", refusal, error=True)


def _asked_for(flow: Flow) -> Iterator[tuple[int, str, str]]:
    """The URLs a flow has requested, each with the number of its step and the name of its option."""
    for index, step in enumerate(flow.steps):
        match step.options:
            case PlayOptions(urls=urls):
                yield from ((index, "media", url) for url in urls if not url.startswith("file:"))
            case FetchCallFlowOptions(url=url):
                yield index, "url", url
            case RecordOptions(on_finish=str(url)):
                yield index, "onFinish", url


def _homeless(flow: Flow) -> Iterator[Finding]:
    """Paths without a host, in a flow that comes from nowhere."""
    for index, name, url in _asked_for(flow):
        if name != "media" and is_relative(url):
            told = f"{url[:80]!r} has no host, and only a flow that was fetched has a URL to put before it; give the whole URL."
            yield about(flow, index, f"options.{name}", told, error=True)


def _can_be_dialled(destination: str) -> bool:
    destination = destination.strip()
    if _NUMBER.fullmatch(destination):
        return 3 <= sum(char.isdigit() for char in destination.partition(";")[0]) <= 17  # 00 in front counts for none
    return _URI.fullmatch(destination) is not None
