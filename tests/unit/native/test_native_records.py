"""A call's record and journal, and placing one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callwright import ids
from callwright.calls import journal
from callwright.calls.lifecycle import CallRecord
from callwright.native import Authority
from callwright.reasons import Reason
from support.described import native_app
from support.native_room import NOW, NOW_US, NativeRoom

PLACE = {
    "source": "+31205550100",
    "destination": "31612345678",
    "callFlow": {"steps": [{"action": "hangup"}]},
    "webhook": {"url": "http://127.0.0.1/cb", "token": "secret-token"},
}


async def recorded(room):
    """A call that was asked for, rang, and nobody answered."""
    world = room.accounts.world("live")
    record = CallRecord.requested(
        call_id=ids.uuid7(NOW_US),
        leg_id=(leg_id := ids.uuid7(NOW_US)),
        world_id=world.id,
        source="31205550100",
        destination="31612345678",
        number_id=None,
        webhook_url="http://127.0.0.1/cb",
        webhook_token="secret-token",
        at_us=NOW_US,
        node="here",
    )
    await room.store.commit(record.take())
    record.start(NOW_US + 1)
    record.learn(leg_id, NOW_US + 1, sip_call_id="abc@host")
    record.end_leg(leg_id, Reason.RING_TIMEOUT, NOW_US + 1_000_001, detail="nobody was home", sip_code=487)
    record.note(
        journal.LegLast(leg=leg_id, cause="cancelled", sip_code=487, sip_phrase="Request Terminated"), NOW_US + 1_000_001
    )
    await room.store.commit(record.take())
    return record.call, record.leg(leg_id)


async def test_a_call_says_how_each_leg_ended_and_what_to_do():
    room = await NativeRoom.open()
    call, leg = await recorded(room)
    reply = await room.customer("GET", f"/calls/{call.id}")
    assert reply.status == 200
    assert reply.content == {
        "id": str(call.id),
        "world": "live",
        "status": "no_answer",
        "direction": "outgoing",
        "source": "31205550100",
        "destination": "31612345678",
        "numberId": None,
        "flowId": None,
        "reason": "ring_timeout",
        "tags": [],
        "metadata": {},
        "duration": 0,
        "createdAt": NOW,
        "updatedAt": "2023-11-14T22:13:21.123457Z",
        "answeredAt": None,
        "endedAt": "2023-11-14T22:13:21.123457Z",
        "webhookUrl": "http://127.0.0.1/cb",
        "legs": [
            {
                "id": str(leg.id),
                "n": 1,
                "direction": "outgoing",
                "source": "31205550100",
                "destination": "31612345678",
                "status": "no_answer",
                "intent": None,
                "reason": {
                    "name": "ring_timeout",
                    "sentence": Reason.RING_TIMEOUT.sentence,
                    "remedy": Reason.RING_TIMEOUT.remedy,
                },
                "detail": "nobody was home",
                "sipCode": 487,
                "sipCallId": "abc@host",
                "duration": 0,
                "createdAt": NOW,
                "updatedAt": "2023-11-14T22:13:21.123457Z",
                "answeredAt": None,
                "endedAt": "2023-11-14T22:13:21.123457Z",
            }
        ],
    }


async def test_a_journal_is_in_order_with_microseconds_and_without_the_token():
    room = await NativeRoom.open()
    call, leg = await recorded(room)
    reply = await room.operator("GET", f"/calls/{call.id}/journal")
    entries = reply.content["data"]
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry["kind"] for entry in entries] == [
        "call_made",
        "leg_made",
        "call_moved",
        "leg_addressed",
        "leg_moved",
        "leg_last",
        "call_moved",
    ]
    assert entries[4]["at"] == "2023-11-14T22:13:21.123457Z"
    assert (entries[4]["leg"], entries[4]["reason"], entries[4]["detail"]) == (str(leg.id), "ring_timeout", "nobody was home")
    assert "secret-token" not in str(entries)


async def test_the_other_worlds_calls_do_not_exist():
    room = await NativeRoom.open()
    call, _ = await recorded(room)
    for path in (f"/calls/{call.id}", f"/calls/{call.id}/journal"):
        assert (await room.operator("GET", path, world="test")).status == 404


async def test_placing_a_call_reads_the_compatible_body():
    room = await NativeRoom.open()
    reply = await room.operator("POST", "/calls", PLACE, world="test")
    (asked,) = room.switchboard.asked
    assert (asked["world"], asked["source"], asked["destination"]) == ("test", "31205550100", "31612345678")
    assert (asked["webhook_url"], asked["webhook_token"]) == ("http://127.0.0.1/cb", "secret-token")
    assert [step.action for step in asked["flow"].steps] == ["hangup"]
    assert reply.status == 201
    assert (reply.content["status"], reply.content["world"], len(reply.content["legs"])) == ("queued", "test", 1)
    assert reply.content == (await room.operator("GET", f"/calls/{reply.content['id']}", world="test")).content


async def test_a_switch_that_takes_no_calls_says_so():
    room = await NativeRoom.open()
    room.switchboard.refuses = True
    reply = await room.customer("POST", "/calls", PLACE)
    assert (reply.status, reply.error["message"], reply.error["remedy"]) == (503, "No call can be placed now.", "Wait.")


async def test_without_a_server_no_call_is_placed():
    room = await NativeRoom.open()
    room._apps[Authority.SOCKET] = native_app(replace(room.parts, calling=None), Authority.SOCKET)
    reply = await room.operator("POST", "/calls", PLACE)
    assert (reply.status, reply.error["remedy"]) == (503, "Start it: callwright serve")


async def test_a_webhook_that_can_never_be_reached_is_refused():
    room = await NativeRoom.open()
    reply = await room.operator("POST", "/calls", {**PLACE, "webhook": {"url": "http://10.0.0.1/"}})
    assert (reply.status, reply.error["parameter"]) == (400, "webhook.url")
    assert room.switchboard.asked == []


@pytest.mark.parametrize(
    ("path", "hurt", "named"),
    [
        ("/calls", "UPDATE calls SET tags = '[1]'", "call {}"),
        ("/calls/{}", "UPDATE calls SET metadata = '[]'", "call {}"),
        ("/calls/export", "DROP TRIGGER calls_relabelled; UPDATE calls SET tags = '['", "call {}"),
        ("/calls/export?format=ndjson", "DROP TRIGGER calls_relabelled; UPDATE calls SET metadata = '{'", "call {}"),
        ("/calls/{}", "UPDATE legs SET reason = 'boredom'", "leg 1 of call {}"),
        ("/calls/{}/journal", "UPDATE journal SET entry = x'7b' WHERE seq = 2", "entry 2 of the journal of call {}"),
    ],
)
async def test_a_spoilt_row_is_named_by_whatever_needs_it(path, hurt, named, caplog):
    room = await NativeRoom.open()
    call, _ = await recorded(room)
    await room.store.transact(lambda transaction: transaction._connection.execute(hurt))
    reply = await room.customer("GET", path.format(call.id))
    said = f"On record {named.format(call.id)} cannot be read, nor a page with it."
    assert (reply.status, reply.error["code"]) == (500, 99)
    assert (reply.error["message"], reply.error["remedy"][:42]) == (said, "On the server, callwright doctor --deep na")
    assert [record.getMessage() for record in caplog.records] == ["request_failed"]
