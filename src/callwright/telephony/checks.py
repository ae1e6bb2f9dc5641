"""What every engine refuses, whoever asks for it."""

from __future__ import annotations

from typing import Final

from callwright.telephony.commands import StartRecording

KEYS: Final = frozenset("0123456789*#ABCD")
SEALING_KEY_BYTES: Final = 32


def recording_fault(command: StartRecording) -> str:
    """Say why a recording cannot be made as it is asked for; empty when it can."""
    if not command.path.startswith("/"):
        return "an absolute path is needed"
    if not KEYS.issuperset(command.stop_keys):
        return "stop_keys are some of 0-9 * # A-D"
    if any(limit is not None and limit <= 0 for limit in (command.max_ms, command.silence_ms)):
        return "max_ms and silence_ms are above 0, or None"
    return "" if len(command.key) in (0, SEALING_KEY_BYTES) else f"a key has {SEALING_KEY_BYTES} bytes"
