"""The platform of a rehearsal: the server's rooms put together over a network that is played."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import UUID, uuid4

from callwright import ids
from callwright.accounts.worlds import TEST, Accounts
from callwright.calls import rows
from callwright.calls.events import Event
from callwright.calls.model import Call
from callwright.clock import Clock, SystemClock, VirtualClock, VirtualLoop
from callwright.dialect import callbacks, decode, render
from callwright.egress import Header, Transport, Url
from callwright.errors import NotFound
from callwright.flows.flows import Flows
from callwright.flows.schema import compile_flow
from callwright.numbers.numbers import Numbers
from callwright.recordings.keys import Keyring
from callwright.recordings.model import Recording
from callwright.recordings.recordings import Recordings
from callwright.rehearsal import outcome
from callwright.rehearsal.network import Network, SimulatedNetwork
from callwright.rehearsal.outcome import Outcome
from callwright.rehearsal.parties import Party
from callwright.rehearsal.prompts import Prompts, RehearsedSounds, RehearsedSpeech
from callwright.rehearsal.web import ScriptedWeb
from callwright.settings import Settings, rooms
from callwright.store import Change, Store
from callwright.switch.fallback import fallback_flow
from callwright.switch.fetching import FlowSource
from callwright.switch.plan import FlowFetcher, Supplies
from callwright.switch.settings import CallSettings
from callwright.switch.sounds import Sounds
from callwright.switch.switch import Line, Switch
from callwright.telephony import Speech
from callwright.transcriptions.transcriptions import Transcriptions
from callwright.webhooks import signature

T = TypeVar("T")


class TurnedAway(NotFound):
    """A caller was turned away without a record."""

    def __init__(self, message: str, sip_code: int) -> None:
        super().__init__(message)
        self.sip_code = sip_code


NODE = "rehearsal"
ARRIVES_S = 10.0
LOOK_S = 0.01
# In virtual time all that can happen at a moment has happened once this has passed, and no record shows it.
A_MOMENT_S = 1e-8


class Props(NamedTuple):
    """What is played around the switch. `flow_source` and `sound_source` are for those who ask neither the web nor the sounds
    of a script; `own_hosts` are as of a `Line`.
    """

    network: Network
    speech: Speech
    sounds: RehearsedSounds
    web: ScriptedWeb
    flow_source: FlowFetcher | None = None
    sound_source: Sounds | None = None
    own_hosts: frozenset[str] = frozenset()


class _Ends:
    """Counts nothing, and tells when a call is over."""

    def __init__(self) -> None:
        self.one_is = asyncio.Event()

    def call_started(self, direction: str, world: str) -> None:
        pass

    def call_ended(self, status: str, world: str) -> None:
        self.one_is.set()

    def invite_refused(self, reason: str) -> None:
        pass


class _NoFiles(Recordings):
    """Recordings of which only the rows are kept: nobody writes the files of a network without sound."""

    def make_folder(self, folder: Path) -> None:
        pass

    def leave_empty(self, recording: Recording) -> bool:
        return True


class Rehearsal:
    """One world with numbers, flows and calls. Made by `rehearse`, or by whoever has a network of another kind."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: Settings,
        props: Props,
        calls: CallSettings | None = None,
        *,
        keeps_sound: bool = True,
    ) -> None:
        self.store = store
        self.clock = clock
        self.settings = settings
        self.network = props.network
        self.web = props.web
        self.sounds = props.sounds
        self.accounts = Accounts(store, clock)
        self.numbers = Numbers(store, clock)
        self.flows = Flows(store, clock)
        # Made by the first recording; most rehearsals have none.
        self.folder = Path(tempfile.gettempdir(), f"callwright-rehearsal-{uuid4()}")
        self.recordings = (Recordings if keeps_sound else _NoFiles)(store, clock, self.folder, Keyring({}))
        self.transcriptions = Transcriptions(store, clock, Keyring({}), language=settings.transcription.language)
        self._props = props
        self._ends = _Ends()
        self._calls = rooms.call_control(settings) if calls is None else calls
        self._strictness = rooms.strictness(settings)

    async def start(self) -> None:
        await self.accounts.prepare()
        self.world = self.accounts.world(TEST)
        self.switch = Switch(
            lines={self.world.id: Line(self.world, self.network.ear, self.network.route, own_hosts=self._props.own_hosts)},
            store=self.store,
            clock=self.clock,
            numbers=self.numbers,
            flows=self.flows,
            supplies=self._supplies(),
            settings=self._calls,
            counters=self._ends,
            node=NODE,
        )

    async def stop(self) -> None:
        await self.switch.stop()
        await self.web.close()
        self.store.close()
        if self.folder.exists():
            shutil.rmtree(self.folder, ignore_errors=True)

    # calls

    async def own(self, number: str, flow: Mapping[str, Any] | None) -> None:
        """Have a number, and its flow, if it has one."""
        flow_id = None if flow is None else (await self.flows.make(self.world.id, dict(flow))).id
        await self.numbers.make(self.world, number, flow_id)

    async def dial(self, number: str, source: str, party: Party) -> UUID:
        """A party calls one of the numbers. Raises `TurnedAway` where the call is refused without a record."""
        leg = await self.network.dial(number, source, party)
        await self.clock.sleep(A_MOMENT_S)
        async with self.clock.timeout(ARRIVES_S):
            while (found := rows.find_leg(self.store, self.world.id, leg)) is None:
                if (refusal := self.network.ear.rejected.get(leg)) is not None:
                    raise TurnedAway(f"The call to {number} was refused with {refusal.code} {refusal.phrase}.", refusal.code)
                await self.clock.sleep(LOOK_S)
        return found.call_id

    async def place(
        self, source: str, destination: str, flow: Mapping[str, Any], party: Party | None = None, **more: Any
    ) -> UUID:
        """Call `destination`, as POST /calls does; `more` may be tags and metadata.

        A plain party leaves the number to whoever is expected there, or to what `simulator.magic` has of it.
        """
        if party is not None and not party.plain:
            self.network.expect(destination, party)
        body = dict(flow)
        call = await self.switch.place_call(
            self.world,
            source=source,
            destination=destination,
            flow=compile_flow(body),
            flow_body=body,
            webhook_url=None,
            webhook_token=None,
            **more,
        )
        return call.id

    async def over(self, call_id: UUID) -> Outcome:
        """Wait until a call is over, on record and on the wire, and say what it came to."""
        while self.switch.carries(call_id):
            self._ends.one_is.clear()
            if self._live(call_id):
                await self._ends.one_is.wait()
            else:  # the last words of its far ends come soon
                await self.clock.sleep(LOOK_S)
        return self.outcome(call_id)

    def outcome(self, call_id: UUID) -> Outcome:
        """What a call has come to until now."""
        call = rows.find_call(self.store, self.world.id, call_id)
        assert call is not None
        return outcome.read(self.store, call, self.network.ear, self.network.said, self.web.asked, self.callback)

    def callback(self, event: Event) -> bytes:
        """The body of a callback about an event, as a server with these settings sends it."""
        return callbacks.body(event, self.settings.calls.currency, self._strictness)

    def leg(self, call_id: UUID, n: int) -> UUID:
        """The leg of a call by its number, from 1. Raises `NotFound`."""
        legs = rows.legs_of(self.store, self.world.id, call_id)
        if n > len(legs):
            raise NotFound(f"The call has no leg {n} then; it has {len(legs)}.")
        return legs[n - 1].id

    def _signed(self, world_id: UUID, url: Url, body: bytes) -> Sequence[Header]:
        """As the server signs. Who is asked judges by the time of day, which is not that of the rehearsal."""
        now_us = SystemClock().now_us()
        jti = ids.uuid7(now_us)
        return signature.headers(url=url, body=body, signing_key=self.world.signing_key, token=None, now_us=now_us, jti=jti)

    def _live(self, call_id: UUID) -> bool:
        call: Call | None = rows.find_call(self.store, self.world.id, call_id)
        return call is not None and call.live

    def _supplies(self) -> Supplies:
        def transcribe(recording: Recording, language: str, at_us: int) -> Change:
            return self.transcriptions.request(recording, language, at_us).change

        given = self.settings
        return Supplies(
            sounds=self._props.sound_source or self.sounds,
            speech=self._props.speech,
            flow_source=self._props.flow_source
            or FlowSource(
                self.web,
                self.clock,
                sign=self._signed,
                decode=lambda body: decode.flow(body, limit=given.api.flow_limit),
                settings=rooms.flow_fetching(given),
            ),
            recordings=self.recordings,
            transcribe=transcribe,
            recording_body=render.recording_body,
            fallback=partial(fallback_flow, given.flows.fallback, given.flows.language),
            flow_settings=rooms.flows(given),
        )


