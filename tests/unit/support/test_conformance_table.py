from __future__ import annotations

import pytest

from support import conformance_table
from support.conformance_table import UPDATE, About, record, recorded, settle

ABOUT = About("A language", "a-library 1.2.3")


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    monkeypatch.setattr(conformance_table, "FOLDER", tmp_path)
    monkeypatch.setattr(conformance_table, "_found", {})
    monkeypatch.delenv(UPDATE, raising=False)
    return tmp_path / "mine.json"


def test_what_was_found_is_kept_and_compared_in_any_order(kept, monkeypatch):
    record("mine", "read", "works")
    record("mine", "delete", "defect", "it raises")
    with pytest.raises(AssertionError, match=f"run it with {UPDATE}=1"):
        settle("mine", ABOUT)
    monkeypatch.setenv(UPDATE, "1")
    settle("mine", ABOUT)
    monkeypatch.delenv(UPDATE)
    monkeypatch.setattr(conformance_table, "_found", {})
    record("mine", "delete", "defect", "it raises")
    record("mine", "read", "works")
    assert recorded("mine") == ["delete", "read"]
    settle("mine", ABOUT)
    assert b"works" in kept.read_bytes()


@pytest.mark.parametrize(
    ("method", "result", "defect"),
    [
        ("read", "defect", "it raises"),
        ("delete", "works", ""),
        ("delete", "defect", "it returns nothing"),
        ("list", "works", ""),
    ],
)
def test_another_result_fails(method, result, defect, monkeypatch):
    monkeypatch.setenv(UPDATE, "1")
    for one, was, words in (("read", "works", ""), ("delete", "defect", "it raises")):
        record("mine", one, was, words)
    settle("mine", ABOUT)
    monkeypatch.delenv(UPDATE)
    monkeypatch.setattr(conformance_table, "_found", {"mine": dict(conformance_table._found["mine"])})
    conformance_table._found["mine"].pop(method, None)
    record("mine", method, result, defect)
    with pytest.raises(AssertionError):
        settle("mine", ABOUT)


def test_a_method_that_was_not_called_or_a_new_version_fails(monkeypatch):
    record("mine", "read", "works")
    monkeypatch.setenv(UPDATE, "1")
    settle("mine", ABOUT)
    monkeypatch.delenv(UPDATE)
    with pytest.raises(AssertionError):
        settle("mine", ABOUT._replace(package="a-library 1.2.4"))
    monkeypatch.setattr(conformance_table, "_found", {})
    with pytest.raises(AssertionError):
        settle("mine", ABOUT)


def test_what_fails_or_contradicts_itself_is_not_noted():
    for result, defect in (("fails", "no answer"), ("works", "but"), ("defect", "")):
        with pytest.raises(AssertionError):
            record("mine", "read", result, defect)
    record("mine", "read", "works")
    with pytest.raises(AssertionError):
        record("mine", "read", "defect", "not always")
