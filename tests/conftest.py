from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

# How long an example takes is the machine's, and how many are passed over is chance. Every run has the same examples, and what
# is right passes everywhere; others are looked for with --long, and with --hypothesis-seed.
_SLOW_OR_RARE = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
settings.register_profile("search", deadline=None, derandomize=False, suppress_health_check=_SLOW_OR_RARE)
settings.register_profile("tests", settings.get_profile("search"), derandomize=True)
settings.load_profile("tests")
pytest.register_assert_rewrite("support")
pytest_plugins = ["support.stalls"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests marked long, in their stated sizes")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--long") or config.getoption("hypothesis_seed") is not None:
        settings.load_profile("search")
    else:
        # Constants of whatever modules a lane has loaded by then would be among the examples.
        providers.is_local_module_file = lambda path: False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="full size: scripts/test --long"))


def pytest_collection_finish() -> None:
    # Thousands of tests and what they are called with stay to the end. Nothing is gained by looking for garbage among them.
    gc.collect()
    gc.freeze()


@pytest.fixture
def log_as_before() -> Iterator[None]:
    """For tests that set up the log in this process: afterwards it is as it was."""
    root, ours = logging.getLogger(), logging.getLogger("callwright")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
