"""The telephone network of a rehearsal over SIP: every party has a telephone, and calls are real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final
from uuid import UUID, uuid4

from callwright import telephony
from callwright.clock import Clock
from callwright.phone.client import Event
from callwright.reasons import Reason
from callwright.rehearsal import live_magic
from callwright.rehearsal.ear import Ear
from callwright.rehearsal.live_exchange import Exchange, Line
from callwright.rehearsal.live_magic import NotOverSip
from callwright.rehearsal.live_sound import Voices
from callwright.rehearsal.live_telephones import Handset, Telephones
from callwright.rehearsal.network import Said
from callwright.rehearsal.parties import Party
from callwright.rehearsal.performer import Performer
from callwright.rehearsal.platform import TurnedAway
from callwright.rehearsal.prompts import Prompts
from callwright.simulator.engine import RINGS_AFTER_S
from callwright.telephony import Target, is_number
from callwright.trunks.routes import NoRoute

ARRIVES_S: Final = 10.0
NO_RESPONSE = 408
EARLY_MEDIA, RINGING = 183, 180


class Switchboard:
    """What the networks of all rehearsals on a stage share; it knows whose telephone rings."""

    def __init__(self, exchange: Exchange, server: str, voices: Voices, silence: tuple[str, int]) -> None:
        """`silence` is where datagrams go that nobody ever answers."""
        self.exchange = exchange
        self.server = server
        self.voices = voices
        self.silence = silence
        self.telephones = Telephones(self._rings)
        self._called: dict[str, SipNetwork] = {}

    def reach(self, leg: UUID, network: SipNetwork) -> Target:
        """A telephone that will ring for a leg, which its user names."""
        self._called[leg.hex] = network
        return self.telephones.target(leg.hex)

    def _rings(self, user: str, handset: Handset) -> None:
        network = self._called.pop(user, None)
        if network is not None:
            network.rings(UUID(user), handset)


class SipNetwork:
    """Implements `Network`, `FarEnds` and `live_exchange.Wires`."""

    def __init__(self, clock: Clock, prompts: Prompts, switchboard: Switchboard) -> None:
        self._clock = clock
        self._switchboard = switchboard
        self._parties: dict[str, Party] = {}
        self._called: dict[UUID, tuple[Party, float]] = {}
        self._handsets: dict[UUID, Handset] = {}
        self._targets: dict[UUID, str] = {}
        self._line = Line(switchboard.exchange, self)
        self._performer = Performer(clock, self)
        self.ear = Ear(self._line, self._performer, prompts, self.party)
        self.said: list[Said] = []

    def route(self, destination: str) -> Target:
        """Every destination is somebody; `reach` says at which telephone. Raises `NoRoute` for who cannot be played."""
        try:
            self.party(destination)
        except NotOverSip as fault:
            raise NoRoute(Reason.NO_ROUTE, str(fault)) from fault
        return Target(destination, "telephone")

    def expect(self, destination: str, party: Party) -> None:
        self._parties[destination] = party

    def party(self, destination: str) -> Party:
        expected = self._parties.get(destination)
        return live_magic.party(destination) if expected is None else expected

    async def dial(self, number: str, source: str, party: Party) -> UUID:
        """Raises `TurnedAway` where the call is turned away before anybody has looked for its number."""
        call_id = f"{uuid4().hex}@rehearsal"
        arrival: asyncio.Future[UUID] = asyncio.get_running_loop().create_future()

        def arrives(leg: UUID) -> None:
            self._performer.join(leg, party)
            self._equip(leg, handset, party)
            if not arrival.done():
                arrival.set_result(leg)

        def refused(event: Event) -> None:
            if event["event"] == "refused" and not arrival.done():
                sentence = f"The call to {number} was refused with {event['code']} {event['phrase']}."
                arrival.set_exception(TurnedAway(sentence, event["code"]))

        self._switchboard.exchange.expect(call_id, self._line, arrives)
        handset = self._switchboard.telephones.dial(f"sip:{number}@{self._switchboard.server}", source, call_id)
        handset.heard = refused
        try:
            async with self._clock.timeout(ARRIVES_S):
                return await arrival
        except TimeoutError:
            raise TurnedAway(f"The call to {number} did not arrive within {ARRIVES_S:g} s.", NO_RESPONSE) from None
        finally:
            self._switchboard.exchange.forget(call_id)

    # what the line tells

    def reach(self, command: telephony.Originate) -> Target:
        party = self.party(command.target.user)
        if party.outcome == "no_response":  # a telephone would say at once that it tries (RFC 3261 §17.2.1)
            return Target(command.leg.hex, *self._switchboard.silence)
        self._called[command.leg] = party, self._now()
        return self._switchboard.reach(command.leg, self)

    def rings(self, leg: UUID, handset: Handset) -> None:
        """A telephone rings for a leg: it does as the script of its party says, from when it was called on."""
        called = self._called.pop(leg, None)
        if called is None:
            return
        party, since = called
        self._equip(leg, handset, party)
        code = EARLY_MEDIA if party.early_media else RINGING
        ring = partial(handset.order, "ring", code=code, early_media=party.early_media)
        self._at(since + min(RINGS_AFTER_S, party.answer_after), ring)
        match party.outcome:
            case "answer":
                self._at(since + party.answer_after, partial(handset.order, "answer"))
            case "busy" | "fail":
                self._at(since + party.answer_after, partial(handset.order, "answer", code=party.script.final_code))
            case _:
                pass  # it rings until the caller gives up

    def referred(self, command: telephony.Refer) -> None:
        self._targets[command.leg] = command.target

    def left(self, leg: UUID) -> None:
        self._handsets.pop(leg, None)
        self._called.pop(leg, None)

    def _equip(self, leg: UUID, handset: Handset, party: Party) -> None:
        self._handsets[leg] = handset
        if not party.takes_transfers:
            handset.order("transfers", taken=False)
        handset.heard = partial(self._told, leg, party)

    def _told(self, leg: UUID, party: Party, event: Event) -> None:
        if event["event"] == "refer" and party.takes_transfers:
            with suppress(NotOverSip):  # nothing is told of it
                self._transfer(leg, self.party(self._targets.pop(leg, "")))

    def _transfer(self, leg: UUID, callee: Party) -> None:
        """The telephone says that it has called somebody else, as that one's script says."""
        match callee.outcome:
            case "answer":
                code, phrase = 200, "OK"
            case "busy":
                code, phrase = callee.script.final_code, "Busy Here"
            case "fail":
                code, phrase = callee.script.final_code, "Service Unavailable"
            case _:
                return
        self._at(self._now() + callee.answer_after, partial(self._act, leg, "notify", code=code, phrase=phrase))

    # what far ends do

    def press(self, leg: UUID, key: str) -> None:
        self._act(leg, "digits", digits=key)

    def say(self, leg: UUID, text: str, seconds: float) -> None:
        if leg in self._handsets:
            now_us = self._clock.now_us()
            self.said.append(Said(leg, text, now_us, now_us + round(seconds * 1e6)))
            self._act(leg, "play", file=str(self._switchboard.voices.file(seconds)))

    def beep(self, leg: UUID) -> None:
        self._act(leg, "play", file=str(self._switchboard.voices.beep))

    def hold(self, leg: UUID) -> None:
        self._act(leg, "hold")

    def resume(self, leg: UUID) -> None:
        self._act(leg, "unhold")

    def transfer(self, leg: UUID, target: str) -> None:
        self._act(leg, "refer", uri=f"tel:{target}" if is_number(target) else target)

    def hang_up(self, leg: UUID) -> None:
        self._act(leg, "hangup")

    def _act(self, leg: UUID, command: str, **fields: object) -> None:
        handset = self._handsets.get(leg)
        if handset is not None:
            handset.act(command, **fields)

    def _at(self, when: float, do: Callable[[], None]) -> None:
        self._clock.call_later(max(0.0, when - self._now()), do)

    def _now(self) -> float:
        return self._clock.mono_ns() / 1e9
