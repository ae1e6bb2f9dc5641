"""Offers in a dialog that is up: the far end's re-INVITEs, our own, and both at once (RFC 3261 §14).

The far end's wait for the core's answer, for so long as the settings have it. Ours go out one at a time, each when no other
INVITE is under way, and each ends in one `wire.OfferAnswered`, unless the dialog ends before.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sippy.CCEvents import CCEventConnect, CCEventFail, CCEventUpdate
from sippy.Time.Timeout import Timeout

from callwright.sip import wire
from callwright.sip.headers import ALLOW, description, description_in, one_line
from callwright.sip.transactions import scaled_timeout

if TYPE_CHECKING:
    from callwright.sip.dialog import Dialog

MAX_GLARES = 3


class Offers:
    """`waiting` is an offer of ours that is to be sent, `sent` the one whose answer is awaited.

    `in_200` says that our 200 has the offer, or is to have it, since the far end's INVITE had none. `deadline` runs while an
    offer of the far end waits for the core, and `far_target` is the Contact that came with it.
    """

    __slots__ = ("deadline", "far_target", "glare_wait", "glares", "in_200", "sent", "waiting")

    def __init__(self) -> None:
        self.in_200 = False
        self.far_target: Any = None
        self.deadline: Any = None
        self.waiting: str | None = None
        self.sent: str | None = None
        self.glares = 0
        self.glare_wait: Any = None


# the far end's


def arrived(dialog: Dialog, request: Any) -> None:
    offers = dialog.offers
    offers.far_target = request.getHFBody("contact").getUrl().getCopy() if request.countHFs("contact") else None
    sdp = description_in(request.getBody())
    offers.in_200 = not sdp
    offers.deadline = Timeout(partial(_unanswered, dialog), dialog.around.settings.offer_answer_s)
    dialog.around.tell(wire.OfferArrived(dialog.leg, sdp))


def answer(dialog: Dialog, sdp: str, code: int, phrase: str) -> bool:
    if not dialog.is_up or dialog.offers.deadline is None:
        return False
    _drop_deadline(dialog)
    if 200 <= code < 300:
        dialog.refresh_target(dialog.offers.far_target)
        event = CCEventConnect((code, one_line(phrase), description(sdp)))
        event.extra_headers = (ALLOW,)
    else:
        event = CCEventFail((code, one_line(phrase)))
        dialog.offers.in_200 = False
    dialog.recvEvent(event)
    send_waiting(dialog)
    return True


def withdrawn(dialog: Dialog) -> None:
    """The far end has cancelled its re-INVITE."""
    _drop_deadline(dialog)
    dialog.invite = None
    _no_answer_to_ours(dialog, 487)
    send_waiting(dialog)


def acknowledged(dialog: Dialog, request: Any) -> None:
    """The ACK of our 200 has the answer, where that had the offer."""
    if dialog.offers.in_200:
        dialog.offers.in_200 = False
        dialog.around.tell(wire.OfferAnswered(dialog.leg, 200, description_in(request.getBody())))
    send_waiting(dialog)


def _unanswered(dialog: Dialog) -> None:
    dialog.offers.deadline = None
    if dialog.is_up:
        dialog.recvEvent(CCEventFail((500, "Server Internal Error")))
        _no_answer_to_ours(dialog, 500)
        send_waiting(dialog)


def _no_answer_to_ours(dialog: Dialog, code: int) -> None:
    """The re-INVITE that asked for an offer is over: nobody will answer the one the core has made, or is making."""
    if dialog.offers.in_200:
        dialog.offers.in_200 = False
        dialog.around.tell(wire.OfferAnswered(dialog.leg, code, ""))


def _drop_deadline(dialog: Dialog) -> None:
    deadline, dialog.offers.deadline = dialog.offers.deadline, None
    if deadline is not None:
        deadline.cancel()


# our own


def send(dialog: Dialog, sdp: str) -> bool:
    if not dialog.is_up or not sdp:
        return False
    dialog.offers.waiting, dialog.offers.glares = sdp, 0
    send_waiting(dialog)
    return True


def send_waiting(dialog: Dialog) -> None:
    """Send the offer that waits, once no other INVITE is under way in either direction (§14.1)."""
    offers = dialog.offers
    if dialog.may_invite and offers.glare_wait is None and offers.waiting is not None:
        offers.sent, offers.waiting = offers.waiting, None
        dialog.recvEvent(CCEventUpdate(description(offers.sent)))


def answered(dialog: Dialog, code: int, body: Any) -> None:
    dialog.offers.sent = None
    dialog.around.tell(wire.OfferAnswered(dialog.leg, code, description_in(body)))
    send_waiting(dialog)


def failed(dialog: Dialog, code: int) -> None:
    offers = dialog.offers
    sent, offers.sent = offers.sent, None
    if code in (408, 481):
        # sippy sends the BYE of §14.1
        dialog.last_word(wire.LegEnded(dialog.leg, "far", "dialog_lost", code, dialog.reason))
    elif code == 491 and offers.glares < MAX_GLARES:
        offers.glares += 1
        offers.waiting = offers.waiting or sent
        low, high = (210, 400) if dialog.origin == "callee" else (0, 200)  # who made the Call-ID waits longer
        offers.glare_wait = scaled_timeout(partial(_glare_over, dialog), dialog.chance.randrange(low, high) / 100)
    else:
        dialog.around.tell(wire.OfferAnswered(dialog.leg, code, ""))
        send_waiting(dialog)


def _glare_over(dialog: Dialog) -> None:
    dialog.offers.glare_wait = None
    send_waiting(dialog)


# the end


def let_go(dialog: Dialog) -> None:
    """Drop what would keep the dialog from being freed."""
    _drop_deadline(dialog)
    dialog.offers.far_target = None
