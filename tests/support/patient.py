"""A data folder with calls of every kind, of which nothing is wrong, and what is needed to hurt it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import apsw
import msgspec

from callwright import __version__
from callwright.datafolder import DataFolder
from callwright.doctor import Scene
from callwright.doctor.findings import Findings
from callwright.native import ServerState
from callwright.settings import Settings
from callwright.store.survey import Survey
from support.machines import StillMachine
from support.rest import StillClock

# The usual ports may be another server's.
ANY_PORT = msgspec.structs.replace(
    Settings(),
    http=msgspec.structs.replace(Settings().http, port=0),
    sip=msgspec.structs.replace(Settings().sip, port=0),
)
NOW_US = 1_900_000_000_000_000


class Said(NamedTuple):
    """A finding without its remedy, which has to be there for everything that is wrong."""

    check: str
    level: str
    seen: str


def said(findings: Findings) -> list[Said]:
    found = list(findings)
    assert all(finding.remedy for finding in found if finding.level.value in ("warning", "fault")), found
    return [Said(finding.check, finding.level.value, finding.seen) for finding in found]


class Patient:
    """A data folder of which nothing is wrong, until a test has made it so."""

    def __init__(self, folder: DataFolder) -> None:
        self.folder = folder
        self.clock = StillClock()
        self.clock.at_us = NOW_US

    def scene(self, **parts: Any) -> Scene:
        chosen: dict[str, Any] = {"settings": ANY_PORT, "machine": StillMachine()} | parts
        return Scene(folder=self.folder, clock=self.clock, **chosen)

    def sql(self, *statements: str) -> None:
        connection = apsw.Connection(str(self.folder.database))
        for statement in statements:
            connection.execute(statement)
            assert connection.changes(), f"nothing was changed by: {statement}"
        connection.close()

    def ask(self, sql: str) -> Any:
        connection = apsw.Connection(str(self.folder.database))
        try:
            return connection.execute(sql).get
        finally:
            connection.close()

    def says(self, look: Callable[[Scene, Survey], Findings], **parts: Any) -> list[Said]:
        """What a check of the database has to say."""
        survey = Survey.of(self.folder.database)
        try:
            return said(look(self.scene(**parts), survey))
        finally:
            survey.close()

    def remedies(self, look: Callable[[Scene, Survey], Findings], **parts: Any) -> dict[str, str]:
        """What is to be done, by check."""
        survey = Survey.of(self.folder.database)
        try:
            return {finding.check: finding.remedy for finding in look(self.scene(**parts), survey)}
        finally:
            survey.close()


def server_state(**changes: Any) -> ServerState:
    told: dict[str, Any] = {
        "version": __version__,
        "pid": 4711,
        "now_us": NOW_US,
        "clock_stepped_us": 0,
        "http": "127.0.0.1:8080",
        "sip": "127.0.0.1:5060",
        "sip_receive_buffer": 4 << 20,
        "live_calls": [],
        "children": [],
        "unhealthy": {},
    }
    return ServerState(**(told | changes))
