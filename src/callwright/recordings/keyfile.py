"""The operator's keys as they are written: ``name:key``, 32 bytes in base64 or hexadecimal, one a line."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

from callwright.errors import SettingsError

KEY_BYTES = 32

_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):(\S+)")
_HINT = "make one with: openssl rand -base64 32"


def fault_of(text: str) -> str | None:
    """What is wrong with one key as the settings have it, ``name:key``, or None. Never shows the key."""
    match = _LINE.fullmatch(text)
    if match is None:
        return f"must be name:key, a name of letters and digits and 32 bytes in base64 or hexadecimal; {_HINT}"
    if len(_bytes(match[2])) != KEY_BYTES:
        return f"must have 32 bytes in base64 or hexadecimal behind {match[1]}:, not {len(_bytes(match[2]))}; {_HINT}"
    return None


def read_keys(keys: tuple[str, ...], file: str) -> dict[str, bytes]:
    """Keys by name, those of the settings before those of the file, each in its order. Raises `SettingsError`."""
    lines = [("recordings.keys", line) for line in keys]
    if file:
        try:
            text = Path(file).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not plain ASCII text"
            raise SettingsError(f"recordings.keys_file: {file} cannot be read: {why}.") from None
        lines += [
            (f"recordings.keys_file, line {number}", line.strip())
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and not line.lstrip().startswith("#")
        ]
        if not lines:
            raise SettingsError(f"recordings.keys_file: {file} holds no key: {_HINT}, and write it as name:key.")
    found: dict[str, bytes] = {}
    for where, line in lines:
        if fault := fault_of(line):
            raise SettingsError(f"{where}: {fault}.")
        name, _, key = line.partition(":")
        if name in found:
            raise SettingsError(f"{where}: {name} is there twice; give every key a name of its own.")
        found[name] = _bytes(key)
    return found


def _bytes(text: str) -> bytes:
    """Read hexadecimal or base64, with or without padding; empty when it is neither."""
    if len(text) == 2 * KEY_BYTES and re.fullmatch(r"[0-9A-Fa-f]+", text):
        return bytes.fromhex(text)
    try:
        return base64.b64decode(
            text + "=" * (-len(text) % 4), altchars=b"-_" if "-" in text or "_" in text else None, validate=True
        )
    except (binascii.Error, ValueError):
        return b""
