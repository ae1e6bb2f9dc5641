"""What a scenario must be beyond its types: which keys exclude one another, and what its URLs, numbers and flows are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from callwright.dialect import decode
from callwright.errors import Invalid, Problem
from callwright.flows import xml
from callwright.flows.check import Abilities, check
from callwright.plain import not_plain
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.web import Reply
from callwright.scenarios.beginnings import beginning
from callwright.scenarios.document import Expected, Scenario, Wish
from callwright.scenarios.tree import MAX_BYTES
from callwright.simulator.settings import DOES
from callwright.trunks.routes import address

FLOW_LIMIT = 32_768
_WISHES = ("hangs_up", "holds", "resumes", "adds", "refers_to", "replaces_flow")
BEFORE_THE_ANSWER = ("answer_after", "outcome", "sip_code", "early_media")


class Breach(NamedTuple):
    """A rule that is broken, and by which key; by nothing where that which is `lacking` is there and only cannot be read."""

    key: str
    sentence: str
    lacking: str | None = None


def breaches(scenario: Scenario, abilities: Abilities) -> Iterator[Breach]:
    """All but what is wrong with the flow of its number."""
    if scenario.caller is not None and scenario.call is not None:
        yield Breach("call", "there is a caller already; a scenario has the one or the other")
    if scenario.caller is not None:
        yield from party_breaches(scenario.caller, "caller")
        for name in BEFORE_THE_ANSWER:
            if getattr(scenario.caller, name) != getattr(Party(), name):
                yield Breach(f"caller.{name}", "only who is called has this; leave it out")
    if scenario.call is not None:
        yield from party_breaches(scenario.call, "call")
    for number, party in scenario.callees.items():
        if address(number) is None:
            told = f"{number[:60]!r} is neither a telephone number of 3 to 15 digits nor a URI such as sip:user@host"
            yield Breach(f"callees.{number}", told)
        yield from party_breaches(party, f"callees.{number}")
    for n, wish in enumerate(scenario.wishes, 1):
        yield from _wish(wish, f"wishes[{n}]", abilities)
    for url, replies in scenario.web.items():
        yield from _web(url, replies, f"web.{url}", abilities)
    for url in scenario.sounds:
        if not url.startswith("file:") and (why := no_url(url)) is not None:
            yield Breach(f"sounds.{url}", why)
    yield from _expected(scenario.expect)


def flow_of(sent: Mapping[str, Any] | bytes) -> dict[str, Any]:
    """A flow as the server keeps it. Raises `Problem`."""
    return decode.flow(sent if isinstance(sent, bytes) else msgspec.json.encode(sent), limit=FLOW_LIMIT)


def read_flow(path: Path) -> dict[str, Any]:
    """The flow of a file, which is JSON or XML. Raises `OSError` and `Problem`."""
    document = beginning(path, MAX_BYTES, regular=True)
    if len(document) > MAX_BYTES:  # the flow's own limit is of what is kept of it, without blanks
        raise Invalid(f"it has more than the {MAX_BYTES} bytes that are read; take blanks and steps out of it")
    return flow_in(document)


def flow_in(document: bytes) -> dict[str, Any]:
    """The flow of a document in JSON or XML. Raises `Problem`."""
    is_xml = document.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" or document[:2] in (b"\xff\xfe", b"\xfe\xff")
    return xml.parse(document, limit=FLOW_LIMIT) if is_xml else flow_of(document)


def flow_breaches(flow: dict[str, Any], key: str, abilities: Abilities, *, fetched: bool = False) -> Iterator[Breach]:
    """What keeps a flow from running, as ``callwright flow check`` says it."""
    for finding in check(flow, abilities, fetched=fetched, warns=False).errors:
        place = f"{key}.{finding.parameter}" if finding.parameter else key
        yield Breach(place, f"the flow cannot run: {finding.sentence.rstrip('.')}")


def party_breaches(party: Party, key: str) -> Iterator[Breach]:
    """What nobody can do, among its acts."""
    for n, act in enumerate(party.acts, 1):
        yield from _act(act, f"{key}.acts[{n}]")


def _act(act: Act, key: str) -> Iterator[Breach]:
    done = _given(act, DOES)
    if act.speaks_for is not None and "says" not in done:
        done.append("speaks_for")
    yield from _exactly_one(key, done, DOES)
    if act.hears and act.at is not None:
        yield Breach(f"{key}.at", "it has hears too; one of the two says when, and after is seconds after it was heard")
    elif not act.hears and act.at is None:
        yield Breach(key, "it must say when: at (seconds after the answer), or hears (a text that is spoken to it)", key)
    if not act.hears:
        for name in ("interrupts", "after"):
            if getattr(act, name):
                yield Breach(f"{key}.{name}", "it belongs to hears, which is not there", f"{key}.hears")
    if act.speaks_for is not None and done not in (["says"], ["speaks_for"]):
        yield Breach(f"{key}.speaks_for", "it belongs to says")


def _wish(wish: Wish, key: str, abilities: Abilities) -> Iterator[Breach]:
    done = _given(wish, _WISHES)
    yield from _exactly_one(key, done, _WISHES)
    if wish.leg is not None and done in (["adds"], ["replaces_flow"]):
        yield Breach(f"{key}.leg", f"{done[0]} is about the whole call; leave it out")
    if wish.replaces_flow is not None:
        yield from _whole_flow(wish.replaces_flow, f"{key}.replaces_flow", abilities, fetched=False)


def _web(url: str, replies: list[Reply], key: str, abilities: Abilities) -> Iterator[Breach]:
    why = no_url(url)
    if why is None and "?" in url:
        why = "a URL stands here without its query; leave out what begins with the question mark"
    if why is not None:
        yield Breach(key, why)
    if not replies:
        yield Breach(key, "it must have at least one answer")
    for n, reply in enumerate(replies, 1):
        place = f"{key}[{n}]"
        given = _given(reply, ("flow", "body", "fails"))
        if reply.body is not None and "body" not in given:
            given.append("body")
        if len(given) > 1:
            yield Breach(f"{place}.{given[1]}", f"it has {given[0]} already; an answer is one of flow, body and fails")
        if reply.flow is not None:
            for breach in _whole_flow(reply.flow, f"{place}.flow", abilities, fetched=True):
                yield Breach(breach.key, f"{breach.sentence}; to answer with what is no flow, use body")


def _whole_flow(sent: Mapping[str, Any], key: str, abilities: Abilities, *, fetched: bool) -> Iterator[Breach]:
    try:
        flow = flow_of(sent)
    except Problem as problem:
        yield Breach(key, f"the flow cannot run: {problem.message.rstrip('.')}")
    else:
        yield from flow_breaches(flow, key, abilities, fetched=fetched)


def _expected(expected: Expected) -> Iterator[Breach]:
    given = [name for name in Expected.__struct_fields__ if getattr(expected, name) is not None]
    if not given:
        told = "nothing is expected, so nothing is tried; say at least which status the call has in the end"
        yield Breach("expect", told, "expect")
    if expected.refused is not None and len(given) > 1:
        other = next(name for name in given if name != "refused")
        yield Breach(f"expect.{other}", "with refused there is no call, of which nothing else can be expected")
    for n, prompt in enumerate(expected.spoken or (), 1):
        if isinstance(prompt, str):
            continue
        what = _given(prompt, ("text", "contains", "url"))
        if len(what) > 1:
            yield Breach(f"expect.spoken[{n}].{what[1]}", f"it has {what[0]} already; one of text, contains and url is enough")


def _exactly_one(key: str, done: list[str], known: tuple[str, ...]) -> Iterator[Breach]:
    if not done:
        yield Breach(key, f"it must say what is done: one of {', '.join(known)}", key)
    elif len(done) > 1:
        yield Breach(f"{key}.{done[1]}", f"it has {done[0]} already, and one thing is done at a time: write two entries")


def _given(part: msgspec.Struct, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if getattr(part, name)]


def no_url(url: str) -> str | None:
    """Why a text is no URL that could be asked."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname and not_plain(url) is None
    except ValueError:
        whole = None
    return None if whole else f"{url[:60]!r} is no URL such as https://example.com/next"
