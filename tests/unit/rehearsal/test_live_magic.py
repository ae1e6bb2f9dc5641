"""Parties over SIP: numbers of the simulator's table, as telephones have to play them, and who is silent."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from callwright import telephony
from callwright.clock import SystemClock
from callwright.rehearsal.live_exchange import Exchange
from callwright.rehearsal.live_magic import NotOverSip, party
from callwright.rehearsal.live_network import SipNetwork, Switchboard
from callwright.rehearsal.live_sound import Voices
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.prompts import Prompts
from callwright.simulator import magic
from callwright.simulator.engine import SimulatedEngine
from callwright.simulator.settings import SimulatorSettings
from callwright.telephony import Target

ONLY_SIMULATED = {"222", "224"}


@pytest.mark.parametrize("row", magic.TABLE, ids=lambda row: row.last)
def test_every_number_of_the_table_is_played_or_refused_in_a_sentence(row: magic.Row) -> None:
    if row.last in ONLY_SIMULATED:
        with pytest.raises(NotOverSip, match=f"{row.number} .*, which a telephone cannot do; name it among the callees"):
            party(row.number)
        return
    played = party(row.number)
    assert (played.outcome, played.sip_code) == (row.script.outcome, row.script.sip_code)
    assert len(played.acts) == len(row.script.plan())


def test_a_machine_speaks_and_beeps() -> None:
    assert party(f"{magic.PREFIX}210").acts == (
        Act(at=0.0, says=magic.GREETING, speaks_for=5.0),
        Act(at=5.5, beeps=True),
    )


def test_any_other_number_answers_and_stays() -> None:
    assert party("31612345678") == Party()


def test_who_is_silent_has_no_telephone(tmp_path: Path) -> None:
    """One would say at once that it tries, so that the call would ring until it is given up, and not fail."""
    clock, silence = SystemClock(), ("127.0.0.1", 9)
    exchange = Exchange(SimulatedEngine(clock, SimulatorSettings()))
    network = SipNetwork(clock, Prompts(), Switchboard(exchange, "127.0.0.1:5060", Voices(tmp_path), silence))
    network.expect("31612345678", Party(outcome="no_response"))
    for destination in ("31612345678", f"{magic.PREFIX}000"):
        leg = uuid4()
        originate = telephony.Originate(id=1, call=uuid4(), leg=leg, caller="1", target=network.route(destination))
        assert network.reach(originate) == Target(leg.hex, *silence)
