"""Programs that send what the client libraries of the original service send, each in its library's language."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from support.client_stage import SAID, ClientStage, Conversation
from support.conformance_table import UPDATE, About, record, settle
from support.contract_answers import IDS, KEY, WEBHOOK_URL, ContractServer, named

FOLDER = Path(__file__).parents[1] / "conformance"
RUN_S = 240.0
# Marks, in place of a section of the contract, what the runtime of a language adds to a request.
OF_THE_RUNTIME = "–"
# Not methods of a library, but what it makes of a server's refusal: the codes of contract §3.4.
REFUSALS = ("an unknown id", "a missing value", "a wrong key")
PASSED_OVER = frozenset({"_links", "callFlow"})
_OF_ALL = frozenset({"User-Agent", "Accept", "Content-Type", "Authorization"})


class Line(msgspec.Struct, frozen=True):
    """What became of a method: `sent` is how many requests it took, `read` what the library made of the answers."""

    method: str
    result: str
    detail: str
    sent: int
    read: Any


class Program(NamedTuple):
    """`section` of the contract lists the methods; `headers` are those that the contract tells of this library alone."""

    name: str
    about: About
    section: str
    headers: frozenset[str]
    command: Sequence[str]
    environment: Mapping[str, str] = {}

    def run(self, url: str, key: str, ids: Mapping[str, str], folder: Path) -> list[Line]:
        """Call every method; nothing is said but lines, and the program comes to its end."""
        (folder / "ids.json").write_text(json.dumps(ids))
        line = [*self.command, url, key, str(folder / "ids.json")]
        done = subprocess.run(line, env=os.environ | dict(self.environment), capture_output=True, timeout=RUN_S)
        assert (done.returncode, done.stderr.decode()) == (0, ""), done.stdout.decode()
        return [msgspec.json.decode(one, type=Line) for one in done.stdout.splitlines()]

    def run_by_contract(self, server: ContractServer, folder: Path) -> list[Line]:
        ids = IDS | {"source": "31205550100", "destination": "31205550123", "webhook": WEBHOOK_URL}
        return self.run(server.url, KEY, ids, folder)


def failed(lines: Sequence[Line]) -> list[str]:
    """The methods that did; a test that does not expect it shows why."""
    failures = [line for line in lines if line.result == "fails"]
    print(*(f"{line.method}: {line.detail}" for line in failures), sep="\n")
    return [line.method for line in failures]


def by_method(lines: Sequence[Line]) -> dict[str, Line]:
    return {line.method: line for line in lines}


# what is sent ---------------------------------------------------------------------------------------------------------


def are_sent(program: Program, lines: Sequence[Line], server: ContractServer) -> None:
    """Compare the requests of a run with those kept; AssertionError with what differs."""
    path = FOLDER / program.name / "requests.txt"
    found = _as_sent(program, lines, server)
    if os.environ.get(UPDATE) == "1":
        path.write_text(found, encoding="utf-8")
    kept = path.read_text(encoding="utf-8")
    assert _of_the_contract(found) == _of_the_contract(kept), f"with {UPDATE}=1 it is written anew: read it"


def _of_the_contract(requests: str) -> list[str]:
    """What a runtime adds of its own differs by its version, and Mono's by whether it knows the server yet."""
    return [line for line in requests.splitlines() if not line.startswith(f"{OF_THE_RUNTIME} ")]


def _as_sent(program: Program, lines: Sequence[Line], server: ContractServer) -> str:
    written = [
        f"What a program in the language of {program.about.package} sends, as it is on the wire.",
        "Left of the bar is the section of the wire contract that a line comes from; a dash is the runtime of the language.",
        "",
    ]
    requests = iter(server.requests)
    for line in lines:
        if line.sent:
            written += [f"# {line.method}", ""]
        for request in (next(requests) for _ in range(line.sent)):
            written += [*_marked(program, _named(request.decode(), server)), ""]
    assert not list(requests), "more was sent than the program says"
    return "\n".join(written)


def _marked(program: Program, request: str) -> list[str]:
    head, _, body = request.partition("\r\n\r\n")
    first, *headers = head.split("\r\n")
    about_pages = ", §1.7" if "?" in first and "legs=" not in first else ""
    marked = [(f"{program.section}{about_pages}", first)]
    for header in headers:
        of_contract = header.partition(":")[0] in _OF_ALL | program.headers
        marked.append(("§1.2" if of_contract else OF_THE_RUNTIME, header))
    marked.append(("", ""))
    if body:
        marked.append(("§5.1" if re.search(r"/calls(/\{call\})? HTTP", first) else "§3.3", body))
    return [f"{section:<10} | {text}" for section, text in marked]


def _named(request: str, server: ContractServer) -> str:
    text = named(request).replace(server.host, "{host}").replace(KEY, "{key}")
    return re.sub(r"(PHP|Ruby|Go|Java)/(go)?\d+[.\d]*", r"\1/{version}", text)


# what is read, and done -----------------------------------------------------------------------------------------------


def seconds(time: str | None) -> str | None:
    """A time of the native interface as the compatible one has it."""
    return None if time is None else f"{time.partition('.')[0]}Z"


