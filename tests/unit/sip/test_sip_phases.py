"""The phases of a leg in signalling, walked through the code that moves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from callwright.sip import wire
from callwright.sip.dialog import Dialog
from callwright.sip.exchange import Exchange
from callwright.sip.reinvites import Offers
from callwright.sip.states import MOVES, Phase

LAST = wire.LegEnded(wire.NO_LEG, "us")


def leg(phase: Phase) -> Any:
    said: list[Any] = []
    around = SimpleNamespace(tell=said.append, over=lambda dialog: said.append("over"))
    dialog = SimpleNamespace(phase=phase, offers=Offers(), around=around, said=said, asked=None, sent=None)
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
        Dialog.last_word(dialog, LAST)
    assert dialog.phase is Phase.OVER
    assert dialog.said == ([] if start is Phase.OVER else [LAST, "over"])


class Broken(Dialog):
    """A dialog that can do nothing."""

    def __init__(self, phase: Phase, said: list[Any]) -> None:
        faults = SimpleNamespace(exception=lambda where: None)
        self.around = SimpleNamespace(tell=said.append, over=lambda dialog: None, faults=faults)
        self.phase, self.leg, self.offers, self.invite = phase, wire.NO_LEG, Offers(), None

    def recvEvent(self, event: Any) -> None:  # noqa: N802
        raise ValueError


OVER = wire.DialogOver(wire.NO_LEG)
FAILED = wire.LegFailed(wire.NO_LEG, 500, "Server Internal Error")


@pytest.mark.parametrize(
    ("phase", "last"),
    [
        (Phase.ARRIVED, [FAILED]),
        (Phase.CALLING, [FAILED]),
        (Phase.UP, [wire.LegEnded(wire.NO_LEG, "us", "dialog_lost", 500), OVER]),
    ],
)
def test_nobody_waits_for_the_answer_to_a_bye_that_could_not_be_sent(phase: Phase, last: list[Any]) -> None:
    said: list[Any] = []
    Broken(phase, said).collapse()
    assert said == last


def test_nor_when_it_was_the_core_that_asked_for_it() -> None:
    said: list[Any] = []
    dialogs: dict[Any, Dialog] = {wire.NO_LEG: Broken(Phase.UP, said)}
    dialogs[wire.NO_LEG].around.over = lambda dialog: dialogs.pop(dialog.leg)
    exchange: Any = SimpleNamespace(dialogs=dialogs, tell=said.append, faults=SimpleNamespace(exception=lambda where: None))
    Exchange.command(exchange, wire.EndLeg(wire.NO_LEG))
    assert said == [wire.LegEnded(wire.NO_LEG, "us"), OVER]
