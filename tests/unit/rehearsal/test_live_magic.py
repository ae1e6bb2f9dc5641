"""Numbers of the simulator's table, as telephones have to play them."""

from __future__ import annotations

import pytest

from callwright.rehearsal.live_magic import NotOverSip, party
from callwright.rehearsal.parties import Act, Party
from callwright.simulator import magic

ONLY_SIMULATED = {"000", "222", "224"}


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
