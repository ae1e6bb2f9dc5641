"""When a callback is tried, and when it is given up."""

from __future__ import annotations

import msgspec

from callwright.clock import SECOND_US
from callwright.dialect.callbacks import TYPES
from callwright.webhooks.signature import Encoding

# A clock that is set back by no more than this makes pauses longer by as much; after more of it they are over.
SET_BACK_US = 60 * SECOND_US


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times are seconds."""

    # What webhooks hear of, beside calls, that do not say it themselves.
    events: tuple[str, ...] = ("call",)
    # Types of events that go out at all, whatever webhooks ask for.
    sent: tuple[str, ...] = TYPES
    # How long a receiver has to answer.
    timeout: float = 10.0
    # The wait after each failed attempt, the one after those are used up, and the age at which one that fails is the last.
    retry: tuple[float, ...] = (5.0, 30.0, 120.0, 600.0, 3600.0)
    then_every: float = 3600.0
    give_up_after: float = 259_200.0
    # Each wait grows by a random part of this share, so that what failed together is not tried together.
    jitter: float = 0.1
    # Requests under way at once, in all and for one endpoint.
    concurrency: int = 128
    per_endpoint: int = 16
    # Requests a second for one endpoint, 0 for as many as there are. After a pause there may be one second's worth at once.
    rate: float = 0.0
    # A request unanswered for so long counts no more against `concurrency` but against `slow_slots`, and so do those to an
    # endpoint that has not answered in time, one after the other until it does.
    slow_after: float = 1.0
    slow_slots: int = 256
    # After so many failures in a row that speak against a host it is left alone: for `break_first`, and for twice as long
    # after each probe that fails, up to `break_longest`. So is an endpoint after ten failures in a row of any kind.
    break_after: int = 5
    break_first: float = 5.0
    break_longest: float = 300.0
    # How long an endpoint may make us wait by Retry-After.
    retry_after_at_most: float = 3600.0
    # An endpoint without a good attempt for so long, and with so many failures, is disabled.
    disable_after: float = 432_000.0
    disable_failures: int = 5
    # How long the later events of a call wait for one that fails, from its first failure on.
    head_wait: float = 3600.0
    # How long settled deliveries are kept: delivered ones, and those that were given up.
    keep: float = 604_800.0
    keep_exhausted: float = 2_592_000.0
    # Endpoints with work that are kept in memory; further ones wait in the database.
    endpoints: int = 10_000
    # The safety net: the outbox and the table of what is due are looked through at least this often.
    poll: float = 15.0
    # How long requests under way are waited for when the server stops.
    drain: float = 3.0
    encoding: Encoding = Encoding.BASE64

    def next_attempt_us(self, *, attempts: int, created_us: int, now_us: int, chance: float, ours: bool = False) -> int | None:
        """When to try again after `attempts` failures, or None to give up; `chance` is a random number below 1.

        `ours`: the receiver had no part in the last failure. Such a one gives up only what has had its attempts.
        """
        wait = self.retry[attempts - 1] if attempts <= len(self.retry) else self.then_every
        at_us = now_us + round(wait * (1 + self.jitter * chance) * SECOND_US)
        if at_us <= self.gives_up_us(created_us) or (ours and attempts < self.attempts_in_time()):
            return at_us
        return None

    def attempts_in_time(self) -> int:
        """How many are made within `give_up_after` where nothing comes between them."""
        left = self.give_up_after
        for number, wait in enumerate(self.retry, 1):
            if wait > left:
                return number
            left -= wait
        return 1 + len(self.retry) + int(left // self.then_every)

    def too_far_us(self, now_us: int) -> int:
        """No pause that begins now ends after this: what waits for a later time has seen the clock set back."""
        longest = max((*self.retry, self.then_every)) * (1 + self.jitter)
        return now_us + round(max(longest, self.retry_after_at_most) * SECOND_US) + SET_BACK_US

    def gives_up_us(self, since_us: int) -> int:
        """The last moment at which what is pending since then may be tried again."""
        return since_us + round(self.give_up_after * SECOND_US)
