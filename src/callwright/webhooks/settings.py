"""When a callback is tried, and when it is given up."""

from __future__ import annotations

import msgspec

from callwright.clock import SECOND_US
from callwright.webhooks.signature import Encoding


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times are seconds."""

    # What webhooks hear of, beside calls, that do not say it themselves.
    events: tuple[str, ...] = ()
    # How long a receiver has to answer.
    timeout: float = 10.0
    # The wait after each failed attempt, the one after those are used up, and when attempts end.
    retry: tuple[float, ...] = (5.0, 30.0, 120.0, 600.0, 3600.0)
    then_every: float = 3600.0
    give_up_after: float = 259_200.0
    # Each wait grows by a random part of this share, so that what failed together is not tried together.
    jitter: float = 0.1
    # Requests under way at once, in all and for one endpoint.
    concurrency: int = 128
    per_endpoint: int = 16
    # Endpoints with work that are kept in memory; further ones wait in the database.
    endpoints: int = 10_000
    # The safety net: the outbox and the table of what is due are looked through at least this often.
    poll: float = 15.0
    # How long requests under way are waited for when the server stops.
    drain: float = 3.0
    encoding: Encoding = Encoding.BASE64

    def next_attempt_us(self, *, attempts: int, created_us: int, now_us: int, chance: float) -> int | None:
        """When to try again after `attempts` failures, or None to give up; `chance` is a random number below 1."""
        wait = self.retry[attempts - 1] if attempts <= len(self.retry) else self.then_every
        at_us = now_us + round(wait * (1 + self.jitter * chance) * SECOND_US)
        return at_us if at_us <= created_us + round(self.give_up_after * SECOND_US) else None
