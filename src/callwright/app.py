"""The platform put together: the only place that knows every room. `serve` runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from callwright import __version__, log, native, settings
from callwright.accounts.worlds import LIVE, TEST, Accounts
from callwright.api import parts as api_parts
from callwright.api.app import Api
from callwright.calls import events
from callwright.clock import Clock, SystemClock
from callwright.datafolder import DataFolder
from callwright.descriptors import bind_sip, raise_descriptor_limit
from callwright.dialect import render
from callwright.egress.post import HttpDoor
from callwright.errors import SettingsError
from callwright.flows.flows import Flows
from callwright.media import wire as media_wire
from callwright.metrics import Metrics, MetricsEndpoint
from callwright.native.asking import Calling
from callwright.numbers.numbers import Numbers
from callwright.settings import Loaded, Settings, rooms
from callwright.simulator import engine as simulator
from callwright.simulator.engine import SimulatedEngine
from callwright.sip import wire as sip_wire
from callwright.sip.engine import SipEngine
from callwright.store import Store
from callwright.supervisor import Child, Supervisor
from callwright.switch import recovery
from callwright.switch.sounds import SoundLibrary
from callwright.switch.switch import Line, Switch
from callwright.trunks.routes import Routes
from callwright.webhooks.deliverer import Deliverer
from callwright.webhooks.webhooks import Webhooks

NODE = "one"  # the name this server stamps on its calls; there is one until there are more

_log = log.Log("app")


class Ready(NamedTuple):
    """Where the server listens; `keys` are those made for a new folder, live and test, or None."""

    http: str
    sip: str
    keys: tuple[str, str] | None


class Core:
    """The rooms of the core process over an open store."""

    def __init__(self, loaded: Loaded, folder: DataFolder, store: Store, metrics: Metrics, clock: Clock) -> None:
        chosen = loaded.settings
        self.settings = chosen
        self.store = store
        self.accounts = Accounts(store, clock)
        self.numbers = Numbers(store, clock, claim=chosen.numbers.claim)
        self.flows = Flows(store, clock)
        self.door = HttpDoor(rooms.egress(chosen), clock)
        self.webhooks = Webhooks(store, clock, self.door.refusal, per_world=chosen.api.webhooks_per_world)
        self.sounds = SoundLibrary(self.door, folder.media_cache, folder.sounds)
        self.deliverer = Deliverer(
            store,
            self.door,
            clock,
            rooms.webhooks(chosen),
            render=lambda event: render.callback_body(event.snapshot, event.kind, chosen.calls.currency),
            signing_key=self._signing_key,
            counted=metrics.delivery,
        )
        store.on(events.TOPIC, lambda wake: self.deliverer.wake(wake.world_id, wake.subject_id))
        self.routes = Routes(rooms.trunks(chosen), chosen.sip.allow_hosts, chosen.calls.emergency_numbers)
        self.sip_engine = SipEngine(
            rooms.engine(chosen), clock, media_processes=chosen.media.processes, turned_away=partial(_turned_away, metrics)
        )
        self.simulated_engine = SimulatedEngine(clock, chosen.simulator)
        self._clock = clock
        self._metrics = metrics
        self._loaded = loaded

    def switch(self, ringback: Path) -> Switch:
        live, test = self.accounts.world(LIVE), self.accounts.world(TEST)
        return Switch(
            lines={
                live.id: Line(live, self.sip_engine, self.routes.target),
                test.id: Line(test, self.simulated_engine, simulator.route),
            },
            store=self.store,
            clock=self._clock,
            numbers=self.numbers,
            flows=self.flows,
            sounds=self.sounds,
            settings=msgspec.structs.replace(rooms.call_control(self.settings), ringback=str(ringback)),
            counters=self._metrics,
            node=NODE,
        )

    def children(self, sip_socket: socket.socket) -> list[Child]:
        """Signalling and media, to be supervised; they start and end apart from each other."""
        engine, clock = self.sip_engine, self._clock
        descriptor = sip_socket.fileno()
        signalling = Child(
            "signalling",
            "callwright.sip.process",
            sip_wire.SignallingMessage,
            engine.on_signalling,
            clock=clock,
            arguments=["--sip-fd", str(descriptor), "--settings", _json(rooms.signalling(self.settings))],
            descriptors=[descriptor],
            up=engine.signalling_up,
            down=engine.signalling_down,
        )
        media = [
            Child(
                f"media-{index + 1}",
                "callwright.media.process",
                media_wire.MediaMessage,
                partial(engine.on_media, index),
                clock=clock,
                arguments=[_json(rooms.media(self.settings, index))],
                up=partial(engine.media_up, index),
                down=partial(engine.media_down, index),
            )
            for index in range(self.settings.media.processes)
        ]
        return [signalling, *media]

    def public_app(self, switch: Switch, health: Callable[[], Mapping[str, str | None]], metrics: MetricsEndpoint) -> ASGIApp:
        """What listens on TCP: the compatible interface, with ``/api`` and ``/metrics`` beside it."""
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
                limits=api_parts.Limits(limits.body_limit, limits.flow_limit),
                currency=self.settings.calls.currency,
            )
        )
        mounted = Starlette(
            routes=[Mount("/api", native.native_app(self._native_parts(switch, health), native.Authority.NETWORK))]
        )

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            path: str = scope["path"]
            if path == "/metrics":
                await metrics(scope, receive, send)
            elif path.startswith("/api/"):
                await mounted(scope, receive, send)
            else:
                await api(scope, receive, send)

        return app

    def control_app(self, switch: Switch, health: Callable[[], Mapping[str, str | None]]) -> ASGIApp:
        """What listens on the control socket."""
        return native.control_app(self._native_parts(switch, health))

    def _native_parts(self, switch: Switch, health: Callable[[], Mapping[str, str | None]]) -> native.Parts:
        limits = self.settings.api
        return native.Parts(
            store=self.store,
            accounts=self.accounts,
            numbers=self.numbers,
            flows=self.flows,
            settings=lambda: settings.rows(self._loaded),
            health=health,
            calling=Calling(switch, self.webhooks),
            limits=native.Limits(body=limits.body_limit, flow=limits.flow_limit, claim=self.settings.numbers.claim),
        )

    def _signing_key(self, world_id: object) -> str:
        return next(world.signing_key for world in self.accounts.worlds() if world.id == world_id)


async def serve(loaded: Loaded, data: Path, *, announce: Callable[[Ready], None]) -> None:
    """Run the platform in a data folder until SIGTERM or SIGINT; a second signal ends live calls at once.

    Raises `SettingsError` or `DataFolderError` when it cannot start.
    """
    chosen = loaded.settings
    log.configure(chosen.log.level, layout=chosen.log.format)
    os.umask(0o077)
    raise_descriptor_limit()
    folder = DataFolder(data)
    folder.prepare()
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(folder.lock("callwright serve"))
        metrics = Metrics(__version__, legs_live=lambda: switch.live_legs)
        store = Store.open(folder.database, clock, synchronous=chosen.store.synchronous, on_commit=metrics.store_commit)
        stack.callback(store.close)
        core = Core(loaded, folder, store, metrics, clock)
        keys = await _prepare(core, clock)
        ringback = stack.enter_context(as_file(files("callwright.switch").joinpath("ringback.wav")))
        switch = core.switch(ringback)

        sip_socket = stack.enter_context(bind_sip(chosen.sip.host, chosen.sip.port))
        http_socket = stack.enter_context(_listen(chosen.http.host, chosen.http.port))
        control_socket = stack.enter_context(folder.bind_control())
        supervisor = Supervisor(core.children(sip_socket))
        supervisor.start()
        stack.push_async_callback(supervisor.stop)
        stack.callback(core.sip_engine.close)
        stack.push_async_callback(core.door.close)

        def health() -> Mapping[str, str | None]:
            return {"database": store.unhealthy(), "engine": core.sip_engine.unhealthy()}

        endpoint = MetricsEndpoint(metrics, chosen.http.operator_token)
        servers = [
            _server(core.public_app(switch, health, endpoint), http_socket),
            _server(core.control_app(switch, health), control_socket),
        ]
        await switch.start()
        stack.push_async_callback(switch.stop)
        deliverer = asyncio.create_task(core.deliverer.run(), name="webhooks")
        stack.push_async_callback(_cancel, deliverer)
        running = [asyncio.create_task(server.serve([bound]), name="http") for server, bound in servers]
        stack.push_async_callback(_close_servers, [server for server, _ in servers], running)

        with _signals() as stops:
            started = asyncio.ensure_future(supervisor.started())
            await _first(stops, started)
            if started.done():
                started.result()
                announce(_where(chosen, http_socket, sip_socket, keys))
                await _first(stops, deliverer, *running)
                await _drain(core, switch, stops, chosen.drain.seconds)
            started.cancel()


async def _prepare(core: Core, clock: Clock) -> tuple[str, str] | None:
    """Make accounts and first keys in a new folder, and settle what a predecessor left."""
    await core.accounts.prepare()
    await recovery.settle(core.store, clock, NODE)
    if core.accounts.keys():
        return None
    live, test = [await core.accounts.make_key(kind, "made at first start") for kind in (LIVE, TEST)]
    return live.secret, test.secret


async def _drain(core: Core, switch: Switch, stops: asyncio.Queue[None], seconds: float) -> None:
    _log.info("draining", calls=switch.live_calls, seconds=seconds)
    core.sip_engine.admit("draining")
    draining = asyncio.create_task(switch.drain(seconds))
    await _first(stops, draining)
    if not draining.done():
        draining.cancel()
        await switch.drain(0)


async def _first(stops: asyncio.Queue[None], *tasks: asyncio.Future[None]) -> None:
    """Return when one of the tasks is done, or a signal came."""
    stop = asyncio.create_task(stops.get())
    await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@contextlib.contextmanager
def _signals() -> Iterator[asyncio.Queue[None]]:
    loop = asyncio.get_running_loop()
    stops: asyncio.Queue[None] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stops.put_nowait, None)
    try:
        yield stops
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals are ours, and there are two servers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: ASGIApp, bound: socket.socket) -> tuple[_Server, socket.socket]:
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    return _Server(config), bound


async def _close_servers(servers: list[_Server], running: list[asyncio.Task[None]]) -> None:
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*running, return_exceptions=True)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise SettingsError(
            f"HTTP cannot listen on {host} port {port}: {error.strerror}. Stop the other program or set http.port."
        ) from error
    return bound


def _where(chosen: Settings, http: socket.socket, sip: socket.socket, keys: tuple[str, str] | None) -> Ready:
    host = f"[{chosen.http.host}]" if ":" in chosen.http.host else chosen.http.host
    return Ready(f"http://{host}:{http.getsockname()[1]}", f"{chosen.sip.host}:{sip.getsockname()[1]}", keys)


def _turned_away(metrics: Metrics, report: sip_wire.TurnedAway) -> None:
    for _ in range(report.count):
        metrics.invite_refused(report.refusal)
    _log.info("invites_refused", reason=report.refusal, count=report.count, address=report.address, seen=report.detail)


def _json(of: msgspec.Struct) -> str:
    return msgspec.json.encode(of).decode()
