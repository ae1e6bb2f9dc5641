"""An account has two worlds, live and test; every row of data belongs to one. Access keys open a world.

A key is 256 random bits and is stored as its SHA-256 only. Each world has one signing key, which callbacks are signed
with (contract §4.3); that one can be read again, and be replaced by another.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any
from uuid import UUID

import msgspec

from callwright import ids
from callwright.accounts.rotation import DEFAULT_OVERLAP_S, Secrets, end_of_overlap, in_force
from callwright.clock import Clock, rfc3339
from callwright.errors import NotFound, Unauthenticated
from callwright.log import Log
from callwright.store import Store, Transaction, Write

DEFAULT_ACCOUNT = "default"
LIVE = "live"
TEST = "test"
_SCHEME = "accesskey"

_log = Log("accounts")


class World(msgspec.Struct, frozen=True):
    """`kind` is ``live`` or ``test``; a test world runs on the simulator and never reaches the network.

    `old_signing_key` was replaced and is good until `old_until_us`.
    """

    id: UUID
    account_id: UUID
    kind: str
    signing_key: str
    old_signing_key: str | None = None
    old_until_us: int | None = None

    @property
    def live(self) -> bool:
        return self.kind == LIVE

    def replaced_key(self, now_us: int) -> str | None:
        """The signing key that was replaced, while it is still good."""
        return self.old_signing_key if in_force(self.old_until_us, now_us) else None


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

    def __init__(self, store: Store, clock: Clock, *, rotation_overlap: float = DEFAULT_OVERLAP_S) -> None:
        """`rotation_overlap` is how many seconds a signing key that was replaced stays good, unless it is said."""
        self._store = store
        self._clock = clock
        self._rotation_overlap = rotation_overlap
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

    def signing_keys(self, world_id: UUID) -> Secrets:
        """The keys that a world's callbacks are signed with now."""
        world = self._worlds[world_id]
        return Secrets.at(self._clock.now_us(), world.signing_key, world.old_signing_key, world.old_until_us)

    async def rotate_signing_key(self, world_id: UUID, *, overlap: float | None = None) -> World:
        """Give a world another signing key; the one of today stays good for `overlap` seconds. Raises `Invalid`, `Conflict`."""
        seconds = self._rotation_overlap if overlap is None else overlap
        now_us = self._clock.now_us()

        def run(transaction: Transaction) -> None:
            world = _worlds(transaction)[world_id]
            until_us = end_of_overlap(
                world.old_until_us, now_us, seconds, finish=f"callwright keys rotate-signing --finish{_option(world)}"
            )
            old = None if until_us is None else world.signing_key
            transaction.write(_set_signing_key(world_id, secrets.token_urlsafe(32), old, until_us))

        await self._store.transact(run)
        return self._changed(world_id, "signing_key_rotated")

    async def finish_signing_key_rotation(self, world_id: UUID) -> World:
        """Let the signing key that was replaced be good no more; where there is none, nothing changes."""

        def run(transaction: Transaction) -> None:
            transaction.write(_set_signing_key(world_id, _worlds(transaction)[world_id].signing_key, None, None))

        await self._store.transact(run)
        return self._changed(world_id, "signing_key_rotation_finished")

    def _changed(self, world_id: UUID, what: str) -> World:
        self._reload()
        world = self._worlds[world_id]
        until_us = world.old_until_us
        _log.info(what, world=world.kind, old_good_until=None if until_us is None else rfc3339(until_us))
        return world

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
        self._worlds = _worlds(self._store)
        keys: list[Any] = self._store.read("accounts.key_hashes")
        self._by_hash = {hash_: self._worlds[UUID(bytes=world)] for hash_, world in keys}


def _worlds(source: Store | Transaction) -> dict[UUID, World]:
    rows: list[Any] = source.read("accounts.list_worlds")
    return {UUID(bytes=id_): World(UUID(bytes=id_), UUID(bytes=account), *row) for id_, account, *row in rows}


def _set_signing_key(world_id: UUID, key: str, old: str | None, old_until_us: int | None) -> Write:
    return Write("accounts.set_signing_key", (key, old, old_until_us, world_id.bytes))


def _option(world: World) -> str:
    return "" if world.live else " --test"


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
