"""Tags and metadata: what programs and flows write on a call, to find it by and to tell calls apart.

A tag is a word or a few; metadata are texts by name. Both are a customer's own: nothing here reads a meaning into them, and
they are on no wire that other software reads (``docs/decisions/0045-tags-and-metadata.md``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from callwright.calls.model import Call
from callwright.errors import Invalid

MOST_TAGS = 20
LONGEST_TAG = 64  # characters, as all lengths here
MOST_METADATA = 50
LONGEST_NAME = 40
LONGEST_VALUE = 500
NAME_PATTERN = rf"^[A-Za-z0-9_.-]{{1,{LONGEST_NAME}}}$"
_NAME = re.compile(NAME_PATTERN.replace("$", r"\Z"))
_SHOWN = 80  # characters of what was sent, in a message


class Relabelling(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become of a call's labels, all of it checked.

    `tags` take the place of those that are there, None leaves them; then those of `removed` go and those of `added` come.
    Metadata are set by name, and taken away where the value is None.
    """

    tags: tuple[str, ...] | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    metadata: dict[str, str | None] = {}


class Relabelled(NamedTuple):
    """A call with its new labels; `left_out` says what did not fit any more, each with the reason."""

    call: Call
    left_out: tuple[str, ...] = ()


def relabelled(call: Call, change: Relabelling) -> Call:
    """The call with what the change makes of its labels; the very same one when it makes nothing of them.

    Raises `Invalid` when it would have too many.
    """
    after = relabelled_as_far_as_fits(call, change)
    if after.left_out:
        tags = tags_after(call.tags, change)
        if len(tags) > MOST_TAGS:
            raise Invalid(
                f"A call may have {MOST_TAGS} tags; it would have {len(tags)}. Remove some (removeTags).",
                parameter="addTags" if change.tags is None else "tags",
            )
        raise Invalid(
            f"A call may have {MOST_METADATA} metadata; this would make it more. Remove some: null as a value does.",
            parameter="metadata",
        )
    return after.call


def relabelled_as_far_as_fits(call: Call, change: Relabelling) -> Relabelled:
    """As `relabelled`; what would be too many is left out, the last first."""
    tags = tags_after(call.tags, change)
    left_out = [f"tag {tag}: a call may have {MOST_TAGS}" for tag in tags[MOST_TAGS:]]
    metadata = dict(call.metadata)
    for name, value in change.metadata.items():
        if value is None:
            metadata.pop(name, None)
    for name, value in change.metadata.items():
        if value is None:
            continue
        if name in metadata or len(metadata) < MOST_METADATA:
            metadata[name] = value
        else:
            left_out.append(f"metadata {name}: a call may have {MOST_METADATA}")
    tags = tags[:MOST_TAGS]
    if tags == call.tags and metadata == call.metadata:
        return Relabelled(call, tuple(left_out))
    return Relabelled(replace(call, tags=tags, metadata=metadata), tuple(left_out))


def tags_after(tags: tuple[str, ...], change: Relabelling) -> tuple[str, ...]:
    """
    >>> tags_after(("new", "vip"), Relabelling(added=("vip", "paid"), removed=("new",)))
    ('vip', 'paid')
    """
    before = tags if change.tags is None else change.tags
    return tuple(dict.fromkeys((*(tag for tag in before if tag not in change.removed), *change.added)))


def checked_tags(sent: Any, place: str) -> tuple[str, ...]:
    """Tags as they are kept: without space around them, each once. Raises `Invalid`; `place` is their parameter."""
    if not isinstance(sent, list | tuple):
        raise Invalid(f'{place} must be an array of texts, such as ["vip", "new"].', parameter=place)
    tags = []
    for index, tag in enumerate(sent):
        if not isinstance(tag, str):
            raise Invalid(f'{place}[{index}] must be a text, such as "vip"; {_seen(tag)}.', parameter=f"{place}[{index}]")
        if (wrong := wrong_with_tag(tag.strip())) is not None:
            raise Invalid(f"{place}[{index}] {wrong}.", parameter=f"{place}[{index}]")
        tags.append(tag.strip())
    unique = tuple(dict.fromkeys(tags))
    if len(unique) > MOST_TAGS:
        raise Invalid(f"{place} may hold {MOST_TAGS} tags; it holds {len(unique)}.", parameter=place)
    return unique


def checked_metadata(sent: Any, place: str) -> dict[str, str | None]:
    """Metadata as they are kept; None is what is to be taken away. Raises `Invalid`; `place` is their parameter."""
    if not isinstance(sent, Mapping):
        raise Invalid(f'{place} must be an object of texts, such as {{"customer": "42"}}.', parameter=place)
    for name, value in sent.items():
        parameter = f"{place}.{name[:LONGEST_NAME]}"
        if not _NAME.match(name):
            raise Invalid(
                f"{name[:_SHOWN]!r} is no name for metadata: 1 to {LONGEST_NAME} of A-Z, a-z, 0-9, _, . and -.",
                parameter=parameter,
            )
        if value is None:
            continue
        if not isinstance(value, str):
            raise Invalid(f'{parameter} must be a text, such as "42"; {_seen(value)}.', parameter=parameter)
        if (wrong := wrong_with_value(value)) is not None:
            raise Invalid(f"{parameter} {wrong}.", parameter=parameter)
    if len(sent) > MOST_METADATA:
        raise Invalid(f"{place} may hold {MOST_METADATA} texts; it holds {len(sent)}.", parameter=place)
    return dict(sent)


def wrong_with_tag(tag: str) -> str | None:
    """What keeps a text from being a tag, to follow its name in a sentence."""
    if not 0 < len(tag) <= LONGEST_TAG:
        return f"must have 1 to {LONGEST_TAG} characters; it has {len(tag)}"
    if "," in tag:
        return f"must hold no comma, which stands between tags; it was {tag!r}"
    return _unprintable(tag)


def wrong_with_value(value: str) -> str | None:
    """What keeps a text from being a value of metadata."""
    if not 0 < len(value) <= LONGEST_VALUE:
        return f"must have 1 to {LONGEST_VALUE} characters; it has {len(value)}"
    return _unprintable(value) or (None if value.strip() else "must hold more than spaces")


def _unprintable(text: str) -> str | None:
    strange = next((char for char in text if not char.isprintable()), None)
    return None if strange is None else f"must hold characters that can be printed; it holds U+{ord(strange):04X}"


def _seen(value: Any) -> str:
    if isinstance(value, bool):
        return f"it was {str(value).lower()}"
    if isinstance(value, int | float):
        return f"it was the number {str(value)[:20]}; put it in quotes"
    return f"it was {'null' if value is None else 'an array' if isinstance(value, list) else 'an object'}"
