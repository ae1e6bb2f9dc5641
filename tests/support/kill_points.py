"""A core that is killed between any two commits, and its successors: ``python -m support.kill_points FOLDER [FIRST STEP]``.

Each life is a fork of this program: the real store, switch and deliverer on virtual time, an engine that says what the
story says, and a writer that ends the process with SIGKILL at a given commit. What was said to the outside (commands,
callbacks, acknowledged requests) is noted in a file that survives. Prints a JSON object with how many commits there are,
and a sentence for each thing that was wrong afterwards.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from callwright import telephony
from callwright.audiofile import Writer
from callwright.calls import events, journal, rows
from callwright.calls.labels import Relabelling
from callwright.clock import VirtualClock, VirtualLoop
from callwright.dialect import callbacks
from callwright.egress import Answer
from callwright.log import configure
from callwright.recordings.files import Files
from callwright.recordings.keys import Keyring
from callwright.recordings.recordings import Recordings
from callwright.store import Change, Store, queries
from callwright.store.batch import Transaction, run_batch
from callwright.store.migrate import migrate
from callwright.store.store import _connect
from callwright.switch import recovery
from callwright.switch.settings import CallSettings
from callwright.telephony import Cause, RecordOutcome, Transcript, Who
from callwright.transcriptions import events as transcription_events
from callwright.transcriptions.queue import Queue
from callwright.webhooks.deliverer import Deliverer
from callwright.webhooks.model import Webhook
from callwright.webhooks.rows import insert_webhook
from callwright.webhooks.settings import WebhookSettings
from callwright.webhooks.signing import Signer
from support.invariants import check_record
from support.scripted import B, C, Stage, pause, transfer
from support.steps import tag

NODE = "test"
HOUR_US = 3_600_000_000
BEFORE, AFTER = "before", "after"
URL = "http://customer.test/calls"


class MortalWriter:
    """Commits one change at a time; before or after number `at` the process is no more."""

    def __init__(self, path: Path, at: int = 0, where: str = AFTER) -> None:
        self.connection = _connect(str(path), "off")  # a process may die here, the machine does not
        migrate(self.connection)
        self._transaction = Transaction(self.connection, queries.load())
        self._at, self._where = at, where
        self.commits = 0
        self.armed = False
        self.recordings = path.parent / "recordings"

    def put(self, job: Any) -> None:
        if self.armed:
            self.commits += 1
            self._die(BEFORE)
        run_batch(self.connection, self._transaction, [job])
        if self.armed:
            self._die(AFTER)
        job.told(job)

    def close(self) -> None:
        self.connection.close()

    def _die(self, where: str) -> None:
        if self.commits == self._at and where == self._where:
            os.kill(os.getpid(), signal.SIGKILL)


class OneThread(VirtualLoop):
    """Does at once what others would have a thread do, since virtual time waits for none."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class Notes:
    """What the outside has seen, a line each, whatever becomes of the process."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def add(self, *words: object) -> None:
        os.write(self._descriptor, (" ".join(str(word) for word in words) + "\n").encode())


class Customer:
    """The receiver of a webhook that asks for everything: takes it."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    async def post(self, url: str, headers: Sequence[Any], body: bytes, timeout: float, *, repeatable: bool = False) -> Answer:
        (item,) = json.loads(body)["items"]
        call = item["payload"].get("callId", item["payload"]["id"])
        self._notes.add("posted", call, dict(headers)["webhook-sequence"], item["event"], dict(headers)["webhook-id"])
        return Answer(url, status=200, whole=True)


def deliverer(store: Store, clock: VirtualClock, notes: Notes) -> Deliverer:
    made = Deliverer(
        store,
        Customer(notes),  # type: ignore[arg-type]
        clock,
        WebhookSettings(),
        render=lambda event: callbacks.body(event, "EUR"),
        sign=Signer(lambda world_id: "key").headers,
        counted=lambda result: None,
    )
    store.on(events.TOPIC, lambda wake: made.wake(wake.world_id, wake.subject_id))
    return made


class Listener:
    """Who writes recordings down."""

    def refusal(self, language: str) -> str | None:
        return None

    async def transcribe(self, path: Path, language: str) -> Transcript:
        return Transcript("Hello.", (), language, "listener")


def queue(store: Store, clock: VirtualClock, recordings: Recordings) -> Queue:
    return Queue(store, clock, Keyring({}), Files(recordings), Listener())


