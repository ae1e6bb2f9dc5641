"""What an answer is when something cannot be done (contract §3.4), and which operations may have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callwright.dialect.strictness import Strictness
from callwright.openapi.document import Failure
from callwright.openapi.operation import Operation, Place
from callwright.openapi.shapes import Named, exactly, several, text

INVALID, CONFLICT = 400, 409  # as the vendor's reference has them
READABLE = 422  # what stands for both unless compatibility.documented_status_codes is set

_UNAUTHENTICATED = "No access key, or not a known one. Send the header: Authorization: AccessKey <key>."
_INVALID = "The body cannot be read, or a value is wrong or missing."
_CONFLICT = "A limit is reached, or the object is over or cannot have this now."


def failure(strictness: Strictness) -> Named:
    item = exactly(
        "VoiceErrorItem",
        "What went wrong, for programs and for people.",
        {
            "code": {
                "type": "integer",
                "enum": sorted({2, 10, 11, 13, strictness.authentication_code, 21, 98, 99}),
                "description": "13: not found. 11: something is missing. 10: a value is wrong, or cannot be had now. 21: the "
                "body cannot be read, or is too large. 98: no such path or method. 99: the server's own trouble.",
                "examples": [13],
            },
            "message": text("What went wrong, in a sentence that says what was seen.", "No call found for ID `…`."),
            "description": text("The same: libraries read one or the other.", "No call found for ID `…`."),
            "parameter": text("Which value is meant.", "callFlow.steps[0].action"),
        },
        optional=("parameter",),
    )
    return exactly(
        "VoiceError",
        "The body of every answer of 400 and more. It has no `pagination`: one library could not read it then.",
        {
            "data": {"type": "null", "description": "Nothing."},
            "errors": several(item, "One, always.", minItems=1, maxItems=1),
        },
    )


def failures(strictness: Strictness) -> dict[int, Failure]:
    """By status, in the order of the page."""
    invalid = _failure("VoiceInvalid", _INVALID, 11, "source is missing: a telephone number.", parameter="source")
    conflict = _failure("VoiceConflict", _CONFLICT, 10, "The call is over.")
    told = {
        401: _failure(
            "VoiceUnauthenticated",
            "No access key, or not one that is in force.",
            strictness.authentication_code,
            _UNAUTHENTICATED,
            headers={"WWW-Authenticate": "`AccessKey`."},
        ),
        404: _failure(
            "VoiceNotFound",
            "There is no such thing in this world, or no file of it yet.",
            13,
            "No call found for ID `01a01f4e-6a3b-7c52-9d0e-4f1b2c3d4e5f`.",
        ),
        413: _failure("VoiceTooLarge", "The body is larger than api.body_limit.", 21, "The body has more than 65536 bytes."),
        416: _failure(
            "VoiceOutOfRange",
            "The file has no such part.",
            10,
            "The file has 44 bytes, none of which was asked for (bytes=90-).",
            headers={"Content-Range": "`bytes */` and the size of the file."},
        ),
        500: _failure(
            "VoiceFault",
            "A fault of the server; its log has the details.",
            99,
            "Something went wrong in the server; its log says what.",
        ),
        503: _failure(
            "VoiceUnavailable",
            "No call can be placed, or nothing be written, now.",
            99,
            "Nothing was changed: the database does not accept writes.",
            headers={"Retry-After": "Seconds to wait before asking again."},
        ),
    }
    if strictness.documented_status_codes:
        told |= {INVALID: invalid, CONFLICT: conflict}
    else:
        both = f"{_INVALID[:-1]}; or {_CONFLICT[0].lower()}{_CONFLICT[1:]}"
        told[READABLE] = Failure(name="VoiceRefused", sentence=both, example=invalid.example)
    return dict(sorted(told.items()))


def failures_of(strictness: Strictness) -> Callable[[Operation], set[int]]:
    """Every operation has 401, 500 and 503; one with a body 413 and what is wrong in it; one with an id in its path 404."""

    def found(operation: Operation) -> set[int]:
        statuses = {401, 500, 503, *operation.failures}
        if operation.body is not None:
            statuses |= {INVALID, 413}
        if operation.of(Place.PATH):
            statuses.add(404)
        if strictness.documented_status_codes:
            return statuses
        return {READABLE if status in (INVALID, CONFLICT) else status for status in statuses}

    return found


def _failure(
    name: str, sentence: str, code: int, message: str, *, parameter: str = "", headers: dict[str, str] | None = None
) -> Failure:
    item: dict[str, Any] = {"code": code, "message": message, "description": message}
    if parameter:
        item["parameter"] = parameter
    return Failure(name=name, sentence=sentence, example={"data": None, "errors": [item]}, headers=headers or {})
