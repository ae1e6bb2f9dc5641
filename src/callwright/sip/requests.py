"""Requests of ours within a dialog, sent once more with credentials when the far end asks for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sippy.MsgBody import MsgBody
from sippy.SipHeader import SipHeader

from callwright.sip.digest import CHALLENGES

if TYPE_CHECKING:
    from callwright.sip.dialog import Dialog

Done = Callable[[Any], None]


def send(dialog: Dialog, method: str, done: Done, fields: tuple[SipHeader, ...] = (), body: MsgBody | None = None) -> None:
    """Send a request; `done` gets its final response, or a 408 of our own without a source."""
    request = dialog.genRequest(method, body, extra_headers=fields)
    dialog.newTransaction(request, resp_cb=partial(answered, dialog, method, done, fields, body, False))


def answered(
    dialog: Dialog,
    method: str,
    done: Done,
    fields: tuple[SipHeader, ...],
    body: MsgBody | None,
    tried: bool,
    response: Any,
) -> None:
    """Take a response to a request; one that challenges it is answered once, when there are credentials."""
    if response.scode < 200:
        return
    credentials = dialog.credentials if response.scode in CHALLENGES and not tried else None
    if credentials is None or not credentials.accept(response, tried=False):
        done(response)
        return
    request = dialog.genRequest(method, body, extra_headers=fields)
    credentials.sign(request, str(dialog.rTarget))
    dialog.newTransaction(request, resp_cb=partial(answered, dialog, method, done, fields, body, True))
