"""Listens in between call control and an engine: what is said to whom, and when a party is to act."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec

from callwright import telephony
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.performer import Performer
from callwright.rehearsal.prompts import Prompt, Prompts
from callwright.telephony import Command, Engine, Event, PlayOutcome


class Heard(msgspec.Struct, kw_only=True):
    """A prompt a party was given to hear. Times are wall time; None while it lasts."""

    leg: UUID
    prompt: Prompt
    began_us: int
    ended_us: int | None = None
    outcome: PlayOutcome | None = None


class Ear:
    """An engine in front of the engine. It changes nothing; `party` says who is called at a number."""

    def __init__(self, engine: Engine, performer: Performer, prompts: Prompts, party: Callable[[str], Party]) -> None:
        self._engine = engine
        self._performer = performer
        self._prompts = prompts
        self._party = party
        self._plays: dict[tuple[UUID, int], Prompt] = {}
        self._playing: dict[tuple[UUID, int], Heard] = {}
        self.heard: list[Heard] = []
        # Legs that were turned away without a record.
        self.rejected: dict[UUID, telephony.Reject] = {}
        # Besides call control, whoever wants to know.
        self.observers: list[Callable[[Event], None]] = []

    def unheard(self, leg: UUID) -> Act | None:
        """The first act of a leg's party that still waits for a text."""
        return self._performer.unheard(leg)

    def attach(self, sink: Callable[[Event], None]) -> None:
        def told(event: Event) -> None:
            sink(event)
            self._note(event)
            for observer in self.observers:
                observer(event)

        self._engine.attach(told)

    def submit(self, command: Command) -> None:
        if isinstance(command, telephony.Originate):
            self._performer.join(command.leg, self._party(command.target.user))
        elif isinstance(command, telephony.Play) and command.files:
            prompt = self._prompts.of(command.files[0])
            if prompt is not None:
                self._plays[command.leg, command.id] = prompt
        elif isinstance(command, telephony.Reject):
            self.rejected[command.leg] = command
        self._engine.submit(command)

    def unhealthy(self) -> str | None:
        return self._engine.unhealthy()

    def _note(self, event: Event) -> None:
        match event:
            case telephony.Answered():
                self._performer.answered(event.leg)
            case telephony.PlayStarted(play=play):
                prompt = self._plays.get((event.leg, play))
                if prompt is not None:
                    heard = self._playing[event.leg, play] = Heard(leg=event.leg, prompt=prompt, began_us=event.at_us)
                    self.heard.append(heard)
                    self._performer.began(event.leg, prompt)
            case telephony.PlayFinished(play=play, outcome=outcome):
                ended = self._playing.pop((event.leg, play), None)
                if ended is not None:
                    ended.ended_us, ended.outcome = event.at_us, outcome
                    if outcome is PlayOutcome.DONE:
                        self._performer.ended(event.leg, ended.prompt)
            case telephony.Refused() | telephony.Ended():
                self._performer.left(event.leg)
