"""The server that tests have, with a receiver of its callbacks: one for all tests here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callwright.testing import Platform, PlatformNotStarted, WebhookInbox

pytest_plugins = ["pytester"]

NUMBER = "31205550100"
HANGUP: list[dict[str, Any]] = [{"action": "hangup"}]
PAUSE: list[dict[str, Any]] = [{"action": "pause", "options": {"length": 60}}]
LONG_PAUSE: list[dict[str, Any]] = [{"action": "pause", "options": {"length": 14_000}}]  # a hundredth of it is waited for
PROGRAM = """
    def test_it(platform, webhook_inbox, platform_settings):
        platform.own("31205550100", [{"action": "hangup"}], webhook=webhook_inbox)
        call = platform.dial("31205550100", caller="31600000007")
        assert platform.call_ended(call)["source"] == "31600000007"
        webhook_inbox.wait_for("callUpdated", status="ended", call=call)
        assert platform.url and platform_settings == {}
    """


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    # Nobody speaks here, and each voice is a process to be waited for.
    with Platform.start({"calls.ring_timeout": 30, "speech.engines": "espeak"}) as platform:
        yield platform


@pytest.fixture
def inbox(platform: Platform) -> Iterator[WebhookInbox]:
    inbox = WebhookInbox(lambda: platform.signing_keys)
    yield inbox
    inbox.close()


def test_a_number_is_dialled_and_its_calls_are_told(platform: Platform, inbox: WebhookInbox) -> None:
    platform.own(NUMBER, HANGUP, webhook=inbox)
    call_id = platform.dial(NUMBER, caller="31600000007")
    call = platform.call_ended(call_id)
    assert (call["status"], call["source"], call["destination"]) == ("ended", "31600000007", NUMBER)
    last = inbox.wait_for("callUpdated", status="ended", call=call_id)
    told = inbox.of_call(call_id)
    assert (told[0].event, told[-1]) == ("callCreated", last)
    assert all(one.verified for one in told)
    assert platform.journal(call_id)[0]["kind"] == "call_made"


def test_a_webhook_without_a_token_is_signed_with_the_platforms_key(platform: Platform, inbox: WebhookInbox) -> None:
    call_id = platform.call("31612345678", HANGUP, webhook=inbox.url)
    assert inbox.wait_for("callUpdated", status="ended", call=call_id).verified
    inbox.clear()


def test_both_apis_are_asked_with_the_key_of_a_world(platform: Platform) -> None:
    flow = platform.post("/call-flows", {"steps": HANGUP}).made
    assert platform.get(f"/call-flows/{flow['id']}").made["id"] == flow["id"]
    assert platform.get(f"/api/flows/{flow['id']}").ok().status == 200
    assert platform.get(f"/api/flows/{flow['id']}", key=platform.live_key).status == 404
    assert platform.put(f"/call-flows/{flow['id']}", {"steps": PAUSE}).ok()
    assert platform.delete(f"/call-flows/{flow['id']}").status == 204
    with pytest.raises(AssertionError, match=r"the platform answered 404: No call flow found"):
        platform.get(f"/call-flows/{flow['id']}").made  # noqa: B018


def test_a_flow_may_be_a_file(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "flow.json").write_text(json.dumps({"title": "From a file", "steps": HANGUP}))
    flow_id = platform.own("31205550101", tmp_path / "flow.json")
    assert platform.get(f"/call-flows/{flow_id}").made["title"] == "From a file"
    assert platform.call_ended(platform.call("31612345678", str(tmp_path / "flow.json")))["reason"] == "flow_ended"


def test_a_path_begins_with_a_slash(platform: Platform) -> None:
    with pytest.raises(ValueError, match="A path begins with a slash, such as /calls; this is 'calls'"):
        platform.get("calls")


def test_a_call_that_goes_on_is_told_of_with_the_log(platform: Platform) -> None:
    call_id = platform.call("31612345678", LONG_PAUSE)
    with pytest.raises(
        AssertionError, match=f"the end of call {call_id} did not come within 0 s; seen last: .*its log ends with"
    ):
        platform.call_ended(call_id, within=0)
    assert platform.delete(f"/calls/{call_id}").status == 204
    assert platform.call_ended(call_id)["status"] in ("ended", "failed")


def test_a_server_that_does_not_start_says_why() -> None:
    with pytest.raises(
        PlatformNotStarted, match=r"The platform did not start: calls\.ring_timeout = \"soon\": must be a number from 1"
    ):
        Platform.start({"calls.ring_timeout": "soon"})


@pytest.mark.long
def test_processes_of_a_parallel_run_have_servers_of_their_own(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pytest runs for those who use it: in processes of its own."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(test_one=PROGRAM, test_two=PROGRAM)
    result = pytester.runpytest_subprocess("-p", "xdist", "-p", "callwright.testing.plugin", "-n", "2", "--dist", "loadfile")
    result.assert_outcomes(passed=2)


def test_a_cancelled_run_ends_its_server(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(pytester.path))
    pytester.makeini("[pytest]\ncallwright_settings =\n    speech.engines = espeak\n")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        """
        import os, signal, time

        def test_it(platform):
            print(platform._process.pid, file=open("pid", "w"))
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        """
    )
    result = pytester.runpytest_subprocess("-p", "callwright.testing.plugin", "-p", "no:cacheprovider")
    assert result.ret == 143
    with pytest.raises(ProcessLookupError):
        os.kill(int((pytester.path / "pid").read_text()), 0)
    assert list(pytester.path.glob("callwright-test-*")) == []
