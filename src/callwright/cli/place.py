"""Where a command works: the data folder and the settings that hold for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callwright.datafolder import DataFolder
    from callwright.settings import Loaded


@dataclass(frozen=True)
class Place:
    data: Path
    config: Path | None

    @property
    def folder(self) -> DataFolder:
        from callwright.datafolder import DataFolder

        return DataFolder(self.data)

    def settings(self, flags: Mapping[str, object] | None = None) -> Loaded:
        """Put the settings together or raise `SettingsError`."""
        from callwright.settings import load

        return load(flags or {}, os.environ, self.config, self.data)
