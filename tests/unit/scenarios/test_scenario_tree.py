"""YAML as texts with their places: none of its guesses, and no end of it that is not bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callwright.scenarios import tree
from callwright.scenarios.tree import NotYaml, Place, Scalar, Sequence, Table, parse, plain_value


def only(text: str) -> Any:
    (document,) = parse(text)
    return document


@pytest.mark.parametrize(
    "written", ["012", "no", "12:30", "1_000", "0x1f", "+31", "1e3", ".inf", "2024-01-01", "~x", "NO", "1."]
)
def test_a_text_is_what_was_written(written: str) -> None:
    node = only(f"key: {written}").entries["key"]
    assert (node.text, node.plain) == (written, True)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("12", 12),
        ("-1.5", -1.5),
        ("1e3", 1000.0),
        ("012", "012"),
        ("+12", "+12"),
        ("1_000", "1_000"),
        ("true", True),
        ("no", "no"),
        ("null", None),
        ("~", None),
        ('"12"', "12"),
        ("'null'", "null"),
        ("", None),
        ("9" * 60, "9" * 60),
    ],
)
def test_where_anything_may_stand_it_means_what_it_means_in_json(written: str, meant: Any) -> None:
    assert plain_value(only(f"key: {written}")) == {"key": meant}


def test_keys_are_texts_and_places_count_from_one() -> None:
    table = only("a:\n  1: x\n  true: [y]\n")
    assert isinstance(table, Table)
    below = table.entries["a"]
    assert isinstance(below, Table)
    assert list(below.entries) == ["1", "true"]
    assert below.keys == {"1": Place(2, 3), "true": Place(3, 3)}
    assert below.entries["true"] == Sequence(Place(3, 9), [Scalar(Place(3, 10), "y", True)])


def test_several_documents_and_aliases() -> None:
    assert [plain_value(document) for document in parse("a: &x [1]\nb: *x\n---\n- c\n")] == [{"a": [1], "b": [1]}, ["c"]]


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("a: 1\nb: 2\na: 3", (3, 1), "a is there twice, first in line 1; leave one of them out"),
        ("a: b: c", (1, 5), "a colon too many"),
        ("a: @x", (1, 4), "a text that begins with @ must be in quotes"),
        ("press: *1", (1, 8), '*1 stands for something that is named &1 before it, and there is none; for the text write "*1"'),
        ("press: *", (1, 9), "begins with * or & must be in quotes"),
        ("a: 'x", (1, 6), "a quote is opened and never closed"),
        ("a:\n\tb: 1", (2, 1), "a tab cannot indent"),
        ("a: !!int 3", (1, 4), "is a tag, which has no meaning here; leave it out"),
        ("? [a]\n: b", (1, 3), "a key must be a text"),
        ("a: \x07", (1, 4), "control character (number 7)"),
        ("%YAML 3.1\n---\na: 1", (1, 1), "leave out %YAML"),
        ("a: &x [*x]", (1, 8), "there is none"),
        ("a: &x [1]\nb: &x [*x]", (2, 8), "there is none"),
        ("[" * 65, (1, 65), "nested more than 64 levels"),
        ("[" * 100_000, (1, 1001), "nested more than 64 levels"),
    ],
)
def test_what_is_no_yaml_for_us(text: str, place: tuple[int, int], sentence: str) -> None:
    with pytest.raises(NotYaml) as problem:
        list(parse(text))
    assert sentence in str(problem.value)
    assert problem.value.place == place


def test_a_billion_laughs_are_counted_before_they_are_laughed() -> None:
    rows = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(NotYaml, match=f"more than {tree.MAX_NODES} parts"):
        list(parse("\n".join(rows)))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(st.characters(codec="utf-8", categories=["L", "N", "P"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef", min_size=1), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40)
@given(st.dictionaries(st.text("abc"), json_values))
def test_json_is_yaml(value: dict[str, Any]) -> None:
    assert plain_value(only(json.dumps(value))) == value
