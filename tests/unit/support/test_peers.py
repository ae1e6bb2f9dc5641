from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from support.peers import REQUIRED, require_peer

TESTS = Path(__file__).parents[2]
LACK = "no-such-peer is missing: apt-get install some-package"


def test_a_peer_that_is_there():
    assert require_peer("sh", apt="dash") == shutil.which("sh")


@pytest.mark.parametrize(("required", "outcome"), [("", "skipped"), ("0", "skipped"), ("1", "failed")])
def test_a_peer_that_is_not_there(monkeypatch, required, outcome):
    monkeypatch.setenv(REQUIRED, required)
    expected = {"skipped": pytest.skip.Exception, "failed": pytest.fail.Exception}[outcome]
    with pytest.raises(expected) as caught:
        require_peer("no-such-peer", apt="some-package")
    assert str(caught.value) == LACK


def test_what_is_required_is_installed_before():
    texts = [path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py") if path != Path(__file__)]
    wanted = {peer for text in texts for peer in re.findall(r'require_peer\("(\S+)", apt="(\S+)"\)', text)}
    assert {("sipp", "sip-tester"), ("systemd-analyze", "systemd")} <= wanted
    installed = re.findall(r"command -v (\S+) > /dev/null \|\| missing\+=\((\S+)\)", (TESTS.parent / ".ci" / "run").read_text())
    assert wanted - set(installed) == set()
    assert [text for text in texts if "shutil.which" in text and "def require_peer" not in text] == []
