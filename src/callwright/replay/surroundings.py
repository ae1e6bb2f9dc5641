"""What lies around the switch in a replay: its network, the web services that give flows, and who asks from outside."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from callwright.calls import journal
from callwright.clock import Clock
from callwright.errors import Invalid
from callwright.flows.flows import Flows, StoredFlow
from callwright.flows.schema import Flow, compile_flow
from callwright.reasons import Reason
from callwright.rehearsal.ear import Ear
from callwright.rehearsal.network import Said
from callwright.rehearsal.parties import Party
from callwright.replay.engine import ReplayedEngine
from callwright.replay.follower import Follower
from callwright.replay.plan import AnswerPlan, Plan
from callwright.replay.timeline import Timeline
from callwright.store import Change, Store
from callwright.switch.fetching import Cause, FetchedFlow, FlowUnavailable
from callwright.telephony import Target
from callwright.trunks.routes import NoRoute, parse_sip_uri


class NobodyThere:
    """Far ends that do nothing by a script; the record has what they do. Implements `FarEnds`."""

    def press(self, leg: UUID, key: str) -> None: ...

    def say(self, leg: UUID, text: str, seconds: float) -> None: ...

    def beep(self, leg: UUID) -> None: ...

    def hold(self, leg: UUID) -> None: ...

    def resume(self, leg: UUID) -> None: ...

    def transfer(self, leg: UUID, target: str) -> None: ...

    def hang_up(self, leg: UUID) -> None: ...


class ReplayedNetwork:
    """Implements `rehearsal.network.Network` over the engine of a replay."""

    def __init__(self, ear: Ear, engine: ReplayedEngine, plan: Plan) -> None:
        self.ear = ear
        self.said: list[Said] = []
        self._engine = engine
        self._no_routes: dict[str, list[tuple[Reason, str] | None]] = {}
        for leg in (leg for n, leg in sorted(plan.legs.items()) if n > 1 or not plan.incoming):
            self._no_routes.setdefault(leg.made.destination, []).append(leg.no_route)

    def route(self, destination: str) -> Target:
        """As it was with the legs that were made there, in turn; a limit may have refused only some of them."""
        known = self._no_routes.get(destination, [None])
        refused = known.pop(0) if len(known) > 1 else known[0]
        if refused is not None:
            raise NoRoute(*refused)
        uri = parse_sip_uri(destination)
        return Target(destination, "record") if uri is None else Target(uri.user, uri.host, uri.port or 5060)

    def expect(self, destination: str, party: Party) -> None:
        pass

    async def dial(self, number: str, source: str, party: Party) -> UUID:
        leg = self._engine.begin()
        assert leg is not None
        return leg


class ReplayedFlows:
    """Web services that answer as they did. Implements `switch.plan.FlowFetcher`."""

    def __init__(self, plan: Plan, timeline: Timeline, follower: Follower) -> None:
        self._left = list(plan.answers)
        self._follower = follower
        self._timeline = timeline

    async def fetch(self, url: str, query: Mapping[str, str], *, world: UUID, base: str = "") -> FetchedFlow:
        return await self._answer("fetch", url, base)

    async def finish(self, url: str, query: Mapping[str, str], body: bytes, *, world: UUID, base: str = "") -> FetchedFlow:
        return await self._answer("on_finish", url, base)

    async def _answer(self, how: str, url: str, base: str) -> FetchedFlow:
        plan = self._take(how, url)
        if plan is None:
            if self._follower.same and not self._follower.astray:
                await self._timeline.never()
            raise FlowUnavailable(Cause.UNREACHABLE, "the record has no answer of this URL", url)
        await self._timeline.wait(plan.span, plan.line)
        entry = plan.entry
        if entry.flow is None:
            cause = next((cause for cause in Cause if cause.value == entry.cause), None)
            if cause is None:
                raise RuntimeError(f"it failed inside the server then: {entry.error}")
            raise FlowUnavailable(cause, entry.error, entry.url, entry.status)
        return FetchedFlow(compile_flow(entry.flow), entry.flow, entry.url, entry.status or 200)

    def _take(self, how: str, url: str) -> AnswerPlan | None:
        """The next answer that was asked for with this URL; a redirect may have led elsewhere, so the next one of any."""
        asked = [plan for plan in self._left if plan.entry.how == how]
        bare = url.partition("?")[0]
        alike = [plan for plan in asked if plan.asked == bare] or [plan for plan in asked if plan.asked is None]
        if not alike:
            return None
        self._left.remove(alike[0])
        return alike[0]


class UnfitFlow(StoredFlow, frozen=True):
    """A flow that cannot run, for a reason that is on record."""

    why: str = ""

    def compiled(self) -> Flow:
        parameter, _, message = self.why.partition(": ")
        raise Invalid(message, parameter=parameter)


class OneFlow(Flows):
    """The flow of the call, whichever number it is asked for."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(store, clock)
        self.flow: StoredFlow | None = None

    def find(self, world_id: UUID, flow_id: UUID) -> StoredFlow | None:
        return None

    def default(self, world_id: UUID) -> StoredFlow | None:
        return self.flow


class WatchedStore(Store):
    """Tells the follower of each line of the journal once it is on record, before any command that it leads to."""

    follower: Follower | None = None

    async def commit(self, change: Change) -> None:
        await super().commit(change)
        if self.follower is not None:
            for write in change.writes:
                if write.query == "calls.insert_entry":
                    at_us, row = write.params[3:5]
                    assert isinstance(at_us, int)
                    assert isinstance(row, bytes)
                    self.follower.told(at_us, journal.decode(row))
