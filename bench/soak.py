"""Calls for half an hour over a lossy network while children of the server die.

    scripts/bench soak [SECONDS] [CALLS_A_SECOND] [SEED]

Prints what died when, what became of every call, and what each process occupied. Needs SIPp. See docs/reliability.md.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.soak.audit import Audit
from support.soak.plan import LONG
from support.soak.run import Run


def main() -> None:
    given = [float(one) for one in sys.argv[1:]]
    seconds, rate, seed = (*given, *(LONG.seconds, LONG.rate, float(LONG.seed))[len(given) :])
    plan = LONG._replace(seconds=seconds, rate=rate, seed=int(seed), warm_up=min(LONG.warm_up, seconds / 3))
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        run = Run(plan, Path(folder), say=lambda line: print(line, flush=True))
        asyncio.run(run.play())
        audit = Audit(run)
        print()
        print(audit.report(), end="")
    sys.exit(1 if audit.faults else 0)


if __name__ == "__main__":
    main()
