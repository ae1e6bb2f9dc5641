from __future__ import annotations

import pytest

from callwright.sip.info import read_key


@pytest.mark.parametrize(
    ("content_type", "body", "key"),
    [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", ("5", 160)),
        ("application/dtmf-relay", "signal = #\nduration = 80", ("#", 80)),  # spaces and case
        ("Application/DTMF-Relay; charset=utf-8", "Signal=*", ("*", 0)),
        ("application/dtmf-relay", "Signal=10", ("*", 0)),  # by event number
        ("application/dtmf-relay", "Signal=11", ("#", 0)),
        ("application/dtmf-relay", "Signal=d\r\nDuration=many", ("D", 0)),
        ("application/dtmf", "7", ("7", 0)),
        ("application/dtmf", " 11\r\n", ("#", 0)),
        ("application/dtmf-relay", "Signal=16", None),  # hook flash
        ("application/dtmf-relay", "Duration=160", None),
        ("application/dtmf-relay", "", None),
        ("application/dtmf", "12345", None),
        ("application/media_control+xml", "<picture_fast_update/>", None),
        ("", "5", None),
    ],
)
def test_keys_in_info(content_type: str, body: str, key: tuple[str, int] | None) -> None:
    assert read_key(content_type, body) == key
