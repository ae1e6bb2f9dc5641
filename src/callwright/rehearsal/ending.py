"""SIGTERM as an orderly end, while processes and folders are there that nobody else would clear away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def orderly(end: Callable[[], None]) -> Iterator[None]:
    """Have `end`, which raises what ends the program, called at SIGTERM; only where nobody else has seen to it."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not ours:
        yield
        return

    def told(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, lambda number, frame: None)  # timeout(1) tells it twice, the second time amid the end
        end()

    signal.signal(signal.SIGTERM, told)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def as_interrupted() -> Iterator[None]:
    """Have SIGTERM do what Ctrl-C does; a program that is deaf to that ends as it is."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    with orderly(lambda: signal.raise_signal(signal.SIGINT)):
        yield
