"""A sealed file: secret and unforgeable, readable from any place, and readable to its end after a crash.

    header   8 bytes "CWSEALED", version 1, channels, 2 bytes 0, u32 chunk size, 16 bytes salt; 16 bytes tag
    chunks   each of chunk size plaintext bytes, encrypted, and 16 bytes tag
    the last of 0 to chunk size - 1 plaintext bytes, encrypted, and 16 bytes tag

All numbers are little-endian. Each file has a key of its own, HKDF-SHA256 of the operator's key (32 bytes) with the salt
and the words "callwright sealed 1", so that no two files share a nonce. Everything is AES-256-GCM with the first 32 bytes
of the header as associated data. The nonce is 7 bytes 0, the u32 number of the chunk, and what the chunk is: 0 one that
others follow, 1 the last, 2 the end that `repair` put where the last was lost, 3 the header's tag, which tells a wrong
key from damage. So chunks cannot change places, and a file that was cut off lacks its last one.
"""

from __future__ import annotations

import secrets
import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from callwright.audiofile.errors import UnreadableSound

MAGIC: Final = b"CWSEALED"
KEY_SIZE: Final = 32
TAG_SIZE: Final = 16

_HEADER = struct.Struct("<8sBBHI16s")
HEADER_SIZE: Final = _HEADER.size + TAG_SIZE
_VERSION: Final = 1
_NONCE = struct.Struct("<7xIB")
_MORE, _LAST, _REPAIRED, _HEAD = range(4)
_INFO: Final = b"callwright sealed 1"
_LARGEST_CHUNK: Final = 1 << 20


class Seal:
    """The key of one file, and how it is cut up."""

    def __init__(self, key: bytes, head: bytes) -> None:
        self.channels: int
        self.chunk_size: int
        _, _, self.channels, _, self.chunk_size, salt = _HEADER.unpack(head)
        self._head = head
        self._cipher = AESGCM(HKDF(SHA256(), KEY_SIZE, salt, _INFO).derive(key))

    @classmethod
    def new(cls, key: bytes, channels: int, chunk_size: int) -> Seal:
        check_key(key)
        return cls(key, _HEADER.pack(MAGIC, _VERSION, channels, 0, chunk_size, secrets.token_bytes(16)))

    @classmethod
    def open(cls, key: bytes, begin: bytes) -> Seal:
        """Read the header; raise `UnreadableSound`, saying why, when the key is not the one or the header is spoilt."""
        if len(begin) < HEADER_SIZE:
            raise UnreadableSound(f"{len(begin)} bytes are too few for the header of a sealed file")
        head = begin[: _HEADER.size]
        magic, version, channels, _, chunk_size, _ = _HEADER.unpack(head)
        if magic != MAGIC or version != _VERSION:
            raise UnreadableSound(f"a sealed file of version {version}: only version {_VERSION} can be read")
        if channels not in (1, 2) or not 0 < chunk_size <= _LARGEST_CHUNK:
            raise UnreadableSound("the header of the sealed file is damaged")
        if not key:
            raise UnreadableSound("the file is sealed and no key was given: keep the key in the settings that it was made with")
        check_key(key)
        seal = cls(key, head)
        if seal._opened(begin[_HEADER.size : HEADER_SIZE], 0, _HEAD) is None:
            raise UnreadableSound("the key is not the one the file was sealed with, or the file's header was changed")
        return seal

    @property
    def stride(self) -> int:
        """Bytes on disk of a chunk that is full."""
        return self.chunk_size + TAG_SIZE

    def header(self) -> bytes:
        return self._head + self._sealed(b"", 0, _HEAD)

    def chunk(self, number: int, sound: bytes) -> bytes:
        """Seal a full chunk."""
        return self._sealed(sound, number, _MORE)

    def last(self, number: int, sound: bytes) -> bytes:
        """Seal what is left at the end: less than a chunk, maybe nothing."""
        return self._sealed(sound, number, _LAST)

    def end(self, number: int) -> bytes:
        """The end of a file whose last chunk was lost."""
        return self._sealed(b"", number, _REPAIRED)

    def open_chunk(self, number: int, data: bytes) -> bytes | None:
        """The sound of a full chunk; None when it was changed."""
        return self._opened(data, number, _MORE)

    def open_last(self, number: int, data: bytes) -> bytes | None:
        """The sound of what is left at the end; None when it is torn."""
        sound = self._opened(data, number, _LAST)
        return self._opened(data, number, _REPAIRED) if sound is None else sound

    def _sealed(self, sound: bytes, number: int, kind: int) -> bytes:
        return self._cipher.encrypt(_NONCE.pack(number, kind), sound, self._head)

    def _opened(self, data: bytes, number: int, kind: int) -> bytes | None:
        if len(data) < TAG_SIZE:
            return None
        try:
            return self._cipher.decrypt(_NONCE.pack(number, kind), data, self._head)
        except InvalidTag:
            return None


def check_key(key: bytes) -> None:
    if len(key) != KEY_SIZE:
        raise ValueError(f"a key to seal with has {KEY_SIZE} bytes (AES-256), this one has {len(key)}")
