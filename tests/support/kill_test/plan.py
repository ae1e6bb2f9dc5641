"""What a kill test does: how long, which calls, who hears of them, what is killed how often, and how receivers fail."""

from __future__ import annotations

from typing import Any, NamedTuple

LIVE, TEST = "live", "test"
CORE, SIGNALLING, MEDIA = "core", "signalling", "media-1"


class Hearer(NamedTuple):
    """A webhook: `place` is host and path in the receiver, `token` what its signatures are keyed by; it hears of `types`."""

    place: str
    token: str | None
    types: tuple[str, ...] = ("call",)


class Traffic(NamedTuple):
    """One kind of call: `share` of the rate, known by the number it goes to.

    With a `scenario` SIPp calls that number, which runs `steps`; without one the call is placed with POST /calls in the test
    world. `hearers` are all that hear of such a call beside those of its world.
    """

    name: str
    share: float
    world: str
    number: str
    steps: tuple[dict[str, Any], ...]
    hearers: tuple[Hearer, ...] = ()
    scenario: str = ""
    hold_ms: int | None = None


# Three addresses stand for three hosts, as limits and breakers go by host. Queries are there for the signatures, which cover
# them, and as an endpoint is a URL without its query.
WORLDS = {
    LIVE: Hearer("127.0.0.1/account?of=live", "account-token"),
    TEST: Hearer("127.0.0.1/account?of=test", None),
}
NUMBER = Hearer("127.0.0.2/number?b=2&a=x%20y", "number-token", ("call", "leg", "recording"))
# The same URL as the account's, so that there is one delivery, keyed by the narrower token.
SHARED = Hearer(WORLDS[LIVE].place, "narrower-token")
CALLS = tuple(Hearer(f"127.0.0.3/call/{n}", f"call-token-{n}" if n % 2 else None) for n in range(4))

PAUSE = {"action": "pause", "options": {"length": 1}}
RECORD = {"action": "record", "options": {"maxLength": 1}}
LONG_PAUSE = {"action": "pause", "options": {"length": 30}}

TRAFFIC = (
    Traffic(
        "SIPp, hung up by the flow",
        0.3,
        LIVE,
        "31205550901",
        (PAUSE,),
        (NUMBER,),
        "soak_caller_is_left",
    ),
    Traffic("SIPp, recorded", 0.1, LIVE, "31205550903", (RECORD,), (NUMBER,), "soak_caller_is_left"),
    Traffic(
        "SIPp, hung up by the caller",
        0.3,
        LIVE,
        "31205550902",
        (LONG_PAUSE,),
        (SHARED,),
        "soak_caller_leaves",
        700,
    ),
    Traffic("POST, answered", 0.15, TEST, "31205550911", (PAUSE,), (CALLS[0],)),
    Traffic("POST, hung up by the callee", 0.05, TEST, "31205550912", (LONG_PAUSE,), (CALLS[1],)),
    Traffic("POST, busy", 0.05, TEST, "31205550913", (PAUSE,), (CALLS[2],)),
    Traffic("POST, failed", 0.05, TEST, "31205550914", (PAUSE,), (CALLS[3],)),
)
CALLEES = """
[simulator.callees.31205550911]
answer_after = 0.3
[simulator.callees.31205550912]
answer_after = 0.2
hangup_after = 0.6
[simulator.callees.31205550913]
answer_after = 0.4
outcome = "busy"
[simulator.callees.31205550914]
answer_after = 0.1
outcome = "fail"
"""

# How a request is answered, by weight. Silence is rare, as an endpoint gets little else until it has answered again. What is
# `TAKEN` counts as received for a sender who saw the status.
ANSWERS = {
    "200": 76.8,
    "202 late": 3.0,
    "200, body cut off": 2.0,
    "500": 6.0,
    "503": 3.0,
    "429, Retry-After: 1": 3.0,
    "closed within the head": 3.0,
    "reset": 3.0,
    "silence": 0.2,
}
TAKEN = frozenset({"200", "202 late", "200, body cut off"})
LATE_S = (0.1, 0.9)
# Now and then, once in so many requests, a host answers them all alike for a while.
SPELL_ONCE_IN = 600
SPELLS = ("503", "reset", "silence")
SPELL_S = (0.5, 2.0)

SETTINGS = {
    "webhooks.timeout": "1.5",
    "webhooks.retry": "1,1,2",
    "webhooks.then_every": "2",
    # A host that fails one time in five must not be left alone for long, or there would be little to kill.
    "webhooks.break_first": "0.5",
    "webhooks.break_longest": "1",
    "media.max_calls": "1000",
    "calls.max_live": "2000",
}


class Plan(NamedTuple):
    """`rate` is calls a second of all kinds. The seed decides deaths and answers.

    A death comes `gap` seconds after the last one was mended; `core_share` of them are the core's. A successor dies before it
    is ready by chance (`young_share`). In the last `calm_end` seconds nothing dies, as calls must have time to come to an
    ordinary end, too. Calls and deliveries have to be over within `settled_within` seconds.
    """

    seconds: float = 300.0
    rate: float = 50.0
    seed: int = 4
    gap: tuple[float, float] = (0.5, 4.5)
    core_share: float = 0.7
    young_share: float = 0.25
    calm_end: float = 1.0
    settled_within: float = 240.0


LONG = Plan()
SHORT = Plan(seconds=20.0)
