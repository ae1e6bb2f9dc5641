"""docs/api.md as its reader has it: every curl line is run in a shell against a server, and its answer is the one shown.

The page has ids and times of some server, and this one has its own: the first time an answer has another id in the place of
one of the page, that is what the page's id is called from then on. What is shown as ``…`` may be anything.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support.server import EVERY_VOICE, PATIENCE_S, Server, Webserver, until

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
ANSWERED = re.compile(r"^```sh\n(.*?)^```\n+```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?Z")
SEALED = re.compile(r"[A-Za-z0-9_-]{22,}")
ANYTHING = "…"
RECEIVER = "https://example.com/voice"


class Example(NamedTuple):
    command: str
    kind: str
    shown: str


def examples() -> list[Example]:
    return [Example(*found) for found in ANSWERED.findall(PAGE.read_text(encoding="utf-8"))]


class Reader:
    """Runs the examples of the page in its order; `known` has this server's ids, cursors and receiver by the page's."""

    def __init__(self, server: Server, receiver: str) -> None:
        self._folder = server.folder
        self._surroundings = os.environ | {"HOST": server.http, "KEY": server.keys["test"]}
        self.known: dict[str, str] = {RECEIVER: receiver}
        (server.folder / "callwright-data").symlink_to("data")

    def run(self, command: str) -> str:
        for shown, ours in self.known.items():
            command = command.replace(shown, ours)
        quiet = re.sub(r"\bcurl ", "curl --silent --show-error --max-time 60 ", command)
        done = subprocess.run(
            ["bash", "-c", quiet],
            capture_output=True,
            text=True,
            timeout=90,
            cwd=self._folder,
            env=self._surroundings,
            check=False,
        )
        # A line that sets itself a time has an answer without an end: curl says that it was over.
        said = "" if "--max-time" not in command else "curl: (28)"
        assert done.stderr.startswith(said) if said else done.stderr == "", (command, done.stderr)
        return done.stdout

    def differences(self, example: Example, answered: str) -> list[str]:
        """Where an answer is not as shown; an answer that is, teaches what the page's ids are called here."""
        learnt = dict(self.known)
        if example.kind == "json":
            shown, ours = _values(example.shown), _values(answered)
            found = _compare(shown, ours, "$", learnt)
        else:
            found = _compare(example.shown.rstrip("\n").split("\n"), answered.rstrip("\n").split("\n"), "line", learnt)
        if not found:
            self.known = learnt
        return found


