"""The native interface over a store in memory, asked without a socket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from callwright import ids
from callwright.accounts.worlds import Accounts, World
from callwright.calls.feed import Feed
from callwright.calls.labelling import label_stored
from callwright.calls.labels import Relabelling
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import Call
from callwright.cli.control import call_asgi
from callwright.clock import SystemClock
from callwright.dialect.callbacks import TYPE_OF
from callwright.errors import Conflict, NotFound, Unavailable
from callwright.flows.flows import Flows
from callwright.native import Authority, Calling, Exports, Limits, Parts, line_of
from callwright.numbers.numbers import Numbers
from callwright.recordings import rows as recording_rows
from callwright.recordings.files import Files
from callwright.recordings.keys import Keyring
from callwright.recordings.model import Recording, RecordingStatus
from callwright.recordings.recordings import Recordings
from callwright.store import Change, Store
from callwright.switch.referring import Referral
from callwright.transcriptions.transcriptions import Transcriptions
from callwright.webhooks.endpoints import Endpoints
from callwright.webhooks.health import Health
from callwright.webhooks.lanes import Live
from callwright.webhooks.listening import Listening
from callwright.webhooks.log import DeliveryLog
from callwright.webhooks.model import Endpoint
from callwright.webhooks.webhooks import Webhooks
from support.described import native_app

NOW_US = 1_700_000_000_123_456
NOW = "2023-11-14T22:13:20.123456Z"


class StillClock:
    """A clock that stands; the rooms under test only look at it."""

    def __init__(self) -> None:
        self.us = NOW_US

    def now_us(self) -> int:
        return self.us

    def mono_ns(self) -> int:
        return self.us * 1000


class Row(NamedTuple):
    key: str
    value: str
    origin: str


class Reply(NamedTuple):
    status: int
    content: Any

    @property
    def error(self) -> dict[str, Any]:
        return self.content["error"]


class Switchboard:
    """Puts a call on record as the switch does, and keeps what it was asked."""

    def __init__(self, store: Store, clock: Any) -> None:
        self._store = store
        self._clock = clock
        self.asked: list[dict[str, Any]] = []
        self.refuses = False
        self.carried: set[UUID] = set()
        self.referrals: list[Referral | None] = []

    def carries(self, call_id: UUID) -> bool:
        return call_id in self.carried

    async def refer_leg(self, world_id: UUID, call_id: UUID, leg_id: UUID, to: str) -> Referral | None:
        """The next of `referrals`, whatever the leg; None for one that is not known in time."""
        self.asked.append({"call": call_id, "leg": leg_id, "to": to})
        return self.referrals.pop(0)

    async def pause_recording(self, world_id: UUID, recording_id: UUID) -> Recording:
        return await self._move(world_id, recording_id, RecordingStatus.PAUSED)

    async def resume_recording(self, world_id: UUID, recording_id: UUID) -> Recording:
        return await self._move(world_id, recording_id, RecordingStatus.RECORDING)

    async def _move(self, world_id: UUID, recording_id: UUID, status: RecordingStatus) -> Recording:
        recording = recording_rows.find(self._store, world_id, recording_id)
        assert recording is not None
        if recording.over:
            raise Conflict("The recording is over.")
        moved = replace(recording, status=status)
        await self._store.commit(Change((recording_rows.update(moved),)))
        return moved

    async def label_call(self, world_id: UUID, call_id: UUID, change: Relabelling) -> Call:
        labelled = await label_stored(self._store, self._clock, world_id, call_id, change)
        if labelled is None:
            raise NotFound(f"No call found for ID `{call_id}`.")
        return labelled

    async def place_call(self, world: World, **wanted: Any) -> Call:
        if self.refuses:
            raise Unavailable("No call can be placed now.", remedy="Wait.")
        self.asked.append({"world": world.kind, **wanted})
        record = CallRecord.requested(
            call_id=ids.uuid7(NOW_US),
            leg_id=ids.uuid7(NOW_US),
            world_id=world.id,
            source=wanted["source"],
            destination=wanted["destination"],
            number_id=None,
            webhook_url=wanted["webhook_url"],
            webhook_token=wanted["webhook_token"],
            tags=wanted["tags"],
            metadata=wanted["metadata"],
            at_us=NOW_US,
            node="here",
        )
        await self._store.commit(record.take())
        return record.call


class DelivererStub:
    """Switches endpoints off and on in their rows, as the deliverer does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.refreshed: list[Endpoint] = []
        self.tried: list[str] = []
        self.health, self.until_us = Health.RESTING, NOW_US

    def refresh(self, endpoint: Endpoint) -> None:
        self.refreshed.append(endpoint)

    def live(self, world_id: UUID, url: str) -> Live:
        return Live(self.health, self.until_us, 3, 1, 16, 0.0)

    def end_pauses(self, world_id: UUID, url: str) -> None:
        self.tried.append(url)
        self.health = Health.PROBATION

    async def enable(self, world_id: UUID, url: str) -> bool:
        self._set(None, None, world_id, url)
        return True

    async def disable(self, world_id: UUID, url: str) -> bool:
        self._set(NOW_US, "asked", world_id, url)
        return True

    def _set(self, at_us: int | None, why: str | None, world_id: UUID, url: str) -> None:
        connection = self._store._writer._connection  # type: ignore[attr-defined]
        connection.execute(
            "UPDATE endpoints SET disabled_us = ?, disabled_why = ? WHERE world_id = ? AND url = ?",
            (at_us, why, world_id.bytes, url),
        )


