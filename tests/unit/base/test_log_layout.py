from __future__ import annotations

import io
import logging

import pytest

from callwright import log


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before():
    root, ours = logging.getLogger(), logging.getLogger("callwright")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.mark.parametrize(
    ("stream", "layout", "json"),
    [
        (Terminal, "auto", False),
        (io.StringIO, "auto", True),
        (Terminal, "json", True),
        (io.StringIO, "terminal", False),
    ],
)
def test_the_layout_of_lines(stream, layout, json):
    written = stream()
    log.configure("info", written, layout)
    log.Log("test").info("call_ended", status="busy")
    line = written.getvalue()
    assert line.startswith('{"at":') is json
    assert ('"event":"call_ended","status":"busy"}\n' if json else " call_ended status=busy\n") in line
