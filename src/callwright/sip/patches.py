"""What has to change inside sippy 2.5.0, done once from outside before any call.

* `dir` is asked for each address that is written and builds a sorted list each time: a third of the CPU at 400 calls/s.
* The clock is read through ctypes, several times a message.
* Errors are printed with the whole message: anyone who can send a datagram could fill the log.
* In the users of URIs `#`, `;` and `?` are written as they are (`telephony.uris` says what may be).
* ``tel:`` URIs in From and To come back as ``sip:`` URIs without a host.
* A request shorter than its Content-Length raises in the code that would answer 400.
* Of other first lines, lengths and Vias than it expects nothing comes, not even an answer (`wellformed`).
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import clock_gettime
from types import ModuleType
from typing import Any
from urllib.parse import quote, unquote

from sippy import SipContentLength, SipRequest, SipTransactionManager, SipURL, SipVia
from sippy.Exceptions.SipParseError import SipParseError
from sippy.SipConf import SipConf
from sippy.Time import MonoTime
from sippy.Time.Timeout import Timeout

from callwright.clock import Clock
from callwright.log import Log, OncePerSecond
from callwright.sip.settings import T1_S
from callwright.sip.wellformed import read_length, read_start_line, tightened
from callwright.telephony import USER_SAFE

_MY = ("my",)
_parse_via = SipVia.SipVia.parse


class Here(str):
    """Our address; sippy writes the server's own in its place."""

    __slots__ = ()
    my = True


class HerePort(int):
    my = True


class TelURL(SipURL.SipURL):
    """A ``tel:`` URI (RFC 3966) in the place of a SIP one: its number is the user, and it is written as it was read."""

    def localStr(self, local_addr: Any = None) -> str:
        return str(self.original_uri)

    def getCopy(self) -> TelURL:
        return TelURL(self.original_uri)


class Faults:
    """Counts what sippy would have printed; logs at most one line a second of each kind.

    `garbage` are datagrams that cannot be used, `broken` exceptions in our own or sippy's code.
    """

    def __init__(self, clock: Clock, log: Log) -> None:
        self.garbage = 0
        self.broken = 0
        self._garbage: OncePerSecond[str, tuple[str, str]] = OncePerSecond(
            clock, lambda kind, count, last: log.warning("sip_garbage", source=last[0], reason=last[1], count=count)
        )
        self._broken: OncePerSecond[str, str] = OncePerSecond(
            clock, lambda kind, count, where: log.exception("sip_fault", where=where, count=count)
        )

    def unusable(self, source: str, error: BaseException) -> None:
        self.garbage += 1
        self._garbage.note("garbage", (source, _described(error)))

    def flush(self) -> None:
        """Log the rest of a burst of garbage that is over."""
        self._garbage.flush()

    def exception(self, where: str) -> None:
        """Report the exception being handled."""
        self.broken += 1
        self._broken.note("broken", where)

    def dumped(self, message: str, f: object = None, extra: object = None) -> None:
        """Stand in for sippy's ``dump_exception``; of what cannot be parsed the server is to know (`server.handle_read`)."""
        if "can't parse" in message and sys.exc_info()[1] is not None:
            raise  # without a name for it: a frame of its own traceback would keep it alive
        self.exception(message)

    def printed(self, *words: object, **options: object) -> None:
        """Stand in for ``print``: sippy's remarks on messages it could make sense of."""


def install(faults: Faults, *, address: str, port: int, user_agent: str, t1_s: float) -> None:
    """Patch sippy; all of its modules that are used must be imported already."""
    SipConf.my_address = Here(address)
    SipConf.my_port = HerePort(port)
    SipConf.my_uaname = user_agent
    SipConf.autoconvert_tel_url = True
    SipURL.SipURL.convertTelURL = _read_tel
    SipURL.USERNAME_SAFE = USER_SAFE
    SipURL.quote = partial(quote, errors="surrogateescape")
    SipParseError.getResponse = _answer_to_unreadable
    SipRequest.SipRequest.setSL = read_start_line
    SipContentLength.SipContentLength.parse = read_length
    SipVia.SipVia.parse = _read_via
    SipTransactionManager.Timeout = _scaled(t1_s / T1_S)
    MonoTime.clock_getdtime = clock_gettime
    patch_dir()
    for module in _modules():
        vars(module)["print"] = faults.printed
        if "dump_exception" in vars(module):
            vars(module)["dump_exception"] = faults.dumped


def patch_dir() -> list[ModuleType]:
    """Give the modules that ask ``'my' in dir(x)`` a `dir` that answers only that; return them."""
    patched = []
    for module in _modules():
        source = Path(module.__file__ or "").read_text(encoding="utf-8")
        if "'my' in dir(" in source or "'my' not in dir(" in source:
            vars(module)["dir"] = _only_my
            patched.append(module)
    return patched


def _described(error: BaseException) -> str:
    """The error on one short line, with the place it came from."""
    text = "".join(c if c.isprintable() else "?" for c in f"{type(error).__name__}: {error}")
    trace = traceback.extract_tb(error.__traceback__)
    return f"{text[:160]} ({Path(trace[-1].filename).name}:{trace[-1].lineno})" if trace else text[:160]


def _modules() -> list[ModuleType]:
    return [module for name, module in list(sys.modules.items()) if name.startswith("sippy.") and module.__file__]


def _only_my(value: object) -> tuple[str, ...]:
    return _MY if getattr(value, "my", False) is True else ()


def _read_tel(url: Any, text: str, relaxed: bool) -> None:
    number, *parameters = text.split(";")
    url.__class__ = TelURL
    url.host, url.port, url.transport = SipConf.my_address, SipConf.my_port, SipConf.my_transport
    url.username = unquote(number)
    url.userparams = parameters


def _read_via(via: Any) -> None:
    via.body = tightened(via.body)
    _parse_via(via)


def _answer_to_unreadable(error: Any, request: Any = None) -> Any:
    response = error.sip_response
    if response is None or response.getHFBody("cseq").getCSeq()[1] == "ACK":
        return None
    if response.getHFBody("to").getTag() is None:
        response.getHFBody("to").genTag()
    error.answered = True
    return response


def _scaled(scale: float) -> Callable[..., Any]:
    """The transaction layer writes the timers of RFC 3261 as literals; this is the one place to stretch them."""
    if scale == 1:
        return Timeout  # type: ignore[no-any-return]

    def timeout(callback: Callable[..., Any], seconds: float, times: int = 1, *args: Any) -> Any:
        return Timeout(callback, seconds * scale, times, *args)

    return timeout
