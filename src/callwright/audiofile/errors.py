"""What is wrong with a file of sound."""

from __future__ import annotations

from callwright.errors import CallwrightError


class UnreadableSound(CallwrightError):
    """The file is not sound that can be read."""
