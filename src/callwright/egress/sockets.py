"""Where a request gets its socket: names looked up on threads of our own, the address veto, a count of what is open."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from callwright.egress.addresses import Veto
from callwright.egress.spans import current

# A name server that is silent holds a thread for 10 s and more; so many such names are borne before others wait.
RESOLVER_THREADS = 64
AddrInfo = tuple[int, int, int, str, tuple[Any, ...]]


class AddressRefused(OSError):
    """The veto: raised where the socket would have been made."""

    def __init__(self, sentence: str) -> None:
        super().__init__(errno.EACCES, sentence)


class Resolver(Protocol):
    async def addresses(self, host: str, port: int) -> list[str]:
        """The numeric addresses of a name; `OSError` when it has none."""
        ...

    def close(self) -> None: ...


class SystemResolver:
    """The system's resolver on its own threads, so that a slow name server holds up no other work of the process."""

    def __init__(self, threads: int = RESOLVER_THREADS) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="egress-dns")
        self.waiting: set[str] = set()  # names that no thread was free for yet

    async def addresses(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        self.waiting.add(host)
        found = await loop.run_in_executor(self._threads, self._look_up, host, port)
        return list(dict.fromkeys(found))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _look_up(self, host: str, port: int) -> list[str]:
        self.waiting.discard(host)
        return _look_up(host, port)


def _look_up(host: str, port: int) -> list[str]:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(sockaddr[0]) for *_, sockaddr in infos]


class Gate:
    """Makes the sockets: refuses an address, or counts the socket until it is closed."""

    def __init__(self, veto: Veto | None) -> None:
        """None lets every address pass: all sockets go to the operator's proxy."""
        self._veto = veto
        self.open = 0

    def vet(self, addresses: Sequence[str]) -> None:
        """Refuse a name for one bad address among several: that is what a rebinding attack looks like (decision 0039)."""
        if self._veto is None:
            return
        for address in addresses:
            if sentence := self._veto.refusal(address):
                among = f" (one of {len(addresses)} addresses of the name; each must be allowed)" if addresses[1:] else ""
                raise AddressRefused(sentence + among)

    def socket(self, info: AddrInfo) -> socket.socket:
        """A socket for this very address, which its maker connects it to."""
        family, kind, protocol, _, address = info
        self.vet((str(address[0]),))
        if (spans := current.get()) is not None and not spans.socket_ns:
            spans.socket_ns = spans.now_ns()
        return _CountedSocket(self, family, kind, protocol)


class _CountedSocket(socket.socket):
    def __init__(self, gate: Gate, family: int, kind: int, protocol: int) -> None:
        super().__init__(family, kind, protocol)
        self._gate: Gate | None = gate
        gate.open += 1

    def close(self) -> None:
        self._leave()
        super().close()

    def detach(self) -> int:
        # How uvloop lets go of a socket when it closes its descriptor.
        self._leave()
        return super().detach()

    def _leave(self) -> None:
        if self._gate is not None:
            self._gate.open -= 1
            self._gate = None
