"""Simulated calls as tests have them: to their end at once, or step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar, cast
from uuid import UUID

from callwright.calls.labels import checked_metadata, checked_tags
from callwright.errors import CallwrightError
from callwright.rehearsal.ear import Heard
from callwright.rehearsal.network import SimulatedNetwork
from callwright.rehearsal.outcome import Delivered, Fetched, Outcome, Posted, Recorded
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.prompts import SoundReply
from callwright.scenarios.document import CALLER, NUMBER
from callwright.scenarios.rules import no_url
from callwright.simulator.talk import spoken_s
from callwright.testing import script, story
from callwright.testing.flows import Flow, flow_of
from callwright.testing.inbox import WebhookInbox
from callwright.testing.script import Answering, Doing
from callwright.testing.stage import Stage

# A test that fails is shown at its own line, not at those of this file (pytest).
__tracebackhide__ = True

P = ParamSpec("P")
T = TypeVar("T")

LONGEST_WAIT_S = 4 * 3600.0


class Leg(NamedTuple):
    """A leg as tests compare it; `seconds` is how long it was talked on, 0.0 where it was never answered."""

    direction: str
    source: str
    destination: str
    status: str
    reason: str | None
    sip_code: int | None
    seconds: float


class CallIsOver(AssertionError):
    """The call is over, and nothing can be done in it any more."""


class SimulatedCall:
    """A call, as far as it has come. Made by `SimulatedCalls`; times are seconds of the call.

    The other party is who called the number, or who is called from it. What it does takes effect at once, and time passes in
    `advance`, `wait_for` and `finish` alone.
    """

    def __init__(self, stage: Stage, call_id: UUID, *, delivers: bool) -> None:
        self._stage = stage
        self._id = call_id
        self._delivers = delivers
        self._looked_at = 0
        self._finished: Outcome | None = None

    # what it has come to

    @property
    def outcome(self) -> Outcome:
        """All that is known of it."""
        return self._finished or self._stage.rehearsal.outcome(self._id)

    @property
    def id(self) -> str:
        return str(self._id)

    @property
    def status(self) -> str:
        return self.outcome.call.status.value

    @property
    def reason(self) -> str | None:
        """Why it ended: a name of docs/reasons.md."""
        reason = self.outcome.call.reason
        return None if reason is None else reason.value

    @property
    def over(self) -> bool:
        return self.outcome.over

    @property
    def seconds(self) -> float:
        """How long it lasted, from when it was made."""
        return self.outcome.seconds

    @property
    def said(self) -> list[str]:
        """The texts that were said and the URLs of sounds that were played, to whomever, in order."""
        return [one.text or one.url for one in self.outcome.spoken]

    def heard(self, leg: int = 1) -> list[str]:
        """The texts that were said and the URLs of sounds that were played to one leg, in order."""
        return [one.text or one.url for one in self.outcome.spoken if one.leg == leg]

    @property
    def pressed(self) -> str:
        """The keys that came in, of all legs."""
        return "".join(one.key for one in self.outcome.pressed)

    @property
    def legs(self) -> list[Leg]:
        """Oldest first."""
        return [
            Leg(
                direction=leg.direction.value,
                source=leg.source,
                destination=leg.destination,
                status=leg.status.value,
                reason=None if leg.reason is None else leg.reason.value,
                sip_code=leg.sip_code,
                seconds=0.0 if leg.answered_us is None or leg.ended_us is None else (leg.ended_us - leg.answered_us) / 1e6,
            )
            for leg in self.outcome.legs
        ]

    @property
    def variables(self) -> dict[str, str]:
        return self.outcome.variables

    @property
    def tags(self) -> list[str]:
        return list(self.outcome.call.tags)

    @property
    def metadata(self) -> dict[str, str]:
        return self.outcome.call.metadata

    @property
    def recordings(self) -> list[Recorded]:
        return self.outcome.recordings

    @property
    def fetches(self) -> list[Fetched]:
        return self.outcome.fetches

    @property
    def webhooks(self) -> list[Posted]:
        """Every callback the call gives rise to, whether somebody hears it or not, with its payload."""
        return self.outcome.webhooks

    @property
    def told(self) -> list[str]:
        """The callbacks in short: ``["callCreated starting", "callUpdated ongoing", "callUpdated ended"]``."""
        return [story.webhook(one) for one in self.outcome.webhooks]

    @property
    def deliveries(self) -> list[Delivered]:
        """What became of callbacks that were really posted (``deliver_to``)."""
        return self.outcome.deliveries

    @property
    def notes(self) -> list[str]:
        """What of the script did not come to pass, in sentences."""
        return list(self.outcome.notes)

    @property
    def story(self) -> str:
        """All that happened, a line each."""
        return story.story(self.outcome)

    if not TYPE_CHECKING:  # who checks types is to be told too

        def __await__(self):
            raise TypeError("A simulated call is there at once, in a coroutine too: leave await out.")

    def __repr__(self) -> str:
        return f"<SimulatedCall {story.head(self.outcome)}, said {self.said!r}>"

    # what is done in it

    def press(self, keys: str, *, leg: int = 1) -> None:
        """Press keys, a third of a second apart."""
        for n, key in enumerate(script.checked_keys(keys)):
            if n:
                self.advance(Party().key_gap)
            self._act(leg, partial(_press, key))

    def say(self, text: str, *, leg: int = 1) -> None:
        """Begin to say something; it lasts as long as it would be spoken."""
        script.checked_text(text, "is said")
        self._act(leg, lambda network, id_: network.say(id_, text, spoken_s(text)))

    def hang_up(self, *, leg: int = 1) -> None:
        self._act(leg, lambda network, id_: network.hang_up(id_))

    def end(self) -> None:
        """Have the platform end the call, as DELETE /calls/{id} does."""
        self._alive("end")
        rehearsal = self._stage.rehearsal
        self._stage.do(lambda: rehearsal.switch.hang_up_call(rehearsal.world.id, self._id))
        self._stage.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass. Raises ValueError where it would go back."""
        if not isinstance(seconds, int | float) or not seconds >= 0:
            raise ValueError(f"Time passes by a number of seconds, of at least 0; this is {seconds!r}.")
        if self._finished is None:
            self._stage.do(lambda: asyncio.sleep(seconds))
            self._stage.settle()

    def wait_for(self, text: str, *, leg: int = 1, begun: bool = False, within: float = LONGEST_WAIT_S) -> str:
        """Let time pass until something with this in it was said to a leg, or has `begun` to be, and return all of it.

        What an earlier `wait_for` has found is not found again. AssertionError, with the call's story, where it is not said.
        """
        script.checked_text(text, "is waited for")
        self._alive("wait for words")
        found = self._stage.do(lambda: self._hears(text, leg, begun, within))
        self._stage.settle()
        if found is None:
            raise AssertionError(f"{text!r} was not said to leg {leg}.\n{self.story}")
        return found

    def finish(self) -> SimulatedCall:
        """Let it go on to its end."""
        if self._finished is None:
            self._finished = self._stage.do(self._to_its_end)
            self._stage.close()
        return self

    async def _to_its_end(self) -> Outcome:
        outcome = await self._stage.rehearsal.over(self._id)
        return await self._stage.deliveries.deliver(outcome) if self._delivers else outcome

    async def _hears(self, text: str, leg: int, begun: bool, within: float) -> str | None:
        rehearsal = self._stage.rehearsal
        ear = rehearsal.network.ear
        something = asyncio.Event()
        ear.observers.append(lambda event: something.set())
        try:
            async with rehearsal.clock.timeout(within):
                while (found := self._found(ear.heard, text, leg, begun)) is None and rehearsal.switch.carries(self._id):
                    something.clear()
                    await something.wait()
        except TimeoutError:
            found = None
        finally:
            ear.observers.pop()
        return found

    def _found(self, heard: list[Heard], text: str, leg: int, begun: bool) -> str | None:
        for place, one in enumerate(heard[self._looked_at :], self._looked_at):
            words = one.prompt.text or one.prompt.url
            if text.casefold() in words.casefold() and self._number(one.leg) == leg and (begun or one.ended_us is not None):
                self._looked_at = place + 1
                return words
        return None

    def _number(self, leg_id: UUID) -> int | None:
        return next((leg.n for leg in self.outcome.legs if leg.id == leg_id), None)

    def _act(self, leg: int, act: Callable[[SimulatedNetwork, UUID], None]) -> None:
        self._alive("do anything")
        rehearsal = self._stage.rehearsal
        legs = {one.n: one for one in self.outcome.legs}
        if leg not in legs or not legs[leg].live:
            raise CallIsOver(f"There is no leg {leg} that is alive.\n{self.story}")

        async def now() -> None:
            act(cast("SimulatedNetwork", rehearsal.network), legs[leg].id)

        self._stage.do(now)
        self._stage.settle()

    def _alive(self, what: str) -> None:
        if self._finished is not None or not self._stage.rehearsal.switch.carries(self._id):
            raise CallIsOver(f"The call is over; nobody can {what} in it.\n{self.story}")


