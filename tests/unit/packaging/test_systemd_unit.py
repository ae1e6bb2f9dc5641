"""The unit beside the program: what it starts, and how long it waits."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

from callwright.cli.commands import app
from callwright.media import process as media
from callwright.settings import Settings
from callwright.supervisor import Patience
from callwright.switch.switch import LAST_WORDS_S
from callwright.webhooks.settings import WebhookSettings
from support.peers import require_peer

UNIT = Path(__file__).parents[3] / "packaging" / "systemd" / "callwright.service"
PAGE = (UNIT.parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
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
    verifier = require_peer("systemd-analyze", apt="systemd")
    text = UNIT.read_text().replace("/opt/callwright/bin/callwright", sys.executable)
    text = re.sub(r"^(User|Group)=.*$", "", text, flags=re.MULTILINE)
    copy = tmp_path / UNIT.name

    def objections(content):
        copy.write_text(content)
        command = [verifier, "verify", "--man=no", str(copy)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
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


def test_media_processes_get_the_precedence_they_ask_for(unit):
    assert unit["Service"]["LimitNICE"] == str(media._NICENESS)
    assert f"`LimitNICE={media._NICENESS}` of the unit" in PAGE
    (run,) = re.findall(r"^    docker run (?:.*\\\n)*.*$", PAGE, re.MULTILINE)
    assert f"--ulimit nice={20 - media._NICENESS} " in run  # as setrlimit(2) counts it


def test_another_data_folder_may_be_written(unit):
    """`ProtectSystem=strict` lets the server write nowhere but in its own folder."""
    ours = configparser.ConfigParser(interpolation=None)
    ours.optionxform = str
    (block,) = re.findall(r"(?:^    .+\n)+", PAGE[PAGE.index("systemctl edit callwright") :], re.MULTILINE)[:1]
    ours.read_string(re.sub(r"^    ", "", block, flags=re.MULTILINE))
    place = ours["Service"]["ReadWritePaths"]
    assert dict(ours["Service"]) == {
        "Environment": f"CALLWRIGHT_DATA={place}",
        "WorkingDirectory": place,
        "ReadWritePaths": place,
    }
    assert {key for key in ours["Service"] if key in unit["Service"]} == {"Environment", "WorkingDirectory"}


UNDER_MDWE = """
import ctypes, mmap, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0:  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN
    sys.exit(77)
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    pass
else:
    sys.exit("nothing was denied")
import callwright.media.process, callwright.sip.process
import callwright.app, callwright.cli.serving, callwright.core
import uvloop
from callwright.store import Store
async def read():
    return Store.in_memory().read("accounts.list_keys")
print(uvloop.run(read()))
"""


def test_no_process_needs_memory_that_is_written_and_executed(unit):
    assert unit["Service"]["MemoryDenyWriteExecute"] == "true"
    done = subprocess.run([sys.executable, "-c", UNDER_MDWE], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode == 77:
        pytest.skip("the kernel lacks PR_SET_MDWE (Linux 6.3)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
