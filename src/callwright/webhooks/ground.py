"""What the lanes stand on here: one database, one process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from callwright.clock import Clock
from callwright.log import Log
from callwright.store import Store
from callwright.webhooks import ledger
from callwright.webhooks.attempts import Attempts
from callwright.webhooks.lanes import Limits, Look
from callwright.webhooks.model import Delivery, Endpoint
from callwright.webhooks.outcomes import Outcomes

_log = Log("webhooks")


class OneNode:
    """The `Ground` of a server that has its database for itself. Several would lease endpoints here (decision 0035)."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        attempts: Attempts,
        outcomes: Outcomes,
        otherwise: Collection[str],
        *,
        disabled: Callable[[Endpoint], None],
        happened: Callable[[str], None],
    ) -> None:
        """`otherwise` are the types of events for webhooks that do not say theirs."""
        self._store = store
        self._otherwise = otherwise
        self._clock = clock
        self.attempt = attempts.make
        self.close = outcomes.close
        self.disabled = disabled
        self.happened = happened

    def look(self, endpoint: Endpoint, limit: int) -> Look:
        try:
            return ledger.look(self._store, endpoint, self._clock.now_us(), limit)
        except Exception as error:
            _log.warning("due_not_read", host=endpoint.host, error=str(error), again="at the next look around")
            return Look([], None)

    def read(self, positions: Sequence[int]) -> Mapping[int, Delivery]:
        return ledger.find_deliveries(self._store, positions, self._otherwise)

    def limits(self, endpoint: Endpoint) -> Limits:
        known = ledger.find_endpoint(self._store, endpoint)
        if known is None:
            return Limits()
        return Limits(
            known.concurrency, known.rate, known.failures, known.failing_us, known.disabled_us is not None, known.failed_us
        )
