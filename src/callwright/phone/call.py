"""One call of the phone: its dialog, its session descriptions and its sound."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from sippy import CCEvents
from sippy.MsgBody import MsgBody
from sippy.SipAddress import SipAddress
from sippy.SipCallId import SipCallId
from sippy.SipHeader import SipHeader
from sippy.SipReason import SipReason

from callwright.phone.rtp import Stream
from callwright.phone.sdp import DIRECTIONS, Description, meet, parse, write
from callwright.phone.sip import Leg, Stack
from callwright.phone.sound import LAWS, Tone

PHRASES = {180: "Ringing", 183: "Session Progress", 200: "OK", 302: "Moved Temporarily", 486: "Busy Here", 603: "Decline"}
# How a call is treated. Seconds; with `answer` null an incoming call rings for ever; a 183 carries sound if `early_media`.
MANNER = {"laws": tuple(LAWS), "tone": 0.0, "level": -13.0, "event_type": 101, "headers": {}, "hang_up_after": None}
POLICY = MANNER | {"progress": (180,), "ring": 0.0, "early_media": False, "answer": 200, "phrase": "", "contact": ""}


def complete(fields: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """A manner: `fields` over `defaults`. Raise ValueError for what is unknown or cannot be spoken."""
    if unknown := fields.keys() - defaults.keys():
        raise ValueError(f"{', '.join(unknown)}: not among {', '.join(defaults)}")
    manner = defaults | fields
    laws = manner["laws"] = (manner["laws"],) if isinstance(manner["laws"], str) else tuple(manner["laws"])
    if not laws or not LAWS.keys() >= set(laws):
        raise ValueError(f"laws {laws}: one or more of {', '.join(LAWS)}")
    Tone(manner["tone"], manner["level"])
    return manner


class Call:
    def __init__(self, stack: Stack, manner: dict[str, Any], user: str, tell: Callable[..., None], **leg: Any) -> None:
        self._manner, self._tell, self._events, self._laws = manner, tell, manner["event_type"], manner["laws"]
        headers = [SipHeader(f"{name}: {value}") for name, value in manner["headers"].items()]
        self._leg = Leg(stack, self, user, extra_headers=headers, **leg)
        self._stream = Stream(stack.address, Tone(manner["tone"], manner["level"]), tell)
        self._session, self._version = random.getrandbits(31), 1
        self._offer: Description | None = None  # the far side's, which we have to answer
        self._law, self._way, self._wish, self._agreed_wish = "", "", "sendrecv", "sendrecv"
        self.over = self._incoming = self._answered = False
        self._script: asyncio.Task[None] | None = None

    def dial(self, user: str, caller: str) -> None:
        self._leg.recvEvent(CCEvents.CCEventTry((SipCallId(), caller, user, self._describe(), None, None)))

    def invited(self, request: Any, transaction: Any) -> Any:
        headers = {header.name: str(header.body) for header in request.headers}
        sdp, self._incoming = str(request.getBody() or ""), True
        self._tell("incoming", uri=str(request.getRURI()), headers=headers, sdp=sdp, **{k: headers[k] for k in ("from", "to")})
        outcome = self._leg.recvRequest(request, transaction)
        try:
            self._offer = parse(sdp) if sdp else None
            if self._offer and not set(self._offer.laws) & set(self._laws):
                raise ValueError("No Common Codec")
            self._script = asyncio.get_running_loop().create_task(self._perform())
        except ValueError as error:
            self.answer(488, str(error))
        return outcome

    async def _perform(self) -> None:
        manner = self._manner
        for code in manner["progress"]:
            self.ring(code, code == 183 and manner["early_media"])
            await asyncio.sleep(manner["ring"] / len(manner["progress"]))
        if manner["answer"] is not None:
            self.answer(manner["answer"], manner["phrase"], manner["contact"])

    def ring(self, code: int = 180, early_media: bool = False) -> None:
        body = self._describe() if early_media else None
        self._leg.recvEvent(CCEvents.CCEventRing((code, PHRASES.get(code, "Progress"), body)))

    def answer(self, code: int = 200, phrase: str = "", contact: str = "", law: str = "") -> None:
        """Give an incoming call its final response, whatever it is."""
        if not self._incoming or self._answered:
            raise ValueError("only an incoming call that has no answer yet can be answered")
        phrase = phrase or PHRASES.get(code, "Refused")
        if law and law not in (self._offer.laws if self._offer else LAWS):
            raise ValueError(f"{law} was not offered")
        if code < 300:
            self._laws = (law,) if law else self._laws
            self._leg.recvEvent(CCEvents.CCEventPreConnect((code, phrase, self._describe())))
            self._answered = True
            return
        refusal = CCEvents.CCEventRedirect if contact else CCEvents.CCEventFail
        self._leg.recvEvent(refusal((code, phrase, None, (SipAddress(f"<{contact}>"),)) if contact else (code, phrase)))
        self.on_end(code)

    def hang_up(self, reason: str = "") -> None:
        """CANCEL, 603 or BYE; `ended` follows when the far side has taken it."""
        if self._incoming and not self._answered:
            return self.answer(603)
        event = CCEvents.CCEventDisconnect()
        event.reason_rfc3326 = SipReason(reason) if reason else None
        self._leg.recvEvent(event)
        return self.mute(packets=False)

    def hold(self, direction: str = "sendonly") -> None:
        if str(self._leg.state) != "Connected" or direction not in DIRECTIONS:
            raise ValueError(f"direction {direction}: one of {', '.join(DIRECTIONS)}, in a call that is up and not changing")
        self._wish, self._offer, self._version = direction, None, self._version + 1
        self._leg.lSDP = MsgBody("")  # sippy compares with it, and forgets it when a re-INVITE is refused
        self._leg.recvEvent(CCEvents.CCEventUpdate(self._describe()))

    def tone(self, hz: float = 0.0, level: float = -13.0) -> None:
        self._stream.tone = Tone(hz, level)

    def mute(self, on: bool = True, packets: bool = True) -> None:
        """Send silence or, without `packets`, nothing at all."""
        self._stream.muted, self._stream.withheld = on, on and not packets

    def digits(self, digits: str, tone_ms: int = 100, gap_ms: int = 100) -> None:
        self._stream.dial(digits, tone_ms, gap_ms)

    async def report(self, measure: float = 0.5) -> None:
        since = asyncio.get_running_loop().time()
        await asyncio.sleep(measure)
        self._tell("heard", since=round(since, 4), asked=True, **self._stream.measure(since)._asdict())

    def counters(self) -> None:
        self._tell("counters", **self._stream.counters())

    def on_event(self, event: Any, leg: Leg) -> None:
        data, reason = event.getData(), leg.reason or str(event.reason_rfc3326 or "")
        match event:
            case CCEvents.CCEventRing() if data[0] > 100 and not self._answered:
                self._tell("ringing", code=data[0], phrase=data[1], sdp=data[2] is not None)
                self._agree(data[2])
            case CCEvents.CCEventConnect():
                first = data[0] == "ACK" or not self._answered
                self._answered, self._agreed_wish = True, self._wish
                self._agree(data[2])
                self._tell(
                    "answered" if first else "changed", law=self._law, direction=self._way, **({} if first else {"by": "us"})
                )
                if first and self._manner["hang_up_after"] is not None:
                    asyncio.get_running_loop().call_later(self._manner["hang_up_after"], self.hang_up)
            case CCEvents.CCEventUpdate():
                self._version += 1
                try:
                    self._offer = None if leg.no_offer else parse(str(data))
                    leg.recvEvent(CCEvents.CCEventConnect((200, "OK", self._describe())))
                    self._tell("changed", by="far", law=self._law, direction=self._way)
                except ValueError as error:
                    leg.recvEvent(CCEvents.CCEventFail((488, str(error))))
            case CCEvents.CCEventFail() | CCEvents.CCEventRedirect() if self._answered:
                self._wish = self._agreed_wish
                self._tell("unchanged", code=data[0], phrase=data[1])
            case CCEvents.CCEventFail() | CCEvents.CCEventRedirect():
                contacts = [str(address.url) for address in data[3]] if len(data) > 3 else []
                self._finish("refused", code=data[0], phrase=data[1], contacts=contacts, reason=reason)
            case CCEvents.CCEventDisconnect():
                self._finish("ended", who="far", code=None if self._answered else 487, reason=reason)

    def on_end(self, code: int) -> None:
        self._finish("ended", who="us", code=code, reason=self._leg.reason)

    def _describe(self) -> MsgBody:
        """Our offer, or our answer to theirs, put to use at once."""
        name, offer = (self._stream.here, (self._session, self._version)), self._offer
        if offer is None:
            return MsgBody(write(*name, self._laws, self._events, self._wish))
        self._use(offer, offer.event_type)
        return MsgBody(write(*name, (self._law,), offer.event_type, self._way, offer.sections, offer.audio))

    def _agree(self, answer: Any) -> None:
        try:
            if answer is not None and self._offer is None:
                self._use(parse(str(answer)), self._events)
        except ValueError as error:
            self._tell("error", do="agree", detail=f"the answer is of no use: {error}")
            self.hang_up()

    def _use(self, theirs: Description, event_in: int | None) -> None:
        law = next((law for law in theirs.laws if law in self._laws), None)
        if law is None:
            raise ValueError("No Common Codec")
        self._law, self._way = law, meet(self._wish, theirs.direction)
        self._stream.connect(theirs.to, law, (theirs.event_type, event_in), DIRECTIONS[self._way])

    def _finish(self, event: str, **facts: Any) -> None:
        if not self.over:
            self.over = True
            self._tell(event, answered=self._answered, **facts)
            self.counters()
            self._stream.close()
            if self._script is not None:
                self._script.cancel()
