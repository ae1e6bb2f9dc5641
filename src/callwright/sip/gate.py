"""The gate: whether an INVITE becomes a leg, decided before anything is kept for it.

In this order: where it comes from, whether there is room, what it requires, whether it can be answered at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import msgspec

from callwright import ipc
from callwright.clock import Clock
from callwright.errors import SettingsError
from callwright.reasons import Refusal
from callwright.sip.headers import ACCEPT, HOPS, SDP, content_of, description_in, outward, required, shown
from callwright.sip.patches import TelURL
from callwright.sip.server import Address
from callwright.sip.settings import SignallingSettings, TrunkSource
from callwright.sip.wellformed import has_usable_port, is_ipv6
from callwright.telephony import user_part

MAX_FORWARDS = 70
LOOPBACK = IPv4Network("127.0.0.0/8")
BURST_S = 0.5  # how much of a second's new legs may come at once
SMOOTHING = 4  # ticks over which lateness is averaged
_NUMBER = re.compile(r"\+?[0-9 ().\-]*[0-9][0-9 ().\-]*")
_COUNT = re.compile(r"[0-9]{1,4}")


class Arrival(msgspec.Struct, frozen=True):
    """What an INVITE that may pass says."""

    source: str
    destination: str
    sdp: str
    call_id: str
    trunk: str | None
    hops: int
    max_forwards: int


class TurnedBack(Exception):
    """The INVITE may not pass. `response` are code and phrase, `fields` header fields beside them."""

    def __init__(
        self, refusal: Refusal, detail: str, fields: Iterable[tuple[str, str]] = (), response: tuple[int, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.refusal = refusal
        self.detail = detail
        self.fields = tuple(fields)
        self.response = response or (refusal.sip_code, refusal.sip_phrase)


class SourceRules:
    """Loopback and the trunks' networks may call; of overlapping networks the smallest names the trunk."""

    def __init__(self, trunks: Iterable[TrunkSource]) -> None:
        networks: list[tuple[IPv4Network, str | None]] = [(LOOPBACK, None)]
        for trunk in trunks:
            networks += [(_network(trunk.name, text), trunk.name) for text in trunk.networks]
        # A trunk on 127.0.0.0/8 itself comes before the rule for loopback, which names none.
        self._networks = sorted(networks, key=lambda entry: (-entry[0].prefixlen, entry[1] is None))
        self.find = lru_cache(maxsize=4096)(self._find)

    def _find(self, host: str) -> tuple[bool, str | None]:
        """Whether calls from the address are taken, and as whose."""
        address = IPv4Address(host)
        return next(((True, name) for network, name in self._networks if address in network), (False, None))


class Lateness:
    """How late the event loop runs, in milliseconds: `smoothed` over four ticks or so.

    One tick alone, however late, does not bring it past `bearable_ms`: a machine that stood still has not too much to do.
    """

    def __init__(self, bearable_ms: float) -> None:
        self.smoothed = 0.0
        self._most_ms = SMOOTHING * bearable_ms
        self._worst = 0.0

    def note(self, late_ms: float) -> None:
        self.smoothed += (min(late_ms, self._most_ms) - self.smoothed) / SMOOTHING
        self._worst = max(self._worst, late_ms)

    def take_worst(self) -> float:
        worst, self._worst = self._worst, 0.0
        return worst


class Admission:
    """Room for one more leg: rate, legs alive, what the core has not read yet, our own lateness, and the core's word."""

    def __init__(self, settings: SignallingSettings, clock: Clock, legs: Callable[[], int], backlog: Callable[[], int]) -> None:
        self.lateness = Lateness(settings.max_late_ms)
        self._settings = settings
        self._clock = clock
        self._legs = legs
        self._backlog = backlog
        self.closed: Refusal | None = None  # the core takes no calls, for this reason
        self._allowance = self._burst = max(settings.new_legs_per_s * BURST_S, 1.0)
        self._counted_ns = clock.mono_ns()

    def check(self) -> None:
        """Raise `TurnedBack` when there is no room."""
        settings = self._settings
        if self.closed is not None:
            raise self._no(self.closed, "the core takes no calls")
        if self._legs() >= settings.max_legs:
            raise self._no(Refusal.OVER_LIMIT, f"{settings.max_legs} legs are up (max_legs)")
        if self._refill() < 1.0:
            most = f"{settings.new_legs_per_s:g} new legs a second (sip.new_legs_per_second)"
            raise self._no(Refusal.OVER_LIMIT, f"more than {most}")
        if self._backlog() > ipc.MAX_BACKLOG:
            raise self._no(Refusal.OVER_LIMIT, "the core does not keep up")
        if self.lateness.smoothed > settings.max_late_ms:
            raise self._no(Refusal.OVER_LIMIT, f"signalling is {self.lateness.smoothed:.0f} ms late (sip.max_late_ms)")

    def count(self) -> None:
        """Count a new leg, one of ours too."""
        self._allowance = max(self._refill() - 1.0, -self._burst)

    def _refill(self) -> float:
        now_ns = self._clock.mono_ns()
        gained = (now_ns - self._counted_ns) * self._settings.new_legs_per_s / 1e9
        self._allowance = min(self._allowance + gained, self._burst)
        self._counted_ns = now_ns
        return self._allowance

    def _no(self, refusal: Refusal, detail: str) -> TurnedBack:
        return TurnedBack(refusal, detail, [("Retry-After", str(self._settings.retry_after_s))])


