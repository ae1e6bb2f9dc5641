"""Who signs an attempt with what: the webhook's token and its world's signing key, those of today.

While a secret that was replaced is still good, Standard Webhooks has a signature by each of the two. The headers of contract
§4.3 hold one: there it is the old secret's, which every receiver knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from callwright import ids
from callwright.accounts.rotation import in_force
from callwright.egress import Header, Url
from callwright.webhooks import signature
from callwright.webhooks.signature import Encoding


class Signable(Protocol):
    """What is signed, and for whom. `old_token` is good until `old_until_us`."""

    @property
    def world_id(self) -> UUID: ...

    @property
    def event_id(self) -> UUID: ...

    @property
    def body(self) -> bytes: ...

    @property
    def token(self) -> str | None: ...

    @property
    def old_token(self) -> str | None: ...

    @property
    def old_until_us(self) -> int | None: ...


def _none_replaced(world_id: UUID, now_us: int) -> str | None:
    return None


class Signer:
    def __init__(
        self,
        signing_key: Callable[[UUID], str],
        encoding: Encoding = Encoding.BASE64,
        *,
        replaced_key: Callable[[UUID, int], str | None] = _none_replaced,
    ) -> None:
        """`signing_key` is asked for a world's, `replaced_key` for the one before it, None once that is not good any more."""
        self._signing_key = signing_key
        self._replaced_key = replaced_key
        self._encoding = encoding

    def headers(self, told: Signable, url: Url, now_us: int) -> Sequence[Header]:
        """All signature headers of what goes out now."""
        keys = self._signing_keys(told.world_id, now_us)
        tokens = _tokens(told, now_us)
        # A webhook that had no token was known by the signing key; with a token it is known by that alone.
        secrets = keys + tokens[1:] if tokens[:1] == ("",) else tokens or keys
        legacy = signature.headers(
            url=url,
            body=told.body,
            signing_key=keys[0],
            token=next(filter(None, tokens), None),
            now_us=now_us,
            jti=ids.uuid7(now_us),
            encoding=self._encoding,
        )
        return [*signature.standard_headers(str(told.event_id), told.body, secrets, now_us), *legacy]

    def _signing_keys(self, world_id: UUID, now_us: int) -> tuple[str, ...]:
        """Those that are good, the older first."""
        key, replaced = self._signing_key(world_id), self._replaced_key(world_id, now_us)
        return (key,) if replaced is None else (replaced, key)


def _tokens(told: Signable, now_us: int) -> tuple[str, ...]:
    """Those that are good, the older first, which is empty where a webhook had none before; none where it has none now."""
    if not told.token:
        return ()
    return (told.old_token or "", told.token) if in_force(told.old_until_us, now_us) else (told.token,)
