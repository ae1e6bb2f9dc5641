"""Journals as lines to read."""

from __future__ import annotations

import re
from uuid import UUID

from callwright.cli import story

A = UUID(int=1)


def test_a_whole_story():
    legs = [
        {
            "id": str(A),
            "n": 1,
            "status": "no_answer",
            "detail": "487",
            "reason": {"name": "no_answer", "sentence": "Nobody answered.", "remedy": "Wait."},
        }
    ]
    call = {"id": "c", "world": "live", "source": "1", "destination": "2", "status": "no_answer", "legs": legs}
    entries = [
        {"seq": 1, "at": "2023-11-14T22:13:20.500000Z", "kind": "call_moved", "status": "starting"},
        {"seq": 2, "at": "2023-11-14T22:13:21.750000Z", "kind": "leg_intends", "leg": str(A), "intent": None},
        {"seq": 3, "at": "2023-11-14T22:13:21.750000Z", "kind": "teleported", "leg": "x"},
        {"seq": 4, "at": "2023-11-14T22:13:21.750000Z", "kind": "call_moved", "status": "lost"},
    ]
    head, first, second, unknown, changed, last = story.lines(call, entries)
    assert head == "call c (live), 1 to 2, no answer"
    assert re.split(r"\s{2,}", first.strip()) == ["+0.000", "the call is starting"]
    assert re.split(r"\s{2,}", second.strip()) == ["+1.250", "leg 1 is no longer to be answered"]
    # What a server of another version says is shown as it came.
    assert unknown.endswith('  teleported {"leg": "x"}')
    assert changed.endswith('  call_moved {"status": "lost"}')
    assert last == "leg 1 (no_answer): Nobody answered. (487) Wait."
