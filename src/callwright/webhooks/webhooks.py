"""The webhooks of worlds and numbers (contract §2.7). A call's own is given with the call and kept there."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from callwright import ids
from callwright.accounts.rotation import DEFAULT_OVERLAP_S, Secrets, end_of_overlap
from callwright.clock import Clock, rfc3339
from callwright.dialect.callbacks import CALL, TYPES
from callwright.egress import parse
from callwright.errors import Conflict, Invalid, Missing, NotFound
from callwright.log import Log
from callwright.store import Store, Transaction
from callwright.webhooks import rows
from callwright.webhooks.log import option_of
from callwright.webhooks.model import Webhook
from callwright.webhooks.signature import doubt_of_token

MAX_TOKEN = 1_000

_log = Log("webhooks")


async def _nobody(world_id: UUID, url: str) -> None:
    return None


class Page(NamedTuple):
    total: int
    webhooks: list[Webhook]


class Shown(NamedTuple):
    """A webhook with the number it is of, None for a world's own."""

    webhook: Webhook
    number: str | None


class AllPage(NamedTuple):
    total: int
    webhooks: list[Shown]


class Webhooks:
    """The webhooks of all worlds; lists hold a world's own, while a number's is found by its id or its number."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        refusal: Callable[[str], str | None],
        *,
        per_world: int = 5,
        rotation_overlap: float = DEFAULT_OVERLAP_S,
        asked_for: Callable[[UUID, str], Awaitable[object]] = _nobody,
    ) -> None:
        """`refusal` says why a URL can never be requested (`HttpDoor.refusal`); `rotation_overlap` is how many seconds a
        token that was replaced stays good, unless it is said.

        `asked_for` hears of each endpoint, by world and URL without query, for which a webhook was made or got another URL or
        token: somebody has put it right, and wants callbacks there.
        """
        self._store = store
        self._clock = clock
        self._refusal = refusal
        self._per_world = per_world
        self._rotation_overlap = rotation_overlap
        self._asked_for = asked_for

    def check(self, url: str | None, token: str | None = None, *, parameter: str = "url") -> str:
        """Return the URL if callbacks can be sent to it; raises `Missing` or `Invalid`."""
        if not url:
            raise Missing(f"{parameter} is required: where should callbacks be sent?", parameter=parameter)
        if sentence := self._refusal(url):
            raise Invalid(f"{parameter} cannot be used: {sentence}.", parameter=parameter)
        check_token(token, parameter.removesuffix("url") + "token")
        return url

    def get(self, world_id: UUID, webhook_id: UUID) -> Webhook:
        found = rows.find_webhook(self._store, world_id, webhook_id)
        if found is None:
            raise _not_found(webhook_id)
        return found

    def page(self, world_id: UUID, *, limit: int, offset: int) -> Page:
        """A page of the world's own webhooks, newest first."""
        return Page(*rows.page_of_world(self._store, world_id, limit=limit, offset=offset))

    def all_page(self, world_id: UUID, *, limit: int, offset: int) -> AllPage:
        """A page of a world's own webhooks and those of its numbers, newest first."""
        total, found = rows.page_of_all(self._store, world_id, limit=limit, offset=offset)
        return AllPage(total, [Shown(*row) for row in found])

    async def create(
        self, world_id: UUID, *, url: str | None, token: str | None = None, events: tuple[str, ...] | None = None
    ) -> Webhook:
        """Make a webhook of the world; `Conflict` when it has as many as it may."""
        made = self._new(world_id, None, self.check(url, token), token, events)

        def run(transaction: Transaction) -> None:
            if rows.count_of_world(transaction, world_id) >= self._per_world:
                raise Conflict(
                    f"There are {self._per_world} webhooks already, as many as are allowed; "
                    "delete one, or raise api.webhooks_per_world."
                )
            transaction.write(rows.insert_webhook(made))

        await self._store.transact(run)
        await self._wanted(made)
        return made

    async def update(
        self,
        world_id: UUID,
        webhook_id: UUID,
        *,
        url: str | None = None,
        token: str | None = None,
        events: tuple[str, ...] | UnsetType | None = UNSET,
        without_token: bool = False,
    ) -> Webhook:
        """Change what is given and leave the rest (contract §9, C31). `events` None stands for those of the settings."""
        if url or token:
            self.check(url or self.get(world_id, webhook_id).url, token)
        now_us = self._clock.now_us()

        def run(transaction: Transaction) -> Webhook:
            known = _found(transaction, world_id, webhook_id)
            changed = _changed(known, url or known.url, None if without_token else token or known.token, now_us)
            if events is not UNSET:
                changed = replace(changed, events=events)
            transaction.write(rows.update_webhook(changed))
            return changed

        changed = await self._store.transact(run)
        if url or token:
            await self._wanted(changed)
        return changed

    async def remove(self, world_id: UUID, webhook_id: UUID) -> None:
        """Delete a webhook. What was still to be sent for it alone is not sent any more, unless one with its URL is made before
        its turn comes, and is told of such events; its token signs nothing.
        """
        if not await self._store.transact(lambda transaction: transaction.write(rows.delete_webhook(world_id, webhook_id))):
            raise _not_found(webhook_id)

    async def set_for_number(
        self,
        world_id: UUID,
        number_id: UUID,
        *,
        url: str | None,
        token: str | None = None,
        events: tuple[str, ...] | UnsetType | None = UNSET,
    ) -> Webhook:
        """Give a number its webhook; a second time URL and token, and events if given, are replaced under the same id."""
        made = self._new(world_id, number_id, self.check(url, token), token, None if events is UNSET else events)

        def run(transaction: Transaction) -> Webhook:
            known = rows.webhook_of_number(transaction, world_id, number_id)
            if known is None:
                transaction.write(rows.insert_webhook(made))
                return made
            changed = _changed(known, made.url, made.token, made.updated_us)
            if events is not UNSET:
                changed = replace(changed, events=events)
            transaction.write(rows.update_webhook(changed))
            return changed

        found = await self._store.transact(run)
        await self._wanted(found)
        return found

    def tokens(self, world_id: UUID, webhook_id: UUID) -> Secrets:
        """The tokens by which a webhook's receiver knows us now; without one it is the signing key. Raises `NotFound`."""
        webhook = self.get(world_id, webhook_id)
        return Secrets.at(self._clock.now_us(), webhook.token, webhook.old_token, webhook.old_until_us)

    async def rotate(
        self, world_id: UUID, webhook_id: UUID, *, token: str | None = None, overlap: float | None = None
    ) -> Webhook:
        """Give a webhook another token, a generated one unless it is given; that of today stays good for `overlap` seconds.

        Raises `NotFound`, `Invalid`, or `Conflict` while an earlier rotation is under way.
        """
        seconds = self._rotation_overlap if overlap is None else overlap
        self.check(self.get(world_id, webhook_id).url, token)
        made = secrets.token_urlsafe(32) if token is None else token
        if not made:
            raise Invalid("token is empty: leave it out, and one is generated.", parameter="token")
        now_us = self._clock.now_us()
        finish = f"callwright webhooks rotate {webhook_id} --finish{option_of(self._store, world_id)}"

        def run(transaction: Transaction) -> Webhook:
            known = _found(transaction, world_id, webhook_id)
            if made == known.token:
                raise Invalid("token is the one that the webhook has already.", parameter="token")
            until_us = end_of_overlap(known.old_until_us, now_us, seconds, finish=finish)
            changed = _changed(known, known.url, made, now_us)
            changed = replace(changed, old_token=None if until_us is None else known.token, old_until_us=until_us)
            transaction.write(rows.update_webhook(changed))
            return changed

        rotated = await self._store.transact(run)
        _tell("token_rotated", rotated)
        await self._wanted(rotated)
        return rotated

    async def finish_rotation(self, world_id: UUID, webhook_id: UUID) -> Webhook:
        """Let the token that was replaced be good no more; where there is none, nothing changes. Raises `NotFound`."""

        def run(transaction: Transaction) -> Webhook:
            changed = replace(_found(transaction, world_id, webhook_id), old_token=None, old_until_us=None)
            transaction.write(rows.update_webhook(changed))
            return changed

        finished = await self._store.transact(run)
        _tell("token_rotation_finished", finished)
        return finished

    async def _wanted(self, webhook: Webhook) -> None:
        await self._asked_for(webhook.world_id, webhook.target.partition("?")[0])

    def _new(
        self, world_id: UUID, number_id: UUID | None, url: str, token: str | None, events: tuple[str, ...] | None
    ) -> Webhook:
        now_us = self._clock.now_us()
        return Webhook(
            id=ids.uuid7(now_us),
            world_id=world_id,
            number_id=number_id,
            url=url,
            target=parse(url).text,
            token=token or None,
            events=events,
            created_us=now_us,
            updated_us=now_us,
        )


