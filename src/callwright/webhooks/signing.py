"""Who signs an attempt with what: the webhook's token and its world's signing key, those of today.

While a secret that was replaced is still good, Standard Webhooks has a signature by each of the two. The headers of contract
§4.3 hold one: there it is the old secret's, which every receiver knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from callwright import ids
from callwright.accounts.rotation import in_force
from callwright.egress import Header, Url
from callwright.webhooks import signature
from callwright.webhooks.model import Delivery
from callwright.webhooks.signature import Encoding


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

    def headers(self, delivery: Delivery, url: Url, now_us: int) -> Sequence[Header]:
        """All signature headers of an attempt that goes out now."""
        keys = self._signing_keys(delivery.world_id, now_us)
        tokens = _tokens(delivery, now_us)
        # A webhook that had no token was known by the signing key; with a token it is known by that alone.
        secrets = keys + tokens[1:] if tokens[:1] == ("",) else tokens or keys
        legacy = signature.headers(
            url=url,
            body=delivery.body,
            signing_key=keys[0],
            token=next(filter(None, tokens), None),
            now_us=now_us,
            jti=ids.uuid7(now_us),
            encoding=self._encoding,
        )
        return [*signature.standard_headers(str(delivery.event_id), delivery.body, secrets, now_us), *legacy]

    def _signing_keys(self, world_id: UUID, now_us: int) -> tuple[str, ...]:
        """Those that are good, the older first."""
        key, replaced = self._signing_key(world_id), self._replaced_key(world_id, now_us)
        return (key,) if replaced is None else (replaced, key)


def _tokens(delivery: Delivery, now_us: int) -> tuple[str, ...]:
    """Those that are good, the older first, which is empty where a webhook had none before; none where it has none now."""
    if not delivery.token:
        return ()
    return (delivery.old_token or "", delivery.token) if in_force(delivery.old_until_us, now_us) else (delivery.token,)
