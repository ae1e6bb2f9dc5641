"""The command line. Every command imports what it needs when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from callwright.cli import show
from callwright.errors import CallwrightError

# Why a disk, a quota, a device or a file without a name does not take what is written.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
_STANDARD = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
# Options of the program itself, which may also follow a command.
_GLOBAL = ("--data", "--config")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 refused or failed, 2 asked wrongly, or the output cannot be written."""
    _in_place_of_closed()
    from callwright.cli.commands import app

    try:
        try:
            app(args=hoisted(sys.argv[1:] if arguments is None else arguments), prog_name="callwright")
        finally:
            print(end="", flush=True)  # what is held back fails here, where it can be told, and not when Python ends
    except CallwrightError as error:
        remedy = getattr(error, "remedy", None)
        show.aside("\n".join([f"callwright: {error}", *([remedy] if remedy else [])]))
        sys.exit(1)
    except BrokenPipeError:  # whoever reads has enough
        show.no_more()
        sys.exit(1)
    except UnicodeEncodeError as error:
        show.aside(f"callwright: {_unencoded(error)}")
        sys.exit(2)
    except OSError as error:
        if error.filename is not None or error.errno not in _UNWRITABLE:
            raise
        show.no_more()
        show.aside(f"callwright: The output cannot be written: {error.strerror}.")
        sys.exit(2)


def _in_place_of_closed() -> None:
    """Where a standard file is closed (``>&-``) there is one that takes all: else the next that is opened would get its number,
    and whatever a library or a child process prints would be written into a database.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) < len(_STANDARD):
        os.set_inheritable(number, True)
    os.close(number)
    for number, (name, mode) in enumerate(_STANDARD):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode))


def _unencoded(error: UnicodeEncodeError) -> str:
    r"""
    >>> _unencoded(UnicodeEncodeError("ascii", "fünf", 1, 2, "ordinal not in range(128)"))
    "'\\xfc' cannot be written in ascii; set PYTHONIOENCODING=utf-8."
    >>> _unencoded(UnicodeEncodeError("utf-8", "f\udcfcnf", 1, 2, "surrogates not allowed"))
    "'f\\udcfcnf' is not UTF-8."
    """
    found = error.object[error.start]
    if "\ud800" <= found <= "\udfff":  # a byte that was given is half of a character here
        return f"{error.object!a} is not UTF-8."
    return f"{found!a} cannot be written in {error.encoding}; set PYTHONIOENCODING=utf-8."


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
