"""What every engine refuses, whoever asks for it."""

from __future__ import annotations

import re
from typing import Final

from callwright.telephony.commands import StartRecording

KEYS: Final = frozenset("0123456789*#ABCD")
SEALING_KEY_BYTES: Final = 32


_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
_URI = re.compile(r"sip:[!-;=?-~]+|tel:[+0-9A-Fa-f*#.()\-]+(?:;[!-;=?-~]+)?", re.IGNORECASE)
_MAX_URI = 512


def is_number(target: str) -> bool:
    """Whether a target of a transfer is a number: digits, ``*`` and ``#``, perhaps behind a ``+``."""
    return _NUMBER.fullmatch(target) is not None


def is_uri(target: str) -> bool:
    """Whether a target of a transfer is a sip or tel URI, of no more than a line."""
    return len(target) <= _MAX_URI and _URI.fullmatch(target) is not None


def recording_fault(command: StartRecording) -> str:
    """Say why a recording cannot be made as it is asked for; empty when it can."""
    if not command.path.startswith("/"):
        return "an absolute path is needed"
    if not KEYS.issuperset(command.stop_keys):
        return "stop_keys are some of 0-9 * # A-D"
    if any(limit is not None and limit <= 0 for limit in (command.max_ms, command.silence_ms)):
        return "max_ms and silence_ms are above 0, or None"
    return "" if len(command.key) in (0, SEALING_KEY_BYTES) else f"a key has {SEALING_KEY_BYTES} bytes"
