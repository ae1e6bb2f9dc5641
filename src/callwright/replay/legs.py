"""A leg of a replay, as its engine knows it."""

from __future__ import annotations

from enum import Enum
from uuid import UUID

from callwright import telephony
from callwright.replay.plan import LegPlan, RecordingPlan
from callwright.replay.timeline import Item


class State(Enum):
    ARRIVED = "arrived"
    DIALLING = "dialling"
    ANSWERED = "answered"
    OVER = "over"


class Take:
    def __init__(self, leg: Leg, command: telephony.StartRecording, plan: RecordingPlan, began_us: float) -> None:
        self.leg = leg
        self.command = command
        self.plan = plan
        self.began_us = began_us
        self.end: Item | None = None


class Leg:
    def __init__(self, leg: UUID, call: UUID | None, state: State, plan: LegPlan) -> None:
        self.id = leg
        self.call = call
        self.state = state
        self.plan = plan
        self.seq = 0
        self.others: list[Leg] = []  # those of its conversation, with itself
        self.joined: Leg | None = None
        self.to_be_told: set[str] = set()  # of what it is to be told: bridged, unbridged, held
        self.hung_up = False
        self.play: tuple[int, bool] | None = None  # its command, and whether a key stops it
        self.play_over: Item | None = None
        self.takes: dict[UUID, Take] = {}
        self.listens_from_us: int | None = None
