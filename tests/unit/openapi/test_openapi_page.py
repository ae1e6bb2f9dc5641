"""The page shows all of a document, runs nothing, loads nothing, and lets no text become markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from callwright.openapi.page import render
from support.described import document, operations_of

VOID = {"meta", "br", "wbr"}
PAGE = render(document())


class Reader(HTMLParser):
    """Fails on a tag that is closed out of order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        self.loaded += [
            (name, value) for name, value in attrs if name in ("src", "srcset", "data", "style") or name[:2] == "on"
        ]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def read():
    return Reader(PAGE)


def test_it_is_well_formed_and_every_link_leads_somewhere(read):
    assert read.open == []
    assert len(read.ids) == len(set(read.ids))
    inner = {link[1:] for link in read.links if link.startswith("#")}
    assert inner - set(read.ids) == set()
    assert [link for link in read.links if not link.startswith("#")] == ["/openapi.json"]


def test_it_loads_and_runs_nothing(read):
    assert read.loaded == []
    assert read.tags.isdisjoint({"script", "link", "img", "iframe", "form", "object", "base"})
    (style,) = re.findall(r"<style>(.*?)</style>", PAGE, re.DOTALL)
    assert not re.search(r"url\(|@import|http", style)
    assert "prefers-color-scheme: dark" in style


def test_everything_of_the_document_is_on_it(read):
    told = re.sub(r"\s+", " ", read.text)
    for path in document()["paths"]:
        for method, operation in operations_of(path).items():
            assert f"{method.upper()} {path}" in told
            assert operation["summary"] in told
            assert operation["operationId"] in read.ids
            for parameter in operation.get("parameters", ()):
                assert parameter["description"].replace("`", "") in told
    for name, schema in document()["components"]["schemas"].items():
        assert f"shape-{name}" in read.ids
        for key in schema.get("properties", ()):
            assert key in told
    for name in document()["components"]["responses"]:
        assert f"failure-{name}" in read.ids


def test_what_is_said_of_an_operation_is_text_and_never_markup():
    evil = "<script>alert('`&\"')</script>"
    spoilt = _spoilt(document(), evil)
    page = render(spoilt)
    assert "<script" not in page
    assert Reader(page).open == []
    assert "alert(" in page


def test_operations_of_the_socket_are_shown_with_the_socket(read):
    assert "curl --unix-socket callwright-data/run/control.sock" in read.text
    assert "Over the control socket alone" in read.text


def _spoilt(value, evil, key=""):
    """The document with every sentence, example and title replaced."""
    if isinstance(value, dict):
        return {name: _spoilt(inner, evil, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_spoilt(inner, evil, key) for inner in value]
    return evil if key in ("description", "summary", "title", "examples", "example") and isinstance(value, str) else value
