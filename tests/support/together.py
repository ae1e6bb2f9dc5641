"""Several cases of a test at the same time: calls take as long as they take, and many fit into one server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Case = TypeVar("Case")


async def each(cases: Iterable[Case], run: Callable[[Case], Awaitable[None]]) -> None:
    """Run all; the first failure is raised once all are over, with its case in a note."""
    wanted = list(cases)
    for case, outcome in zip(wanted, await asyncio.gather(*map(run, wanted), return_exceptions=True), strict=True):
        if isinstance(outcome, BaseException):
            outcome.add_note(f"case: {case!r}"[:300])
            raise outcome
