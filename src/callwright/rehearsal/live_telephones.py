"""Telephones of parties over SIP: a few processes that carry many calls each (`callwright.phone`)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

from callwright.errors import CallwrightError
from callwright.phone.client import Event, Phone, PhoneError
from callwright.telephony import Target


class TelephonesFailed(CallwrightError):
    """No telephone could be started."""


class Handset:
    """One call on a telephone. `number` is its number there, None until the telephone has told.

    `heard` is told of its events. Orders wait for the number, and `act` for the answer besides.
    """

    def __init__(self, phone: Phone, number: int | None) -> None:
        self.number = number
        self.heard: Callable[[Event], None] = lambda event: None
        self._phone = phone
        self._answered = self._over = False
        self._orders: list[tuple[str, dict[str, Any]]] = []
        self._acts: list[tuple[str, dict[str, Any]]] = []

    def order(self, command: str, **fields: Any) -> None:
        """Have the telephone do something; what it cannot do any more, it leaves."""
        if self._over:
            return
        if self.number is None:
            self._orders.append((command, fields))
        else:
            self._phone.order(command, call=self.number, **fields)

    def act(self, command: str, **fields: Any) -> None:
        """As `order`, once the telephone knows that it is answered: the server may know sooner."""
        if self._answered:
            self.order(command, **fields)
        else:
            self._acts.append((command, fields))

    def placed(self, number: int) -> None:
        self.number = number
        self._flush(self._orders)

    def told(self, event: Event) -> None:
        if event["event"] == "answered":
            self._answered = True
            self._flush(self._acts)
        elif event["event"] in ("ended", "refused"):
            self._over = True
        self.heard(event)

    def _flush(self, waiting: list[tuple[str, dict[str, Any]]]) -> None:
        for command, fields in waiting:
            self.order(command, **fields)
        waiting.clear()


class Telephones:
    """`rings` is told the user that is called and the call, whenever a telephone rings."""

    def __init__(self, rings: Callable[[str, Handset], None]) -> None:
        self._rings = rings
        self._phones: list[Phone] = []
        self._turn = itertools.count()
        self._calls: dict[tuple[Phone, int], Handset] = {}
        self._placed: dict[tuple[Phone, int], Handset] = {}

    async def start(self, count: int) -> None:
        """Raises `TelephonesFailed`."""
        starting = [asyncio.create_task(Phone.start(user="phone", deaf=True)) for _ in range(count)]
        try:
            for started in asyncio.as_completed(starting):
                phone = await started
                self._phones.append(phone)
                await phone.do("policy", progress=[], answer=None)
                phone.listener = partial(self._told, phone)
        except (PhoneError, TimeoutError, OSError) as error:
            raise TelephonesFailed(f"The telephones of the parties do not start: {error or type(error).__name__}.") from error
        finally:  # where one fails, or all are told to end, nobody else waits for the others
            for one in starting:
                one.cancel()
            await asyncio.gather(*starting, return_exceptions=True)

    async def stop(self) -> None:
        await asyncio.gather(*(phone.stop() for phone in self._phones))

    def target(self, user: str) -> Target:
        """Where a telephone rings; the next one's turn."""
        host, _, port = self._next().sip.rpartition(":")
        return Target(user, host, int(port))

    def dial(self, uri: str, caller: str, call_id: str) -> Handset:
        phone = self._next()
        handset = Handset(phone, None)
        self._placed[phone, phone.order("call", uri=uri, caller=caller, call_id=call_id)] = handset
        return handset

    def _next(self) -> Phone:
        return self._phones[next(self._turn) % len(self._phones)]

    def _told(self, phone: Phone, event: Event) -> None:
        kind = event["event"]
        if kind in ("done", "error"):
            handset = self._placed.pop((phone, event.get("id", 0)), None)
            if handset is not None and kind == "done":
                self._calls[phone, event["call"]] = handset
                handset.placed(event["call"])
            elif handset is not None:
                handset.told({"event": "refused", "code": 0, "phrase": event["detail"]})
            return
        number = event.get("call")
        if number is None:
            return
        if kind == "incoming":
            handset = self._calls[phone, number] = Handset(phone, number)
            self._rings(str(event["uri"]).removeprefix("sip:").partition("@")[0], handset)
        elif (known := self._calls.get((phone, number))) is not None:
            known.told(event)
            if kind in ("ended", "refused"):
                del self._calls[phone, number]
