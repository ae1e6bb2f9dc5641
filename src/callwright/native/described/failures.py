"""What an answer is when something cannot be done (`native.routes`), and which operations may have it."""

from __future__ import annotations

from typing import Any

from callwright.native.described.common import FAILURE_OF
from callwright.openapi.document import Failure
from callwright.openapi.operation import Access, Operation, Place


def _failure(name: str, sentence: str, headers: dict[str, str] | None = None, **shown: Any) -> Failure:
    """`shown` are the keys of the example that are not null."""
    example = {"error": {key: shown.get(key) for key in FAILURE_OF["properties"]}}
    return Failure(name=name, sentence=sentence, headers=headers or {}, example=example)


FAILURES = {
    400: _failure(
        "Malformed",
        "The body cannot be read, or a value in it is wrong or missing.",
        code=10,
        message="kind must be live or test; it was 'both'.",
        parameter="kind",
    ),
    401: _failure(
        "Unauthenticated",
        "No access key, or not a known one.",
        code=15,
        message="No access key, or not a known one. Send the header: Authorization: AccessKey <key>.",
    ),
    403: _failure(
        "Forbidden",
        "This may not be done from here.",
        code=2,
        message="This is done on the server's own machine, over its control socket.",
        remedy="Run callwright there as the user that owns the data folder.",
    ),
    404: _failure(
        "NotFound",
        "There is no such thing in this world.",
        code=13,
        message="No call found for ID `01a01f4e-6a3b-7c52-9d0e-4f1b2c3d4e5f`.",
    ),
    409: _failure(
        "Conflict",
        "The object is not in a state that allows this.",
        code=10,
        message="The recording is over.",
    ),
    413: _failure(
        "TooLarge",
        "The body is larger than api.body_limit.",
        code=21,
        message="The body is larger than 65536 bytes (setting api.body_limit).",
    ),
    422: _failure(
        "BadQuery",
        "A parameter is not known, is wrong, or does not go with another; `example` has the right form.",
        code=10,
        message="limit must be a whole number from 1 to 1000; it was '0'.",
        parameter="limit",
        example="limit=100",
    ),
    500: _failure(
        "Fault",
        "A fault of the server; its log has the details.",
        code=99,
        message="Something failed inside the server; its log has the details.",
    ),
    503: _failure(
        "Unavailable",
        "The server cannot do it now; try again.",
        {"Retry-After": "Seconds to wait before asking again."},
        code=99,
        message="No server runs on this data folder.",
        remedy="Start it: callwright serve",
    ),
}


def failures_of(operation: Operation) -> set[int]:
    """Statuses that an operation may answer with when it cannot be done: every one has 500 and 503, a key 401, what is read
    of the request 400, 413 and 422, an id in the path 404.
    """
    found = {500, 503, *operation.failures}
    if operation.access is not Access.ANYONE:
        found |= {400, 401 if operation.access is Access.KEY else 403}
    if operation.access is not Access.ANYONE or operation.of(Place.QUERY):
        found.add(422)
    if operation.body is not None:
        found |= {400, 413}
    if operation.of(Place.PATH):
        found.add(404)
    return found
