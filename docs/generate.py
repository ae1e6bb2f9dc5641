"""Write the pages that are made from the program; a test compares them with what is committed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from callwright import settings
from callwright.dialect import catalogue, examples
from callwright.dialect.callbacks import TYPES
from callwright.native.described import TAGS, chapter
from callwright.openapi.operation import Access, Operation
from callwright.reasons import Reason, Refusal
from callwright.scenarios import json_schema as scenarios
from callwright.scenarios.rules import BEFORE_THE_ANSWER
from callwright.simulator import magic

REASONS = """\
# Why a call ended

Every leg that is over has exactly one of these reasons. It is in the native record of the leg, in the call's journal and
in the log line of the call's end. This page is made from the program by `scripts/docs`.

| Reason | What happened | What to do |
|---|---|---|
{reasons}

## Why a call was turned away

An incoming call that is refused at the gate leaves no record; the log has a line and `/metrics` a count.

| Refusal | SIP answer | Why |
|---|---|---|
{refusals}
"""


EVENTS = """\
# Events

What a callback can tell of. Every webhook hears of calls. It hears of the rest when its own list of events names the type,
or, where it has none, the setting `webhooks.events` does. The webhook given with a call goes by the setting. When several
webhooks have the same URL, it is sent what any of them asks for, once.

This page is made from the program by `scripts/docs`. `GET /api/event-types` says the same to programs, and
`GET /api/schemas/events.json` is a JSON Schema of all bodies.

| Event | Type | What happened |
|---|---|---|
{table}

A body has one item. The order is that of the changes: the events of one call come one after the other, and after a
`callCreated` or `callUpdated` come those of its legs that changed in it. Keys may be added; leave what you do not know.
What was recorded or said is in none of them: it is fetched, with a key that may.

{events}

## Payloads

{payloads}
"""

EVENT = """\
## {event.event}

{event.sentence} {event.when}

