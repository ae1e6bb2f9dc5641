"""What every table of settings is."""

from __future__ import annotations

import msgspec


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A table of settings."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"  # holds passwords, and a traceback or a log line may show it
