"""What a call is given when it starts: what it is to do, and what it shares with the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from callwright.calls import journal
from callwright.calls.lifecycle import CallRecord
from callwright.clock import Clock
from callwright.flows.schema import Flow
from callwright.reasons import Reason
from callwright.store import Store
from callwright.switch.settings import CallSettings
from callwright.switch.sounds import Sounds
from callwright.telephony import Engine, Target


class Surroundings(NamedTuple):
    """What a call shares with the others of its world: the engine, the way to destinations, disk, clock and sounds."""

    engine: Engine
    route: Callable[[str], Target]
    store: Store
    clock: Clock
    sounds: Sounds
    settings: CallSettings
    new_leg_id: Callable[[int], UUID]
    allow_leg: Callable[[], bool]
    over: Callable[[CallRecord], None]


class Plan(NamedTuple):
    """What a call is to do. Without a flow it ends for `fault`; `entry` tells the journal which flow it is."""

    flow: Flow | None = None
    entry: journal.FlowStarted | None = None
    fault: Reason = Reason.NO_FLOW
    detail: str = ""
    hops: int = 1
    max_forwards: int = 70
