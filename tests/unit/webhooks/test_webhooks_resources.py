from __future__ import annotations

from uuid import UUID

import pytest

from callwright.clock import SystemClock
from callwright.egress import EgressSettings
from callwright.egress.post import HttpDoor
from callwright.errors import Conflict, Invalid, Missing, NotFound
from callwright.store import Store
from callwright.webhooks.model import Scope, Webhook
from callwright.webhooks.rows import webhook_of_number
from callwright.webhooks.webhooks import Page, Webhooks
from support.webhook_stage import NUMBER, OTHER_WORLD, WORLD, Stage, on_stage

URL = "https://a.test/hook"


def test_create_view_change_remove() -> None:
    async def play(stage: Stage) -> None:
        webhooks = stage.webhooks
        made = await webhooks.create(WORLD, url="HTTPS://a.test:443/hook", token="t")
        now_us = stage.clock.now_us()
        assert made == Webhook(
            id=made.id,
            world_id=WORLD,
            url="HTTPS://a.test:443/hook",
            target=URL,
            token="t",
            created_us=now_us,
            updated_us=now_us,
        )
        assert (made.scope, webhooks.get(WORLD, made.id)) == (Scope.ACCOUNT, made)
        await stage.sleep(1)
        renamed = await webhooks.update(WORLD, made.id, url="https://b.test/")
        assert (renamed.url, renamed.target, renamed.token) == ("https://b.test/", "https://b.test/", "t")
        assert (renamed.created_us, renamed.updated_us) == (now_us, now_us + 1_000_000)
        rekeyed = await webhooks.update(WORLD, made.id, token="new")
        assert (rekeyed.url, rekeyed.token, rekeyed.id) == ("https://b.test/", "new", made.id)
        assert webhooks.get(WORLD, made.id) == rekeyed
        await webhooks.remove(WORLD, made.id)
        for gone in (webhooks.remove(WORLD, made.id), webhooks.update(WORLD, made.id, url=URL)):
            with pytest.raises(NotFound, match=str(made.id)):
                await gone
        with pytest.raises(NotFound):
            webhooks.get(WORLD, made.id)

    on_stage(play)


def test_a_world_has_five_and_pages_newest_first() -> None:
    async def play(stage: Stage) -> None:
        made = [await stage.webhooks.create(WORLD, url=f"{URL}/{n}") for n in range(5)]
        with pytest.raises(Conflict, match="5 webhooks already"):
            await stage.webhooks.create(WORLD, url=URL)
        other = await stage.webhooks.create(OTHER_WORLD, url=URL)
        await stage.webhooks.set_for_number(WORLD, NUMBER, url=URL)
        assert stage.webhooks.page(WORLD, limit=2, offset=1) == Page(5, [made[3], made[2]])
        assert stage.webhooks.page(WORLD, limit=10, offset=10) == Page(5, [])
        assert stage.webhooks.page(OTHER_WORLD, limit=10, offset=0) == Page(1, [other])
        await stage.webhooks.remove(WORLD, made[0].id)
        await stage.webhooks.create(WORLD, url=URL)

    on_stage(play)


def test_a_number_has_one_that_is_replaced_under_its_id() -> None:
    async def play(stage: Stage) -> None:
        first = await stage.webhooks.set_for_number(WORLD, NUMBER, url=URL, token="one")
        await stage.sleep(1)
        second = await stage.webhooks.set_for_number(WORLD, NUMBER, url="https://b.test/")
        assert (second.id, second.url, second.token, second.scope) == (first.id, "https://b.test/", None, Scope.NUMBER)
        assert (second.created_us, second.updated_us) == (first.created_us, first.updated_us + 1_000_000)
        assert webhook_of_number(stage.store, WORLD, NUMBER) == stage.webhooks.get(WORLD, first.id) == second
        assert webhook_of_number(stage.store, OTHER_WORLD, NUMBER) is None
        third = await stage.webhooks.set_for_number(OTHER_WORLD, NUMBER, url=URL)
        assert third.id != first.id
        await stage.webhooks.remove(WORLD, first.id)
        assert webhook_of_number(stage.store, WORLD, NUMBER) is None

    on_stage(play)


def test_no_world_sees_another_worlds() -> None:
    async def play(stage: Stage) -> None:
        made = await stage.webhooks.create(WORLD, url=URL)
        with pytest.raises(NotFound):
            stage.webhooks.get(OTHER_WORLD, made.id)
        for foreign in (stage.webhooks.update(OTHER_WORLD, made.id, url=URL), stage.webhooks.remove(OTHER_WORLD, made.id)):
            with pytest.raises(NotFound):
                await foreign
        assert stage.webhooks.get(WORLD, made.id) == made

    on_stage(play)


@pytest.mark.parametrize(
    ("url", "token", "error", "parameter", "words"),
    [
        (None, None, Missing, "url", "url is required"),
        ("", None, Missing, "url", "url is required"),
        ("example.com/hook", None, Invalid, "url", "only http and https"),
        ("ftp://a.test/", None, Invalid, "url", "only http and https"),
        ("https://user:pw@a.test/", None, Invalid, "url", "credentials"),
        ("https://bücher.example/", None, Invalid, "url", "xn--"),
        ("http://[fe80::1%25eth0]/", None, Invalid, "url", "zone id"),
        ("http://10.0.0.1/", None, Invalid, "url", "egress.allow"),
        ("http://127.1/", None, Invalid, "url", "odd spelling"),
        (URL, "t" * 1001, Invalid, "token", "at most 1000"),
    ],
)
async def test_what_cannot_be_used_is_refused_with_the_reason(
    url: str | None, token: str | None, error: type[Exception], parameter: str, words: str
) -> None:
    clock = SystemClock()
    store = Store.in_memory()
    webhooks = Webhooks(store, clock, HttpDoor(EgressSettings(), clock).refusal)
    made = await webhooks.create(WORLD, url=URL)
    for attempt in (
        webhooks.create(WORLD, url=url, token=token),
        webhooks.set_for_number(WORLD, NUMBER, url=url, token=token),
        *([webhooks.update(WORLD, made.id, url=url, token=token)] if url else []),
    ):
        with pytest.raises(error, match=words) as refused:
            await attempt
        assert refused.value.parameter == parameter  # type: ignore[attr-defined]
    assert webhooks.get(WORLD, made.id) == made
    with pytest.raises(error, match=words.replace("url is", "webhook.url is")):
        webhooks.check(url, token, parameter="webhook.url")
    store.close()


def test_changing_nothing_of_what_is_not_there_is_not_found() -> None:
    async def play(stage: Stage) -> None:
        with pytest.raises(NotFound):
            await stage.webhooks.update(WORLD, UUID(int=5))

    on_stage(play)
