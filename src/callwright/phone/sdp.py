"""Session descriptions (RFC 8866) of one audio stream, and what an answer to them may say (RFC 3264)."""

from __future__ import annotations

import re
from typing import NamedTuple

from callwright.phone.sound import LAWS

# What a side does: (it sends, it receives).
DIRECTIONS = {"sendrecv": (True, True), "sendonly": (True, False), "recvonly": (False, True), "inactive": (False, False)}


def meet(ours: str, theirs: str) -> str:
    """Our direction when the far side has `theirs` and we want `ours`."""
    (we_send, we_receive), (they_send, they_receive) = DIRECTIONS[ours], DIRECTIONS[theirs]
    return next(name for name, ways in DIRECTIONS.items() if ways == (we_send and they_receive, we_receive and they_send))


class Description(NamedTuple):
    to: tuple[str, int]
    law: str
    event_type: int | None
    direction: str


def parse(text: str, laws: tuple[str, ...]) -> Description:
    """What the far side says, with its first law among `laws`. Raise ValueError for anything but audio over IPv4."""
    session, _, section = text.partition("m=audio ")
    if not section or "\nm=" in session + section:
        raise ValueError("not one audio section")
    applies = f"{section}\n{session}"  # its own lines go before those of the session
    if (address := re.search(r"^c=IN IP4 ([\d.]+)", applies, re.M)) is None:
        raise ValueError("neither the session nor its audio section has c=IN IP4")
    way = re.search(rf"^a=({'|'.join(DIRECTIONS)})\s*$", applies, re.M)
    port, _, *kinds = section.splitlines()[0].split()
    law = next((name for kind in kinds for name in laws if kind == str(LAWS[name])), None)
    if law is None:
        raise ValueError("No Common Codec")
    event = next((kind for kind in re.findall(r"^a=rtpmap:(\d+) telephone-event/8000", section, re.M) if kind in kinds), None)
    off = address[1] == "0.0.0.0" or port == "0"  # the hold of RFC 2543, and a section refused
    direction = "inactive" if off else way[1] if way else "sendrecv"
    return Description((address[1], int(port)), law, int(event) if event else None, direction)


def write(here: tuple[str, int], serial: tuple[int, int], laws: tuple[str, ...], event_type: int | None, way: str) -> str:
    """A description of ours; `serial` is session and version."""
    kinds = {LAWS[law]: law for law in laws} | ({} if event_type is None else {event_type: "telephone-event"})
    lines = ["v=0", f"o=phone {serial[0]} {serial[1]} IN IP4 {here[0]}", "s=-", f"c=IN IP4 {here[0]}", "t=0 0"]
    lines += [f"m=audio {here[1]} RTP/AVP {' '.join(map(str, kinds))}"]
    lines += [f"a=rtpmap:{number} {name}/8000" for number, name in kinds.items()]
    lines += [] if event_type is None else [f"a=fmtp:{event_type} 0-15"]
    return "\r\n".join([*lines, "a=ptime:20", f"a={way}", ""])
