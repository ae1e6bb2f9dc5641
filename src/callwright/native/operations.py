"""How the server is, and what it was told."""

from __future__ import annotations

from typing import Any

from callwright.errors import Unavailable
from callwright.native.asking import Ask


async def show_health(ask: Ask) -> Any:
    """Whether calls can be carried: 200 or 503, and which part cannot. Over the control socket also why."""
    lacking = ask.parts.health()
    healthy = not any(lacking.values())
    answer: dict[str, Any] = {
        "status": "ok" if healthy else "unhealthy",
        "parts": {name: "unhealthy" if why else "ok" for name, why in lacking.items()},
    }
    if ask.control:
        answer["why"] = {name: why for name, why in lacking.items() if why}
    return (200 if healthy else 503), answer


async def show_settings(ask: Ask) -> Any:
    return {"data": [{"key": row.key, "value": row.value, "origin": row.origin} for row in ask.parts.settings()]}


async def show_state(ask: Ask) -> Any:
    """What only the running server knows: its live calls, its children, its clock."""
    if ask.parts.state is None:
        raise Unavailable("No server runs on this data folder.", remedy="Start it: callwright serve")
    return ask.parts.state()
