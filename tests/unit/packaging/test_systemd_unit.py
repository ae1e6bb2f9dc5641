"""The unit beside the program: what it starts, and how long it waits."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from callwright.cli.commands import app
from callwright.settings import Settings
from callwright.supervisor import Patience
from callwright.switch.switch import LAST_WORDS_S
from callwright.webhooks.settings import WebhookSettings

UNIT = Path(__file__).parents[3] / "packaging" / "systemd" / "callwright.service"
UNITS = {"ms": 0.001, "s": 1, "min": 60}


@pytest.fixture(scope="module")
def unit():
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str
    parser.read_string(UNIT.read_text())
    return parser


def seconds(text):
    number, name = re.fullmatch(r"(\d+)(ms|s|min)?", text).groups()
    return int(number) * UNITS[name or "s"]


def test_systemd_takes_it(tmp_path):
    """Its program and its user are not on this machine; the rest is as it is."""
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("systemd-analyze is missing: apt-get install systemd")
    text = UNIT.read_text().replace("/opt/callwright/bin/callwright", sys.executable)
    text = re.sub(r"^(User|Group)=.*$", "", text, flags=re.MULTILINE)
    copy = tmp_path / UNIT.name

    def objections(content):
        copy.write_text(content)
        command = [verifier, "verify", "--man=no", str(copy)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return [line.partition(": ")[2] for line in done.stderr.splitlines() if UNIT.name in line]

    assert objections(text) == []
    assert objections(text.replace("RestartSec=200ms", "RestartSec=soon")) == ["Failed to parse sec value, ignoring: soon"]


def test_it_starts_a_command_there_is(unit):
    program, command = unit["Service"]["ExecStart"].split()
    assert program.endswith("/bin/callwright")
    assert command in {one.name or one.callback.__name__ for one in app.registered_commands}
    name, _, folder = unit["Service"]["Environment"].partition("=")
    assert (name, folder) == ("CALLWRIGHT_DATA", f"/var/lib/{unit['Service']['StateDirectory']}")
    assert unit["Service"]["WorkingDirectory"] == folder


def test_it_waits_for_the_drain(unit):
    """A stop that drains, ends what is left, finishes its deliveries and sends its children away is not cut short."""
    drain = Settings().drain.seconds
    afterwards = LAST_WORDS_S + WebhookSettings().drain + 2 * Patience().leave
    assert seconds(unit["Service"]["TimeoutStopSec"]) > drain + afterwards
    assert unit["Service"]["KillMode"] == "mixed"  # the children live until the core has let go of them


def test_it_comes_back_at_once(unit):
    service = unit["Service"]
    assert (service["Type"], service["Restart"], seconds(service["RestartSec"])) == ("notify", "always", 0.2)
    assert (seconds(service["WatchdogSec"]), service["WatchdogSignal"]) == (5, "SIGKILL")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert seconds(service["TimeoutStartSec"]) > Patience().greeting
    assert service["OOMPolicy"] == "continue"


def test_it_may_do_no_more_than_it_needs(unit):
    service = unit["Service"]
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == ""
    assert service["User"] not in ("root", "")
    assert (service["UMask"], service["StateDirectoryMode"], service["ProtectSystem"]) == ("0077", "0700", "strict")
    assert service["NoNewPrivileges"] == "true"
    ports = Settings()
    assert min(ports.http.port, ports.sip.port, *ports.media.ports) > 1023
