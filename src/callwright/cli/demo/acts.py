"""The three acts of the demo: a simulated call, a call in, and a call that is transferred."""

from __future__ import annotations

import asyncio
from typing import Any

from callwright.cli.demo.customer import Answer
from callwright.cli.demo.stage import (
    GREETING_HZ,
    GREETING_PATH,
    TONE_A_HZ,
    TONE_B_HZ,
    ActOver,
    Stage,
    hears,
    keys_fault,
    made,
    near,
    order_fault,
)
from callwright.phone.client import Phone, PhoneError

GREETING_NUMBER, TRANSFER_NUMBER = "31205550101", "31205550102"
GREETING_KEY, TRANSFER_KEY = "5", "7"
ANSWER_S = 10.0
CALL_TOKEN, NUMBER_TOKEN = "demo-call-token", "foobar"

CALL_KEYS = ("id", "status", "numberId", "createdAt", "updatedAt", "endedAt", "source", "destination", "_links")
LEG_KEYS = (
    "id", "callId", "source", "destination", "status", "direction", "createdAt", "updatedAt", "answeredAt", "endedAt",
    "cost", "currency", "duration", "_links",
)  # fmt: skip
PAYLOAD_KEYS = ("id", "status", "number", "legs", "createdAt", "updatedAt", "endedAt", "source", "destination")
LIST_KEYS = ("data", "_links", "pagination")


async def simulated(stage: Stage) -> None:
    """A test key needs no telephone: the call runs on the simulator and is told of like any other."""
    note = stage.findings.note
    body = {
        "source": "31205550100",
        "destination": "31612345678",
        "callFlow": {"steps": [{"action": "pause", "options": {"length": 0.5}}, {"action": "hangup"}]},
        "webhook": {"url": stage.receiver.url("/voice/callback?from=call"), "token": CALL_TOKEN},
    }
    placed = await stage.test.post("/calls", body)
    call = made(placed, "POST /calls")
    note("simulated.placed", {"http": placed.status, "status": call["status"]}, met=call["status"] == "queued")
    ended = await stage.ended(stage.test, call["id"])
    legs = _data(await stage.test.get(f"/calls/{call['id']}/legs"))
    seen = {"call": ended.get("status"), "legs": [_brief(leg) for leg in legs]}
    expected = {"call": "ended", "legs": [("outgoing", "hangup", True)]}
    note("simulated.ended", seen, met=seen == expected)
    received = await stage.callbacks_of("simulated", call["id"], "test", CALL_TOKEN)
    fault = order_fault(received)
    note("simulated.callbacks", fault or [one.item["payload"]["status"] for one in received], met=fault is None)
    stage.judge_signatures("simulated", "simulated.signatures")


async def greeting(stage: Stage) -> None:
    """Phone A calls a number whose flow plays a sound file, and presses a key meanwhile."""
    note, a = stage.findings.note, stage.a
    play = {"action": "play", "options": {"media": stage.receiver.url(GREETING_PATH)}}
    flow = made(await stage.live.post("/call-flows", {"title": "Greeting", "steps": [play]}), "POST /call-flows")
    made(await stage.live.post(f"/call-flows/{flow['id']}/numbers", {"numbers": [GREETING_NUMBER]}), "Binding the number")

    n = await _dial(stage, GREETING_NUMBER)
    note("greeting.answered", await _answered(a, n), met=True)
    await a.do("digits", call=n, digits=GREETING_KEY)
    released = await a.wait("ended", call=n, timeout=ANSWER_S)
    tones = [hz for _, hz in a.tones(n) if hz is not None]
    note("greeting.sound", {"hz": tones}, met=any(near(hz, GREETING_HZ) for hz in tones))
    note("greeting.released", {"by": released["who"]}, met=released["who"] == "far")

    call = await _newest(stage, GREETING_NUMBER)
    ended = await stage.ended(stage.live, call["id"])
    digits = await _digits(stage, call["id"])
    note("greeting.digit", digits, met=digits == [GREETING_KEY])
    told = await stage.native(f"/api/calls/{call['id']}")
    reasons = [
        (leg["direction"], leg["reason"] and leg["reason"]["name"], leg["answeredAt"] is not None) for leg in told["legs"]
    ]
    seen = {"call": ended.get("status"), "legs": reasons}
    note("greeting.record", seen, met=seen == {"call": "ended", "legs": [("incoming", "flow_ended", True)]})


async def transfer(stage: Stage) -> None:
    """Phone A calls a number whose flow connects it to phone B: the call of the tutorial, start to finish."""
    note, live, b = stage.findings.note, stage.live, stage.b
    step = {"action": "transfer", "options": {"destination": f"sip:31205550199@{b.sip}"}}
    flow = await live.post("/call-flows", {"title": "To phone B", "steps": [step]})
    bound = await live.post(f"/call-flows/{made(flow, 'POST /call-flows')['id']}/numbers", {"numbers": [TRANSFER_NUMBER]})
    hook = await live.post(
        f"/numbers/{TRANSFER_NUMBER}/webhook", {"url": stage.receiver.url("/messagebird/callback"), "token": NUMBER_TOKEN}
    )
    statuses = [flow.status, bound.status, hook.status]
    note("transfer.set_up", statuses, met=statuses == [201, 201, 201])

    await b.do("policy", tone=TONE_B_HZ, ring=1.0)
    at_a = await _dial(stage, TRANSFER_NUMBER, tone=TONE_A_HZ)
    await _connected(stage, at_a)
    call = await _newest(stage, TRANSFER_NUMBER)
    await stage.ended(live, call["id"])
    await _on_record(stage, call["id"])
    received = await stage.callbacks_of("transfer", call["id"], "live", NUMBER_TOKEN)
    last = received[-1].item["payload"] if received else None
    fault = order_fault(received) or keys_fault(last, PAYLOAD_KEYS)
    note("transfer.callbacks", fault or [one.item["payload"]["status"] for one in received], met=fault is None)
    stage.judge_signatures("transfer", "transfer.signatures")


