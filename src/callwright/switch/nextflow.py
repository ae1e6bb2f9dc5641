"""The flow that comes next, from a URL: asked for by a step, or with a recording that is over (contract §4.4, §4.5)."""

from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec

from callwright.calls import journal
from callwright.flows import effects
from callwright.log import Log
from callwright.switch.fetching import FlowUnavailable
from callwright.switch.live import LiveCall
from callwright.switch.messages import FlowCame
from callwright.switch.recording import Recorder

FETCH = "fetch"
ON_FINISH = "on_finish"
BROKEN = "it failed inside the server, whose log has the error"

_log = Log("switch")


class NextFlow:
    """Asks for one flow at a time; what comes for an older question is passed over."""

    def __init__(self, call: LiveCall, recorder: Recorder) -> None:
        self._call = call
        self._recorder = recorder
        self._turn = 0
        self._work: asyncio.Task[None] | None = None
        self._tells = False  # the work at hand tells of a recording
        self._errands: set[int] = set()  # turns that nobody here waits for, and that are not cut off

    def fetch(self, wanted: effects.Fetch) -> None:
        self._ask(wanted.url, wanted.base, wanted.variables, None)

    def post(self, wanted: effects.PostRecording) -> None:
        self._ask(wanted.url, wanted.base, wanted.variables, wanted.recording)

    def tell(self, wanted: effects.PostRecording) -> None:
        """Tell of a recording although its party has left; the call waits for that, and what is answered is only noted."""
        self.post(wanted)
        self.stop()

    def stop(self) -> None:
        """Wait for nothing more; who is being told of a recording is told to the end."""
        if self._work is not None and self._tells:
            self._errands.add(self._turn)
            self._call.errands += 1
        elif self._work is not None:
            self._work.cancel()
        self._work = None
        self._turn += 1

    def came(self, came: FlowCame) -> None:
        self._call.note(came.entry)
        if came.turn in self._errands:
            self._errands.remove(came.turn)
            self._call.errands -= 1
        if came.turn != self._turn:
            return
        self._work = None
        if came.flow is not None:
            self._call.advance(effects.FlowFetched(came.flow, came.entry.url))
        else:
            self._call.advance(effects.FetchFailed(came.entry.error, self._call.around.supplies.fallback()))

    def _ask(self, url: str, base: str, variables: dict[str, str], recording_id: UUID | None) -> None:
        self.stop()
        self._tells = recording_id is not None
        self._work = self._call.spawn(self._fetch(self._turn, url, base, self._query(variables), recording_id))

    def _query(self, variables: dict[str, str]) -> dict[str, str]:
        call = self._call.record.call
        return {
            "callID": str(call.id),
            "source": call.source,
            "destination": call.destination,
            "variables": msgspec.json.encode(variables).decode(),
        }

    async def _fetch(self, turn: int, url: str, base: str, query: dict[str, str], recording_id: UUID | None) -> None:
        around, world_id = self._call.around, self._call.record.call.world_id
        how = FETCH if recording_id is None else ON_FINISH
        try:
            if recording_id is None:
                found = await around.supplies.flow_source.fetch(url, query, world=world_id, base=base)
            else:
                recording = self._recorder.finished(recording_id)
                assert recording is not None, "the flow is told of a recording when it is over"
                body = around.supplies.recording_body(recording)
                found = await around.supplies.flow_source.finish(url, query, body, world=world_id, base=base)
        except FlowUnavailable as error:
            entry = journal.FlowAnswered(url=error.url, how=how, status=error.status, cause=error.cause.value, error=str(error))
            self._call.put(FlowCame(turn, entry))
        except Exception:
            _log.exception("flow_fetch_failed", call=self._call.record.call.id)
            self._call.put(FlowCame(turn, journal.FlowAnswered(url=url, how=how, cause="internal", error=BROKEN)))
        else:
            entry = journal.FlowAnswered(url=found.url, how=how, status=found.status, flow=found.body)
            self._call.put(FlowCame(turn, entry, found.flow))
