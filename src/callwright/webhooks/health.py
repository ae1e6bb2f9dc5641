"""How well a receiver does, and what it is spared for that: a table for endpoints and one for hosts.

All of this is in memory and knows neither database nor network. What must survive a restart (limits, the days without a
success, being disabled) is given in and written by others.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple
from weakref import WeakValueDictionary

from callwright.clock import SECOND_US
from callwright.egress import BadUrl, parse
from callwright.webhooks.model import Endpoint
from callwright.webhooks.pace import Pace
from callwright.webhooks.settings import SET_BACK_US


class Health(Enum):
    """The states of an endpoint, and what may be started in each."""

    HEALTHY = "healthy"  # attempts side by side, up to its limits
    PROBATION = "probation"  # one attempt at a time, from the budget of the slow
    RESTING = "resting"  # none, until the time it asked for, or for a while after many failures in a row
    BROKEN = "broken"  # none, as its host does not answer; one probe for the whole host now and then
    DISABLED = "disabled"  # none, until it is enabled


class Happening(Enum):
    """What moves an endpoint."""

    SUCCEEDED = "succeeded"  # 2xx
    TIRED = "tired"  # too many failures in a row
    ERRED = "erred"  # anything else that says nothing of how it does from now on
    HUNG = "hung"  # no answer in time
    ASKED_TO_WAIT = "asked to wait"  # a failure with Retry-After
    RESTED = "rested"  # that time is over
    HOST_DOWN = "host down"  # the breaker opened
    HOST_BACK = "host back"  # the breaker closed
    SWITCHED_OFF = "switched off"
    SWITCHED_ON = "switched on"


# What is not here changes nothing. Nothing leads to full speed but a success.
MOVES: dict[Health, dict[Happening, Health]] = {
    Health.HEALTHY: {
        Happening.HUNG: Health.PROBATION,
        Happening.TIRED: Health.RESTING,
        Happening.ASKED_TO_WAIT: Health.RESTING,
        Happening.HOST_DOWN: Health.BROKEN,
        Happening.SWITCHED_OFF: Health.DISABLED,
    },
    Health.PROBATION: {
        Happening.SUCCEEDED: Health.HEALTHY,
        Happening.TIRED: Health.RESTING,
        Happening.ASKED_TO_WAIT: Health.RESTING,
        Happening.HOST_DOWN: Health.BROKEN,
        Happening.SWITCHED_OFF: Health.DISABLED,
    },
    Health.RESTING: {
        Happening.ASKED_TO_WAIT: Health.RESTING,
        Happening.RESTED: Health.PROBATION,
        Happening.SWITCHED_OFF: Health.DISABLED,
    },
    Health.BROKEN: {
        Happening.SUCCEEDED: Health.HEALTHY,
        Happening.ASKED_TO_WAIT: Health.RESTING,
        Happening.HOST_BACK: Health.PROBATION,
        Happening.SWITCHED_OFF: Health.DISABLED,
    },
    Health.DISABLED: {
        Happening.SWITCHED_ON: Health.PROBATION,
    },
}


# After so many failures in a row an endpoint rests after each, for as long as its host's breaker would pause.
TIRED_AFTER = 10


class Circuit(Enum):
    """The states of a host's breaker."""

    CLOSED = "closed"  # the host is spoken to
    OPEN = "open"  # it is left alone until its pause is over
    PROBING = "probing"  # one attempt is under way to see whether it is back


class Verdict(NamedTuple):
    """What an attempt says of its endpoint and host.

    `against_host` is None where it says nothing of the host. `until_us` is for `ASKED_TO_WAIT`, and so is `since_us`,
    when it was asked for.
    """

    happening: Happening
    against_host: bool | None
    until_us: int = 0
    since_us: int = 0


GOOD = Verdict(Happening.SUCCEEDED, False)
# No attempt took place: the row was not due any more, or nobody asks for it.
NOTHING = Verdict(Happening.ERRED, None)


def _over(since_us: int, until_us: int, now_us: int) -> bool:
    """Whether a pause is over. Before it began the clock was set back, and nobody knows how much of it is left."""
    return now_us >= until_us or now_us < since_us - SET_BACK_US


