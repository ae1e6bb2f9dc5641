"""Who hears whom in a replay, and who is on hold. A leg is told when the record has that, if it is near; else, where the record
is of no help, soon.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from uuid import UUID

from callwright import telephony
from callwright.calls import journal
from callwright.replay.acts import Acts
from callwright.replay.follower import Follower
from callwright.replay.legs import Leg, State
from callwright.replay.timeline import SOON_US, Timeline
from callwright.telephony import Command, CommandRefused

_ON_RECORD: dict[str, type[journal.Entry]] = {
    "bridged": journal.Bridged,
    "unbridged": journal.Unbridged,
    "held": journal.Held,
}


class Conversations:
    """`emit` tells an event of a leg."""

    def __init__(
        self, timeline: Timeline, follower: Follower, acts: Acts, legs: Mapping[UUID, Leg], emit: Callable[..., None]
    ) -> None:
        self._timeline = timeline
        self._follower = follower
        self._acts = acts
        self._legs = legs
        self._emit: Callable[..., None] = emit

    def submit(self, leg: Leg, command: Command) -> None:
        """Carry out a command, if it is one on conversations. Raises `CommandRefused`."""
        match command:
            case telephony.Bridge(other=other_id):
                other = self._legs.get(other_id)
                if other is None or other is leg or other.state is State.OVER or leg.others:
                    raise CommandRefused(f"the leg {leg.id} cannot hear {other_id}")
                leg.others = other.others = other.others or [other]
                leg.others.append(leg)
                leg.joined = other
                self._expect(leg, "bridged", partial(self.bridged, leg, "relay" if len(leg.others) == 2 else "mix"))
            case telephony.Unbridge():
                if not leg.others:
                    raise CommandRefused(f"the leg {leg.id} is in no conversation")
                self.leave(leg)
                self._expect(leg, "unbridged", partial(self.unbridged, leg))
            case telephony.Hold() | telephony.Resume():
                direction = "recvonly" if isinstance(command, telephony.Hold) else "sendrecv"
                self._expect(leg, "held", partial(self.held, leg, direction))

    def leave(self, leg: Leg) -> None:
        """A leg goes out of its conversation; who is left with nobody is told."""
        others, leg.others = leg.others, []
        if leg in others:
            others.remove(leg)
        if len(others) == 1:
            (alone,) = others
            alone.others = []
            if not alone.hung_up:
                self._expect(alone, "unbridged", partial(self.unbridged, alone))

    def bridged(self, leg: Leg, how: str) -> None:
        if "bridged" in leg.to_be_told and len(leg.others) > 1:
            leg.to_be_told.discard("bridged")
            assert leg.joined is not None
            self._emit(leg, telephony.Bridged, other=leg.joined.id, how=how)

    def unbridged(self, leg: Leg) -> None:
        """Told once it is so; or a moment before, when the far end of who is heard has gone and that is told next."""
        if "unbridged" not in leg.to_be_told:
            partner = next((other for other in leg.others if other is not leg), None)
            if partner is None or len(leg.others) != 2 or not self._acts.leaves_soon(partner):
                return
            leg.others.clear()
        leg.to_be_told.discard("unbridged")
        if leg.state is not State.OVER and not leg.hung_up:
            self._emit(leg, telephony.Unbridged)

    def held(self, leg: Leg, direction: str) -> None:
        if leg.state is not State.OVER:
            asked = "held" in leg.to_be_told
            leg.to_be_told.discard("held")
            # What answers a hold of ours is not said where there is none.
            if asked or direction != "recvonly" or not self._follower.astray:
                self._emit(leg, telephony.Held, direction=direction)

    def _expect(self, leg: Leg, what: str, tell: Callable[[], None]) -> None:
        leg.to_be_told.add(what)
        if self._follower.astray and not self._acts.has_near(_ON_RECORD[what], leg):
            self._timeline.after(SOON_US, tell)
