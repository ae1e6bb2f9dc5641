"""What a tag step writes on its call: tags and metadata, with what variables hold in the place of their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from callwright.calls.labels import Relabelling, checked_metadata, checked_tags, wrong_with_tag, wrong_with_value
from callwright.errors import Invalid, Missing
from callwright.flows.effects import Label
from callwright.flows.model import MAX_NAME, TagOptions

_VARIABLE = re.compile(rf"\{{\{{\s*([^{{}}]{{1,{MAX_NAME}}}?)\s*\}}\}}")


def label(options: TagOptions, variables: Mapping[str, str]) -> Label:
    """What the step writes. A text that is empty with what its variables hold is left out, and so is one that is too long."""
    left_out: list[str] = []
    added = _tags(texts_of(options.tags), variables, left_out)
    removed = _tags(texts_of(options.remove), variables, left_out)
    metadata: dict[str, str | None] = {}
    for name, text in options.metadata.items():
        value = None if text is None else _filled(text, variables)
        if value is not None and not value.strip():
            continue
        if value is not None and (wrong := wrong_with_value(value)) is not None:
            left_out.append(f"metadata {name} {wrong}")
        else:
            metadata[name] = value
    change = Relabelling(added=added, removed=tuple(tag for tag in removed if tag not in added), metadata=metadata)
    return Label(change, tuple(left_out))


def texts_of(tags: str | tuple[str, ...]) -> tuple[str, ...]:
    """
    >>> texts_of("vip, menu-{{choice}}")
    ('vip', 'menu-{{choice}}')
    """
    return tuple(tag.strip() for tag in (tags.split(",") if isinstance(tags, str) else tags))


def variables_of(options: TagOptions) -> Iterator[tuple[str, str]]:
    """The variables a step reads, each with the option that does."""
    for text in texts_of(options.tags):
        yield from (("tags", name) for name in _VARIABLE.findall(text))
    for text in texts_of(options.remove):
        yield from (("remove", name) for name in _VARIABLE.findall(text))
    for name, value in options.metadata.items():
        yield from ((f"metadata.{name}", variable) for variable in _VARIABLE.findall(value or ""))


def check_labels(options: TagOptions, place: str) -> None:
    """Hold a step to the limits, as far as they can be told before it runs. Raises `Invalid` or `Missing`."""
    if not (options.tags or options.remove or options.metadata):
        raise Missing('A tag step needs tags, remove or metadata, such as "tags": ["vip"].', parameter=f"{place}.tags")
    added, removed = texts_of(options.tags), texts_of(options.remove)
    checked_tags([_at_least(tag) for tag in added], f"{place}.tags")
    checked_tags([_at_least(tag) for tag in removed], f"{place}.remove")
    if both := [tag for tag in added if tag in removed]:
        raise Invalid(f"{both[0]!r} cannot be both added and removed. Leave one of them out.", parameter=f"{place}.remove")
    named = {name: None if value is None else _at_least(value) for name, value in options.metadata.items()}
    checked_metadata(named, f"{place}.metadata")


def _tags(texts: Iterable[str], variables: Mapping[str, str], left_out: list[str]) -> tuple[str, ...]:
    tags = []
    for text in texts:
        tag = _filled(text, variables).strip()
        if (wrong := wrong_with_tag(tag)) is None:
            tags.append(tag)
        elif tag:
            left_out.append(f"tag {text} {wrong}")
    return tuple(dict.fromkeys(tags))


def _filled(text: str, variables: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: variables.get(found[1], ""), text)


def _at_least(text: str) -> str:
    """A text with the least that its variables may hold: one key."""
    return _VARIABLE.sub("0", text)
