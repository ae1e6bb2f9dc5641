"""The log of deliveries: looked through, and sent again."""

from __future__ import annotations

import random
from functools import partial
from uuid import UUID

import pytest

from callwright import ids
from callwright.egress import Answer, Fault
from callwright.errors import Conflict, NotFound
from callwright.store import Change, Store
from callwright.webhooks import ledger, log
from callwright.webhooks.log import DeliveryLog, Entry, Filter, Place, Unsendable
from callwright.webhooks.model import Message, Scope, State
from callwright.webhooks.scopes import Receiver
from support.webhook_stage import OK, OTHER_WORLD, START_US, WORLD, Stage, failing, on_stage

ONE, TWO = "https://one.test/hook", "https://two.test/hook"
RETRY = [("Retry-After", "1")]
KINDS = ("callCreated", "callUpdated", "legCreated")


class Still:
    us = START_US

    def now_us(self) -> int:
        return self.us


class Room:
    """Deliveries put on record one by one, one a second."""

    def __init__(self) -> None:
        self.store = Store.in_memory()
        self.clock = Still()
        self.offered: list[str] = []
        self.log = DeliveryLog(self.store, self.clock, lambda endpoint: self.offered.append(endpoint.url))  # type: ignore[arg-type]

    async def add(
        self,
        *,
        url: str = ONE,
        call: int = 1,
        kind: str = "callCreated",
        state: State = State.PENDING,
        world: UUID = WORLD,
        webhook: UUID | None = None,
        message: UUID | None = None,
        scope: Scope = Scope.CALL,
    ) -> Entry:
        self.clock.us += 1_000_000
        made = ids.uuid7(self.clock.us)
        what = Message(message or ids.uuid7(self.clock.us), kind, b"{}")
        receiver = Receiver(url, url.partition("?")[0], scope, None, webhook)
        arrival = ledger.Arrival(world, UUID(int=call), what, receiver, made)
        await self.store.transact(partial(ledger.insert, arrivals=(arrival,), now_us=self.clock.us))
        entry = self.log.get(world, made)
        if state is not State.PENDING:
            delivery = ledger.find_deliveries(self.store, (entry.pos,), ())[entry.pos]
            settled = ledger.settle(delivery, state, self.clock.us, made=1, status=500, error="http_error")
            await self.store.commit(Change(settled))
            entry = self.log.get(world, made)
        return entry

    def all(self, wanted: Filter, *, limit: int = 7, world: UUID = WORLD) -> list[Entry]:
        """Every page of a list."""
        found: list[Entry] = []
        after: Place | None = None
        for _ in range(1_000):
            page = self.log.page(world, wanted, limit=limit, after=after)
            assert len(page.entries) <= limit
            found += page.entries
            if (after := page.after) is None:
                return found
        raise AssertionError("the list does not end")

    async def disable(self, url: str) -> None:
        await ledger_disable(self.store, url)


async def ledger_disable(store: Store, url: str) -> None:
    store._writer._connection.execute(  # type: ignore[attr-defined]
        "INSERT INTO endpoints (world_id, url, id, disabled_us, disabled_why, created_us, updated_us) "
        "VALUES (?, ?, ?, 1, 'gone', 0, 0) ON CONFLICT DO UPDATE SET disabled_us = 1, disabled_why = 'gone'",
        (WORLD.bytes, url, ids.uuid7(START_US).bytes),
    )


async def _many(room: Room, count: int = 60) -> list[Entry]:
    chance = random.Random(7)
    made = []
    for n in range(count):
        made.append(
            await room.add(
                url=chance.choice((ONE, f"{ONE}?shop=1", TWO)),
                call=chance.randint(1, 6),
                kind=chance.choice(KINDS),
                state=chance.choice(tuple(State)),
                webhook=chance.choice((None, UUID(int=77))),
                world=chance.choice((WORLD, WORLD, OTHER_WORLD)),
            )
        )
        assert made[n].created_us == START_US + (n + 1) * 1_000_000
    return made