def record(asked: telephony.StartRecording, *, whole: bool) -> None:
    """Write a second of sound, as the media process would; not `whole` when it is still at it."""
    writer = Writer(Path(asked.path), 1)
    writer.write(bytes(16_000))
    if whole:
        writer.close()
    else:
        writer.abandon()


async def first_life(writer: MortalWriter, notes: Notes) -> None:
    """Calls of every kind, all at once: bridged, ended by the API, cancelled, busy, recorded, and some that are never over."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    stage = Stage(Store(writer, writer.connection), VirtualClock(loop))
    stage.close()
    stage.folder = writer.recordings
    stage.recordings = Recordings(stage.store, stage.clock, stage.folder, Keyring({}))
    await stage.start(CallSettings(), {})
    stage.script.before = lambda command: notes.add("told", type(command).__name__, command.leg)
    heard = stage.script.sink

    def hears(event: telephony.Event) -> None:
        over = isinstance(event, telephony.Ended | telephony.Refused) and not event.unconfirmed
        if over or isinstance(event, telephony.Released):
            notes.add("gone", event.leg)
        heard(event)

    stage.script.sink = hears
    recorded = {"action": "record", "options": {"beep": False, "transcribe": True, "transcribeLanguage": "en-US"}}
    for number, steps in (
        ("31205550101", [tag("bridged"), transfer()]),
        ("31205550102", [pause(60)]),
        ("31205550103", [transfer(C)]),
        ("31205550104", [recorded, pause(60)]),
    ):
        await stage.number(number, steps)
    await stage.store.commit(Change((insert_webhook(hook(stage.world.id)),)))
    working = [
        loop.create_task(deliverer(stage.store, stage.clock, notes).run()),
        loop.create_task(queue(stage.store, stage.clock, stage.recordings).run()),
    ]
    await stage.switch.start()
    writer.armed = True

    async def acknowledged(placed: Any) -> Any:
        call = await placed
        notes.add("acknowledged", call.id)
        return call

    async def arrive(number: str) -> UUID:
        return await stage.arrive(destination=number, dialog=number.encode())

    script = stage.script
    bridged, by_api, cancelled, stays, rings, says, speaks = [
        await arrive(f"3120555010{last}") for last in (1, 2, 3, 2, 3, 4, 4)
    ]
    busy, short = [await acknowledged(stage.place(B, [pause(1)])) for _ in range(2)]
    await stage.after(0.5)
    to_bridged, to_cancelled, to_rings, to_busy, to_short = stage.placed()
    for leg in (to_bridged, to_cancelled, to_rings, to_busy, to_short):
        script.say(telephony.Ringing, leg)
    await stage.tick()
    for leg in (by_api, stays, says, speaks):
        script.say(telephony.Answered, leg, dialog=b"in")
    script.say(telephony.Answered, to_bridged, dialog=b"out")
    script.say(telephony.Answered, to_short, dialog=b"out")
    script.refused(to_busy, Cause.BUSY, 486)
    script.refused(cancelled, Cause.CANCELLED, 487)
    await stage.tick()
    script.say(telephony.Answered, bridged, dialog=b"in")
    await stage.tick()
    script.refused(to_cancelled, Cause.CANCELLED)
    script.say(telephony.Digit, bridged, digit="5", duration_ms=80, means="rfc4733")
    said, spoken = script.of(telephony.StartRecording)
    for asked in (said, spoken):
        script.say(telephony.RecordingStarted, asked.leg, recording=asked.recording)
        await stage.tick()
        record(asked, whole=asked is said)
    await stage.switch.pause_recording(stage.world.id, said.recording)
    await stage.switch.resume_recording(stage.world.id, said.recording)
    script.say(telephony.RecordingFinished, said.leg, recording=said.recording, outcome=RecordOutcome.KEY, duration_ms=1000)
    await stage.after(1)
    script.ended(to_short, who=Who.US, unconfirmed=True)
    script.ended(bridged)
    await stage.tick()
    script.ended(to_bridged, who=Who.US, unconfirmed=True)
    call = next(call for call in stage.calls() if call.destination == "31205550102")
    labelling = [
        loop.create_task(stage.switch.label_call(stage.world.id, call.id, Relabelling(added=(f"tag-{number}",))))
        for number in range(3)
    ]
    ending = loop.create_task(stage.switch.hang_up_call(stage.world.id, call.id))
    for number, labelled in enumerate(labelling):
        await labelled
        notes.add("labelled", call.id, f"tag-{number}")
    await ending
    notes.add("deleted", call.id)
    await stage.tick()
    script.ended(by_api, who=Who.US, unconfirmed=True)
    for leg in (to_short, to_bridged, by_api):
        script.say(telephony.Released, leg)
    await stage.after(3)
    await stage.switch.label_call(stage.world.id, call.id, Relabelling(added=("tag-late",), removed=("tag-0",)))
    notes.add("labelled", call.id, "tag-late")
    del busy, short, rings, to_rings
    await end(working)
    await stage.switch.stop()
    notes.add("commits", writer.commits)


def hook(world_id: UUID) -> Webhook:
    """One that asks for everything."""
    return Webhook(
        id=UUID(int=1), world_id=world_id, url=URL, target=URL, token="t", events=callbacks.TYPES, created_us=0, updated_us=0
    )


async def end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def next_life(writer: MortalWriter, notes: Notes) -> None:
    """Settle what was left, release what may be up, and tell what was not told."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    clock = VirtualClock(loop, start_us=1_700_000_000_000_000 + HOUR_US)
    store = Store(writer, writer.connection)
    writer.armed = True
    released: list[UUID] = []
    await recovery.settle(store, clock, NODE, lambda dialogs: released.extend(leg for leg, _ in dialogs))
    for leg in released:
        notes.add("released", leg)
    recordings = Recordings(store, clock, writer.recordings, Keyring({}))
    await recordings.settle(partial(recovery.recording_settled, store))
    working = [
        loop.create_task(deliverer(store, clock, notes).run()),
        loop.create_task(queue(store, clock, recordings).run()),
    ]
    await clock.sleep(60)
    await end(working)
    notes.add("recovered")


