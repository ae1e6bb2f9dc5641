"""Keys at rest: each file is sealed with a key of its own, and that key with one of the operator's (AES-256-GCM).

The operator's keys have names. The first seals what is new; the others open what was sealed before, until it has been
sealed anew (`callwright recordings rewrap`), which changes rows and no file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from callwright.errors import CallwrightError
from callwright.recordings.keyfile import KEY_BYTES

NONCE_BYTES = 12


class KeyLost(CallwrightError):
    """Something is sealed with a key that is not there any more, or is another one now."""


class DataKey(NamedTuple):
    """A key of one file, as it is used and as it is kept; all empty for what is not sealed."""

    key: bytes = b""
    key_id: str = ""
    sealed: bytes | None = None


class Keyring:
    """The operator's keys by name, the current one first; without any, nothing is sealed."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}

    @property
    def current(self) -> str:
        """The name of the key that seals what is new; empty when there is none."""
        return next(iter(self._keys), "")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def make(self, owner: UUID) -> DataKey:
        """A fresh key for a file, or none when nothing is to be sealed. `owner` binds it to its row."""
        if not self._keys:
            return DataKey()
        key = os.urandom(KEY_BYTES)
        return DataKey(key, self.current, self._sealed(owner, key))

    def open(self, owner: UUID, key_id: str, sealed: bytes | None) -> bytes:
        """The key of a file, empty for none. Raises `KeyLost`."""
        if sealed is None:
            return b""
        master = self._keys.get(key_id)
        if master is None:
            raise KeyLost(
                f"It is sealed with the key {key_id!r}, which is not among recordings.keys (there: "
                f"{', '.join(self._keys) or 'none'}). Put that key back; without it nobody can read this again."
            )
        try:
            return master.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], owner.bytes)
        except InvalidTag:
            raise KeyLost(
                f"The key {key_id!r} of recordings.keys does not open it: another key had that name when this was sealed. "
                "Put the old one back, and give the new one a name of its own."
            ) from None

    def renew(self, owner: UUID, key_id: str, sealed: bytes) -> DataKey:
        """The same key of a file, sealed with the current key. Raises `KeyLost`."""
        key = self.open(owner, key_id, sealed)
        return DataKey(key, self.current, self._sealed(owner, key))

    def _sealed(self, owner: UUID, key: bytes) -> bytes:
        return seal(self._keys[self.current], key, owner)


def seal(cipher: AESGCM, plain: bytes, owner: UUID) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, owner.bytes)


def seal_text(key: bytes, plain: bytes, owner: UUID) -> bytes:
    """Seal a short content with a file's key; as it is when there is none."""
    return seal(AESGCM(key), plain, owner) if key else plain


def open_text(key: bytes, sealed: bytes, owner: UUID) -> bytes:
    """What `seal_text` sealed. Raises `KeyLost` when it was changed since."""
    if not key:
        return sealed
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], owner.bytes)
    except InvalidTag:
        raise KeyLost("What is stored was changed by something other than Callwright, and cannot be opened.") from None
