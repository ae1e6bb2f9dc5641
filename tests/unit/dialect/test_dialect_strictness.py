"""What the switches of the compatible wire change, and what they leave."""

from __future__ import annotations

import pytest

from callwright.calls.model import CallStatus
from callwright.dialect.strictness import LENIENT, Strictness
from callwright.errors import Conflict, Forbidden, Invalid, Malformed, Missing, NotFound, Problem, Unauthenticated
from callwright.settings import Settings, rooms
from callwright.settings.http import CompatibilitySection

EVERY = Strictness(documented_status_codes=True, collapse_statuses=True, authentication_code=2, method_on_get=True)


@pytest.mark.parametrize(
    ("problem", "lenient", "strict"),
    [
        (Invalid(), (422, 10), (400, 10)),
        (Missing(), (422, 11), (400, 11)),
        (Malformed(), (422, 21), (400, 21)),
        (Conflict(), (422, 10), (409, 10)),
        (Unauthenticated(), (401, 15), (401, 2)),
        (Forbidden(), (403, 2), (403, 2)),
        (NotFound(), (404, 13), (404, 13)),
        (Problem(), (500, 99), (500, 99)),
    ],
)
def test_statuses_and_codes(problem: Problem, lenient: tuple[int, int], strict: tuple[int, int]) -> None:
    assert [(one.http(problem), one.code(problem)) for one in (LENIENT, EVERY)] == [lenient, strict]


def test_statuses_of_calls() -> None:
    assert LENIENT.call_statuses == tuple(CallStatus)
    assert EVERY.call_statuses == (CallStatus.QUEUED, CallStatus.STARTING, CallStatus.ONGOING, CallStatus.ENDED)
    assert {EVERY.call_status(one) for one in CallStatus} == set(EVERY.call_statuses)


def test_settings_give_the_switches() -> None:
    assert rooms.strictness(Settings()) == LENIENT
    given = CompatibilitySection(
        documented_status_codes=True,
        collapse_statuses=True,
        documented_events=True,
        authentication_code=2,
        on_finish_content_type="none",
        method_on_get=True,
    )
    settings = Settings(compatibility=given)
    assert rooms.strictness(settings) == EVERY
    assert rooms.flow_fetching(settings).content_type == ""
    assert rooms.flow_fetching(Settings()).content_type == "application/json"
    assert rooms.webhooks(settings).sent == ("call",)
