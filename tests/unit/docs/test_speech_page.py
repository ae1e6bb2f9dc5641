"""The page about speech says what the program does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from callwright.metrics import Metrics
from callwright.settings import Settings, load
from callwright.speech import sentences
from callwright.speech.languages import LANGUAGES
from callwright.speech.providers import breaker
from callwright.speech.providers.adapters import ADAPTERS

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "speech.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_its_settings_are_read(example: str, tmp_path: Path) -> None:
    tomllib.loads(example)
    (tmp_path / "callwright.toml").write_text(example)
    assert load({}, {}, None, tmp_path).settings.speech != Settings().speech


def test_its_figures_are_those_of_the_program() -> None:
    speech = Settings().speech
    assert f"`speech.patience` ({speech.patience:g} s)" in PAGE
    assert f"`speech.deadline` ({speech.deadline:g} s)" in PAGE
    assert f"`speech.cache_days` ({speech.cache_days:g})" in PAGE
    assert f"more than {sentences.MOST:,} characters" in PAGE
    assert f"{len(LANGUAGES)} tags" in PAGE
    assert (breaker.FAILURES, breaker.FIRST_PAUSE_S, breaker.LONGEST_PAUSE_S) == (3, 15, 300)


def test_its_names_are_there() -> None:
    for kind in ADAPTERS:
        assert kind in PAGE
    metrics = Metrics("1")
    metrics.sentence_spoken("espeak", "late")
    for name in re.findall(r"`(callwright_\w+)`", PAGE):
        assert f"\n{name}" in metrics.exposition().decode()
    assert set(re.findall(r"`speech\.(\w+)`", PAGE)) <= set(Settings().speech.__struct_fields__)


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (DOCS / target).exists(), target
    assert "(speech.md)" in (DOCS / "index.md").read_text()
