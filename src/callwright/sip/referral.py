"""Blind transfers in a dialog (RFC 3515): REFER and the NOTIFYs that tell what came of it, in and out.

A REFER of the far end waits for the core's word and never ends the leg; one of ours ends in one `wire.ReferEnded`, unless
the dialog ends before. Nothing here outlives the dialog.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from sippy.MsgBody import MsgBody
from sippy.SipContentType import SipContentType

from callwright.sip import requests, wire
from callwright.sip.headers import ALLOW, content_of, field, inward, one_line, outward
from callwright.sip.refer_to import Unreferable, read, read_referred_by, refer_to

if TYPE_CHECKING:
    from callwright.sip.dialog import Dialog

NO_SUBSCRIPTION = (481, "Subscription Does Not Exist")
BAD_EVENT = (489, "Bad Event")
REQUEST_PENDING = (491, "Request Pending")
# For how long a new call may ring; the far end gives its subscription up then (RFC 3515 §2.4.4).
EXPIRES_S = 180
_STATUS = re.compile(r"\s*SIP/2\.0 ([1-6][0-9][0-9])(?: ([^\r\n]*))?")


class Asked:
    """A transfer the far end asked for. `request` waits for an answer; `event` is what its NOTIFYs are named by.

    One NOTIFY is under way at a time, since datagrams overtake each other; `waiting` is what the next one is to say. `silent`:
    the far end wants none (RFC 4488).
    """

    __slots__ = ("event", "request", "silent", "under_way", "waiting")

    def __init__(self, request: Any, event: str, silent: bool) -> None:
        self.request = request
        self.event = event
        self.silent = silent
        self.under_way = False
        self.waiting: tuple[int, str] | None = None


class Sent:
    """A transfer we asked the far end for: the CSeq of our REFER, and whether its outcome is known."""

    __slots__ = ("number", "over")

    def __init__(self, number: int) -> None:
        self.number = number
        self.over = False

    def is_named(self, event_id: str) -> bool:
        """Whether a NOTIFY with this id is about it: the REFER may have been sent again with credentials."""
        return event_id in (str(self.number), str(self.number + 1))


# what the far end asks of us


def arrived(dialog: Dialog, request: Any) -> None:
    """Pass a REFER on to the core, or refuse it."""
    pending = dialog.asked is not None or (dialog.sent is not None and not dialog.sent.over)
    try:
        if not dialog.is_up:
            raise Unreferable(603, "Decline")
        target = read(_values(request, "refer-to"))
        if pending:
            raise Unreferable(*REQUEST_PENDING)
    except Unreferable as refused:
        dialog.respond(request, refused.code, refused.phrase)
        return
    # The first subscription of a dialog is named by the event alone (§2.4.6), which some phones insist on.
    number = request.getHFBody("cseq").getCSeqNum()
    event = f"refer;id={number}" if dialog.was_asked else "refer"
    silent = any(value.partition(";")[0].strip().lower() == "false" for value in _values(request, "refer-sub"))
    dialog.was_asked, dialog.asked = True, Asked(request, event, silent)
    referred_by = read_referred_by(_values(request, "referred-by"))
    dialog.around.tell(wire.ReferArrived(dialog.leg, target, referred_by))


def is_waiting(dialog: Dialog, request: Any) -> bool:
    """Whether a request is a REFER that the core has yet to answer."""
    return dialog.asked is not None and dialog.asked.request is request


def answer(dialog: Dialog, code: int, phrase: str) -> bool:
    """Answer the REFER that waits; one that is accepted is told at once that its call is being tried (§2.4.4)."""
    asked = dialog.asked
    if asked is None or asked.request is None:
        return False
    request, asked.request = asked.request, None
    if code >= 300:
        dialog.asked = None
        dialog.respond(request, code, one_line(phrase))
        return True
    fields = (field("Refer-Sub", "false"),) if asked.silent else ()
    dialog.respond(request, 202, "Accepted", *fields, contact=True)
    return notify(dialog, 100, "Trying")


def notify(dialog: Dialog, code: int, phrase: str) -> bool:
    """Tell the far end how its transfer goes; a final code is the last that is told."""
    asked = dialog.asked
    if asked is None or asked.request is not None:
        return False
    if asked.silent:
        dialog.asked = asked if code < 200 else None
    elif asked.under_way:
        asked.waiting = (code, phrase)
    else:
        _send_notify(dialog, asked, code, phrase)
    return True


def _send_notify(dialog: Dialog, asked: Asked, code: int, phrase: str) -> None:
    asked.under_way, asked.waiting = True, None
    if code >= 200 and dialog.asked is asked:
        dialog.asked = None
    state = "terminated;reason=noresource" if code >= 200 else f"active;expires={EXPIRES_S}"
    kind = SipContentType("message/sipfrag;version=2.0")
    kind.parse()
    body = MsgBody(inward(f"SIP/2.0 {code} {one_line(phrase)}\r\n"), kind)
    fields = (field("Event", asked.event), field("Subscription-State", state), ALLOW)
    requests.send(dialog, "NOTIFY", partial(_notify_answered, dialog, asked), fields, body)


def _notify_answered(dialog: Dialog, asked: Asked, response: Any) -> None:
    """Go on with what is to be told; a far end that does not want to know any more (481, silence) is left in peace."""
    asked.under_way = False
    if response.scode >= 300:
        if dialog.asked is asked:
            dialog.asked = None
    elif asked.waiting is not None and dialog.is_up:
        _send_notify(dialog, asked, *asked.waiting)


# what we ask of the far end


def send(dialog: Dialog, target: str) -> bool:
    """Send a REFER for a number or URI; it takes the place of one whose outcome nobody waits for any more."""
    if not dialog.is_up:
        return False
    sent = dialog.sent = Sent(int(dialog.lCSeq))
    uri = refer_to(target, _host_of(dialog))
    if uri is None:
        _end(dialog, sent, "refused", 0, "it is no number or URI")
        return True
    here = dialog.global_config["_sip_tm"].server.getSIPaddr()
    fields = (field("Refer-To", f"<{uri}>"), field("Referred-By", f"<{outward(dialog.lUri.getUrl().localStr(here))}>"))
    requests.send(dialog, "REFER", partial(_refer_answered, dialog, sent), fields)
    return True


def _host_of(dialog: Dialog) -> str:
    """Where the numbers of the far end are known: the domain it calls itself by, or its address when that is none."""
    host = str(dialog.rUri.getUrl().host)
    return dialog.peer[0] if not host or host.endswith(".invalid") else host


def _refer_answered(dialog: Dialog, sent: Sent, response: Any) -> None:
    code, phrase = response.scode, outward(response.reason)
    if response.source is None:
        _end(dialog, sent, "unknown", 0, "no answer to the REFER")
    elif code >= 300:
        _end(dialog, sent, "refused", code, phrase)
    elif any(str(f.body.body).strip().lower() == "false" for f in response.getHFs("refer-sub")):
        _end(dialog, sent, "unknown", 0, "the far end tells nothing of the transfer (Refer-Sub: false)")


def notified(dialog: Dialog, request: Any) -> None:
    """Take a NOTIFY about a REFER of ours; it may come before the answer to that (§2.4.4)."""
    event, _, parameters = ";".join(_values(request, "event")).partition(";")
    if event.strip().lower() != "refer":
        dialog.respond(request, *BAD_EVENT, field("Allow-Events", "refer"))
        return
    sent = dialog.sent
    named = re.search(r"(?:^|;)\s*id\s*=\s*([^;\s]+)", parameters)
    if sent is None or not dialog.is_up or (named is not None and not sent.is_named(named[1])):
        dialog.respond(request, *NO_SUBSCRIPTION)
        return
    dialog.respond(request, 200, "OK", contact=True)
    status = _STATUS.match(content_of(request.getBody())[1])
    code, phrase = (int(status[1]), status[2] or "") if status is not None else (0, "")
    state = ";".join(_values(request, "subscription-state")).strip().lower()
    if code >= 200:
        _end(dialog, sent, "done" if code < 300 else "failed", code, phrase)
    elif state.startswith("terminated"):
        _end(dialog, sent, "unknown", code, f"the far end stopped telling ({state})")


def _end(dialog: Dialog, sent: Sent, outcome: str, code: int, detail: str) -> None:
    if dialog.sent is sent and not sent.over:
        sent.over = True
        dialog.around.tell(wire.ReferEnded(dialog.leg, outcome, code, detail))


# the end


def over(dialog: Dialog, *, by_us: bool) -> None:
    """The dialog is over: a REFER that waits is answered all the same (RFC 3261 §15.1.2).

    When it is we who hang up, as after a transfer that is done, what waits to be told goes out before the BYE.
    """
    asked, dialog.asked, dialog.sent = dialog.asked, None, None
    if asked is None:
        return
    if asked.request is not None:
        dialog.respond(asked.request, 487, "Request Terminated")
    elif asked.waiting is not None and by_us:
        _send_notify(dialog, asked, *asked.waiting)


def _values(request: Any, name: str) -> list[str]:
    return [outward(str(header.body.body)) for header in request.getHFs(name)]
