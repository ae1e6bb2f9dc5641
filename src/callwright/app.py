"""`serve` runs the platform until it is told to stop: what is started in which order, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

import msgspec

from callwright import __version__, log, web
from callwright.certificates import Certificate
from callwright.clock import Clock, SystemClock
from callwright.core import Core, Tunes
from callwright.datafolder import DataFolder
from callwright.descriptors import bind_http, bind_sip, raise_descriptor_limit, receive_buffer
from callwright.errors import DataFolderError, StoreUnavailable
from callwright.media import wire as media_wire
from callwright.metrics import Metrics, MetricsEndpoint
from callwright.native import ChildState, ServerState
from callwright.reasons import Refusal
from callwright.settings import Loaded, Settings, rooms
from callwright.sip import wire as sip_wire
from callwright.sip.engine import SipEngine
from callwright.speech import wire as speech_wire
from callwright.speech.recognition import recogniser
from callwright.speech.recognition import wire as recognition_wire
from callwright.speech.recognition.recogniser import Recogniser
from callwright.speech.studio import Studio
from callwright.store import Store
from callwright.supervisor import Child, Patience, Supervisor
from callwright.switch.switch import Switch
from callwright.telephony import Transcriber
from callwright.watchdog import Watchdog
from callwright.webhooks import backlog

# SQLite gives the interpreter away at each step; with Python's 5 ms a busy event loop would hold up every commit.
SWITCH_S = 0.001
COLLECT_AFTER = (20_000, 20, 50)
# Voices and recognisers give way to calls, and some of their libraries let nothing else of the process run for a while: on a
# busy machine that takes seconds. Each loading and each order has its own time limit besides.
AT_WORK = Patience(silence=5.0)

_log = log.Log("app")


class Ready(NamedTuple):
    """Where the server listens; `keys` are those made for a new folder, live and test, or None.

    `plain_http` is the address without TLS beside an `http` with it.
    """

    http: str
    plain_http: str | None
    sip: str
    keys: tuple[str, str] | None
    loopback_only: bool


async def serve(loaded: Loaded, data: Path, *, announce: Callable[[Ready], None]) -> None:
    """Run the platform in a data folder until SIGTERM or SIGINT; a second signal ends live calls at once.

    Raises `SettingsError` or `DataFolderError` when it cannot start.
    """
    chosen = loaded.settings
    log.configure(chosen.log.level, layout=chosen.log.format)
    os.umask(0o077)
    raise_descriptor_limit()
    sys.setswitchinterval(SWITCH_S)
    folder = DataFolder(data)
    folder.prepare()
    clock = SystemClock()
    began_us, began_ns = clock.now_us(), clock.mono_ns()
    async with contextlib.AsyncExitStack() as stack:
        watchdog = stack.enter_context(Watchdog(os.environ, clock))
        stack.enter_context(folder.lock("callwright serve"))
        metrics = Metrics(__version__, legs_live=lambda: switch.live_legs)
        store = Store.open(folder.database, clock, synchronous=chosen.store.synchronous, on_commit=metrics.store_commit)
        stack.callback(store.close)
        sip_socket = stack.enter_context(bind_sip(chosen.sip.host, chosen.sip.port))
        certificate = _certificate(chosen, clock)
        http_socket = stack.enter_context(bind_http(chosen.http.host, chosen.http.port))
        plain_socket = _bind_plain(chosen, stack)
        control_socket = stack.enter_context(folder.bind_control())

        engine = SipEngine(
            rooms.engine(chosen), clock, media_processes=chosen.media.processes, turned_away=partial(_turned_away, metrics)
        )
        stack.callback(engine.close)
        metrics.watch_media(media_wire.TICK_LATE_MS, lambda: [(one.name, one.ticks) for one in engine.media_processes])
        metrics.watch_callbacks(lambda: backlog.look(store, clock.now_us()))
        core = Core(loaded, folder, store, engine, metrics, clock)
        supervisor = Supervisor(
            [
                *_children(chosen, engine, sip_socket, clock),
                *speech_children(core.studio, clock),
                *recogniser_children(core.transcriber, clock),
            ]
        )
        stack.push_async_callback(core.door.close)
        stack.push_async_callback(core.sounds.close)
        stack.push_async_callback(core.speech_door.close)
        stack.push_async_callback(core.speech.close)
        try:
            keys = await core.prepare()
        except StoreUnavailable as error:
            raise DataFolderError(f"The database {folder.database} takes no writes: {error}") from error
        own = files("callwright.switch")
        tunes = [str(stack.enter_context(as_file(own.joinpath(f"{name}.wav")))) for name in Tunes._fields]
        switch = core.connect(Tunes(*tunes), supervisor.unhealthy)
        await switch.start()
        stack.push_async_callback(switch.stop)

        def health() -> Mapping[str, str | None]:
            return {
                "database": store.unhealthy(),
                "engine": engine.unhealthy() or supervisor.unhealthy(),
                "admission": "draining" if switch.admission.draining else None,
            }

        def state() -> ServerState:
            now_us = clock.now_us()
            return ServerState(
                version=__version__,
                pid=os.getpid(),
                now_us=now_us,
                clock_stepped_us=now_us - began_us - (clock.mono_ns() - began_ns) // 1000,
                http=_address(http_socket),
                sip=_address(sip_socket),
                sip_receive_buffer=receive_buffer(sip_socket),
                live_calls=switch.live_call_ids,
                children=[
                    ChildState(
                        name=child.name,
                        state=child.state.value,
                        pid=child.pid,
                        epoch=child.epoch,
                        trouble=child.unhealthy(),
                        essential=child.essential,
                    )
                    for child in supervisor.children
                ],
                unhealthy={part: why for part, why in health().items() if why},
            )

        endpoint = MetricsEndpoint(metrics, chosen.http.operator_token)
        public = core.public_app(switch, health, endpoint)
        servers = [
            web.start(public, http_socket, certificate.context if certificate else None, core.refusal),
            web.start(core.control_app(switch, health, state), control_socket),
            *([web.start(public, plain_socket, refusal=core.refusal)] if plain_socket else []),
        ]
        deliverer = asyncio.create_task(core.deliverer.run(), name="webhooks")
        upkeep = asyncio.create_task(core.upkeep.run(), name="recordings")
        queue = asyncio.create_task(core.queue.run(), name="transcriptions")
        retention = asyncio.create_task(core.retention.run(), name="retention")
        stack.callback(core.files.close)
        workers = [deliverer, upkeep, queue, retention]
        if certificate is not None:
            workers.append(asyncio.create_task(certificate.keep_up(), name="certificate"))
        for worker in workers:
            stack.push_async_callback(_cancel, worker)
        stack.push_async_callback(web.stop, servers)
        stack.callback(core.listening.close)  # before the servers wait for what they are answering
        stack.callback(core.feed.close)
        await asyncio.sleep(0)  # requests are answered from here on; the children would only slow the start down
        _spare_the_collector()  # which takes a while, and the children take the core for gone when it is silent for long
        supervisor.start()
        core.speech.start()
        stack.push_async_callback(supervisor.stop)

        with _signals(certificate) as stops:
            started = asyncio.ensure_future(supervisor.started())
            await _first(stops, started)
            if started.done():
                started.result()
                announce(_where(chosen, http_socket, plain_socket, sip_socket, keys))
                watchdog.ready()
                if chosen.loopback_only:
                    _log.info(
                        "egress_to_loopback", allowed=", ".join(rooms.LOOPBACK), why="only this machine can reach the server"
                    )
                await core.door.open()
                core.sounds.warm()
                counters = asyncio.create_task(core.look_at_counters(), name="counters")
                stack.push_async_callback(_cancel, counters)
                await _first(stops, *workers, *(serving.task for serving in servers))
                watchdog.stopping()
                await _drain(engine, switch, stops, chosen.drain.seconds)
            started.cancel()


def _children(chosen: Settings, engine: SipEngine, sip_socket: socket.socket, clock: Clock) -> list[Child]:
    """Signalling and media; they start and end apart from each other."""
    descriptor = sip_socket.fileno()
    signalling = Child(
        "signalling",
        "callwright.sip.process",
        sip_wire.SignallingMessage,
        engine.on_signalling,
        clock=clock,
        arguments=["--sip-fd", str(descriptor), "--settings", _json(rooms.signalling(chosen))],
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
            arguments=[_json(rooms.media(chosen, index))],
            up=partial(engine.media_up, index),
            down=partial(engine.media_down, index),
        )
        for index in range(chosen.media.processes)
    ]
    return [signalling, *media]


def speech_children(studio: Studio, clock: Clock) -> list[Child]:
    """A process for every engine that speaks. Calls do not depend on them: what one cannot say, another may."""
    children = []
    for worker in studio.workers:
        child = Child(
            worker.name,
            "callwright.speech.process",
            speech_wire.SpeechMessage,
            worker.receive,
            clock=clock,
            arguments=[worker.arguments],
            up=worker.up,
            down=worker.down,
            patience=AT_WORK,
            essential=False,
        )
        worker.kill = child.kill
        children.append(child)
    return children


def recogniser_children(transcriber: Transcriber, clock: Clock) -> list[Child]:
    """The process that listens to recordings, where a model is set up. Calls do not depend on it."""
    if not isinstance(transcriber, Recogniser):
        return []
    child = Child(
        recogniser.NAME,
        "callwright.speech.recognition.process",
        recognition_wire.RecogniserMessage,
        transcriber.receive,
        clock=clock,
        arguments=[transcriber.arguments],
        up=transcriber.up,
        down=transcriber.down,
        patience=AT_WORK,
        essential=False,
    )
    transcriber.kill = child.kill
    return [child]


def _spare_the_collector() -> None:
    """What is there at the start stays; of what calls leave behind, little is for the collector, and its pauses are long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def _drain(engine: SipEngine, switch: Switch, stops: asyncio.Queue[None], seconds: float) -> None:
    _log.info("draining", calls=switch.live_calls, seconds=seconds)
    engine.admit(Refusal.DRAINING.value)
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
def _signals(certificate: Certificate | None) -> Iterator[asyncio.Queue[None]]:
    """What asks the server to stop. SIGHUP does where it says that its terminal is gone; else files may have been renewed."""
    loop = asyncio.get_running_loop()
    stops: asyncio.Queue[None] = asyncio.Queue()
    looks: set[asyncio.Task[None]] = set()

    def hung_up() -> None:
        _log.info("hung_up", then="certificate and key are looked at" if certificate else "there is nothing to read again")
        if certificate is not None:
            looks.add(look := loop.create_task(certificate.look()))
            look.add_done_callback(looks.discard)

    acts: dict[signal.Signals, Callable[[], None]] = dict.fromkeys(
        (signal.SIGTERM, signal.SIGINT), partial(stops.put_nowait, None)
    )
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup leaves it
        acts[signal.SIGHUP] = acts[signal.SIGTERM] if _has_terminal() else hung_up
    for number, act in acts.items():
        loop.add_signal_handler(number, act)
    try:
        yield stops
    finally:
        for number in acts:
            loop.remove_signal_handler(number)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _certificate(chosen: Settings, clock: Clock) -> Certificate | None:
    files = rooms.certificate(chosen)
    return None if files is None else Certificate(files, clock)


def _bind_plain(chosen: Settings, stack: contextlib.AsyncExitStack) -> socket.socket | None:
    port = chosen.http.plain_port
    return stack.enter_context(bind_http(chosen.http.host, port, setting="http.plain_port")) if port else None


def _where(
    chosen: Settings, http: socket.socket, plain: socket.socket | None, sip: socket.socket, keys: tuple[str, str] | None
) -> Ready:
    host = f"[{chosen.http.host}]" if ":" in chosen.http.host else chosen.http.host
    return Ready(
        f"{'https' if chosen.http.certificate else 'http'}://{host}:{http.getsockname()[1]}",
        None if plain is None else f"http://{host}:{plain.getsockname()[1]}",
        f"{chosen.sip.host}:{sip.getsockname()[1]}",
        keys,
        chosen.loopback_only,
    )


def _address(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _turned_away(metrics: Metrics, report: sip_wire.TurnedAway) -> None:
    for _ in range(report.count):
        metrics.invite_refused(report.refusal)
    _log.info("invites_refused", reason=report.refusal, count=report.count, address=report.address, seen=report.detail)


def _json(of: msgspec.Struct) -> str:
    return msgspec.json.encode(of).decode()
