"""``scripts/kill-test``: no webhook is lost, whatever is killed; a run of any length, with a report."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from support.kill_test.plan import LONG
from support.kill_test.report import report
from support.kill_test.run import Judgement, Run


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/kill-test", description=__doc__)
    parser.add_argument("--seconds", type=float, default=LONG.seconds, help=f"how long calls are placed; {LONG.seconds:g}")
    parser.add_argument("--rate", type=float, default=LONG.rate, help=f"calls a second; {LONG.rate:g}")
    parser.add_argument("--seed", type=int, default=LONG.seed, help=f"decides deaths and answers; {LONG.seed}")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kill-test-"))
    run = Run(LONG._replace(**vars(options)), folder, say=lambda line: print(line, flush=True))
    try:
        asyncio.run(run.play())
        judgement = Judgement(run)
        print()
        print(report(judgement), end="")
    except BaseException:
        print(f"what there is was kept in {folder}", file=sys.stderr)
        raise
    if judgement.faults:
        again = f"scripts/kill-test --seconds {options.seconds:g} --rate {options.rate:g} --seed {options.seed}"
        print(f"kept in {folder}; the same deaths and answers again: {again}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
