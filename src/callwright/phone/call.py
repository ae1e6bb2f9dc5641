"""One call of the phone: its dialog, its session descriptions and its sound."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from sippy import CCEvents
from sippy.MsgBody import MsgBody
from sippy.SipCallId import SipCallId
from sippy.SipHeader import SipHeader
from sippy.SipReason import SipReason

from callwright.phone.rtp import Stream
from callwright.phone.sdp import DIRECTIONS, Description, meet, parse, write
from callwright.phone.sip import Leg, Stack
from callwright.phone.sound import LAWS, Tone

PHRASES = {180: "Ringing", 183: "Session Progress", 200: "OK", 486: "Busy Here", 603: "Decline"}
# How a call is treated. Seconds; with `answer` null an incoming call rings for ever; a 183 carries sound if `early_media`.
MANNER = {"laws": tuple(LAWS), "tone": 0.0, "level": -13.0, "event_type": 101, "headers": {}}
POLICY = MANNER | {"progress": (180,), "ring": 0.0, "early_media": False, "answer": 200, "phrase": ""}


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
    def __init__(
        self, stack: Stack, user: str, manner: dict[str, Any], tell: Callable[..., None], *, deaf: bool = False
    ) -> None:
        self._manner, self._tell, self._loop = manner, tell, asyncio.get_running_loop()
        self._leg = Leg(stack, self, user, [SipHeader(f"{name}: {value}") for name, value in manner["headers"].items()])
        self.stream = Stream(stack.address, Tone(manner["tone"], manner["level"]), tell, deaf=deaf)
        self._session, self._version = random.getrandbits(31), 1
        self._offer: Description | None = None  # the far side's, which we have to answer
        self._law, self._way, self._wish, self._agreed_wish = "", "", "sendrecv", "sendrecv"
        self.over = self._incoming = self._answered = False
        self._takes_transfers = True
        self._script: asyncio.Task[None] | None = None

    def dial(self, address: tuple[str, int], user: str, caller: str, call_id: str = "") -> None:
        self._leg.setNextHop(address)
        named = SipCallId(call_id) if call_id else SipCallId()
        self._leg.recvEvent(CCEvents.CCEventTry((named, caller, user, self._describe(), None, None)))

    def invited(self, request: Any, transaction: Any) -> Any:
        headers = {header.name: str(header.body) for header in request.headers}
        sdp, self._incoming = str(request.getBody() or ""), True
        self._tell("incoming", uri=str(request.getRURI()), headers=headers, sdp=sdp, **{k: headers[k] for k in ("from", "to")})
        outcome = self._leg.recvRequest(request, transaction)
        try:
            self._offer = parse(sdp, self._manner["laws"])
            self._script = self._loop.create_task(self._perform())
        except ValueError as error:
            self.answer(488, str(error))
        return outcome

    async def _perform(self) -> None:
        manner = self._manner
        for code in manner["progress"]:
            self.ring(code, code == 183 and manner["early_media"])
            await asyncio.sleep(manner["ring"] / len(manner["progress"]))
        if manner["answer"] is not None:
            self.answer(manner["answer"], manner["phrase"])

    def ring(self, code: int = 180, early_media: bool = False) -> None:
        body = self._describe() if early_media else None
        self._leg.recvEvent(CCEvents.CCEventRing((code, PHRASES.get(code, "Progress"), body)))

    def answer(self, code: int = 200, phrase: str = "") -> None:
        """Give an incoming call its final response, whatever it is."""
        if not self._incoming or self._answered:
            raise ValueError("only an incoming call that has no answer yet can be answered")
        phrase = phrase or PHRASES.get(code, "Refused")
        if code < 300:
            self._leg.recvEvent(CCEvents.CCEventPreConnect((code, phrase, self._describe())))
            self._answered = True
        else:
            self._leg.recvEvent(CCEvents.CCEventFail((code, phrase)))
            self.on_end(code)

    def hangup(self, reason: str = "") -> None:
        """CANCEL, 603 or BYE; `ended` follows when the far side has taken it."""
        if self._incoming and not self._answered:
            self.answer(603)
            return
        event = CCEvents.CCEventDisconnect()
        event.reason_rfc3326 = SipReason(reason) if reason else None
        self._leg.recvEvent(event)
        self.stream.mute(packets=False)

    def hold(self, direction: str = "sendonly") -> None:
        if str(self._leg.state) != "Connected" or direction not in DIRECTIONS:
            raise ValueError(f"direction {direction}: one of {', '.join(DIRECTIONS)}, in a call that is up and not changing")
        self._wish, self._offer, self._version = direction, None, self._version + 1
        self._leg.lSDP = MsgBody("")  # sippy compares with it, and forgets it when a re-INVITE is refused
        self._leg.recvEvent(CCEvents.CCEventUpdate(self._describe()))

    def unhold(self) -> None:
        self.hold("sendrecv")

    def transfers(self, taken: bool) -> None:
        """Say whether a REFER of the far side is accepted; nobody is called for it, the event `refer` tells of it."""
        self._takes_transfers = taken

    def refer(self, uri: str) -> None:
        """Ask the far side to call `uri` in our place; the events `referred` and `notified` tell what comes of it."""
        if str(self._leg.state) != "Connected":
            raise ValueError("only in a call that is up, and not changing, can the far side be asked to call another")
        self._leg.refer(uri)

    def notify(self, code: int = 200, phrase: str = "OK") -> None:
        """Say how the call went that a REFER asked for."""
        self._leg.notify(code, phrase)

    def on_refer(self, request: Any) -> tuple[int, str]:
        self._tell("refer", to=str(request.getHFs("refer-to")[0].body.body))  # sippy parses no tel URI
        return (202, "Accepted") if self._takes_transfers else (603, "Decline")

    def on_refer_answered(self, response: Any) -> None:
        if response.getSCode()[0] >= 200:
            self._tell("referred", code=response.getSCode()[0])

    def on_notify(self, request: Any) -> tuple[int, str]:
        self._tell("notified", body=str(request.getBody() or "").strip())
        return 200, "OK"

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
                by = {} if first else {"by": "us"}
                self._tell("answered" if first else "changed", law=self._law, direction=self._way, **by)
            case CCEvents.CCEventUpdate():
                self._version += 1
                try:
                    self._offer = parse(str(data), self._manner["laws"])
                    leg.recvEvent(CCEvents.CCEventConnect((200, "OK", self._describe())))
                    self._tell("changed", by="far", law=self._law, direction=self._way)
                except ValueError as error:
                    leg.recvEvent(CCEvents.CCEventFail((488, str(error))))
            case CCEvents.CCEventFail() | CCEvents.CCEventRedirect() if self._answered:
                self._wish = self._agreed_wish
                self._tell("unchanged", code=data[0], phrase=data[1])
            case CCEvents.CCEventFail() | CCEvents.CCEventRedirect():
                self._finish("refused", code=data[0], phrase=data[1], reason=reason)
            case CCEvents.CCEventDisconnect():
                self._finish("ended", who="far", code=None if self._answered else 487, reason=reason)

    def on_end(self, code: int) -> None:
        self._finish("ended", who="us", code=code)

    def _describe(self) -> MsgBody:
        """Our offer, or our answer to theirs, put to use at once."""
        laws, events, way = self._manner["laws"], self._manner["event_type"], self._wish
        if self._offer is not None:
            self._use(self._offer)
            laws, events, way = (self._law,), self._offer.event_type, self._way
        return MsgBody(write(self.stream.here, (self._session, self._version), laws, events, way))

    def _agree(self, answer: Any) -> None:
        try:
            if answer is not None:
                self._use(parse(str(answer), self._manner["laws"]))
        except ValueError as error:
            self._tell("error", do="agree", detail=f"the answer is of no use: {error}")
            self.hangup()

    def _use(self, theirs: Description) -> None:
        self._law, self._way = theirs.law, meet(self._wish, theirs.direction)
        self.stream.connect(theirs.to, self._law, theirs.event_type, DIRECTIONS[self._way][0])

    def _finish(self, event: str, **facts: Any) -> None:
        if not self.over:
            self.over = True
            self._tell(event, answered=self._answered, **facts)
            self.stream.counters()
            self.stream.close()
            if self._script is not None:
                self._script.cancel()
