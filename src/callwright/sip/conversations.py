"""Who hears whom: conversations of two or more legs of a call, all of whose streams are in one media process.

A conversation is a list of legs that all its seats share. A leg whose stream is still being opened waits in it; the others
are named to media, each to be joined to one that was named before. What media is told is done in that order, so `Parted` of
a leg that is not joined is about a conversation that is history, and a leg that has asked to part is never joined to: a
`Bridge` of it, or onto it, waits until it has parted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from callwright.clock import Clock
from callwright.media import wire as media
from callwright.sip.leg import GONE, Leg, Seat, StreamState
from callwright.sip.telling import Emit, name_of, send
from callwright.telephony import Bridge, Bridged, CommandRefused, Unbridge, Unbridged

JOIN_S = 2.0


class Conversations:
    """Carries out `Bridge` and `Unbridge`. `lose` ends a leg whose media process does not do what it was asked in time."""

    def __init__(self, clock: Clock, emit: Emit, lose: Callable[[Leg, str], None]) -> None:
        self._clock = clock
        self._emit = emit
        self._lose = lose
        self._waiting: list[tuple[Leg, Leg]] = []  # each leg with the one it was asked to hear, in the order they were asked

    def bridge(self, leg: Leg, other: Leg | None, command: Bridge) -> None:
        if other is None or other is leg or other.call is not leg.call:
            raise CommandRefused(f"Bridge: {command.other} is no other leg of this call")
        if not other.audible:
            raise CommandRefused(f"Bridge: the other leg is {other.phase.value}")
        if self._waits(leg) or (leg.seat is not None and not leg.seat.parting):
            raise CommandRefused("Bridge: the leg is in a conversation; Unbridge it first")
        self._waiting.append((leg, other))
        self._go_on()

    def unbridge(self, leg: Leg, command: Unbridge) -> None:
        seat = leg.seat
        if self._waits(leg):
            self._waiting = [pair for pair in self._waiting if pair[0] is not leg]
            self._go_on()
        elif seat is None:
            raise CommandRefused("Unbridge: the leg is in no conversation")
        elif not seat.sent:
            self._remove(leg)
        elif not seat.parting:
            seat.parting = True
            send(leg, media.Part(leg.id))
            self._expect(leg, "part")

    def connected(self, leg: Leg) -> None:
        """The stream of a leg knows its far side: it can be joined now."""
        if leg.seat is not None and not leg.seat.sent:
            self._advance(leg.seat.legs)

    def leave(self, leg: Leg) -> None:
        """A leg is on its way out: wait for nothing more of it."""
        self._waiting = [pair for pair in self._waiting if leg not in pair]
        seat = leg.seat
        if seat is not None:
            _disarm(seat)
            if not seat.sent:
                self._remove(leg)

    def finish(self, leg: Leg) -> None:
        """Before a leg's last event: it is in no conversation any more, and whom it leaves alone is told."""
        seat = leg.seat
        if seat is None:
            return
        self._remove(leg)
        if len(seat.legs) == 1 and seat.legs[0].phase not in GONE:
            self._alone(seat.legs[0])
        else:
            self._advance(seat.legs)
        self._go_on()

    def joined(self, leg: Leg, message: media.Joined) -> None:
        seat = leg.seat
        if seat is None or not seat.sent or seat.joined:
            return
        if message.other != seat.anchor and all(message.other != member.id for member in seat.legs):
            return
        seat.joined = True
        if not seat.parting:
            _disarm(seat)
        hearing = [(member, member.seat) for member in _live(seat.legs) if member.seat is not None and member.seat.joined]
        if len(hearing) < 2:
            return
        for member, place in hearing:
            place.told = True
            if place.asked is not None:
                other, place.asked = place.asked, None
                self._emit(member, Bridged, other=other, how=message.how)

    def parted(self, leg: Leg, message: media.Parted) -> None:
        seat = leg.seat
        if seat is None or not seat.joined:
            return
        others = [member.seat for member in _staying(seat.legs) if member is not leg and member.seat is not None]
        if not seat.parting and any(place.sent for place in others):
            # Left alone by those who parted, while another is on its way to it.
            seat.joined = False
            self._expect(leg, "join")
        elif not seat.parting and others:
            self._unbridged(leg, seat)
            seat.sent = seat.joined = False
        else:
            self._remove(leg)
            self._unbridged(leg, seat)
            self._go_on()

    def _waits(self, leg: Leg) -> bool:
        return any(pair[0] is leg for pair in self._waiting)

    def _go_on(self) -> None:
        """Seat those who waited for somebody to part, as far as that has happened."""
        while (pair := self._next()) is not None:
            self._waiting.remove(pair)
            if pair[0].audible and pair[1].audible:
                self._seat(*pair)

    def _next(self) -> tuple[Leg, Leg] | None:
        """Of those who wait one whose other waits for nobody, or of a ring of such who wait for each other the first."""
        asks = dict(self._waiting)
        ready = {leg: other for leg, other in self._waiting if not _parts(leg) and not _parts(other)}
        for leg, other in ready.items():
            if other not in asks:
                return leg, other
        for leg, other in ready.items():
            reached = [other]
            while reached[-1] in ready and reached[-1] is not leg and len(reached) <= len(ready):
                reached.append(ready[reached[-1]])
            if reached[-1] is leg:
                return leg, other
        return None

    def _seat(self, leg: Leg, other: Leg) -> None:
        """Give a leg its place beside the other, or the other one beside the leg if that was seated as somebody's other."""
        if leg.seat is None:
            other.seat = other.seat or Seat([other])
            leg.seat = Seat(other.seat.legs, other.id)
            leg.seat.legs.append(leg)
        else:
            leg.seat.asked = other.id
            if other.seat is None:
                other.seat = Seat(leg.seat.legs)
                other.seat.legs.append(other)
        self._advance(leg.seat.legs)

    def _advance(self, legs: list[Leg]) -> None:
        """Have media join whoever can be: to whom it asked for, if that one was named to media, else to any that was."""
        ready = [(leg, leg.seat) for leg in _staying(legs) if leg.seat is not None and leg.stream is StreamState.CONNECTED]
        for leg, seat in sorted(ready, key=lambda place: place[1].asked is None):
            if seat.sent:
                continue
            others = [place for place in ready if place[0] is not leg]
            others = [place for place in others if place[1].sent] or others
            if not others:
                return
            anchor, place = next((place for place in others if place[0].id == seat.asked), others[0])
            send(leg, media.Join(leg.id, anchor.id))
            seat.sent, seat.anchor = True, anchor.id
            self._expect(leg, "join")
            if not place.sent:
                place.sent, place.anchor = True, leg.id
                self._expect(anchor, "join")

    def _alone(self, leg: Leg) -> None:
        assert leg.seat is not None
        seat = leg.seat
        self._remove(leg)
        # One whose media process died is on its way out too, and is told that instead.
        if leg.stream is StreamState.CONNECTED:
            self._unbridged(leg, seat)

    def _unbridged(self, leg: Leg, seat: Seat) -> None:
        if seat.told:
            seat.told = False
            self._emit(leg, Unbridged)

    def _remove(self, leg: Leg) -> None:
        """Take a leg out. A conversation of one in which nobody was ever heard is none."""
        seat, leg.seat = leg.seat, None
        assert seat is not None
        _disarm(seat)
        seat.legs.remove(leg)
        if len(seat.legs) == 1:
            (last,) = seat.legs
            if last.seat is not None and not last.seat.sent:
                self._remove(last)

    def _expect(self, leg: Leg, verb: str) -> None:
        assert leg.seat is not None
        _disarm(leg.seat)
        leg.seat.timer = self._clock.call_later(JOIN_S, partial(self._overdue, leg, verb))

    def _overdue(self, leg: Leg, verb: str) -> None:
        """A media process that does not do this does nothing: whoever waits with the leg waits in vain."""
        assert leg.seat is not None
        waiting = [member for member in _live(leg.seat.legs) if member.seat is not None and member.seat.timer is not None]
        for member in sorted(waiting, key=lambda member: member is not leg):
            if member.phase not in GONE:
                self._lose(member, f"{name_of(member)} did not {verb} two streams within {JOIN_S:g} s")


def _parts(leg: Leg) -> bool:
    return leg.seat is not None and leg.seat.parting


def _disarm(seat: Seat) -> None:
    if seat.timer is not None:
        seat.timer.cancel()
        seat.timer = None


def _live(legs: list[Leg]) -> list[Leg]:
    return [leg for leg in legs if leg.phase not in GONE]


def _staying(legs: list[Leg]) -> list[Leg]:
    return [leg for leg in _live(legs) if leg.seat is not None and not leg.seat.parting]
