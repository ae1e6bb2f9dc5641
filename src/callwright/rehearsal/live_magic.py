"""Numbers that do what their last digits say (`simulator.magic`), over SIP."""

from __future__ import annotations

from callwright.rehearsal.parties import Act, Party
from callwright.simulator import magic
from callwright.simulator.settings import Act as SimulatedAct
from callwright.simulator.settings import CalleeScript


class NotOverSip(ValueError):
    """What a number does can be done in the simulator alone; the sentence says what, and what to do."""


def party(number: str) -> Party:
    """Who is at a number that no script names. Raises `NotOverSip`."""
    script = magic.script(number)
    if script is None:
        return Party()
    acts = script.plan()
    if any(act.when_asked for act in acts):
        raise NotOverSip(
            f"{number} waits to be asked, which a telephone cannot do; name it among the callees, with acts of its own"
        )
    return _party(script, acts)


def _party(script: CalleeScript, acts: list[SimulatedAct]) -> Party:
    return Party(
        answer_after=script.answer_after,
        outcome=script.outcome,
        sip_code=script.sip_code,
        early_media=script.early_media,
        takes_transfers=script.takes_transfers,
        key_gap=script.digit_gap,
        acts=tuple(
            Act(
                at=act.at,
                press=act.press,
                says=act.says,
                speaks_for=act.speaks_for or None,
                beeps=act.beeps,
                holds=act.holds,
                resumes=act.resumes,
                transfers_to=act.transfers_to,
                hangs_up=act.hangs_up,
            )
            for act in acts
        ),
    )
