"""What callbacks can tell of, for programs."""

from __future__ import annotations

from typing import Any

import msgspec

from callwright.dialect import catalogue, examples
from callwright.native.asking import Ask


async def list_types(ask: Ask) -> Any:
    """Every event; ``always`` where each webhook hears of it, else it is asked for by its type."""
    return {
        "data": [
            {
                "event": one.event,
                "type": one.type,
                "sentence": one.sentence,
                "when": one.when,
                "always": one.always,
                "schema": f"/api/schemas/events.json#/$defs/{one.event}",
                "example": msgspec.Raw(examples.example(one.event)),
            }
            for one in catalogue.CATALOGUE
        ]
    }


async def show_schema(ask: Ask) -> Any:
    return catalogue.json_schema()
