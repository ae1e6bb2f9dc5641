"""Second answers to one INVITE: a proxy may fork it, and each branch may answer (RFC 3261 §13.2.2.4).

The first answer makes the leg's dialog. For as long as others may come, an `AnsweredInvite` stands in the place of the
transaction: a repeat of the first is acknowledged again, whatever else answers is acknowledged and let go by a BYE.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sippy.SipRequest import SipRequest
from sippy.SipTransactionManager import RINGING

from callwright.sip.release import our_contact
from callwright.sip.server import Address, is_ipv4

MAX_BRANCHES = 16  # more answers than these to one INVITE are acknowledged and left to their own timers


class AnsweredInvite:
    """An INVITE of ours that has its 200. The attributes with short names are those the base reads of a transaction.

    Thousands of them wait for an answer that hardly ever comes: each keeps the text of its INVITE and no parsed message.
    """

    __slots__ = ("ack", "address", "data", "leg", "tags", "teA", "teB", "tid", "until", "userv")

    state = RINGING
    needack = True
    uack = compact = refused = False
    resp_cb = req_out_cb = None
    routes: tuple[()] = ()

    def __init__(self, t: Any, leg: UUID, tag: str, until: int) -> None:
        self.tid, self.data, self.userv, self.address = t.tid, t.data, t.userv, t.address
        self.ack: Any = None
        self.teA = self.teB = None
        self.leg = leg
        self.tags: tuple[str, ...] = (tag,)
        self.until = until

    def cleanup(self) -> None:
        """The base calls this once it has acknowledged; it is not over yet."""

    def is_news(self, tag: str) -> bool:
        """Whether this branch has not answered before; the ACK is ready then, or was before."""
        if self.ack is None:
            self.ack = SipRequest(self.data).genACK()
        if tag in self.tags or len(self.tags) >= MAX_BRANCHES:
            return False
        self.tags += (tag,)
        return True

    def bye(self) -> SipRequest:
        """End the dialog that the ACK sent last was for."""
        target, _ = self.ack.getTarget()
        address: Address = target if is_ipv4(target[0]) else self.address
        return SipRequest(
            method="BYE",
            ruri=self.ack.getRURI().getCopy(),
            to=self.ack.getHFBody("to").getCopy(),
            fr0m=self.ack.getHFBody("from").getCopy(),
            cseq=self.ack.getHFBody("cseq").getCSeqNum() + 1,
            callid=self.ack.getHFBody("call-id").getCopy(),
            contact=our_contact(),
            routes=self.ack.getHFBCopys("route"),
            target=(address, "udp"),
        )
