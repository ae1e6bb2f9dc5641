"""What was observed, as one JSON object."""

from __future__ import annotations

import http.client
from dataclasses import asdict
from typing import Any

from callwright import __version__
from callwright.cli.demo.customer import Answer, Customer
from callwright.cli.demo.expectations import EXPECTED, Findings
from callwright.cli.demo.stage import Stage


async def observations(findings: Findings, stage: Stage | None) -> dict[str, Any]:
    """The findings, the records and callbacks they rest on, and the curl lines that repeat it.

    `stage` is None where it could not be set up.
    """
    seen: dict[str, Any] = {
        "ok": findings.all_met,
        "version": __version__,
        "startedSeconds": None,
        "expectations": [{**asdict(finding), "expected": EXPECTED[finding.name]} for finding in findings],
        "calls": None,
        "legs": None,
        "callbacks": [],
        "sound": {},
        "curl": [],
    }
    if stage is None:
        return seen
    listed = await _read(stage.live, "/calls")
    newest = listed.first.get("id")
    legs = Answer(0, None) if newest is None else await _read(stage.live, f"/calls/{newest}/legs")
    reading = ["/calls"] if newest is None else ["/calls", f"/calls/{newest}/legs"]
    return seen | {
        "startedSeconds": round(stage.server.started_s, 3),
        "calls": listed.content,
        "legs": legs.content,
        "callbacks": stage.callbacks,
        "sound": {"a": _counters(stage.a.events), "b": _counters(stage.b.events)},
        "curl": [*stage.test.curls, *stage.live.curls, *(stage.live.curl("GET", path) for path in reading)],
    }


async def _read(customer: Customer, path: str) -> Answer:
    """An answer of the server, an empty one where it does not give any."""
    try:
        return await customer.get(path)
    except (OSError, http.client.HTTPException):
        return Answer(0, None)


def _counters(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a telephone counted at the end of each of its calls."""
    counted = [event for event in events if event["event"] == "counters"]
    return [{name: value for name, value in event.items() if name not in ("event", "at")} for event in counted]