async def _connected(stage: Stage, at_a: int) -> None:
    """What both telephones see and hear, until phone A hangs up."""
    note, a, b = stage.findings.note, stage.a, stage.b
    at_b: int = (await b.wait("incoming", timeout=ANSWER_S))["call"]
    rings = await a.wait("ringing", "answered", "refused", "ended", call=at_a, timeout=ANSWER_S)
    note("transfer.ringing", {"event": rings["event"], "code": rings.get("code")}, met=rings.get("code") == 180)
    answers = await asyncio.gather(_answered(a, at_a), _answered(b, at_b))
    note("transfer.answered", dict(zip("ab", answers, strict=True)), met=True)

    heard_a, heard_b = await asyncio.gather(hears(a, at_a, TONE_B_HZ), hears(b, at_b, TONE_A_HZ))
    note("transfer.a_hears_b", heard_a, met=near(heard_a["hz"], TONE_B_HZ))
    note("transfer.b_hears_a", heard_b, met=near(heard_b["hz"], TONE_A_HZ))

    await a.do("digits", call=at_a, digits=TRANSFER_KEY)
    digit = await _event(b, "digit", at_b)
    note("transfer.digit_at_b", digit.get("digit"), met=digit.get("digit") == TRANSFER_KEY)
    await a.do("hangup", call=at_a)
    released = await _event(b, "ended", at_b)
    note("transfer.released", {"by": released.get("who")}, met=released.get("who") == "far")


async def _on_record(stage: Stage, call_id: str) -> None:
    """What is on record of the transferred call."""
    note = stage.findings.note
    listed = await stage.live.get("/calls")
    first = listed.first
    fault = keys_fault(listed.content, LIST_KEYS) or keys_fault(first, CALL_KEYS)
    if fault is None and (first["id"], first["status"]) != (call_id, "ended"):
        fault = f"first is {first['id']}, {first['status']}"
    note("transfer.call", fault or first["status"], met=fault is None)

    answer = await stage.live.get(f"/calls/{call_id}/legs")
    legs = _data(answer)
    faults = [keys_fault(answer.content, LIST_KEYS), *(keys_fault(leg, LEG_KEYS, ("sipResponseCode",)) for leg in legs)]
    fault = next((fault for fault in faults if fault is not None), None)
    seen = [_brief(leg) for leg in legs]
    met = fault is None and seen == [("outgoing", "hangup", True), ("incoming", "hangup", True)]
    note("transfer.legs", fault or seen, met=met)

    told = await stage.native(f"/api/calls/{call_id}")
    reasons = [leg["reason"] and leg["reason"]["name"] for leg in told["legs"]]
    note("transfer.reasons", reasons, met=reasons == ["caller_hangup", "peer_gone"])
    digits = await _digits(stage, call_id)
    note("transfer.digit_on_record", digits, met=digits == [TRANSFER_KEY])


async def _dial(stage: Stage, number: str, **manner: Any) -> int:
    n = await stage.a.call(f"sip:{number}@{stage.server.address.sip}", **manner)
    assert n is not None
    return n


async def _answered(phone: Phone, call: int) -> dict[str, Any]:
    event = await phone.wait("answered", "refused", "ended", call=call, timeout=ANSWER_S)
    if event["event"] != "answered":
        raise ActOver(f"the call was {event['event']} with {event.get('code')} {event.get('phrase', '')}".rstrip())
    return {"law": event["law"]}


async def _event(phone: Phone, name: str, call: int) -> dict[str, Any]:
    """An event, or nothing where it does not come."""
    try:
        return await phone.wait(name, call=call, timeout=ANSWER_S)
    except (TimeoutError, PhoneError):
        return {}


async def _newest(stage: Stage, number: str) -> dict[str, Any]:
    call = (await stage.live.get("/calls")).first
    if call.get("destination") != number:
        raise ActOver(f"the newest call on record is not to {number} but to {call.get('destination')}")
    return call


async def _digits(stage: Stage, call_id: str) -> list[str]:
    entries = (await stage.native(f"/api/calls/{call_id}/journal"))["data"]
    return [entry["digit"] for entry in entries if entry["kind"] == "digit_pressed"]


def _brief(leg: dict[str, Any]) -> tuple[str, str, bool]:
    return leg["direction"], leg["status"], leg["answeredAt"] is not None


def _data(answer: Answer) -> list[dict[str, Any]]:
    content = answer.content
    return list(content["data"]) if isinstance(content, dict) and isinstance(content.get("data"), list) else []