def check_token(token: str | None, parameter: str = "token") -> None:
    """Raises `Invalid` for what a receiver could not verify by."""
    if token is not None and len(token) > MAX_TOKEN:
        raise Invalid(f"The token has {len(token)} characters; at most {MAX_TOKEN} are taken.", parameter=parameter)
    if token and (doubt := doubt_of_token(token)) is not None:
        raise Invalid(f"{parameter} cannot be used: {doubt}.", parameter=parameter)


def checked_events(wanted: Sequence[str], parameter: str = "events") -> tuple[str, ...]:
    """The types a webhook is to hear of, those of calls always among them. Raises `Invalid`."""
    for one in wanted:
        if one not in TYPES:
            raise Invalid(
                f"{parameter} has {str(one)[:40]!r}, which is no type of event; there are {', '.join(TYPES)}.",
                parameter=parameter,
            )
    return tuple(one for one in TYPES if one == CALL or one in wanted)


def _found(transaction: Transaction, world_id: UUID, webhook_id: UUID) -> Webhook:
    found = rows.find_webhook(transaction, world_id, webhook_id)
    if found is None:
        raise _not_found(webhook_id)
    return found


def _changed(webhook: Webhook, url: str, token: str | None, now_us: int) -> Webhook:
    """Another token takes effect at once: whoever sets it so has said that the old one is good no more."""
    changed = replace(webhook, url=url, target=parse(url).text, token=token, updated_us=max(now_us, webhook.updated_us))
    return changed if token == webhook.token else replace(changed, old_token=None, old_until_us=None)


def _tell(what: str, webhook: Webhook) -> None:
    until_us = webhook.old_until_us
    _log.info(what, webhook=webhook.id, old_good_until=None if until_us is None else rfc3339(until_us))


def _not_found(webhook_id: UUID) -> NotFound:
    return NotFound(f"No webhook found for ID `{webhook_id}`.")
