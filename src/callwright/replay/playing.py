"""Runs a recorded call again, in virtual time, on the server's own rooms."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from callwright import ids
from callwright.calls import journal, rows
from callwright.calls.labels import Relabelling
from callwright.calls.rows import Told
from callwright.clock import VirtualClock, VirtualLoop
from callwright.errors import Problem
from callwright.flows.flows import StoredFlow
from callwright.flows.schema import compile_flow
from callwright.reasons import Reason
from callwright.rehearsal.ear import Ear
from callwright.rehearsal.parties import Party
from callwright.rehearsal.performer import Performer
from callwright.rehearsal.platform import Props, Rehearsal
from callwright.rehearsal.prompts import Prompts, RehearsedSounds
from callwright.rehearsal.web import ScriptedWeb
from callwright.replay import inputs
from callwright.replay.engine import ReplayedEngine
from callwright.replay.follower import Follower
from callwright.replay.plan import Plan
from callwright.replay.prompting import Prompting
from callwright.replay.record import Line, Reader, lines_of, renamed
from callwright.replay.surroundings import NobodyThere, OneFlow, ReplayedFlows, ReplayedNetwork, UnfitFlow, WatchedStore
from callwright.replay.timeline import ReplayClock, Timeline
from callwright.settings import Settings, rooms
from callwright.switch.settings import CallSettings
from callwright.trunks.routes import parse_sip_uri

BEEP = "/replayed/beep.wav"
# A call that is up on record is followed so long beyond its last line.
BEYOND_US = 100_000
# Of a call placed whose party never answered, the journal does not have the flow; nor does it matter.
NEVER_RUN: Mapping[str, Any] = {"steps": [{"action": "hangup"}]}


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """`recorded` and `replayed` are the two journals; `steps` is as of `record.renamed`; `missing` has what is lacking."""

    plan: Plan
    recorded: list[Line]
    replayed: list[Line]
    steps: dict[str, str]
    missing: list[str]


def replay(told: Sequence[Told], settings: Settings | None = None, flow: Mapping[str, Any] | None = None) -> Replayed:
    """Have a call again: on the flow it had, or on another. Raises `inputs.NothingToReplay`, and `Problem` for a flow that
    cannot run.
    """
    plan = inputs.read(lines_of(told))
    body = plan.flow if flow is None else flow
    if body is not None:  # an older program may have taken what this one does not
        compile_flow(dict(body))
    stage = _Stage(plan, settings or Settings(), flow)
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(stage.play())
    return Replayed(
        plan=plan,
        recorded=plan.lines,
        replayed=lines_of(stage.told),
        steps=stage.steps,
        missing=[*plan.missing, *stage.missing],
    )


class _Stage:
    def __init__(self, plan: Plan, settings: Settings, flow: Mapping[str, Any] | None) -> None:
        self._plan = plan
        self._settings = settings
        self._flow = flow
        self.steps = renamed(plan.flow, flow) if flow is not None and plan.flow is not None else {}
        self.told: list[Told] = []
        self.missing: list[str] = []
        self._asking: set[asyncio.Task[None]] = set()

    async def play(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        plan = self._plan
        clock, call_clock = VirtualClock(loop, plan.call.created_us), ReplayClock(loop, plan.call.created_us)
        timeline = call_clock.timeline = Timeline(clock, plan.late)
        prompts, store = Prompts(), WatchedStore.in_memory()
        assert isinstance(store, WatchedStore)
        self._follower = follower = Follower(
            plan.lines, Reader(self.steps), timeline, lambda *lines: self._engine.acts.skip(*lines)
        )
        prompting = Prompting(plan, follower, timeline, prompts)
        self._engine = ReplayedEngine(clock, timeline, plan, prompting, follower, self._ask)
        ear = Ear(self._engine, Performer(clock, NobodyThere()), prompts, lambda destination: Party())
        props = Props(
            network=ReplayedNetwork(ear, self._engine, plan),
            speech=prompting,
            sounds=RehearsedSounds(prompts),
            web=ScriptedWeb(clock),
            flow_source=ReplayedFlows(plan, timeline, follower),
            sound_source=prompting,
            own_hosts=_own_hosts(plan),
        )
        calls = _as_then(replace(rooms.call_control(self._settings), beep=BEEP), plan)
        self._stage = Rehearsal(store, call_clock, self._settings, props, calls, keeps_sound=False)
        flows = self._stage.flows = OneFlow(store, clock)
        await self._stage.start()
        flows.flow = self._stored()
        store.follower = follower
        try:
            await self._call(timeline)
        finally:
            for task in self._asking:
                task.cancel()
            await self._stage.stop()

    async def _call(self, timeline: Timeline) -> None:
        stage, plan = self._stage, self._plan
        first = plan.legs[1].made
        if plan.incoming:
            await stage.numbers.make(stage.world, first.destination, None)
            call_id = await stage.dial(first.destination, first.source, Party())
        else:
            self._engine.begin()
            labels: dict[str, Any] = {"tags": plan.call.tags, "metadata": plan.call.metadata}
            body = self._flow or plan.flow or NEVER_RUN
            call_id = await stage.place(first.source, first.destination, body, **labels)
        if plan.over:
            await stage.over(call_id)
        else:
            end_us = plan.lines[-1].at_us + BEYOND_US
            while timeline.now_us < end_us and stage.switch.carries(call_id):
                await stage.clock.sleep(max(0.001, (end_us - timeline.now_us) / 1e6))
        self.told = rows.journal_of(stage.store, stage.world.id, call_id)

    def _stored(self) -> StoredFlow | None:
        """The flow that a caller's number has."""
        plan = self._plan
        body = self._flow if self._flow is not None else plan.flow
        now, world_id = plan.call.created_us, self._stage.world.id
        flow_id = plan.flow_id or ids.uuid7(now)
        if body is not None:
            return StoredFlow(flow_id, world_id, dict(body), now, now)
        if plan.fault is not None and plan.fault[0] is Reason.BAD_FLOW:
            return UnfitFlow(flow_id, world_id, {}, now, now, plan.fault[1])
        return None

    # what was asked from outside

    def _ask(self, line: Line) -> None:
        task = asyncio.get_running_loop().create_task(self._do(line))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _do(self, line: Line) -> None:
        with suppress(Problem):  # what cannot be done now is a line that is missing
            match line.entry:
                case journal.Asked(what=what, leg=leg):
                    await self._wish(line, what, self._there(leg))
                case journal.CallLabelled(tags=tags, metadata=metadata):
                    call = rows.find_call(self._stage.store, self._stage.world.id, self._call_id)
                    assert call is not None
                    gone: dict[str, str | None] = dict.fromkeys(call.metadata)
                    change = Relabelling(tags=tags, metadata={**gone, **metadata})
                    await self._stage.switch.label_call(self._stage.world.id, self._call_id, change)
                case journal.RecordingMoved(recording=recording, status=status):
                    await self._pause(recording, paused=status == "paused")

    async def _wish(self, line: Line, what: str, leg: UUID | None) -> None:
        switch, world, call = self._stage.switch, self._stage.world.id, self._call_id
        following = [one.entry for one in self._plan.lines[line.index + 1 :]]
        match what:
            case "hang_up" if leg is not None:
                await switch.hang_up_leg(world, leg)
            case "hang_up":
                await switch.hang_up_call(world, call)
            case "shut_down":
                await switch.drain(0.0)
            case "replace_flow":
                flow = next(entry.flow for entry in following if isinstance(entry, journal.FlowStarted))
                await switch.replace_flow(world, call, compile_flow(flow), flow)
            case "add_party":
                made = next(entry.leg for entry in following if isinstance(entry, journal.LegMade))
                await switch.add_party(world, call, made.destination, made.source)
            case "hold" | "unhold" if leg is not None:
                await switch.hold_leg(world, leg, on=what == "hold")
            case "refer" if leg is not None:
                target = next(entry.target for entry in following if isinstance(entry, journal.ReferSent))
                await switch.refer_leg(world, call, leg, target)

    @property
    def _call_id(self) -> UUID:
        assert self._follower.call_id is not None, "the first line of a record is the call"
        return self._follower.call_id

    async def _pause(self, recorded: UUID, *, paused: bool) -> None:
        made = [line.entry.recording for line in self._plan.lines if isinstance(line.entry, journal.RecordingMade)]
        number = made.index(recorded) + 1
        here = next((one for one, n in self._follower.reader.recordings.items() if n == number), None)
        if here is not None:
            switch, world = self._stage.switch, self._stage.world.id
            await (switch.pause_recording if paused else switch.resume_recording)(world, here)

    def _there(self, recorded: UUID | None) -> UUID | None:
        n = self._plan.leg(recorded)
        return next((leg for leg, number in self._follower.reader.legs.items() if n and number == n), None)


def _as_then(calls: CallSettings, plan: Plan) -> CallSettings:
    """The settings of now, with those of then where the record shows them."""
    if plan.ring_timeout is not None:
        calls = replace(calls, ring_timeout=plan.ring_timeout)
    if plan.max_duration is not None and (plan.flow or {}).get("maxDuration") is None:
        calls = replace(calls, max_duration=plan.max_duration)
    return replace(calls, early_media=calls.early_media or any(leg.early_media for leg in plan.legs.values()))


def _own_hosts(plan: Plan) -> frozenset[str]:
    """The server's own names, as far as the record tells: a REFER to one of its numbers was taken for that number."""
    found: set[str] = set()
    for line in plan.lines:
        if isinstance(line.entry, journal.ReferReceived) and (uri := parse_sip_uri(line.entry.target)) is not None:
            following = (one.entry for one in plan.lines[line.index + 1 :])
            made = next((entry.leg for entry in following if isinstance(entry, journal.LegMade)), None)
            if made is not None and made.destination == uri.user:
                found.add(uri.host)
    return frozenset(found)
