"""Keys that a step presses towards A, with the pauses between them."""

from __future__ import annotations

import re
from collections import deque

from callwright import telephony
from callwright.calls import journal
from callwright.flows import effects
from callwright.switch.live import LiveCall

TIMER = "keys_out"
PAUSES_S = {"w": 0.5, ",": 2.0}  # as modems and other telephony software have them
TONE_MS = 100
GAP_MS = 100


class Dialler:
    """Presses one run of keys after the other; the engine knows no pauses."""

    def __init__(self, call: LiveCall) -> None:
        self._call = call
        self._runs: deque[str] = deque()
        self._tone_ms = TONE_MS
        self._gap_ms = GAP_MS

    def press(self, sent: effects.SendKeys) -> None:
        self._call.note(journal.KeysSent(leg=self._call.a, keys=sent.keys))
        self._runs = deque(re.findall(r"[wW,]|[^wW,]+", sent.keys))
        self._tone_ms = TONE_MS if sent.tone_ms is None else sent.tone_ms
        self._gap_ms = GAP_MS if sent.gap_ms is None else sent.gap_ms
        self._next()

    def stop(self) -> None:
        self._runs.clear()
        self._call.cancel_timer(TIMER)

    def due(self) -> None:
        self._next()

    def _next(self) -> None:
        if not self._runs:
            self._call.advance(effects.KeysSent())
            return
        run = self._runs.popleft()
        pause_s = PAUSES_S.get(run.lower())
        if pause_s is None:
            fields = {"digits": run, "tone_ms": self._tone_ms, "gap_ms": self._gap_ms}
            self._call.command(telephony.SendDigits, self._call.a, **fields)
            pause_s = len(run) * (self._tone_ms + self._gap_ms) / 1000
        self._call.start_timer(TIMER, pause_s)