# Words of the compatible interface that are not those of the native one.
_WORDS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "createdAt": lambda kept: seconds(kept["createdAt"]),
    "updatedAt": lambda kept: seconds(kept["updatedAt"]),
    "answeredAt": lambda kept: seconds(kept["answeredAt"]),
    "endedAt": lambda kept: seconds(kept["endedAt"]),
    "deletedAt": lambda kept: None,
    "state": lambda kept: kept["status"],
    "sipResponseCode": lambda kept: kept["sipCode"],
    "cost": lambda kept: 0,
    "currency": lambda kept: "EUR",
    "format": lambda kept: "wav",
    "duration": lambda kept: math.ceil(kept["durationMs"] / 1_000) if "durationMs" in kept else kept["duration"],
}


def same(read: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    """Compare all that a library read of a thing with what the native interface tells of it."""
    names = read.keys() - PASSED_OVER
    wanted = {name: _WORDS[name](kept) if name in _WORDS else kept[name] for name in names}
    assert {name: read[name] for name in names} == wanted


class Judge:
    """Compares what a program read and did with what a server has on record, by the native interface.

    The program deletes a recording, so the record is looked at before: make one of these, run, then let it judge.
    """

    def __init__(self, stage: ClientStage, conversation: Conversation) -> None:
        self._stage = stage
        self._conversation = conversation
        self._made: dict[str, str] = {}
        call = self._native(f"/api/calls/{conversation.call}")
        self._kept: dict[str, dict[str, Any]] = {
            "call": call,
            "leg": next(one for one in call["legs"] if one["id"] == conversation.leg) | {"callId": call["id"]},
            "recording": self._native(f"/api/recordings/{conversation.recording}"),
            "transcription": self._native(f"/api/transcriptions/{conversation.transcription}"),
        }
        self._sound = stage.server.live.file(f"/recordings/{conversation.recording}.wav").body
        self._asked = {
            "source": "31205550100",
            "destination": stage.telephone.address,
            "webhook": stage.web.url("/programs"),
        }
        self.ids = conversation._asdict() | self._asked | {"unknown": IDS["unknown"]}

    def judge(self, line: Line, kind: str) -> None:
        """`kind` is what the method has to do with: ``leg``, ``made call``, ``list of flows``, ``done`` and so on."""
        how, _, what = kind.rpartition(" ")
        {"": self._one, "made": self._making, "changed": self._changing, "list of": self._listing}[how](line.read, what)

    def is_done(self, lines: Mapping[str, Line]) -> None:
        """What was made is gone, the call that was placed is over, and refusals are told in the server's words."""
        call, server = self._made["call"], self._stage.server
        assert server.ended(call).status == "ended"
        assert server.journal(call, "leg_moved")[-1]["status"] == "hangup"
        recording = self._conversation.recording
        for path in (f"/call-flows/{self._made['flow']}", f"/webhooks/{self._made['webhook']}", f"/recordings/{recording}"):
            assert server.live.get(path).status == 404
        (unknown,) = server.live.get(f"/calls/{self.ids['unknown']}").content["errors"]
        told = [lines[refusal].detail for refusal in REFUSALS]
        assert unknown["message"] in told[0]
        assert "steps" in told[1]
        assert "access key" in told[2]

    def callbacks(self) -> list[str]:
        """What the webhook that came with the call was told."""
        return [one.event for one in self._stage.web.told(self._made["call"])]

    def _one(self, read: Any, what: str) -> None:
        if what == "done":
            assert read is True
        elif what == "sound":
            assert read == {"bytes": len(self._sound), "sha256": hashlib.sha256(self._sound).hexdigest()}
        elif what == "text":
            assert read == SAID
        elif what in self._kept:
            same(read, self._kept[what])
        else:
            assert read["id"] == self._made[what]

    def _making(self, read: Any, what: str) -> None:
        self._made[what] = read["id"]
        if what == "call":
            assert (read["source"], read["destination"]) == (self._asked["source"], self._asked["destination"])
        elif what == "transcription":
            assert read["recordingId"] == self._conversation.recording
        elif what == "flow":
            assert read["steps"][0]["action"] in ("say", "transfer")
        else:
            assert (read["url"], read["token"]) == (self._asked["webhook"], "first")

    def _changing(self, read: Any, what: str) -> None:
        assert read["id"] == self._made[what]
        if what == "flow":
            assert read["title"] == "Changed"
        elif what == "webhook":
            assert (read["url"], read["token"]) == (self._asked["webhook"], "second")

    def _listing(self, read: Any, what: str) -> None:
        by_id = {one["id"]: one for one in read}
        assert len(by_id) == len(read)
        one = what.removesuffix("s")
        if one in self._kept:
            same(by_id[self.ids[one]], self._kept[one])
        if one in self._made:
            assert self._made[one] in by_id
        if one == "leg":
            assert by_id.keys() == {self._conversation.leg, self._conversation.other_leg}

    def _native(self, path: str) -> dict[str, Any]:
        answer = self._stage.server.live.get(path)
        assert answer.status == 200, answer
        found: dict[str, Any] = answer.content
        return found


def settled(
    program: Program, lines: Sequence[Line], kinds: Mapping[str, str], defects: Mapping[str, str], judge: Judge
) -> None:
    """Judge every line, and have the table of what became of the methods compared with the one that is kept."""
    for line in lines:
        if line.method in REFUSALS:
            assert line.result == "works", line
            continue
        assert line.result in ("works", "defect"), line
        if line.result == "works":
            judge.judge(line, kinds[line.method])
        assert line.result == "works" or line.method in defects, line
        record(program.name, line.method, "defect" if line.method in defects else "works", defects.get(line.method, ""))
    judge.is_done(by_method(lines))
    settle(program.name, program.about)
