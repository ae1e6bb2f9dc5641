"""The plug-in in pytest: its fixtures, its files of scenarios, and what a failure shows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

# pytester forgets what a run has loaded, and libraries in C do not like to be loaded twice: these are loaded before.
import callwright.testing.calls
import callwright.testing.scenarios
import callwright.testing.server  # noqa: F401

pytest_plugins = ["pytester"]
Run = Callable[..., pytest.RunResult]

SCENARIO = """
name: {name}
flow: {{"steps": [{{"action": "pause", "options": {{"length": 2}}}}]}}
caller: {{}}
expect:
  status: {status}
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs what is there with this plug-in and no other."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess("-p", "callwright.testing.plugin", "-p", "no:cacheprovider", *arguments)

    return run


def test_a_test_has_calls_and_fails_with_their_story(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        PAUSE = [{"action": "pause", "options": {"length": 600}}]

        def test_good(simulated_call):
            assert simulated_call(PAUSE).seconds == 600

        def test_bad(simulated_call, webhook_inbox):
            call = simulated_call(PAUSE, caller="31600000007", deliver_to=webhook_inbox)
            assert call.status == "busy"

        def test_left_alone(simulated_call):
            simulated_call.begin(PAUSE)
        """
    )
    result = run()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*assert 'ended' == 'busy'*",
            "*Captured story of the simulated call*",
            "31600000007 to 31205550100: ended (flow_ended) after 600 s",
            "*0.00  step step-1 begins: pause",
            "*Captured callbacks of the call*",
            "What came to http://127.0.0.1:*",
            "  <Callback 3 callUpdated ended of *>",
        ]
    )
    assert "Captured story" not in result.stdout.str().partition("test_bad")[0]


def test_what_is_refused_is_shown_at_the_line_of_the_test(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        def test_a_call(simulated_call):
            simulated_call([{"action": "hangup"}], hears={"Press": 1})

        def test_no_server(platform_factory):
            platform_factory("settings")

        def test_no_callback(webhook_inbox):
            webhook_inbox.wait_for("callUpdated", within=0)
        """
    )
    result = run()
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["*On hearing 'Press' one presses or says a text*", "test_*.py:2: TypeError"])
    result.stdout.fnmatch_lines(["*callUpdated did not come within 0 s*", "test_*.py:8: AssertionError"])
    assert "callwright/testing/" not in result.stdout.str()


def test_files_of_scenarios_are_tests_where_that_is_wanted(pytester: pytest.Pytester, run: Run) -> None:
    scenarios = [SCENARIO.format(name="two seconds", status="ended"), SCENARIO.format(name="nobody", status="busy")]
    pytester.path.joinpath("menu.scenario.yaml").write_text("---".join(scenarios))
    pytester.path.joinpath("other.yaml").write_text("name: [")
    run().assert_outcomes()
    pytester.makeini("[pytest]\ncallwright_scenarios = true\n")
    result = run("-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "menu.scenario.yaml::two seconds PASSED*",
            "nobody  (menu.scenario.yaml:12)",
            "    expected  busy",
            "    but       ended",
            "*what happened:",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    run("menu.scenario.yaml::two seconds").assert_outcomes(passed=1)


def test_a_scenario_that_cannot_be_read_says_where(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeini("[pytest]\ncallwright_scenarios = true\n")
    pytester.path.joinpath("bad.scenario.yaml").write_text(SCENARIO.format(name="x", status="finished"))
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["bad.scenario.yaml:6:11: expect.status: *"])
    assert "Traceback" not in result.stdout.str()


def test_settings_of_the_server_are_lines_of_name_and_value(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeini("[pytest]\ncallwright_settings =\n    calls.ring_timeout\n")
    pytester.makepyfile("def test_it(platform): pass")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*callwright_settings has a line 'calls.ring_timeout': write name = value*"])


def test_the_fixtures_say_what_they_are(pytester: pytest.Pytester, run: Run) -> None:
    result = run("--fixtures")
    for name in ("simulated_call", "platform [[]session scope[]]", "platform_factory", "platform_settings*", "webhook_inbox"):
        result.stdout.fnmatch_lines([f"{name} -- *callwright/testing/plugin.py:*"])


def test_loading_the_plug_in_loads_little() -> None:
    """pytest does so for everybody who has Callwright installed, whatever they test."""
    program = (
        "import sys, callwright.testing.plugin, callwright.testing as t;"
        "print([name for name in sys.modules if name.startswith('callwright.') and '.testing' not in name]);"
        "print([name for name in t.__all__ if not hasattr(t, name)], sorted(t.__all__) == sorted(t._PLACES))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[] True"]


def test_without_pytest_it_is_said_what_to_install() -> None:
    program = "import sys; sys.modules['pytest'] = None; import callwright.testing"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "ImportError: callwright.testing is a plug-in of pytest, which is not installed: pip install" in done.stderr
