"""``python -m callwright.phone``: commands in on standard input and events out on standard output, as lines of JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TextIO

from callwright.phone.call import MANNER, POLICY, Call, complete
from callwright.phone.sip import Stack

COMMANDS: dict[str, Callable[..., Any]] = {
    "ring": Call.ring, "answer": Call.answer, "hangup": Call.hang_up, "cancel": Call.hang_up, "hold": Call.hold,
    "unhold": partial(Call.hold, direction="sendrecv"), "tone": Call.tone, "mute": Call.mute, "digits": Call.digits,
    "report": Call.report, "counters": Call.counters,
}  # fmt: skip


class Phone:
    def __init__(self, options: argparse.Namespace, out: TextIO) -> None:
        self._user, self._out, self._loop, self._tasks = options.user, out, asyncio.get_running_loop(), set[Any]()
        self._policy, self._calls, self.quitting = POLICY, dict[int, Call](), asyncio.Event()
        self._stack = Stack(options.address, options.port, options.trace, self._incoming)
        self.tell("ready", sip=f"{self._stack.address}:{self._stack.port}")

    def tell(self, event: str, **facts: Any) -> None:
        self._out.write(json.dumps({"event": event, "at": round(self._loop.time(), 4)} | facts) + "\n")

    def obey(self, line: bytes) -> None:
        """Do one command; the event `done` or `error` carries the `id` that came with it."""
        mark: dict[str, Any] = {}
        try:
            order = json.loads(line)
            mark = {"id": order.pop("id", None), "do": order.pop("do")}
            self.tell("done", **mark, call=self._do(mark["do"], order))
        except Exception as error:
            self.tell("error", **mark, detail=f"{type(error).__name__}: {error}")

    async def close(self) -> None:
        """Hang up what is up, and give the far sides half a second to take it."""
        for call in self._calls.values():
            call.hang_up()
        for _ in range(25):
            if all(call.over for call in self._calls.values()):
                break
            await asyncio.sleep(0.02)

    def _do(self, name: str, fields: dict[str, Any]) -> int | None:
        if name == "quit":
            self.quitting.set()
        elif name == "policy":
            self._policy = complete(fields, POLICY)
        elif name == "call":
            return self._place(**fields)
        else:
            if name not in COMMANDS:
                raise ValueError(f"{name}: not among call, policy, quit, {', '.join(COMMANDS)}")
            number: int = fields.pop("call", max(self._calls, default=0))
            if number not in self._calls or self._calls[number].over:
                raise ValueError(f"call {number} is not there, or over")
            if asyncio.iscoroutine(work := COMMANDS[name](self._calls[number], **fields)):
                self._tasks.add(self._loop.create_task(work))
            return number
        return None

    def _place(self, uri: str, caller: str = "", username: Any = None, password: Any = None, **fields: Any) -> int:
        if (parts := re.fullmatch(r"sip:([^@]+)@([^:;]+)(?::(\d+))?", uri)) is None:
            raise ValueError(f"{uri}: sip:user@host or sip:user@host:port")
        address = parts[2], int(parts[3] or 5060)
        number, call = self._add(complete(fields, MANNER), nh_address=address, username=username, password=password)
        call.dial(parts[1], caller or self._user)
        return number

    def _incoming(self, request: Any, transaction: Any) -> Any:
        return self._add(self._policy)[1].invited(request, transaction)

    def _add(self, manner: dict[str, Any], **leg: Any) -> tuple[int, Call]:
        number = len(self._calls) + 1
        self._calls[number] = Call(self._stack, manner, self._user, partial(self.tell, call=number), **leg)
        return number, self._calls[number]


async def main(options: argparse.Namespace, out: TextIO) -> None:
    loop = asyncio.get_running_loop()
    phone = Phone(options, out)

    def read() -> None:  # in a thread, because a loop cannot wait for every kind of standard input
        with os.fdopen(os.dup(0), "rb") as lines, suppress(RuntimeError):
            for line in lines:
                loop.call_soon_threadsafe(phone.obey, line)
            loop.call_soon_threadsafe(phone.quitting.set)

    threading.Thread(target=read, daemon=True).start()
    loop.add_signal_handler(signal.SIGTERM, phone.quitting.set)
    loop.add_signal_handler(signal.SIGINT, phone.quitting.set)
    await phone.quitting.wait()
    await phone.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="callwright.phone", description=__doc__)
    arguments.add_argument("--address", default="127.0.0.1", help="where SIP and RTP listen")
    arguments.add_argument("--port", type=int, default=0, help="of SIP; 0 takes any")
    arguments.add_argument("--user", default="phone", help="who we are in From and Contact")
    arguments.add_argument("--trace", action="store_true", help="show SIP messages on standard error")
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints must not get between the events
    asyncio.run(main(arguments.parse_args(), events))
