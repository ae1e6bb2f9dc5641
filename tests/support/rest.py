"""The compatible API over a real in-memory store, with call control replaced by one that only keeps records."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from callwright import ids
from callwright.accounts.worlds import Accounts, World
from callwright.api.app import Api
from callwright.api.parts import Limits, Parts
from callwright.audiofile import Writer
from callwright.calls import rows
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import Call, CalledNumber
from callwright.clock import SystemClock
from callwright.dialect.strictness import LENIENT, Strictness
from callwright.egress.addresses import Veto, refusal_of_url
from callwright.errors import NotFound
from callwright.flows.check import Abilities
from callwright.flows.flows import Flows
from callwright.flows.schema import Flow
from callwright.numbers.numbers import Numbers
from callwright.reasons import Reason
from callwright.recordings.files import Files
from callwright.recordings.keys import Keyring
from callwright.recordings.model import Recording, RecordingType
from callwright.recordings.objects import Objects
from callwright.recordings.recordings import Recordings
from callwright.store import Store
from callwright.telephony import RecordOutcome, Tracks
from callwright.transcriptions.transcriptions import Transcriptions
from callwright.webhooks.webhooks import Webhooks
from support.asgi import Client
from support.described import ProvenApi

START_US = 1_714_644_000_000_000  # 2024-05-02T10:00:00Z
SECOND_US = 1_000_000


class StillClock(SystemClock):
    """The time of day is what a test sets."""

    def __init__(self) -> None:
        self.at_us = START_US

    def now_us(self) -> int:
        return self.at_us


class RecordingSwitch:
    """Places calls on record and hangs them up there; `asked` is what it was asked, `refusal` what it raises."""

    def __init__(self, store: Store, clock: StillClock) -> None:
        self._store = store
        self._clock = clock
        self.asked: list[tuple[Any, ...]] = []
        self.refusal: Exception | None = None

    async def place_call(
        self,
        world: World,
        *,
        source: str,
        destination: str,
        flow: Flow,
        flow_body: dict[str, Any],
        webhook_url: str | None,
        webhook_token: str | None,
        tags: tuple[str, ...] = (),
        metadata: dict[str, str] | None = None,
    ) -> Call:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(("place", world.kind, source, destination, len(flow.steps), flow_body, webhook_url, webhook_token))
        now = self._clock.now_us()
        record = CallRecord.requested(
            call_id=ids.uuid7(now),
            leg_id=ids.uuid7(now),
            world_id=world.id,
            source=source,
            destination=destination,
            number_id=None,
            webhook_url=webhook_url,
            webhook_token=webhook_token,
            tags=tags,
            metadata=metadata,
            at_us=now,
            node="test",
        )
        await self._store.commit(record.take())
        return record.call

    async def hang_up_call(self, world_id: UUID, call_id: UUID) -> None:
        if rows.find_call(self._store, world_id, call_id) is None:
            raise NotFound(f"No call found for ID `{call_id}`.")
        self.asked.append(("hang up call", call_id))

    async def hang_up_leg(self, world_id: UUID, leg_id: UUID) -> None:
        if rows.find_leg(self._store, world_id, leg_id) is None:
            raise NotFound(f"No leg found for ID `{leg_id}`.")
        self.asked.append(("hang up leg", leg_id))

    async def replace_flow(self, world_id: UUID, call_id: UUID, flow: Flow, flow_body: dict[str, Any]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(("replace flow", call_id, len(flow.steps), flow_body))

    async def add_party(self, world_id: UUID, call_id: UUID, destination: str, source: str | None) -> UUID:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(("add party", call_id, destination, source))
        return rows.legs_of(self._store, world_id, call_id)[-1].id

    async def hold_leg(self, world_id: UUID, leg_id: UUID, *, on: bool) -> None:
        if rows.find_leg(self._store, world_id, leg_id) is None:
            raise NotFound(f"No leg found for ID `{leg_id}`.")
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(("hold" if on else "unhold", leg_id))


def refusal(url: str) -> str | None:
    """What a door says that lets nobody out to private addresses."""
    return refusal_of_url(url, Veto())


class Rest:
    """`live` and `test` are clients of the two worlds, `anonymous` one without a key.

    Without a `folder` nothing can be recorded.
    """

    def __init__(
        self,
        store: Store,
        folder: Path = Path("/dev/null"),
        *,
        limits: Limits | None = None,
        claim: str = "open",
        keys: dict[str, bytes] | None = None,
        objects: Objects | None = None,
        strictness: Strictness = LENIENT,
    ) -> None:
        self.store = store
        self.clock = StillClock()
        self.accounts = Accounts(store, self.clock)
        self.numbers = Numbers(store, self.clock, claim=claim)
        self.flows = Flows(store, self.clock, abilities=Abilities(reaches=refusal))
        self.webhooks = Webhooks(store, self.clock, refusal)
        self.switch = RecordingSwitch(store, self.clock)
        self.keys = Keyring(keys or {})
        self.recordings = Recordings(store, self.clock, folder, self.keys, to_objects=objects is not None)
        self.transcriptions = Transcriptions(store, self.clock, self.keys)
        self.files = Files(self.recordings, objects)
        self.app = ProvenApi(
            Api(
                Parts(
                    store=store,
                    clock=self.clock,
                    accounts=self.accounts,
                    numbers=self.numbers,
                    flows=self.flows,
                    webhooks=self.webhooks,
                    switch=self.switch,
                    recordings=self.recordings,
                    transcriptions=self.transcriptions,
                    files=self.files,
                    limits=limits or Limits(),
                    strictness=strictness,
                )
            ),
            strictness,
        )
        self.anonymous = Client(self.app, None)

    async def prepare(self) -> Rest:
        await self.accounts.prepare()
        self.live_key = (await self.accounts.make_key("live")).secret
        self.live = Client(self.app, self.live_key)
        self.test = Client(self.app, (await self.accounts.make_key("test")).secret)
        return self

    async def inbound_call(self, *, kind: str = "live", number: str = "31205550123") -> CallRecord:
        """A caller dialled a number, was transferred after 9 s, and hung up after 15 s."""
        world = self.accounts.world(kind)
        owned = self.numbers.find(world.id, number) or await self.numbers.make(world, number)
        start = self.clock.now_us()
        first, second = ids.uuid7(start), ids.uuid7(start)
        record = CallRecord.incoming(
            call_id=ids.uuid7(start),
            leg_id=first,
            world_id=world.id,
            source="31205550177",
            destination=number,
            called=CalledNumber(owned.id, number, owned.flow_id, owned.created_us, owned.updated_us),
            sip_call_id="a@b",
            at_us=start,
            node="test",
        )
        record.add_transfer(second, "31205550177", "31205550199", start + SECOND_US)
        for leg in (second, first):
            record.answered(leg, start + 9 * SECOND_US)
        record.end_leg(first, Reason.CALLER_HANGUP, start + 15 * SECOND_US)
        record.end_leg(second, Reason.PEER_GONE, start + 15 * SECOND_US)
        await self.store.commit(record.take())
        return record

    async def recording(
        self,
        record: CallRecord,
        sound: bytes | None = bytes(16_000),
        *,
        leg: int = 0,
        kind: RecordingType = RecordingType.IVR,
        tracks: Tracks = Tracks.FROM,
        outcome: RecordOutcome | None = RecordOutcome.KEY,
        detail: str = "",
        after_s: int = 2,
    ) -> Recording:
        """A leg was recorded; `sound` is None when no file was ever made, `outcome` None while it goes on."""
        now = self.clock.now_us()
        leg_id = record.legs[leg].id
        begun = self.recordings.begin(record.call.world_id, record.call.id, leg_id, kind, tracks, now)
        recording, started = self.recordings.started(begun.recording, now)
        change = begun.change + started
        if sound is not None:
            writer = Writer(begun.path, recording.channels, begun.key)
            writer.write(sound)
            if outcome is None:
                writer.abandon()
            else:
                writer.close()
        if outcome is not None:
            duration_ms = len(sound or b"") // (16 * recording.channels)
            ended_us = now + after_s * SECOND_US
            recording, finished = self.recordings.finished(recording, outcome, duration_ms, detail, ended_us)
            change += finished
        await self.store.commit(change)
        return recording
