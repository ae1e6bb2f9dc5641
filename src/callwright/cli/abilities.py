"""What a server with the settings at hand could do for a flow, as far as can be told without starting one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callwright.flows.check import Abilities
    from callwright.settings import Loaded


def of(loaded: Loaded) -> Abilities:
    from callwright.flows.check import Abilities
    from callwright.transcriptions.languages import refusal

    return Abilities(writes_down=refusal)
