"""The rooms of the core process put together: the only place that knows them all."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from callwright import __version__, ids, native, settings
from callwright.accounts.worlds import LIVE, TEST, Accounts, World
from callwright.api import parts as api_parts
from callwright.api.app import Api
from callwright.api.exchange import failed
from callwright.calls import events
from callwright.calls.feed import Feed
from callwright.clock import Clock
from callwright.datafolder import DataFolder
from callwright.dialect import callbacks, decode, render
from callwright.egress import Header, Url
from callwright.egress.post import HttpDoor
from callwright.errors import Problem, SettingsError
from callwright.flows.check import Abilities, said
from callwright.flows.flows import Flows
from callwright.flows.schema import Flow
from callwright.log import Log
from callwright.metrics import Metrics, MetricsEndpoint
from callwright.native.asking import Calling
from callwright.numbers.numbers import Numbers
from callwright.openapi.published import Published
from callwright.recordings.files import Files
from callwright.recordings.model import Recording
from callwright.recordings.recordings import Recordings
from callwright.recordings.rewrap import missing_keys
from callwright.recordings.upkeep import Upkeep
from callwright.retention.retention import Retention
from callwright.settings import Loaded, rooms
from callwright.simulator import engine as simulator
from callwright.simulator.engine import SimulatedEngine
from callwright.simulator.voice import SpokenVoice
from callwright.sip.engine import SipEngine
from callwright.speech.studio import Studio
from callwright.store import Change, Store
from callwright.store.blocks import wrong_lists
from callwright.switch import recovery
from callwright.switch.fallback import FILE, fallback_flow
from callwright.switch.fetching import FlowSource
from callwright.switch.plan import Supplies
from callwright.switch.sounds import SoundLibrary
from callwright.switch.switch import Line, Switch
from callwright.telephony import Utterance
from callwright.transcriptions import languages
from callwright.transcriptions.queue import Queue
from callwright.transcriptions.transcriptions import Transcriptions
from callwright.trunks.routes import Routes
from callwright.webhooks import signature
from callwright.webhooks.deliverer import Deliverer
from callwright.webhooks.endpoints import Endpoints
from callwright.webhooks.listening import Listening
from callwright.webhooks.log import DeliveryLog
from callwright.webhooks.signing import Signer
from callwright.webhooks.webhooks import Webhooks

if TYPE_CHECKING:
    from callwright.openapi.document import Interface

_log = Log("core")

BOTH_INTERFACES = (
    "A server has two interfaces: one for programs that were written for the MessageBird Voice Calling API, at the root, and "
    "one of its own, under `/api`, which has the whole story of each call. A key opens its world, live or test, in both."
)
NODE = "one"  # the name this server stamps on its calls; there is one until there are more
Health = Callable[[], Mapping[str, str | None]]


class Tunes(NamedTuple):
    """Files that are part of the program: what a caller hears while the called party rings, what those on hold do, and
    what comes before a recording.
    """

    ringback: str
    music: str
    beep: str


class Core:
    """The rooms over an open store; `prepare` first, then `connect` gives them calls."""

    def __init__(
        self, loaded: Loaded, folder: DataFolder, store: Store, sip_engine: SipEngine, metrics: Metrics, clock: Clock
    ) -> None:
        chosen = loaded.settings
        self.settings = chosen
        self.strictness = rooms.strictness(chosen)
        self.store = store
        self.accounts = Accounts(store, clock, rotation_overlap=chosen.webhooks.rotation_overlap)
        self.numbers = Numbers(store, clock, claim=chosen.numbers.claim)
        self.speech_door = HttpDoor(rooms.speech_egress(), clock)
        self.studio = Studio(
            rooms.speech(chosen), folder.speech_cache, self.speech_door, clock, counted=metrics.sentence_spoken
        )
        self.speech = self.studio.library
        self._check_fallback()
        self.door = HttpDoor(rooms.egress(chosen, _descriptors()), clock)
        self.abilities = Abilities(self.speech.refusal, languages.refusal, rooms.flows(chosen), self.door.refusal)
        self.flows = Flows(store, clock, saved=self._prepare_speech, abilities=self.abilities)
        self.webhooks = Webhooks(
            store,
            clock,
            self.door.refusal,
            per_world=chosen.api.webhooks_per_world,
            rotation_overlap=chosen.webhooks.rotation_overlap,
            asked_for=lambda world_id, url: self.deliverer.enable(world_id, url),
        )
        self.sounds = SoundLibrary(self.door, folder.media_cache, folder.sounds, clock=clock, settings=rooms.sounds(chosen))
        sign = Signer(self._signing_key, rooms.webhooks(chosen).encoding, replaced_key=self._replaced_key).headers
        self.deliverer = Deliverer(
            store,
            self.door,
            clock,
            rooms.webhooks(chosen),
            render=self._callback,
            sign=sign,
            counted=metrics.delivery,
            happened=metrics.endpoint,
        )
        self.delivery_log = DeliveryLog(store, clock, self.deliverer.offer, chosen.webhooks.events)
        self.endpoints = Endpoints(store, clock, self.deliverer)
        self.exports = native.Exports(clock)
        self.listening = Listening(store, clock, render=self._callback, sign=sign)
        self.feed = Feed(
            store,
            clock,
            types=callbacks.TYPE_OF,
            render=lambda event: native.line_of(self._world(event.world_id), event),
        )
        store.on(events.TOPIC, lambda wake: self.deliverer.wake(wake.world_id, wake.subject_id))
        self.recording_keys = keys = rooms.recording_keys(chosen)
        objects = rooms.recording_objects(chosen)
        self.recordings = Recordings(
            store, clock, folder.recordings, keys, to_objects=objects is not None and chosen.recordings.storage == "s3"
        )
        self.files = Files(self.recordings, objects)
        self.transcriptions = Transcriptions(store, clock, keys, language=chosen.transcription.language)
        self.upkeep = Upkeep(store, clock, self.recordings, objects)
        self.retention = Retention(store, clock, rooms.retention(chosen), counted=metrics.calls_erased)
        self.transcriber = rooms.transcriber(chosen, self.speech_door, clock)
        at_once = 1 if chosen.transcription.model else chosen.transcription.at_once
        self.queue = Queue(store, clock, keys, self.files, self.transcriber, at_once=at_once)
        self.routes = Routes(rooms.trunks(chosen), chosen.sip.allow_hosts, chosen.calls.emergency_numbers)
        self.sip_engine = sip_engine
        self.simulated_engine = SimulatedEngine(clock, chosen.simulator, voice=SpokenVoice(self.speech, chosen.flows.language))
        self._clock = clock
        self._metrics = metrics
        self._loaded = loaded

    def _check_fallback(self) -> None:
        """Raise `SettingsError` for what callers could never hear."""
        given = self.settings.flows
        spoken = given.fallback and not given.fallback.startswith(FILE)
        utterance = Utterance(given.fallback if spoken else "one", given.language)
        if (refusal := self.speech.refusal(utterance)) is not None:
            raise SettingsError(f"flows.fallback in flows.language {given.language!r}: {refusal}")

    async def prepare(self) -> tuple[str, str] | None:
        """Settle what a predecessor left; in a new folder make worlds and first keys, and return those (live, test)."""
        await self.accounts.prepare()
        await recovery.settle(self.store, self._clock, NODE, self.sip_engine.release)
        await self.recordings.settle(partial(recovery.recording_settled, self.store))
        if missing := missing_keys(self.store, self.recording_keys):
            _log.error("recording_keys_missing", sealed=missing, remedy="put them back in recordings.keys")
        if self.accounts.keys():
            return None
        live, test = [await self.accounts.make_key(kind, "made at first start") for kind in (LIVE, TEST)]
        return live.secret, test.secret

    async def look_at_counters(self) -> None:
        """Tell the operator of counters that are wrong and that no request may notice."""
        try:
            wrong = await self.store.look(wrong_lists)
        except Exception as error:
            _log.error("counters_not_looked_at", why=error, remedy="run callwright doctor")
            return
        for name in wrong:
            self.store.doubt(name)

    def connect(self, tunes: Tunes, children_unhealthy: Callable[[], str | None]) -> Switch:
        """Make the switch; `tunes` are the sounds that are part of the program."""
        live, test = self.accounts.world(LIVE), self.accounts.world(TEST)
        own_hosts = frozenset({self.settings.sip.host, self.settings.sip.advertised_address}) - {"", "0.0.0.0"}
        return Switch(
            lines={
                live.id: Line(live, self.sip_engine, self.routes.target, children_unhealthy, own_hosts),
                test.id: Line(test, self.simulated_engine, simulator.route),
            },
            store=self.store,
            clock=self._clock,
            numbers=self.numbers,
            flows=self.flows,
            supplies=self._supplies(),
            settings=msgspec.structs.replace(rooms.call_control(self.settings), **tunes._asdict()),
            counters=self._metrics,
            node=NODE,
        )

    def _supplies(self) -> Supplies:
        """What flows of calls need from rooms that call control does not know, or knows the types of alone."""
        return Supplies(
            sounds=self.sounds,
            speech=self.speech,
            flow_source=FlowSource(
                self.door,
                self._clock,
                sign=self._signed,
                decode=lambda body: decode.flow(body, limit=self.settings.api.flow_limit),
                settings=rooms.flow_fetching(self.settings),
            ),
            recordings=self.recordings,
            transcribe=self._transcription,
            recording_body=render.recording_body,
            fallback=partial(fallback_flow, self.settings.flows.fallback, self.settings.flows.language),
            flow_settings=rooms.flows(self.settings),
            recorded=lambda recording: self._metrics.recording_over(recording.type.value, recording.status.value),
        )

    def _signed(self, world_id: UUID, url: Url, body: bytes) -> Sequence[Header]:
        """These headers hold one signature: while a key that was replaced is good, it is that one's, as for callbacks."""
        now_us = self._clock.now_us()
        key = self._replaced_key(world_id, now_us) or self._signing_key(world_id)
        return signature.headers(url=url, body=body, signing_key=key, token=None, now_us=now_us, jti=ids.uuid7(now_us))

    def _transcription(self, recording: Recording, language: str, at_us: int) -> Change:
        return self.transcriptions.request(recording, language, at_us).change

    def public_app(self, switch: Switch, health: Health, metrics: MetricsEndpoint) -> ASGIApp:
        """What listens on TCP: the compatible interface, with ``/api``, ``/metrics`` and what describes them beside it."""
        limits = self.settings.api
        api = Api(
            api_parts.Parts(
                store=self.store,
                clock=self._clock,
                accounts=self.accounts,
                numbers=self.numbers,
                flows=self.flows,
                webhooks=self.webhooks,
                switch=switch,
                recordings=self.recordings,
                transcriptions=self.transcriptions,
                files=self.files,
                limits=api_parts.Limits(limits.body_limit, limits.flow_limit),
                currency=self.settings.calls.currency,
                strictness=self.strictness,
            )
        )
        own = native.native_app(self._native_parts(switch, health), native.Authority.NETWORK)
        description = self.published()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            path: str = scope["path"]
            if path == "/metrics":
                await metrics(scope, receive, send)
            elif path in description.paths:
                await description(scope, receive, send)
            elif path.startswith("/api/"):
                # Starlette's own mount knows no path with a line feed in it, and says so in plain text.
                await own({**scope, "root_path": "/api"}, receive, send)
            else:
                await api(scope, receive, send)

        return app

    def refusal(self, path: str, problem: Problem) -> tuple[int, bytes]:
        """The status and the body of what is no request, as the interface has them that the path belongs to."""
        if path.startswith("/api/"):
            return native.refusal(path, problem)
        answer = failed(problem, self.strictness)
        return answer.status, answer.body

    def published(self) -> Published:
        """Both interfaces in one document, as the switches of this server have them. Nobody pays for it before it is read."""

        def interface() -> Interface:
            from callwright.api import described as compatible
            from callwright.native import described as own
            from callwright.openapi.document import Interface

            chapters = (compatible.chapter(self.strictness), own.chapter())
            return Interface(title="Callwright", version=__version__, sentence=BOTH_INTERFACES, chapters=chapters)

        return Published(interface)

    def control_app(self, switch: Switch, health: Health, state: Callable[[], native.ServerState]) -> ASGIApp:
        """What listens on the control socket."""
        return native.control_app(self._native_parts(switch, health, state), self.published())

    def _native_parts(
        self, switch: Switch, health: Health, state: Callable[[], native.ServerState] | None = None
    ) -> native.Parts:
        limits = self.settings.api
        return native.Parts(
            store=self.store,
            clock=self._clock,
            accounts=self.accounts,
            numbers=self.numbers,
            flows=self.flows,
            recordings=self.recordings,
            transcriptions=self.transcriptions,
            files=self.files,
            keys=self.recording_keys,
            webhooks=self.webhooks,
            log=self.delivery_log,
            endpoints=self.endpoints,
            exports=self.exports,
            listening=self.listening,
            feed=self.feed,
            settings=lambda: settings.rows(self._loaded),
            health=health,
            calling=Calling(switch, self.webhooks, self.simulated_engine),
            state=state,
            limits=native.Limits(body=limits.body_limit, flow=limits.flow_limit, claim=self.settings.numbers.claim),
            currency=self.settings.calls.currency,
        )

    def _callback(self, event: events.Event) -> bytes:
        return callbacks.body(event, self.settings.calls.currency, self.strictness)

    def _prepare_speech(self, flow: Flow) -> None:
        """Have what a flow says ready before the first call; texts are only queued here."""
        for _, utterance in said(flow, self.abilities.settings):
            self.speech.prepare(utterance)

    def _signing_key(self, world_id: UUID) -> str:
        return self._world(world_id).signing_key

    def _replaced_key(self, world_id: UUID, now_us: int) -> str | None:
        return self._world(world_id).replaced_key(now_us)

    def _world(self, world_id: UUID) -> World:
        world = self.accounts.world_by_id(world_id)
        assert world is not None, world_id
        return world


def _descriptors() -> int | None:
    """How many this process may have open; None where there is no limit."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if most == resource.RLIM_INFINITY else most
