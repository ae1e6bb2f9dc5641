"""``scripts/kill-test record``: nothing that was acknowledged is missing from the record, whenever its writers are killed."""

from __future__ import annotations

import argparse
import logging
import os
import platform
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from support.record_kill.run import LONG, Run, report


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/kill-test record", description=__doc__)
    parser.add_argument("--rounds", type=_at_least_one, default=LONG.rounds, help=f"how often the writers die; {LONG.rounds}")
    parser.add_argument("--lines", type=_at_least_one, default=LONG.lines, help=f"after how many commits at most; {LONG.lines}")
    parser.add_argument("--writers", type=_at_least_one, default=LONG.writers, help=f"that commit at once; {LONG.writers}")
    parser.add_argument("--seed", type=int, default=LONG.seed, help=f"decides calls and deaths; {LONG.seed}")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="record-kill-"))
    run = Run(LONG._replace(**vars(options)), folder, say=lambda line: print(line, flush=True))
    logging.getLogger("callwright").setLevel(logging.ERROR)  # each call that is settled is a warning
    print(f"date        {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    print(f"machine     {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}", flush=True)
    try:
        run.play()
    except BaseException:
        print(f"what there is was kept in {folder}", file=sys.stderr)
        raise
    print(f"\n{report(run)}")
    if run.faults:
        print(f"kept in {folder}; the same calls and deaths again: scripts/kill-test record --seed {options.seed}")
        return 1
    shutil.rmtree(folder)
    return 0


def _at_least_one(text: str) -> int:
    """Where nothing is done nothing is shown by it."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"it must be at least 1; it is {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
