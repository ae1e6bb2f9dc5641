"""What of a dialog outlives its process, and the BYE that a successor makes of it (RFC 3261 §12.2.1.1, §15.1.1)."""

from __future__ import annotations

from typing import Any

import msgspec
from sippy.SipAddress import SipAddress
from sippy.SipCallId import SipCallId
from sippy.SipConf import SipConf
from sippy.SipContact import SipContact
from sippy.SipFrom import SipFrom
from sippy.SipRequest import SipRequest
from sippy.SipRoute import SipRoute
from sippy.SipTo import SipTo
from sippy.SipURL import SipURL

from callwright.errors import CallwrightError
from callwright.sip.server import Address, is_ipv4
from callwright.sip.wire import DialogState

# Requests of ours that may have left since the state was told: re-INVITEs, and what was sent again with credentials.
CSEQ_LEAP = 1_000
MAX_CSEQ = 2**31 - 1  # §8.1.1.5

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(DialogState).decode


def our_contact() -> SipContact:
    return SipContact(
        address=SipAddress(url=SipURL(host=SipConf.my_address, port=SipConf.my_port, transport=SipConf.my_transport))
    )


def state_of(dialog: Any, peer: Address, here: Any) -> bytes:
    """The state of a dialog that exists, or will once its INVITE is answered; `here` is the server's own address for sippy."""
    (host, port), _ = dialog.rAddr
    address = (str(host), int(port)) if is_ipv4(host) else peer
    return _encode(
        DialogState(
            call_id=_raw(str(dialog.cId)),
            local=_raw(dialog.lUri.localStr(here)),
            remote=_raw(dialog.rUri.localStr(here)),
            target=_raw(dialog.rTarget.localStr(here)),
            routes=tuple([_raw(route.localStr(here)) for route in dialog.routes]),
            cseq=dialog.lCSeq,
            address=address[0],
            port=address[1],
        )
    )


class UnusableState(CallwrightError):
    """The kept state of a dialog cannot be read."""


def bye(state: bytes) -> SipRequest:
    """A BYE for a dialog that nobody here remembers. Raises `UnusableState` when the state cannot be read."""
    try:
        return _bye(_decode(state))
    except Exception as error:  # whatever sippy's parsers make of it
        raise UnusableState(f"The kept state of a dialog cannot be read: {error!r}") from error


def _bye(kept: DialogState) -> SipRequest:
    return SipRequest(
        method="BYE",
        ruri=SipURL(_text(kept.target)),
        to=SipTo(_text(kept.remote)),
        fr0m=SipFrom(_text(kept.local)),
        cseq=min(kept.cseq + CSEQ_LEAP, MAX_CSEQ),
        callid=SipCallId(_text(kept.call_id)),
        contact=our_contact(),
        routes=[SipRoute(_text(route)) for route in kept.routes],
        target=((kept.address, kept.port), "udp"),
    )


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("ascii", "surrogateescape")
