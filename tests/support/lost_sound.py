"""What servers say of themselves in their logs: that they stood still, and that sound was left out for that."""

from __future__ import annotations

from pathlib import Path

SAID = b'"event":"media_stalled"'

_seen: dict[Path, int] = {}
_of_the_stopped: set[Path] = set()


def heed(log: Path) -> None:
    """Look at the log of a server that is about to be started, perhaps in the place of another."""
    leave(log)
    _seen[log] = 0


def leave(log: Path) -> None:
    """Its server is gone, and says no more than it has said in this test."""
    seen = _seen.pop(log, None)
    if seen is not None and SAID in _since(log, seen):
        _of_the_stopped.add(log)


def forget() -> None:
    """What is in the logs by now was not in the test that begins."""
    _of_the_stopped.clear()
    for log in list(_seen):
        try:
            _seen[log] = log.stat().st_size
        except OSError:
            del _seen[log]


def was_lost() -> bool:
    """Whether any server has left out sound since."""
    return bool(_of_the_stopped) or any(SAID in _since(log, seen) for log, seen in list(_seen.items()))


def _since(log: Path, seen: int) -> bytes:
    try:
        with log.open("rb") as file:
            file.seek(seen)
            return file.read()
    except OSError:
        return b""
