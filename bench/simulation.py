"""What a simulated call costs, and how long a thousand scenarios take by the command that people run.

    scripts/bench simulation [--calls 50] [--scenarios 1000] [--jobs N] [--check]

First a survey of ten minutes of call: 20 questions with a key for each, then a recording; set-up, comparison and all, CPU
time of this process, the first call apart as it loads what all need. The floor is 20 ms. Then files of scenarios of five
kinds, tried by `callwright flow test` in a process of its own, wall time and the CPU time of all its processes. The floor is
30 s for 1,000 on 2 cores. With --check the exit status tells whether both floors hold.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from machine import machine_line

from callwright.rehearsal.parties import Act
from callwright.scenarios.document import Caller, Expected, ExpectedRecording, Scenario
from callwright.scenarios.running import simulate

QUESTIONS = 20
FLOOR_CPU_MS = 20.0
FLOOR_WALL_S = 30.0
CALL_S = 600.0

KINDS = (
    """name: menu {n}
flow:
  steps:
    - {{id: ask, action: say, options: {{payload: "Press one, or two."}}, onKeypressVar: choice, maxNumKeys: 1}}
    - {{id: wait, action: pause, options: {{length: 5}}, onKeypressVar: choice, maxNumKeys: 1}}
    - {{id: end, action: say, options: {{payload: Thank you.}}}}
caller: {{acts: [{{hears: press one, after: 1, press: "2"}}]}}
expect: {{status: ended, variables: {{choice: "2"}}, steps: [ask, wait, end]}}
""",
    """name: transfer {n}
flow: {{steps: [{{action: transfer, options: {{destination: "31612345678"}}}}]}}
callees: {{31612345678: {{answer_after: 4, acts: [{{at: 120, hangs_up: true}}]}}}}
expect: {{status: ended, ends: 124, legs: [{{status: hangup}}, {{status: hangup, duration: 120}}]}}
""",
    """name: voicemail {n}
flow:
  steps:
    - {{action: say, options: {{payload: Leave a message after the tone.}}}}
    - {{action: record, options: {{timeout: 3, onFinish: "https://shop.example/done"}}}}
caller: {{acts: [{{at: 3, says: It is Alice. Call me back.}}]}}
web: {{"https://shop.example/done": [{{flow: {{steps: [{{action: hangup}}]}}}}]}}
expect: {{status: ended, recordings: [{{heard: It is Alice. Call me back., outcome: silence}}]}}
""",
    """name: reminder {n}
flow: {{steps: [{{action: say, options: {{payload: Your appointment is tomorrow at ten., repeat: 2}}}}]}}
call: {{answer_after: 8, tags: [reminder]}}
expect: {{status: ended, tags: [reminder], webhooks: [queued, starting, starting, ongoing, ended]}}
""",
    """name: busy {n}
flow: {{steps: [{{action: say, options: {{payload: Hello.}}}}]}}
call: {{outcome: busy}}
expect: {{status: busy, legs: [{{status: busy, sip_code: 486}}]}}
""",
)


class Figures(NamedTuple):
    cpu_ms: list[float]
    first_ms: float
    seconds: float


def survey() -> Scenario:
    """Ten minutes: each question is heard out, thought about, and answered."""
    steps: list[dict[str, Any]] = []
    acts: list[Act] = []
    for number in range(QUESTIONS):
        text = f"Question {number}: how content were you with what our driver did? Press one for not at all, five for very."
        keys = {"onKeypressVar": f"answer{number}", "maxNumKeys": 1}
        steps.append({"id": f"ask{number}", "action": "say", "options": {"payload": text, "language": "en-GB"}, **keys})
        steps.append({"id": f"wait{number}", "action": "pause", "options": {"length": 30}, **keys})
        acts.append(Act(hears=f"Question {number}:", after=24.0, press=str(number % 5 + 1)))
    steps.append({"id": "record", "action": "record", "options": {"timeout": 5, "maxLength": 60}})
    return Scenario(
        name="survey",
        flow={"steps": steps},
        caller=Caller(acts=tuple(acts)),
        expect=Expected(
            status="ended",
            pressed="".join(str(number % 5 + 1) for number in range(QUESTIONS)),
            recordings=[ExpectedRecording(status="done")],
        ),
    )


def measured(calls: int) -> Figures:
    scenario = survey()
    began = time.process_time()
    first = simulate(scenario)
    first_ms = (time.process_time() - began) * 1000
    assert first.met, first.differences
    found = []
    for _ in range(calls):
        gc.collect()
        began = time.process_time()
        result = simulate(scenario)
        found.append((time.process_time() - began) * 1000)
        assert result.met, result.differences
    assert not isinstance(first.outcome, tuple)
    return Figures(found, first_ms, first.outcome.seconds)


def command(folder: Path, scenarios: int, jobs: int | None) -> tuple[float, float, str]:
    """Wall and CPU seconds of the command over so many files, and its last line."""
    for n in range(scenarios):
        (folder / f"{n:05}.yaml").write_text(KINDS[n % len(KINDS)].format(n=n))
    arguments = [sys.executable, "-m", "callwright", "flow", "test", "--quiet", str(folder)]
    arguments += ["--jobs", str(jobs)] if jobs else []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout.strip().splitlines()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--scenarios", type=int, default=1000)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    print(machine_line())
    figures = measured(asked.calls)
    cpu = sorted(figures.cpu_ms)
    median, p95 = statistics.median(cpu), cpu[round(0.95 * (len(cpu) - 1))]
    print(
        f"a survey of {figures.seconds:.0f} s of call, {len(cpu)} times: CPU {median:.1f} ms median, {p95:.1f} ms p95, "
        f"{cpu[0]:.1f} ms least, {figures.first_ms:.0f} ms the first; floor {FLOOR_CPU_MS:g} ms"
    )
    with tempfile.TemporaryDirectory(prefix="callwright-bench-") as folder:
        wall, seconds, line = command(Path(folder), asked.scenarios, asked.jobs)
    print(
        f"{asked.scenarios} files by callwright flow test: {wall:.2f} s, CPU {seconds:.2f} s on {os.cpu_count()} cores; {line}"
    )
    good = figures.seconds >= CALL_S and median <= FLOOR_CPU_MS and wall <= FLOOR_WALL_S * max(asked.scenarios / 1000, 0.1)
    if asked.check and not good:
        sys.exit(1)


if __name__ == "__main__":
    main()
