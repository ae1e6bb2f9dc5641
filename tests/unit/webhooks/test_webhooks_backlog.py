"""How far behind the deliveries are, as /metrics tells."""

from __future__ import annotations

import pytest

from callwright.egress import Answer, Fault
from callwright.store import Store
from callwright.webhooks import backlog
from callwright.webhooks.backlog import Backlog
from support.webhook_stage import OK, WORLD, Sent, Stage, failing, on_stage

BAD, GOOD, GONE = (f"https://{name}.test/hook" for name in ("bad", "good", "gone"))


def seen(stage: Stage) -> Backlog:
    return backlog.look(stage.store, stage.clock.now_us())


def test_it_grows_with_the_oldest_and_counts_receivers_that_take_nothing() -> None:
    async def play(stage: Stage) -> None:
        def answer(sent: Sent) -> Answer:
            status = 410 if "gone" in sent.url else 500
            return OK if "good" in sent.url else failing(Fault.HTTP_ERROR, status)

        stage.receivers.answer = answer
        assert seen(stage) == Backlog(0.0, 0, 0)
        await stage.events(1, url=BAD)
        await stage.events(2, url=GOOD)
        await stage.events(3, url=GONE)
        await stage.sleep(299)
        assert seen(stage) == Backlog(299.0, 0, 1)
        await stage.events(4, url=BAD)
        await stage.sleep(1)
        assert seen(stage) == Backlog(300.0, 1, 1)
        stage.receivers.answer = lambda sent: OK
        await stage.sleep(4 * 3600)
        await stage.deliverer.enable(WORLD, GONE)
        assert seen(stage) == Backlog(0.0, 0, 0)

    on_stage(play)


@pytest.mark.parametrize("analysed", [False, True])
def test_reading_it_sorts_nothing_and_walks_no_deliveries(analysed: bool) -> None:
    store = Store.in_memory()
    connection = store._writer._connection  # type: ignore[attr-defined]
    if analysed:
        connection.execute("ANALYZE")
    queries = {"oldest_pending": (), "count_endpoints_down": (1,)}
    plans = {}
    for name, given in queries.items():
        plan = connection.execute(f"EXPLAIN QUERY PLAN {store._named[f'webhooks.{name}']}", given)
        plans[name] = " / ".join(line for *_, line in plan)
    store.close()
    assert plans["oldest_pending"] == "SEARCH deliveries USING INDEX deliveries_by_age (state=?)"
    assert "SEARCH d USING" in plans["count_endpoints_down"]
    assert "deliveries_of_endpoint (world_id=? AND endpoint=? AND state=?)" in plans["count_endpoints_down"]
    assert "TEMP B-TREE" not in str(plans)
