"""A call that did not come about."""

from __future__ import annotations

from typing import NamedTuple


class Refusal(NamedTuple):
    """`code` is the SIP code a caller was turned away with, or the HTTP status that placing a call was answered with."""

    code: int
    sentence: str
