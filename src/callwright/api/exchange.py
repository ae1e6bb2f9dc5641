"""One request and its answer."""

from __future__ import annotations

from typing import NamedTuple, NoReturn
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.types import Receive, Scope, Send

from callwright import ids
from callwright.accounts.worlds import World
from callwright.api.parts import Parts
from callwright.dialect import envelope
from callwright.dialect.paging import Page, page_of
from callwright.dialect.strictness import Strictness
from callwright.errors import NotFound, Problem, TooLarge

RETRY_AFTER_S = 5

Header = tuple[bytes, bytes]
_BODILESS = (204, 304)


class Disconnected(Exception):
    """The client went away in the middle of its request; nobody is there to be answered."""


class Answer(NamedTuple):
    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = ()
    content_type: bytes = b"application/json"


NO_CONTENT = Answer(204)


class Request:
    """A request that has been let in: `variables` are the variable parts of its path, in order."""

    __slots__ = ("_receive", "_scope", "parts", "variables", "world")

    def __init__(self, parts: Parts, world: World, variables: tuple[str, ...], scope: Scope, receive: Receive) -> None:
        self.parts = parts
        self.world = world
        self.variables = variables
        self._scope = scope
        self._receive = receive

    @property
    def method(self) -> str:
        method: str = self._scope["method"]
        return method

    def header(self, name: bytes) -> str:
        """The first header of a name (lower case); empty when there is none."""
        return header(self._scope, name).decode("latin-1")

    def query(self, name: str) -> str | None:
        """The first value of a parameter, whatever the case of its name."""
        return next((value for key, value in parse_qsl(query_of(self._scope)) if key.lower() == name), None)

    @property
    def page(self) -> Page:
        return page_of(query_of(self._scope))

    def id(self, what: str, index: int = 0) -> UUID:
        """A variable part as an id; what cannot be one was not found."""
        text = self.variables[index]
        return ids.parse(text) or _not_found(what, text)

    async def body(self) -> bytes:
        """Read the body. Raises `TooLarge`, before reading when its length is announced, and `Disconnected`."""
        limit = self.parts.limits.body
        refusal = TooLarge(f"The body has more than {limit} bytes.")
        announced = header(self._scope, b"content-length")
        if announced.isdigit() and int(announced) > limit:
            raise refusal
        chunks = []
        size = 0
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise refusal
            chunks.append(chunk)
            more = message.get("more_body", False)
        return b"".join(chunks)


def header(scope: Scope, name: bytes) -> bytes:
    """The first header of a name (lower case); empty when there is none."""
    return next((value for key, value in scope["headers"] if key == name), b"")


def query_of(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    return query.decode("latin-1")


def failed(problem: Problem, strictness: Strictness, *extra: Header) -> Answer:
    """The one rendering of whatever went wrong (contract §3.4)."""
    headers = list(extra)
    if problem.http == 401:
        headers.append((b"www-authenticate", b"AccessKey"))  # RFC 9110 §11.6.1
    elif problem.http == 413:
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    elif problem.http == 503:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER_S))
    return Answer(strictness.http(problem), envelope.failure(problem, strictness), tuple(headers))


async def send_answer(send: Send, answer: Answer, *, with_body: bool = True) -> None:
    """Send an answer; to HEAD only what announces the body."""
    headers = list(answer.headers)
    if answer.status not in _BODILESS:
        headers += [(b"content-type", answer.content_type), (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})


def _not_found(what: str, text: str) -> NoReturn:
    raise NotFound(f"No {what} found for ID `{text[:64]}`.")
