"""Keys, numbers and flows."""

from __future__ import annotations

from support.native_room import NOW, NativeRoom

TITLED = "title is deprecated: it is kept and returned, and newer client libraries do not know it."
HANG_UP = {"title": "Bye", "steps": [{"action": "hangup"}]}


async def test_a_key_is_shown_once_opens_its_world_and_can_be_revoked():
    room = await NativeRoom.open()
    made = await room.operator("POST", "/keys", {"kind": "test", "label": "ci"})
    secret = made.content.pop("key")
    known = {
        "id": made.content["id"],
        "kind": "test",
        "label": "ci",
        "ending": secret[-4:],
        "createdAt": NOW,
        "revokedAt": None,
    }
    assert tuple(made) == (201, known)
    assert secret.startswith("test_")
    assert known in (await room.operator("GET", "/keys")).content["data"]
    assert (await room.customer("GET", "/flows", key=secret)).status == 200

    assert tuple(await room.operator("DELETE", f"/keys/{known['id']}")) == (204, None)
    assert {**known, "revokedAt": NOW} in (await room.operator("GET", "/keys")).content["data"]
    assert (await room.customer("GET", "/flows", key=secret)).status == 401
    assert (await room.operator("DELETE", f"/keys/{known['id']}")).status == 404


async def test_numbers_are_made_bound_paged_and_removed():
    room = await NativeRoom.open()
    flow = (await room.operator("POST", "/flows", HANG_UP)).content
    made = await room.operator("POST", "/numbers", {"number": "+31 20 555 0100"})
    number = {"id": made.content["id"], "number": "31205550100", "flowId": None, "createdAt": NOW, "updatedAt": NOW}
    assert tuple(made) == (201, number)
    bound = await room.operator("POST", "/numbers", {"number": "31205550100", "flowId": flow["id"]})
    assert bound.content == {**number, "flowId": flow["id"]}
    await room.operator("POST", "/numbers", {"number": "31205550101"})

    pages = [(await room.operator("GET", f"/numbers?limit=1&offset={n}")).content for n in range(3)]
    assert [[one["number"] for one in page.pop("data")] for page in pages] == [["31205550101"], ["31205550100"], []]
    assert pages == [{"total": 2, "limit": 1, "offset": n} for n in range(3)]

    assert tuple(await room.operator("DELETE", "/numbers/%2B31205550100")) == (204, None)
    assert (await room.operator("GET", "/numbers")).content["total"] == 1


async def test_where_numbers_are_listed_customers_neither_make_nor_remove_them():
    room = await NativeRoom.open(claim="listed")
    refused = await room.customer("POST", "/numbers", {"number": "31205550100"})
    assert refused.status == 400
    assert "numbers.claim" in refused.error["message"]
    assert (await room.operator("POST", "/numbers", {"number": "31205550100"})).status == 201
    assert (await room.customer("POST", "/numbers", {"number": "31205550100"})).status == 201
    assert (await room.customer("DELETE", "/numbers/31205550100")).status == 403
    assert (await room.operator("DELETE", "/numbers/31205550100")).status == 204


async def test_a_customer_binds_a_number_of_its_own():
    room = await NativeRoom.open()
    flow = (await room.customer("POST", "/flows", HANG_UP)).content
    made = await room.customer("POST", "/numbers", {"number": "31205550100", "flowId": flow["id"]})
    assert (made.status, made.content["flowId"]) == (201, flow["id"])
    assert (await room.customer("DELETE", "/numbers/31205550100")).status == 204