FILTERS = {
    "all": (Filter(), lambda e: True),
    "endpoint": (Filter(endpoint=ONE), lambda e: e.endpoint == ONE),
    "url": (Filter(url=f"{ONE}?shop=1"), lambda e: e.url == f"{ONE}?shop=1"),
    "webhook": (Filter(webhook_id=UUID(int=77)), lambda e: e.webhook_id == UUID(int=77)),
    "kind": (Filter(kind="callUpdated"), lambda e: e.kind == "callUpdated"),
    "type": (Filter(kind="call", kind_is_type=True), lambda e: e.kind.startswith("call")),
    "call": (Filter(call_id=UUID(int=3)), lambda e: e.call_id == UUID(int=3)),
    "one state": (Filter(states=(State.EXHAUSTED,)), lambda e: e.state is State.EXHAUSTED),
    "two states": (
        Filter(states=(State.PENDING, State.EXHAUSTED)),
        lambda e: e.state in (State.PENDING, State.EXHAUSTED),
    ),
    "delivered": (Filter(states=(State.DELIVERED,)), lambda e: e.state is State.DELIVERED),
    "times": (
        Filter(from_us=START_US + 20_000_000, to_us=START_US + 40_000_000),
        lambda e: START_US + 20_000_000 <= e.created_us < START_US + 40_000_000,
    ),
    "real ones": (Filter(test=False), lambda e: True),
    "tests": (Filter(test=True), lambda e: False),
    "much": (
        Filter(
            endpoint=ONE, kind="leg", kind_is_type=True, states=(State.DELIVERED, State.EXHAUSTED), to_us=START_US + 50_000_000
        ),
        lambda e: (
            e.endpoint == ONE
            and e.kind == "legCreated"
            and e.state is not State.PENDING
            and e.created_us < START_US + 50_000_000
        ),
    ),
    "a call at an endpoint": (
        Filter(call_id=UUID(int=3), endpoint=TWO, states=(State.PENDING,)),
        lambda e: e.call_id == UUID(int=3) and e.endpoint == TWO and e.state is State.PENDING,
    ),
}  # fmt: skip


@pytest.mark.parametrize("examined", [1, 3, 2_000])
@pytest.mark.parametrize("name", FILTERS)
async def test_a_filter_shows_what_it_says_in_any_pages(monkeypatch: pytest.MonkeyPatch, name: str, examined: int) -> None:
    monkeypatch.setattr(log, "EXAMINED", examined)
    room = Room()
    made = await _many(room)
    wanted, holds = FILTERS[name]
    for world in (WORLD, OTHER_WORLD):
        expected = [entry for entry in reversed(made) if entry.world_id == world and holds(entry)]
        for limit in (1, 7, 100):
            assert room.all(wanted, limit=limit, world=world) == expected, limit


async def test_a_message_at_all_its_receivers() -> None:
    room = Room()
    message = ids.uuid7(START_US)
    made = [await room.add(url=url, message=message) for url in (ONE, TWO)]
    await room.add()
    assert room.all(Filter(message_id=message)) == made[::-1]
    assert room.all(Filter(message_id=message), world=OTHER_WORLD) == []


async def test_what_is_made_meanwhile_moves_no_page() -> None:
    room = Room()
    made = [await room.add() for _ in range(6)]
    page = room.log.page(WORLD, Filter(), limit=2)
    await room.add()
    assert page.after is not None
    assert room.log.page(WORLD, Filter(), limit=2, after=page.after).entries == [made[3], made[2]]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("log_by_time", 12), ("log_of_endpoint", 15), ("log_of_state", 15), ("log_of_call", 13), ("log_of_message", 13),
        ("log_first_since", 2), ("log_entry", 1), ("log_pos", 2), ("log_body", 1), ("log_attempts", 3), ("log_attempt", 3),
        ("resend_last", 0), ("resend_of_endpoint", 6), ("resend_of_state", 5), ("resend_facts", 1), ("resend_delivery", 2),
        ("disabled", 2), ("endpoint_by_url", 2), ("endpoint_by_id", 2), ("list_endpoints", 3),
        ("count_at_endpoint", 4), ("list_all_webhooks", 4), ("count_all_webhooks", 1),
    ],
)  # fmt: skip
def test_every_query_goes_by_an_index(name: str, params: int) -> None:
    store = Store.in_memory()
    sql = store._named[f"webhooks.{name}"]
    plan = [row[-1] for row in store._reader.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * params)]
    store.close()
    assert not [step for step in plan if str(step).startswith("SCAN") and "(subquery" not in str(step)], plan
    sorts = [step for step in plan if "TEMP B-TREE" in str(step)]
    assert bool(sorts) is (name in ("log_of_call", "log_of_message")), plan


