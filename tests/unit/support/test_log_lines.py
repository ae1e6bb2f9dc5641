"""A log that is read while it is written."""

from __future__ import annotations

from pathlib import Path

from support.server import log_lines


def test_a_line_that_is_half_written_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b'a word of a library\n{"event":"up"}\n{"event":"h\xc3')
    assert log_lines(log) == [{"event": "up"}]
    log.write_bytes(log.read_bytes() + b'\xbc"}\n')
    assert log_lines(log) == [{"event": "up"}, {"event": "hü"}]


def test_nothing_is_told_before_the_first_line_has_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b'{"event":"up"}')
    assert log_lines(log) == []
