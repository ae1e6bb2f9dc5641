"""One request: who asks, for which world, and what the query and the body say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec
from starlette.requests import Request

from callwright import ids
from callwright.accounts.worlds import LIVE, TEST, Accounts, World
from callwright.errors import Invalid, Malformed, Missing, NotFound, TooLarge
from callwright.flows.flows import Flows
from callwright.native.state import ServerState
from callwright.numbers.numbers import Numbers
from callwright.recordings.files import Files
from callwright.recordings.keys import Keyring
from callwright.recordings.recordings import Recordings
from callwright.store import Store
from callwright.switch.switch import Switch
from callwright.transcriptions.transcriptions import Transcriptions
from callwright.webhooks.webhooks import Webhooks

CONTROL_WORLD_HEADER = "Callwright-World"
DEFAULT_LIMIT = 100
MOST_LIMIT = 1_000


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
    """What a new call needs."""

    switch: Switch
    webhooks: Webhooks


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes a body and a flow may have; with `claim` ``listed`` only the operator registers numbers."""

    body: int = 65_536
    flow: int = 32_768
    claim: str = "open"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the interface works with; `calling` is None where no server runs, as nothing can be called there.

    `health` names each part of the server and says what it lacks, or None; `state` is there where a server runs.
    """

    store: Store
    accounts: Accounts
    numbers: Numbers
    flows: Flows
    recordings: Recordings
    transcriptions: Transcriptions
    files: Files
    keys: Keyring
    settings: Callable[[], Sequence[SettingRow]]
    health: Callable[[], Mapping[str, str | None]]
    calling: Calling | None = None
    state: Callable[[], ServerState] | None = None
    limits: Limits = field(default_factory=Limits)


class Window(NamedTuple):
    limit: int
    offset: int


class Ask:
    """A request with its answerer's parts. `control` is true when it came over the control socket."""

    def __init__(self, request: Request, parts: Parts, authority: Authority) -> None:
        self._request = request
        self.parts = parts
        self.control = authority is Authority.SOCKET

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

    def window(self) -> Window:
        """``limit`` (1 to 1000, default 100) and ``offset`` of a list."""
        return Window(self.whole("limit", DEFAULT_LIMIT, 1, MOST_LIMIT), self.whole("offset", 0, 0, 2**31 - 1))

    def query(self, name: str) -> str | None:
        return self._request.query_params.get(name)

    async def body(self) -> bytes:
        most = self.parts.limits.body
        received = bytearray()
        async for piece in self._request.stream():
            received += piece
            if len(received) > most:
                raise TooLarge(f"The body is larger than {most} bytes (setting api.body_limit).")
        return bytes(received)

    async def object(self, *, optional: bool = False) -> dict[str, Any]:
        """The body as a JSON object; an `optional` one may be left out."""
        raw = await self.body()
        if optional and not raw:
            return {}
        try:
            decoded = msgspec.json.decode(raw)
        except msgspec.DecodeError as error:
            raise Malformed(f"The body is not valid JSON: {error}.") from None
        if not isinstance(decoded, dict):
            raise Malformed("The body must be a JSON object.")
        return decoded

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number in the query. Raises `Invalid`."""
        text = self._request.query_params.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) <= 15 and least <= int(text) <= most):
            raise Invalid(f"{name} must be a whole number from {least} to {most}; it was {text[:20]!r}.", parameter=name)
        return int(text)


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