def test_attempts_are_told_with_all_that_went_to_and_fro() -> None:
    answers = iter([
        Answer("", status=503, fault=Fault.HTTP_ERROR, detail="it said 503", headers=RETRY, body=b"\xff"),
        failing(Fault.DNS), OK,
    ])  # fmt: skip

    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: next(answers)
        await stage.events(11, url=ONE)
        await stage.sleep(3600)
        seen = DeliveryLog(stage.store, stage.clock)
        (entry,) = seen.page(WORLD, Filter(), limit=10).entries
        assert (entry.state, entry.attempts, seen.body(entry)) == (State.DELIVERED, 3, b"11#1#callCreated")
        attempts = seen.attempts(entry)
        assert [(one.n, one.status, one.error, one.detail) for one in attempts] == [
            (1, 503, "http_error", "it said 503"),
            (2, None, "dns", "it is dns"),
            (3, 200, None, ""),
        ]
        assert [one.next_at_us is None for one in attempts] == [False, False, True]
        first, second = seen.exchange(entry, 1), seen.exchange(entry, 2)
        assert (first.attempt, first.answer_headers, first.answer) == (attempts[0], RETRY, b"\xff")
        assert dict(first.headers)["webhook-id"] == str(entry.event_id)
        assert (second.answer_headers, second.answer) == (None, None)
        with pytest.raises(NotFound, match=r"No attempt 4 found .* it has had 3"):
            seen.exchange(entry, 4)
        for world, delivery in ((OTHER_WORLD, entry.id), (WORLD, UUID(int=9))):
            with pytest.raises(NotFound, match="No delivery"):
                seen.get(world, delivery)

    on_stage(play)


def test_a_resent_one_goes_out_under_its_id_and_its_sequence() -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: failing(Fault.BAD_URL) if sent.sequence == 2 else OK
        await stage.events(11, 3, url=ONE)
        await stage.sleep(1)
        seen = DeliveryLog(stage.store, stage.clock, stage.deliverer.offer)
        (given_up,) = seen.page(WORLD, Filter(states=(State.EXHAUSTED,)), limit=10).entries
        stage.receivers.answer = lambda sent: OK
        again = await seen.resend(WORLD, given_up.id)
        assert (again.state, again.passed, again.tries, again.attempts) == (State.PENDING, True, 0, 1)
        assert (again.since_us, again.next_at_us, again.created_us) == (
            stage.clock.now_us(), stage.clock.now_us(), given_up.created_us,
        )  # fmt: skip
        await stage.sleep(20)
        assert [(sent.sequence, sent.headers["webhook-id"]) for sent in stage.receivers.sent][-1] == (2, str(given_up.event_id))
        settled = seen.get(WORLD, given_up.id)
        assert (settled.state, settled.attempts, settled.tries) == (State.DELIVERED, 2, 1)
        assert len(stage.receivers.sent) == 4

    on_stage(play)


async def test_what_waits_its_turn_keeps_it() -> None:
    room = Room()
    head, second = [await room.add() for _ in range(2)]
    with pytest.raises(Conflict, match="after the earlier ones") as refused:
        await room.log.resend(WORLD, second.id)
    assert f"--call {second.call_id}" in str(refused.value.remedy)
    room.clock.us += 1
    again = await room.log.resend(WORLD, head.id)
    assert (again.passed, again.next_at_us, room.offered) == (False, room.clock.us, [ONE])
    assert room.log.get(WORLD, second.id) == second


