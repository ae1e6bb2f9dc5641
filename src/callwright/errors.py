"""What can go wrong, for callers to catch.

CallwrightError
  Problem                 an answer of the HTTP interfaces; nothing else crosses the api rooms
    Invalid               422  a value is wrong
    Missing               422  a required value is absent
    BadQuery              422  the query of a native path is wrong
    Malformed             422  the body cannot be read
    Conflict              422  the request is right, the state is not
    Unauthenticated       401
    Forbidden             403
    NotFound              404
    NoRoute               404  no such path
    WrongMethod           405
    TooLarge              413
    OutOfRange            416  no such part of a file
    Unreadable            500  a row of the record holds what nobody wrote there
    Unavailable           503
  StoreUnavailable        the database refuses to commit
  SettingsError           a setting cannot be used; names it and the remedy
  DataFolderError         the data folder cannot be used
"""

from __future__ import annotations

import re

# Escapes of a JSON text; in the group half of a character, which has no other half behind it.
_ESCAPE = re.compile(rb"(?s)\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.")


class CallwrightError(Exception):
    """Something went wrong in Callwright."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])


class Problem(CallwrightError):
    """The request cannot be carried out.

    `http` is the status and `code` the number of the compatible API's error object (contract §3.4). `documented_http`
    is the status the vendor's reference names where that differs from the one its own libraries can read. `example` shows
    the right form of what is wrong.
    """

    http = 500
    documented_http = 500
    code = 99
    example: str | None = None

    def __init__(
        self, message: str | None = None, *, parameter: str | None = None, remedy: str | None = None, code: int | None = None
    ) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.remedy = remedy
        if code is not None:
            self.code = code

    @property
    def message(self) -> str:
        return str(self.args[0])


class Invalid(Problem):
    """A value is not valid."""

    http, documented_http, code = 422, 400, 10


class BadQuery(Problem):
    """The query cannot be answered."""

    http, documented_http, code = 422, 422, 10

    def __init__(
        self,
        message: str | None = None,
        *,
        parameter: str | None = None,
        example: str | None = None,
        remedy: str | None = None,
    ) -> None:
        """`example` is a parameter of the query, such as ``limit=100``, where another value of it would do."""
        super().__init__(message, parameter=parameter, remedy=remedy)
        self.example = example


class Missing(Problem):
    """A required parameter is missing."""

    http, documented_http, code = 422, 400, 11


class Malformed(Problem):
    """The body is not valid JSON."""

    http, documented_http, code = 422, 400, 21

    @classmethod
    def as_json(cls, sent: bytes, why: object) -> Malformed:
        """Bytes that are no JSON, and what a decoder says about them."""
        half = next((found[1].decode(errors="replace") for found in _ESCAPE.finditer(sent) if found[1]), None)
        if half is not None:  # of which decoders say that it is cut off
            return cls(f"The body is not valid JSON: {half} is half of a character.", remedy="Send both halves, or none.")
        return cls(f"The body is not valid JSON: {str(why).removeprefix('JSON is malformed: ')}.")


class Conflict(Problem):
    """The object is not in a state that allows this."""

    http, documented_http, code = 422, 409, 10


class Unauthenticated(Problem):
    """No access key, or not a known one. Send the header: Authorization: AccessKey <key>."""

    http, documented_http, code = 401, 401, 15


class Forbidden(Problem):
    """This may not be done from here."""

    http, documented_http, code = 403, 403, 2


class NotFound(Problem):
    """Not found."""

    http, documented_http, code = 404, 404, 13


class NoRoute(Problem):
    """There is no such path."""

    http, documented_http, code = 404, 404, 98


class WrongMethod(Problem):
    """This path does not know that method."""

    http, documented_http, code = 405, 405, 98


class TooLarge(Problem):
    """The body is too large."""

    http, documented_http, code = 413, 413, 21


class OutOfRange(Problem):
    """The file has no such part."""

    http, documented_http, code = 416, 416, 10


class Unreadable(Problem):
    """What is on record cannot be read."""

    def __init__(self, what: str | None = None) -> None:
        """`what` names the row, such as ``call 0189…``. A page without it would pass for the whole record."""
        super().__init__(
            None if what is None else f"On record {what} cannot be read, nor a page with it.",
            remedy="On the server, callwright doctor --deep names every value that is wrong, and says how to correct it.",
        )
        self.what = what or "something on record"


class Unavailable(Problem):
    """The service cannot do this now; try again."""

    http, documented_http, code = 503, 503, 99


class StoreUnavailable(CallwrightError):
    """The database does not accept writes."""


class SettingsError(CallwrightError):
    """A setting cannot be used."""


class DataFolderError(CallwrightError):
    """The data folder cannot be used."""
