"""Whatever receivers answer, in whatever order: what was committed is sent in order, within the limits, and settled."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callwright.egress import Answer, Fault
from callwright.webhooks.model import Endpoint, State
from callwright.webhooks.settings import WebhookSettings
from support.webhook_stage import OK, WORLD, Sent, Stage, failing, on_stage

URLS = ("https://a.test/one?x=1", "https://a.test/two", "https://b.test/")
ENDPOINTS = tuple(url.partition("?")[0] for url in URLS)
LIMITS = WebhookSettings(
    jitter=0.5,
    poll=1e6,  # nothing may depend on it
    timeout=8.0,
    retry=(2.0, 6.0),
    then_every=15.0,
    give_up_after=1e5,  # so whatever is forgotten stays pending
    concurrency=4,
    per_endpoint=2,
    slow_slots=2,
    slow_after=1.0,
    break_after=3,
    break_first=3.0,
    break_longest=12.0,
    retry_after_at_most=30.0,
    head_wait=40.0,
    rate=5.0,
)

Outcome = tuple[float, Answer | None]  # how long it takes, and what comes; None: nothing does
ANSWERS: list[Answer | None] = [
    OK,
    None,
    failing(Fault.CONNECT),
    failing(Fault.HTTP_ERROR, 400),
    failing(Fault.HTTP_ERROR, 503),
    Answer("", status=429, headers=(("Retry-After", "20"),), fault=Fault.HTTP_ERROR, detail="later"),
    failing(Fault.HTTP_ERROR, 410),
]
outcomes = st.tuples(st.sampled_from([0.0, 0.3, 1.0, 1.7, 5.0]), st.sampled_from(ANSWERS))
steps = st.one_of(
    st.tuples(st.just("event"), st.integers(1, 4), st.integers(0, 2)),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.5, 3.0, 30.0, 130.0]), st.just(0)),
    st.tuples(st.just("restart"), st.just(0), st.just(0)),
    st.tuples(st.just("enable"), st.just(0), st.integers(0, 2)),
    st.tuples(st.just("disable"), st.just(0), st.integers(0, 2)),
)


class Watcher:
    """Looks at the table whenever something is sent, and says what must not be."""

    def __init__(self, stage: Stage, script: list[Outcome]) -> None:
        self._stage = stage
        self._script = iter(script)
        self.wrong: list[str] = []
        self.taken: Counter[str] = Counter()
        self._out: Counter[tuple[int, str]] = Counter()
        self.times: defaultdict[str, list[float]] = defaultdict(list)

    async def answer(self, sent: Sent) -> Answer:
        lane = self._stage.deliveries(sent.call)
        (own,) = (one for one in lane if one.url == sent.url and one.sequence == sent.sequence)
        before = [one for one in lane if one.url == sent.url and one.sequence < sent.sequence]
        if not own.passed and any(one.state is State.PENDING and not one.passed for one in before):
            self.wrong.append(f"{sent.call}/{sent.sequence} was sent before one that is waited for")
        missing = {one.sequence for one in before if one.state is not State.DELIVERED}
        if missing != _read(sent.headers.get("webhook-gap")):
            self.wrong.append(f"{sent.call}/{sent.sequence} says {sent.headers.get('webhook-gap')}, missing are {missing}")
        row = self._stage.store.read("webhooks.find_endpoint", (WORLD.bytes, own.endpoint))
        if row and row[0][5] is not None:
            self.wrong.append(f"{own.endpoint} is disabled and was sent to")
        self.times[own.endpoint].append(sent.at_s)
        key = (own.pos, sent.url)
        self._out[key] += 1
        if self._out[key] > 1:
            self.wrong.append(f"{sent.call}/{sent.sequence} was sent twice at once")
        try:
            seconds, answer = next(self._script, (0.0, OK))
            await self._stage.sleep(1000.0 if answer is None else seconds)
        finally:
            self._out[key] -= 1
        assert answer is not None
        if answer.ok:
            self.taken[sent.headers["webhook-id"] + sent.url] += 1
        return answer


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(plan=st.lists(steps, min_size=1, max_size=25), script=st.lists(outcomes, max_size=60))
def test_order_limits_and_completeness_whatever_is_answered(plan: list[tuple[str, Any, int]], script: list[Outcome]) -> None:
    async def play(stage: Stage) -> None:
        watcher = Watcher(stage, script)
        stage.receivers.answer = watcher.answer
        made = 0
        spans = 1 + sum(step == "restart" for step, _, _ in plan)
        for step, value, which in plan:
            if step == "event":
                await stage.events(value, url=URLS[which])
                made += 1
            elif step == "wait":
                await stage.sleep(value)
            elif step == "restart":
                await stage.restart()
                watcher._out.clear()
            elif step == "enable":
                await stage.deliverer.enable(WORLD, ENDPOINTS[which])
            else:
                await stage.deliverer.disable(WORLD, ENDPOINTS[which])
        await stage.sleep(2000)
        assert watcher.wrong == []
        rows = [row for call in range(1, 5) for row in stage.deliveries(call)]
        assert len(rows) == made
        assert {row.state for row in rows} <= {State.DELIVERED, State.EXHAUSTED}
        for row in rows:
            took = watcher.taken[str(row.event_id) + row.url]
            assert took >= 1 if row.state is State.DELIVERED else row.last_error is not None
        for endpoint in ENDPOINTS:
            assert stage.receivers.most[endpoint] <= LIMITS.per_endpoint
            # A second's worth at once and as much in the second after it; each restart may begin one anew.
            assert _fastest(watcher.times[endpoint]) <= (1 + spans) * LIMITS.rate
        assert stage.receivers.most[""] <= LIMITS.concurrency + LIMITS.slow_slots
        lanes = stage.deliverer._lanes
        assert lanes._flights._fast == lanes._flights._slow == 0
        assert not any(queue.under_way or queue.heads or queue.late for queue in lanes._queues.values())

    on_stage(play, LIMITS)


def _read(gap: str | None) -> set[int]:
    found: set[int] = set()
    for part in gap.split(",") if gap else ():
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _fastest(times: list[float]) -> int:
    """The most that went within one second."""
    return max((sum(at <= other < at + 1 for other in times) for at in times), default=0)


def test_the_endpoints_of_the_urls_are_what_they_should_be() -> None:
    assert [Endpoint(WORLD, url).url for url in ENDPOINTS] == ["https://a.test/one", "https://a.test/two", "https://b.test/"]
