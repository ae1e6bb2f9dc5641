"""What callbacks are signed with, and its replacement: tokens of webhooks and the signing keys of worlds."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from callwright.accounts.worlds import World
from callwright.errors import Invalid
from callwright.native.asking import Ask
from callwright.native.views import moment
from callwright.webhooks.signature import standard_secret


async def show_signing_key(ask: Ask) -> Any:
    """The world's signing key, which its callbacks are signed with (contract §4.3)."""
    return _signing_key(ask, ask.world)


async def rotate_signing_key(ask: Ask) -> Any:
    """``{"overlap": seconds}``: a new signing key, beside which that of today stays good for so long."""
    world, body = ask.world, await ask.object_of("overlap", optional=True)
    await ask.parts.accounts.rotate_signing_key(world.id, overlap=_overlap(body))
    return _signing_key(ask, world)


async def finish_signing_key(ask: Ask) -> Any:
    """Let the signing key that was replaced be good no more; ``finished`` is false where none was."""
    world, accounts = ask.world, ask.parts.accounts
    under_way = accounts.signing_keys(world.id).former is not None
    await accounts.finish_signing_key_rotation(world.id)
    return _signing_key(ask, world) | {"finished": under_way}


async def show_token(ask: Ask) -> Any:
    """A webhook's token, also in the form that libraries for Standard Webhooks take."""
    return _token(ask, ask.world, ask.id("webhook"))


async def rotate_token(ask: Ask) -> Any:
    """``{"token": "…", "overlap": seconds}``, both as one likes: a new token, beside which that of today stays good."""
    world, webhook_id = ask.world, ask.id("webhook")
    body = await ask.object_of("token", "overlap", optional=True)
    token = body.get("token")
    if token is not None and not isinstance(token, str):
        raise Invalid("token must be a text.", parameter="token")
    await ask.parts.webhooks.rotate(world.id, webhook_id, token=token, overlap=_overlap(body))
    return _token(ask, world, webhook_id)


async def finish_token(ask: Ask) -> Any:
    """Let the token that was replaced be good no more; ``finished`` is false where none was."""
    world, webhook_id, webhooks = ask.world, ask.id("webhook"), ask.parts.webhooks
    # Not by what was replaced: before its first token that was the signing key.
    under_way = webhooks.tokens(world.id, webhook_id).until_us is not None
    await webhooks.finish_rotation(world.id, webhook_id)
    return _token(ask, world, webhook_id) | {"finished": under_way}


def _signing_key(ask: Ask, world: World) -> dict[str, Any]:
    keys = ask.parts.accounts.signing_keys(world.id)
    return {
        "kind": world.kind,
        "signingKey": keys.current,
        "secret": _standard(keys.current),
        "oldSigningKey": keys.former,
        "oldSecret": _standard(keys.former),
        "oldUntil": moment(keys.until_us),
    }


def _token(ask: Ask, world: World, webhook_id: UUID) -> dict[str, Any]:
    """Without a token the signing key is the secret, which is the operator's to give away."""
    tokens = ask.parts.webhooks.tokens(world.id, webhook_id)
    return {
        "webhookId": webhook_id,
        "token": tokens.current,
        "secret": _standard(tokens.current),
        "oldToken": tokens.former,
        "oldSecret": _standard(tokens.former),
        "oldUntil": moment(tokens.until_us),
    }


def _standard(secret: str | None) -> str | None:
    return None if secret is None else standard_secret(secret)


def _overlap(body: dict[str, Any]) -> float | None:
    value = body.get("overlap")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise Invalid(f"overlap must be a number of seconds; it was {str(value)[:20]!r}.", parameter="overlap")
    return value
