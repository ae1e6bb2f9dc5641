"""Endpoints switched off and on: the row and the notice to the account in one transaction, for the one who changed it alone."""

from __future__ import annotations

from uuid import UUID

from callwright import ids
from callwright.calls.events import TOPIC
from callwright.clock import Clock
from callwright.dialect.callbacks import WEBHOOK_DISABLED, WEBHOOK_ENABLED, EndpointNotice
from callwright.log import Log
from callwright.store import Store, Transaction, Wake
from callwright.webhooks import ledger, notices
from callwright.webhooks.model import Endpoint
from callwright.webhooks.notices import Why

_log = Log("webhooks")


def switch_off(
    transaction: Transaction,
    endpoint: Endpoint,
    why: Why,
    now_us: int,
    *,
    last_status: int | None = None,
    last_error: str | None = None,
) -> UUID | None:
    """Disable an endpoint and tell the account; returns its id, or None, with nothing done, when it is disabled already."""
    known = ledger.find_endpoint(transaction, endpoint)
    if known is not None and known.disabled_us is not None:
        return None
    notice = EndpointNotice(
        endpoint_id=ids.uuid7(now_us) if known is None else known.id,
        url=endpoint.url,
        at_us=now_us,
        why=why.value,
        failing_us=None if known is None else known.failing_us,
        failures=0 if known is None else known.failures,
        last_status=last_status,
        last_error=last_error,
    )
    transaction.write(ledger.disable(endpoint, notice.endpoint_id, why.value, now_us))
    transaction.write_all(notices.told(endpoint.world_id, WEBHOOK_DISABLED, notice).writes)
    return notice.endpoint_id


def switch_on(transaction: Transaction, endpoint: Endpoint, now_us: int) -> bool:
    """Enable an endpoint and tell the account; False, and nothing is done, when it is not disabled."""
    known = ledger.find_endpoint(transaction, endpoint)
    if known is None or known.disabled_us is None:
        return False
    notice = EndpointNotice(endpoint_id=known.id, url=endpoint.url, at_us=now_us, why=known.disabled_why or Why.ASKED.value)
    transaction.write(ledger.enable(endpoint, now_us))
    transaction.write_all(notices.told(endpoint.world_id, WEBHOOK_ENABLED, notice).writes)
    return True


async def enable(store: Store, clock: Clock, world_id: UUID, url: str) -> bool:
    """Enable an endpoint in the table: all there is to do where no server runs. False when it was not disabled."""
    endpoint = Endpoint(world_id, url)
    known = ledger.find_endpoint(store, endpoint)
    if known is None or known.disabled_us is None:
        return False  # the most common by far, and no commit
    enabled = await store.transact(lambda transaction: switch_on(transaction, endpoint, clock.now_us()), wakes(endpoint))
    if enabled:
        _log.info("endpoint_enabled", endpoint=known.id, host=endpoint.host)
    return enabled


def wakes(endpoint: Endpoint) -> tuple[Wake, ...]:
    """Whom a transaction that switched wakes: the outbox has the notice."""
    return (Wake(TOPIC, endpoint.world_id, endpoint.world_id),)
