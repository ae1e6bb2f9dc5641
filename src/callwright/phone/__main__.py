"""``python -m callwright.phone``: commands in on standard input and events out on standard output, as lines of JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import sys
from functools import partial
from typing import Any, TextIO

from callwright.phone.call import MANNER, POLICY, Call, complete
from callwright.phone.sip import Stack

OF_CALL = ("ring", "answer", "hangup", "hold", "unhold", "transfers", "refer", "notify")
OF_STREAM = ("tone", "play", "mute", "digits", "report", "counters")


class Phone:
    def __init__(self, options: argparse.Namespace, out: TextIO) -> None:
        self._user, self._out, self._loop = options.user, out, asyncio.get_running_loop()
        self._deaf = options.deaf
        self._policy, self._calls = POLICY, dict[int, Call]()
        self._stack = Stack(options.address, options.port, self._incoming)
        self.tell("ready", sip=f"{self._stack.address}:{self._stack.port}")

    def tell(self, event: str, **facts: Any) -> None:
        try:
            self._out.write(json.dumps({"event": event, "at": round(self._loop.time(), 4)} | facts) + "\n")
        except BrokenPipeError:  # who drove us was killed; what is up is hung up all the same
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())

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
            call.hangup()
        for _ in range(25):
            if all(call.over for call in self._calls.values()):
                break
            await asyncio.sleep(0.02)

    def _do(self, name: str, fields: dict[str, Any]) -> int | None:
        if name == "policy":
            self._policy = complete(fields, POLICY)
            return None
        if name == "call":
            return self._place(**fields)
        if name not in OF_CALL + OF_STREAM:
            raise ValueError(f"{name}: not among call, policy, {', '.join(OF_CALL + OF_STREAM)}")
        number: int = fields.pop("call", max(self._calls, default=0))
        if (call := self._calls.get(number)) is None or call.over:
            raise ValueError(f"call {number} is not there, or over")
        getattr(call if name in OF_CALL else call.stream, name)(**fields)
        return number

    def _place(self, uri: str, caller: str = "", call_id: str = "", **fields: Any) -> int:
        if (parts := re.fullmatch(r"sip:([^@]+)@([^:;]+)(?::(\d+))?", uri)) is None:
            raise ValueError(f"{uri}: sip:user@host or sip:user@host:port")
        number = self._add(complete(fields, MANNER))
        self._calls[number].dial((parts[2], int(parts[3] or 5060)), parts[1], caller or self._user, call_id)
        return number

    def _incoming(self, request: Any, transaction: Any) -> Any:
        return self._calls[self._add(self._policy)].invited(request, transaction)

    def _add(self, manner: dict[str, Any]) -> int:
        number = len(self._calls) + 1
        self._calls[number] = Call(self._stack, self._user, manner, partial(self.tell, call=number), deaf=self._deaf)
        return number


async def main(options: argparse.Namespace, out: TextIO) -> None:
    loop, phone, lines = asyncio.get_running_loop(), Phone(options, out), asyncio.StreamReader()
    commands, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, commands.close)
    while line := await lines.readline():
        phone.obey(line)
    await phone.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="callwright.phone", description=__doc__)
    arguments.add_argument("--address", default="127.0.0.1", help="where SIP and RTP listen")
    arguments.add_argument("--port", type=int, default=0, help="of SIP; 0 takes any")
    arguments.add_argument("--user", default="phone", help="who we are in From and Contact")
    arguments.add_argument("--deaf", action="store_true", help="do not listen to what is heard, for very many calls")
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints must not get between the events
    asyncio.run(main(arguments.parse_args(), events))
