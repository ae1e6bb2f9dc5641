"""Simulated callers that dial over the native interface."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from callwright import ids, telephony
from callwright.calls.lifecycle import CalledNumber, CallRecord
from callwright.clock import SystemClock
from callwright.native import Authority, Calling
from callwright.native.dialling import ALLOWED, CALLER
from callwright.simulator.engine import SimulatedEngine
from callwright.simulator.settings import Act, SimulatorSettings
from support.described import native_app
from support.native_room import NOW_US, NativeRoom

NUMBER = "31205550100"
PLACED = {"source": NUMBER, "destination": "31612345678", "callFlow": {"steps": [{"action": "hangup"}]}}
TO = "acts[0].transfersTo"
TWO = "must do one thing each; this one has transfersTo and hangsUp"


class Dialled:
    """A native room with a simulator; what arrives is put on record, as the switch does, or turned away."""

    def __init__(self, room: NativeRoom) -> None:
        self.room = room
        self.engine = SimulatedEngine(SystemClock(), SimulatorSettings())
        self.engine.attach(self._hear)
        self.rejects = False
        self.arrived: list[telephony.Incoming] = []
        self._tasks: list[Any] = []
        room.parts = replace(room.parts, clock=SystemClock(), calling=Calling(room.switchboard, room.webhooks, self.engine))
        room._apps = {authority: native_app(room.parts, authority) for authority in Authority}

    @classmethod
    async def open(cls) -> Dialled:
        dialled = cls(await NativeRoom.open())
        await dialled.room.numbers.make(dialled.room.accounts.world("test"), NUMBER)
        dialled.room.key = (await dialled.room.accounts.make_key("test", "")).secret
        return dialled

    async def ask(self, body: Any) -> Any:
        return await self.room.customer("POST", "/dial", body)

    def _hear(self, event: telephony.Event) -> None:
        if not isinstance(event, telephony.Incoming):
            return
        self.arrived.append(event)
        if self.rejects:
            self.engine.submit(
                telephony.Reject(id=1, call=event.leg, leg=event.leg, code=503, phrase="Service Unavailable", retry_after_s=5)
            )
            return
        world = self.room.accounts.world("test")
        number = self.room.numbers.find(world.id, event.destination)
        assert number is not None
        record = CallRecord.incoming(
            call_id=ids.uuid7(NOW_US),
            leg_id=event.leg,
            world_id=world.id,
            source=event.source,
            destination=event.destination,
            called=CalledNumber(number.id, number.number, None, number.created_us, number.updated_us),
            sip_call_id=event.sip_call_id,
            dialog=b"",
            at_us=NOW_US,
            node="here",
        )
        self._tasks.append(asyncio.ensure_future(self.room.store.commit(record.take())))


async def test_a_caller_dials_with_what_it_is_to_do():
    dialled = await Dialled.open()
    acts = [
        {"whenAsked": True, "press": "12#"},
        {"at": 3, "says": "Yes, please.", "speaksFor": 2.5},
        {"at": 30.5, "hangsUp": True},
    ]
    reply = await dialled.ask(
        {"number": "+31 20 555 0100", "source": "31600000001", "acts": acts, "keyGap": 0.5, "takesTransfers": False}
    )
    assert reply.status == 201
    assert [reply.content[name] for name in ("world", "direction", "source", "destination", "status")] == [
        "test", "incoming", "31600000001", NUMBER, "starting",
    ]  # fmt: skip
    (arrived,) = dialled.arrived
    assert reply.content["legs"][0]["id"] == str(arrived.leg)
    script = dialled.engine._legs[arrived.leg].script
    assert script.acts == (
        Act(when_asked=True, press="12#"),
        Act(at=3.0, says="Yes, please.", speaks_for=2.5),
        Act(at=30.5, hangs_up=True),
    )
    assert (script.digit_gap, script.takes_transfers) == (0.5, False)


async def test_the_caller_hangs_up_once():
    dialled = await Dialled.open()
    call = (await dialled.ask({"number": NUMBER})).content
    assert call["source"] == CALLER
    assert (await dialled.room.customer("DELETE", f"/dial/{call['id']}")).status == 204
    assert dialled.engine.legs == 0
    again = await dialled.room.customer("DELETE", f"/dial/{call['id']}")
    assert (again.status, again.error["message"]) == (409, "The caller is not there any more.")
    assert (await dialled.room.customer("DELETE", f"/dial/{ids.uuid7(1)}")).status == 404


async def test_who_was_called_does_not_hang_up_as_a_caller():
    dialled = await Dialled.open()
    call = (await dialled.room.customer("POST", "/calls", PLACED)).content
    reply = await dialled.room.customer("DELETE", f"/dial/{call['id']}")
    assert (reply.status, reply.error["message"]) == (409, "Nobody dialled that call; you placed it.")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "number is missing."),
        ({"number": "sip:bob@example.com"}, "number must be a number such as 31205550100; it was 'sip:bob@example.com'."),
        ({"number": NUMBER, "source": "nobody"}, "source must be a number such as 31205550100; it was 'nobody'."),
        ({"number": NUMBER, "act": []}, "act is not known here: the nearest is acts."),
        ({"number": NUMBER, "acts": {}}, "acts must be a list."),
        ({"number": NUMBER, "acts": ["1"]}, "acts[0] must be an object."),
        ({"number": NUMBER, "acts": [{"pres": "1"}]}, "acts[0].pres is not known here: the nearest is press."),
        ({"number": NUMBER, "acts": [{"press": "1x"}]}, f"acts[0].press must be {ALLOWED['press']}; it was '1x'."),
        ({"number": NUMBER, "acts": [{"at": "soon"}]}, f"acts[0].at must be {ALLOWED['at']}; it was 'soon'."),
        ({"number": NUMBER, "acts": [{"at": True}]}, f"acts[0].at must be {ALLOWED['at']}; it was 'true'."),
        ({"number": NUMBER, "acts": [{"hangsUp": 1}]}, "acts[0].hangsUp must be true or false; it was '1'."),
        ({"number": NUMBER, "acts": [{"transfersTo": "31698765432", "hangsUp": True}]}, f"acts {TWO} (act 1)."),
        *[
            ({"number": NUMBER, "acts": [{"transfersTo": to}]}, f"{TO} must be {ALLOWED['transfersTo']}; it was {to!r}.")
            for to in ("not a thing", "sip:bob@pbx.example;a=\r\nb: c")
        ],
        ({"number": NUMBER, "keyGap": -1}, "keyGap must be a number of seconds from 0 to 86400; it was '-1'."),
    ],
)
async def test_what_can_not_be_dialled_is_refused(body, message):
    dialled = await Dialled.open()
    reply = await dialled.ask(body)
    assert (reply.status, reply.error["message"]) == (400, message)
    assert dialled.arrived == []


async def test_a_number_that_the_test_world_does_not_have():
    dialled = await Dialled.open()
    reply = await dialled.ask({"number": "31205550199"})
    assert (reply.status, reply.error["message"]) == (404, "31205550199 is no number of the test world.")
    assert "callwright numbers add 31205550199" in reply.error["remedy"]


async def test_a_call_that_is_turned_away_is_told_with_its_code():
    dialled = await Dialled.open()
    dialled.rejects = True
    reply = await dialled.ask({"number": NUMBER})
    assert (reply.status, reply.error["message"]) == (503, "The call was refused with 503 Service Unavailable.")


async def test_callers_are_simulated_in_the_test_world_alone_and_where_a_server_runs():
    dialled = await Dialled.open()
    reply = await dialled.room.operator("POST", "/dial", {"number": NUMBER})
    assert (reply.status, reply.error["message"]) == (
        403,
        "Simulated callers are in the test world alone; this is the live one.",
    )
    room = await NativeRoom.open()
    reply = await room.operator("POST", "/dial", {"number": NUMBER}, world="test")
    assert (reply.status, reply.error["remedy"]) == (503, "Start it: callwright serve")
