"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Test = Annotated[bool, typer.Option("--test", help="In the test world, instead of the live one.")]


def world_of(test: bool) -> str:
    return "test" if test else "live"
