"""The phases of a leg in signalling, walked through the code that moves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from callwright.sip import wire
from callwright.sip.dialog import Dialog
from callwright.sip.states import MOVES, Phase

LAST = wire.LegEnded(wire.NO_LEG, "us")


def leg(phase: Phase) -> Any:
    said: list[Any] = []
    around = SimpleNamespace(tell=said.append, over=lambda dialog: said.append("over"))
    dialog = SimpleNamespace(phase=phase, next_offer="x", around=around, said=said)
    dialog._move = lambda to: Dialog._move(dialog, to)
    return dialog


@pytest.mark.parametrize("start", Phase)
@pytest.mark.parametrize("to", Phase)
def test_moves(start: Phase, to: Phase) -> None:
    dialog = leg(start)
    if to in MOVES[start]:
        Dialog._move(dialog, to)
        assert dialog.phase is to
    else:
        with pytest.raises(AssertionError, match=f"{start} to {to}"):
            Dialog._move(dialog, to)


@pytest.mark.parametrize("start", Phase)
def test_every_leg_has_one_last_word(start: Phase) -> None:
    dialog = leg(start)
    for _ in range(2):
        Dialog._last(dialog, LAST)
    assert dialog.phase is Phase.OVER
    assert dialog.said == ([] if start is Phase.OVER else [LAST, "over"])