async def simulated(settings: Settings | None = None, beyond: Callable[[Clock], Transport] | None = None) -> Rehearsal:
    """A platform on the `VirtualLoop` that is running, started; whoever asks for it stops it.

    `beyond` makes the door through which what no script answers is asked for.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    clock = VirtualClock(loop)
    prompts = Prompts()
    props = Props(
        network=SimulatedNetwork(clock, prompts),
        speech=RehearsedSpeech(prompts),
        sounds=RehearsedSounds(prompts),
        web=ScriptedWeb(clock, None if beyond is None else beyond(clock)),
    )
    rehearsal = Rehearsal(Store.in_memory(), clock, settings or Settings(), props, keeps_sound=False)
    await rehearsal.start()
    return rehearsal


def rehearse(
    story: Callable[[Rehearsal], Awaitable[T]],
    settings: Settings | None = None,
    beyond: Callable[[Clock], Transport] | None = None,
) -> T:
    """Tell a story on a platform of its own, simulated, in virtual time; ten minutes of a call take milliseconds."""
    told: list[T] = []

    async def tell() -> None:
        rehearsal = await simulated(settings, beyond)
        try:
            told.append(await story(rehearsal))
        finally:
            await rehearsal.stop()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(tell())  # what this returned would be written out in full, for an error that nobody sees
    return told[0]
