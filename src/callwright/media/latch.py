"""Where a far end is: the address it signalled until its packets show where they really come from (RFC 4961, NAT)."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from typing import Final

from callwright.media.g711 import SAMPLE_RATE

Address = tuple[str, int]

LOCK_AFTER: Final = 3  # packets in a row from one source
MOVED_AFTER: Final = 2 * SAMPLE_RATE  # of silence, in which a router may have given the far end another port


class Latch:
    """Learn the source, then hold on to it.

    Until it is locked, packets from the signalled address go before those from its host, and these before those from
    elsewhere: a stranger's three packets cannot take the stream from a far end that is already heard, and neither can
    the far end's old port after it signalled a new one. Once locked, it opens for a new signalled address, for three
    packets from nearer to the signalled address (a stranger was first), and for another port of the locked host when
    nothing came from the old one for two seconds.
    """

    def __init__(self) -> None:
        self.signalled: Address | None = None
        self.locked: Address | None = None
        self._candidate: Address | None = None
        self._in_a_row = 0

    @property
    def target(self) -> Address | None:
        """Where to send; None when nothing usable is known."""
        return self.locked or self.signalled

    def signal(self, address: Address) -> bool:
        """Take the address of a session description; False when nothing can be sent to it.

        Only literal IPv4 is taken, as a name would have to be looked up. The address ``0.0.0.0`` is the old way to
        say hold (RFC 3264 §8.4) and port 0 a refused stream: both are valid and mean that nothing is sent.
        """
        usable = _is_usable(address)
        known = address if usable else None
        if known != self.signalled:
            self.signalled = known
            self.locked = self._candidate = None
            self._in_a_row = 0
        return usable or address[0] == "0.0.0.0" or address[1] == 0

    def admit(self, source: Address, quiet: int) -> bool:
        """Whether a packet from here is taken; `quiet` is for how long none was."""
        locked = self.locked
        if locked is not None:
            if source == locked:
                return True
            if not (self._rank(source) > self._rank(locked) or (quiet >= MOVED_AFTER and source[0] == locked[0])):
                return False
        if source == self._candidate:
            self._in_a_row += 1
        elif self._rank(source) < self._rank(self._candidate):
            return False
        else:
            self._candidate = source
            self._in_a_row = 1
        if self._in_a_row >= LOCK_AFTER:
            self.locked = source
            self._candidate = None
        return self.locked is None or self.locked == source

    def knows(self, host: str) -> bool:
        """Whether control packets from this host are of the far end."""
        return any(address is not None and address[0] == host for address in (self.locked, self.signalled))

    def _rank(self, source: Address | None) -> int:
        if source is None or self.signalled is None:
            return 0
        return (source[0] == self.signalled[0]) + (source == self.signalled)


def _is_usable(address: Address) -> bool:
    host, port = address
    try:
        ip = IPv4Address(host)
    except AddressValueError:
        return False
    return 0 < port < 1 << 16 and not (ip.is_unspecified or ip.is_multicast or host == "255.255.255.255")
