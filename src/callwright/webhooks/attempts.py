"""One attempt: sign, post, judge the answer, commit what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from callwright import ids
from callwright.clock import SECOND_US, Clock, rfc3339
from callwright.egress import Answer, BadUrl, Fault, Header, Poster, Url, parse
from callwright.errors import StoreUnavailable
from callwright.log import Log
from callwright.store import Change, Store, Transaction, Wake, Write
from callwright.webhooks import ledger, switching
from callwright.webhooks.health import GOOD, NOTHING, Circuit, Happening, Health, Peer, Verdict
from callwright.webhooks.model import Delivery, Endpoint, State
from callwright.webhooks.notices import Why
from callwright.webhooks.outcomes import Delivered, Outcomes
from callwright.webhooks.passing import passing_us
from callwright.webhooks.settings import WebhookSettings
from callwright.webhooks.telling import EXHAUSTED, FAILED, Telling
from callwright.webhooks.waiting import asked_until_us, gaps

ID_HEADER = "webhook-id"
SEQUENCE_HEADER = "webhook-sequence"
GAP_HEADER = "webhook-gap"
TEST_HEADER = "webhook-test"
WEBHOOK_DELETED = "webhook_deleted"
ENDPOINT_DISABLED = "endpoint_disabled"
INTERNAL = "internal"
STORE_PAUSE_S = 1.0
GONE = 410
MOST_UNDELIVERED = 2_000
# What speaks against the host, and not against one program on it.
_HOST_FAULTS = frozenset({Fault.DNS, Fault.CONNECT, Fault.TLS, Fault.TIMEOUT, Fault.RESET, Fault.PROTOCOL})
_HOST_STATUSES = frozenset({502, 503, 504})
# Nobody at the receiver's had a part in these: they are counted against neither endpoint nor host.
_OURS = frozenset({Fault.BAD_URL.value, Fault.BUSY.value, Fault.PROXY.value, INTERNAL})
# These say nothing of the delivery either: its lane keeps waiting for it, and it is not given up for its age.
_OURS_AND_PASSING = frozenset({Fault.BUSY.value, Fault.PROXY.value})

_log = Log("webhooks")


class _Made(NamedTuple):
    """An attempt that was made: `error` is None for a good one."""

    at_us: int
    headers: Sequence[Header]
    answer: Answer
    error: str | None


_Place = tuple[UUID, UUID, str, int]


def _place(delivery: Delivery, sequence: int) -> _Place:
    """A place in the lane of a delivery."""
    return delivery.world_id, delivery.call_id, delivery.url, sequence


class Attempts:
    def __init__(
        self,
        store: Store,
        outcomes: Outcomes,
        transport: Poster,
        clock: Clock,
        settings: WebhookSettings,
        *,
        sign: Callable[[Delivery, Url, int], Sequence[Header]],
        counted: Callable[[str], None],
        chance: Callable[[], float],
        happened: Callable[[str], None],
        disabled: Callable[[Endpoint], None],
        returned: Callable[[Endpoint, int], None],
    ) -> None:
        """`sign` gives the signature headers of an attempt; `chance` gives random numbers below 1;
        `disabled` hears of an endpoint that was disabled for what it answered, and `returned` of one that takes something
        again after it had been down, and since when.

        `counted` hears of each attempt: ``delivered``, ``failed``, ``refused`` (by the address veto) or ``exhausted``.
        `happened` hears ``endpoint_disabled`` and ``lane_passed``.
        """
        self._store = store
        self._outcomes = outcomes
        self._transport = transport
        self._clock = clock
        self._settings = settings
        self._sign = sign
        self._counted = counted
        self._chance = chance
        self._happened = happened
        self._disabled = disabled
        self._returned = returned
        self.telling = Telling(clock, lambda endpoint: ledger.endpoint_id(store, endpoint))
        self._just_taken: set[_Place] = set()  # the table does not know of these yet
        self._head_wait_us = round(settings.head_wait * SECOND_US)

    async def make(self, delivery: Delivery, peer: Peer) -> Verdict | None:
        """Send a delivery, just read, if it is due; return when the outcome is committed. None: there was no outcome."""
        if peer.health is Health.DISABLED:
            return NOTHING  # since this was started
        if delivery.next_at_us is None or delivery.next_at_us > self._clock.now_us():
            return NOTHING
        if delivery.withdrawn:
            await self._withdraw(delivery)
            return NOTHING
        made = await self._post(delivery)
        if made.answer.fault is Fault.CLOSED:
            return None  # the server is stopping: the attempt has not taken place
        if made.error is not None:
            return await self._failed(delivery, made, made.error, peer)
        good_again = down_since_us = None
        if not delivery.test:
            now_us = self._clock.now_us()
            if peer.failures:
                good_again = Change((ledger.note_success(peer.endpoint, now_us),))
            down_since_us = peer.succeeded(now_us)
            self.telling.good(peer.endpoint)
        place = _place(delivery, delivery.sequence)
        self._just_taken.add(place)
        try:
            await self._note(delivery, made, None, good_again, delivered=Delivered(delivery.pos, made.answer.status))
        finally:
            self._just_taken.discard(place)
        self._counted("delivered")
        if down_since_us is not None:
            self._returned(peer.endpoint, down_since_us)
        return GOOD

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
            if missing := self._missing_before(delivery):
                headers.append((GAP_HEADER, gaps(missing)))
            if delivery.test:
                headers.append((TEST_HEADER, "true"))
            answer = await self._transport.post(url.text, headers, delivery.body, self._settings.timeout, repeatable=True)
        except BadUrl as error:
            answer = Answer(delivery.url, fault=Fault.BAD_URL, detail=str(error))
        except Exception:
            # A defect of ours must wait its turn on the ladder like any failure, or the lane would spin.
            _log.exception("attempt_broke", call=delivery.call_id, sequence=delivery.sequence)
            return _Made(at_us, headers, Answer(delivery.url, detail="the server failed; its log says how"), INTERNAL)
        return _Made(at_us, headers, answer, None if answer.fault is None else answer.fault.value)

    def _missing_before(self, delivery: Delivery) -> list[int]:
        """The sequences that its receiver has not taken, as far as is known now, the latest first."""
        if not delivery.gap:
            return []
        undelivered = ledger.undelivered_before(self._store, delivery, MOST_UNDELIVERED)
        return [sequence for sequence in undelivered if _place(delivery, sequence) not in self._just_taken]

    async def _failed(self, delivery: Delivery, made: _Made, error: str, peer: Peer) -> Verdict:
        now_us = self._clock.now_us()
        verdict = self._verdict(made.answer, peer, now_us)
        noted: tuple[Write, ...] = ()
        if error not in _OURS and not delivery.test:
            since_us = self._in_a_row_since_us(peer, now_us)
            peer.failed(now_us, since_us)
            noted = (ledger.note_failure(peer.endpoint, ids.uuid7(now_us), now_us, since_us),)
            if (why := self._why_disabled(made.answer, peer, now_us)) is not None:
                await self._give_up_endpoint(delivery, made, error, peer, why)
                return verdict
        passes_us = None
        ours = error in _OURS_AND_PASSING
        if not ours:
            passes_us = passing_us(delivery, verdict, peer, now_us, self._head_wait_us)
        next_us = None if error == Fault.BAD_URL.value else self._next_us(delivery, verdict, passes_us, now_us, ours=ours)
        if next_us is None or peer.health is Health.DISABLED:
            await self._exhaust(delivery, made, error if next_us is None else ENDPOINT_DISABLED, noted)
        else:
            passed = delivery.passed or (passes_us is not None and now_us >= passes_us)
            await self._retry(delivery, made, error, next_us, noted, passed=passed)
        return verdict

    def _in_a_row_since_us(self, peer: Peer, now_us: int) -> int:
        """A failure before that was not followed closely enough to say that all was bad since.

        Where the host is left alone, nothing is asked of its many endpoints for long.
        """
        if peer.breaker.circuit is not Circuit.CLOSED:
            return 0
        return now_us - round(2 * self._settings.then_every * SECOND_US)

    def _next_us(self, delivery: Delivery, verdict: Verdict, passes_us: int | None, now_us: int, *, ours: bool) -> int | None:
        """When this delivery is tried again; None when it is given up. `passes_us`: when its lane may go on without it."""
        if delivery.test:
            return None  # whoever asked for it wants to know how this one went
        since_us = delivery.since_us
        next_us = self._settings.next_attempt_us(
            attempts=delivery.tries + 1, created_us=since_us, now_us=now_us, chance=self._chance(), ours=ours
        )
        if next_us is None:
            return None
        once_more = passes_us is not None and now_us < passes_us < next_us and not delivery.passed
        if once_more and ledger.waits_behind(self._store, delivery):
            next_us = passes_us or next_us  # before the lane goes on without it
        if next_us < verdict.until_us <= self._settings.gives_up_us(since_us):
            next_us = verdict.until_us
        return next_us

    async def _retry(
        self, delivery: Delivery, made: _Made, error: str, next_us: int, noted: tuple[Write, ...], *, passed: bool
    ) -> None:
        now_us = self._clock.now_us()
        status = made.answer.status or None
        retry = ledger.retry(
            delivery, next_us, now_us, passed=passed, ours=error in _OURS_AND_PASSING, status=status, error=error
        )
        await self._note(delivery, made, next_us, Change((*retry, *noted)))
        self._counted("refused" if error == Fault.REFUSED_ADDRESS.value else "failed")
        more = {}
        if passed and not delivery.passed:
            self._happened("lane_passed")
            more["lane"] = "goes on without it"
        self._tell(FAILED, delivery, made, error, next_attempt=rfc3339(next_us), **more)

    async def _exhaust(self, delivery: Delivery, made: _Made, error: str, noted: tuple[Write, ...]) -> None:
        status = made.answer.status or None
        settled = ledger.settle(delivery, State.EXHAUSTED, self._clock.now_us(), made=1, status=status, error=error)
        await self._note(delivery, made, None, Change((*settled, *noted)))
        self._counted("exhausted")
        self._tell(EXHAUSTED, delivery, made, error)

    def _why_disabled(self, answer: Answer, peer: Peer, now_us: int) -> Why | None:
        if peer.health is Health.DISABLED:
            return None
        if answer.status == GONE:
            return Why.GONE
        failing_for_us = now_us - (peer.failing_us or now_us)
        long_enough = failing_for_us >= round(self._settings.disable_after * SECOND_US)
        return Why.FAILING if long_enough and peer.failures >= self._settings.disable_failures else None

    async def _give_up_endpoint(self, delivery: Delivery, made: _Made, error: str, peer: Peer, why: Why) -> None:
        """Disable the endpoint in the commit of the attempt that decided it. What else is pending there is given up later."""
        peer.move(Happening.SWITCHED_OFF)  # before anything is awaited, so that it happens once
        made = made._replace(answer=replace(made.answer, detail=f"{made.answer.detail}; that disabled the endpoint"))
        now_us = self._clock.now_us()
        endpoint = peer.endpoint
        status = made.answer.status or None
        settled = ledger.settle(delivery, State.EXHAUSTED, now_us, made=1, status=status, error=ENDPOINT_DISABLED)
        writes = (
            ledger.insert_attempt(delivery, made.at_us, made.headers, made.answer, made.error, None),
            *settled,
            ledger.note_failure(endpoint, ids.uuid7(now_us), now_us, peer.failing_us or now_us),
        )

        def run(transaction: Transaction) -> UUID | None:
            transaction.write_all(writes)
            return switching.switch_off(transaction, endpoint, why, now_us, last_status=status, last_error=error)

        disabled = await self._transact(run, switching.wakes(endpoint))
        self._counted("exhausted")
        self._tell(EXHAUSTED, delivery, made, error)
        if disabled is None:
            return  # somebody did it meanwhile, and has told
        self._happened("endpoint_disabled")
        _log.error(
            "endpoint_disabled",
            endpoint=disabled,
            host=endpoint.host,
            why=why.value,
            failures=peer.failures,
            failing_since=rfc3339(peer.failing_us or now_us),
            remedy="mend or replace the receiver, enable it (callwright endpoints enable), and resend what was given up",
        )
        self._disabled(endpoint)

    def _verdict(self, answer: Answer, peer: Peer, now_us: int) -> Verdict:
        against = None
        if answer.status:
            against = answer.status in _HOST_STATUSES
        elif answer.fault in _HOST_FAULTS:
            against = True
        asked_us = asked_until_us(answer.header("Retry-After"), now_us) if answer.status else None
        if asked_us is None:
            return Verdict(Happening.HUNG if answer.fault is Fault.TIMEOUT else Happening.ERRED, against)
        most_us = now_us + round(self._settings.retry_after_at_most * SECOND_US)
        if asked_us > most_us:
            _log.warning(
                "retry_after_cut",
                endpoint=ledger.endpoint_id(self._store, peer.endpoint),
                host=peer.endpoint.host,
                asked_s=(asked_us - now_us) // SECOND_US,
                waiting_s=(most_us - now_us) // SECOND_US,
                remedy="webhooks.retry_after_at_most is the bound; an endpoint that wants nothing more answers 410",
            )
        return Verdict(Happening.ASKED_TO_WAIT, against, min(asked_us, most_us), now_us)

    async def _withdraw(self, delivery: Delivery) -> None:
        settled = ledger.settle(delivery, State.EXHAUSTED, self._clock.now_us(), made=0, status=None, error=WEBHOOK_DELETED)
        await self._commit(None, Change(settled))
        self._counted("exhausted")
        self._say(EXHAUSTED, delivery, detail="no webhook asks for it any more")

    async def _note(
        self,
        delivery: Delivery,
        made: _Made,
        next_us: int | None,
        change: Change | None,
        delivered: Delivered | None = None,
    ) -> None:
        attempt = ledger.insert_attempt(delivery, made.at_us, made.headers, made.answer, made.error, next_us)
        await self._commit(attempt, change, delivered)

    async def _commit(self, attempt: Write | None, change: Change | None, delivered: Delivered | None = None) -> None:
        """Keep at it while the store is down: what was sent and is not recorded would be sent again."""
        while True:
            try:
                return await self._outcomes.note(attempt, change, delivered=delivered)
            except StoreUnavailable:
                await self._clock.sleep(STORE_PAUSE_S)

    async def _transact(self, run: Callable[[Transaction], UUID | None], wakes: tuple[Wake, ...]) -> UUID | None:
        while True:
            try:
                return await self._store.transact(run, wakes)
            except StoreUnavailable:
                await self._clock.sleep(STORE_PAUSE_S)

    def _tell(self, what: str, delivery: Delivery, made: _Made, error: str, **more: str) -> None:
        self._say(
            what,
            delivery,
            attempt=delivery.attempts + 1,
            status=made.answer.status or None,
            error=error,
            detail=made.answer.detail,
            **more,
        )

    def _say(self, what: str, delivery: Delivery, **fields: Any) -> None:
        of = {"call": delivery.call_id, "kind": delivery.kind, "sequence": delivery.sequence}
        self.telling.note(what, Endpoint(delivery.world_id, delivery.endpoint), of | fields)
