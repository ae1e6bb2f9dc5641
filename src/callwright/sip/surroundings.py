"""What a dialog needs of the process it lives in."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from callwright.sip.patches import Faults
from callwright.sip.settings import SignallingSettings

if TYPE_CHECKING:
    from callwright.sip.dialog import Dialog


class Surroundings(Protocol):
    config: dict[str, Any]
    settings: SignallingSettings
    chance: Random
    faults: Faults

    def tell(self, message: msgspec.Struct) -> None: ...

    def over(self, dialog: Dialog) -> None:
        """Told once, with the dialog's last message."""
        ...
