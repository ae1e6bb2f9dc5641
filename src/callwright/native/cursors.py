"""Places in a list or a stream, as clients get them: opaque, and of use only where they were given.

Positions in the store never leave it (design §5), so a cursor is sealed: what it says can be neither read nor altered, and
one for another list is refused. Nothing secret depends on it, as every query names its world.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

from callwright.accounts.worlds import World

_MAC = 8


def seal(world: World, of: str, *numbers: int) -> str:
    """Write up to four numbers as a cursor of the list or stream `of`."""
    plain = struct.pack(f">{len(numbers)}q", *numbers)
    mac = _mac(world, of, plain)
    return _text(mac + _masked(world, mac, plain))


def unseal(world: World, of: str, cursor: str) -> tuple[int, ...] | None:
    """The numbers of a cursor, or None for one that was not made for this."""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError):
        return None
    if _text(raw) != cursor:  # Python passes over characters that are none of base64
        return None
    mac, plain = raw[:_MAC], _masked(world, raw[:_MAC], raw[_MAC:])
    if not plain or len(plain) % 8 or len(plain) > 32 or not hmac.compare_digest(mac, _mac(world, of, plain)):
        return None
    return struct.unpack(f">{len(plain) // 8}q", plain)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _mac(world: World, of: str, plain: bytes) -> bytes:
    return hmac.digest(world.id.bytes, of.encode() + b"\0" + plain, "sha256")[:_MAC]


def _masked(world: World, mac: bytes, text: bytes) -> bytes:
    mask = hashlib.shake_128(world.id.bytes + mac).digest(len(text))
    return bytes(one ^ other for one, other in zip(text, mask, strict=True))
