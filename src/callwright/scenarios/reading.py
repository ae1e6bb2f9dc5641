"""Reads files of scenarios: one in a file, several with ``---`` between them, or a list; YAML or JSON."""

from __future__ import annotations

import difflib
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from callwright.errors import Problem
from callwright.flows.check import Abilities
from callwright.numbers.numbers import normalised
from callwright.scenarios import surroundings
from callwright.scenarios.beginnings import beginning
from callwright.scenarios.document import Scenario
from callwright.scenarios.faults import Fault, ScenarioError
from callwright.scenarios.fitting import MISFIT, Fitting
from callwright.scenarios.rules import Breach, breaches, flow_breaches, flow_of, read_flow
from callwright.scenarios.tree import MAX_BYTES, Node, NotYaml, Place, Sequence, Table, parse, place_after

_START = Place(1, 1)


class Script(NamedTuple):
    """A scenario with its flow, where it stands in which file, and where each of its keys does."""

    scenario: Scenario
    file: str
    line: int
    places: Mapping[str, Place]

    def place(self, key: str) -> Place:
        """Where a key is, or what it is part of: of ``expect.legs[2].status`` maybe ``expect.legs``."""
        while key and key not in self.places:
            key = key[: max(key.rfind("."), key.rfind("["), 0)]
        return self.places[key] if key else Place(self.line, 1)


def read_file(path: Path, abilities: Abilities | None = None, *, regular: bool = False) -> list[Script]:
    """The scenarios of a file, with `regular` of a regular one alone. Raises `ScenarioError` with all that is wrong."""
    try:
        document = beginning(path, MAX_BYTES, regular=regular)
    except IsADirectoryError:
        raise _one_fault(str(path), "it is a folder") from None
    except OSError as error:
        raise _one_fault(str(path), f"it cannot be read: {error.strerror}") from error
    return read(document, str(path), path.parent, abilities)


def read(document: bytes, file: str, folder: Path, abilities: Abilities | None = None) -> list[Script]:
    """The scenarios of a document; `file` is what it is called, `folder` where the files of its flows are looked for."""
    if len(document) > MAX_BYTES:
        raise _one_fault(file, f"it has more than the {MAX_BYTES} bytes that are read; make several files of it")
    try:
        document = document.removeprefix(BOM_UTF8)
        text = document.decode()
    except UnicodeDecodeError as error:
        before = document[: error.start].decode()
        raise _one_fault(file, "it is not UTF-8 from here on", place_after(before)) from None
    faults: list[Fault] = []
    scripts: list[Script] = []
    try:
        for node in _scenarios(parse(text)):
            script = _Reading(file, folder, abilities or Abilities(), faults).script(node)
            if script is not None:
                scripts.append(script)
    except NotYaml as problem:
        faults.append(Fault(file, problem.place, "", str(problem)))
    if not faults and not scripts:
        faults.append(Fault(file, _START, "", "there is no scenario in it"))
    faults += _same_names(scripts)
    if faults:
        raise ScenarioError(faults)
    return scripts


def _one_fault(file: str, sentence: str, place: Place = _START) -> ScenarioError:
    return ScenarioError([Fault(file, place, "", sentence)])


def _scenarios(documents: Iterator[Node]) -> Iterator[Node]:
    for document in documents:
        if isinstance(document, Sequence):
            yield from document.items
        elif isinstance(document, Table) or document.text:
            yield document


def _same_names(scripts: list[Script]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for script in scripts:
        name = script.scenario.name
        if name is MISFIT:
            continue
        if name in first:
            told = f"there is another scenario with this name in line {first[name]}; call one of them something else"
            yield Fault(script.file, script.places.get("name", _START), "name", told)
        first.setdefault(name, script.line)


class _Reading:
    """One scenario."""

    def __init__(self, file: str, folder: Path, abilities: Abilities, faults: list[Fault]) -> None:
        self._file = file
        self._folder = folder
        self._abilities = abilities
        self._faults = faults

    def script(self, node: Node) -> Script | None:
        """As much of it as could be read; None for what is none at all."""
        fitting = Fitting(self._note)
        scenario = fitting.struct(node, Scenario)
        if scenario is None:
            return None
        script = Script(scenario, self._file, node.place.line, fitting.places)
        for breach in breaches(scenario, self._abilities):
            if breach.lacking not in fitting.torn:
                self._broken(script, breach)
        for key, sentence in surroundings.faults(scenario.settings):
            self._broken(script, Breach(f"settings.{key}".rstrip("."), sentence))
        flow = None if "flow" in fitting.torn else self._flow(script)
        if flow is None:
            return script
        callees = {normalised(number) or number: party for number, party in scenario.callees.items()}
        return script._replace(scenario=msgspec.structs.replace(scenario, flow=flow, callees=callees))

    def _flow(self, script: Script) -> dict[str, Any] | None:
        """The flow of the number, as the server would keep it."""
        given = script.scenario.flow
        named = f"the flow {self._folder / given}" if isinstance(given, str) else "the flow"
        try:
            flow = read_flow(self._folder / given) if isinstance(given, str) else flow_of(given)
        except OSError as error:
            close = self._nearest(str(given)) if isinstance(error, FileNotFoundError) else ""
            self._broken(script, Breach("flow", f"{named} cannot be read: {error.strerror}{close}"))
            return None
        except ValueError as error:  # a path that can be none
            self._broken(script, Breach("flow", f"{named} cannot be read: {error}"))
            return None
        except Problem as problem:
            self._broken(script, Breach("flow", f"{named} cannot be used: {problem.message.rstrip('.')}"))
            return None
        for breach in flow_breaches(flow, "flow", self._abilities):
            of_file = f" ({self._folder / given})" if isinstance(given, str) else ""
            self._broken(script, breach._replace(sentence=f"{breach.sentence}{of_file}"))
        return flow

    def _nearest(self, name: str) -> str:
        try:
            there = [path.name for path in (self._folder / name).parent.iterdir()]
        except OSError:
            return ""
        close = difflib.get_close_matches(Path(name).name, there, n=1, cutoff=0.5)
        return f"; the nearest is {close[0]}" if close else ""

    def _broken(self, script: Script, breach: Breach) -> None:
        self._note(script.place(breach.key), breach.key, breach.sentence)

    def _note(self, place: Place, key: str, sentence: str) -> None:
        self._faults.append(Fault(self._file, place, key, sentence))
