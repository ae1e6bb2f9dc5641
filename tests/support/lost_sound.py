"""What servers say of themselves in their logs: that they stood still, and that sound was left out for that."""

from __future__ import annotations

from pathlib import Path

SAID = b'"event":"media_stalled"'

_seen: dict[Path, int] = {}


def heed(log: Path) -> None:
    """Look at the log of a server that is started now."""
    _seen[log] = 0


def forget() -> None:
    """What is in the logs by now was not in the test that begins."""
    for log in list(_seen):
        try:
            _seen[log] = log.stat().st_size
        except OSError:
            del _seen[log]


def was_lost() -> bool:
    """Whether any server has left out sound since."""
    return any(SAID in _since(log, seen) for log, seen in _seen.items())


def _since(log: Path, seen: int) -> bytes:
    try:
        with log.open("rb") as file:
            file.seek(seen)
            return file.read()
    except OSError:
        return b""
