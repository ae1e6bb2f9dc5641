"""``callwright demo`` as a user runs it: a process, real SIP and RTP on loopback, and its own verdict."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from callwright.cli.demo.expectations import EXPECTED

PROGRAM = [sys.executable, "-m", "callwright", "demo"]
PATIENCE_S = 300


@pytest.fixture(scope="module")
def observed():
    ran = subprocess.run([*PROGRAM, "--once", "--json"], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ran.returncode in (0, 1), ran.stderr
    (line,) = ran.stdout.splitlines()
    return ran.returncode, json.loads(line), ran.stderr


def test_everything_expected_was_observed(observed):
    code, seen, said = observed
    assert [finding for finding in seen["expectations"] if not finding["met"]] == [], said
    assert [finding["name"] for finding in seen["expectations"]] == list(EXPECTED)
    assert (code, seen["ok"]) == (0, True)


def test_the_records_are_those_of_the_tutorial(observed):
    _, seen, _ = observed
    calls, legs = seen["calls"], seen["legs"]
    assert calls["pagination"] == {"totalCount": 2, "pageCount": 1, "currentPage": 1, "perPage": 10}
    assert calls["_links"] == {"self": "/calls?page=1"}
    call = calls["data"][0]
    assert list(call)[:6] == ["id", "status", "numberId", "createdAt", "updatedAt", "endedAt"]
    assert legs["_links"] == {"self": f"/calls/{call['id']}/legs?page=1"}
    assert [(leg["direction"], leg["status"], leg["callId"]) for leg in legs["data"]] == [
        ("outgoing", "hangup", call["id"]),
        ("incoming", "hangup", call["id"]),
    ]
    assert legs["data"][1]["source"] == legs["data"][0]["source"] == "31205550177"


def test_callbacks_are_shown_with_a_verdict_on_each_signature(observed):
    _, seen, _ = observed
    names = {"X-MessageBird-Signature", "MessageBird-Signature", "MessageBird-Signature-JWT"}
    assert {callback["act"] for callback in seen["callbacks"]} == {"simulated", "transfer"}
    for callback in seen["callbacks"]:
        assert callback["signatures"] == dict.fromkeys(names, "right")
        assert callback["body"]["items"][0]["payload"]["status"] == callback["status"]


def test_it_stays_up_until_it_is_interrupted():
    demo = subprocess.Popen(
        [*PROGRAM, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert demo.stdout is not None
        seen = json.loads(demo.stdout.readline())
        for line in seen["curl"][-2:]:
            with subprocess.Popen(["sh", "-c", line], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as curl:
                answer, _ = curl.communicate(timeout=PATIENCE_S)
            assert json.loads(answer) in (seen["calls"], seen["legs"])
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does it: to all of its processes
        rest, said = demo.communicate(timeout=PATIENCE_S)
        assert (demo.returncode, rest) == (0, ""), said
        assert "Traceback" not in said
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
            demo.communicate()
