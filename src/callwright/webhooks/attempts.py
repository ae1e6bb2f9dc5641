"""One attempt: sign, post, judge the answer, commit what came of it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from callwright import ids
from callwright.clock import Clock, rfc3339
from callwright.egress import Answer, BadUrl, Fault, Header, Transport, parse
from callwright.errors import StoreUnavailable
from callwright.log import Log
from callwright.store import Change, Store, Write
from callwright.webhooks import rows, signature
from callwright.webhooks.model import Delivery, State
from callwright.webhooks.settings import WebhookSettings

ID_HEADER = "webhook-id"
SEQUENCE_HEADER = "webhook-sequence"
WEBHOOK_DELETED = "webhook_deleted"
INTERNAL = "internal"
STORE_PAUSE_S = 1.0

_log = Log("webhooks")


class Attempts:
    def __init__(
        self,
        store: Store,
        transport: Transport,
        clock: Clock,
        settings: WebhookSettings,
        *,
        signing_key: Callable[[UUID], str],
        counted: Callable[[str], None],
        chance: Callable[[], float],
        scheduled: Callable[[int], None],
    ) -> None:
        """`signing_key` is asked for a world's; `chance` gives random numbers below 1; `scheduled` hears when a retry is due.

        `counted` hears of each attempt: ``delivered``, ``failed``, ``refused`` (by the address veto) or ``exhausted``.
        """
        self._store = store
        self._transport = transport
        self._clock = clock
        self._settings = settings
        self._signing_key = signing_key
        self._counted = counted
        self._chance = chance
        self._scheduled = scheduled

    async def make(self, pos: int) -> bool:
        """Send the delivery at `pos` if it is due; return when the outcome is committed. False: there was no outcome."""
        delivery = rows.find_delivery(self._store, pos)
        if delivery is None or delivery.next_at_us is None or delivery.next_at_us > self._clock.now_us():
            return True
        if delivery.withdrawn:
            await self._give_up(delivery, delivery.attempts, None, WEBHOOK_DELETED, "no webhook asks for it any more")
            return True
        answer = await self._post(delivery)
        if answer is None:
            await self._failed(delivery, None, INTERNAL, "see the exception logged before this line")
        elif answer.fault is None:
            await self._commit(self._settled(delivery, State.DELIVERED, delivery.attempts + 1, answer.status, None))
            self._counted("delivered")
        elif answer.fault is Fault.CLOSED:
            return False  # the server is stopping: the attempt has not taken place
        else:
            await self._failed(delivery, answer.status or None, answer.fault.value, answer.detail)
        return True

    async def _post(self, delivery: Delivery) -> Answer | None:
        try:
            url = parse(delivery.url)
            signed = signature.headers(
                url=url,
                body=delivery.body,
                signing_key=self._signing_key(delivery.world_id),
                token=delivery.token,
                now_us=self._clock.now_us(),
                jti=ids.uuid7(self._clock.now_us()),
                encoding=self._settings.encoding,
            )
            headers: list[Header] = [
                ("Content-Type", "application/json"),
                (ID_HEADER, str(delivery.event_id)),
                (SEQUENCE_HEADER, str(delivery.seq)),
                *signed,
            ]
            return await self._transport.post(url.text, headers, delivery.body, self._settings.timeout, repeatable=True)
        except BadUrl as error:
            return Answer(delivery.url, fault=Fault.BAD_URL, detail=str(error))
        except Exception:
            # A defect of ours must wait its turn on the ladder like any failure, or the lane would spin.
            _log.exception("attempt_broke", call=delivery.call_id, sequence=delivery.seq)
            return None

    async def _failed(self, delivery: Delivery, status: int | None, error: str, detail: str) -> None:
        attempts = delivery.attempts + 1
        now_us = self._clock.now_us()
        next_us = self._settings.next_attempt_us(
            attempts=attempts, created_us=delivery.created_us, now_us=now_us, chance=self._chance()
        )
        if next_us is None or error == Fault.BAD_URL.value:
            await self._give_up(delivery, attempts, status, error, detail)
            return
        await self._commit((rows.retry(delivery, next_us, attempts=attempts, status=status, error=error),))
        self._scheduled(next_us)
        self._counted("refused" if error == Fault.REFUSED_ADDRESS.value else "failed")
        self._tell("delivery_failed", delivery, attempts, status, error, detail, next_attempt=rfc3339(next_us))

    async def _give_up(self, delivery: Delivery, attempts: int, status: int | None, error: str, detail: str) -> None:
        await self._commit(self._settled(delivery, State.EXHAUSTED, attempts, status, error))
        self._counted("exhausted")
        self._tell("delivery_exhausted", delivery, attempts, status, error, detail)

    def _settled(
        self, delivery: Delivery, state: State, attempts: int, status: int | None, error: str | None
    ) -> tuple[Write, ...]:
        return rows.settle(delivery, state, self._clock.now_us(), attempts=attempts, status=status, error=error)

    async def _commit(self, writes: tuple[Write, ...]) -> None:
        """Keep at it while the store is down: what was sent and is not recorded would be sent again."""
        while True:
            try:
                return await self._store.commit(Change(writes))
            except StoreUnavailable:
                await self._clock.sleep(STORE_PAUSE_S)

    def _tell(
        self, what: str, delivery: Delivery, attempts: int, status: int | None, error: str, detail: str, **more: str
    ) -> None:
        _log.warning(
            what,
            call=delivery.call_id,
            kind=delivery.kind,
            sequence=delivery.seq,
            host=_host(delivery.url),
            attempt=attempts,
            status=status,
            error=error,
            detail=detail,
            **more,
        )


def _host(url: str) -> str:
    try:
        return parse(url).host
    except BadUrl:
        return ""
