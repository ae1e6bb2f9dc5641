"""What a call is given when it starts: what it is to do, and what it shares with the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol
from uuid import UUID

from callwright.calls import journal
from callwright.calls.lifecycle import CallRecord
from callwright.clock import Clock
from callwright.errors import Problem
from callwright.flows.flows import StoredFlow
from callwright.flows.schema import Flow
from callwright.flows.settings import FlowSettings
from callwright.reasons import Reason
from callwright.recordings.model import Recording, RecordingType
from callwright.recordings.recordings import Begun, Moved
from callwright.store import Change, Store
from callwright.switch.fetching import FetchedFlow
from callwright.switch.settings import CallSettings
from callwright.switch.sounds import Sounds
from callwright.telephony import Engine, Incoming, RecordOutcome, Speech, Target, Tracks


class FlowFetcher(Protocol):
    """Where flows are asked for; `fetching.FlowSource`, which says what is raised."""

    async def fetch(self, url: str, query: Mapping[str, str], *, world: UUID, base: str = "") -> FetchedFlow: ...

    async def finish(self, url: str, query: Mapping[str, str], body: bytes, *, world: UUID, base: str = "") -> FetchedFlow: ...


class RecordingRows(Protocol):
    """Where recordings are kept; `recordings.Recordings`."""

    def begin(self, world_id: UUID, call_id: UUID, leg_id: UUID, kind: RecordingType, tracks: Tracks, at_us: int) -> Begun: ...

    def started(self, recording: Recording, at_us: int) -> Moved: ...

    def paused(self, recording: Recording, at_us: int) -> Moved: ...

    def finished(self, recording: Recording, outcome: RecordOutcome, duration_ms: int, detail: str, at_us: int) -> Moved: ...

    def leave_empty(self, recording: Recording) -> bool: ...


class Supplies(NamedTuple):
    """What flows of calls need from other rooms.

    `transcribe` gives what is to be committed for a recording to be written down in a language.
    `recording_body` is a recording as ``onFinish`` is told of it. `fallback` is the flow callers are to hear when the
    next one cannot be had; `recorded` counts recordings that are over.
    """

    sounds: Sounds
    speech: Speech
    flow_source: FlowFetcher
    recordings: RecordingRows
    transcribe: Callable[[Recording, str, int], Change]
    recording_body: Callable[[Recording], bytes]
    fallback: Callable[[], Flow | None] = lambda: None
    recorded: Callable[[Recording], None] = lambda recording: None
    flow_settings: FlowSettings = FlowSettings()


class Surroundings(NamedTuple):
    """What a call shares with the others of its world: the engine, the way to destinations, disk, clock, and supplies.

    `own_hosts` are names and addresses of this server in the URIs of far ends.
    """

    engine: Engine
    route: Callable[[str], Target]
    store: Store
    clock: Clock
    supplies: Supplies
    settings: CallSettings
    new_leg_id: Callable[[int], UUID]
    allow_leg: Callable[[], bool]
    over: Callable[[CallRecord], None]
    own_hosts: frozenset[str] = frozenset()


class Plan(NamedTuple):
    """What a call is to do. Without a flow it ends for `fault`; `entry` tells the journal which flow it is."""

    flow: Flow | None = None
    entry: journal.FlowStarted | None = None
    fault: Reason = Reason.NO_FLOW
    detail: str = ""
    hops: int = 1
    max_forwards: int = 70


def plan_for(flow: StoredFlow | None, call: Incoming) -> Plan:
    """What a call that comes in is to do."""
    plan = Plan(hops=call.hops + 1, max_forwards=call.max_forwards - 1)
    if flow is None:
        return plan
    plan = plan._replace(entry=journal.FlowStarted(flow_id=flow.id, flow=flow.body))
    try:
        return plan._replace(flow=flow.compiled())
    except Problem as problem:
        return plan._replace(fault=Reason.BAD_FLOW, detail=f"{problem.parameter}: {problem.message}")
