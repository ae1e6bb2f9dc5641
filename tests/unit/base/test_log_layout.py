from __future__ import annotations

import io

import msgspec
import pytest

from callwright import log

pytestmark = pytest.mark.usefixtures("log_as_before")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


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


def test_a_field_does_not_take_the_place_of_what_every_line_has():
    written = io.StringIO()
    log.configure("info", written, "json")
    log.Log("test").info("call_ended", source="31612345678")
    line = msgspec.json.decode(written.getvalue())
    assert (line["logger"], line["event"], line["source"]) == ("callwright.test", "call_ended", "31612345678")
