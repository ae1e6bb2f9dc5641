from __future__ import annotations

import asyncio
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from callwright.store import Store
from support.bodies import bodies
from support.rest import Rest

_TARGETS = (
    "/calls",
    "/call-flows",
    "/webhooks",
    "/numbers/31205550123/webhook",
    "/numbers/31205550123/call-flow",
    "/call-flows/{flow}/numbers",
    "/recordings/{recording}/transcriptions",
)


async def recorded(rest: Rest) -> UUID:
    return (await rest.recording(await rest.inbound_call(), None)).id


def test_no_body_makes_the_server_fail() -> None:
    store = Store.in_memory()
    with asyncio.Runner() as runner:
        rest = runner.run(Rest(store).prepare())
        recording = runner.run(recorded(rest))
        flow = runner.run(rest.flows.make(rest.accounts.world("live").id, {"steps": [{"action": "hangup"}]}))

        @settings(max_examples=150)
        @given(target=st.sampled_from(_TARGETS), body=bodies)
        def post(target: str, body: bytes) -> None:
            reply = runner.run(rest.live("POST", target.format(flow=flow.id, recording=recording), body))
            assert reply.status in (201, 422)
            listed = runner.run(rest.live("GET", "/call-flows?perPage=100"))
            assert listed.status == 200

        post()
    store.close()
