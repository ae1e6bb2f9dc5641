"""What the signalling process is told at its start, as one JSON object."""

from __future__ import annotations

import msgspec

T1_S = 0.5  # RFC 3261 §17.1.1.1


class TrunkSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trunk as the gate knows it: INVITEs from these networks (CIDR) belong to it."""

    name: str
    networks: tuple[str, ...] = msgspec.field(name="from", default=())


class SignallingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Address and port are those of the inherited socket.

    `advertised` is the IPv4 address written into Via and Contact; it may stay empty unless the socket is bound to all
    addresses. `max_late_ms` is the lateness of the event loop past which no new leg is taken. `t1_s` scales every timer
    of RFC 3261 (its 32 s are 64 T1).
    """

    advertised: str = ""
    user_agent: str = "Callwright"
    trunks: tuple[TrunkSource, ...] = ()
    new_legs_per_s: float = 250.0
    max_legs: int = 4000
    max_late_ms: float = 50.0
    retry_after_s: int = 5
    trying_after_s: float = 0.15
    offer_answer_s: float = 5.0
    t1_s: float = T1_S
    log_level: str = "info"
