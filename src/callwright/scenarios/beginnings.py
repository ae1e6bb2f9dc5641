"""Reads of a file no more than is needed to know that it is too large; ``/dev/zero`` has no end."""

from __future__ import annotations

import errno
import stat
from pathlib import Path


def beginning(path: Path, most: int, *, regular: bool = False) -> bytes:
    """A file of up to `most` bytes, or of a larger one a byte more. Raises `OSError`.

    With `regular` nothing else is opened: a pipe to which nobody writes would keep us waiting for ever.
    """
    if regular and not (stat.S_ISREG(mode := path.stat().st_mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is a pipe, a device or a socket, and must be a regular file")
    with path.open("rb") as file:
        return file.read(most + 1)
