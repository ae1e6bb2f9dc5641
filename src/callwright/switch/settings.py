"""What call control is told by the operator."""

from __future__ import annotations

import msgspec


class CallSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, except where a name says otherwise. `max_live` counts calls; 0 means no limit."""

    ring_timeout: float = 60.0
    max_duration: float = 14_400.0
    max_live: int = 0
    new_legs_per_second: int = 250
    early_media: bool = False
    ringback: str = ""
    store_patience: float = 30.0
    linger: float = 45.0
    music: str = ""
    hold_music: bool = True
    beep: str = ""
    machine_patience: float = 30.0
    max_parties: int = 16
