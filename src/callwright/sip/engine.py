"""The SIP engine: call control's commands to signalling and media, and their reports to events.

It lives in the core, owns the session descriptions, and speaks to one signalling process and several media processes
through links that come and go. What the far end does is acted on at once. Events are never delivered from inside
`SipEngine.submit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from callwright import ipc
from callwright.clock import Clock
from callwright.log import Log
from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.sip.leg import GONE, HELD, SOUND, TAKES, Leg, Phase
from callwright.sip.legs import EngineSettings, Legs, nobody
from callwright.sip.names import Lookup, Names, system_lookup
from callwright.sip.steps import Steps
from callwright.sip.streams import MediaProcess, Wire, shortage
from callwright.telephony import (
    AcceptRefer,
    Answer,
    Bridge,
    Cause,
    Command,
    CommandRefused,
    Event,
    HangUp,
    Hold,
    Originate,
    Refer,
    ReferProgress,
    Reject,
    RejectRefer,
    Resume,
    Ring,
    Unbridge,
)

__all__ = ["EngineSettings", "SipEngine"]

log = Log("sip.engine")

_Step = Callable[[Leg, Any], None]


class SipEngine:
    """`telephony.Engine` over SIP and RTP.

    `media_processes` is how many there are to be; `turned_away` is told of INVITEs that did not pass the gate; `lookup`
    finds the IPv4 address of a host name or raises `OSError`.
    """

    def __init__(
        self,
        settings: EngineSettings,
        clock: Clock,
        *,
        media_processes: int = 1,
        turned_away: Callable[[sip.TurnedAway], None] = nobody,
        lookup: Lookup = system_lookup,
    ) -> None:
        self._legs = Legs(settings, clock, media_processes)
        self._names = Names(clock, lookup)
        self._steps = Steps(self._legs, self._names)
        self._turned_away = turned_away
        self._refusal: str | None = None
        self.signalling_load: sip.Load | None = None
        steps, sound, transfers = self._steps, self._legs.sound, self._legs.transfers
        self._commands: dict[type[Command], _Step] = {
            Ring: steps.ring,
            Answer: steps.answer,
            Reject: steps.reject,
            HangUp: steps.hang_up,
            Hold: steps.hold,
            Resume: steps.hold,
            Bridge: self._bridge,
            Unbridge: sound.conversations.unbridge,
            Refer: transfers.refer,
            AcceptRefer: transfers.accept,
            RejectRefer: transfers.reject,
            ReferProgress: transfers.progress,
            **dict.fromkeys(HELD, sound.command),
        }
        # What a message of signalling does in each phase; anything else is out of place and changes nothing.
        self._moves: dict[tuple[Phase, type[sip.ToCore]], _Step] = {
            (Phase.ARRIVED, sip.InfoArrived): steps.info,
            (Phase.ARRIVED, sip.LegFailed): steps.failed,
            (Phase.PREPARING, sip.LegFailed): steps.failed,
            (Phase.CALLING, sip.LegProgress): steps.progress,
            (Phase.CALLING, sip.LegAnswered): steps.far_answered,
            (Phase.CALLING, sip.LegFailed): steps.failed,
            (Phase.CALLING, sip.LegEnded): steps.over,
            (Phase.ANSWERING, sip.AnswerSent): steps.answer_left,
            (Phase.ANSWERING, sip.LegFailed): steps.failed,
            (Phase.ANSWERING, sip.LegEnded): steps.over,
            (Phase.ANSWERED, sip.ForkReleased): steps.forked,
            (Phase.ANSWERED, sip.DialogMoved): steps.moved,
            (Phase.ANSWERED, sip.OfferArrived): steps.offered,
            (Phase.ANSWERED, sip.OfferAnswered): steps.offer_answered,
            (Phase.ANSWERED, sip.InfoArrived): steps.info,
            (Phase.ANSWERED, sip.ReferArrived): transfers.arrived,
            (Phase.ANSWERED, sip.ReferEnded): transfers.ended,
            (Phase.ANSWERED, sip.LegEnded): steps.over,
            (Phase.LEAVING, sip.LegAnswered): steps.late,
            (Phase.LEAVING, sip.AnswerSent): steps.late,
            (Phase.LEAVING, sip.ReferEnded): transfers.ended,
            (Phase.LEAVING, sip.LegFailed): steps.failed,
            (Phase.LEAVING, sip.LegEnded): steps.over,
        }
        self._reports: dict[type[media.ToCore], _Step] = {
            media.Opened: steps.opened,
            media.OpenFailed: steps.open_failed,
            media.WentSilent: steps.went_silent,
            media.HeardAgain: steps.heard_again,
            media.DigitHeard: sound.keys.heard,
            media.PlayBegan: sound.play_began,
            media.PlayEnded: sound.play_ended,
            media.RecordBegan: sound.recordings.began,
            media.RecordEnded: sound.recordings.ended,
            media.VoiceChanged: sound.voice,
            media.BeepHeard: sound.beep,
            media.Joined: sound.conversations.joined,
            media.Parted: sound.conversations.parted,
        }

    @property
    def live_legs(self) -> int:
        return len(self._legs.alive)

    @property
    def media_processes(self) -> tuple[MediaProcess, ...]:
        """The media processes with what they carry and last reported, for metrics."""
        return self._legs.media

    def attach(self, sink: Callable[[Event], None]) -> None:
        self._legs.sink = sink

    def submit(self, command: Command) -> None:
        """Take a command or raise `CommandRefused`; one whose id was seen in its call changes nothing."""
        call = self._legs.calls.get(command.call)
        if call is not None and command.id <= call.last_command:
            return
        leg = self._legs.alive.get(command.leg)
        if isinstance(command, Originate):
            if leg is not None:
                raise CommandRefused(f"Originate: leg {command.leg} exists")
            self._steps.originate(command)
            return
        name = type(command).__name__
        if leg is None:
            raise CommandRefused(f"{name}: leg {command.leg} is not known or is over")
        call = leg.call or self._legs.bind(leg, command.call)
        if call.id != command.call:
            raise CommandRefused(f"{name}: leg {command.leg} belongs to call {call.id}")
        call.last_command = command.id
        if type(command) not in TAKES[leg.phase] or (type(command) in SOUND and not leg.audible):
            raise CommandRefused(f"{name}: leg {command.leg} is {leg.phase.value}")
        self._commands[type(command)](leg, command)

    def unhealthy(self) -> str | None:
        link = self._legs.signalling
        if link is None:
            return f"signalling is down ({self._legs.signalling_why})"
        if link.backlog >= ipc.MAX_BACKLOG:
            return "signalling does not keep up"
        if all(process.link is None for process in self._legs.media):
            return shortage(self._legs.media, self._legs.settings.max_calls)
        return None

    def close(self) -> None:
        """Stop all waiting; no event follows."""
        self._names.close()
        self._legs.close()

    def admit(self, refusal: str | None = None) -> None:
        """Let INVITEs in, or have signalling turn them away with this `reasons.Refusal`; a successor is told as well."""
        self._refusal = refusal
        self._legs.tell(sip.Admit(open=refusal is None, refusal=refusal or ""))

    def release(self, dialogs: Iterable[tuple[UUID, bytes]]) -> None:
        """Have signalling end dialogs, as events told them, of legs that were left by an engine before this one.

        A BYE goes out for each: at once, or else as soon as signalling is up and before it takes an INVITE. `Released`
        follows for each.
        """
        self._legs.release(dialogs)

    def signalling_up(self, link: Wire) -> None:
        if self._legs.signalling is not None:
            self.signalling_down("replaced by a successor")
        self._legs.signalling = link
        self._legs.release_again()
        self.admit(self._refusal)

    def signalling_down(self, why: str) -> None:
        """End every leg: the process that knew its dialog is gone. A successor ends on the wire what was answered (row R2)."""
        self._legs.signalling, self._legs.signalling_why, self.signalling_load = None, why, None
        for leg in list(self._legs.alive.values()):
            if leg.phase is not Phase.CLOSING:
                self._legs.lose(leg, why, Cause.SIGNALLING_LOST)

    def media_up(self, index: int, link: Wire) -> None:
        if self._legs.media[index].link is not None:
            self.media_down(index, "replaced by a successor")
        self._legs.media[index].up(link)

    def media_down(self, index: int, why: str) -> None:
        """End the legs with a stream in that process (lifecycle row R1)."""
        self._legs.media_lost(self._legs.media[index], why)

    def on_signalling(self, message: sip.SignallingMessage) -> None:
        """Take a message of the signalling process. Never raises: one leg's trouble is not the link's."""
        try:
            if isinstance(message, sip.LegArrived):
                self._steps.arrived(message)
            elif isinstance(message, sip.TurnedAway):
                self._turned_away(message)
            elif isinstance(message, sip.Load):
                self.signalling_load = message
            else:
                leg = self._legs.alive.get(message.leg)
                step = self._moves.get((leg.phase, type(message))) if leg is not None else None
                if leg is not None and step is not None:
                    step(leg, message)
                elif isinstance(message, sip.DialogOver) or _ends_a_dialog(message):
                    self._legs.dialog_over(message.leg)
                else:
                    log.debug("message_out_of_place", leg=message.leg, message=type(message).__name__)
        except Exception:
            log.exception("message_failed", leg=message.leg, message=type(message).__name__)

    def on_media(self, index: int, message: media.MediaMessage) -> None:
        """Take a message of a media process. Never raises."""
        try:
            if isinstance(message, media.Load):
                self._legs.media[index].reported(message)
                return
            leg = self._legs.alive.get(message.stream)
            if leg is None or leg.media is not self._legs.media[index]:
                return
            if isinstance(message, media.Closed):
                self._legs.closed(leg, message)
            elif leg.phase not in GONE or isinstance(message, media.RecordEnded):
                self._reports[type(message)](leg, message)
        except Exception:
            log.exception("message_failed", leg=message.stream, message=type(message).__name__)

    def _bridge(self, leg: Leg, command: Bridge) -> None:
        self._legs.sound.conversations.bridge(leg, self._legs.alive.get(command.other), command)


def _ends_a_dialog(message: sip.SignallingMessage) -> bool:
    """Whether a last word of signalling that comes after ours says that no BYE of ours is needed, or was sent."""
    return isinstance(message, sip.LegFailed) or (isinstance(message, sip.LegEnded) and message.who == "far")