def _values(text: str) -> list[Any]:
    """JSON values one after the other, as `jq` writes them too."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError:
            return [text]
        found.append(value)
    return found


def _compare(shown: Any, ours: Any, place: str, known: dict[str, str]) -> list[str]:
    if shown == ANYTHING or shown == [ANYTHING]:
        return []
    if isinstance(shown, dict) and isinstance(ours, dict):
        found = [f"{place} has the keys {list(ours)}, shown are {list(shown)}"] if list(shown) != list(ours) else []
        return found + [
            one for key in shown.keys() & ours.keys() for one in _compare(shown[key], ours[key], f"{place}.{key}", known)
        ]
    if isinstance(shown, list) and isinstance(ours, list):
        found = [f"{place} has {len(ours)} items, shown are {len(shown)}: {ours}"] if len(shown) != len(ours) else []
        pairs = enumerate(zip(shown, ours, strict=False))
        return found + [one for n, (left, right) in pairs for one in _compare(left, right, f"{place}[{n}]", known)]
    if isinstance(shown, str) and isinstance(ours, str):
        return [] if _same_text(shown, ours, known) else [f"{place} is {ours!r}, shown is {shown!r}"]
    return [] if (shown, type(shown)) == (ours, type(ours)) else [f"{place} is {ours!r}, shown is {shown!r}"]


def _same_text(shown: str, ours: str, known: dict[str, str]) -> bool:
    """Whether two texts are one but for times, and for ids and cursors that go by another name here."""
    shown, ours = TIME.sub("TIME", shown.replace(RECEIVER, known.get(RECEIVER, RECEIVER))), TIME.sub("TIME", ours)
    if ANYTHING in shown:
        for theirs, own in known.items():
            shown = shown.replace(theirs, own)
        return re.fullmatch(".*".join(re.escape(piece) for piece in shown.split(ANYTHING)), ours) is not None
    for pattern in (UUID, SEALED):
        theirs_all, own_all = pattern.findall(shown), pattern.findall(ours)
        if len(theirs_all) != len(own_all):
            return False
        if any(known.setdefault(theirs, own) != own for theirs, own in zip(theirs_all, own_all, strict=True)):
            return False
        shown, ours = pattern.sub("ID", shown), pattern.sub("ID", ours)
    return shown == ours


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server.start(tmp_path_factory.mktemp("page") / "one", EVERY_VOICE)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Webserver]:
    service = Webserver()
    yield service
    service.close()


def test_every_example_does_what_the_page_shows(server: Server, receiver: Webserver) -> None:
    reader = Reader(server, receiver.url("/voice"))
    for example in examples():
        answer = reader.run(example.command)
        if not re.search(r"-X|-d ", example.command):
            # What was asked for a moment ago may still be under way.
            answer = until(
                lambda: reader.run(example.command),  # noqa: B023
                lambda seen: not reader.differences(example, seen),  # noqa: B023
                what=f"{example.command}\n{reader.differences(example, answer)}",
            )
        assert reader.differences(example, answer) == [], example.command


@pytest.mark.parametrize(("path", "begins"), [("/openapi.json", b'{"openapi":"3.1'), ("/docs", b"<!doctype html>")])
def test_the_interface_describes_itself_to_anyone(server: Server, path: str, begins: bytes) -> None:
    with urllib.request.urlopen(server.http + path, timeout=PATIENCE_S) as answer:
        assert answer.read().startswith(begins)
        tag = answer.headers["ETag"]
    again = urllib.request.Request(server.http + path, headers={"If-None-Match": tag})
    with pytest.raises(urllib.error.HTTPError) as unchanged:
        urllib.request.urlopen(again, timeout=PATIENCE_S)
    with unchanged.value as answer:
        assert (answer.code, answer.read()) == (304, b"")
    over_socket = ["curl", "--silent", "--unix-socket", "data/run/control.sock", f"http://localhost{path}"]
    told = subprocess.run(over_socket, capture_output=True, timeout=PATIENCE_S, cwd=server.folder, check=True)
    assert told.stdout.startswith(begins)


def test_the_page_has_an_answer_for_every_command() -> None:
    assert len(examples()) == len(re.findall(r"^```sh$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(examples()) >= 10


@pytest.mark.parametrize(
    ("shown", "ours", "same"),
    [
        ({"at": "2026-05-04T10:00:00.123456Z"}, {"at": "2027-01-01T00:00:00.000001Z"}, True),  # another time
        ({"id": "01a218c7-4436-7cd0-91e2-d6b22fa76cbf"}, {"id": "01a218c7-0000-7cd0-91e2-d6b22fa76cbf"}, True),  # another id
        ({"a": "…", "b": ["…"]}, {"a": None, "b": [1, 2]}, True),  # left out
        ({"url": "http://localhost:…/x"}, {"url": "http://localhost:99/x"}, True),  # a part left out
        ({"a": 1}, {"a": True}, False),  # another type
        ({"a": 1}, {"a": 1, "b": 2}, False),  # a key more
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),  # another order
        ([1], [1, 2], False),  # an item more
        ({"at": None}, {"at": "2027-01-01T00:00:00.000001Z"}, False),  # not yet
        ("text", "other", False),
        ("id: …", "id: qKdP3mD2sR1uKqj0ZbSGQy0xq3cNq2yP", True),  # a cursor left out
        ("id: abcdefghijklmnopqrstuv", "id: qKdP3mD2sR1uKqj0ZbSGQy0xq3cNq2yP", True),  # another cursor
    ],
)
def test_what_counts_as_the_same(shown: Any, ours: Any, same: bool) -> None:
    assert (_compare(shown, ours, "$", {}) == []) is same


def test_one_id_of_the_page_is_one_id_here() -> None:
    first, second = "01a218c7-4436-7cd0-91e2-d6b22fa76cbf", "01a218c7-0000-7cd0-91e2-d6b22fa76cbf"
    assert _compare([first, first], [second, second], "$", {}) == []
    assert _compare([first, first], [first, second], "$", {}) != []
