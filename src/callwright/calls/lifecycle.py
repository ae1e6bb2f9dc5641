"""The life of one call: the only place that writes calls, legs, their journal and their events.

A `CallRecord` holds a live call. Its methods change it by the tables and collect what is to be written; `take` closes
the batch: it decides the call's status from its legs, adds at most one event, and returns the `Change`. What one event
causes goes into one batch, so that a call and its legs never disagree, on disk or on the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from msgspec.structs import replace

from callwright import ids
from callwright.calls import events, journal, rows
from callwright.calls.events import Snapshot
from callwright.calls.labels import Relabelled, Relabelling, relabelled, relabelled_as_far_as_fits
from callwright.calls.model import Call, CalledNumber, CallStatus, Direction, Leg, LegStatus
from callwright.calls.tables import CALL_END, CALL_MOVES, FIRST, FORWARD, end_of
from callwright.reasons import Reason
from callwright.store import Change, Wake, Write

ANSWERING = "answering"


def call_id_of(leg_id: UUID) -> str:
    """The SIP Call-ID that a leg of ours is placed with: unique, and found in a trace by the leg's own id."""
    return str(leg_id)


class CallRecord:
    """A call while it lives, in the memory of its actor."""

    def __init__(
        self,
        call: Call,
        legs: Iterable[Leg],
        node: str,
        *,
        journal_seq: int = 0,
        event_seq: int = 0,
        new_id: Callable[[int], UUID] = ids.uuid7,
    ) -> None:
        self.call = call
        self._legs = {leg.id: leg for leg in legs}
        self._node = node
        self._key = rows.key_of(call)
        self._journal_seq = journal_seq
        self._event_seq = event_seq
        self._new_id = new_id
        self._at_us = call.updated_us
        self._stored_call: Call | None = None
        self._stored_legs: dict[UUID, Leg] = {}
        if journal_seq:
            self._stored_call = call
            self._stored_legs = dict(self._legs)
        self._entries: list[Write] = []
        self._others: list[Write] = []
        self._wakes: list[Wake] = []
        self._dialogs: dict[UUID, bytes] = {}
        self._unsaved_dialogs: set[UUID] = set()
        self._visible = False

    @classmethod
    def incoming(
        cls,
        *,
        call_id: UUID,
        leg_id: UUID,
        world_id: UUID,
        source: str,
        destination: str,
        called: CalledNumber,
        sip_call_id: str,
        dialog: bytes = b"",
        at_us: int,
        node: str,
    ) -> CallRecord:
        """Row N2: somebody calls an owned number."""
        call = Call(
            id=call_id,
            world_id=world_id,
            status=FIRST[Direction.INCOMING],
            direction=Direction.INCOMING,
            source=source,
            destination=destination,
            number_id=called.id,
            called=called,
            flow_id=called.flow_id,
            created_us=at_us,
            updated_us=at_us,
        )
        record = cls(call, (), node)
        record._note(at_us, journal.CallMade(call=call))
        record._add_leg(leg_id, Direction.INCOMING, source, destination, at_us, sip_call_id)
        record.learn(leg_id, at_us, dialog=dialog)
        return record

    @classmethod
    def requested(
        cls,
        *,
        call_id: UUID,
        leg_id: UUID,
        world_id: UUID,
        source: str,
        destination: str,
        number_id: UUID | None,
        webhook_url: str | None,
        webhook_token: str | None,
        tags: tuple[str, ...] = (),
        metadata: dict[str, str] | None = None,
        at_us: int,
        node: str,
    ) -> CallRecord:
        """Row N4: the API asks for a call."""
        call = Call(
            id=call_id,
            world_id=world_id,
            status=FIRST[Direction.OUTGOING],
            source=source,
            destination=destination,
            number_id=number_id,
            webhook_url=webhook_url,
            webhook_token=webhook_token,
            tags=tags,
            metadata=metadata or {},
            created_us=at_us,
            updated_us=at_us,
        )
        record = cls(call, (), node)
        record._note(at_us, journal.CallMade(call=call))
        record._add_leg(leg_id, Direction.OUTGOING, source, destination, at_us, call_id_of(leg_id))
        return record

    @property
    def legs(self) -> tuple[Leg, ...]:
        """All legs, oldest first."""
        return tuple(self._legs.values())

    @property
    def live(self) -> bool:
        return self.call.live

    @property
    def entries(self) -> int:
        """How many lines its journal has."""
        return self._journal_seq

    def leg(self, leg_id: UUID) -> Leg | None:
        return self._legs.get(leg_id)

    def start(self, at_us: int) -> None:
        """Row N5: the dialler takes the call."""
        self._move_call(CallStatus.STARTING, at_us)

    def add_transfer(self, leg_id: UUID, source: str, destination: str, at_us: int) -> None:
        """Rows N7, N8 and L1: a transfer step, the API or a REFER makes an outgoing leg."""
        self._add_leg(leg_id, Direction.OUTGOING, source, destination, at_us, call_id_of(leg_id))

    def intend_answer(self, leg_id: UUID, at_us: int) -> None:
        """Row A1: the leg is to be answered. Nothing is shown before the answer has left."""
        self._legs[leg_id] = replace(self._legs[leg_id], intent=ANSWERING)
        self._note(at_us, journal.LegIntends(leg=leg_id, intent=ANSWERING))

    def rings(self, leg_id: UUID, at_us: int) -> bool:
        """Row P1, and our own 180 to a caller."""
        return self._forward(leg_id, LegStatus.RINGING, at_us)

    def answered(self, leg_id: UUID, at_us: int) -> bool:
        """Rows P2 and A2."""
        return self._forward(leg_id, LegStatus.ONGOING, at_us, sip_code=200)

    def end_leg(self, leg_id: UUID, reason: Reason, at_us: int, *, detail: str = "", sip_code: int | None = None) -> bool:
        """End a leg as the tables say; False, and nothing changed, when it is over already."""
        leg = self._legs[leg_id]
        if not leg.live:
            return False
        to = end_of(leg.direction, leg.status, reason)
        if to is None:
            raise AssertionError(f"no row ends a leg that is {leg.direction.value} and {leg.status.value} for {reason.value}")
        if reason in _HUNG_UP_BY_RESTART and leg.intent == ANSWERING:
            to = LegStatus.HANGUP  # R2: its answer may have left
        at_us = self.in_order(at_us)
        self._put_leg(
            replace(
                leg,
                status=to,
                intent=None,
                reason=reason,
                detail=detail,
                sip_code=leg.sip_code if sip_code is None else sip_code,
                updated_us=at_us,
                ended_us=at_us,
            )
        )
        self._note(at_us, journal.LegMoved(leg=leg_id, status=to, reason=reason, detail=detail, sip_code=sip_code))
        return True

    def settle_after_death(self, reason: Reason, *, ended_us: int, now_us: int) -> None:
        """Row R2: end what lives; it ended when its node was last seen, and the record is touched now."""
        for leg in self.legs:
            self.end_leg(leg.id, reason, ended_us)
        self._settle_call()
        self._at_us = max(self._at_us, now_us)
        self.call = replace(self.call, updated_us=self._at_us)
        for leg in self.legs:
            if leg.reason is reason:
                self._legs[leg.id] = replace(leg, updated_us=self._at_us)
        self._note(now_us, journal.Settled(reason=reason))

    def learn(
        self, leg_id: UUID, at_us: int, *, sip_call_id: str = "", sip_code: int | None = None, dialog: bytes = b""
    ) -> None:
        """Keep what signalling tells of a leg without changing its status.

        The `dialog` is for row R2 alone. It is no part of the leg, so that neither journal nor events hold it.
        """
        if dialog and dialog != self._dialogs.get(leg_id):
            self._dialogs[leg_id] = dialog
            self._unsaved_dialogs.add(leg_id)
        leg = self._legs[leg_id]
        self._legs[leg_id] = replace(leg, sip_call_id=sip_call_id or leg.sip_call_id, sip_code=sip_code or leg.sip_code)
        if self._legs[leg_id] != leg:
            self._note(at_us, journal.LegAddressed(leg=leg_id, sip_call_id=sip_call_id, sip_code=sip_code))

    def label(self, change: Relabelling, at_us: int) -> Call:
        """Change tags and metadata, also of a call that is over. Raises `Invalid` when there would be too many."""
        self._put_labels(Relabelled(relabelled(self.call, change)), at_us)
        return self.call

    def label_as_far_as_fits(self, change: Relabelling, at_us: int, *, left_out: tuple[str, ...] = ()) -> None:
        """What a flow writes: the call goes on without what does not fit, and the journal says so."""
        labelled = relabelled_as_far_as_fits(self.call, change)
        self._put_labels(labelled._replace(left_out=(*left_out, *labelled.left_out)), at_us)

    def released(self, leg_id: UUID) -> None:
        """The leg is over on the wire too: nobody will have to end its dialog."""
        if self._dialogs.pop(leg_id, None) is not None:
            self._unsaved_dialogs.add(leg_id)

    def note(self, entry: journal.Entry, at_us: int) -> None:
        """Add a line to the journal; it changes no row."""
        self._note(at_us, entry)

    def also(self, change: Change) -> None:
        """Put what another room writes of this call into the batch, and what it wants woken."""
        self._others += change.writes
        self._wakes += change.wakes

    def take(self) -> Change:
        """Close the batch and return what is to be committed; empty when nothing happened."""
        self._settle_call()
        writes: list[Write] = []
        made: list[int] = []
        changed: list[int] = []
        stored_call = self._stored_call
        labelled = False
        if stored_call is None:
            writes.append(rows.insert_call(self.call, self._node))
        elif stored_call != self.call:
            writes.append(rows.update_call(self.call))
            labelled = (stored_call.tags, stored_call.metadata) != (self.call.tags, self.call.metadata)
            if labelled:
                writes.append(rows.label_call(self.call))
        for leg in self._legs.values():
            stored = self._stored_legs.get(leg.id)
            if stored is None:
                writes.append(rows.insert_leg(self._key, leg, self._dialogs.get(leg.id)))
                self._unsaved_dialogs.discard(leg.id)
                made.append(leg.n)
            elif stored != leg:
                if stored.status is not leg.status:
                    changed.append(leg.n)
                writes.append(rows.update_leg(self._key, leg))
        writes += [
            rows.keep_dialog(self._key, self._legs[leg_id], self._dialogs.get(leg_id)) for leg_id in self._unsaved_dialogs
        ]
        writes += self._entries
        wakes = tuple(self._wakes)
        if self._visible:
            self._event_seq += 1
            kind = events.CREATED if self._event_seq == 1 else events.UPDATED
            snapshot = Snapshot(self.call, self.legs, tuple(made), tuple(changed))
            writes.append(rows.insert_event(self._new_id(self.call.updated_us), self._event_seq, kind, snapshot))
        if labelled:
            writes.append(rows.insert_labelled(self._new_id(self.call.updated_us), Snapshot(self.call, self.legs)))
        if self._visible or labelled:
            wakes = (Wake(events.TOPIC, self.call.world_id, self.call.id), *wakes)
        writes += self._others  # after the call's own event: theirs are about what it tells
        self._stored_call = self.call
        self._stored_legs = dict(self._legs)
        self._entries = []
        self._others = []
        self._wakes = []
        self._unsaved_dialogs.clear()
        self._visible = False
        return Change(tuple(writes), wakes)

    def _add_leg(
        self, leg_id: UUID, direction: Direction, source: str, destination: str, at_us: int, sip_call_id: str = ""
    ) -> None:
        at_us = self.in_order(at_us)
        leg = Leg(
            id=leg_id,
            call_id=self.call.id,
            n=len(self._legs) + 1,
            direction=direction,
            source=source,
            destination=destination,
            sip_call_id=sip_call_id,
            created_us=at_us,
            updated_us=at_us,
        )
        self._put_leg(leg)
        self._note(at_us, journal.LegMade(leg=leg))

    def _forward(self, leg_id: UUID, to: LegStatus, at_us: int, sip_code: int | None = None) -> bool:
        leg = self._legs[leg_id]
        if leg.status not in FORWARD[to]:
            return False
        at_us = self.in_order(at_us)
        answered_us = at_us if to is LegStatus.ONGOING else None
        intent = None if to is LegStatus.ONGOING else leg.intent
        code = sip_code or leg.sip_code
        self._put_leg(replace(leg, status=to, intent=intent, sip_code=code, updated_us=at_us, answered_us=answered_us))
        self._note(at_us, journal.LegMoved(leg=leg_id, status=to, sip_code=sip_code))
        if to is LegStatus.ONGOING and self.call.status is CallStatus.STARTING:
            self._move_call(CallStatus.ONGOING, at_us)
        return True

    def _put_leg(self, leg: Leg) -> None:
        self._legs[leg.id] = leg
        self.call = replace(self.call, updated_us=leg.updated_us)
        self._visible = True

    def _put_labels(self, labelled: Relabelled, at_us: int) -> None:
        call, left_out = labelled
        if call is self.call and not left_out:
            return
        self.call = replace(call, updated_us=self.in_order(at_us))
        self._note(at_us, journal.CallLabelled(tags=call.tags, metadata=call.metadata, left_out=left_out))

    def _settle_call(self) -> None:
        """Row E1: with its last leg a call is over, in the same commit."""
        if not self.call.live:
            return
        for leg in self._legs.values():
            if leg.live:
                return
        first = next(iter(self._legs.values()))
        status = CallStatus.ENDED if self.call.status is CallStatus.ONGOING else CALL_END[first.status]
        self.call = replace(self.call, reason=first.reason)
        self._move_call(status, self._at_us)

    def _move_call(self, to: CallStatus, at_us: int) -> None:
        assert self.call.status in CALL_MOVES[to], (self.call.status, to)
        at_us = self.in_order(at_us)
        self.call = replace(self.call, status=to, updated_us=at_us)
        if to is CallStatus.ONGOING:
            self.call = replace(self.call, answered_us=at_us)
        elif not self.call.live:
            self.call = replace(self.call, ended_us=at_us)
        self._visible = True
        self._note(at_us, journal.CallMoved(status=to))

    def in_order(self, at_us: int) -> int:
        """A time for what is written now: it never runs backwards in a record, whatever the wall clock does."""
        self._at_us = max(self._at_us, at_us)
        return self._at_us

    def _note(self, at_us: int, entry: journal.Entry) -> None:
        self._journal_seq += 1
        self._entries.append(rows.insert_entry(self._key, self._journal_seq, self.in_order(at_us), entry))


_HUNG_UP_BY_RESTART = frozenset({Reason.NODE_RESTARTED, Reason.SIGNALLING_LOST})