async def test_flows_are_saved_read_replaced_and_listed():
    room = await NativeRoom.open()
    saved = await room.operator("POST", "/flows", HANG_UP)
    flow = {
        "id": saved.content["id"],
        "title": "Bye",
        "record": False,
        "default": False,
        "maxDuration": None,
        "steps": [{"action": "hangup", "id": "step-1"}],
        "createdAt": NOW,
        "updatedAt": NOW,
    }
    titled = {"severity": "warning", "step": None, "parameter": "title", "message": TITLED}
    assert tuple(saved) == (201, {**flow, "warnings": [titled]})
    assert tuple(await room.operator("GET", f"/flows/{flow['id']}")) == (200, {**flow, "warnings": [titled]})
    assert (await room.operator("GET", f"/flows/{flow['id']}", world="test")).status == 404
    pause = {"action": "pause", "options": {"length": 1}, "id": "wait"}
    replaced = await room.operator("PUT", f"/flows/{flow['id']}", {"steps": [pause]})
    after = {**flow, "title": None, "steps": [pause]}
    assert tuple(replaced) == (200, {**after, "warnings": []})
    assert (await room.operator("GET", "/flows")).content == {"data": [after], "total": 1, "limit": 100, "offset": 0}


async def test_a_flow_is_checked_without_being_saved():
    room = await NativeRoom.open()
    bye = {"id": "bye", "action": "hangup"}
    checked = await room.customer("POST", "/flows/check", {"title": "Bye", "steps": [bye, {"id": "never", "action": "hangup"}]})
    assert checked.status == 200
    assert checked.content["ok"] is False
    assert [(one["severity"], one["step"], one["parameter"]) for one in checked.content["findings"]] == [
        ("error", "never", "steps[1]"),
        ("warning", None, "title"),
    ]
    assert (await room.customer("POST", "/flows/check", {"steps": [bye]})).content == {"ok": True, "findings": []}
    assert (await room.customer("GET", "/flows")).content["total"] == 0
    refused = await room.customer("POST", "/flows", {"steps": [bye, {"id": "never", "action": "hangup"}]})
    assert (refused.status, refused.error["parameter"]) == (400, "steps[1]")
    assert refused.error["message"].startswith("Step 'never': it is never reached")


async def test_the_schema_of_flows_is_for_anyone():
    room = await NativeRoom.open()
    reply = await room.customer("GET", "/schemas/flow.json", key="")
    assert (reply.status, reply.content["title"]) == (200, "Call flow")


async def test_one_flow_is_the_default():
    room = await NativeRoom.open()
    first, second = [(await room.operator("POST", "/flows", HANG_UP)).content["id"] for _ in range(2)]
    for flow_id in (first, second):
        made = await room.operator("POST", f"/flows/{flow_id}/default")
        assert (made.status, made.content["default"], made.content["title"]) == (200, True, "Bye")
    flows = (await room.operator("GET", "/flows")).content["data"]
    assert {flow["id"]: flow["default"] for flow in flows} == {first: False, second: True}


async def test_numbers_are_bound_to_a_flow():
    room = await NativeRoom.open(claim="listed")
    flow_id = (await room.operator("POST", "/flows", HANG_UP)).content["id"]
    bound = await room.operator("POST", f"/flows/{flow_id}/numbers", {"numbers": ["+31205550100", "31205550101"]})
    assert [(one["number"], one["flowId"]) for one in bound.content["data"]] == [
        ("31205550100", flow_id),
        ("31205550101", flow_id),
    ]
    assert (await room.customer("POST", f"/flows/{flow_id}/numbers", {"numbers": ["31205550100"]})).status == 200
    unknown = await room.customer("POST", f"/flows/{flow_id}/numbers", {"numbers": ["31205550102"]})
    assert (unknown.status, unknown.error["parameter"]) == (400, "numbers")
    assert (await room.operator("POST", f"/flows/{flow_id}/numbers", {"numbers": []})).status == 400


async def test_a_flow_has_its_limit():
    room = await NativeRoom.open(flow=1_024)
    steps = [{"action": "say", "options": {"payload": "x" * 1_200}}]
    reply = await room.operator("POST", "/flows", {"steps": steps})
    assert reply.status == 400
    assert "1024" in reply.error["message"]
