"""``callwright flow test`` with what is outside of the process: programs that are asked and told, and calls over SIP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from callwright.cli import main

SCENARIO = """
name: {name}
flow: {{steps: [{{action: fetchCallFlow, options: {{url: "{url}/next"}}}}]}}
expect:
  ends: 60..61
  fetches: [{{status: 200}}]
  webhooks: [starting, ongoing, ended]
"""


class Program:
    """Answers a GET with a flow that lasts a minute, and notes what is posted."""

    def __init__(self) -> None:
        self.posted: list[str] = []
        self.status = 200
        program = self

        class Answerer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(200, json.dumps({"steps": [{"action": "pause", "options": {"length": 60}}]}).encode())

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                program.posted.append(body["items"][0]["payload"]["status"])
                self._answer(program.status, b"")

            def _answer(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Answerer)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    monkeypatch.chdir(tmp_path)
    program = Program()
    yield program
    program.close()


def status(*arguments: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(("flow", "test", *arguments))
    return ended.value.code


def test_programs_are_asked_for_flows_and_told_of_calls(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text(SCENARIO.format(name="outside", url=program.url))
    assert status("a.yaml", "--real-web", "--deliver", f"{program.url}/told") == 0
    assert program.posted == ["starting", "ongoing", "ended"]
    program.status = 500
    assert status("a.yaml", "--real-web", "--deliver", f"{program.url}/told") == 1
    assert "deliveries[1]" in capsys.readouterr().out
    assert status("a.yaml") == 1
    assert f"likely: {program.url}/next was asked for a flow, and web has no answer of it." in capsys.readouterr().out


def test_what_is_not_delivered_is_told_in_the_report_alone(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\nflow: {steps: [{action: hangup}]}\nexpect: {status: ended}\n")
    # Another process, for pytest listens to the log of its own.
    program = "from callwright.cli import main; main(('flow', 'test', '--deliver', 'http://127.0.0.1:1/', '--json', 'a.yaml'))"
    told = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (1, "")
    seen = [one["seen"] for one in json.loads(told.stdout)["scenarios"][0]["differences"]]
    assert seen
    assert not any(one.endswith(": ") for one in seen)


def test_calls_over_sip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    pause = "flow: {{steps: [{{action: pause, options: {{length: {0}}}}}]}}\nexpect: {{status: ended, duration: {1}}}\n"
    written = [
        f"name: {name}\n{pause.format(*lengths)}" for name, lengths in (("a", (1, 1)), ("b", (1, 5)), ("c", (4000, 4000)))
    ]
    written[0] += "tolerance: 20\n"  # of a machine that has other work
    Path("a.yaml").write_text("---\n".join(written))
    assert status("--live", "a.yaml") == 1
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["ok", "FAILED", "FAILED"]
    assert "b  (a.yaml:8)\n  duration at " in out
    assert "It takes 4000 s, and over SIP that is real time: have somebody hang up." in out


def test_a_cancelled_job_leaves_no_stage_behind(tmp_path: Path) -> None:
    pause = "{steps: [{action: pause, options: {length: 300}}]}"
    (tmp_path / "a.yaml").write_text(f"name: a\nflow: {pause}\nexpect: {{status: ended}}\n")
    # A run of tests in the background of a shell is deaf to SIGINT, and so would be what it starts.
    deaf = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program = f"{deaf}from callwright.cli import main; main(('flow', 'test', '--live', 'a.yaml'))"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as trying:
        while not list(tmp_path.glob("callwright-live-*")):
            assert trying.poll() is None
            time.sleep(0.01)
        trying.terminate()
        told = trying.communicate(timeout=60)
    assert trying.returncode > 0, told
    assert "Traceback" not in told[1]
    assert list(tmp_path.glob("callwright-live-*")) == []
