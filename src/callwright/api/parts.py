"""What the interface is built on: the rooms it asks, and its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from callwright.accounts.worlds import Accounts, World
from callwright.calls.model import Call
from callwright.clock import Clock
from callwright.flows.flows import Flows
from callwright.flows.schema import Flow
from callwright.numbers.numbers import Numbers
from callwright.store import Store
from callwright.webhooks.webhooks import Webhooks


class Switch(Protocol):
    """Call control (`callwright.switch`). Each method returns when its intent is committed, not when the wire has seen it."""

    async def place_call(
        self,
        world: World,
        *,
        source: str,
        destination: str,
        flow: Flow,
        flow_body: dict[str, Any],
        webhook_url: str | None,
        webhook_token: str | None,
    ) -> Call: ...

    async def hang_up_call(self, world_id: UUID, call_id: UUID) -> None:
        """Raises `NotFound` for a call the world does not have; one that is over is left as it is."""
        ...

    async def hang_up_leg(self, world_id: UUID, leg_id: UUID) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a request body and of a call flow (contract §1.1)."""

    body: int = 65_536
    flow: int = 32_768


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`currency` is what legs are shown with (ISO 4217)."""

    store: Store
    clock: Clock
    accounts: Accounts
    numbers: Numbers
    flows: Flows
    webhooks: Webhooks
    switch: Switch
    limits: Limits = Limits()
    currency: str = "EUR"
