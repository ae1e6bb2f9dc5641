"""``callwright dial``: a call comes in without a telephone, and its story is told while it lasts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple
from urllib.parse import quote

import typer

from callwright.cli import show, story
from callwright.cli.control import Control, NoServer, Refused, reach
from callwright.cli.happenings import OVER
from callwright.cli.place import Place
from callwright.rehearsal.ending import as_interrupted

LOOK_S = 0.2
# After its end a call is waited for so long: the last words of its far ends, and one who is to hang up.
LAST_WORDS_S = 2.0
# A server that is well needs at most 10 s until a call is on record (`native.dialling`).
ANSWER_S = 15.0
_KEYS = re.compile(r"[0-9*#A-D]{1,64}(,[0-9*#A-D]{1,64})*")
DEFAULT_GAP_S = 0.3


class CutOff(NoServer):
    """The server is gone or frozen while it carries the call."""

    def __init__(self, message: str, call_id: str) -> None:
        super().__init__(message)
        self.remedy = f"What became of the call is told once it runs again: callwright journal {call_id}"


class Doings(NamedTuple):
    """What the caller does. Groups of `keys` and texts wait for the flow to ask, unless they have a time: seconds after the
    answer. `gap` is from one key to the next.
    """

    keys: Sequence[str] = ()
    keys_after: float | None = None
    gap: float = DEFAULT_GAP_S
    says: Sequence[str] = ()
    say_after: float | None = None
    hangup_after: float | None = None

    def acts(self) -> list[dict[str, Any]]:
        """As ``POST /api/dial`` takes them."""
        acts: list[dict[str, Any]] = []
        at = self.keys_after
        for group in self.keys:
            acts.append({"press": group} | ({"whenAsked": True} if at is None else {"at": at}))
            at = None if at is None else at + len(group) * self.gap
        when = {"whenAsked": True} if self.say_after is None else {"at": self.say_after}
        acts += [{"says": text} | when for text in self.says]
        if self.hangup_after is not None:
            acts.append({"at": self.hangup_after, "hangsUp": True})
        return acts


def groups(text: str | None) -> list[str]:
    """
    >>> groups("1,1234#")
    ['1', '1234#']
    """
    if text is None:
        return []
    if _KEYS.fullmatch(text) is None:
        raise typer.BadParameter(
            f"{text!r}: keys are 0-9, *, # and A-D, those for one question together, such as 1,1234#", param_hint="--keys"
        )
    return text.split(",")


def simulated(place: Place, number: str, source: str | None, doings: Doings, *, json: bool) -> int:
    """Have a simulated caller dial a number of the test world; 0 when the call was answered and has ended."""
    wanted = {"number": number, "acts": doings.acts(), "keyGap": doings.gap} | ({"source": source} if source else {})
    with reached(place) as control, as_interrupted():
        call = control.ask("POST", "/api/dial", wanted, world="test")
        telling = Telling(control, call["id"], "test", quiet=json)
        try:
            for _ in telling.looks():
                time.sleep(LOOK_S)
        except KeyboardInterrupt:
            _hang_up(control, call["id"])
            for _ in telling.looks(within=LAST_WORDS_S):
                time.sleep(LOOK_S)
        except (OSError, UnicodeEncodeError):  # nobody reads what is told, so that nobody would hang up
            _hang_up(control, call["id"])
            raise
    return telling.result(json=json)


def reached(place: Place) -> AbstractContextManager[Control]:
    """The server that works on the folder; one that is frozen is not waited for. Raises `NoServer`."""
    return reach(place, server_only=True, answer_s=ANSWER_S)


def _hang_up(control: Control, call_id: str) -> None:
    try:
        control.ask("DELETE", f"/api/dial/{call_id}", world="test")
    except Refused as refused:
        if refused.status != 409:
            raise


class Telling:
    """Tells a call's journal as it grows; nothing of it where it is to be `quiet`."""

    def __init__(self, control: Control, call_id: str, world: str, *, quiet: bool) -> None:
        self._control = control
        self._call_id = call_id
        self._path = f"/api/calls/{quote(call_id, safe='')}"
        self._world = world
        self._quiet = quiet
        self.call: Mapping[str, Any] = {}
        self.entries: list[Mapping[str, Any]] = []

    def looks(self, within: float | None = None) -> Iterator[list[Mapping[str, Any]]]:
        """Look again and again, until the call is over or so many seconds have passed: what is new each time."""
        began = time.monotonic()
        over_at: float | None = None
        while True:
            yield self.look()
            now = time.monotonic()
            if self.call["status"] in OVER:
                over_at = now if over_at is None else over_at
                if self._all_is_said() or now - over_at > LAST_WORDS_S:
                    return
            if within is not None and now - began > within:
                return

    def look(self) -> list[Mapping[str, Any]]:
        """What is new of it; raises `CutOff`."""
        first, told = not self.call, len(self.entries)
        try:
            self.call = self._control.get(self._path, world=self._world)
            self.entries = self._control.get(f"{self._path}/journal", world=self._world)["data"]
        except NoServer as error:
            raise CutOff(str(error), self._call_id) from error
        if not self._quiet:
            if first:
                show.line(story.head(self.call), flush=True)
            for entry in self.entries[told:]:
                show.line(story.line(self.call, entry, self.entries[0]), flush=True)
        return self.entries[told:]

    def _all_is_said(self) -> bool:
        last = [entry for entry in self.entries if entry["kind"] == "leg_last"]
        return len(last) >= len(self.call["legs"])

    def result(self, *, json: bool) -> int:
        """Say what it came to; the exit status."""
        call = self.call
        if json:
            show.as_json({"call": call, "journal": self.entries})
        else:
            for line in story.ends(call):
                show.line(line)
            show.line(f"{story.ending(call)} Its story again: callwright journal {call['id']}")
        return 0 if call["status"] == "ended" and call["answeredAt"] is not None else 1
