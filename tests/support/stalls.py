"""Tests on a machine that stands still for a while, as virtual ones do.

Sound that was due then is lost, and time that was measured then says nothing of the product. A test that failed meanwhile is
run again, and the run says how often that was; one that fails while the machine runs has failed.

Sound in real time bears less than other tests, so its far ends note how late they were, and how late they were sent to. A media
process makes up for a tenth of a second; what is more it leaves out, and says so in the log of its server.
"""

from __future__ import annotations

import socket
from threading import Event, Thread
from time import monotonic  # tests put their own in the place of those of the module

import pytest

from support import lost_sound

EVERY_S = 0.02
LONG_S = 0.5  # a lane that is one of four waits its turn some tenths of a second, which every test bears
LATE_S = 0.08  # of sound: what a media process makes up for, and a little less than what a jitter buffer bears
AGAIN = 2


class Stalls:
    """A thread that runs all the time, and notices when it did not."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.latest_s = 0.0
        self.all: list[float] = []
        self._last = monotonic()
        Thread(target=self._watch, name="stalls", daemon=True).start()

    def spoilt(self) -> bool:
        """Whether there was a long one since the test began, or one that sound does not bear, here or in a server."""
        stood_s = max(self.longest_s, monotonic() - self._last - EVERY_S)
        return stood_s >= LONG_S or self.latest_s >= LATE_S or lost_sound.was_lost()

    def begin(self) -> None:
        """A test begins."""
        self.longest_s = self.latest_s = 0.0
        lost_sound.forget()

    def sound_was_late(self, late_s: float) -> None:
        self.latest_s = max(self.latest_s, late_s)

    def _watch(self) -> None:
        while True:
            Event().wait(EVERY_S)
            now = monotonic()
            stood_s, self._last = now - self._last - EVERY_S, now
            self.longest_s = max(self.longest_s, stood_s)
            if stood_s >= LONG_S:
                self.all.append(stood_s)


stalls = Stalls()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    # A lane tells the first process of each test in two small writes, of which the second waited 40 ms for the first's receipt.
    if hasattr(config, "workerinput"):
        config.failures_db.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.flaky(reruns=AGAIN, condition=stalls.spoilt))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    stalls.begin()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if stalls.all:
        longest = ", ".join(f"{one:.1f}" for one in sorted(stalls.all, reverse=True)[:10])
        terminalreporter.write_line(f"The machine stood still {len(stalls.all)} times for {LONG_S:g} s or more: {longest} s.")
