"""What many operations share: envelopes, pages, ids in the path."""

from __future__ import annotations

from callwright.dialect.paging import DEFAULT_SIZE, MAX_SIZE
from callwright.openapi.operation import Answer, Link, Parameter, Place
from callwright.openapi.shapes import ID, Named, Shape, exactly, identity, moment, several, text, whole

_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SECONDS = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"


def time(said: str) -> Shape:
    """UTC in whole seconds (contract §1.6)."""
    return moment(said, "2024-05-02T10:00:00Z") | {"pattern": _SECONDS}


STAMPS = {"createdAt": time("When it was made."), "updatedAt": time("When it was changed last.")}


def path(template: str, said: str) -> Shape:
    """A link: a path without host and without ``/v1``, with ids where `template` has ``{}`` (contract §1.5)."""
    pattern = template.replace(".", r"\.").replace("{}", _UUID)
    return text(said, template.replace("{}", ID), pattern=f"^{pattern}$")


def links(of: dict[str, Shape]) -> Shape:
    """``_links`` with these keys and no other; all are texts, as Go, Java and C# want them."""
    return {
        "type": "object",
        "description": "Paths without host and without `/v1`.",
        "properties": of,
        "required": list(of),
        "additionalProperties": False,
    }


_NO_PAGE = exactly(
    "NoPagination",
    "Of a single thing: four zeros.",
    {
        key: {"type": "integer", "enum": [0], "description": "0.", "examples": [0]}
        for key in ("totalCount", "pageCount", "currentPage", "perPage")
    },
)
_PAGINATION = exactly(
    "Pagination",
    "Where in the list this page is.",
    {
        "totalCount": whole("How many there are in all, exactly.", 1),
        "pageCount": whole("How many pages; 0 when there is nothing.", 1),
        "currentPage": whole("The page that was asked for, also one past the end.", 1, 1),
        "perPage": whole("How many a page has at most.", DEFAULT_SIZE, 1, MAX_SIZE),
    },
)


def answer(name: str, of: Named, links_: Shape) -> Named:
    """A single thing: an array of one (contract §1.4)."""
    return exactly(
        name,
        "One thing, in an array. A success never has a key `errors`: libraries test for its presence.",
        {"data": several(of, "One.", minItems=1, maxItems=1), "_links": links_, "pagination": _NO_PAGE},
    )


def listing(name: str, of: Named, template: str) -> Named:
    link = path(template, "The page, under the name `page` whatever the client called it.")
    link["pattern"] = link["pattern"][:-1] + r"\?page=\d+$"
    link["examples"] = [link["examples"][0] + "?page=1"]
    return exactly(
        name,
        "A page of a list, newest first.",
        {
            "data": several(of, "What is on this page; `[]` where there is nothing.", maxItems=MAX_SIZE),
            "_links": links({"self": link}),
            "pagination": _PAGINATION,
        },
    )


def identified(what: str) -> Parameter:
    """The path's ``{call}`` and the like."""
    return Parameter(what, identity(f"The id of the {what}."), place=Place.PATH)


NUMBER = Parameter(
    "number",
    text("A telephone number, with or without a plus sign.", "31205550123", pattern=r"^\+?[1-9][0-9]{2,14}$"),
    place=Place.PATH,
)
PAGED = tuple(
    Parameter(name, {"type": "integer", "description": said, "examples": [example]})
    for name, said, example in (
        ("page", "The page, from 1; 0 and below mean 1.", 1),
        ("perPage", f"Rows a page: {DEFAULT_SIZE} without it or below 1, {MAX_SIZE} at most.", DEFAULT_SIZE),
        ("limit", "The same as `perPage`, which goes first.", DEFAULT_SIZE),
        ("currentPage", "The same as `page`, which goes first.", 1),
        ("offset", "Where neither is sent: the page that holds this row, from 0.", 0),
    )
)
GONE = Answer(204, "It is gone.")


def next_(operation: str, sentence: str, **parameters: str) -> Link:
    """What can be asked of what was answered; a parameter is a pointer into the first thing of ``data``, or ``path.NAME``."""
    told = {
        name: f"$request.path.{where[5:]}" if where.startswith("path.") else f"$response.body#/data/0/{where}"
        for name, where in parameters.items()
    }
    return Link(operation=operation, parameters=told, sentence=sentence)
