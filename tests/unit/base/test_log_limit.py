"""What anyone can cause is told once a second."""

from __future__ import annotations

from types import SimpleNamespace

from callwright.log import OncePerSecond


def test_each_kind_is_told_once_a_second_with_how_many_there_were_and_the_latest() -> None:
    told: list[tuple[str, int, str]] = []
    now = SimpleNamespace(ns=10**12)
    reports: OncePerSecond[str, str] = OncePerSecond(
        SimpleNamespace(mono_ns=lambda: now.ns),  # type: ignore[arg-type]
        lambda *report: told.append(report),
    )
    for number in range(5):
        reports.note("stranger", f"192.0.2.{number}")
    reports.note("over_limit", "192.0.2.9")
    now.ns += 999_999_999
    reports.flush()
    assert told == [("stranger", 1, "192.0.2.0"), ("over_limit", 1, "192.0.2.9")]
    now.ns += 1
    reports.flush()
    reports.flush()
    assert told[2:] == [("stranger", 4, "192.0.2.4")]
    reports.note("stranger", "192.0.2.7")
    assert told[3:] == []
    now.ns += 1_000_000_000
    reports.note("stranger", "192.0.2.8")
    assert told[3:] == [("stranger", 2, "192.0.2.8")]
