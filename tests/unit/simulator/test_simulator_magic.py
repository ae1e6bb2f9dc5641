"""Every row of the table of magic destinations, called in virtual time on a whole platform."""

from __future__ import annotations

from typing import Any

import pytest

from callwright.calls import journal
from callwright.rehearsal.outcome import Outcome
from callwright.rehearsal.parties import Party
from callwright.rehearsal.platform import Rehearsal, rehearse
from callwright.simulator import magic

OURS = "31205550100"
TALK: dict[str, Any] = {"action": "pause", "options": {"length": 20}}
ASK: dict[str, Any] = {
    "action": "say",
    "options": {"payload": "Press one, please.", "language": "en-GB", "voice": "female"},
    "onKeypressVar": "choice",
}
RECORD: dict[str, Any] = {"action": "record", "options": {"timeout": 2, "maxLength": 60}}
SAY: dict[str, Any] = {"action": "say", "options": {"payload": "Leave a message.", "language": "en-GB", "ifMachine": "delay"}}


def called(last: str, *steps: dict[str, Any], party: Party | None = None) -> Outcome:
    """Place a call there, with a flow."""

    async def story(rehearsal: Rehearsal) -> Outcome:
        flow = {"steps": list(steps or (TALK,))}
        return await rehearsal.over(await rehearsal.place(OURS, magic.PREFIX + last, flow, party))

    return rehearse(story)


def ended(outcome: Outcome) -> tuple[str, str, int | None]:
    (leg,) = outcome.legs
    return leg.status.value, leg.reason.value if leg.reason else "", leg.sip_code


# What the far end does by itself to a leg that it has answered.
HANGS_UP = ("201", "205")


@pytest.mark.parametrize("row", magic.TABLE, ids=lambda row: row.last)
def test_a_row_ends_as_it_is_expected_to(row: magic.Row) -> None:
    status, reason, code = ended(called(row.last))
    if row.status:
        assert (status, reason) == (row.status, row.reason)
        assert code == {"180": 487, "000": None}.get(row.last, int(row.last))
    else:
        assert (status, reason) == ("hangup", "callee_hangup" if row.last in HANGS_UP else "flow_ended")
        assert code == 200


def test_the_table_has_each_number_once_and_only_what_can_be_dialled() -> None:
    numbers = [row.number for row in magic.TABLE]
    assert len(set(numbers)) == len(numbers)
    assert all(number.isdecimal() and len(number) == 11 for number in numbers)
    assert all(row.sentence.rstrip('"').endswith(".") for row in magic.TABLE)


@pytest.mark.parametrize(("last", "seconds"), [("201", 1.0), ("205", 6.0), ("230", 50.0), ("180", 60.0), ("000", 32.0)])
def test_how_long_it_takes(last: str, seconds: float) -> None:
    assert called(last).seconds == pytest.approx(seconds)


@pytest.mark.parametrize(("last", "code"), [("451", 451), ("699", 699), ("999", 404), ("299", 404), ("1", 404), ("0000", 404)])
def test_what_is_not_in_the_table_refuses_with_the_code_it_ends_with(last: str, code: int) -> None:
    assert ended(called(last)) == ("failed", "rejected", code)


def test_a_machine_is_found_out_and_its_beep_awaited() -> None:
    outcome = called("210", SAY, RECORD)
    (verdict,) = (line.entry for line in outcome.journal if isinstance(line.entry, journal.Judged))
    assert verdict.verdict == "machine"
    (spoken,) = outcome.spoken
    assert spoken.at == pytest.approx(1.0 + 5.5, abs=0.5)


@pytest.mark.parametrize(
    ("last", "keys"), [("220", [("1", 3.0)]), ("221", [("1", 3.0), ("2", 3.3), ("3", 3.6), ("4", 3.9), ("#", 4.2)])]
)
def test_keys_are_pressed_at_their_time(last: str, keys: list[tuple[str, float]]) -> None:
    step = TALK | {"onKeypressVar": "pin", "endKey": "#", "maxNumKeys": 8}
    outcome = called(last, step)
    assert [(one.key, one.at) for one in outcome.pressed] == keys


def test_keys_are_pressed_whenever_they_are_asked_for() -> None:
    outcome = called("222", {**ASK, "id": "one"}, {**ASK, "id": "two"}, {**ASK, "id": "three"})
    assert [(one.outcome, one.text) for one in outcome.spoken] == [("digit", "Press one, please.")] * 3
    assert [one.key for one in outcome.pressed] == ["1", "1", "1"]


def test_it_speaks_into_a_recording_when_it_is_asked() -> None:
    outcome = called("224", SAY | {"options": SAY["options"] | {"ifMachine": "continue"}}, RECORD)
    (recording,) = outcome.recordings
    assert recording.heard == "Yes, please."
    assert (recording.outcome, recording.seconds) == ("silence", pytest.approx(0.5 + 0.86 + 2.0, abs=0.2))


def test_early_media_is_told_before_the_answer() -> None:
    async def story(rehearsal: Rehearsal) -> list[str]:
        told: list[str] = []
        rehearsal.network.ear.observers.append(lambda event: told.append(type(event).__name__))
        await rehearsal.over(await rehearsal.place(OURS, magic.PREFIX + "183", {"steps": [TALK]}))
        return told

    assert rehearse(story)[:2] == ["EarlyMedia", "Answered"]


def test_it_asks_to_be_replaced_and_puts_us_on_hold() -> None:
    replaced = called("241", TALK)
    asked = [line.entry for line in replaced.journal if isinstance(line.entry, journal.ReferReceived)]
    assert [entry.target for entry in asked] == [magic.PREFIX + "200"]
    held = called("242", TALK)
    directions = [line.entry.direction for line in held.journal if isinstance(line.entry, journal.Held)]
    assert directions == ["sendonly", "sendrecv"]


def test_a_script_of_ones_own_wins() -> None:
    assert ended(called("404", party=Party(outcome="busy"))) == ("busy", "busy", 486)


def test_a_party_of_which_nothing_is_said_is_none() -> None:
    assert ended(called("404", party=Party())) == ended(called("404"))
