from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from callwright.reasons import Reason, Refusal

DOCS = Path(__file__).parents[3] / "docs"
GENERATOR = runpy.run_path(str(DOCS / "generate.py"))


@pytest.mark.parametrize("name", sorted(GENERATOR["PAGES"]))
def test_what_is_committed_is_what_the_program_says(name):
    assert (DOCS / name).read_text(encoding="utf-8") == GENERATOR["PAGES"][name](), "run scripts/docs and commit the page"


def test_the_readme_shows_the_table_of_libraries_as_it_is():
    assert GENERATOR["README"].read_text(encoding="utf-8") == GENERATOR["readme"](), "run scripts/docs and commit README.md"


def test_the_table_of_libraries_takes_its_place_in_the_readme(tmp_path, monkeypatch):
    page = tmp_path / "README.md"
    monkeypatch.setitem(GENERATOR["readme"].__globals__, "README", page)
    page.write_text("before\n<!-- conformance -->\nold\n<!-- /conformance -->\nafter\n")
    made = GENERATOR["readme"]()
    table = GENERATOR["conformance_summary"]()
    assert made == f"before\n<!-- conformance -->\n{table}\n<!-- /conformance -->\nafter\n"
    page.write_text(made)
    assert GENERATOR["readme"]() == made
    page.write_text("no place for it\n")
    assert GENERATOR["readme"]() == "no place for it\n"
    assert "| Node | `messagebird 4.0.1` | 22 | 21 | 1 | the library itself, unmodified |" in table
    assert "| Dart | `messagebird 1.3.4` | – | – | – | not run: Debian has no runtime for it |" in table


def test_the_reasons_page_has_every_reason_and_refusal():
    page = GENERATOR["reasons"]()
    for reason in Reason:
        assert f"| `{reason.value}` | {reason.sentence} | {reason.remedy} |\n" in page
    for refusal in Refusal:
        assert f"| `{refusal.value}` | {refusal.sip_code} " in page


def test_writing_the_pages(tmp_path):
    GENERATOR["main"](tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(GENERATOR["PAGES"])
