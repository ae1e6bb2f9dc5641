"""What a kill test did and saw, for people."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from support.kill_test.plan import ANSWERS, LIVE, TRAFFIC
from support.kill_test.run import Judgement

SHOWN = 20
GOOD = "every committed event arrived, in order, and with one id however often"


def report(judgement: Judgement) -> str:
    return "\n".join(_lines(judgement)) + "\n"


def _lines(judgement: Judgement) -> Iterator[str]:
    run, verdict, evidence = judgement.run, judgement.verdict, judgement.evidence
    plan, life = run.plan, run.life
    yield f"date        {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    yield f"machine     {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    yield f"load        {plan.rate:g} calls a second for {plan.seconds:g} s, seed {plan.seed}"
    yield f"deaths      {life.killed.total()}: {_counted(life.killed)}"
    yield f"restarts    {life.restarts}; the longest took {life.longest_start_s:.1f} s"
    yield f"calls       {len(evidence.calls)} on record: {_counted(evidence.ends)}"
    for traffic in TRAFFIC:
        if run.over_sip or traffic.world != LIVE:
            begun = f" of {run.begun[traffic.name]} that SIPp began" if traffic.name in run.begun else ""
            yield f"  {traffic.name:<28} {evidence.by_number[traffic.number]}{begun}"
    if not run.over_sip:
        yield "  SIPp is missing, so all calls were placed with POST (apt-get install sip-tester)"
    yield f"  POST /calls was answered      {_counted(run.placed)}"
    due = sum(len(messages) for messages in evidence.due.values())
    yield f"events      {evidence.events}, to be told {due} times, in {len(evidence.due)} lanes"
    silence_s = judgement.silence.seconds
    yield f"requests    {verdict.requests}, of these {verdict.duplicates} again; longest silence {silence_s:.1f} s"
    yield "answered    " + ", ".join(f"{answer}: {verdict.answers[answer]}" for answer in ANSWERS)
    yield f"settled     {run.settled_s:.1f} s after the last call was placed"
    yield f"verdict     {f'{len(judgement.faults)} faults' if judgement.faults else GOOD}"
    yield from (f"  {fault[:1500]}" for fault in judgement.faults[:SHOWN])


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common()) or "none"
