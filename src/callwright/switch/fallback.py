"""What callers hear when the next flow cannot be had, as the operator wrote it."""

from __future__ import annotations

from functools import lru_cache

from callwright.flows.schema import Flow, compile_flow

FILE = "file:"


@lru_cache(maxsize=1)
def fallback_flow(said: str, language: str) -> Flow | None:
    """A flow that says a text, or plays a sound of the operator's own; None for an empty one."""
    if not said:
        return None
    if said.startswith(FILE):
        return compile_flow({"steps": [{"id": "fallback", "action": "play", "options": {"media": said}}]})
    options = {"payload": said, "language": language, "ifMachine": "continue"}
    return compile_flow({"steps": [{"id": "fallback", "action": "say", "options": options}]})
