"""Session descriptions (RFC 8866) of one audio stream, and what an answer to them may say (RFC 3264)."""

from __future__ import annotations

from typing import NamedTuple

from callwright.phone.sound import LAWS

# What a side does: (it sends, it receives).
DIRECTIONS = {"sendrecv": (True, True), "sendonly": (True, False), "recvonly": (False, True), "inactive": (False, False)}


def meet(ours: str, theirs: str) -> str:
    """Our direction when the far side has `theirs` and we want `ours`."""
    (we_send, we_receive), (they_send, they_receive) = DIRECTIONS[ours], DIRECTIONS[theirs]
    return next(name for name, ways in DIRECTIONS.items() if ways == (we_send and they_receive, we_receive and they_send))


class Description(NamedTuple):
    """What the far side says. `sections` are its ``m=`` lines, and `audio` the place of ours among them."""

    to: tuple[str, int]
    laws: tuple[str, ...]
    event_type: int | None
    direction: str
    sections: tuple[str, ...]
    audio: int


def parse(text: str) -> Description:
    """Raise ValueError when there is no audio section with an IPv4 address."""
    lines = text.splitlines()
    starts = [n for n, line in enumerate(lines) if line.startswith("m=")] + [len(lines)]
    audio = next((n for n, start in enumerate(starts[:-1]) if lines[start].startswith("m=audio ")), None)
    if audio is None:
        raise ValueError("no audio section")
    section = lines[starts[audio] : starts[audio + 1]]
    applies = section[1:] + lines[: starts[0]]  # its own lines go before those of the session
    address = next((line[9:].partition("/")[0].strip() for line in applies if line.startswith("c=IN IP4 ")), "")
    if not address:
        raise ValueError("neither the session nor its audio section has c=IN IP4")
    way = next((line[2:] for line in applies if line.startswith("a=") and line[2:] in DIRECTIONS), "sendrecv")
    _, port, _, *kinds = section[0].split()
    laws = tuple(name for kind in kinds for name, number in LAWS.items() if kind == str(number))
    events = [line[9:].split()[0] for line in section if line.startswith("a=rtpmap:") and "telephone-event/8000" in line]
    event = next((int(kind) for kind in events if kind in kinds), None)
    if address == "0.0.0.0" or port == "0":  # the hold of RFC 2543, and a section refused
        way = "inactive"
    return Description((address, int(port)), laws, event, way, tuple(lines[n] for n in starts[:-1]), audio)


def write(here: tuple[str, int], serial: tuple[int, int], laws: tuple[str, ...], event_type: int | None, way: str,
          sections: tuple[str, ...] = ("m=audio",), audio: int = 0) -> str:  # fmt: skip
    """A description of ours. An answer names the offer's `sections` and refuses all but the audio one (RFC 3264 §6)."""
    kinds = [f"{LAWS[law]} {law}/8000" for law in laws] + ([] if event_type is None else [f"{event_type} telephone-event/8000"])
    mine = [f"m=audio {here[1]} RTP/AVP {' '.join(kind.split()[0] for kind in kinds)}"]
    mine += [f"a=rtpmap:{kind}" for kind in kinds] + ([] if event_type is None else [f"a=fmtp:{event_type} 0-15"])
    lines = ["v=0", f"o=phone {serial[0]} {serial[1]} IN IP4 {here[0]}", "s=-", f"c=IN IP4 {here[0]}", "t=0 0"]
    for n, (kind, *rest) in enumerate(section.split() for section in sections):
        lines += [*mine, "a=ptime:20", f"a={way}"] if n == audio else [" ".join([kind, "0", *rest[1:]])]
    return "\r\n".join(lines) + "\r\n"
