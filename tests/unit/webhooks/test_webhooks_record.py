"""What is kept of answers."""

from __future__ import annotations

import pytest

from callwright.egress import Answer, Fault
from callwright.webhooks import record
from callwright.webhooks.settings import WebhookSettings
from support.webhook_stage import WORLD, Stage, on_stage

LONG = 64 * 1024


@pytest.mark.parametrize(("attempt", "most"), [(1, LONG), (3, LONG), (4, 2048), (72, 2048)])
def test_the_first_attempts_keep_long_answers(attempt: int, most: int) -> None:
    answer = Answer("", status=500, body=b"x" * most, whole=True)
    assert record.kept(answer, attempt) is answer
    longer = Answer("", status=500, body=b"x" * most + b"y", whole=True)
    assert record.kept(longer, attempt) == Answer("", status=500, body=b"x" * most, whole=False)


def test_of_headers_the_first_are_kept_whole_and_eight_kilobytes_in_all() -> None:
    fits = (("a", "b" * 4095), ("c", "ü" * 2047), ("d", ""))
    assert record.kept(Answer("", headers=fits), 1).headers == fits
    over = (*fits[:2], ("dd", ""), ("e", "f"))
    assert record.kept(Answer("", headers=over, body=b"all of it", whole=True), 9) == Answer(
        "", headers=over[:2], body=b"all of it", whole=True
    )


def test_a_receiver_that_fails_at_length_fills_no_disk() -> None:
    page = Answer("", status=500, headers=(("x", "y" * 60_000),), body=b"e" * LONG, fault=Fault.HTTP_ERROR)

    async def play(stage: Stage) -> list[tuple[int, int, int]]:
        stage.receivers.answer = lambda sent: page
        await stage.events(1, url="https://a.test/hook")
        await stage.sleep(60)
        (delivery,) = stage.deliveries(1)
        rows = stage.store._reader.execute(
            "SELECT n, length(answer), length(answer_headers) FROM attempts WHERE world_id = ? AND delivery_id = ?",
            (WORLD.bytes, delivery.id.bytes),
        )
        return list(rows)

    told = on_stage(play, WebhookSettings(jitter=0.0, poll=3600.0, retry=(1.0,), then_every=1.0))
    assert [size for _, size, _ in told][:5] == [LONG, LONG, LONG, 2048, 2048]
    assert {size for *_, size in told} == {len("[]")}
