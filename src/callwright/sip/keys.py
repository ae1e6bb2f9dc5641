"""Keys that the far end presses: as telephone events (RFC 4733), in SIP INFO, or as tones in its sound.

Some phones send each key by more than one of them, so that of a leg's first key stays. Only tones give way to another,
for they may have been somebody's voice: such a key is told unless it is the one whose tones were just heard.
"""

from __future__ import annotations

from typing import Final

from callwright.clock import Clock
from callwright.media import wire as media
from callwright.sip.leg import Leg
from callwright.sip.recordings import Recordings
from callwright.sip.telling import Emit, send
from callwright.telephony import Digit

EVENTS: Final = "rfc4733"
INFO: Final = "info"
TONES: Final = "inband"
SAME_KEY_NS = 1_500_000_000  # an INFO may come when its key is let go, and signalling may take its time


class Keys:
    def __init__(self, clock: Clock, emit: Emit, recordings: Recordings) -> None:
        self._clock = clock
        self._emit = emit
        self._recordings = recordings

    def connected(self, leg: Leg) -> None:
        """Have media look for tones where telephone events were not agreed and no other means has shown itself."""
        wanted = leg.agreed is not None and leg.agreed.event_type is None and leg.key_means in ("", TONES)
        if wanted != leg.detecting:
            leg.detecting = wanted
            send(leg, media.DetectDigits(leg.id, wanted))

    def heard(self, leg: Leg, message: media.DigitHeard) -> None:
        self._key(leg, message.digit, message.duration_ms, TONES if message.inband else EVENTS)

    def in_info(self, leg: Leg, digit: str, duration_ms: int) -> None:
        """A key in an INFO: media, which stops prompts and recordings for keys that it hears, has to be told of it."""
        if not self._key(leg, digit, duration_ms, INFO):
            return
        for prompt in leg.prompts.values():
            prompt.by_key = prompt.by_key or prompt.stop_on_digit
        if any(prompt.by_key for prompt in leg.prompts.values()):
            send(leg, media.Stop(leg.id))
        self._recordings.pressed(leg, digit)

    def _key(self, leg: Leg, digit: str, duration_ms: int, means: str) -> bool:
        """Tell of a key, unless it is one told before that came by other means too; say whether it was told."""
        now, (last, at), known = self._clock.mono_ns(), leg.last_key, leg.key_means
        if known not in ("", TONES, means):
            return False
        leg.key_means = means
        self.connected(leg)
        if known == TONES != means and last == digit and now - at < SAME_KEY_NS:
            return False
        leg.last_key = (digit, now)
        self._emit(leg, Digit, digit=digit, duration_ms=duration_ms, means=means)
        return True
