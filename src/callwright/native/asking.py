"""One request: who asks, for which world, and what the query and the body say."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote, unquote_to_bytes
from uuid import UUID

import msgspec
from starlette.requests import Request

from callwright import ids
from callwright.accounts.worlds import LIVE, TEST, Accounts, World
from callwright.calls.feed import Feed
from callwright.clock import Clock, from_rfc3339
from callwright.errors import BadQuery, Invalid, Malformed, Missing, NotFound, TooLarge
from callwright.flows.flows import Flows
from callwright.native.exporting import Exports
from callwright.native.state import ServerState
from callwright.numbers.numbers import Numbers
from callwright.recordings.files import Files
from callwright.recordings.keys import Keyring
from callwright.recordings.recordings import Recordings
from callwright.simulator.engine import SimulatedEngine
from callwright.store import Store
from callwright.switch.switch import Switch
from callwright.transcriptions.transcriptions import Transcriptions
from callwright.webhooks.endpoints import Endpoints
from callwright.webhooks.listening import Listening
from callwright.webhooks.log import DeliveryLog
from callwright.webhooks.webhooks import Webhooks

CONTROL_WORLD_HEADER = "Callwright-World"
DEFAULT_LIMIT = 100
MOST_LIMIT = 1_000
MOMENT = "2026-05-04T10:00:00Z"  # these two as examples
SOME_ID = "018f9d6e-7b1c-7c3e-9f54-2d0a4c1b8e77"
# Of each name that queries know, a value that is right.
_VALUES = {
    "status": "ended",
    "direction": "incoming",
    "source": "316*",
    "destination": "31205550100",
    "number": "31205550100",
    "flow": SOME_ID,
    "reason": "busy",
    "tag": "vip",
    "metadata.NAME": "42",
    "createdFrom": MOMENT,
    "createdTo": MOMENT,
    "endedFrom": MOMENT,
    "endedTo": MOMENT,
    "durationFrom": "10",
    "durationTo": "60",
    "sort": "oldest",
    "format": "ndjson",
    "limit": str(DEFAULT_LIMIT),
    "offset": "0",
    "call": SOME_ID,
    "recording": SOME_ID,
    "state": "exhausted",
    "endpoint": "https://example.com/hook",
    "url": "https://example.com/hook",
}
# What other interfaces call it, folded as `_folded` does, with the names that may stand for it here.
_ELSEWHERE = {
    "page": ("offset", "cursor"),
    "skip": ("offset", "cursor"),
    "after": ("cursor",),
    "before": ("cursor",),
    "perpage": ("limit",),
    "pagesize": ("limit",),
    "size": ("limit",),
    "count": ("limit",),
    "order": ("sort",),
    "orderby": ("sort",),
    "from": ("createdFrom",),
    "since": ("createdFrom", "from"),
    "to": ("createdTo",),
    "until": ("createdTo", "to"),
    "caller": ("source",),
    "callee": ("destination",),
    "metadata": ("metadata.NAME",),
}
_LONE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Authority(Enum):
    """What the transport says about the caller: who reaches the control socket owns the data folder."""

    SOCKET = "socket"
    NETWORK = "network"


class SettingRow(Protocol):
    """A setting in force; its value is written as in a settings file, secrets masked."""

    @property
    def key(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def origin(self) -> str: ...


class Calling(NamedTuple):
    """What a new call needs; the simulator has the callers of the test world."""

    switch: Switch
    webhooks: Webhooks
    simulator: SimulatedEngine | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes a body and a flow may have; with `claim` ``listed`` only the operator registers numbers."""

    body: int = 65_536
    flow: int = 32_768
    claim: str = "open"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the interface works with; `calling`, `listening` and `feed` are None where no server runs, as nothing happens there.

    `health` names each part of the server and says what it lacks, or None; `state` is there where a server runs.
    """

    store: Store
    clock: Clock
    accounts: Accounts
    numbers: Numbers
    flows: Flows
    recordings: Recordings
    transcriptions: Transcriptions
    files: Files
    keys: Keyring
    webhooks: Webhooks
    log: DeliveryLog
    endpoints: Endpoints
    exports: Exports
    settings: Callable[[], Sequence[SettingRow]]
    health: Callable[[], Mapping[str, str | None]]
    calling: Calling | None = None
    listening: Listening | None = None
    feed: Feed | None = None
    state: Callable[[], ServerState] | None = None
    limits: Limits = field(default_factory=Limits)
    currency: str = "EUR"


class Window(NamedTuple):
    limit: int
    offset: int


class Ask:
    """A request with its answerer's parts. `control` is true when it came over the control socket."""

    def __init__(self, request: Request, parts: Parts, authority: Authority) -> None:
        self._request = request
        self.parts = parts
        self.control = authority is Authority.SOCKET

    @cached_property
    def _query(self) -> dict[str, list[str]]:
        return _query_of(self._request)

    @property
    def world(self) -> World:
        """The world asked about. Raises `Unauthenticated`, or `Invalid` for one that does not exist."""
        if not self.control:
            return self.parts.accounts.authenticate(self._request.headers.get("authorization"))
        kind = self._request.headers.get(CONTROL_WORLD_HEADER, LIVE).lower()
        return self.parts.accounts.world(checked_kind(kind, CONTROL_WORLD_HEADER))

    def path(self, name: str) -> str:
        return str(self._request.path_params[name])

    def id(self, what: str) -> UUID:
        """The id in the path. One that is malformed is one that does not exist."""
        text = self.path("id")
        found = ids.parse(text)
        if found is None:
            raise NotFound(f"No {what} found for ID `{text[:80]}`.")
        return found

    def window(self, *besides: str) -> Window:
        """``limit`` (1 to 1000, default 100) and ``offset`` of a list that knows nothing else, but for what is `besides`."""
        self.only((*besides, "limit", "offset"))
        return Window(self.limit(), self.whole("offset", 0, 0, 2**31 - 1))

    def limit(self) -> int:
        return self.whole("limit", DEFAULT_LIMIT, 1, MOST_LIMIT)

    def query(self, name: str) -> str | None:
        return next(iter(self.queries(name)), None)

    def queries(self, name: str) -> list[str]:
        """All that the query has of a name."""
        return self._query.get(name, [])

    @property
    def has_query(self) -> bool:
        return bool(self._request.scope["query_string"])

    def names(self) -> list[str]:
        """Whatever the query names, each once."""
        return list(self._query)

    def header(self, name: str) -> str | None:
        return self._request.headers.get(name)

    def only(self, known: Sequence[str], *, repeated: Sequence[str] = (), also: Collection[str] = ()) -> None:
        """Raise `BadQuery` for anything else in the query, or given twice where it means one thing.

        Those of `also` are known too, but are no news to who asks.
        """
        names = frozenset((*known, *also))
        for name in self.names():
            if name not in names:
                close = _closest(name, known)
                raise BadQuery(
                    f"{name[:40]} is not known here{nearest(name, known)}; "
                    + (f"there are {', '.join(known)}." if known else "nothing is, in the query."),
                    parameter=name[:40],
                    # A cursor is not made up.
                    example=_example_of(next(iter(known), "") if close is None else "limit" if close == "cursor" else close),
                    remedy="Give the next of one page as the cursor of the one after." if close == "cursor" else None,
                )
            if name not in repeated and len(given := self.queries(name)) > 1:
                example = _example_of(name) or f"{name}={quote(given[0])}"
                raise BadQuery(f"{name} is given more than once.", parameter=name, remedy="Give it once.", example=example)

    async def body(self) -> bytes:
        most = self.parts.limits.body
        received = bytearray()
        async for piece in self._request.stream():
            received += piece
            if len(received) > most:
                raise TooLarge(f"The body is larger than {most} bytes (setting api.body_limit).")
        return bytes(received)

    async def object_of(self, *known: str, optional: bool = False) -> dict[str, Any]:
        """The body as `object` has it, which may have the `known` keys alone. Raises `Invalid`."""
        body = await self.object(optional=optional)
        if unknown := sorted(body.keys() - set(known)):
            name = unknown[0][:40]
            raise Invalid(f"{name!r} is not known here: the body may have {', '.join(known)}.", parameter=name)
        return body

    async def object(self, *, optional: bool = False) -> dict[str, Any]:
        """The body as a JSON object; an `optional` one may be left out."""
        raw = await self.body()
        if optional and not raw:
            return {}
        if not raw.strip():
            raise Malformed("The body is missing: a JSON object is wanted.")
        try:
            decoded = msgspec.json.decode(raw)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:  # text that is not UTF-8, endless nesting
            raise Malformed.as_json(raw, error) from None
        if not isinstance(decoded, dict):
            raise Malformed("The body must be a JSON object.")
        return decoded

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number in the query. Raises `BadQuery`."""
        text = self.query(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) <= 15 and least <= int(text) <= most):
            raise BadQuery(
                f"{name} must be a whole number from {least} to {most}; it was {text[:20]!r}.",
                parameter=name,
                example=f"{name}={max(default, least)}",
            )
        return int(text)

    def query_id(self, name: str) -> UUID | None:
        """An id in the query. Raises `BadQuery`."""
        text = self.query(name)
        if text is None:
            return None
        with in_query(f"{name}={SOME_ID}"):
            return id_of(text, name)

    def moment(self, name: str) -> int | None:
        """A time in the query, in microseconds. Raises `BadQuery`."""
        text = self.query(name)
        if text is None:
            return None
        with in_query(f"{name}={MOMENT}"):
            return moment_of(text, name)

    def span(self, first: str, last: str) -> tuple[int | None, int | None]:
        """Two times in the query, from which and before which. Raises `BadQuery`."""
        begin, end = self.moment(first), self.moment(last)
        if begin is not None and end is not None and begin >= end:
            raise BadQuery(
                f"{first} must be before {last}.", parameter=last, example=f"{first}={MOMENT}&{last}=2026-05-05T10:00:00Z"
            )
        return begin, end


@contextmanager
def in_query(example: str) -> Iterator[None]:
    """What is `Invalid` or `Missing` within is so in the query: raise `BadQuery` for it."""
    try:
        yield
    except (Invalid, Missing) as problem:
        raise BadQuery(problem.message, parameter=problem.parameter or "", example=example, remedy=problem.remedy) from None


def nearest(name: str, known: Iterable[str]) -> str:
    """Part of a sentence on a name that is not known; nothing where none is like it."""
    close = _closest(name, known)
    return "" if close is None else f": the nearest is {close}"


def _closest(name: str, known: Iterable[str]) -> str | None:
    """The one that is called so elsewhere, or is written most alike; None when there is none."""
    written, said = {_folded(one): one for one in known}, _folded(name)
    meant = (one for one in _ELSEWHERE.get(said, ()) if _folded(one) in written)
    alike = difflib.get_close_matches(said, list(written), n=1, cutoff=0.6)
    return next(iter((*meant, *(written[one] for one in alike))), None)


def _folded(name: str) -> str:
    """A name without what differs by taste; ``meta.x`` and ``metadata[x]`` are what a name of metadata is elsewhere."""
    if name.startswith(("meta.", "meta[", "metadata[")):
        return "metadata"
    return name.lower().replace("_", "").replace("-", "")


def _example_of(name: str) -> str | None:
    """A query in which a name stands rightly, or None for a name without an example."""
    value = _VALUES.get(name)
    return None if value is None else f"{name.replace('NAME', 'customer')}={value}"


def id_of(value: object, parameter: str) -> UUID:
    """An id in the body. Raises `Invalid`."""
    found = ids.parse(value) if isinstance(value, str) else None
    if found is None:
        raise Invalid(f"{parameter} must be an id of 36 characters; it was {str(value)[:40]!r}.", parameter=parameter)
    return found


def moment_of(text: str, parameter: str) -> int:
    """A time as RFC 3339 has it, in microseconds. Raises `Invalid`."""
    try:
        return from_rfc3339(text)
    except ValueError:
        raise Invalid(f"{parameter} must be a time such as {MOMENT}; it was {text[:40]!r}.", parameter=parameter) from None


def _query_of(request: Request) -> dict[str, list[str]]:
    """Values by their names, in order. A `+` is one: a number may begin with it, and a time have it before its zone. Only forms
    mean a space by it. Raises `BadQuery` for what is no text.
    """
    raw: bytes = request.scope["query_string"]
    given: dict[str, list[str]] = {}
    for pair in raw.split(b"&"):
        if pair:
            name, _, text = pair.partition(b"=")
            try:
                given.setdefault(_decoded(name), []).append(_decoded(text))
            except ValueError:
                raise _unreadable(name, text) from None
    return given


def _decoded(quoted: bytes) -> str:
    """Raises `ValueError` for a percent sign without two digits, and for bytes that are no UTF-8."""
    if _LONE_PERCENT.search(quoted):
        raise ValueError
    return unquote_to_bytes(quoted).decode()


def _unreadable(name: bytes, text: bytes) -> BadQuery:
    named, seen = (unquote(part.decode("ascii", "backslashreplace"))[:40] for part in (name, b"%b=%b" % (name, text)))
    return BadQuery(
        f"{seen!r} in the query is no text: what is none of A-Z, a-z, 0-9, -, ., _ and ~ is written as the bytes of its UTF-8, "
        "each as % and two digits.",
        parameter=named,
        example=_example_of(named) or "tag=caf%C3%A9",
        remedy="Write é as %C3%A9, and a percent sign as %25.",
    )


def checked_kind(kind: object, parameter: str) -> str:
    if kind not in (LIVE, TEST):
        raise Invalid(f"{parameter} must be live or test; it was {str(kind)[:20]!r}.", parameter=parameter)
    return str(kind)


def text_of(body: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A text in the body; without a default it is required."""
    value = body.get(name, default)
    if value is None:
        raise Missing(f"{name} is missing.", parameter=name)
    if not isinstance(value, str):
        raise Invalid(f"{name} must be a text.", parameter=name)
    return value
