"""Programs of others that some tests need."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

REQUIRED = "CALLWRIGHT_REQUIRE_PEERS"


def require_peer(program: str, *, apt: str) -> str:
    """Return the path of a program. Without it the test is skipped, or fails where `REQUIRED` is 1, with the way to get it.

    It may be called in a test, in a fixture or at the top of a module.
    """
    path = shutil.which(program)
    if path is None:
        lacking(f"{program} is missing: apt-get install {apt}")
    return path


def lacking(lack: str) -> NoReturn:
    """Skip the test, or fail where `REQUIRED` is 1, with what is missing and the way to get it."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(lack, pytrace=False)
    pytest.skip(lack, allow_module_level=True)


def optional_peer(program: str, *, apt: str) -> str | None:
    """The same for a test that makes do without the program where it is not required."""
    if os.environ.get(REQUIRED) == "1":
        return require_peer(program, apt=apt)
    return shutil.which(program)
