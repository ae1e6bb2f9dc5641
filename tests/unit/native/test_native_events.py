"""The catalogue of events for programs."""

from __future__ import annotations

import json

from callwright.dialect import callbacks, catalogue, examples
from support.json_schema import faults
from support.native_room import NativeRoom


async def test_every_event_with_an_example_that_the_schema_allows():
    room = await NativeRoom.open()
    reply = await room.customer("GET", "/event-types", key="")
    assert reply.status == 200
    listed = reply.content["data"]
    assert [(one["event"], one["type"]) for one in listed] == list(callbacks.TYPE_OF.items())
    assert [one["event"] for one in listed if one["always"]] == ["callCreated", "callUpdated"]
    schema = (await room.customer("GET", "/schemas/events.json", key="")).content
    assert schema == json.loads(json.dumps(catalogue.json_schema()))
    for one in listed:
        assert one["sentence"].endswith(".")
        assert one["when"].endswith(".")
        assert one["example"] == json.loads(examples.example(one["event"]))
        path, _, place = one["schema"].partition("#")
        assert path == "/api/schemas/events.json"
        assert faults(one["example"], {"$ref": f"#{place}"}, schema) == []
