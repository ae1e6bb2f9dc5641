"""What many operations share: ids in the path, pages by counting, and how every failure looks."""

from __future__ import annotations

from callwright.native.asking import DEFAULT_LIMIT, MOST_LIMIT
from callwright.openapi.operation import Answer, Parameter, Place
from callwright.openapi.shapes import Shape, identity, moment, or_null, record, several, text, whole

FAILURE_OF = record(
    "Problem",
    "What went wrong, for programs and for people.",
    {
        "code": whole("The number that the compatible interface has for it.", 10),
        "message": text("What went wrong, in a sentence that says what was seen.", "limit must be a whole number."),
        "parameter": or_null(text("Which value is meant: of the query, the body or a header.", "limit")),
        "remedy": or_null(text("What to do about it.", "Start it: callwright serve"), None),
        "example": or_null(text("The right form of a parameter of the query.", "limit=100"), None),
    },
)
FAILURE = record("Failure", "The body of every answer of 400 and more.", {"error": FAILURE_OF})


def identified(what: str, name: str = "id") -> Parameter:
    return Parameter(name, identity(f"The id of {what}."), place=Place.PATH)


def stamps(made: str = "When it was made.") -> dict[str, Shape]:
    """The two times that most things have."""
    return {"createdAt": moment(made), "updatedAt": moment("When it was changed last.")}


def headers(sentence: str, example: str) -> Shape:
    """Headers of HTTP in their order; one may come twice."""
    header = several(
        text("Name, then value.", example), "A header.", minItems=2, maxItems=2, examples=[["content-type", "application/json"]]
    )
    return several(header, sentence)


NUMBER = Parameter("number", text("A number of this world, with or without a plus sign.", "31205550100"), place=Place.PATH)
LIMIT = Parameter("limit", whole("How many a page has at most.", DEFAULT_LIMIT, 1, MOST_LIMIT, default=DEFAULT_LIMIT))
OFFSET = Parameter("offset", whole("How many come before the page.", 0, 0, 2**31 - 1, default=0))
PAGED = (LIMIT, OFFSET)
DONE = Answer(204, "It is done.")
