"""What only the running server knows of itself; `callwright doctor` compares it with what is on disk."""

from __future__ import annotations

from uuid import UUID

import msgspec


class ChildState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`epoch` counts its lives; `trouble` is None while it can be relied on; calls need it when it is `essential`."""

    name: str
    state: str
    pid: int | None
    epoch: int
    trouble: str | None
    essential: bool = True


class ServerState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`now_us` is the server's wall time, `clock_stepped_us` how far that was moved against the monotonic clock since the
    start. `unhealthy` has a sentence for each part that lacks something.
    """

    version: str
    pid: int
    now_us: int
    clock_stepped_us: int
    http: str
    sip: str
    sip_receive_buffer: int
    live_calls: list[UUID]
    children: list[ChildState]
    unhealthy: dict[str, str]
