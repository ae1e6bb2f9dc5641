"""How the parts of the engine tell call control of events, and media what to do."""

from __future__ import annotations

from typing import Any, Protocol

from callwright.media import wire as media
from callwright.sip.leg import Leg
from callwright.telephony import Event


class Emit(Protocol):
    """Tell call control of an event of a leg, which happened so many milliseconds ago."""

    def __call__(self, leg: Leg, event: type[Event], *, ago_ms: int = 0, **fields: Any) -> None: ...


def send(leg: Leg, message: media.CoreMessage) -> None:
    """Tell the media process of a leg something; nothing when it has none."""
    if leg.media is not None:
        leg.media.send(message)


def name_of(leg: Leg) -> str:
    return leg.media.name if leg.media is not None else "media"
