"""One attempt: sign, post, judge the answer, commit what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from callwright.clock import Clock, rfc3339
from callwright.egress import Answer, BadUrl, Fault, Header, Transport, Url, parse
from callwright.errors import StoreUnavailable
from callwright.log import Log
from callwright.store import Change, Store, Write
from callwright.webhooks import ledger
from callwright.webhooks.model import Delivery, State
from callwright.webhooks.settings import WebhookSettings

ID_HEADER = "webhook-id"
SEQUENCE_HEADER = "webhook-sequence"
WEBHOOK_DELETED = "webhook_deleted"
INTERNAL = "internal"
STORE_PAUSE_S = 1.0

_log = Log("webhooks")


class _Made(NamedTuple):
    """An attempt that was made: `error` is None for a good one."""

    at_us: int
    headers: Sequence[Header]
    answer: Answer
    error: str | None


class Attempts:
    def __init__(
        self,
        store: Store,
        transport: Transport,
        clock: Clock,
        settings: WebhookSettings,
        *,
        sign: Callable[[Delivery, Url, int], Sequence[Header]],
        counted: Callable[[str], None],
        chance: Callable[[], float],
        scheduled: Callable[[int], None],
    ) -> None:
        """`sign` gives the signature headers of an attempt; `chance` gives random numbers below 1;
        `scheduled` hears when a retry is due.

        `counted` hears of each attempt: ``delivered``, ``failed``, ``refused`` (by the address veto) or ``exhausted``.
        """
        self._store = store
        self._transport = transport
        self._clock = clock
        self._settings = settings
        self._sign = sign
        self._counted = counted
        self._chance = chance
        self._scheduled = scheduled

    async def make(self, pos: int) -> bool:
        """Send the delivery at `pos` if it is due; return when the outcome is committed. False: there was no outcome."""
        delivery = ledger.find_delivery(self._store, pos)
        if delivery is None or delivery.next_at_us is None or delivery.next_at_us > self._clock.now_us():
            return True
        if delivery.withdrawn:
            await self._withdraw(delivery)
            return True
        made = await self._post(delivery)
        answer = made.answer
        if answer.fault is Fault.CLOSED:
            return False  # the server is stopping: the attempt has not taken place
        if made.error is None:
            settled = ledger.settle(delivery, State.DELIVERED, self._clock.now_us(), made=1, status=answer.status, error=None)
            await self._commit((self._logged(delivery, made, None), *settled))
            self._counted("delivered")
        else:
            await self._failed(delivery, made, made.error)
        return True

    async def _post(self, delivery: Delivery) -> _Made:
        at_us = self._clock.now_us()
        headers: list[Header] = []
        try:
            url = parse(delivery.url)
            headers = [
                ("Content-Type", "application/json"),
                (ID_HEADER, str(delivery.event_id)),
                (SEQUENCE_HEADER, str(delivery.sequence)),
                *self._sign(delivery, url, at_us),
            ]
            answer = await self._transport.post(url.text, headers, delivery.body, self._settings.timeout, repeatable=True)
        except BadUrl as error:
            answer = Answer(delivery.url, fault=Fault.BAD_URL, detail=str(error))
        except Exception:
            # A defect of ours must wait its turn on the ladder like any failure, or the lane would spin.
            _log.exception("attempt_broke", call=delivery.call_id, sequence=delivery.sequence)
            return _Made(at_us, headers, Answer(delivery.url, detail="the server failed; its log says how"), INTERNAL)
        return _Made(at_us, headers, answer, None if answer.fault is None else answer.fault.value)

    async def _failed(self, delivery: Delivery, made: _Made, error: str) -> None:
        status = made.answer.status or None
        now_us = self._clock.now_us()
        next_us = self._settings.next_attempt_us(
            attempts=delivery.tries + 1, created_us=delivery.since_us, now_us=now_us, chance=self._chance()
        )
        if next_us is None or error == Fault.BAD_URL.value:
            settled = ledger.settle(delivery, State.EXHAUSTED, now_us, made=1, status=status, error=error)
            await self._commit((self._logged(delivery, made, None), *settled))
            self._counted("exhausted")
            self._tell("delivery_exhausted", delivery, made, error)
            return
        retry = ledger.retry(delivery, next_us, status=status, error=error)
        await self._commit((self._logged(delivery, made, next_us), retry))
        self._scheduled(next_us)
        self._counted("refused" if error == Fault.REFUSED_ADDRESS.value else "failed")
        self._tell("delivery_failed", delivery, made, error, next_attempt=rfc3339(next_us))

    async def _withdraw(self, delivery: Delivery) -> None:
        await self._commit(
            ledger.settle(delivery, State.EXHAUSTED, self._clock.now_us(), made=0, status=None, error=WEBHOOK_DELETED)
        )
        self._counted("exhausted")
        _log.warning(
            "delivery_exhausted", call=delivery.call_id, sequence=delivery.sequence, detail="no webhook asks for it any more"
        )

    @staticmethod
    def _logged(delivery: Delivery, made: _Made, next_at_us: int | None) -> Write:
        return ledger.insert_attempt(delivery, made.at_us, made.headers, made.answer, made.error, next_at_us)

    async def _commit(self, writes: tuple[Write, ...]) -> None:
        """Keep at it while the store is down: what was sent and is not recorded would be sent again."""
        while True:
            try:
                return await self._store.commit(Change(writes))
            except StoreUnavailable:
                await self._clock.sleep(STORE_PAUSE_S)

    def _tell(self, what: str, delivery: Delivery, made: _Made, error: str, **more: str) -> None:
        _log.warning(
            what,
            call=delivery.call_id,
            kind=delivery.kind,
            sequence=delivery.sequence,
            host=_host(delivery.url),
            attempt=delivery.attempts + 1,
            status=made.answer.status or None,
            error=error,
            detail=made.answer.detail,
            **more,
        )


def _host(url: str) -> str:
    try:
        return parse(url).host
    except BadUrl:
        return ""
