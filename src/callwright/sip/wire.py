"""What the core and the signalling process say to each other (`ipc` frames).

Session descriptions travel as text: signalling never reads them. Header values are passed without their names.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

NO_LEG = UUID(int=0)  # in messages that are about no leg


class DialogState(msgspec.Struct, frozen=True, array_like=True):
    """What a BYE needs of a dialog (RFC 3261 §12.1), as the bytes of the wire; core and database keep it unread, packed.

    `cseq` is the next number of ours, `routes` the route set in the order of the Route fields, `address` a literal IP.
    """

    call_id: bytes
    local: bytes
    remote: bytes
    target: bytes
    routes: tuple[bytes, ...]
    cseq: int
    address: str
    port: int


class Admit(msgspec.Struct, frozen=True, tag=True):
    """Take new INVITEs, or answer them 503 and report them with `refusal` (``draining`` or ``unhealthy``).

    Nothing is read from the SIP socket before the first one.
    """

    open: bool
    refusal: str = "draining"


class ToSignalling(msgspec.Struct, frozen=True, tag=True):
    leg: UUID


class PlaceLeg(ToSignalling, frozen=True):
    """Send an INVITE to `address`, a literal IP, for ``sip:user@host``; without `sip_call_id` a random one is made."""

    user: str
    host: str
    address: str
    port: int
    caller: str
    sdp: str
    username: str = ""
    password: str = ""
    max_forwards: int = 70
    hops: int = 0
    sip_call_id: str = ""


class SendProgress(ToSignalling, frozen=True):
    """Send 180, or 183 when there is a session description."""

    sdp: str = ""


class SendAnswer(ToSignalling, frozen=True):
    """Send 200; `AnswerSent` follows, or `LegFailed` when a CANCEL came first."""

    sdp: str


class SendReject(ToSignalling, frozen=True):
    code: int
    phrase: str
    reason: str = ""
    retry_after_s: int | None = None


class EndLeg(ToSignalling, frozen=True):
    """BYE, CANCEL or 603, as the leg's state asks for."""

    reason: str = ""


class SendOffer(ToSignalling, frozen=True):
    """Send a re-INVITE."""

    sdp: str


class AnswerOffer(ToSignalling, frozen=True):
    """Answer the far end's re-INVITE: 200 with `sdp`, or `code` when it cannot be taken."""

    sdp: str = ""
    code: int = 200
    phrase: str = "OK"


class SendRefer(ToSignalling, frozen=True):
    """Ask the far end to call a number or URI in our place (REFER); `ReferEnded` follows, unless the leg ends before."""

    target: str


class AnswerRefer(ToSignalling, frozen=True):
    """Answer the far end's REFER: 202, and a NOTIFY that it is being tried, or `code` when it is refused."""

    code: int = 202
    phrase: str = "Accepted"


class TellReferral(ToSignalling, frozen=True):
    """Tell the far end how the transfer goes that it asked for (NOTIFY); 200 and above end it."""

    code: int
    phrase: str


class ReleaseDialog(ToSignalling, frozen=True):
    """Send a BYE in a dialog of a predecessor; `dialog` is a packed `DialogState`. `DialogOver` follows."""

    dialog: bytes


CoreMessage = (
    Admit
    | PlaceLeg
    | SendProgress
    | SendAnswer
    | SendReject
    | EndLeg
    | SendOffer
    | AnswerOffer
    | SendRefer
    | AnswerRefer
    | TellReferral
    | ReleaseDialog
)


class ToCore(msgspec.Struct, frozen=True, tag=True):
    leg: UUID


class LegArrived(ToCore, frozen=True):
    """An INVITE passed the gate. `destination` is the user of the request URI, or the whole URI without one.

    `dialog` is the packed `DialogState` that an answer of ours will make.
    """

    source: str
    destination: str
    sdp: str
    sip_call_id: str
    address: str
    port: int
    trunk: str | None
    hops: int
    max_forwards: int
    dialog: bytes = b""


class LegProgress(ToCore, frozen=True):
    """An 18x to our INVITE."""

    code: int
    sdp: str


class LegAnswered(ToCore, frozen=True):
    """The far end answered our INVITE; it has been acknowledged. `dialog` is a packed `DialogState`."""

    sdp: str
    sip_call_id: str
    dialog: bytes = b""


class ForkReleased(ToCore, frozen=True):
    """A second branch answered our INVITE as well; it has been acknowledged and got a BYE."""


class AnswerSent(ToCore, frozen=True):
    """Our 200 has left."""


class DialogMoved(ToCore, frozen=True):
    """A re-INVITE moved the target of an answered leg; `dialog` is the packed `DialogState` from now on."""

    dialog: bytes


class LegFailed(ToCore, frozen=True):
    """An INVITE ended without an answer, whoever ended it; the leg's last message.

    `code` is its final SIP code, sent or received; 0 when there was none, then `kind` tells why: ``no_response``,
    ``unreachable``, or ``cancelled``. That is the kind of every INVITE ended by a CANCEL: the caller's (487), and ours, then
    with whatever code came. `kind` is ``auth`` for a 401 or 407 that our credentials did not satisfy.
    """

    code: int
    phrase: str
    kind: str = ""
    reason: str = ""


class LegEnded(ToCore, frozen=True):
    """An answered leg is over, whoever ended it; its last message.

    `who` is ``far`` or ``us``; `kind` is ``bye``, ``no_ack``, ``dialog_lost`` or ``late_answer`` (an answer that crossed
    our CANCEL and was let go).
    """

    who: str
    kind: str = "bye"
    code: int = 200
    reason: str = ""


class DialogOver(ToCore, frozen=True):
    """Our BYE was answered, or given up after 64 T1: there is nothing left to end. It may follow a leg's last message."""


class OfferArrived(ToCore, frozen=True):
    """The far end sent a re-INVITE; `sdp` is empty when it asks us to offer. `AnswerOffer` must follow."""

    sdp: str


class OfferAnswered(ToCore, frozen=True):
    """The far end's answer to our re-INVITE, or to the offer in our 200 when its INVITE came without one.

    A `code` that refuses may also say that such a 200 never left: the re-INVITE was cancelled, or the core took too long.
    """

    code: int
    sdp: str


class InfoArrived(ToCore, frozen=True):
    content_type: str
    body: str


class ReferArrived(ToCore, frozen=True):
    """The far end asks for a blind transfer to `target`, a number or a sip or tel URI. `AnswerRefer` must follow."""

    target: str
    referred_by: str


class ReferEnded(ToCore, frozen=True):
    """What came of our REFER. `outcome` is a value of `telephony.ReferOutcome`; `code` 0 when there was none."""

    outcome: str
    code: int
    detail: str = ""


class TurnedAway(ToCore, frozen=True):
    """An INVITE did not pass the gate (`reasons.Refusal`); `count` of them since the last report, the last one named.

    About no leg, like `Load`.
    """

    refusal: str
    count: int
    address: str
    detail: str


class Load(ToCore, frozen=True):
    """Legs alive, and of the last second: the worst lateness of the loop in milliseconds, datagrams that could not be sent,
    and datagrams received that could not be used.
    """

    live: int
    late_ms: float
    dropped: int
    garbage: int


SignallingMessage = (
    LegArrived
    | LegProgress
    | LegAnswered
    | ForkReleased
    | AnswerSent
    | DialogMoved
    | LegFailed
    | LegEnded
    | DialogOver
    | OfferArrived
    | OfferAnswered
    | InfoArrived
    | ReferArrived
    | ReferEnded
    | TurnedAway
    | Load
)
