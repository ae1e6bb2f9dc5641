"""The command line. Every command imports what it needs when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from callwright.cli import show
from callwright.errors import CallwrightError

# Options of the program itself, which may also follow a command.
_GLOBAL = ("--data", "--config")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 refused or failed, 2 asked wrongly."""
    from callwright.cli.commands import app

    try:
        app(args=hoisted(sys.argv[1:] if arguments is None else arguments), prog_name="callwright")
    except CallwrightError as error:
        remedy = getattr(error, "remedy", None)
        show.aside("\n".join([f"callwright: {error}", *([remedy] if remedy else [])]))
        sys.exit(1)


def hoisted(arguments: Sequence[str]) -> list[str]:
    """Put the program's own options before the command, wherever they were written.

    >>> hoisted(["keys", "list", "--data", "here", "--json"])
    ['--data', 'here', 'keys', 'list', '--json']
    """
    ahead: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest += [argument, *waiting]
        elif argument in _GLOBAL:
            ahead += [argument, *([value] if (value := next(waiting, None)) is not None else [])]
        elif argument.startswith(tuple(f"{name}=" for name in _GLOBAL)):
            ahead.append(argument)
        else:
            rest.append(argument)
    return ahead + rest
