"""The operations page names only what there is: commands, settings, metrics, log lines, reasons, files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import callwright
from callwright.cli.commands import app
from callwright.cli.health import LACKING, SILENT
from callwright.doctor import database, records
from callwright.media.wire import TICK_LATE_MS
from callwright.metrics import Metrics
from callwright.reasons import Reason, Refusal
from callwright.settings.schema import known_keys
from callwright.settings.sections import Settings
from callwright.webhooks.backlog import Backlog

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "operations.md").read_text(encoding="utf-8")
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in Path(callwright.__file__).parent.rglob("*.py"))


def section(title):
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_its_commands_are_there():
    groups = {group.typer_instance.info.name for group in app.registered_groups}
    commands = groups | {one.name or one.callback.__name__ for one in app.registered_commands}
    in_text = re.findall(r"`callwright ([a-z-]+)", PAGE)
    in_blocks = re.findall(r"^    (?:.* )?(?:\S+/bin/)?callwright (?:--data \S+ )?([a-z]+)$", PAGE, re.MULTILINE)
    assert {"doctor", "health", "keys", "settings", "journal"} <= set(in_text)
    assert {"doctor", "serve"} <= set(in_blocks)
    assert {*in_text, *in_blocks} <= commands | {"callwright"}


def test_its_settings_are_there():
    sections = {key.partition(".")[0] for key in known_keys()}
    named = {word for word in re.findall(r"`([a-z]+\.[a-z_]+)`", PAGE) if word.partition(".")[0] in sections}
    assert {"drain.seconds", "media.ports", "sip.advertised_address"} <= named
    assert named <= set(known_keys())


def test_the_figures_of_its_settings_are_the_defaults():
    defaults = Settings()
    first, last = defaults.media.ports
    assert f"`drain.seconds` ({defaults.drain.seconds:g})" in PAGE
    assert f"| {defaults.sip.port}/udp |" in PAGE
    assert f"| {first}–{last}/udp |" in PAGE
    assert f"| {defaults.http.port}/tcp |" in PAGE
    assert f"`calls.max_live` {defaults.calls.max_live:,}, `media.max_calls` {defaults.media.max_calls} a media process" in PAGE
    assert f"`sip.new_legs_per_second` {defaults.sip.new_legs_per_second}" in PAGE


def test_its_metrics_are_there():
    metrics = Metrics("1")
    for result in ("failed", "exhausted"):
        metrics.delivery(result)
    for reason in ("unhealthy", "over_limit", "stranger"):
        metrics.invite_refused(reason)
    metrics.call_ended("failed", "live")
    metrics.sentence_spoken("espeak", "failed")
    metrics.watch_media(TICK_LATE_MS, lambda: [("media-1", [0] * (len(TICK_LATE_MS) + 1))])
    metrics.watch_callbacks(lambda: Backlog(0.0, 0, 0))
    told = metrics.exposition().decode()
    names = set(re.findall(r"callwright_[a-z_]+", section("You set up monitoring")))
    assert len(names) >= 8
    assert "callwright_media_tick_late_seconds_bucket" in names
    assert [name for name in names if f"\n{name}" not in told] == []
    labels = set(re.findall(r'(callwright_\w+\{\w+="\w+")\}', section("You set up monitoring")))
    assert len(labels) >= 5
    assert [label for label in labels if not re.search(re.escape(label) + "[,}]", told)] == []
    assert {refusal.value for refusal in Refusal} >= {"unhealthy", "over_limit", "stranger"}


def test_its_log_lines_are_written():
    events = set(re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+)", section("You read the log"), re.MULTILINE))
    events = {event for row in events for event in re.findall(r"`([a-z_]+)`", row)}
    events |= {
        "store_unhealthy",
        "store_healthy",
        "child_died",
        "child_last_words",
        "child_unhealthy",
        "child_healthy",
        "bad_settings",
    }
    assert len(events) > 15
    assert [event for event in sorted(events) if f'"{event}"' not in SOURCE and event != "exception"] == []


@pytest.mark.parametrize("reason", ["shutdown", "node_restarted", "signalling_lost", "media_lost", "store_unavailable"])
def test_its_reasons_are_there(reason):
    assert f"`{reason}`" in PAGE
    assert Reason(reason)


def test_its_links_lead_somewhere():
    headings = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        file, _, anchor = target.partition("#")
        if file:
            assert (DOCS / file).exists(), target
        else:
            assert anchor in headings, target
    assert "(operations.md)" in (DOCS / "index.md").read_text()
    assert "(docs/operations.md)" in (DOCS.parent / "README.md").read_text()


def test_what_doctor_leaves_to_deep_is_told():
    words = " ".join(PAGE.split())
    assert f"the newest {records.NEWEST:,} calls and {records.NEWEST_CALLBACKS:,} callbacks" in words
    assert f"reads a file through only up to {database.LARGE // 10**9} GB" in words


def test_a_signal_is_for_a_server_that_nobody_restarts():
    """Under the unit, `Restart=always` would start it again."""
    assert [line for line in PAGE.splitlines() if "kill -TERM" in line and "without systemd" not in line] == []
    assert "kill -TERM" in section("You have to stop it")


def test_the_statuses_of_health_are_told():
    told = section("You start it for the first time")
    assert "only status 2 counts" in told
    assert (LACKING, SILENT) == (1, 2)
