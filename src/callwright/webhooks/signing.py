"""Who signs an attempt with what: the webhook's token and its world's signing key, those of today."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from callwright import ids
from callwright.egress import Header, Url
from callwright.webhooks import signature
from callwright.webhooks.model import Delivery
from callwright.webhooks.signature import Encoding


class Signer:
    def __init__(self, signing_key: Callable[[UUID], str], encoding: Encoding = Encoding.BASE64) -> None:
        """`signing_key` is asked for a world's."""
        self._signing_key = signing_key
        self._encoding = encoding

    def headers(self, delivery: Delivery, url: Url, now_us: int) -> Sequence[Header]:
        """All signature headers of an attempt that goes out now."""
        return signature.headers(
            url=url,
            body=delivery.body,
            signing_key=self._signing_key(delivery.world_id),
            token=delivery.token,
            now_us=now_us,
            jti=ids.uuid7(now_us),
            encoding=self._encoding,
        )
