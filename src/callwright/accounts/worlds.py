"""An account has two worlds, live and test; every row of data belongs to one. Access keys open a world.

A key is 256 random bits and is stored as its SHA-256 only. Each world has one signing key, which callbacks are signed
with (contract §4.3); that one can be read again.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any
from uuid import UUID

import msgspec

from callwright import ids
from callwright.clock import Clock
from callwright.errors import NotFound, Unauthenticated
from callwright.store import Store, Transaction, Write

DEFAULT_ACCOUNT = "default"
LIVE = "live"
TEST = "test"
_SCHEME = "accesskey"


class World(msgspec.Struct, frozen=True):
    """`kind` is ``live`` or ``test``; a test world runs on the simulator and never reaches the network."""

    id: UUID
    account_id: UUID
    kind: str
    signing_key: str

    @property
    def live(self) -> bool:
        return self.kind == LIVE


class Key(msgspec.Struct, frozen=True):
    """An access key as it is known after it was made: its last four characters, never the whole."""

    id: UUID
    world_id: UUID
    kind: str
    label: str
    ending: str
    created_us: int
    revoked_us: int | None


class MadeKey(msgspec.Struct, frozen=True):
    """A new key; `secret` is shown once."""

    key: Key
    secret: str


class Accounts:
    """Worlds and keys. Keys are looked up on every request, so those in force are kept in memory."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._worlds: dict[UUID, World] = {}
        self._by_hash: dict[bytes, World] = {}

    async def prepare(self) -> None:
        """Make the default account and its worlds where they are missing, and load the keys."""
        await self._store.transact(self._make_default)
        self._reload()

    def world(self, kind: str) -> World:
        """The default account's world of a kind."""
        return next(world for world in self._worlds.values() if world.kind == kind)

    def world_by_id(self, world_id: UUID) -> World | None:
        return self._worlds.get(world_id)

    def worlds(self) -> list[World]:
        return list(self._worlds.values())

    def authenticate(self, header: str | None) -> World:
        """Find the world an ``Authorization: AccessKey …`` header opens, or raise `Unauthenticated`."""
        scheme, _, secret = (header or "").strip().partition(" ")
        if scheme.lower() != _SCHEME or not secret:
            raise Unauthenticated
        world = self._by_hash.get(_hash(secret.strip()))
        if world is None:
            raise Unauthenticated("The access key is not known here, or was revoked. List keys with: callwright keys list")
        return world

    async def make_key(self, kind: str, label: str = "") -> MadeKey:
        world = self.world(kind)
        secret = f"{kind}_{secrets.token_urlsafe(32)}"
        now = self._clock.now_us()
        key = Key(ids.uuid7(now), world.id, kind, label, secret[-4:], now, None)

        def run(transaction: Transaction) -> None:
            transaction.write(
                Write(
                    "accounts.insert_key",
                    (world.id.bytes, key.id.bytes, _hash(secret), key.label, key.ending, key.created_us),
                )
            )

        await self._store.transact(run)
        self._reload()
        return MadeKey(key, secret)

    async def revoke_key(self, key_id: UUID) -> None:
        """Stop a key from opening anything; raises `NotFound` for one that is not in force."""
        now = self._clock.now_us()

        def run(transaction: Transaction) -> int:
            return transaction.write(Write("accounts.revoke_key", (now, key_id.bytes)))

        if not await self._store.transact(run):
            raise NotFound(f"There is no key {key_id} in force.")
        self._reload()

    def keys(self) -> list[Key]:
        """All keys, oldest first, the revoked ones too."""
        found = []
        rows: list[Any] = self._store.read("accounts.list_keys")
        for world, id_, label, ending, created_us, revoked_us in rows:
            world_id = UUID(bytes=world)
            kind = self._worlds[world_id].kind
            found.append(Key(UUID(bytes=id_), world_id, kind, label, ending, created_us, revoked_us))
        return found

    def _make_default(self, transaction: Transaction) -> None:
        now = self._clock.now_us()
        if transaction.read("accounts.find_account", (DEFAULT_ACCOUNT,)):
            return
        account_id = ids.uuid7(now)
        transaction.write(Write("accounts.insert_account", (account_id.bytes, DEFAULT_ACCOUNT, now)))
        for kind in (LIVE, TEST):
            signing_key = secrets.token_urlsafe(32)
            transaction.write(Write("accounts.insert_world", (ids.uuid7(now).bytes, account_id.bytes, kind, signing_key, now)))

    def _reload(self) -> None:
        worlds: list[Any] = self._store.read("accounts.list_worlds")
        self._worlds = {
            UUID(bytes=id_): World(UUID(bytes=id_), UUID(bytes=account), kind, signing_key)
            for id_, account, kind, signing_key in worlds
        }
        keys: list[Any] = self._store.read("accounts.key_hashes")
        self._by_hash = {hash_: self._worlds[UUID(bytes=world)] for hash_, world in keys}


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
