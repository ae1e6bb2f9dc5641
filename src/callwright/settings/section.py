"""What every table of settings is, and what several have."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65_535)]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A table of settings."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"  # holds passwords, and a traceback or a log line may show it
