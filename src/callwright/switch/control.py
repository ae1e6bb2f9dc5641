"""What programs ask of a call that is up: another flow, a party more, hold, a blind transfer, a recording paused."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any
from uuid import UUID

from callwright.calls import journal, rows
from callwright.calls.labelling import label_stored
from callwright.calls.labels import Relabelling
from callwright.calls.model import Call, Leg
from callwright.clock import Clock
from callwright.errors import Conflict, Invalid, NotFound
from callwright.flows.schema import Flow
from callwright.recordings import rows as recording_rows
from callwright.recordings.model import Recording
from callwright.store import Store
from callwright.switch.actor import CallActor
from callwright.switch.mailbox import Over, Wish, over
from callwright.switch.referring import Referral
from callwright.telephony import sip_uri
from callwright.trunks.routes import NoRoute

# How long the answer to a blind transfer waits to say what became of it.
REFERRAL_S = 30.0


class LiveControl(ABC):
    """Each method returns once what was asked is on record. It raises `NotFound` for what the world does not have, and
    `Conflict` when the call, the leg or the recording is over or cannot have it now; labels are for calls that are over too.
    """

    _store: Store
    _clock: Clock

    @abstractmethod
    def _live(self, call_id: UUID) -> CallActor | None:
        """The live call of that id."""

    async def replace_flow(self, world_id: UUID, call_id: UUID, flow: Flow, flow_body: dict[str, Any]) -> None:
        """Put another flow in the place of what remains of the call's."""
        actor = self._actor(world_id, call_id)
        await actor.ask(Wish("replace_flow", lambda call: call.replace_flow(flow, flow_body)))

    async def add_party(self, world_id: UUID, call_id: UUID, destination: str, source: str | None) -> UUID:
        """Call someone into the conversation; returns the new leg, which may have failed already."""
        actor = self._actor(world_id, call_id)
        leg: UUID = await actor.ask(Wish("add_party", lambda call: call.parties.add(destination, source)))
        return leg

    async def hold_leg(self, world_id: UUID, leg_id: UUID, *, on: bool) -> None:
        """Put a leg on hold, or take it off; asked again it changes nothing."""
        _, actor = self._actor_of_leg(world_id, leg_id)
        await actor.ask(Wish("hold", lambda call: set_hold(call, leg_id, on=on)))

    async def refer_leg(self, world_id: UUID, call_id: UUID, leg_id: UUID, to: str) -> Referral | None:
        """Ask the far end of a leg to call someone else in our place; None when it has not said yet how that goes."""
        leg, actor = self._actor_of_leg(world_id, leg_id)
        if leg.call_id != call_id:
            raise NotFound(f"No leg found for ID `{leg_id}`.")
        try:
            target = actor.around.route(to)
        except NoRoute as no_route:
            raise Invalid(f"The far end cannot be referred there: {no_route}.", parameter="to") from None
        uri = sip_uri(target.user, target.host, target.port)
        waiting: asyncio.Future[Referral] = await actor.ask(Wish("refer", lambda call: call.referring.refer(leg_id, uri)))
        try:
            async with self._clock.timeout(REFERRAL_S):
                return await asyncio.shield(waiting)
        except TimeoutError:
            return None

    async def label_call(self, world_id: UUID, call_id: UUID, change: Relabelling) -> Call:
        """Change a call's tags and metadata, whether it is up or over; returns it as it is then.

        Raises `Invalid` when there would be too many.
        """
        actor = self._live(call_id)
        if actor is not None and actor.record.call.world_id == world_id:
            wish = Wish("label", lambda call: call.record.label(change, call.at_us), of_record=True)
            with suppress(Over):  # it was put away meanwhile, with all that it had to write
                labelled: Call = await actor.ask(wish)
                return labelled
        found = await label_stored(self._store, self._clock, world_id, call_id, change, over_only=True)
        if found is None:
            raise NotFound(f"No call found for ID `{call_id}`.")
        return found

    async def pause_recording(self, world_id: UUID, recording_id: UUID) -> Recording:
        """Keep silence in place of sound until the recording is resumed; asked again it changes nothing."""
        return await self._pause(world_id, recording_id, paused=True)

    async def resume_recording(self, world_id: UUID, recording_id: UUID) -> Recording:
        return await self._pause(world_id, recording_id, paused=False)

    async def _pause(self, world_id: UUID, recording_id: UUID, *, paused: bool) -> Recording:
        found = recording_rows.find(self._store, world_id, recording_id)
        if found is None:
            raise NotFound(f"No recording found for ID `{recording_id}`.")
        actor = self._live(found.call_id)
        if actor is None:
            raise Conflict("The recording is over.")
        kind = "pause_recording" if paused else "resume_recording"
        recording: Recording = await actor.ask(Wish(kind, lambda call: call.its.recorder.pause(recording_id, paused=paused)))
        return recording

    def _actor(self, world_id: UUID, call_id: UUID) -> CallActor:
        actor = self._live(call_id)
        if actor is not None and actor.record.call.world_id == world_id:
            return actor
        if rows.find_call(self._store, world_id, call_id) is None:
            raise NotFound(f"No call found for ID `{call_id}`.")
        raise over()

    def _actor_of_leg(self, world_id: UUID, leg_id: UUID) -> tuple[Leg, CallActor]:
        leg = rows.find_leg(self._store, world_id, leg_id)
        if leg is None:
            raise NotFound(f"No leg found for ID `{leg_id}`.")
        return leg, self._actor(world_id, leg.call_id)


def set_hold(call: CallActor, leg_id: UUID, *, on: bool) -> None:
    """Row L8."""
    conversation = call.its.conversation
    if not call.talks(leg_id):
        raise Conflict("The leg is not answered or is over; only a party that talks can be put on hold.")
    if conversation.is_held(leg_id) == on:
        return
    if on and (leg_id not in conversation or not call.answered_legs(but=leg_id)):
        raise Conflict("The leg talks to nobody; its flow has it.")
    if on and call.prompts(leg_id):
        raise Conflict("The flow is speaking to this leg; ask again when it is done, or replace the flow.")
    call.note(journal.Asked(what="hold" if on else "unhold", leg=leg_id))
    if on:
        conversation.hold(leg_id)
    else:
        conversation.unhold(leg_id)
