"""SIPp, driven by scenarios of ``tests/interop/sipp``: whatever a scenario does not expect fails its call, and the test."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from support.peers import require_peer
from support.ports import free_port, free_ports, ports_in_use
from support.server import until

SCENARIOS = Path(__file__).parents[1] / "interop" / "sipp"
PATIENCE_S = 30.0


def counts_of(folder: Path) -> dict[str, int]:
    """The last figures of a SIPp that works in a folder, by their names; a line without its end is still being written."""
    whole, _, _ = (folder / "stat.csv").read_text().rpartition("\n")
    names, *rows = [line.split(";") for line in whole.splitlines()]
    return {name: int(value) for name, value in zip(names, rows[-1], strict=False) if name and value.lstrip("-").isdigit()}


class Sipp:
    """A running SIPp. `sip` is its host and port."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, folder: Path, patience: float) -> None:
        self.process = process
        self.port = port
        self.sip = f"127.0.0.1:{port}"
        self._folder = folder
        self._patience = patience

    @classmethod
    def start(
        cls,
        folder: Path,
        scenario: str,
        target: str = "",
        *,
        calls: int = 1,
        address: str = "127.0.0.1",
        port: int = 0,
        echo: bool = False,
        options: tuple[str, ...] = (),
        patience: float = PATIENCE_S,
        **words: Any,
    ) -> Self:
        """Run `scenario`, towards `target` (host:port) if it is a caller's, for so many calls.

        With `echo` what comes in as sound goes back. ``words["NUMBER"]`` stands where the scenario says ``@NUMBER@``.
        """
        program = require_peer("sipp", apt="sip-tester")
        text = (SCENARIOS / f"{scenario}.xml").read_text()
        for word, value in words.items():
            assert f"@{word}@" in text, f"{scenario} has no word {word}"
            text = text.replace(f"@{word}@", str(value))
        assert not (missing := re.findall(r"@[A-Z_]+@", text)), f"{scenario} needs {missing}"
        work = Path(tempfile.mkdtemp(prefix=f"{scenario}-", dir=folder))
        (work / "scenario.xml").write_text(text)
        port = port or free_port()
        arguments = ["-sf", "scenario.xml", "-i", address, "-p", str(port), "-m", str(calls), "-nostdin"]
        # It echoes sound at this port, and pictures at the second after it.
        arguments += ["-mi", address, "-mp", str(free_ports(3)), *(["-rtp_echo"] if echo else [])]
        arguments += ["-timeout", f"{patience:.0f}s", "-timeout_error"]
        arguments += ["-trace_err", "-error_file", "errors.log", "-trace_logs", "-log_file", "notes.log"]
        arguments += ["-trace_screen", "-screen_file", "screen.log", "-trace_stat", "-stf", "stat.csv", "-fd", "1"]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            [program, *([target] if target else []), *arguments, *options], cwd=work, stdin=quiet, stdout=quiet, stderr=quiet
        )
        sipp = cls(process, port, work, patience)
        try:
            until(lambda: port in ports_in_use() or process.poll() is not None, bool, what=f"SIPp on port {port}")
        except AssertionError:
            sipp.stop()
            raise
        return sipp

    def finish(self) -> dict[str, int]:
        """Wait for the end; AssertionError, with SIPp's own words, unless every call went as the scenario says.

        Returns SIPp's final counts by their names, such as ``SuccessfulCall(C)``.
        """
        try:
            code = self.process.wait(self._patience + 10.0)
        except subprocess.TimeoutExpired:
            self.stop()
            code = None
        assert code == 0, f"SIPp exited with {code}: {self.words()}"
        return counts_of(self._folder)

    def notes(self) -> list[str]:
        """What the scenario noted with its ``log`` actions."""
        return (self._folder / "notes.log").read_text().splitlines()

    def words(self) -> str:
        """What SIPp has to say about what went wrong."""
        said = [(self._folder / name) for name in ("errors.log", "screen.log")]
        return "\n".join(file.read_text(errors="replace")[:6000] for file in said if file.exists())

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextmanager
def cast(folder: Path) -> Iterator[Any]:
    """Starts SIPps that end with the test, whatever becomes of it."""
    started: list[Sipp] = []

    def start(*scenario: Any, **options: Any) -> Sipp:
        started.append(Sipp.start(folder, *scenario, **options))
        return started[-1]

    try:
        yield start
    finally:
        for one in started:
            one.stop()
