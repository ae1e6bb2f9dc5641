"""What a soak does: how long, how many calls of which kind, what is lost, and how often a child dies."""

from __future__ import annotations

from typing import Any, NamedTuple

CALLEE = "31205550900"
SOUND = "/hello.wav"
SOUND_S = 1.0


class Traffic(NamedTuple):
    """One kind of call: `share` of the rate is placed by SIPp with `scenario`; its number runs `steps`.

    With `echo` its sound comes back from our own lossy echo, else nothing comes back.
    """

    name: str
    share: float
    scenario: str
    number: str
    steps: tuple[dict[str, Any], ...]
    hold_ms: int | None = None
    echo: bool = False


TRAFFIC = (
    Traffic("hung up by the flow", 0.4, "soak_caller_is_left", "31205550901", ({"action": "pause", "options": {"length": 2}},)),
    Traffic(
        "hung up by the caller",
        0.2,
        "soak_caller_leaves",
        "31205550902",
        ({"action": "pause", "options": {"length": 60}},),
        hold_ms=1_500,
    ),
    Traffic(
        "played to, with echo",
        0.2,
        "soak_caller_is_left",
        "31205550903",
        ({"action": "play", "options": {"media": SOUND}}, {"action": "pause", "options": {"length": 1}}),
        echo=True,
    ),
    Traffic(
        "bridged",
        0.2,
        "soak_caller_leaves",
        "31205550904",
        ({"action": "transfer", "options": {"destination": CALLEE}},),
        hold_ms=2_000,
    ),
)


class Plan(NamedTuple):
    """`rate` is calls a second of all kinds; `loss` the percentage of packets lost each way; the seed decides the deaths.

    For `shadow` seconds after a death, or until the successor is up, the log may have warnings, and calls may end for the
    reasons of lost parts; in the last `calm_end` seconds nothing dies. Flat means that the medians of the first and of the
    last third, after `warm_up`, differ by no more than these tolerances; a run of less than three times the warm-up is too
    short to say so. Children are of different ages in the two thirds, hence `child_percent`.
    """

    seconds: float = 1_800.0
    rate: float = 50.0
    loss: int = 5
    first_kill: float = 40.0
    kill_every: float = 60.0
    seed: int = 3
    sample_every: float = 10.0
    warm_up: float = 300.0
    shadow: float = 12.0
    restart_within: float = 40.0
    calm_end: float = 6.0
    memory_percent: float = 8.0
    child_percent: float = 50.0
    memory_mb: float = 6.0
    ports_percent: float = 25.0
    descriptors: int = 24  # 16 of them for connections to the one receiver of callbacks, kept open

    @property
    def deaths(self) -> int:
        """How many there are; where the machine is slow the run lasts until they are over."""
        return int((self.seconds - self.first_kill - self.calm_end - 1) // self.kill_every) + 1

    @property
    def judges_growth(self) -> bool:
        return self.seconds >= 3 * self.warm_up


LONG = Plan()
SHORT = Plan(seconds=18.0, rate=20.0, first_kill=3.0, kill_every=6.0, seed=42, sample_every=2.0, warm_up=15.0, shadow=4.0)
