"""Numbers that do what their last digits say (`simulator.magic`), over SIP."""

from __future__ import annotations

from callwright.rehearsal.parties import Party
from callwright.simulator import magic


class NotOverSip(ValueError):
    """What a number does can be done in the simulator alone; the sentence says what, and what to do."""


def party(number: str) -> Party:
    """Who is at a number that no script names. Raises `NotOverSip`."""
    script = magic.script(number)
    if script is None:
        return Party()
    if any(act.when_asked for act in script.plan()):
        raise NotOverSip(
            f"{number} waits to be asked, which a telephone cannot do; name it among the callees, with acts of its own"
        )
    return Party.of(script)
