"""``callwright flow test``: finds scenarios, tries them in several processes or over SIP, and says what came of it."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from callwright import log
from callwright.cli import abilities as at_hand
from callwright.cli import show
from callwright.cli.files import read_bytes
from callwright.cli.verdicts import Sheet, as_json
from callwright.clock import SystemClock
from callwright.errors import CallwrightError
from callwright.flows.check import Abilities
from callwright.rehearsal.ending import as_interrupted
from callwright.scenarios.beginnings import beginning
from callwright.scenarios.faults import ScenarioError
from callwright.scenarios.junit import is_report, junit
from callwright.scenarios.reading import Script, read, read_file
from callwright.scenarios.rules import no_url
from callwright.scenarios.trial import Trial
from callwright.scenarios.verdict import Verdict

if TYPE_CHECKING:
    from callwright.cli.place import Place

FOLDER_SUFFIXES = (".yaml", ".yml")
STDIN = "<standard input>"
# Of a report.
STDOUT = "-"
# Fewer scenarios are over before another process has begun.
WORTH_A_PROCESS = 24
# Within so many bytes a report says that it is one.
JUNIT_HEAD = 4096


class AskedWrongly(CallwrightError):
    """What was asked for cannot be tried."""


class Gathered(NamedTuple):
    """The scenarios that were found, and by file what is wrong with those that cannot be read."""

    scripts: list[Script]
    errors: dict[str, str]


def gather(names: Sequence[str], abilities: Abilities, only: str = "") -> Gathered:
    """Read files and folders, `-` for standard input. `only` is a part of a name, in any case of letters.

    Raises `AskedWrongly` where there is nothing to be tried.
    """
    gathered = Gathered([], {})
    files = {file: file != given for given in names for file in _files(given)}
    for name, of_folder in files.items():
        try:
            if name == "-":
                found = read(read_bytes(name), STDIN, Path(), abilities)
            else:
                found = read_file(Path(name), abilities, regular=of_folder)
        except ScenarioError as error:
            gathered.errors[STDIN if name == "-" else name] = str(error)
        else:
            gathered.scripts.extend(script for script in found if only.casefold() in script.scenario.name.casefold())
    if only and not gathered.scripts and not gathered.errors:
        raise AskedWrongly(f"No scenario has {only!r} in its name.")
    return gathered


def _files(name: str) -> Iterator[str]:
    folder = Path(name)
    if name == "-" or not folder.is_dir():
        yield name
        return
    found = sorted(
        str(path)
        for path in folder.rglob("*")
        if path.suffix in FOLDER_SUFFIXES and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise AskedWrongly(f"The folder {name} has no scenarios: files that end with {' or '.join(FOLDER_SUFFIXES)}.")
    yield from found


# several processes

_trial: Trial | None = None


def simulated(scripts: Sequence[Script], trial: Trial, jobs: int | None) -> Generator[Verdict, None, None]:
    """Try scenarios in virtual time; verdicts in their order."""
    processes = min(jobs or os.cpu_count() or 1, -(-len(scripts) // (1 if jobs else WORTH_A_PROCESS)))
    with _little_collected():
        yield from map(trial.simulate, scripts) if processes < 2 else _shared(scripts, trial, processes)


def _shared(scripts: Sequence[Script], trial: Trial, processes: int) -> Iterator[Verdict]:
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    size = max(1, min(16, len(scripts) // (processes * 4)))
    pool = ProcessPoolExecutor(processes, context, _begin, (trial,))
    try:
        yield from pool.map(_try, scripts, chunksize=size)
    except BrokenProcessPool:
        raise AskedWrongly("A process that tried scenarios was killed; try again with --jobs 1.") from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _little_collected() -> Iterator[None]:
    """What is loaded by now stays, so that no collection needs to look at it again; and there is little garbage."""
    threshold = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.unfreeze()


def _begin(trial: Trial) -> None:
    global _trial
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process is told, and ends this one
    _trial = trial


def _try(script: Script) -> Verdict:
    assert _trial is not None
    return _trial.simulate(script)


class Asked(NamedTuple):
    """The options of the command."""

    only: str
    fail_fast: bool
    live: bool
    real_web: bool
    deliver_to: str
    jobs: int | None
    quiet: bool
    json: bool
    junit: str


def run(place: Place, names: Sequence[str], asked: Asked) -> int:
    """The exit status: 0 all met, 1 differences, 2 something could not be read."""
    _refuse_wrong(names, asked)
    log.withheld()
    clock = SystemClock()
    began_ns, began_us = clock.mono_ns(), clock.now_us()
    sheet = Sheet(quiet=asked.quiet, out=sys.stderr if asked.junit == STDOUT else sys.stdout)
    loaded = place.settings()
    abilities = at_hand.of(place, loaded)._replace(reaches=lambda url: None)
    gathered = gather(names, abilities, asked.only)
    for error in gathered.errors.values():
        show.aside(error)
    trial = Trial(settings=loaded.settings, real_web=asked.real_web, deliver_to=asked.deliver_to, width=sheet.width)
    verdicts: list[Verdict] = []
    trying = _live(trial, gathered.scripts) if asked.live else simulated(gathered.scripts, trial, asked.jobs)
    with closing(trying):
        for verdict in trying:
            verdicts.append(verdict)
            if not asked.json:
                sheet.line(verdict)
            if asked.fail_fast and not verdict.met:
                break
    failed = [verdict for verdict in verdicts if not verdict.met]
    if asked.json:
        show.as_json(as_json(verdicts, gathered.errors))
    else:
        for verdict in failed:
            sheet.screen(verdict)
        untried = len(gathered.scripts) - len(verdicts)
        sheet.last(verdicts, list(gathered.errors), untried, (clock.mono_ns() - began_ns) / 1e9)
    if asked.junit:  # last, so that a file that cannot be written takes no screen away
        _write(asked.junit, junit(verdicts, gathered.errors, began_us))
    return 2 if gathered.errors else 1 if failed else 0


def _refuse_wrong(names: Sequence[str], asked: Asked) -> None:
    if asked.live and (asked.real_web or asked.deliver_to):
        other = "--real-web" if asked.real_web else "--deliver"
        raise AskedWrongly(f"--live and {other} cannot be had together; leave one of them out.")
    if asked.deliver_to and (why := no_url(asked.deliver_to)) is not None:
        raise AskedWrongly(f"--deliver: {why}.")
    if asked.junit == STDOUT:
        if asked.json:
            raise AskedWrongly("--json and --junit - both write to standard output. Name a file for the report.")
    elif asked.junit:
        _refuse_to_overwrite(names, Path(asked.junit))


def _refuse_to_overwrite(names: Sequence[str], report: Path) -> None:
    """As ``--junit flows/*.yaml`` has the first scenario where the report should be."""
    try:
        if report.resolve() in {Path(file).resolve() for name in names for file in _files(name)}:
            raise AskedWrongly(f"--junit: {report} is among the scenarios. Name another file for the report.")
        if report.is_file() and (begins := beginning(report, JUNIT_HEAD)) and not is_report(begins):
            raise AskedWrongly(f"--junit: {report} is there, and is no report of JUnit's. Take it away, or name another file.")
    except OSError as error:
        raise AskedWrongly(f"{report} cannot be written: {error.strerror}.") from error


def _live(trial: Trial, scripts: Sequence[Script]) -> Generator[Verdict, None, None]:
    """As they come, out of a loop of their own."""
    coming = trial.live(scripts, [trial.simulate(script) for script in scripts])

    async def next_one() -> Verdict:
        return await anext(coming)

    with as_interrupted(), asyncio.Runner() as runner:
        try:
            for _ in scripts:
                yield runner.run(next_one())
        finally:
            runner.run(_close(coming))


async def _close(coming: AsyncGenerator[Verdict, None]) -> None:
    await coming.aclose()


def _write(name: str, text: str) -> None:
    if name == STDOUT:
        sys.stdout.buffer.write(text.encode())  # in the encoding that it says it has, whatever the terminal's is
        return
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise AskedWrongly(f"{name} cannot be written: {error.strerror}.") from error
