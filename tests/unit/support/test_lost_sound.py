"""What logs say of lost sound counts in the test in which it was said, whether its server is stopped or not."""

from __future__ import annotations

from pathlib import Path

from support import lost_sound


def test_a_server_is_forgotten_when_it_is_stopped_and_what_it_said_with_the_test(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    log.write_bytes(b"")
    lost_sound.heed(log)
    lost_sound.forget()
    assert not lost_sound.was_lost()
    log.write_bytes(b"{" + lost_sound.SAID + b"}\n")
    assert lost_sound.was_lost()
    for gone in (lost_sound.heed, lost_sound.leave, lost_sound.leave):
        gone(log)
        log.write_bytes(b"")
        assert lost_sound.was_lost()
    lost_sound.forget()
    assert not lost_sound.was_lost()
    log.write_bytes(b"{" + lost_sound.SAID + b"}\n")
    assert not lost_sound.was_lost()
