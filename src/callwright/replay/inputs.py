"""Finds what came from outside in the journal of a recorded call: pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from callwright.calls import journal
from callwright.calls.model import LIVE_LEG, CallStatus, Direction, LegStatus
from callwright.errors import CallwrightError
from callwright.reasons import Reason
from callwright.replay.plan import AnswerPlan, LegPlan, Plan, PromptPlan, RecordingPlan
from callwright.replay.record import Line, Reader

# Whatever ended a call so came from the server itself; there is nothing of it to be replayed.
_OF_THE_SERVER = frozenset({Reason.STORE_UNAVAILABLE, Reason.NODE_RESTARTED, Reason.INTERNAL})
_NEVER_BEGUN = frozenset({Reason.NO_ROUTE, Reason.NOT_ALLOWED, Reason.LIMIT})
# What an engine settles before the last word on a leg, it settles within this time.
MOMENT_US = 200_000
_ACTS = (
    journal.DigitPressed,
    journal.Held,
    journal.SessionRefreshed,
    journal.ForkReleased,
    journal.VoiceHeard,
    journal.ReferReceived,
    journal.Bridged,
    journal.Unbridged,
    journal.Asked,
)


class NothingToReplay(CallwrightError):
    """The journal has no call that could be replayed; the message says why."""


def read(lines: Sequence[Line]) -> Plan:
    """Find what came from outside. Raises `NothingToReplay`."""
    if not lines or not isinstance(lines[0].entry, journal.CallMade):
        raise NothingToReplay("The journal does not begin with the call; an old retention may have taken its beginning.")
    kept, missing = _replayable(lines)
    first_flow = next((line.entry for line in kept if isinstance(line.entry, journal.FlowStarted)), None)
    plan = Plan(
        lines=kept,
        call=lines[0].entry.call,
        flow=None if first_flow is None else first_flow.flow,
        flow_id=None if first_flow is None else first_flow.flow_id,
        missing=missing,
    )
    reading = _Reading(plan)
    for line in kept:
        reading.take(line)
    if not plan.legs:
        raise NothingToReplay("The journal has no leg: the call was never begun.")
    reading.finish()
    return plan


def _replayable(lines: Sequence[Line]) -> tuple[list[Line], list[str]]:
    """The lines until the server itself ended the call, and a sentence where it did. Labels that came later are left out."""
    for place, line in enumerate(lines):
        entry = line.entry
        if isinstance(entry, journal.Settled) or (isinstance(entry, journal.LegMoved) and entry.reason in _OF_THE_SERVER):
            reason = entry.reason
            assert reason is not None
            return list(lines[:place]), [f"{reason.sentence} What that ended is not replayed."]
    last = max((n for n, line in enumerate(lines) if not isinstance(line.entry, journal.CallLabelled)), default=0)
    return list(lines[: last + 1]), []


class _Reading:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._ended: dict[UUID, Line] = {}  # by us: the line that ended the leg on record
        self._step: Line | None = None
        self._began_us = 0  # when what A hears in the step at hand can have begun
        self._made_us: dict[UUID, int] = {}
        self._intended_us: dict[UUID, int] = {}
        self._answered: dict[UUID, int] = {}
        self._recordings: dict[UUID, tuple[int, RecordingPlan]] = {}
        self._paused: set[UUID] = set()
        self._referring: dict[UUID, int] = {}
        self._asked_us = 0  # when a web service was asked, if one was
        self._reader = Reader()
        self._body: dict[str, Any] = {}  # the step at hand, or the last one
        self._before: Line | None = None
        self._judged: set[UUID] = set()
        self._heard: set[UUID] = set()

    def take(self, line: Line) -> None:
        plan = self._plan
        self._reader.read(line.entry)
        if isinstance(line.entry, _ACTS):
            plan.acts.append(line)
        match line.entry:
            case journal.LegMade(leg=leg):
                plan.legs[leg.n] = LegPlan(made=leg)
                self._made_us[leg.id] = line.at_us
            case journal.CallMoved(status=CallStatus.STARTING):  # its turn to be dialled has come
                self._made_us[plan.legs[1].made.id] = line.at_us
            case journal.LegMoved():
                self._moved(line, line.entry)
            case journal.LegIntends(leg=leg_id):
                self._intended_us[leg_id], self._leg(leg_id).intended = line.at_us, True
            case journal.LegAddressed(leg=leg_id, sip_call_id=sip_call_id) if sip_call_id:
                self._leg(leg_id).sip_call_id = sip_call_id
            case journal.LegLast():
                self._last(line, line.entry)
            case journal.LateAnswerReleased(leg=leg_id):
                self._late_answer(line, leg_id)
            case journal.TimerLate(late_us=late_us):
                plan.late.append((line.at_us - late_us, late_us))
            case journal.CallLabelled() if not self._tags():
                plan.acts.append(line)
            case journal.Bridged(leg=leg_id, other=other):
                for one in (leg_id, other):
                    if one not in self._answered and plan.leg(one):
                        self._leg(one).early_media = True
            case journal.Judged(leg=leg_id, basis=basis):
                self._began_us = line.at_us
                if leg_id not in self._heard and not basis.startswith("nothing"):
                    self._judged.add(leg_id)
            case journal.VoiceHeard(leg=leg_id):
                self._heard.add(leg_id)
            case journal.ReferSent(leg=leg_id):
                self._referring[leg_id] = line.at_us
            case journal.ReferEnded(leg=leg_id) if leg_id in self._referring:
                referred, sent_us = self._leg(leg_id), self._referring.pop(leg_id)
                # Of a leg that is over already the end is our own word.
                span = None if leg_id in self._ended or referred.last is not None else line.at_us - sent_us
                plan.referred.setdefault(referred.made.n, []).append((span, line.entry))
            case _:
                self._of_flow(line)
        self._before = line

    def finish(self) -> None:
        """What only the whole tells."""
        plan = self._plan
        self._close_step(plan.lines[-1], "")
        for recording in plan.recordings:
            last = plan.legs[recording.leg].last
            recording.untold = last is not None and recording.ended_line is not None and recording.ended_line > last.index
            if last is not None and recording.ended_line is not None and not plan.legs[recording.leg].by_us:
                recording.with_leg = 0 <= last.at_us - plan.lines[recording.ended_line].at_us <= MOMENT_US
        plan.over = all(leg.no_route or leg.last is not None for leg in plan.legs.values())
        if self._judged:
            plan.missing.append(
                "The journal is of an older program, which kept no record of voices: who answered cannot be judged again."
            )

    # legs

    def _moved(self, line: Line, moved: journal.LegMoved) -> None:
        leg = self._leg(moved.leg)
        if moved.status is LegStatus.RINGING:
            leg.rings, leg.rings_line = line.at_us - self._made_us[moved.leg], line.index
        elif moved.status is LegStatus.ONGOING:
            since = self._intended_us.get(moved.leg, self._made_us[moved.leg])
            leg.answered, leg.answered_line = line.at_us - since, self._first_of(line, journal.LegAddressed)
            self._answered[moved.leg] = line.at_us
            if leg.made.n == 1:
                self._began_us = line.at_us
        elif moved.status not in LIVE_LEG and leg.last is None:
            leg.by_us = True
            self._ended[moved.leg] = line
            self._decided(line, leg, moved)

    def _first_of(self, line: Line, kind: type[journal.Entry]) -> int:
        """The first line of an event, where one of a kind may come before the one at hand."""
        before = self._before
        same = before is not None and isinstance(before.entry, kind) and before.at_us == line.at_us
        return line.index - same

    def _decided(self, line: Line, leg: LegPlan, moved: journal.LegMoved) -> None:
        """We ended a leg, or it never was one on the wire."""
        reason = moved.reason
        assert reason is not None
        if reason in _NEVER_BEGUN:
            leg.no_route = (reason, moved.detail)
        if reason is Reason.MEDIA_TIMEOUT and self._plan.silent is None:
            self._plan.silent = line
        self._limits(line, leg, reason)
        if leg.made.n == 1 and self._plan.flow is None and leg.made.direction is Direction.INCOMING:
            self._plan.fault = (reason, moved.detail)

    def _limits(self, line: Line, leg: LegPlan, reason: Reason) -> None:
        late = self._before is not None and isinstance(self._before.entry, journal.TimerLate)
        late_us = self._plan.late[-1][1] if late else 0
        options = self._body.get("options") or {}
        if reason is Reason.RING_TIMEOUT and "ringTimeout" not in options:
            self._plan.ring_timeout = (line.at_us - late_us - leg.made.created_us) / 1e6
        answered = self._answered.values()
        if reason is Reason.MAX_DURATION and answered and self._plan.max_duration is None:
            self._plan.max_duration = (line.at_us - late_us - min(answered)) / 1e6

    def _last(self, line: Line, entry: journal.LegLast) -> None:
        leg = self._leg(entry.leg)
        leg.last = line
        if leg.by_us:
            leg.released = line.at_us - self._ended[entry.leg].at_us
        else:
            self._plan.acts.append(line)

    def _late_answer(self, line: Line, leg_id: UUID) -> None:
        before = self._before
        if before is not None and isinstance(before.entry, journal.LegLast) and before.entry.leg == leg_id:
            self._leg(leg_id).late_answer = True
        else:
            self._plan.acts.append(line)

    def _leg(self, leg_id: UUID) -> LegPlan:
        return self._plan.legs[self._plan.leg(leg_id)]

    # the flow

    def _of_flow(self, line: Line) -> None:
        match line.entry:
            case journal.FlowStarted():
                self._close_step(line, "")
            case journal.StepStarted():
                self._close_step(line, "")
                self._step, self._began_us = line, line.at_us
                self._body = self._reader.body(line.entry.step)
                self._plan.prompts[line.index] = PromptPlan(step=self._body)
                self._asked_us = line.at_us
            case journal.StepEnded(outcome=outcome, detail=detail):
                self._close_step(line, outcome, detail)
                self._asked_us = line.at_us
            case journal.MediaFetched() if self._step is not None:
                prompt = self._plan.prompts[self._step.index]
                if not prompt.fetched:
                    prompt.fetched_line = line.index
                prompt.fetched.append(line.entry)
                prompt.fetching = line.at_us - self._began_us
            case journal.FlowAnswered():
                self._answer(line, line.entry)
            case journal.RecordingMade() | journal.RecordingMoved():
                self._recording(line)

    def _close_step(self, line: Line, outcome: str, detail: str = "") -> None:
        if self._step is None:
            return
        prompt, entry = self._plan.prompts[self._step.index], self._step.entry
        assert isinstance(entry, journal.StepStarted)
        span, prompt.began_us = line.at_us - self._began_us, self._began_us
        if entry.action != "record":
            prompt.least = span
            if outcome == "played":
                prompt.length, prompt.line = span, line.index
            elif outcome == "failed":
                prompt.fault, prompt.length, prompt.line = detail, span, line.index
        if outcome:
            self._step = None

    def _answer(self, line: Line, entry: journal.FlowAnswered) -> None:
        options = self._body.get("options") or {}
        asked = options.get("url" if entry.how == "fetch" else "onFinish")
        bare = asked.partition("?")[0] if isinstance(asked, str) else None
        self._plan.answers.append(AnswerPlan(line=line.index, asked=bare, span=line.at_us - self._asked_us, entry=entry))

    def _tags(self) -> bool:
        """Whether labels that are written now are the flow's: they come within a step that does nothing else."""
        return self._before is not None and isinstance(self._before.entry, journal.StepStarted)

    # recordings

    def _recording(self, line: Line) -> None:
        match line.entry:
            case journal.RecordingMade(recording=recording, leg=leg_id, type=kind):
                found = RecordingPlan(leg=self._plan.leg(leg_id))
                self._recordings[recording] = (line.at_us, found)
                self._plan.recordings.append(found)
                if kind == "ivr" and self._step is not None:  # the beep before it took so long
                    prompt = self._plan.prompts[self._step.index]
                    prompt.length, prompt.line = line.at_us - self._began_us, line.index
            case journal.RecordingMoved(recording=recording, outcome="", status="recording") if recording in self._paused:
                self._paused.discard(recording)
                self._plan.acts.append(line)
            case journal.RecordingMoved(recording=recording, outcome="", status="paused"):
                self._paused.add(recording)
                self._plan.acts.append(line)
            case journal.RecordingMoved(recording=recording, outcome=""):
                made_us, found = self._recordings[recording]
                found.began, found.began_line = line.at_us - made_us, line.index
            case journal.RecordingMoved(recording=recording):
                made_us, found = self._recordings[recording]
                found.ended, found.ended_line, found.end = line.at_us - made_us, line.index, line.entry
                self._asked_us = line.at_us
