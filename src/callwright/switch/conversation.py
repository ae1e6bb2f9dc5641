"""Who hears whom, who is on hold, and what is played to those who wait: ring-back, and music.

A member is in the conversation, or will be as soon as there is another. What is played here goes on until it is stopped
and is no step of the flow.
"""

from __future__ import annotations

from uuid import UUID

from callwright import telephony
from callwright.switch.live import LiveCall

# The far end neither sends nor takes sound: it put us on hold and plays nothing (RFC 3264 §8.4).
INACTIVE = "inactive"


class Conversation:
    """The conversation of a call."""

    def __init__(self, call: LiveCall) -> None:
        self._call = call
        self._members: list[UUID] = []
        self._held: set[UUID] = set()
        self._inactive: set[UUID] = set()
        self._heard: dict[UUID, str] = {}

    def __contains__(self, leg_id: UUID) -> bool:
        return leg_id in self._members or leg_id in self._held

    def is_held(self, leg_id: UUID) -> bool:
        return leg_id in self._held

    def others(self, leg_id: UUID) -> list[UUID]:
        """Whom a leg hears now."""
        return [member for member in self._members if member != leg_id] if leg_id in self._members else []

    # joining and leaving

    def join(self, leg_id: UUID) -> None:
        """Let a leg hear the others; one on hold stays there."""
        if leg_id in self:
            return
        self.quiet(leg_id)
        if self._members:
            for member in self._members:
                self.quiet(member)
            self._call.command(telephony.Bridge, leg_id, other=self._members[0])
        self._members.append(leg_id)

    def leave(self, leg_id: UUID) -> None:
        """Take a leg out; it stays up."""
        if leg_id in self._held:
            self.unhold(leg_id, join=False)
        elif leg_id in self._members:
            self._part(leg_id)

    def gone(self, leg_id: UUID) -> None:
        """A leg is over; the engine has taken it out, or will with its end."""
        self._heard.pop(leg_id, None)
        self._held.discard(leg_id)
        self._inactive.discard(leg_id)
        if leg_id in self._members:
            self._members.remove(leg_id)
            self._entertain()

    def not_joined(self, leg_id: UUID) -> None:
        """The engine would not let a leg join."""
        if leg_id in self._members:
            self._members.remove(leg_id)

    def _part(self, leg_id: UUID) -> None:
        if len(self._members) > 1:
            self._call.command(telephony.Unbridge, leg_id)
        self._members.remove(leg_id)
        self._entertain()

    # hold, ours and theirs

    def hold(self, leg_id: UUID) -> None:
        """Take a member out of the conversation, tell its far end, and play it music."""
        self._part(leg_id)
        self.quiet(leg_id)
        self._held.add(leg_id)
        self._call.command(telephony.Hold, leg_id)
        self.play(leg_id, self._call.settings.music)

    def unhold(self, leg_id: UUID, *, join: bool = True) -> None:
        self._held.remove(leg_id)
        self.quiet(leg_id)
        self._call.command(telephony.Resume, leg_id)
        if join:
            self.join(leg_id)

    def far_end_says(self, leg_id: UUID, direction: str) -> None:
        """The far end of a leg put us on hold, or took us off: who talks to it alone hears music meanwhile."""
        if direction == INACTIVE:
            self._inactive.add(leg_id)
        else:
            self._inactive.discard(leg_id)
        self._entertain()

    def _entertain(self) -> None:
        """Music for those who would hear nothing, and only for those."""
        music = self._call.settings.music
        silent_pair = len(self._members) == 2 and self._call.settings.hold_music
        for index, member in enumerate(self._members):
            if silent_pair and self._members[1 - index] in self._inactive and member not in self._inactive:
                if member not in self._heard and not self._call.prompts(member):
                    self.play(member, music)
            elif self._heard.get(member) == music:
                self.quiet(member)

    # what is played to those who wait

    def ring_back(self, leg_id: UUID) -> None:
        """Let a leg that hears nobody hear that someone is called for it."""
        if not self.others(leg_id) and leg_id not in self._held and not self._call.prompts(leg_id):
            self.play(leg_id, self._call.settings.ringback)

    def ring_back_alone(self) -> None:
        """Let who waits alone in the conversation hear that someone is called into it."""
        if len(self._members) == 1:
            self.ring_back(self._members[0])

    def stop_ringing_back(self) -> None:
        for member in self._members:
            if self._heard.get(member) == self._call.settings.ringback:
                self.quiet(member)

    def play(self, leg_id: UUID, file: str) -> None:
        if file and self._heard.get(leg_id) != file:
            self._heard[leg_id] = file
            self._call.command(telephony.Play, leg_id, files=(file,), repeat=0)

    def quiet(self, leg_id: UUID) -> None:
        if self._heard.pop(leg_id, ""):
            self._call.command(telephony.Stop, leg_id)