def live(life: Callable[[MortalWriter, Notes], Any], folder: Path, at: int, where: str = AFTER) -> bool:
    """Live one life in a process of its own; whether it came to its end."""
    pid = os.fork()
    if pid == 0:
        try:
            writer = MortalWriter(folder / "callwright.db", at, where)
            with asyncio.Runner(loop_factory=OneThread) as runner:
                runner.run(life(writer, Notes(folder / "notes")))
            writer.close()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGKILL):
        raise AssertionError(f"a life ended with {code}")
    return code == 0


def left_alive(folder: Path) -> dict[bytes, int]:
    """The calls that are live on disk, and when the last line of their journals was written."""
    connection = _connect(str(folder / "callwright.db"), "off")
    try:
        return dict(
            connection.execute(
                "SELECT id, MAX(journal.at_us) FROM calls JOIN journal ON journal.world_id = calls.world_id "
                "AND journal.call_id = calls.id WHERE ended_us IS NULL GROUP BY id"
            )
        )
    finally:
        connection.close()


def faults(folder: Path, left: dict[bytes, int], deaths: int) -> list[str]:
    """What is wrong on disk and outside after the last life."""
    connection = _connect(str(folder / "callwright.db"), "off")
    store = Store(MortalWriter(folder / "callwright.db"), connection)
    noted = [line.split() for line in (folder / "notes").read_text().splitlines()]
    wrong = []
    posted: defaultdict[str, list[list[str]]] = defaultdict(list)
    for kind, *rest in noted:
        if kind == "posted":
            posted[rest[0]].append(rest[1:])
    messages = told(store)
    seen_us = rows.last_heartbeat(store, NODE) or 0
    calls = [(UUID(bytes=world), UUID(bytes=call)) for world, call in connection.execute("SELECT world_id, id FROM calls")]
    for world_id, call_id in calls:
        wrong += _unlabelled(store, world_id, call_id, noted)
        try:
            check_record(store, world_id, call_id, over=True)
        except AssertionError as error:
            wrong.append(f"call {call_id}: {error}")
        settled = sum(isinstance(line.entry, journal.Settled) for line in rows.journal_of(store, world_id, call_id))
        if settled != (call_id.bytes in left):
            wrong.append(f"call {call_id} was settled {settled} times")
        if settled:
            call = rows.find_call(store, world_id, call_id)
            assert call is not None
            if call.ended_us != max(seen_us, left[call_id.bytes]):
                wrong.append(f"call {call_id} ended at {call.ended_us}; seen {seen_us}, touched {left[call_id.bytes]}")
        taken = [tuple(one) for one in posted.pop(str(call_id), [])]
        if list(dict.fromkeys(taken)) != messages.get(call_id, []):
            wrong.append(f"call {call_id}: callbacks {taken}, events {messages.get(call_id)}")
        if max(Counter(taken).values(), default=0) > 1 + deaths:
            wrong.append(f"call {call_id}: callbacks {taken} after {deaths} deaths")
    if posted:
        wrong.append(f"callbacks about calls that are not on record: {sorted(posted)}")
    on_record = {str(call_id) for _, call_id in calls}
    said = {(kind, rest[0]) for kind, *rest in noted if kind in ("acknowledged", "deleted")}
    wrong += [f"{kind} call {call} is lost" for kind, call in sorted(said) if call not in on_record]
    wrong += _unreleased(noted)
    states = dict(connection.execute("SELECT state, COUNT(*) FROM deliveries GROUP BY state").fetchall())
    count = sum(len(of_call) for of_call in messages.values())
    if states != ({"delivered": count} if count else {}):
        wrong.append(f"{count} messages, deliveries {states}")
    wrong += _half_told(store, connection)
    if connection.pragma("integrity_check") != "ok":
        wrong.append("the database is damaged")
    store.close()
    connection.close()
    return wrong


