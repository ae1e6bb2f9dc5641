"""What is said of one operation: who may ask, with what, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import msgspec

from callwright.openapi.shapes import Shape

JSON = "application/json"


class Access(Enum):
    """Who may ask. The values are what a reader is told."""

    ANYONE = "anyone"
    KEY = "an access key, or the control socket"
    NETWORK = "an access key, and not the control socket"
    SOCKET = "the control socket alone"


class Place(Enum):
    """Where a parameter stands, in OpenAPI's words."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"


class Parameter(msgspec.Struct, frozen=True):
    """`shape` has the sentence. One that is `repeated` may be given several times, and its shape is a list's.

    One that is `open` stands for many of its kind: its name is what comes before a dot, ``metadata`` for ``metadata.NAME``.
    Its shape is that of an object with those whole names, by their pattern: clients send such names as they are.
    """

    name: str
    shape: Shape
    place: Place = Place.QUERY
    repeated: bool = False
    open: bool = False


class Body(msgspec.Struct, frozen=True):
    """What is sent; `example` where the one made of the shape's examples would say less."""

    shape: Shape
    example: Any = None
    optional: bool = False


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What can be asked next, by the name of its operation: `parameters` are expressions over the answer."""

    operation: str
    parameters: dict[str, str]
    sentence: str


class Answer(msgspec.Struct, frozen=True):
    """An answer without a `shape` has no body, or one of another `media` than JSON; `lines` is what a line of it is.
    `headers` are there each time, `links` by a name of their own.
    """

    status: int
    sentence: str
    shape: Shape | None = None
    example: Any = None
    media: str = JSON
    lines: Shape | None = None
    headers: dict[str, str] = {}
    links: dict[str, Link] = {}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is what programs that are made of the document call it. `failures` are statuses beside those that its chapter
    gives to operations of its kind.
    """

    method: str
    path: str
    name: str
    tag: str
    access: Access = Access.KEY
    summary: str
    sentence: str = ""
    parameters: Sequence[Parameter] = ()
    body: Body | None = None
    answers: Sequence[Answer]
    failures: Sequence[int] = ()

    def of(self, place: Place) -> list[Parameter]:
        return [parameter for parameter in self.parameters if parameter.place is place]


def operation(
    asked: str,
    name: str,
    summary: str,
    *answers: Answer,
    tag: str,
    access: Access = Access.KEY,
    sentence: str = "",
    parameters: Sequence[Parameter] = (),
    body: Body | None = None,
    failures: Sequence[int] = (),
) -> Operation:
    """An operation in the order of a sentence; `asked` is what a request begins with: ``GET /calls/{call}``.

    What several have in common is bound once, with one `functools.partial`: types are not checked through a second.
    """
    method, _, path = asked.partition(" ")
    return Operation(
        method=method,
        path=path,
        name=name,
        tag=tag,
        access=access,
        summary=summary,
        sentence=sentence,
        parameters=parameters,
        body=body,
        answers=answers,
        failures=failures,
    )