Payload: [{event.payload}](#{anchor}).

```json
{example}
```
"""


def events() -> str:
    shown = [
        EVENT.format(
            event=event,
            anchor=event.payload.lower(),
            example=msgspec.json.format(examples.example(event.event), indent=2).decode(),
        )
        for event in catalogue.CATALOGUE
    ]
    return EVENTS.format(
        table="\n".join(f"| [`{one.event}`](#{one.event.lower()}) | `{one.type}` | {one.sentence} |" for one in _by_type()),
        events="\n".join(shown).rstrip(),
        payloads="\n\n".join(_payload(name) for name in catalogue.FIELDS),
    )


def _by_type() -> list[catalogue.EventType]:
    return sorted(catalogue.CATALOGUE, key=lambda one: TYPES.index(one.type))


def _payload(name: str) -> str:
    schema = catalogue.json_schema()["$defs"]
    keys = [
        f"| `{key}` | {_shape(shape, schema)} | {shape['description']} |" for key, shape in schema[name]["properties"].items()
    ]
    return "\n".join((f"### {name}", "", "| Key | Type | What it is |", "|---|---|---|", *keys))


def _shape(shape: dict[str, Any], schema: dict[str, Any]) -> str:
    """The type of a value in a few words: ``date or null``."""
    if "anyOf" in shape:
        return " or ".join(_shape(one, schema) for one in shape["anyOf"])
    if "enum" in shape:
        return ", ".join(f"`{value}`" for value in shape["enum"])
    if "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        return _shape(schema[name], schema) if "enum" in schema[name] else f"[{name}](#{name.lower()})"
    if shape["type"] == "array":
        return f"list of {_shape(shape['items'], schema)}"
    return {"date-time": "date", "uuid": "id"}.get(shape.get("format", ""), str(shape["type"]))


def reasons() -> str:
    return REASONS.format(
        reasons="\n".join(f"| `{one.value}` | {one.sentence} | {one.remedy} |" for one in Reason),
        refusals="\n".join(f"| `{one.value}` | {one.sip_code} {one.sip_phrase} | {one.sentence} |" for one in Refusal),
    )


BEGIN, END = "<!-- made by scripts/docs -->\n", "<!-- so far -->"
WHO = {Access.ANYONE: "anyone", Access.KEY: "key", Access.SOCKET: "socket"}


def api() -> str:
    return _with("api.md", operations())


def _with(page: str, table: str) -> str:
    """A page as it is, with a table in its place."""
    before, _, rest = (Path(__file__).parent / page).read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table + END + after


def simulator() -> str:
    rows = [
        f"| `{row.number}` | {row.sentence} | {f'`{row.status}`, `{row.reason}`' if row.status else 'answered'} |\n"
        for row in magic.TABLE
    ]
    return _with("simulator.md", "| Number | What happens | Its leg |\n|---|---|---|\n" + "".join(rows))


def flow_tests() -> str:
    """The page on scenarios as it is, with tables of all keys in their place."""
    return _with("flow-tests.md", "\n".join(_keys(part) for part in SCENARIO_PARTS))


FEW_WORDS = 12
SCENARIO_PARTS = {
    "Scenario": "A scenario",
    "Caller": "`caller`",
    "Placed": "`call`",
    "Party": "Each of `callees`",
    "Act": "Each of `acts`",
    "Reply": "Each answer in `web`",
    "SoundReply": "Each of `sounds` that is no number",
    "Wish": "Each of `wishes`",
    "Expected": "`expect`",
    "ExpectedLeg": "Each of `legs`",
    "ExpectedPrompt": "Each of `spoken` that is no text",
    "ExpectedRecording": "Each of `recordings`",
    "ExpectedFetch": "Each of `fetches`",
    "ExpectedWebhook": "Each of `webhooks` that is no text",
}


def _keys(part: str) -> str:
    described = scenarios.json_schema()["$defs"][part]
    rows = []
    for name, key in described["properties"].items():
        if part == "Caller" and name in BEFORE_THE_ANSWER:
            continue
        words = [word for word in key.get("enum", ()) if word]
        told = key["description"] + (
            f" One of {', '.join(f'`{word}`' for word in words)}." if 0 < len(words) <= FEW_WORDS else ""
        )
        usual = "must be there" if name in described.get("required", ()) else _usual(key.get("default"))
        rows.append(f"| `{name}` | {told} | {usual} |")
    return f"**{SCENARIO_PARTS[part]}**: {described['description']}\n\n| | | |\n|---|---|---|\n{chr(10).join(rows)}\n"


def _usual(default: Any) -> str:
    return "" if isinstance(default, dict) or default in (None, "", [], False) else f"`{msgspec.json.encode(default).decode()}`"


def operations() -> str:
    rows = [
        f"| {one.method} | `{one.path}` | {WHO[one.access]} | {one.summary} | {', '.join(_statuses(one))} |\n"
        for one in sorted(chapter().operations, key=lambda one: list(TAGS).index(one.tag))
    ]
    return "| Method | Path | Who | What | Answers |\n|---|---|---|---|---|\n" + "".join(rows)


def _statuses(operation: Operation) -> list[str]:
    return list(dict.fromkeys(str(answer.status) for answer in operation.answers))


CONFORMANCE = """\
# Client libraries

What becomes of each voice method of the original service's client libraries when it is called against a running
Callwright with real calls behind it. The tests in `tests/conformance` make this table: they fail where a result is another
than the one shown. Each method is looked up in the server's own record afterwards; that nothing was raised is not enough.

The libraries for Python and Node are installed from their registries and run unmodified. For the others, a program in the
same language sends what the library sends, byte for byte, and reads the answer as the library does.
`callwright tls-recipe LIBRARY` prints how to point each of them here.

A *defect* is of the library: it would do the same with any server. The tests show it as it is.

{summary}

{libraries}
"""
RESULTS = Path(__file__).parents[1] / "tests" / "conformance" / "results"


def conformance() -> str:
    libraries = [_library(one) for one in _results()]
    return CONFORMANCE.format(summary=conformance_summary(), libraries="\n\n".join(libraries))


def conformance_summary() -> str:
    """A line for each library."""
    rows = []
    for one in _results():
        defects = sum(method["result"] == "defect" for method in one["methods"])
        total = len(one["methods"])
        counts = (
            f"{total} | {total - defects} | {defects} | {one['sent_by']}" if total else f"– | – | – | not run: {one['not_run']}"
        )
        rows.append(f"| {one['title']} | `{one['package']}` | {counts} |")
    head = "| Language | Library | Methods | Work | Defects of the library | Called by |\n|---|---|---|---|---|---|"
    return "\n".join((head, *rows))


def _results() -> list[dict[str, Any]]:
    """Libraries themselves come first, those that are not run last."""
    order = ("the library itself, unmodified", "a program that sends what the library sends", "")
    found = [{"sent_by": "", "methods": [], **msgspec.json.decode(path.read_bytes())} for path in RESULTS.glob("*.json")]
    return sorted(found, key=lambda one: (order.index(one["sent_by"]), one["title"]))


def _library(results: dict[str, Any]) -> str:
    title, package = f"## {results['title']}\n\n", f"`{results['package']}`"
    if not results["methods"]:
        return f"{title}{package}, not run: {results['not_run']}."
    rows = "\n".join(f"| `{one['method']}` | {_outcome(one)} |" for one in results["methods"])
    return f"{title}{package}, called by {results['sent_by']}.\n\n| Method | Result |\n|---|---|\n{rows}"


def _outcome(method: dict[str, Any]) -> str:
    return "works" if method["result"] == "works" else f"defect of the library: {method['defect']}"


README = Path(__file__).parents[1] / "README.md"
TABLE_BEGINS, TABLE_ENDS = "<!-- conformance -->\n", "<!-- /conformance -->"


def readme() -> str:
    """The README as it is, with the table of libraries in its place, if it has one."""
    text = README.read_text(encoding="utf-8")
    before, begins, rest = text.partition(TABLE_BEGINS)
    _, ends, after = rest.partition(TABLE_ENDS)
    return before + begins + conformance_summary() + "\n" + ends + after if ends else text


PAGES: dict[str, Callable[[], str]] = {
    "settings.toml": settings.document,
    "reasons.md": reasons,
    "events.md": events,
    "api.md": api,
    "simulator.md": simulator,
    "conformance.md": conformance,
    "flow-tests.md": flow_tests,
}


def main(folder: Path) -> None:
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(__file__).parent)
    README.write_text(readme(), encoding="utf-8")
