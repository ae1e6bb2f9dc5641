"""A journal as a replay reads it: lines whose ids are numbers, and what of each line is compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from callwright.calls import journal
from callwright.calls.journal import AnyEntry
from callwright.calls.rows import Told
from callwright.flows.schema import with_step_ids
from callwright.replay.alignment import pairs

# What only the network knows, or what is of the machine: it is given back as it is on record and is not compared.
COPIED: Mapping[type[journal.Entry], tuple[str, ...]] = {
    journal.CallMade: ("ids", "times", "number", "webhook"),
    journal.LegMade: ("ids", "times", "sip_call_id"),
    journal.LegAddressed: ("sip_call_id",),
    journal.FlowStarted: ("flow_id", "flow"),  # its steps are compared as they are begun
    journal.DigitPressed: ("duration_ms", "means"),
    journal.MediaFetched: ("status",),
    journal.FlowAnswered: ("url", "flow"),  # the URL as it was asked holds the call's id
    journal.RecordingMade: ("file", "key_id"),
    journal.VoiceHeard: ("after_us",),
    journal.Bridged: ("how",),  # relay or mix
    journal.LegLast: ("sip_phrase", "reason", "detail", "counters"),  # Reason headers, RTP counters, MOS
}
# Lines that tell of the machine or the network alone: a replay need not have them.
PASSED_OVER = (journal.TimerLate, journal.Ignored, journal.SessionRefreshed, journal.ForkReleased, journal.LateAnswerReleased)
# What says which line it is; the rest of its fields say how it went.
_NAMES: Mapping[type[journal.Entry], tuple[str, ...]] = {
    journal.CallMoved: ("status",),
    journal.LegMoved: ("leg", "status"),
    journal.StepStarted: ("step",),
    journal.StepEnded: ("step",),
    journal.StepSkipped: ("step",),
    journal.DigitPressed: ("leg", "digit"),
    journal.VariableSet: ("variable",),
    journal.MediaFetched: ("url",),
    journal.FlowAnswered: ("how",),
    journal.RecordingMade: ("recording",),
    journal.RecordingMoved: ("recording", "status"),
    journal.TranscriptionWanted: ("recording",),
    journal.VoiceHeard: ("leg", "what"),
    journal.Asked: ("what", "leg"),
}
_BY_LEG = ("leg",)


class Line(msgspec.Struct, frozen=True):
    """One line of a journal, by its place in it from 0."""

    index: int
    at_us: int
    entry: AnyEntry


def lines_of(told: Iterable[Told]) -> list[Line]:
    return [Line(index, line.at_us, line.entry) for index, line in enumerate(told)]


def read_told(entries: Iterable[Mapping[str, Any]], moment: Any) -> list[Told]:
    """Journal entries as the native interface gives them; `moment` reads a time. Raises `msgspec.ValidationError` for what
    this program does not know.
    """
    found = []
    for given in entries:
        fields = {name: value for name, value in given.items() if name not in ("seq", "at")}
        found.append(Told(given["seq"], moment(given["at"]), msgspec.convert(fields, AnyEntry)))
    return found


class Compared(NamedTuple):
    """What a line is known by in both journals, and what else of it is compared."""

    name: str
    rest: dict[str, Any]


class Reader:
    """Reads a journal from its beginning. `steps` says what steps of its first flow are called in the other journal."""

    def __init__(self, steps: Mapping[str, str] | None = None) -> None:
        self._renamed = dict(steps or {})
        self._bodies: dict[str, dict[str, Any]] = {}
        self._first = True
        self.legs: dict[UUID, int] = {}
        self.recordings: dict[UUID, int] = {}

    def read(self, entry: AnyEntry) -> Compared | None:
        """None for a line that is passed over. Lines are to be read in their order, each once."""
        self._learn(entry)
        if isinstance(entry, PASSED_OVER):
            return None
        kind = type(entry)
        fields = self._fields(entry)
        names = _NAMES.get(kind, _BY_LEG if "leg" in fields else ())
        name = " ".join([str(kind.__struct_config__.tag), *(str(fields.pop(field)) for field in names)])
        for field in COPIED.get(kind, ()):
            fields.pop(field, None)
        return Compared(name, fields)

    def body(self, step: str) -> dict[str, Any]:
        """A step of the flow that runs, empty where it is not known."""
        return self._bodies.get(step, {})

    def _learn(self, entry: AnyEntry) -> None:
        match entry:
            case journal.LegMade(leg=leg):
                self.legs[leg.id] = leg.n
            case journal.RecordingMade(recording=recording):
                self.recordings[recording] = len(self.recordings) + 1
            case journal.FlowStarted(flow=flow):
                if not self._first:
                    self._renamed = {}
                self._first = False
                self._bodies = steps_of(flow)
            case journal.FlowAnswered(flow=dict() as flow):
                self._renamed = {}
                self._bodies = steps_of(flow)

    def _fields(self, entry: AnyEntry) -> dict[str, Any]:
        match entry:
            case journal.CallMade(call=call):
                return {"source": call.source, "destination": call.destination, "tags": call.tags, "metadata": call.metadata}
            case journal.LegMade(leg=leg):
                return {"leg": leg.n, "direction": leg.direction, "source": leg.source, "destination": leg.destination}
        fields: dict[str, Any] = {name: getattr(entry, name) for name in entry.__struct_fields__}
        for name in ("leg", "other", "referrer"):
            if fields.get(name) is not None:
                fields[name] = self.legs.get(fields[name], 0)
        if "recording" in fields:
            fields["recording"] = self.recordings.get(fields["recording"], 0)
        if "step" in fields:
            step = fields["step"]
            fields["step"] = self._renamed.get(step, step)
            if isinstance(entry, journal.StepStarted):
                fields.update(_content(self.body(step)))
        return fields


def steps_of(flow: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The steps of a flow by their ids, those that it was sent without named as they are when it runs."""
    steps = flow.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        return {}
    return {step["id"]: step for step in with_step_ids({"steps": steps})["steps"] if isinstance(step["id"], str)}


def _content(step: Mapping[str, Any]) -> dict[str, Any]:
    """What a step does; where its keys lead to is seen in what follows."""
    options = step.get("options")
    return dict(options) if isinstance(options, dict) else {}


def renamed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """Which steps of a flow are which of another's: those of the same id, else those that stand in the same place between
    steps that are alike. By the ids of `after`.
    """
    old, new = steps_of(before), steps_of(after)
    if _named(before) and _named(after):
        return {}
    found = pairs([_alike(step) for step in old.values()], [_alike(step) for step in new.values()])
    pairing = {list(new)[there]: list(old)[here] for here, there in found}
    taken = set(pairing.values())
    for step in new:
        if step not in pairing:
            pairing[step] = step if step not in old or step not in taken else f"{step}'"
    return pairing


def _named(flow: Mapping[str, Any]) -> bool:
    """Whether its steps have ids that somebody chose."""
    steps: Sequence[Any] = flow.get("steps") or ()
    return not any(str(step.get("id") or "step-").startswith("step-") for step in steps if isinstance(step, dict))


def _alike(step: Mapping[str, Any]) -> tuple[str, str]:
    content = {name: value for name, value in step.items() if name not in ("id", "onKeypressGoto")}
    return str(step.get("action")), msgspec.json.encode(content, order="deterministic").decode()
