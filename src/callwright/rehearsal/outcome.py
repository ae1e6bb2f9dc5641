"""What a rehearsed call came to, read from its record and from who was there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from callwright.calls import journal, rows
from callwright.calls.events import Event
from callwright.calls.model import Call, Leg
from callwright.recordings import rows as recording_rows
from callwright.rehearsal.ear import Ear, Heard
from callwright.rehearsal.network import Said
from callwright.rehearsal.parties import Act
from callwright.rehearsal.web import Asked
from callwright.store import Store

# All times of an outcome are seconds since the call was made.


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """A text said, or a sound played, to leg `leg` (counted from 1). `outcome` is None where the call ended within."""

    at: float
    leg: int
    text: str = ""
    language: str = ""
    gender: str = ""
    url: str = ""
    seconds: float | None
    outcome: str | None


class Pressed(msgspec.Struct, frozen=True, kw_only=True):
    at: float
    leg: int
    key: str


class KeysSent(msgspec.Struct, frozen=True, kw_only=True):
    at: float
    leg: int
    keys: str


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """`heard` is what the party said meanwhile, where it has a script."""

    at: float
    leg: int
    type: str
    status: str
    outcome: str
    seconds: float
    heard: str = ""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a flow: `url` without its query, `told` the body of ``onFinish``. `fault` says why none came."""

    at: float
    method: str
    url: str
    query: dict[str, str]
    told: dict[str, Any] | None
    status: int
    fault: str


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """A callback: `event` and the payload it has."""

    at: float
    type: str
    event: str
    payload: dict[str, Any]
    body: bytes


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """A callback that was really posted: what its receiver answered to the last of the `attempts`.

    `state` is ``delivered``, ``exhausted`` (given up) or ``pending``; `fault` says why it is not delivered.
    """

    url: str
    event: str
    sequence: int
    state: str
    attempts: int
    status: int | None
    fault: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`call` and `legs` are the rows, oldest leg first; `journal` is the call's whole.

    `notes` say what of the script did not come to pass, in sentences. `deliveries` are those of callbacks that were really
    posted.
    """

    call: Call
    legs: list[Leg]
    spoken: list[Spoken]
    pressed: list[Pressed]
    keys_sent: list[KeysSent]
    recordings: list[Recorded]
    fetches: list[Fetched]
    webhooks: list[Posted]
    variables: dict[str, str]
    journal: list[rows.Told]
    notes: tuple[str, ...] = ()
    deliveries: list[Delivered] = []

    def since(self, at_us: int) -> float:
        """Seconds of the call at a wall time."""
        return round((at_us - self.call.created_us) / 1e6, 6)

    @property
    def seconds(self) -> float:
        """From the first row to the end on record, or to the last change of a call that lives."""
        return self.since(self.call.ended_us or self.call.updated_us)

    @property
    def over(self) -> bool:
        return not self.call.live


def read(
    store: Store, call: Call, ear: Ear, said: list[Said], asked: list[Asked], callback: Callable[[Event], bytes]
) -> Outcome:
    """The outcome of a call. `ear`, `said` and `asked` may know what is of others; requests are known by their callID.
    `callback` makes the body of one.
    """
    legs = rows.legs_of(store, call.world_id, call.id)
    told = rows.journal_of(store, call.world_id, call.id)
    number = {leg.id: leg.n for leg in legs}

    def at(time_us: int) -> float:
        return round((time_us - call.created_us) / 1e6, 6)

    entries = [(at(line.at_us), line.entry) for line in told]
    return Outcome(
        call=call,
        legs=legs,
        spoken=[_spoken(one, at(one.began_us), number[one.leg]) for one in ear.heard if one.leg in number],
        pressed=[
            Pressed(at=when, leg=number[entry.leg], key=entry.digit)
            for when, entry in entries
            if isinstance(entry, journal.DigitPressed)
        ],
        keys_sent=[
            KeysSent(at=when, leg=number[entry.leg], keys=entry.keys)
            for when, entry in entries
            if isinstance(entry, journal.KeysSent)
        ],
        recordings=_recordings(store, call, told, number, said),
        fetches=[
            Fetched(
                at=at(one.at_us),
                method=one.method,
                url=one.url,
                query=one.query,
                told=msgspec.json.decode(one.body) if one.body else None,
                status=one.status,
                fault=one.fault,
            )
            for one in asked
            if one.query.get("callID") == str(call.id)
        ],
        webhooks=_callbacks(store, call, callback),
        variables={entry.variable: entry.value for _, entry in entries if isinstance(entry, journal.VariableSet)},
        journal=told,
        notes=tuple(_unheard(leg, act) for leg in legs if (act := ear.unheard(leg.id)) is not None),
    )


def _unheard(leg: Leg, act: Act) -> str:
    when = "the beginning" if act.interrupts else "the end"
    return f'Leg {leg.n} waits for {when} of "{act.hears}", which it never heard: it did not {act.what}.'


def _spoken(heard: Heard, at: float, leg: int) -> Spoken:
    prompt = heard.prompt
    return Spoken(
        at=at,
        leg=leg,
        text=prompt.text,
        language=prompt.language,
        gender=prompt.gender,
        url=prompt.url,
        seconds=None if heard.ended_us is None else (heard.ended_us - heard.began_us) / 1e6,
        outcome=None if heard.outcome is None else heard.outcome.value,
    )


def _recordings(store: Store, call: Call, told: list[rows.Told], number: dict[UUID, int], said: list[Said]) -> list[Recorded]:
    began = {line.entry.recording: line.at_us for line in told if isinstance(line.entry, journal.RecordingMade)}
    ended = {
        line.entry.recording: (line.at_us, line.entry)
        for line in told
        if isinstance(line.entry, journal.RecordingMoved) and line.entry.outcome
    }
    found = []
    for recording in recording_rows.of_call(store, call.world_id, call.id, limit=1000, offset=0).recordings[::-1]:
        from_us = began[recording.id]
        to_us, entry = ended.get(recording.id, (None, None))
        heard = [
            one.text
            for one in said
            if one.leg == recording.leg_id and one.text and one.to_us > from_us and (to_us is None or one.from_us < to_us)
        ]
        found.append(
            Recorded(
                at=round((from_us - call.created_us) / 1e6, 6),
                leg=number[recording.leg_id],
                type=recording.type.value,
                status=recording.status.value,
                outcome="" if entry is None else entry.outcome,
                seconds=recording.duration_ms / 1000,
                heard=" ".join(heard),
            )
        )
    return found


def _callbacks(store: Store, call: Call, callback: Callable[[Event], bytes]) -> list[Posted]:
    found = []
    for event in rows.events_of(store, call.world_id, call.id):
        body = callback(event)
        item = msgspec.json.decode(body)["items"][0]
        found.append(
            Posted(
                at=round((event.at_us - call.created_us) / 1e6, 6),
                type=item["type"],
                event=item["event"],
                payload=item["payload"],
                body=body,
            )
        )
    return found