class Breaker:
    """A host, meaning scheme, name and port: after `after` failures in a row that speak against it, it is left alone.

    Pauses are seconds; each probe that fails doubles them, up to the longest.
    """

    __slots__ = (
        "__weakref__",
        "_after",
        "_first_s",
        "_longest_s",
        "_opened_us",
        "back_us",
        "circuit",
        "down_us",
        "failures",
        "name",
        "pause_s",
        "until_us",
        "waiting",
    )

    def __init__(self, name: str, after: int, first_s: float, longest_s: float) -> None:
        self.name = name
        self._after = after
        self._first_s = first_s
        self._longest_s = longest_s
        self.circuit = Circuit.CLOSED
        self.failures = 0
        self.pause_s = 0.0
        self.until_us = 0
        self._opened_us = 0
        # When it was last back, and for how long it had been left alone.
        self.back_us = 0
        self.down_us = 0
        # Endpoints that have something for this host, in the order they came.
        self.waiting: dict[Endpoint, None] = {}

    def may_probe(self, now_us: int) -> bool:
        since_us = self.until_us - round(self.pause_s * SECOND_US)
        return self.circuit is Circuit.OPEN and _over(since_us, self.until_us, now_us)

    def probe(self) -> None:
        """The attempt that starts now is the probe."""
        self.circuit = Circuit.PROBING

    def note(self, against: bool | None, now_us: int, *, probe: bool) -> bool:
        """Take in an attempt's end; return whether the circuit is in another state than before.

        What was under way when the breaker opened and fails later opens it no further.
        """
        before = self.circuit
        if against is None:
            if probe and before is Circuit.PROBING:
                self.circuit = Circuit.OPEN  # it told nothing: the next may probe at once
        elif not against:
            if before is not Circuit.CLOSED:
                self.back_us, self.down_us = now_us, now_us - self._opened_us
            self.circuit, self.failures, self.pause_s = Circuit.CLOSED, 0, 0.0
        elif before is Circuit.CLOSED:
            self.failures += 1
            if self.failures >= self._after:
                self._open(self._first_s, now_us)
        elif probe and before is Circuit.PROBING:
            self.failures += 1
            self._open(self.pause_after(self.pause_s), now_us)
        return self.circuit is not before

    def let_probe(self, now_us: int) -> None:
        """Somebody says that it is back."""
        self.until_us = min(self.until_us, now_us)

    def pause_after(self, pause_s: float) -> float:
        """The pause that comes after one of so many seconds, 0 for the first."""
        return min(pause_s * 2, self._longest_s) if pause_s else self._first_s

    def _open(self, pause_s: float, now_us: int) -> None:
        if self.circuit is Circuit.CLOSED:
            self._opened_us = now_us
        self.circuit = Circuit.OPEN
        self.pause_s = pause_s
        self.until_us = now_us + round(pause_s * SECOND_US)


