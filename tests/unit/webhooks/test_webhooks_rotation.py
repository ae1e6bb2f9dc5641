"""Which secrets an attempt is signed with before, during and after a rotation."""

from __future__ import annotations

from typing import Any

import pytest

from callwright.accounts.worlds import Accounts
from callwright.clock import VirtualClock
from callwright.egress import Fault
from callwright.errors import Conflict, NotFound
from callwright.store import Store
from callwright.webhooks import signature
from callwright.webhooks.signing import Signer
from support.webhook_stage import NUMBER, OTHER_WORLD, START_US, WORLD, Sent, Stage, failing, on_stage

URL = "https://a.test/hook"
KEY = "signing key of world 1"
DAY = 86_400


def told_by(sent: Sent) -> tuple[list[str], str | None, str | None]:
    """Who signed: those of Standard Webhooks in their order, the token's header, and the signing key's."""
    at_s, id_ = int(sent.headers["webhook-timestamp"]), sent.headers["webhook-id"]
    secrets = ("first", "second", "third", KEY, "key before")
    standard = {signature.standard_signature(one, id_, at_s, sent.body): one for one in secrets}
    token = {signature.token_signature(one, sent.body): one for one in secrets}
    request = {signature.request_signature(one, at_s, "", sent.body): one for one in secrets}
    legacy = sent.headers.get("X-MessageBird-Signature")
    return (
        [standard[one] for one in sent.headers["webhook-signature"].split(" ")],
        None if legacy is None else token[legacy],
        request[sent.headers["MessageBird-Signature"]],
    )


async def next_told(stage: Stage, call: int = 1, **event: Any) -> tuple[list[str], str | None, str | None]:
    await stage.events(call, **event)
    await stage.sleep(0.001)
    return told_by(stage.receivers.sent[-1])


def test_both_tokens_are_good_until_the_overlap_ends_by_itself() -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url=URL, token="first")
        assert await next_told(stage) == (["first"], "first", KEY)
        rotated = await stage.webhooks.rotate(WORLD, webhook.id, token="second")
        assert rotated == stage.webhooks.get(WORLD, webhook.id)
        assert (rotated.token, rotated.old_token, rotated.old_until_us) == (
            "second",
            "first",
            stage.clock.now_us() + DAY * 10**6,
        )
        assert await next_told(stage) == (["first", "second"], "first", KEY)
        await stage.restart()
        assert await next_told(stage) == (["first", "second"], "first", KEY)
        await stage.sleep(DAY - 1)
        assert await next_told(stage) == (["first", "second"], "first", KEY)
        await stage.sleep(1)
        assert await next_told(stage) == (["second"], "second", KEY)
        assert stage.webhooks.get(WORLD, webhook.id) == rotated  # nobody wrote anything
        await stage.webhooks.rotate(WORLD, webhook.id, token="third", overlap=10)
        assert await next_told(stage) == (["second", "third"], "second", KEY)

    on_stage(play)


def test_a_finished_rotation_leaves_the_new_token() -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.set_for_number(WORLD, NUMBER, url=URL, token="first")
        await stage.webhooks.rotate(WORLD, webhook.id, token="second")
        assert await next_told(stage, number=NUMBER) == (["first", "second"], "first", KEY)
        finished = await stage.webhooks.finish_rotation(WORLD, webhook.id)
        assert (finished.token, finished.old_token, finished.old_until_us) == ("second", None, None)
        assert await next_told(stage, number=NUMBER) == (["second"], "second", KEY)
        assert await stage.webhooks.finish_rotation(WORLD, webhook.id) == finished

    on_stage(play)


def test_what_waits_for_a_retry_is_signed_by_what_is_good_then() -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url=URL, token="first")
        stage.receivers.answer = lambda sent: failing(Fault.HTTP_ERROR, 503)
        await stage.events(1)
        await stage.sleep(1)
        await stage.webhooks.rotate(WORLD, webhook.id, token="second", overlap=20)
        await stage.sleep(60)
        assert [told_by(sent)[:2] for sent in stage.receivers.sent] == [
            (["first"], "first"),
            (["first", "second"], "first"),
            (["second"], "second"),
        ]
        assert len({sent.headers["webhook-id"] for sent in stage.receivers.sent}) == 1
        assert len({sent.headers["webhook-timestamp"] for sent in stage.receivers.sent}) == 3
        assert len({sent.body for sent in stage.receivers.sent}) == 1

    on_stage(play)


def test_a_webhook_that_gets_its_first_token_was_known_by_the_signing_key() -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url=URL)
        assert await next_told(stage) == ([KEY], None, KEY)
        await stage.webhooks.rotate(WORLD, webhook.id, token="first", overlap=10)
        assert await next_told(stage) == ([KEY, "first"], "first", KEY)
        await stage.sleep(10)
        assert await next_told(stage) == (["first"], "first", KEY)

    on_stage(play)


