"""Flows as tests give them: a flow, the list of its steps, or its file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from callwright.scenarios.document import Scenario
from callwright.scenarios.running import with_flow

__tracebackhide__ = True

Flow = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | os.PathLike[str]


def flow_of(given: Flow) -> dict[str, Any]:
    """Raises `FlowUnreadable` for a file, TypeError for what is none of these; steps are looked at by whoever runs them."""
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, str | os.PathLike):
        path = Path(given)
        read = with_flow(Scenario(name=path.name, flow=path.name), path.parent).flow
        assert not isinstance(read, str)
        return read
    steps: list[Any] = list(given) if isinstance(given, Sequence) else [given]
    if not all(isinstance(step, Mapping) for step in steps):
        raise TypeError(f"A flow is a dictionary, a list of its steps, or the name of its file; this is {given!r}.")
    return {"steps": [dict(step) for step in steps]}
