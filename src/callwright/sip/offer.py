"""Offer and answer (RFC 3264) for one stream of G.711 with telephone events (RFC 4733).

Pure: descriptions in, descriptions and what was agreed out. Old-style hold, the address 0.0.0.0 (RFC 3264 §8.4), is
read as the direction it stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address

import msgspec

from callwright.sip.sdp import INACTIVE, LAW_NAMES, PCMA, PCMU, RECVONLY, SENDONLY, SENDRECV, Codec, Media, SdpError, Session

EVENT_TYPE = 101
PTIME_MS = 20
MIN_PTIME_MS, MAX_PTIME_MS = 10, 60
HOLD_ADDRESS = "0.0.0.0"
# What an answer says to each direction of an offer (RFC 3264 §6.1).
REVERSED = {SENDRECV: SENDRECV, SENDONLY: RECVONLY, RECVONLY: SENDONLY, INACTIVE: INACTIVE}
# A side that must not be sent to keeps only its own sending.
NOT_RECEIVING = {SENDRECV: SENDONLY, SENDONLY: SENDONLY, RECVONLY: INACTIVE, INACTIVE: INACTIVE}

_LAWS = {"pcmu": PCMU, "pcma": PCMA}
_PLAIN_RTP = frozenset({"RTP/AVP", "RTP/AVPF"})
_EVENTS = "telephone-event"
_EVENT_RANGE = "0-15"
_DYNAMIC = range(96, 128)


class NoCommonCodec(SdpError):
    """The two sides share no codec: PCMU and PCMA at 8 kHz over plain RTP are spoken here."""


class Local(msgspec.Struct, frozen=True):
    """Our side of a leg: where it hears, the constant id of its ``o=`` line, and its laws in order of preference."""

    address: str
    port: int
    id: int
    laws: tuple[int, ...] = (PCMU, PCMA)
    event_type: int = EVENT_TYPE


class Agreed(msgspec.Struct, frozen=True):
    """What an offer and its answer come to, seen from our side.

    `law` is `PCMU` or `PCMA` and `payload_type` its number in packets, another one where it was mapped dynamically.
    `send` and `receive` are what we may do; `direction` is what the far side says of itself.
    """

    address: str
    port: int
    law: int
    payload_type: int
    event_type: int | None
    send: bool = True
    receive: bool = True
    ptime_ms: int = PTIME_MS
    direction: str = SENDRECV


def make_offer(local: Local, *, after: Session | None = None, direction: str = SENDRECV) -> Session:
    """Offer both laws and telephone events.

    `after` is the last description we sent in the same dialog: its ``m=`` lines keep their places and its payload types
    their meaning (RFC 3264 §8).
    """
    before = _our_audio(after)
    codecs = list(after.media[before].codecs) if after is not None and before is not None else []
    known = {_law(codec) for codec in codecs}
    events = [codec for codec in codecs if _is_event(codec)]
    codecs = [codec for codec in codecs if not _is_event(codec)]
    codecs += [Codec(law, LAW_NAMES[law], 8000) for law in local.laws if law not in known]
    if not events:
        used = {codec.payload_type for codec in codecs}
        event_type = next(number for number in (local.event_type, *_DYNAMIC) if number not in used)
        events = [Codec(event_type, _EVENTS, 8000, _EVENT_RANGE)]
    if after is None or before is None:
        return _session(local, (_audio(local, "RTP/AVP", [*codecs, *events], direction),))
    audio = _audio(local, after.media[before].proto, [*codecs, *events], direction)
    return _session(local, tuple([audio if n == before else old for n, old in enumerate(after.media)]))


def answer(offer: Session, local: Local, *, prefer: int | None = None, wants: str = SENDRECV) -> tuple[Session, Agreed]:
    """Answer an offer with one law: `prefer` where it is offered, else the offer's first. `wants` `SENDONLY` keeps it on hold.

    The first ``m=`` line that can be used is taken and the others are refused by port 0. Raise `NoCommonCodec` when
    there is none, `SdpError` when one would fit but for its address.
    """
    place, codec = _usable(offer, prefer)
    media = offer.media[place]
    agreed = _agreed(media, codec)
    codecs = [codec]
    event = _event(media)
    if event is not None:
        codecs.append(Codec(event.payload_type, _EVENTS, 8000, _EVENT_RANGE))
    direction = REVERSED[agreed.direction]
    if wants == SENDONLY:
        direction, agreed = NOT_RECEIVING[direction], msgspec.structs.replace(agreed, receive=False)
    audio = _audio(local, media.proto, codecs, direction)
    return _session(local, tuple([audio if n == place else _declined(m, local) for n, m in enumerate(offer.media)])), agreed


def read_answer(offer: Session, theirs: Session) -> Agreed:
    """Read the answer to our offer; raise `NoCommonCodec` when it takes no sound and `SdpError` when it cannot be used."""
    place = _our_audio(offer)
    if place is None or len(theirs.media) != len(offer.media):
        raise SdpError(f"{len(theirs.media)} m= lines answer {len(offer.media)} (RFC 3264 §6)")
    media = theirs.media[place]
    if media.kind != "audio":
        raise SdpError(f"m={media.kind} answers m=audio (RFC 3264 §6)")
    offered = {_law(codec) for codec in offer.media[place].codecs}
    codec = _common_codec(media, None)
    if codec is None or _law(codec) not in offered:
        raise NoCommonCodec(f"{_offered(theirs)}; PCMU or PCMA at 8 kHz over RTP/AVP was offered")
    fault = _address_fault(media)
    if fault is not None:
        raise fault
    agreed = _agreed(media, codec)
    if offer.media[place].direction in (SENDONLY, INACTIVE):
        agreed = msgspec.structs.replace(agreed, receive=False)
    return agreed


def revise(last: Session | None, now: Session) -> Session:
    """Give `now` the version its ``o=`` line needs: that of `last` when nothing else changed, else one more (RFC 3264 §8)."""
    if last is None:
        return now
    same = msgspec.structs.replace(now, version=last.version)
    return same if same == last else msgspec.structs.replace(now, version=str(int(last.version) + 1))


def first_law(offer: Session) -> int:
    """The first law of an offer that we speak; raise as `answer` does when the offer cannot be answered."""
    law = _law(_usable(offer, None)[1])
    assert law is not None
    return law


def _session(local: Local, media: tuple[Media, ...]) -> Session:
    return Session("callwright", str(local.id), "1", local.address, local.address, media)


def _audio(local: Local, proto: str, codecs: Sequence[Codec], direction: str) -> Media:
    formats = tuple([str(codec.payload_type) for codec in codecs])
    return Media("audio", local.port, proto, formats, local.address, direction, tuple(codecs), PTIME_MS)


def _declined(media: Media, local: Local) -> Media:
    return Media(media.kind, 0, media.proto, media.formats, local.address)


def _our_audio(session: Session | None) -> int | None:
    for place, media in enumerate(session.media if session is not None else ()):
        if media.kind == "audio" and media.port:
            return place
    return None


def _law(codec: Codec) -> int | None:
    return _LAWS.get(codec.name.lower()) if codec.clock == 8000 else None


def _is_event(codec: Codec) -> bool:
    return codec.clock == 8000 and codec.name.lower() == _EVENTS


def _usable(offer: Session, prefer: int | None) -> tuple[int, Codec]:
    fault: SdpError | None = None
    for place, media in enumerate(offer.media):
        codec = _common_codec(media, prefer)
        if codec is None:
            continue
        fault = _address_fault(media)
        if fault is None:
            return place, codec
    raise fault or NoCommonCodec(f"{_offered(offer)}; PCMU or PCMA at 8 kHz over RTP/AVP is needed")


def _common_codec(media: Media, prefer: int | None) -> Codec | None:
    if media.kind != "audio" or media.port == 0 or media.proto not in _PLAIN_RTP:
        return None
    laws = [codec for codec in media.codecs if _law(codec) is not None]
    return next((codec for codec in laws if _law(codec) == prefer), laws[0] if laws else None)


def _event(media: Media) -> Codec | None:
    return next((codec for codec in media.codecs if _is_event(codec)), None)


def _agreed(media: Media, codec: Codec) -> Agreed:
    law = _law(codec)
    assert law is not None
    direction = NOT_RECEIVING[media.direction] if media.address == HOLD_ADDRESS else media.direction
    event = _event(media)
    return Agreed(
        media.address,
        media.port,
        law,
        codec.payload_type,
        event.payload_type if event is not None else None,
        send=direction in (SENDRECV, RECVONLY),
        receive=direction in (SENDRECV, SENDONLY),
        ptime_ms=_ptime(media),
        direction=direction,
    )


def _ptime(media: Media) -> int:
    wanted = media.ptime or PTIME_MS
    if media.maxptime:
        wanted = min(wanted, media.maxptime)
    return min(max(wanted, MIN_PTIME_MS), MAX_PTIME_MS)


def _address_fault(media: Media) -> SdpError | None:
    if not media.address:
        return SdpError(f"m={media.kind} {media.port}: no c= line says where it is (RFC 8866 §5.7)")
    if ":" in media.address:
        return SdpError(f"c=IN IP6 {media.address}: IPv6 is not supported; offer an IPv4 address")
    address = IPv4Address(media.address)
    if address.is_multicast or address.is_reserved:
        return SdpError(f"c=IN IP4 {media.address}: sound cannot be sent to a multicast or reserved address")
    return None


def _offered(session: Session) -> str:
    lines = [f"m={m.kind} {m.port} {m.proto} {' '.join(m.formats)}"[:80] for m in session.media]
    return ", ".join(lines) or "no m= line"