def test_a_call_has_its_own_token_whatever_happens_to_others() -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url=URL, token="first")
        await stage.webhooks.rotate(WORLD, webhook.id, token="second")
        assert await next_told(stage, url=URL, token="third") == (["third"], "third", KEY)

    on_stage(play)


@pytest.mark.parametrize("overlap", [None, 5.0])
def test_a_second_rotation_waits_for_the_first(overlap: float | None) -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url=URL, token="first")
        rotated = await stage.webhooks.rotate(WORLD, webhook.id, token="second", overlap=60)
        with pytest.raises(Conflict, match="under way"):
            await stage.webhooks.rotate(WORLD, webhook.id, token="third", overlap=overlap)
        assert stage.webhooks.get(WORLD, webhook.id) == rotated
        at_once = await stage.webhooks.rotate(WORLD, webhook.id, token="third", overlap=0)  # it has leaked
        assert (at_once.old_token, at_once.old_until_us) == (None, None)
        assert await next_told(stage) == (["third"], "third", KEY)

    on_stage(play)


def test_a_token_set_over_the_compatible_interface_takes_effect_at_once() -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url=URL, token="first")
        await stage.webhooks.rotate(WORLD, webhook.id, token="second")
        await stage.webhooks.update(WORLD, webhook.id, url=URL)
        assert await next_told(stage) == (["first", "second"], "first", KEY)
        await stage.webhooks.update(WORLD, webhook.id, token="third")
        assert await next_told(stage) == (["third"], "third", KEY)

    on_stage(play)


def test_there_is_nothing_to_rotate_in_another_world() -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url=URL, token="first")
        for change in (stage.webhooks.rotate(OTHER_WORLD, webhook.id), stage.webhooks.finish_rotation(OTHER_WORLD, webhook.id)):
            with pytest.raises(NotFound):
                await change
        assert stage.webhooks.get(WORLD, webhook.id) == webhook

    on_stage(play)


def test_generated_tokens_differ() -> None:
    async def play(stage: Stage) -> None:
        webhook = await stage.webhooks.create(WORLD, url=URL)
        made = [(await stage.webhooks.rotate(WORLD, webhook.id, overlap=0)).token for _ in range(3)]
        assert len(set(made)) == 3
        assert {len(token or "") for token in made} == {43}

    on_stage(play)


def test_both_signing_keys_are_good_while_they_overlap() -> None:
    async def play(stage: Stage) -> None:
        keys: tuple[str, str | None] = (KEY, "key before")
        stage.sign = Signer(lambda world: keys[0], replaced_key=lambda world, now_us: keys[1]).headers
        webhook = await stage.webhooks.create(WORLD, url=URL)
        assert await next_told(stage) == (["key before", KEY], None, "key before")
        await stage.webhooks.rotate(WORLD, webhook.id, token="first")
        assert await next_told(stage) == (["key before", KEY, "first"], "first", "key before")
        await stage.webhooks.finish_rotation(WORLD, webhook.id)
        assert await next_told(stage) == (["first"], "first", "key before")
        keys = (KEY, None)
        assert await next_told(stage) == (["first"], "first", KEY)

    on_stage(play)


def test_an_account_rotates_the_key_of_one_world_and_keeps_it_over_a_restart() -> None:
    async def play(stage: Stage) -> None:
        store, clock = stage.store, stage.clock
        accounts = Accounts(store, clock, rotation_overlap=60)
        await accounts.prepare()
        live, test = accounts.world("live"), accounts.world("test")
        rotated = await accounts.rotate_signing_key(live.id)
        again = await _reopened(store, clock)
        for each in (accounts, again):
            assert each.world("live") == rotated
            assert each.world("test") == test
        assert rotated.signing_key != live.signing_key
        assert [rotated.replaced_key(START_US + us) for us in (0, 59_999_999, 60_000_000)] == [live.signing_key] * 2 + [None]
        with pytest.raises(Conflict):
            await accounts.rotate_signing_key(live.id)
        finished = await accounts.finish_signing_key_rotation(live.id)
        assert (finished.signing_key, finished.old_signing_key, finished.old_until_us) == (rotated.signing_key, None, None)
        assert (await _reopened(store, clock)).world("live") == finished
        at_once = await accounts.rotate_signing_key(live.id, overlap=0)
        assert (at_once.signing_key != finished.signing_key, at_once.old_signing_key) == (True, None)
        assert accounts.authenticate(f"AccessKey {(await accounts.make_key('live')).secret}") == at_once

    on_stage(play)


async def _reopened(store: Store, clock: VirtualClock) -> Accounts:
    accounts = Accounts(store, clock)
    await accounts.prepare()
    return accounts
