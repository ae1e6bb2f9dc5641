"""How many connections are kept, whatever the settings and the system allow."""

from __future__ import annotations

import resource

import pytest

from callwright.egress.client import most_idle


@pytest.mark.parametrize(
    ("wanted", "descriptors", "kept"),
    [(1_000, 524_288, 1_000), (1_000, 1_024, 256), (0, 1_024, 0), (1_000, resource.RLIM_INFINITY, 1_000)],
)
def test_idle_connections_take_a_quarter_of_the_files_at_most(wanted: int, descriptors: int, kept: int) -> None:
    assert most_idle(wanted, descriptors) == kept
