"""What the interface says, in the words of the command line: parameters are options there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote

from callwright.cli.control import Refused

# Parameters whose options have another name.
_OPTIONS = {
    "createdFrom": "--since",
    "createdTo": "--until",
    "endedFrom": "--ended-since",
    "endedTo": "--ended-until",
    "durationFrom": "--duration-from",
    "durationTo": "--duration-to",
}
_OPTIONS_OF_DELIVERIES = {"from": "--since", "to": "--until"}
# Those that are words of any sentence too: they are parameters where a value follows.
_WORDS = ("status", "direction", "source", "destination", "number", "flow", "reason", "tag", "type", "since", "limit")
_WITH_VALUE = re.compile(rf"\b({'|'.join((*_OPTIONS, *_WORDS))})=(?=\S)")
_BY_ITSELF = re.compile(rf"\b({'|'.join(_OPTIONS)})\b")
_IN_ORDER = re.compile(r"\b(?:from|since) must be before (?:to|until)\b")
_LABELS = (
    (re.compile(r"\baddTags(\[\d+\])?"), "--add"),
    (re.compile(r"\bremoveTags(\[\d+\])?"), "--remove"),
    (re.compile(r"\bnull as a value\b"), "--unset"),
)


@contextmanager
def said_of_filters() -> Iterator[None]:
    """Have a refusal within speak of the options that choose calls."""
    with _said(_filters):
        yield


@contextmanager
def said_of_deliveries() -> Iterator[None]:
    """Have a refusal within speak of the options that choose deliveries."""
    with _said(_deliveries):
        yield


@contextmanager
def said_of_labels() -> Iterator[None]:
    """Have a refusal within speak of the options that change tags and metadata."""
    with _said(_labels):
        yield


@contextmanager
def _said(spoken: Callable[[str], str]) -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        example = None if refused.example is None else _as_options(refused.example)
        remedy = None if refused.remedy is None else spoken(refused.remedy)
        raise Refused(refused.status, spoken(str(refused)), remedy, example) from None


def _filters(text: str) -> str:
    """
    >>> _filters("endedFrom and status=queued can not both be, whatever their status.")
    '--ended-since and --status queued can not both be, whatever their status.'
    """
    text = _WITH_VALUE.sub(lambda found: f"{_option(found[1])} ", text)
    return _BY_ITSELF.sub(lambda found: _option(found[1]), text)


def _deliveries(text: str) -> str:
    return _IN_ORDER.sub("--since must be before --until", text)


def _labels(text: str) -> str:
    """
    >>> _labels("addTags[3] must have 1 to 64 characters; it has 65.")
    '--add must have 1 to 64 characters; it has 65.'
    """
    for said, option in _LABELS:
        text = said.sub(option, text)
    return text


def _as_options(query: str) -> str:
    """
    >>> _as_options("createdFrom=2026-05-04T10:00:00Z&source=%2B316*&metadata.customer=42&sort=oldest")
    "--since 2026-05-04T10:00:00Z --source '+316*' --metadata customer=42 --oldest"
    """
    return " ".join(_as_option(*map(unquote, pair.partition("=")[::2])) for pair in query.split("&"))


def _as_option(name: str, value: str) -> str:
    if name == "sort":
        return "--oldest"
    inner = name.removeprefix("metadata.")
    if inner != name:
        return f"--metadata {shlex.quote(f'{inner}={value}')}"
    return f"{_option(name)} {shlex.quote(value)}"


def _option(name: str) -> str:
    return _OPTIONS.get(name) or _OPTIONS_OF_DELIVERIES.get(name) or f"--{name}"
