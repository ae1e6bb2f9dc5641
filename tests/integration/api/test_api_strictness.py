"""The switches of the section compatibility, as a client sees them; with each, what is answered is what the document says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from callwright import ids
from callwright.calls.lifecycle import CallRecord
from callwright.dialect.strictness import Strictness
from callwright.errors import Conflict
from callwright.reasons import Reason
from callwright.store import Store
from support.rest import Rest

NO_FLOW = {"source": "31205550100", "destination": "31205550123"}


@asynccontextmanager
async def opened(strictness: Strictness) -> AsyncIterator[Rest]:
    store = Store.in_memory()
    rest = await Rest(store, strictness=strictness).prepare()
    yield rest
    rest.files.close()
    store.close()


async def ended(rest: Rest, reason: Reason) -> str:
    """A call from the API that nobody talked on; the answer is its id."""
    at = rest.clock.now_us()
    leg = ids.uuid7(at)
    record = CallRecord.requested(
        call_id=ids.uuid7(at),
        leg_id=leg,
        world_id=rest.accounts.world("live").id,
        source="31205550100",
        destination="31205550123",
        number_id=None,
        webhook_url=None,
        webhook_token=None,
        at_us=at,
        node="test",
    )
    record.start(at)
    record.end_leg(leg, reason, at)
    await rest.store.commit(record.take())
    return str(record.call.id)


@pytest.mark.parametrize(
    ("documented", "statuses"), [(False, (422, 422, 422)), (True, (400, 400, 409))], ids=["readable", "documented"]
)
async def test_statuses_of_what_is_refused(documented: bool, statuses: tuple[int, int, int]) -> None:
    async with opened(Strictness(documented_status_codes=documented)) as rest:
        malformed = await rest.live("POST", "/calls", b"{")
        missing = await rest.live("POST", "/calls", NO_FLOW)
        call = await ended(rest, Reason.BUSY)
        rest.switch.refusal = Conflict("The call is over.")
        conflict = await rest.live("PUT", f"/calls/{call}", {"callFlow": {"steps": [{"action": "hangup"}]}})
        assert (malformed.status, missing.status, conflict.status) == statuses
        assert [reply.json["errors"][0]["code"] for reply in (malformed, missing, conflict)] == [21, 11, 10]
        # The others are what they are.
        assert (await rest.live("GET", f"/calls/{ids.uuid7(1)}")).status == 404
        assert (await rest.anonymous("GET", "/calls")).status == 401


@pytest.mark.parametrize(("collapse", "shown"), [(False, ["busy", "no_answer", "failed"]), (True, ["ended"] * 3)])
async def test_how_calls_ended(collapse: bool, shown: list[str]) -> None:
    async with opened(Strictness(collapse_statuses=collapse)) as rest:
        calls = [await ended(rest, reason) for reason in (Reason.BUSY, Reason.RING_TIMEOUT, Reason.UNREACHABLE)]
        single = [(await rest.live("GET", f"/calls/{call}")).json["data"][0]["status"] for call in calls]
        listed = [item["status"] for item in reversed((await rest.live("GET", "/calls")).json["data"])]
        assert (single, listed) == (shown, shown)
        (leg,) = (await rest.live("GET", f"/calls/{calls[0]}/legs")).json["data"]
        assert leg["status"] == "busy", "legs keep their words: every library knows them"


@pytest.mark.parametrize("code", [15, 2])
async def test_the_code_of_a_wrong_key(code: int) -> None:
    async with opened(Strictness(authentication_code=code)) as rest:
        reply = await rest.anonymous("GET", "/calls")
        assert (reply.status, reply.json["errors"][0]["code"]) == (401, code)


@pytest.mark.parametrize("honoured", [False, True])
async def test_another_method_on_get(honoured: bool) -> None:
    async with opened(Strictness(method_on_get=honoured)) as rest:
        call = await ended(rest, Reason.BUSY)
        reply = await rest.live("GET", f"/calls/{call}?_method=DELETE")
        assert reply.status == (204 if honoured else 200)
        assert rest.switch.asked == ([("hang up call", ids.parse(call))] if honoured else [])
        unknown = await rest.live("GET", f"/calls/{call}?_method=FETCH")
        assert unknown.status == (405 if honoured else 200)
