"""Old calls and the callbacks that were sent of them."""

from __future__ import annotations

from callwright.egress import Fault
from callwright.retention.retention import Erased, Retention
from callwright.retention.rules import Rules
from callwright.webhooks.settings import WebhookSettings
from support.old_calls import OldCalls
from support.webhook_stage import OK, failing, on_stage

URL = "https://example.com/hook"


def test_a_call_goes_when_its_receiver_has_had_all_of_it(tmp_path):
    async def play(stage):
        old = OldCalls(tmp_path, stage.store)
        old.clock.us = stage.clock.now_us()
        stage.receivers.answer = lambda sent: failing(Fault.REFUSED)
        call_id = await old.call(2, url=URL)
        stage.deliverer.wake(old.world, call_id)
        await stage.sleep(60)
        worker = Retention(stage.store, stage.clock, Rules(1))
        seen = [await worker.erase_old()]
        tried = len(stage.receivers.sent)
        stage.receivers.answer = lambda sent: OK
        await stage.sleep(2 * 3600)
        seen.append(await worker.erase_old())
        return seen, tried, await old.mentions(call_id)

    seen, tried, mentions = on_stage(play, WebhookSettings(jitter=0.0, poll=3600.0))
    assert tried
    assert seen == [Erased(seen=1, waiting=1), Erased(seen=1, calls=1)]
    assert mentions == []
