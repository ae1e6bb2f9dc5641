"""Which webhook hears of what: subscriptions, the messages of legs, and events that are not a call's own."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from callwright import ids
from callwright.calls import rows
from callwright.calls.events import TOPIC, Event, Snapshot
from callwright.calls.labels import Relabelling
from callwright.calls.lifecycle import CallRecord
from callwright.calls.model import CalledNumber
from callwright.dialect import callbacks, catalogue
from callwright.dialect.callbacks import EndpointNotice
from callwright.egress import Fault
from callwright.errors import Conflict
from callwright.reasons import Reason
from callwright.recordings import events as recording_events
from callwright.recordings.model import Recording, RecordingStatus, RecordingType
from callwright.store import Change, Store, Wake, Write
from callwright.store.batch import Job
from callwright.transcriptions import events as transcription_events
from callwright.transcriptions.model import Transcription
from callwright.webhooks import ledger
from callwright.webhooks.fanout import BATCH, FanOut
from callwright.webhooks.log import DeliveryLog
from callwright.webhooks.model import Scope, State, Webhook
from callwright.webhooks.notices import Why
from callwright.webhooks.rows import insert_webhook
from callwright.webhooks.settings import WebhookSettings
from callwright.webhooks.signature import token_signature
from support.json_schema import faults
from support.webhook_stage import NUMBER, OK, OTHER_WORLD, START_US, WORLD, Stage, failing, on_stage

A, B, C = "https://a.test/", "https://b.test/", "https://c.test/"
IN, OUT = UUID(int=101), UUID(int=102)
ALL = callbacks.TYPES


def body(event: Event) -> bytes:
    return callbacks.body(event, "EUR")


class Heard(NamedTuple):
    url: str
    sequence: int
    kind: str


class Story:
    """A call with its webhooks, as the rooms write it; `heard` is what its receivers were sent, in order."""

    def __init__(self, stage: Stage, *, url: str | None = None, token: str | None = "call") -> None:
        self.stage = stage
        stage.render = body
        self.id = UUID(int=50)
        common = {"call_id": self.id, "world_id": WORLD, "source": "31600000001", "at_us": START_US, "node": "test"}
        if url is None:
            called = CalledNumber(NUMBER, "31205550123", None, START_US, START_US)
            self.record = CallRecord.incoming(
                leg_id=IN, destination="31205550123", called=called, sip_call_id="abc@far", **common  # type: ignore[arg-type]
            )  # fmt: skip
        else:
            self.record = CallRecord.requested(
                leg_id=IN, destination="31205550123", number_id=None, webhook_url=url, webhook_token=token, **common  # type: ignore[arg-type]
            )  # fmt: skip

    async def webhook(self, url: str, *events: str, number: bool = False, otherwise: bool = False, token: str = "t") -> UUID:
        """Make one that asks for these types; with `otherwise` it leaves that to the settings."""
        made = Webhook(
            id=ids.uuid7(START_US),
            world_id=WORLD,
            number_id=NUMBER if number else None,
            url=url,
            target=url,
            token=token,
            events=None if otherwise else events,
            created_us=START_US,
            updated_us=START_US,
        )
        await self.commit(Change((insert_webhook(made),)))
        return made.id

    async def commit(self, change: Change) -> None:
        await self.stage.store.commit(change)

    async def goes_on(self) -> None:
        """A caller is answered and transferred, and all hang up."""
        await self.commit(self.record.take())
        self.record.answered(IN, START_US + 1)
        self.record.add_transfer(OUT, "31600000001", "31205550199", START_US + 1)
        await self.commit(self.record.take())
        self.record.end_leg(IN, Reason.API_HANGUP, START_US + 2)
        self.record.end_leg(OUT, Reason.API_HANGUP, START_US + 2)
        await self.commit(self.record.take())

    async def recorded(self) -> Recording:
        """A leg is recorded, and that is written down."""
        recording = Recording(
            id=UUID(int=201),
            world_id=WORLD,
            call_id=self.id,
            leg_id=IN,
            type=RecordingType.IVR,
            file="a",
            created_us=START_US,
            updated_us=START_US,
        )
        await self.commit(recording_events.created(recording))
        recording = replace(recording, status=RecordingStatus.DONE)
        transcription = Transcription(
            id=UUID(int=202),
            world_id=WORLD,
            recording_id=recording.id,
            call_id=self.id,
            leg_id=IN,
            language="en-US",
            created_us=START_US,
            updated_us=START_US,
        )
        await self.commit(recording_events.updated(recording) + transcription_events.created(transcription))
        return recording

    async def heard(self, url: str | None = None) -> list[Heard]:
        await self.stage.sleep(5)
        sent = [Heard(one.url, one.sequence, json.loads(one.body)["items"][0]["event"]) for one in self.stage.receivers.sent]
        return [one for one in sent if url in (None, one.url)]

    async def kinds(self, url: str) -> list[str]:
        heard = await self.heard(url)
        assert [one.sequence for one in heard] == list(range(1, len(heard) + 1))
        return [one.kind for one in heard]


CALLS = ["callCreated", "callUpdated", "callUpdated"]
WITH_LEGS = [
    *("callCreated", "legCreated"),
    *("callUpdated", "legUpdated", "legCreated"),
    *("callUpdated", "legUpdated", "legUpdated"),
]
OF_RECORDINGS = ["recordingCreated", "recordingUpdated"]


def test_strict_mode_tells_of_calls_alone() -> None:
    async def play(stage: Stage) -> None:
        story = Story(stage)
        await story.webhook(A, otherwise=True)
        await story.webhook(B)  # it asks for nothing, and hears of calls still
        await story.goes_on()
        await story.recorded()
        assert await story.kinds(A) == CALLS
        assert await story.kinds(B) == CALLS
        assert len(stage.deliveries(50)) == 6, "what nobody asks for costs no row"

    on_stage(play)


def test_documented_events_alone_whatever_is_asked_for() -> None:
    async def play(stage: Stage) -> None:
        story = Story(stage)
        await story.webhook(A, *ALL)
        await story.webhook(B, otherwise=True)
        await story.goes_on()
        await story.recorded()
        assert await story.kinds(A) == CALLS
        assert await story.kinds(B) == CALLS

    on_stage(play, WebhookSettings(events=ALL, sent=("call",), jitter=0.0, poll=3600.0))


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["leg"], [*WITH_LEGS]),
        (["recording"], [*CALLS, *OF_RECORDINGS]),
        (["transcription"], [*CALLS, "transcriptionCreated"]),
        (["webhook"], CALLS),
        (ALL, [*WITH_LEGS, *OF_RECORDINGS, "transcriptionCreated"]),
    ],
    ids=["legs", "recordings", "transcriptions", "other webhooks", "all"],
)
def test_a_webhook_hears_of_what_it_asks_for(types: list[str], expected: list[str]) -> None:
    async def play(stage: Stage) -> None:
        story = Story(stage)
        await story.webhook(A, *types)
        await story.webhook(B, otherwise=True)
        await story.goes_on()
        await story.recorded()
        assert await story.kinds(A) == expected
        assert await story.kinds(B) == CALLS

    on_stage(play)


def test_whoever_does_not_say_and_the_calls_own_go_by_the_settings() -> None:
    async def play(stage: Stage) -> None:
        story = Story(stage, url=C)
        await story.webhook(A, otherwise=True)
        await story.webhook(B)
        await story.commit(story.record.take())
        await story.recorded()
        first = ["callCreated", "legCreated", *OF_RECORDINGS]
        assert await story.kinds(A) == first
        assert await story.kinds(B) == ["callCreated"]
        assert await story.kinds(C) == first

    on_stage(play, WebhookSettings(events=("leg", "recording"), jitter=0.0, poll=3600.0))


def test_a_url_of_several_webhooks_hears_what_any_of_them_asks_for_once() -> None:
    async def play(stage: Stage) -> None:
        story = Story(stage, url=A)
        await story.webhook(A, "recording", token="first")
        await story.webhook(A, "leg", token="second")
        await story.goes_on()
        await story.recorded()
        assert await story.kinds(A) == [*WITH_LEGS, *OF_RECORDINGS]
        deliveries = stage.deliveries(50)
        assert {(one.scope, one.token) for one in deliveries} == {(Scope.CALL, "call")}
        assert len({one.event_id for one in deliveries}) == len(deliveries)

    on_stage(play)


@pytest.mark.parametrize("of_call", [False, True])
def test_an_heir_takes_over_what_it_is_told_of_itself(of_call: bool) -> None:
    async def play(stage: Stage) -> None:
        stage.receivers.answer = lambda sent: failing(Fault.CONNECT)
        story = Story(stage, url=A if of_call else None, token=None)
        deleted = await story.webhook(A, "leg", "recording", token="deleted")
        await story.commit(story.record.take())
        await story.recorded()
        await stage.sleep(1)
        await stage.webhooks.remove(WORLD, deleted)
        if not of_call:
            await story.webhook(A, otherwise=True, number=True, token="heir")
        stage.receivers.answer = lambda sent: OK
        await stage.sleep(60)
        found = {one.kind: one for one in stage.deliveries(50)}
        assert {kind: one.last_error for kind, one in found.items()} == {
            "callCreated": None,
            "legCreated": "webhook_deleted",
            "recordingCreated": None,
            "recordingUpdated": None,
        }
        signed = {sent.headers.get("X-MessageBird-Signature") for sent in stage.receivers.sent[1:]}
        assert signed == {
            None if of_call else token_signature("heir", one.body) for one in found.values() if not one.last_error
        }
        log = DeliveryLog(stage.store, stage.clock, stage.deliverer.offer, stage.settings.events)
        with pytest.raises(Conflict, match="no webhook asks for it"):
            await log.resend(WORLD, found["legCreated"].id)
        assert (await log.resend(WORLD, found["recordingCreated"].id)).state is State.PENDING

    on_stage(play, WebhookSettings(events=("recording",), jitter=0.0, poll=3600.0))


def test_a_recording_is_told_to_the_webhook_of_its_calls_number() -> None:
    async def play(stage: Stage) -> None:
        story = Story(stage)
        await story.webhook(A, "recording", number=True)
        await story.commit(story.record.take())
        await story.recorded()
        assert await story.kinds(A) == ["callCreated", *OF_RECORDINGS]
        assert {one.scope for one in stage.deliveries(50)} == {Scope.NUMBER}

    on_stage(play)


def test_a_recording_of_a_call_that_is_not_on_record_is_told_to_the_account() -> None:
    async def play(stage: Stage) -> None:
        story = Story(stage)
        await story.webhook(A, "recording")
        await story.webhook(B, "recording", number=True)
        await story.recorded()
        assert await story.heard() == [Heard(A, 1, "recordingCreated"), Heard(A, 2, "recordingUpdated")]

    on_stage(play)


def test_all_messages_of_a_change_share_its_commit_and_the_legs_ids_are_those_of_a_repetition() -> None:
    async def play(stage: Stage) -> None:
        await stage.stop()
        story = Story(stage)
        await story.webhook(A, "leg")
        await story.webhook(B, "leg")
        await story.goes_on()
        commits: list[Job] = []
        put = stage.store._writer.put

        def noted(job: Job) -> None:
            commits.append(job)
            put(job)

        stage.store._writer.put = noted  # type: ignore[method-assign]
        fan_out = FanOut(stage.store, stage.clock, body)
        while await fan_out.step() is not None:
            pass
        assert len(commits) == 1
        assert len(stage.deliveries(50)) == 16
        assert ledger.fanned_out(stage.store) == rows.last_event_pos(stage.store)
        by_url = {
            url: [(one.sequence, one.kind, one.event_id) for one in stage.deliveries(50) if one.url == url] for url in (A, B)
        }
        assert by_url[A] == by_url[B]
        assert [kind for _, kind, _ in by_url[A]] == WITH_LEGS
        again = Store.in_memory()
        for event in rows.events_of(stage.store, WORLD, story.id):
            params = (WORLD.bytes, event.id.bytes, story.id.bytes, event.seq, event.kind, event.at_us, event.content)
            await again.commit(Change((Write("calls.insert_event", params),)))
        await again.commit(Change((insert_webhook(stage.webhooks.page(WORLD, limit=1, offset=0).webhooks[0]),)))
        fan_out = FanOut(again, stage.clock, body)
        while await fan_out.step() is not None:
            pass
        assert [(one.sequence, one.kind, one.event_id) for one in ledger.deliveries_of(again, WORLD, story.id)] == by_url[A]

    on_stage(play)


# events of the account


def notice(kind: str, url: str, world: UUID = WORLD) -> Change:
    told = EndpointNotice(endpoint_id=UUID(int=7), url=url, at_us=START_US, why="gone")
    write = rows.insert_other_event(world, ids.uuid7(START_US), world, kind, START_US, msgspec.msgpack.encode(told))
    return Change((write,), (Wake(TOPIC, world, world),))


def test_a_receiver_that_is_given_up_is_told_to_the_others_of_its_account() -> None:
    async def play(stage: Stage) -> None:
        story = Story(stage)
        await story.webhook(A + "?x=1", "webhook")
        await story.webhook(B, "webhook")
        await story.webhook(C, "leg")
        await story.webhook("https://number.test/", "webhook", number=True)
        await story.commit(notice("webhookDisabled", A))
        await story.commit(notice("webhookDisabled", B))
        await story.commit(notice("webhookEnabled", A))
        await story.commit(notice("webhookDisabled", "https://elsewhere.test/", OTHER_WORLD))
        assert await story.heard(B) == [Heard(B, 1, "webhookDisabled"), Heard(B, 2, "webhookEnabled")]
        assert await story.heard(A + "?x=1") == [Heard(A + "?x=1", 1, "webhookDisabled")]
        assert len(stage.receivers.sent) == 3

    on_stage(play)


def test_what_is_told_of_a_receiver_that_is_gone_and_back_is_as_documented() -> None:
    async def play(stage: Stage) -> None:
        story = Story(stage)
        stage.receivers.answer = lambda sent: failing(Fault.HTTP_ERROR, 410) if sent.url == A else OK
        await story.webhook(A)
        await story.webhook(B, "webhook")
        await story.commit(story.record.take())
        assert [one.kind for one in await story.heard(B)] == ["callCreated", "webhookDisabled"]
        await stage.deliverer.enable(WORLD, A)
        await stage.sleep(1)
        shown = [json.loads(one.body) for one in stage.receivers.sent if one.url == B]
        assert [faults(one, catalogue.json_schema()) for one in shown] == [[], [], []]
        payloads = [one["items"][0]["payload"] for one in shown[1:]]
        assert [(one["url"], one["status"], one["reason"], one["lastStatus"]) for one in payloads] == [
            (A, "disabled", "gone", 410),
            (A, "enabled", "gone", None),
        ]
        assert payloads[0]["id"] == payloads[1]["id"]

    on_stage(play)


def test_the_reasons_are_the_documented_ones() -> None:
    assert catalogue.FIELDS["Endpoint"]["reason"].values == tuple(why.value for why in Why)


# what cannot be read


@pytest.mark.parametrize("spoilt", [b"\xc1 spoilt", b"\x81\xa4call\x81\xa6source\xa1\xff"])
@pytest.mark.parametrize(
    ("kind", "seq"),
    [("callUpdated", 9), ("recordingUpdated", None), ("webhookDisabled", None), ("callDreamt", 9), ("callDreamt", None)],
)
def test_an_event_that_cannot_be_read_holds_up_no_other(kind: str, seq: int | None, spoilt: bytes, caplog: Any) -> None:
    async def play(stage: Stage) -> None:
        story = Story(stage)
        await story.webhook(A, *ALL)
        params = (WORLD.bytes, UUID(int=9).bytes, story.id.bytes, seq, kind, START_US, spoilt)
        await story.commit(Change((Write("calls.insert_event", params),)))
        await story.goes_on()
        assert await story.kinds(A) == WITH_LEGS

    on_stage(play)
    (told,) = [record.getMessage() for record in caplog.records]
    assert told in ("event_not_read", "callback_not_rendered", "event_unknown")


def test_a_leg_that_cannot_be_rendered_holds_up_neither_its_call_nor_the_next(caplog: Any) -> None:
    def spoilt(event: Event) -> bytes:
        if event.kind == "legUpdated":
            raise ValueError("no such leg")
        return body(event)

    async def play(stage: Stage) -> None:
        story = Story(stage)
        stage.render = spoilt
        await story.webhook(A, "leg")
        await story.goes_on()
        assert await story.kinds(A) == [kind for kind in WITH_LEGS if kind != "legUpdated"]

    on_stage(play)
    assert {record.getMessage() for record in caplog.records} == {"callback_not_rendered"}


def test_events_of_older_databases_are_told_as_they_were() -> None:
    async def play(stage: Stage) -> None:
        story = Story(stage)
        await story.webhook(A, *ALL)
        change = story.record.take()
        call, legs = story.record.call, story.record.legs
        older = rows.insert_event(ids.uuid7(START_US), 1, "callCreated", Snapshot(call, legs))
        await story.commit(Change((*change.writes[:-1], older), change.wakes))
        assert await story.kinds(A) == ["callCreated"]

    on_stage(play)


def test_what_nobody_hears_leaves_others_their_turn() -> None:
    async def play(stage: Stage) -> None:
        await stage.stop()
        await stage.events(1, 10 * BATCH)
        reads = 0
        read = stage.store.read

        def counting(query: str, params: tuple[object, ...] = ()) -> object:
            nonlocal reads
            reads += query == "calls.events_after"
            return read(query, params)  # type: ignore[arg-type]

        stage.store.read = counting  # type: ignore[assignment,method-assign]
        await stage.restart()
        seen = []
        while reads < 11:
            seen.append(reads)
            await asyncio.sleep(0)
        assert set(seen) == set(range(11))

    on_stage(play)


def test_no_callback_tells_of_labels() -> None:
    """Nobody is sent anything when they change, and the bodies that follow are those of a call that never had any."""

    def bodies(*, labelled: bool) -> list[bytes]:
        found: list[bytes] = []

        async def play(stage: Stage) -> None:
            story = Story(stage)
            await story.webhook(A, *ALL)
            await story.commit(story.record.take())
            if labelled:
                story.record.label(Relabelling(added=("vip",), metadata={"customer": "42"}), START_US)
                await story.commit(story.record.take())
            await story.goes_on()
            assert await story.kinds(A) == WITH_LEGS
            assert len(stage.deliveries(50)) == len(WITH_LEGS)
            found.extend(one.body for one in stage.deliveries(50))

        on_stage(play)
        return found

    assert bodies(labelled=True) == bodies(labelled=False)
