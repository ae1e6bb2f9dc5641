"""SIGHUP, of whoever renewed a certificate, and of a terminal that is closed: neither ends the server out of order."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from callwright.cli import authority
from support.deaths import alive, gone
from support.ports import free_ports
from support.server import START_S, STOP_S, Server, children_of, log_lines, until

# Whoever runs the tests in the background of a script may have them, and all they start, ignore it.
BY_DEFAULT = ["env", "--default-signal=HUP"]


def test_a_renewed_certificate_is_taken_at_once(tmp_path: Path) -> None:
    made, renewed = (authority.make(tmp_path / name, ["localhost"], time.time_ns() // 1_000) for name in ("made", "renewed"))
    settings = {"http.certificate": str(made.certificate), "http.key": str(made.key)}
    server = Server.start(tmp_path / "one", settings, within=[*BY_DEFAULT, "setsid"])
    try:
        # Whole before the first signal, as a look between the two would find a pair that does not match.
        made.certificate.write_bytes(renewed.certificate.read_bytes())
        made.key.write_bytes(renewed.key.read_bytes())
        server.process.send_signal(signal.SIGHUP)
        until(lambda: server.logged(event="certificate_taken"), bool, what="that the renewed certificate is taken")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: server.logged(event="hung_up"), lambda told: len(told) == 2, what="that the signal is told")
        server.stop()
    finally:
        server.kill()


def test_a_terminal_that_is_closed_stops_the_server_in_order(tmp_path: Path) -> None:
    log, shown, first = tmp_path / "serve.log", tmp_path / "shown", free_ports(20)
    shown.touch()
    flags = ["--http-port=0", "--sip-port=0", "--set=log.format=json", f"--set=media.ports={first},{first + 19}"]
    serve = shlex.join([sys.executable, "-m", "callwright", f"--data={tmp_path / 'data'}", "serve", *flags])
    command = [
        *BY_DEFAULT,
        "script",
        "--quiet",
        "--flush",
        "--return",
        "--command",
        f"exec {serve} 2>{log}",
        str(tmp_path / "shown"),
    ]
    terminal = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    pid = 0
    try:
        until(shown.read_bytes, lambda text: b"127.0.0.1" in text, within=START_S, what="that it has started")
        pid = _server(terminal.pid)
        terminal.kill()
        gone([pid], within=STOP_S)
    finally:
        terminal.kill()
        terminal.wait()
        if pid and alive(pid):
            os.kill(pid, signal.SIGKILL)
    assert "draining" in {line["event"] for line in log_lines(log)}
    assert "Traceback" not in log.read_text()


def _server(parent: int) -> int:
    """The process that `script` runs in its terminal."""
    (child,) = children_of(parent)
    return child
