"""What a media process is told when it is started."""

from __future__ import annotations

import msgspec


class MediaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ports are UDP; RTP takes the even ones from `first_port` on, RTCP the odd ones up to `last_port`."""

    bind: str = "127.0.0.1"
    first_port: int = 20000
    last_port: int = 29999
    silence_s: float = 60.0
    port_quarantine_s: float = 5.0
    cache_mb: int = 64
    log_level: str = "info"