def told(store: Store) -> dict[UUID, list[tuple[str, ...]]]:
    """What a receiver of everything must have heard of each call, in order: sequence, event and id."""
    found: defaultdict[UUID, list[tuple[str, ...]]] = defaultdict(list)
    for event in rows.events_after(store, 0, 10_000):
        if event.kind == events.LABELLED:
            continue
        for one in (event, *(events.leg_events(event) if event.seq is not None else ())):
            found[event.call_id].append((str(len(found[event.call_id]) + 1), one.kind, str(one.id)))
    return found


def _unlabelled(store: Store, world_id: UUID, call_id: UUID, noted: list[list[str]]) -> list[str]:
    """Tags whose change was acknowledged must be there."""
    call = rows.find_call(store, world_id, call_id)
    assert call is not None
    acknowledged = [rest[1] for kind, *rest in noted if kind == "labelled" and rest[0] == str(call_id)]
    missing = [tag for tag in acknowledged if tag not in call.tags and (tag != "tag-0" or "tag-late" not in call.tags)]
    return [f"call {call_id} lost its tag {tag}" for tag in missing]


def _half_told(store: Store, connection: Any) -> list[str]:
    """Transcriptions must have been told in all their statuses, each once."""
    statuses: defaultdict[bytes, list[str]] = defaultdict(list)
    for event in rows.events_after(store, 0, 10_000):
        if event.kind.startswith("transcription"):
            shown = transcription_events.unpack(event.content)
            statuses[shown.id.bytes].append(shown.status.value)
    made = {id_ for (id_,) in connection.execute("SELECT id FROM transcriptions")}
    whole = ["created", "transcribing", "done"]
    wrong = [f"transcription {id_.hex()} was told as {statuses.pop(id_, [])}" for id_ in made if statuses.get(id_) != whole]
    return wrong + [f"transcription {id_.hex()} was told of and is not there" for id_ in statuses if id_ not in made]


def _unreleased(noted: list[list[str]]) -> list[str]:
    """Incoming legs that signalling was told to answer must be gone, or released by the successor."""
    answered = {rest[1] for kind, *rest in noted if kind == "told" and rest[0] == "Answer"}
    released = {rest[0] for kind, *rest in noted if kind == "released"}
    gone = {rest[0] for kind, *rest in noted if kind == "gone"}
    return [f"leg {leg} was answered, and nobody will end it" for leg in answered - released - gone]


def one_death(folder: Path, at: int, where: str) -> list[str]:
    """Die at a commit, then at the first of the recovery, then at its second, and so on until one life is whole."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if live(first_life, folder, at, where):
        return [f"there is no commit {at}"]
    left = left_alive(folder)
    deaths = 1
    while not live(next_life, folder, deaths, AFTER if deaths % 2 else BEFORE):
        deaths += 1
    return faults(folder, left, deaths)


def main(folder: Path, first: int = 1, step: int = 1) -> None:
    configure("error")
    (folder / "whole").mkdir(parents=True)
    live(first_life, folder / "whole", 0)
    noted = [line.split() for line in (folder / "whole" / "notes").read_text().splitlines()]
    commits = int(noted[-1][1])
    wrong = {}
    for at in range(first, commits + 1, step):
        for where in (BEFORE, AFTER):
            if found := one_death(folder / "life", at, where):
                wrong[f"{where} {at}"] = found
    print(json.dumps({"commits": commits, "wrong": wrong}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(one) for one in sys.argv[2:]))