class Peer:
    """What is known of one endpoint while there is something to send to it.

    `failures`, `failing_us` and `failed_us` mirror its row in the table. `concurrency` and `pace` are its limits. `took_us` is
    when it last took something, and `back_us` when that first was so after it or its host had been down, for `down_us`; 0 where
    that is not known, as after a restart.
    """

    __slots__ = (
        "_asked_until_us",
        "_left_alone",
        "_pause_s",
        "_resting_us",
        "_tired_until_us",
        "back_us",
        "breaker",
        "concurrency",
        "down_us",
        "endpoint",
        "failed_us",
        "failing_us",
        "failures",
        "health",
        "pace",
        "took_us",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        breaker: Breaker,
        *,
        concurrency: int,
        rate: float = 0.0,
        failures: int = 0,
        failing_us: int | None = None,
        failed_us: int | None = None,
        disabled: bool = False,
    ) -> None:
        """`rate` is requests a second, 0 for as many as there are."""
        self.endpoint = endpoint
        self.breaker = breaker
        self.failures = failures
        self.failing_us = failing_us
        self.failed_us = failed_us
        self.took_us = 0
        self.back_us = 0
        self.down_us = 0
        self.health = Health.DISABLED if disabled else Health.HEALTHY
        self._asked_until_us = 0
        self._tired_until_us = 0
        self._resting_us = 0  # when it last began to rest
        self._pause_s = 0.0
        self._left_alone = False
        self.concurrency = concurrency
        self.pace = Pace(rate) if rate else None

    def limit(self, concurrency: int, rate: float) -> None:
        """Take new limits; a pace that stays is kept, with what was used of it."""
        self.concurrency = concurrency
        if rate != (self.pace.rate if self.pace else 0.0):
            self.pace = Pace(rate) if rate else None

    def note(self, verdict: Verdict) -> None:
        if verdict.happening is Happening.ASKED_TO_WAIT:
            self._asked_until_us = max(self._asked_until_us, verdict.until_us)
            self._resting_us = max(self._resting_us, verdict.since_us)
        self.move(verdict.happening)

    def failed(self, now_us: int, since_us: int) -> None:
        """Count a failure, as the first in a row where the one before it was before `since_us`. After too many it rests."""
        if self.failed_us is not None and self.failed_us < since_us:
            self.failures, self.failing_us = 0, None
        self.failures += 1
        self.failing_us = self.failing_us or now_us
        self.failed_us = now_us
        # What was under way when a rest began makes it no longer.
        if self.failures >= TIRED_AFTER and Happening.TIRED in MOVES[self.health]:
            self._pause_s = self.breaker.pause_after(self._pause_s)
            self._tired_until_us = now_us + round(self._pause_s * SECOND_US)
            self._resting_us = now_us
            self.move(Happening.TIRED)

    def succeeded(self, now_us: int) -> int | None:
        """It took something, which ends a rest that it did not ask for. Where it or its host had been down: since when."""
        self.took_us = now_us
        down_since_us = self.failing_us if self._left_alone or self.failures >= TIRED_AFTER else None
        if down_since_us is not None:
            self.back_us, self.down_us = now_us, now_us - down_since_us
        self._forget_failures()
        if self.health is Health.RESTING and self._asked_until_us <= now_us:
            self.move(Happening.RESTED)
        return down_since_us

    def switch_on(self) -> None:
        self._asked_until_us = 0
        self._forget_failures()
        self.move(Happening.SWITCHED_ON)

    def end_rest(self) -> None:
        """Somebody says that it may be tried. Its failures stay on record: only a success ends those."""
        self._asked_until_us, self._tired_until_us, self._pause_s = 0, 0, 0.0

    def _forget_failures(self) -> None:
        self.failures, self.failing_us, self.failed_us = 0, None, None
        self._tired_until_us, self._pause_s, self._left_alone = 0, 0.0, False

    def move(self, happening: Happening) -> None:
        self.health = MOVES[self.health].get(happening, self.health)
        if self.health is Health.BROKEN:
            self._left_alone = True

    @property
    def until_us(self) -> int:
        """The end of its rest."""
        return max(self._asked_until_us, self._tired_until_us)

    @property
    def well(self) -> bool:
        """Healthy, and its host is too: the common case, which no time changes."""
        return self.health is Health.HEALTHY and self.breaker.circuit is Circuit.CLOSED

    def health_at(self, now_us: int) -> Health:
        """Its state, after what has happened by time or at its host."""
        if self.well:
            return self.health
        host_up = self.breaker.circuit is Circuit.CLOSED
        # Where the host is down, nothing is gained by a rest that would outlast it.
        until_us = self.until_us if host_up else self._asked_until_us
        if self.health is Health.RESTING and _over(self._resting_us, until_us, now_us):
            self._asked_until_us = self._tired_until_us = self._resting_us = 0
            self.move(Happening.RESTED)
        if host_up:
            self.move(Happening.HOST_BACK)
        else:
            self.move(Happening.HOST_DOWN)
        return self.health


class Hosts:
    """The breakers of hosts; one is forgotten with the last endpoint on it."""

    def __init__(self, after: int, first_s: float, longest_s: float) -> None:
        self._after = after
        self._first_s = first_s
        self._longest_s = longest_s
        self._breakers: WeakValueDictionary[str, Breaker] = WeakValueDictionary()

    def of(self, url: str) -> Breaker:
        name = _origin(url)
        found = self._breakers.get(name)
        if found is None:
            found = self._breakers[name] = Breaker(name, self._after, self._first_s, self._longest_s)
        return found


def _origin(url: str) -> str:
    try:
        scheme, host, port = parse(url).origin
    except BadUrl:
        return url  # nothing is ever sent there
    return f"{scheme}://{host}:{port}"