async def test_nothing_is_resent_to_where_nothing_is_sent() -> None:
    room = Room()
    given_up = await room.add(state=State.EXHAUSTED)
    forgotten = await room.add(url=TWO, state=State.EXHAUSTED, scope=Scope.ACCOUNT, webhook=UUID(int=5))
    await room.disable(ONE)
    with pytest.raises(Conflict, match="is disabled") as refused:
        await room.log.resend(WORLD, given_up.id)
    assert refused.value.remedy == f"Once it is mended: callwright endpoints enable {ONE}"
    with pytest.raises(Conflict, match="no webhook asks for it"):
        await room.log.resend(WORLD, forgotten.id)
    with pytest.raises(Conflict, match=r"disabled \(gone\)"):
        await room.log.resend_all(WORLD, endpoint=ONE, state=State.EXHAUSTED)
    assert (await room.log.resend_all(WORLD, endpoint=None, state=State.EXHAUSTED))[:2] == (
        0,
        {Unsendable.ENDPOINT_DISABLED: 1, Unsendable.WITHDRAWN: 1},
    )
    for world in (OTHER_WORLD, WORLD):
        with pytest.raises(NotFound):
            await room.log.resend(world, given_up.id if world == OTHER_WORLD else UUID(int=9))
    assert (room.offered, room.log.get(WORLD, given_up.id)) == ([], given_up)


@pytest.mark.parametrize("at_once", [1, 4, 500])
async def test_many_are_resent_in_batches(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(log, "RESENT_AT_ONCE", at_once)
    room = Room()
    made = [
        await room.add(url=(ONE, TWO)[n % 2], call=n, state=(State.EXHAUSTED, State.DELIVERED)[n // 2 % 2]) for n in range(16)
    ]
    foreign = await room.add(state=State.EXHAUSTED, world=OTHER_WORLD)
    since = made[4].created_us
    assert (await room.log.resend_all(WORLD, endpoint=ONE, state=State.EXHAUSTED, from_us=since))[:2] == (3, {})
    assert set(room.offered) == {ONE}
    assert _pending(room) == [4, 8, 12]
    assert (await room.log.resend_all(WORLD, endpoint=None, state=State.EXHAUSTED, to_us=since))[:2] == (2, {})
    assert (await room.log.resend_all(WORLD, endpoint=TWO, state=State.DELIVERED, from_us=made[9].created_us))[:2] == (2, {})
    assert _pending(room) == [0, 1, 4, 8, 11, 12, 15]
    ids_ = [made[2].id, made[5].id, made[2].id, made[0].id, UUID(int=4), foreign.id]
    assert (await room.log.resend_these(WORLD, ids_))[:2] == (3, {Unsendable.UNKNOWN: 2})
    assert room.log.get(OTHER_WORLD, foreign.id) == foreign


def _pending(room: Room) -> list[int]:
    return sorted(entry.call_id.int for entry in room.all(Filter(states=(State.PENDING,))))


def test_a_test_event_goes_by_itself() -> None:
    async def play(stage: Stage) -> None:
        seen = DeliveryLog(stage.store, stage.clock, stage.deliverer.offer)
        made = await stage.webhooks.create(WORLD, url=f"{ONE}?a=1", token="secret")
        await stage.events(11)
        await stage.sleep(1)
        entry = await seen.test(made, "callUpdated", b'{"example": true}')
        await stage.sleep(20)
        assert (entry.test, entry.sequence, entry.kind, entry.scope) == (True, 1, "callUpdated", Scope.ACCOUNT)
        assert seen.get(WORLD, entry.id).state is State.DELIVERED
        sent = stage.receivers.sent[-1]
        assert (sent.url, sent.body) == (f"{ONE}?a=1", b'{"example": true}')
        assert "X-MessageBird-Signature" in sent.headers
        assert sent.headers["webhook-test"] == "true"
        assert "webhook-test" not in stage.receivers.sent[0].headers
        assert seen.page(WORLD, Filter(test=True), limit=9).entries == [seen.get(WORLD, entry.id)]
        assert (await seen.resend_all(WORLD, endpoint=None, state=State.EXHAUSTED))[:2] == (0, {})
        stage.receivers.answer = lambda sent: failing(Fault.DNS)
        failed = await seen.test(made, "callUpdated", b"{}")
        await stage.sleep(3600)
        assert (seen.get(WORLD, failed.id).state, seen.get(WORLD, failed.id).attempts) == (State.EXHAUSTED, 1)
        await ledger_disable(stage.store, ONE)
        with pytest.raises(Conflict, match="disabled"):
            await seen.test(made, "callUpdated", b"{}")

    on_stage(play)