class NativeRoom:
    """Recordings are kept in `folder`, sealed with the first of `keys`."""

    def __init__(self, *, folder: Path = Path("/dev/null"), keys: dict[str, bytes] | None = None, **limits: Any) -> None:
        clock: Any = StillClock()
        self.clock = clock
        self.store = Store.in_memory()
        self.accounts = Accounts(self.store, clock)
        self.numbers = Numbers(self.store, clock, claim=limits.get("claim", "open"))
        self.flows = Flows(self.store, clock)
        self.switchboard = Switchboard(self.store, clock)
        self.keys = Keyring(keys or {})
        self.recordings = Recordings(self.store, clock, folder, self.keys)
        self.transcriptions = Transcriptions(self.store, clock, self.keys)
        self.files = Files(self.recordings)
        self.webhooks = Webhooks(self.store, clock, self.refusal)
        self.offered: list[Endpoint] = []
        self.log = DeliveryLog(self.store, clock, self.offered.append)
        self.deliverer = DelivererStub(self.store)
        self.endpoints = Endpoints(self.store, clock, self.deliverer)
        self.listening = Listening(
            self.store,
            SystemClock(),
            render=lambda event: json.dumps({"kind": event.kind}).encode(),
            sign=lambda attempt, url, now_us: [("signed-for", url.text), ("signed-with", attempt.token or "the signing key")],
        )
        self.feed = Feed(
            self.store,
            SystemClock(),
            types=TYPE_OF,
            render=lambda event: line_of(self.accounts.world_by_id(event.world_id), event),  # type: ignore[arg-type]
        )
        self.lacking: dict[str, str | None] = {"store": None, "sip": None}
        self.parts = Parts(
            store=self.store,
            clock=clock,
            accounts=self.accounts,
            numbers=self.numbers,
            flows=self.flows,
            recordings=self.recordings,
            transcriptions=self.transcriptions,
            files=self.files,
            keys=self.keys,
            settings=lambda: [Row("http.port", "8080", "default")],
            health=lambda: self.lacking,
            calling=Calling(self.switchboard, self.webhooks),
            webhooks=self.webhooks,
            log=self.log,
            endpoints=self.endpoints,
            exports=Exports(SystemClock()),
            listening=self.listening,
            feed=self.feed,
            limits=Limits(**limits),
        )
        self._apps = {authority: native_app(self.parts, authority) for authority in Authority}
        self.key = ""

    def refusal(self, url: str) -> str | None:
        return "10.0.0.1 is a private address" if "10.0.0.1" in url else None

    @classmethod
    async def open(cls, **options: Any) -> NativeRoom:
        room = cls(**options)
        await room.accounts.prepare()
        room.key = (await room.accounts.make_key("live", "")).secret
        return room

    async def operator(self, method: str, path: str, body: Any = None, *, world: str | None = None) -> Reply:
        """Ask over the control socket."""
        return await self._ask(Authority.SOCKET, method, path, body, {} if world is None else {"Callwright-World": world})

    async def customer(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Reply:
        """Ask over TCP with an access key; ``""`` for none."""
        key = self.key if key is None else key
        return await self._ask(Authority.NETWORK, method, path, body, {"Authorization": f"AccessKey {key}"} if key else {})

    async def _ask(self, authority: Authority, method: str, path: str, body: Any, headers: dict[str, str]) -> Reply:
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        status, received = await call_asgi(self._apps[authority], method, path, headers, sent)
        is_json = received[:1] in (b"{", b"[")
        return Reply(status, json.loads(received) if is_json else received or None)
