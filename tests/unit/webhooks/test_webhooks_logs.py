"""What is logged of receivers: their host and our id, as a URL's path is often all that keeps others out."""

from __future__ import annotations

import logging

import pytest

from callwright.egress import Answer, Fault
from callwright.webhooks import ledger
from callwright.webhooks.model import Endpoint
from callwright.webhooks.settings import WebhookSettings
from support.webhook_stage import WORLD, Stage, on_stage

URL = "https://a.test:8443/services/T0/hush"
HOUR = 3600.0


def test_no_line_has_the_path_of_a_url(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint = Endpoint(WORLD, URL)
    look = ledger.look

    async def play(stage: Stage) -> str:
        def breaking(*args: object) -> ledger.Look:
            raise RuntimeError("the disk is gone")

        later = Answer("", status=503, headers=(("retry-after", "9999999"),), fault=Fault.HTTP_ERROR, detail="later")
        stage.receivers.answer = lambda sent: later
        for call in range(8):
            await stage.events(call, 2, url=f"{URL}?a={call}")
        await stage.sleep(4 * HOUR)
        stage.receivers.answer = lambda sent: Answer("", status=410, fault=Fault.HTTP_ERROR, detail="gone")
        await stage.events(9, url=URL)
        await stage.sleep(2 * HOUR)
        assert await stage.deliverer.enable(WORLD, URL)
        assert await stage.deliverer.disable(WORLD, URL)
        assert await stage.deliverer.enable(WORLD, URL)
        monkeypatch.setattr(ledger, "look", breaking)
        await stage.events(10, url=URL)
        await stage.sleep(1)
        monkeypatch.setattr(ledger, "look", look)
        monkeypatch.setattr(ledger, "settle", breaking)
        stage.deliverer.offer(endpoint)
        await stage.sleep(1)
        monkeypatch.undo()
        found = ledger.find_endpoint(stage.store, endpoint)
        assert found is not None
        return str(found.id)

    id_ = on_stage(play, WebhookSettings(jitter=0.0, poll=HOUR, give_up_after=3 * HOUR))
    told = {record.getMessage(): record.fields for record in caplog.records if hasattr(record, "fields")}
    by_id = {"endpoint_disabled", "endpoint_enabled", "retry_after_cut"}
    assert by_id | {"delivery_failed", "delivery_stuck", "due_not_read"} <= set(told)
    assert {str(told[name]["endpoint"]) for name in by_id} == {id_}
    assert {told[name]["host"] for name in by_id | {"delivery_stuck", "due_not_read"}} == {"a.test:8443"}
    for record in caplog.records:
        assert "hush" not in f"{record.getMessage()} {getattr(record, 'fields', '')}"