def _to_its_end(begin: Callable[P, SimulatedCall]) -> Callable[P, SimulatedCall]:
    @wraps(begin)
    def whole(*args: P.args, **kwargs: P.kwargs) -> SimulatedCall:
        return begin(*args, **kwargs).finish()

    return whole


def _at_the_line_of_the_test(begin: Callable[P, T]) -> Callable[P, T]:
    """What the platform refuses is shown there too, and not where in the platform that was."""

    @wraps(begin)
    def shown(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return begin(*args, **kwargs)
        except CallwrightError as error:
            raise error.with_traceback(None) from None

    return shown


class SimulatedCalls:
    """Has calls through flows: the fixture ``simulated_call``. Call it for a whole call; `begin` one to go through it."""

    def __init__(self) -> None:
        self._stages: list[Stage] = []
        self.calls: list[SimulatedCall] = []

    @_at_the_line_of_the_test
    def begin(
        self,
        flow: Flow,
        *,
        caller: str | None = None,
        to: str | None = None,
        number: str = NUMBER,
        keys: str = "",
        hears: Mapping[str, Doing] | Sequence[tuple[str, Doing]] = (),
        says: str | Mapping[float, str] = "",
        acts: Sequence[Act] = (),
        hangs_up: float | None = None,
        answers: Party | str = "answer",
        callees: Mapping[str, Party | str] | None = None,
        web: Mapping[str, Answering] | None = None,
        real_web: bool = False,
        sounds: Mapping[str, float | SoundReply] | None = None,
        settings: Mapping[str, object] | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
        deliver_to: str | WebhookInbox | Sequence[str | WebhookInbox] = (),
    ) -> SimulatedCall:
        """Begin a call: `caller` calls `number`, which has the flow; or with `to` that is called from `number`.

        `flow` is a flow, the list of its steps, or its file (JSON or XML). The other party presses `keys` half a second after
        the answer, `says` something a second after it or at times, and does what is under `hears` once it has heard a text
        with these words in it, one after the other: what are keys is pressed, any other text is said. `acts` has all else that
        somebody may do; `hangs_up` is a time after the answer. With `to`, `answers` says how: ``answer``, ``busy``,
        ``no_answer``, ``fail``, ``no_response`` or a `Party`; `callees` says so of those that the flow calls.

        `web` has what answers for URLs; without `real_web` there is nobody else there. `sounds` are the lengths of sounds by
        their URL. `settings` are as in ``--set``. The callbacks are really posted to the URLs of `deliver_to` once the call is
        over.
        """
        if caller is not None and to is not None:
            raise ValueError("A call is either from a caller or to somebody: give caller or to, not both.")
        if to is None and (tags or metadata or (answers != "answer" and not isinstance(answers, Party))):
            raise ValueError("answers, tags and metadata are for a call that is placed: say to whom, with to.")
        other = script.party(answers, keys=keys, hears=hears, says=says, acts=acts, hangs_up=hangs_up)
        labels = {"tags": checked_tags(tags, "tags"), "metadata": checked_metadata(dict(metadata or {}), "metadata")}
        called, source = None if to is None else script.address(to), script.address(CALLER if caller is None else caller)
        number = script.address(number)
        told = _receivers(deliver_to)
        for name, given in (("callees", callees), ("web", web), ("sounds", sounds)):
            script.kind_of(name, given or {}, Mapping, "a dictionary, by the numbers or URLs it is about")
        body = flow_of(flow)
        stage = Stage(script.settings_of(settings or {}), real_web=real_web)
        self._stages.append(stage)
        rehearsal = stage.rehearsal
        for destination, callee in (callees or {}).items():
            rehearsal.network.expect(script.address(destination), script.party(callee))
        for url, answering in (web or {}).items():
            script.answer_for(stage, url, answering)
        for url, sound in (sounds or {}).items():
            rehearsal.sounds.script(url, script.sound(sound))

        async def begin() -> UUID:
            for one in told:
                if isinstance(one, WebhookInbox):
                    one.trust(rehearsal.world.signing_key)
                    await stage.deliveries.tell(one.url, one.token)
                else:
                    await stage.deliveries.tell(one)
            if called is not None:
                return await rehearsal.place(number, called, body, other, **labels)
            await rehearsal.own(number, body)
            return await rehearsal.dial(number, source, other)

        call = SimulatedCall(stage, stage.do(begin), delivers=bool(told))
        self.calls.append(call)
        stage.settle()
        return call

    # A whole call takes what `begin` takes, and type checkers know.
    __call__ = _to_its_end(begin)

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            of_one = hasattr(SimulatedCall, name) and not name.startswith("_")
            told = f": that is of a call, such as simulated_call.begin(flow).{name}" if of_one else ""
            raise AttributeError(f"simulated_call has no {name}{told}.")

    def close(self) -> None:
        """End what goes on still, and free what calls have taken."""
        for stage in self._stages:
            stage.close()


def _receivers(given: str | WebhookInbox | Sequence[str | WebhookInbox]) -> list[str | WebhookInbox]:
    told = [given] if isinstance(given, str | WebhookInbox) or not isinstance(given, Sequence) else [*given]
    for one in told:
        script.kind_of("deliver_to", one, (str, WebhookInbox), "a URL or an inbox, or a list of them")
        if isinstance(one, str) and (why := no_url(one)) is not None:
            raise ValueError(f"deliver_to: {why}.")
    return told


def _press(key: str, network: SimulatedNetwork, leg: UUID) -> None:
    network.press(leg, key)
