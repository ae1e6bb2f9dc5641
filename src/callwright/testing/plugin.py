"""The plug-in that pytest loads: fixtures, scenario files as tests, and what a failing test tells.

pytest loads this whenever it runs where Callwright is installed: what takes time to load is loaded by the fixtures.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from callwright.testing.calls import SimulatedCalls
    from callwright.testing.inbox import WebhookInbox
    from callwright.testing.server import Platform

SCENARIOS, SETTINGS = "callwright_scenarios", "callwright_settings"
SCENARIO_FILE = ".scenario.yaml"
_KEYS = pytest.StashKey[list[str]]()


class PlatformFactory(Protocol):
    """Starts one more server with settings of its own, as in ``--set``; it ends with the test."""

    def __call__(self, settings: dict[str, object] | None = None) -> Platform: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(SCENARIOS, f"collect files *{SCENARIO_FILE} as tests of call flows", type="bool", default=False)
    parser.addini(
        SETTINGS, "settings of the server that tests have (the fixture platform), a line each: name = value", "linelist"
    )


@pytest.fixture
def simulated_call() -> Iterator[SimulatedCalls]:
    """Calls through flows, in this process and in virtual time: ``simulated_call(flow, hears={"Press one": "1"})``."""
    from callwright.testing.calls import SimulatedCalls

    calls = SimulatedCalls()
    yield calls
    calls.close()


@pytest.fixture(scope="session")
def platform_settings() -> dict[str, object]:
    """Settings of the server that tests have, as in ``--set``: override this in conftest.py, or set ``callwright_settings``."""
    return {}


@pytest.fixture(scope="session")
def platform(pytestconfig: pytest.Config, platform_settings: dict[str, object]) -> Iterator[Platform]:
    """A server of its own (of each process of pytest-xdist), on free ports and in a temporary folder, for all tests."""
    from callwright.rehearsal.ending import orderly
    from callwright.testing.server import Platform

    with orderly(_terminated), Platform.start(_settings(pytestconfig, platform_settings)) as platform:
        _trusted(pytestconfig).extend(platform.signing_keys)
        yield platform


@pytest.fixture
def platform_factory(pytestconfig: pytest.Config) -> Iterator[PlatformFactory]:
    """Starts servers of a test's own: ``platform_factory({"calls.ring_timeout": 5})``."""
    from callwright.rehearsal.ending import orderly
    from callwright.testing.server import Platform

    started: list[Platform] = []

    def start(settings: dict[str, object] | None = None) -> Platform:
        __tracebackhide__ = True
        platform = Platform.start(_settings(pytestconfig, settings))
        started.append(platform)
        _trusted(pytestconfig).extend(platform.signing_keys)
        return platform

    with orderly(_terminated):
        yield start
        for platform in started:
            platform.stop()


@pytest.fixture
def webhook_inbox(pytestconfig: pytest.Config) -> Iterator[WebhookInbox]:
    """A receiver of callbacks at ``webhook_inbox.url``, empty at the beginning of the test."""
    from callwright.testing.inbox import WebhookInbox

    inbox = WebhookInbox(lambda: _trusted(pytestconfig))
    yield inbox
    inbox.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that fails tells what its calls were, what came to its inbox, and what the server logged meanwhile.

    pytest puts "Captured" before the name of a section, and "call" after it.
    """
    used: dict[str, Any] = getattr(item, "funcargs", {})
    logged = len(used["platform"].log) if "platform" in used else 0
    outcome: Any = yield
    if outcome.excinfo is None:
        return
    if "simulated_call" in used:
        for call in used["simulated_call"].calls:
            item.add_report_section("call", "story of the simulated", call.story)
    if "webhook_inbox" in used:
        item.add_report_section("call", "callbacks of the", used["webhook_inbox"].summary)
    if "platform" in used:
        item.add_report_section("call", "log of the platform during the", used["platform"].log[logged:])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if not file_path.name.endswith(SCENARIO_FILE) or not parent.config.getini(SCENARIOS):
        return None
    from callwright.testing.scenarios import ScenarioFile

    found: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
    return found


def _settings(config: pytest.Config, own: dict[str, object] | None) -> dict[str, object]:
    __tracebackhide__ = True
    if not isinstance(own, dict | None):
        raise TypeError(f'Settings of a platform are values by name, such as {{"calls.ring_timeout": 5}}; these are {own!r}.')
    return {**_settings_of_ini(config), **(own or {})}


def _settings_of_ini(config: pytest.Config) -> dict[str, object]:
    found: dict[str, object] = {}
    for line in config.getini(SETTINGS):
        name, equals, value = line.partition("=")
        if not equals:
            raise pytest.UsageError(f"{SETTINGS} has a line {line!r}: write name = value, such as calls.ring_timeout = 5")
        found[name.strip()] = value.strip()
    return found


def _terminated() -> None:
    """A job is cancelled: what tests have started is ended first."""
    pytest.exit("ended by SIGTERM", returncode=128 + signal.SIGTERM)


def _trusted(config: pytest.Config) -> list[str]:
    """The signing keys of all servers of this run."""
    return config.stash.setdefault(_KEYS, [])