class Gate:
    def __init__(self, sources: SourceRules, admission: Admission) -> None:
        self._sources = sources
        self._admission = admission

    def knows(self, host: str) -> bool:
        return self._sources.find(host)[0]

    def admit(self, invite: Any, address: Address) -> Arrival:
        """Read an INVITE from outside of any dialog, or raise `TurnedBack`."""
        known, trunk = self._sources.find(address[0])
        if not known:
            raise TurnedBack(Refusal.STRANGER, Refusal.STRANGER.sentence)
        self._admission.check()
        if tags := required(invite):
            raise TurnedBack(Refusal.EXTENSION, f"Require: {outward(tags)}", [("Unsupported", tags)])
        _check_contact(invite)
        if invite.countHFs("content-encoding"):
            codings = ", ".join(str(header.body) for header in invite.getHFs("content-encoding"))
            if codings.strip().lower() != "identity":
                raise _bad(
                    f"Content-Encoding: {outward(codings)}", (415, "Unsupported Media Type"), [("Accept-Encoding", "identity")]
                )
        kind = content_of(invite.getBody())[0]
        sdp = description_in(invite.getBody())
        if kind and not sdp:
            raise _bad(f"Content-Type: {kind} is no {SDP}", (415, "Unsupported Media Type"), [("Accept", str(ACCEPT.body))])
        return Arrival(
            source=_caller(invite.getHFBody("from").getUrl()),
            destination=_callee(invite.getRURI()),
            sdp=sdp,
            call_id=outward(str(invite.getHFBody("call-id"))),
            trunk=trunk,
            hops=_count(invite, HOPS, 0),
            max_forwards=_count(invite, "Max-Forwards", MAX_FORWARDS),
        )


def _network(trunk: str, text: str) -> IPv4Network:
    try:
        return IPv4Network(text, strict=False)
    except ValueError as error:
        raise SettingsError(
            f"trunks.{trunk}.from: {text!r} is no IPv4 network ({error}); write it like 192.0.2.0/24"
        ) from error


def _bad(detail: str, response: tuple[int, str] | None = None, fields: Iterable[tuple[str, str]] = ()) -> TurnedBack:
    return TurnedBack(Refusal.BAD_REQUEST, detail, fields, response)


def _check_contact(invite: Any) -> None:
    """Without one SIP URI to send a BYE to, a call could not be ended."""
    try:
        contacts = invite.getHFBodys("contact")
        usable = len(contacts) == 1 and not contacts[0].asterisk and _is_reachable(contacts[0].getUrl())
    except Exception as error:
        raise _bad(f"Contact cannot be read: {error}", (400, "Bad Contact")) from error
    if not usable:
        raise _bad(f"{len(contacts)} Contact fields, none or not all usable", (400, "Bad Contact"))
    host = str(contacts[0].getUrl().host)
    if is_ipv6(host) and not invite.countHFs("record-route"):  # a proxy of both worlds would carry our BYE there
        raise _bad(f"Contact has the address {outward(host)}; only IPv4 is spoken here", (400, "IPv6 Contact Is Not Supported"))


def _is_reachable(url: Any) -> bool:
    return not isinstance(url, TelURL) and bool(url.host) and has_usable_port(url)


def _caller(url: Any) -> str:
    """The user as it was sent when it looks like a number, else the URI."""
    if not url.host:
        raise _bad("From has no address", (400, "Bad From"))
    user = outward(url.username or "")
    if isinstance(url, TelURL) or _NUMBER.fullmatch(user):
        return shown(user)
    host = shown(str(url.host))
    # Letters of other scripts can be read as they are; whoever writes the URI to the wire escapes them.
    written = "".join(user_part(c) if c.isascii() or not c.isprintable() else c for c in user)
    return f"{url.scheme}:{written}@{host}" if user else f"{url.scheme}:{host}"


def _callee(url: Any) -> str:
    return shown(url.username) if url.username else f"{url.scheme}:{shown(str(url.host))}"


def _count(message: Any, name: str, default: int) -> int:
    fields = message.getHFs(name.lower())
    if not fields:
        return default
    text = str(fields[0].body).strip()
    if not _COUNT.fullmatch(text):
        raise _bad(f"{name} is not a number below 10000")
    return int(text)
