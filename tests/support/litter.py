"""What tests before this one left in memory, such as the sockets of one that failed, is no fault of this one."""

from __future__ import annotations

import gc
import warnings


def clear_litter() -> None:
    """Have it go before anything is counted, and nobody warned of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
