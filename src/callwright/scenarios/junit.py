"""Verdicts as JUnit's XML, as continuous integration reads it: a suite for each file, a case for each scenario."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from callwright.clock import rfc3339
from callwright.scenarios.verdict import Verdict

# What XML 1.0 has no way to write (§2.2).
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_REPORT = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*\?>)?\s*(<!--.*?-->\s*)*<testsuites?[\s/>]", re.DOTALL)


def is_report(beginning: bytes) -> bool:
    """Whether a file that begins so is a report of this kind, whoever made it.

    >>> is_report(b"<testsuites>"), is_report(b"name: Two is service")
    (True, False)
    """
    return _REPORT.match(beginning) is not None


def junit(verdicts: Sequence[Verdict], errors: Mapping[str, str], at_us: int) -> str:
    """The whole document. `errors` has what is wrong with the files that could not be read; `at_us` is when it began."""
    when = rfc3339(at_us).removesuffix("Z")
    suites = [(file, list(found)) for file, found in groupby(verdicts, key=lambda verdict: verdict.file)]
    suites += [(file, [Verdict(name=file, file=file, line=1, error=error)]) for file, error in errors.items()]
    rows = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for number, (file, found) in enumerate(suites):
        rows += _suite(number, file, found, when)
    return "\n".join([*rows, "</testsuites>", ""])


def _suite(number: int, file: str, verdicts: Sequence[Verdict], when: str) -> Iterable[str]:
    attributes = {
        "id": str(number),
        "package": "callwright",
        "name": file,
        "timestamp": when,
        "hostname": "localhost",
        "tests": str(len(verdicts)),
        "failures": str(sum(1 for one in verdicts if one.differences)),
        "errors": str(sum(1 for one in verdicts if one.error)),
        "time": f"{sum(one.took_s for one in verdicts):.6f}",
    }
    yield f"  <testsuite{_written(attributes)}>"
    yield "    <properties/>"
    for one in verdicts:
        yield from _case(one)
    yield "    <system-out/>"
    yield "    <system-err/>"
    yield "  </testsuite>"


def _case(one: Verdict) -> Iterable[str]:
    case = _written({"name": one.name, "classname": one.file, "time": f"{one.took_s:.6f}"})
    if one.met:
        yield f"    <testcase{case}/>"
        return
    yield f"    <testcase{case}>"
    kind, message = ("error", one.error) if one.error else ("failure", one.differences[0].sentence)
    text = one.error or "\n".join(row.text for row in one.rows)
    named = _written({"type": kind, "message": message.partition("\n")[0]})
    yield f"      <{kind}{named}>{escape(_plain(text))}</{kind}>"
    yield "    </testcase>"


def _written(attributes: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoteattr(_plain(value))}" for name, value in attributes.items())


def _plain(text: str) -> str:
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
