from __future__ import annotations

import shutil

import pytest

from support.peers import REQUIRED, require_peer

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
