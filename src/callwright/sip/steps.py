"""How legs come about, are answered, change and end: what the two sides say to each other, as descriptions and outcomes.

Each method is a step of one leg, taken when its phase allows it; the engine's tables say when.
"""

from __future__ import annotations

from functools import partial

from callwright.log import Log
from callwright.media import wire as media
from callwright.sip import endings, offer
from callwright.sip import wire as sip
from callwright.sip.info import read_key
from callwright.sip.leg import GONE, Leg, Phase, StreamState
from callwright.sip.legs import Legs
from callwright.sip.names import NameNotFound, Names
from callwright.sip.sdp import SENDONLY, SENDRECV, SdpError, parse, serialize
from callwright.telephony import (
    Answer,
    Answered,
    Cause,
    Command,
    CommandRefused,
    EarlyMedia,
    Event,
    Forked,
    HangUp,
    HeardAgain,
    Held,
    Hold,
    Incoming,
    Moved,
    Originate,
    Refreshed,
    Reject,
    Resume,
    Ring,
    Ringing,
    Silent,
    Who,
)

NOT_ACCEPTABLE = 'SIP;cause=488;text="Not Acceptable Here"'

log = Log("sip.engine")


class Steps:
    """The steps of a leg. `Legs` keeps the books; `Names` finds the addresses of targets."""

    def __init__(self, legs: Legs, names: Names) -> None:
        self._legs = legs
        self._names = names

    # incoming legs

    def arrived(self, message: sip.LegArrived) -> None:
        leg = Leg(message.leg, incoming=True, phase=Phase.ARRIVED)
        leg.sip_call_id, leg.dialog = message.sip_call_id, message.dialog
        if message.sdp:
            try:
                leg.offer = parse(message.sdp)
                leg.offered_law = offer.first_law(leg.offer)
            except SdpError as error:
                leg.blocked, leg.detail = _cause(error), str(error)
        self._legs.alive[leg.id] = leg
        self._legs.emit(
            leg,
            Incoming,
            source=message.source,
            destination=message.destination,
            address=message.address,
            trunk=message.trunk,
            hops=message.hops,
            max_forwards=message.max_forwards,
            sip_call_id=message.sip_call_id,
            dialog=message.dialog,
            blocked=leg.blocked,
            detail=leg.detail,
        )

    def ring(self, leg: Leg, command: Ring) -> None:
        if not command.early_media:
            self._legs.tell(sip.SendProgress(leg.id))
            return
        _needs_sound(leg, command)
        if leg.offer is None:
            # An offer of ours in a 183 would need 100rel; a caller without an offer hears a plain 180.
            self._legs.tell(sip.SendProgress(leg.id))
        elif not leg.early:
            leg.early = True
            self._open(leg)

    def answer(self, leg: Leg, command: Answer) -> None:
        _needs_sound(leg, command)
        leg.phase = Phase.PREPARING
        if leg.stream is StreamState.NONE:
            self._open(leg)
        elif leg.stream is StreamState.CONNECTED:
            self._send_answer(leg)

    def reject(self, leg: Leg, command: Reject) -> None:
        self._send_reject(leg, sip.SendReject(leg.id, command.code, command.phrase, command.reason, command.retry_after_s))

    def _send_reject(self, leg: Leg, message: sip.SendReject) -> None:
        self._legs.tell(message)
        leg.code = message.code
        self._legs.leave(leg, self._legs.settings.word_s)

    def _describe(self, leg: Leg) -> str:
        """Answer the caller's offer and connect the stream, or make our offer where the caller made none."""
        assert leg.local is not None
        assert leg.call is not None
        if leg.offer is None:
            leg.ours, leg.awaiting_answer = offer.make_offer(leg.local), True
        elif leg.ours is None:
            leg.ours, agreed = offer.answer(leg.offer, leg.local, prefer=leg.call.law)
            self._legs.connect(leg, agreed)
        elif leg.agreed is not None:
            self._legs.connect(leg, leg.agreed, anew=True)
        return serialize(leg.ours)

    def _send_answer(self, leg: Leg) -> None:
        # The stream is connected before the 200 leaves, so that no sound is lost.
        text = self._describe(leg)
        leg.phase, leg.in_dialog = Phase.ANSWERING, True
        self._legs.tell(sip.SendAnswer(leg.id, text))
        self._legs.arm(leg, self._legs.settings.word_s, self._answer_overdue)

    def _answer_overdue(self, leg: Leg) -> None:
        detail = f"signalling did not answer the call within {self._legs.settings.word_s:g} s"
        self._legs.lose(leg, detail, Cause.SIGNALLING_LOST)

    def answer_left(self, leg: Leg, message: sip.AnswerSent) -> None:
        self._legs.disarm(leg)
        if leg.awaiting_answer:
            self._legs.arm(leg, self._legs.settings.ack_s, self._ack_overdue)
        self._answered(leg)

    def _ack_overdue(self, leg: Leg) -> None:
        self._unusable(leg, SdpError("the ACK brought no answer to our offer (RFC 3261 §13.2.1)"))

    # outgoing legs

    def originate(self, command: Originate) -> None:
        leg = Leg(command.leg, incoming=False, phase=Phase.PREPARING)
        leg.order = command
        self._legs.alive[leg.id] = leg
        self._legs.bind(leg, command.call).last_command = command.id
        if self._legs.signalling is None:
            self._legs.give_up(leg, Cause.SIGNALLING_LOST, f"signalling is down ({self._legs.signalling_why})")
            return
        host = command.target.host
        try:
            leg.address = self._names.known(host) or ""
        except NameNotFound as error:
            self._legs.give_up(leg, Cause.UNREACHABLE, str(error))
            return
        fault = self._legs.open(leg, self._open_overdue)
        if fault:
            self._legs.give_up(leg, Cause.MEDIA_CAPACITY, fault)
        elif not leg.address:
            self._names.ask(host, partial(self._found, leg), partial(self._not_found, leg))

    def _found(self, leg: Leg, address: str) -> None:
        if leg.phase is Phase.PREPARING:
            leg.address = address
            self._place(leg)

    def _not_found(self, leg: Leg, detail: str) -> None:
        if leg.phase is Phase.PREPARING:
            leg.detail = detail
            self._legs.refuse(leg, Cause.UNREACHABLE)

    def _place(self, leg: Leg) -> None:
        """Send the INVITE once the far side's address and our port are known."""
        order, local = leg.order, leg.local
        if order is None or local is None or not leg.address:
            return
        leg.ours = offer.make_offer(local)
        leg.phase = Phase.CALLING
        target = order.target
        self._legs.tell(
            sip.PlaceLeg(
                leg.id,
                user=target.user,
                host=target.host,
                address=leg.address,
                port=target.port,
                caller=order.caller,
                sdp=serialize(leg.ours),
                username=target.username,
                password=target.password,
                max_forwards=order.max_forwards,
                hops=order.hops,
                sip_call_id=order.sip_call_id,
            )
        )
        self._legs.arm(leg, self._legs.settings.call_s, self._call_overdue)

    def _call_overdue(self, leg: Leg) -> None:
        self._legs.tell(sip.EndLeg(leg.id))
        leg.detail = f"signalling told nothing of the INVITE for {self._legs.settings.call_s:g} s"
        self._legs.refuse(leg, Cause.NO_RESPONSE)

    def progress(self, leg: Leg, message: sip.LegProgress) -> None:
        self._legs.disarm(leg)
        told: type[Event] = Ringing
        if message.sdp:
            try:
                agreed = self._read_answer(leg, message.sdp)
            except SdpError as error:
                log.info("early_media_ignored", leg=leg.id, why=str(error))
            else:
                leg.early, told = True, EarlyMedia
                self._legs.connect(leg, agreed)
        if told not in leg.told:
            leg.told.add(told)
            self._legs.emit(leg, told)

    def far_answered(self, leg: Leg, message: sip.LegAnswered) -> None:
        self._legs.disarm(leg)
        leg.sip_call_id, leg.dialog, leg.in_dialog = message.sip_call_id, message.dialog, True
        try:
            # A 200 without a description repeats that of the 18x, if there was one.
            agreed = leg.agreed if leg.agreed is not None and not message.sdp else self._read_answer(leg, message.sdp)
        except SdpError as error:
            leg.code = 200
            self._unusable(leg, error)
            return
        self._legs.connect(leg, agreed, anew=True)
        self._answered(leg)

    # answered legs

    def _answered(self, leg: Leg) -> None:
        leg.phase, leg.answered = Phase.ANSWERED, True
        self._legs.emit(leg, Answered, sip_call_id=leg.sip_call_id, dialog=leg.dialog)
        if leg.agreed is not None and leg.agreed.direction != SENDRECV:
            self._legs.emit(leg, Held, direction=leg.agreed.direction)

    def moved(self, leg: Leg, message: sip.DialogMoved) -> None:
        leg.dialog = message.dialog
        self._legs.emit(leg, Moved, dialog=leg.dialog)

    def offered(self, leg: Leg, message: sip.OfferArrived) -> None:
        """Answer a re-INVITE, or offer all we have when it has no offer (RFC 3261 §14.2); refusing it changes nothing."""
        assert leg.local is not None
        if not message.sdp:
            leg.ours = offer.revise(leg.ours, offer.make_offer(leg.local, after=leg.ours, direction=leg.wants))
            leg.awaiting_answer = True
            self._legs.tell(sip.AnswerOffer(leg.id, serialize(leg.ours)))
            if leg.offering:
                self._offer(leg)  # as below
            return
        try:
            prefer = leg.agreed.law if leg.agreed is not None else None
            ours, agreed = offer.answer(parse(message.sdp), leg.local, prefer=prefer, wants=leg.wants)
        except SdpError as error:
            log.info("offer_refused", leg=leg.id, why=str(error))
            self._legs.tell(sip.AnswerOffer(leg.id, code=488, phrase="Not Acceptable Here"))
            return
        leg.ours = offer.revise(leg.ours, ours)
        self._renew(leg, agreed, sip.AnswerOffer(leg.id, serialize(leg.ours)))
        if leg.offering:
            self._offer(leg)  # ours met theirs (glare): signalling sends it later, as it has to read after this answer

    def hold(self, leg: Leg, command: Hold | Resume) -> None:
        wanted = SENDONLY if isinstance(command, Hold) else SENDRECV
        if leg.awaiting_answer:
            raise CommandRefused(f"{type(command).__name__}: the far end has not answered our last offer")
        if wanted != leg.wants:
            leg.wants = wanted
            if not leg.offering:
                self._offer(leg)

    def _offer(self, leg: Leg) -> None:
        """Say in a re-INVITE what we want. There is one at a time: what is wanted meanwhile waits for its answer."""
        assert leg.local is not None
        leg.offering = leg.wants
        leg.ours = offer.revise(leg.ours, offer.make_offer(leg.local, after=leg.ours, direction=leg.wants))
        self._legs.tell(sip.SendOffer(leg.id, serialize(leg.ours)))

    def offer_answered(self, leg: Leg, message: sip.OfferAnswered) -> None:
        """Read the answer to an offer that went out in a 200, which comes in the ACK (RFC 3261 §13.2.1, §14.2), or to ours."""
        if not leg.awaiting_answer:
            if leg.offering:
                self._own_offer_answered(leg, leg.offering, message)
            return
        leg.awaiting_answer = False
        self._legs.disarm(leg)
        try:
            agreed = self._read_answer(leg, message.sdp)
        except SdpError as error:
            if leg.agreed is None:
                self._unusable(leg, error)
            else:
                log.info("offer_answer_ignored", leg=leg.id, why=str(error))
            return
        self._renew(leg, agreed)

    def _own_offer_answered(self, leg: Leg, said: str, message: sip.OfferAnswered) -> None:
        """Take what our re-INVITE came to; when it was refused the session stays as it was (lifecycle row H2)."""
        leg.offering = None
        try:
            if message.code >= 300:
                raise SdpError(f"it was refused with {message.code}")
            agreed = self._read_answer(leg, message.sdp)
        except SdpError as error:
            log.info("offer_refused_by_far_end", leg=leg.id, why=str(error))
            in_force = SENDRECV if leg.agreed is None or leg.agreed.receive else SENDONLY
            if leg.wants == said:
                leg.wants = in_force
        else:
            in_force = said
            self._renew(leg, agreed, ours=True)
        if leg.wants != in_force:
            self._offer(leg)

    def forked(self, leg: Leg, message: sip.ForkReleased) -> None:
        self._legs.emit(leg, Forked)

    def _renew(self, leg: Leg, agreed: offer.Agreed, reply: sip.AnswerOffer | None = None, *, ours: bool = False) -> None:
        first, before = leg.agreed is None, leg.agreed.direction if leg.agreed is not None else SENDRECV
        self._legs.connect(leg, agreed)
        if reply is not None:
            self._legs.tell(reply)
        if agreed.direction != before:
            self._legs.emit(leg, Held, direction=agreed.direction)
        elif not first and not ours:
            self._legs.emit(leg, Refreshed)

    def _read_answer(self, leg: Leg, text: str) -> offer.Agreed:
        assert leg.ours is not None
        return offer.read_answer(leg.ours, parse(text))

    def info(self, leg: Leg, message: sip.InfoArrived) -> None:
        key = read_key(message.content_type, message.body) if leg.audible else None
        if key is not None:
            self._legs.sound.keys.in_info(leg, *key)

    # streams

    def _open(self, leg: Leg) -> None:
        fault = self._legs.open(leg, self._open_overdue)
        if fault:
            self._no_media(leg, fault)

    def opened(self, leg: Leg, message: media.Opened) -> None:
        if leg.stream is not StreamState.OPENING:
            return
        self._legs.disarm(leg)
        leg.stream = StreamState.OPEN
        # The law another leg of the call speaks goes first: equal laws are relayed without decoding.
        law = leg.call.law if leg.call is not None else None
        laws = tuple(sorted(self._legs.settings.laws, key=lambda known: known != law))
        leg.local = offer.Local(self._legs.settings.address, message.port, leg.id.int & 0x7FFFFFFF, laws)
        if not leg.incoming:
            self._place(leg)
        elif leg.phase is Phase.PREPARING:
            self._send_answer(leg)
        else:
            self._legs.tell(sip.SendProgress(leg.id, self._describe(leg)))

    def open_failed(self, leg: Leg, message: media.OpenFailed) -> None:
        if leg.stream is StreamState.OPENING and leg.media is not None:
            self._legs.close_stream(leg, opened=False)
            self._no_media(leg, f"{leg.media.name}: {message.detail}")

    def _open_overdue(self, leg: Leg) -> None:
        assert leg.media is not None
        self._no_media(leg, f"{leg.media.name} did not open a stream within {self._legs.settings.open_s:g} s")

    def _no_media(self, leg: Leg, detail: str) -> None:
        """End a leg that cannot have sound: an incoming one is refused without asking call control (lifecycle row N3)."""
        leg.cause, leg.detail = Cause.MEDIA_CAPACITY, detail
        if leg.incoming:
            self._send_reject(leg, sip.SendReject(leg.id, 503, "Service Unavailable"))
        else:
            self._legs.refuse(leg, Cause.MEDIA_CAPACITY)

    def heard_again(self, leg: Leg, message: media.HeardAgain) -> None:
        if leg.phase is Phase.ANSWERED:
            self._legs.emit(leg, HeardAgain)

    def went_silent(self, leg: Leg, message: media.WentSilent) -> None:
        if leg.phase is Phase.ANSWERED and leg.agreed is not None and leg.agreed.direction == SENDRECV:
            self._legs.emit(leg, Silent)

    # the end

    def hang_up(self, leg: Leg, command: HangUp) -> None:
        if leg.phase in GONE:
            return
        if not leg.incoming and leg.phase is Phase.PREPARING:
            self._legs.give_up(leg, Cause.CANCELLED)
            return
        self._legs.tell(sip.EndLeg(leg.id, command.reason))
        seconds = self._legs.settings.word_s
        if not leg.answered and leg.incoming:
            leg.code = 603
        elif not leg.answered:
            leg.cause = Cause.CANCELLED
            seconds = self._legs.settings.call_s
        self._legs.leave(leg, seconds)

    def _unusable(self, leg: Leg, error: SdpError) -> None:
        """End a leg on the wire because what the far end answered cannot be used."""
        leg.cause, leg.detail = _cause(error), str(error)
        self._legs.tell(sip.EndLeg(leg.id, NOT_ACCEPTABLE))
        self._legs.leave(leg, self._legs.settings.word_s)

    def late(self, leg: Leg, message: sip.LegAnswered | sip.AnswerSent) -> None:
        leg.late_answer = True
        if isinstance(message, sip.LegAnswered):
            leg.dialog, leg.in_dialog = message.dialog, True

    def failed(self, leg: Leg, message: sip.LegFailed) -> None:
        leg.in_dialog = False
        if leg.incoming:
            cause, code = endings.near_refusal(message, leg.cause, leg.code)
        else:
            cause, code = leg.cause or endings.far_refusal(message), message.code or None
        self._legs.refuse(leg, cause, code, message.phrase, message.reason)

    def over(self, leg: Leg, message: sip.LegEnded) -> None:
        who = Who.FAR if message.who == "far" else Who.US
        leg.in_dialog = leg.in_dialog and who is Who.US
        if not leg.answered and leg.cause in (Cause.NO_COMMON_CODEC, Cause.BAD_SDP):
            self._legs.refuse(leg, leg.cause, leg.code)
            return
        cause = leg.cause if who is Who.US and leg.cause is not None else endings.end(message)
        self._legs.end(leg, cause, who, message.reason)


def _cause(error: SdpError) -> Cause:
    return Cause.NO_COMMON_CODEC if isinstance(error, offer.NoCommonCodec) else Cause.BAD_SDP


def _needs_sound(leg: Leg, command: Command) -> None:
    if leg.blocked is not None:
        raise CommandRefused(f"{type(command).__name__}: the leg cannot have sound: {leg.detail}")
