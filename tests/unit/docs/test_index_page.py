"""Every page is found from the first ones, every link leads somewhere, and every setting that a page names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callwright.settings.schema import known_keys

DOCS = Path(__file__).parents[3] / "docs"
PAGES = sorted(path.name for path in DOCS.glob("*.md"))


@pytest.mark.parametrize(("first", "folder"), [(DOCS / "index.md", ""), (DOCS.parent / "README.md", "docs/")])
def test_every_page_is_found_from(first: Path, folder: str) -> None:
    linked = set(re.findall(r"\]\(([^)#]+)", first.read_text(encoding="utf-8")))
    wanted = {f"{folder}{name}" for name in [*PAGES, "settings.toml", "decisions"] if name != first.name}
    assert wanted - linked == set()


@pytest.mark.parametrize("page", [*(f"docs/{name}" for name in PAGES), "README.md"])
def test_links_lead_somewhere(page: str) -> None:
    path = DOCS.parent / page
    links = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


# Methods of libraries look like settings.
@pytest.mark.parametrize("page", [page for page in PAGES if page != "conformance.md"])
def test_settings_that_are_named_are_there(page: str) -> None:
    keys = set(known_keys())
    sections = {key.partition(".")[0] for key in keys}
    words = re.findall(r"`([a-z]+\.[a-z_0-9]+)`", (DOCS / page).read_text(encoding="utf-8"))
    assert [word for word in words if word.partition(".")[0] in sections and word not in keys] == []
