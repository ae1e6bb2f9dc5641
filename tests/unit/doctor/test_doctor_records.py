"""Rows that break a promise of the lifecycle, and what has been left lying."""

from __future__ import annotations

from uuid import UUID

import pytest

from callwright.doctor import database, records
from callwright.doctor.examination import OF_THE_DATABASE
from callwright.settings import Settings
from callwright.webhooks.settings import WebhookSettings
from support.machines import StillMachine
from support.patient import NOW_US, Said, server_state

ONE = "(SELECT id FROM calls WHERE status = 'ended' ORDER BY pos LIMIT 1)"
OF_ONE = f"call_id = {ONE}"

LAST_SNAPSHOT = f"SELECT content FROM events WHERE {OF_ONE} ORDER BY seq DESC LIMIT 1"


def one(patient) -> str:
    return str(UUID(bytes=patient.ask(f"SELECT {ONE}")))


def test_a_healthy_database_has_nothing_to_be_told(patient):
    told = [finding for look in OF_THE_DATABASE for finding in patient.says(look)]
    assert [finding for finding in told if finding.level != "ok"] == []
    assert [finding.check for finding in told] == [
        "database.integrity",
        "database.migrations",
        "database.schema",
        "disk.growth",
        "records.readable",
        "records.legs",
        "records.ends",
        "records.status",
        "records.times",
        "records.reasons",
        "records.events",
        "records.journal",
        "counters.calls",
        "counters.lists",
        "counters.staged",
        "records.labels",
        "calls.live",
        "webhooks.given_up",
        "webhooks.due",
        "webhooks.failing",
        "webhooks.disabled",
        "clock.heartbeat",
    ]
    beside = patient.says(records.stuck, server=server_state())
    assert [(finding.check, finding.level) for finding in beside] == [
        ("calls.stuck", "ok"),
        ("calls.long", "ok"),
        ("calls.dialogs", "ok"),
    ]


@pytest.mark.parametrize(
    ("hurt", "seen"),
    [
        (f"UPDATE calls SET metadata = '[1]' WHERE id = {ONE}", "call {}: metadata is '[1]' (Expected `object`, got `array`)"),
        (f"UPDATE calls SET tags = '[\"a\", 1]' WHERE id = {ONE}", "call {}: tags is '[\"a\", 1]' (Expected `str`, got `int`"),
        (f"UPDATE calls SET status = 'zombie' WHERE id = {ONE}", "call {}: status is 'zombie' (Invalid enum value 'zombie')"),
        (f"UPDATE calls SET called = x'c1' WHERE id = {ONE}", "call {}: called is "),
        (f"UPDATE legs SET reason = 'boredom' WHERE {OF_ONE} AND n = 1", "leg 1 of call {}: reason is 'boredom' ("),
    ],
)
def test_a_value_that_cannot_be_read(patient, monkeypatch, hurt, seen):
    monkeypatch.setattr(records, "STRETCH", 2)
    id_ = UUID(patient.ask(f"SELECT hex(id) FROM calls WHERE id = {ONE}"))
    patient.sql(hurt)
    for deep in (False, True):
        ((check, level, told),) = patient.says(records.readable, deep=deep)
        assert (check, level) == ("records.readable", "fault")
        assert told.startswith(seen.format(id_))


@pytest.mark.parametrize(
    ("check", "broken", "hurt"),
    [
        ("records.legs", "calls without any leg", f"DELETE FROM legs WHERE {OF_ONE}"),
        (
            "records.ends",
            "calls over, with a leg that is not",
            f"UPDATE legs SET status = 'ongoing', ended_us = NULL, reason = NULL WHERE {OF_ONE} AND n = 1",
        ),
        ("records.status", "calls whose status and end disagree", f"UPDATE calls SET status = 'ongoing' WHERE id = {ONE}"),
        (
            "records.status",
            "calls whose status and end disagree",
            f"UPDATE legs SET status = 'ringing' WHERE {OF_ONE} AND n = 1",
        ),
        ("records.times", "calls whose times are out of order", f"UPDATE calls SET ended_us = created_us - 1 WHERE id = {ONE}"),
        (
            "records.times",
            "calls whose times are out of order",
            f"UPDATE legs SET answered_us = created_us - 1 WHERE {OF_ONE} AND n = 1",
        ),
        (
            "records.times",
            "calls whose times are out of order",
            f"UPDATE legs SET ended_us = answered_us - 1 WHERE {OF_ONE} AND n = 1",
        ),
        (
            "records.times",
            "calls whose times are out of order",
            f"UPDATE legs SET updated_us = ended_us - 1 WHERE {OF_ONE} AND n = 1",
        ),
        (
            "records.reasons",
            "calls with a leg that ended without a reason",
            f"UPDATE legs SET reason = NULL WHERE {OF_ONE} AND n = 1",
        ),
    ],
)
def test_a_row_that_breaks_a_rule(patient, check, broken, hurt):
    call = one(patient)
    patient.sql(hurt)
    wrong = [finding for finding in patient.says(records.rules) if finding.level != "ok"]
    assert wrong == [Said(check, "fault", f"{broken}: {call}")]


def test_old_calls_are_looked_at_in_depth_only(patient, monkeypatch):
    patient.sql(f"DELETE FROM legs WHERE {OF_ONE}")
    monkeypatch.setattr(records, "NEWEST", 2)
    assert [finding.level for finding in patient.says(records.rules)] == ["ok"] * 5
    assert [finding.level for finding in patient.says(records.rules, deep=True)] == ["fault", *["ok"] * 4]


@pytest.mark.parametrize(
    "hurt",
    [
        f"DELETE FROM events WHERE {OF_ONE} AND seq = (SELECT MAX(seq) FROM events WHERE {OF_ONE})",
        f"DELETE FROM events WHERE {OF_ONE} AND seq = 2",
        f"UPDATE events SET content = ({LAST_SNAPSHOT}) WHERE {OF_ONE} AND seq = 2",
        f"UPDATE events SET content = x'00' WHERE {OF_ONE} AND seq = 1",
        f"DELETE FROM events WHERE {OF_ONE}",
    ],
    ids=["no ending", "a gap", "two endings", "unreadable", "none"],
)
def test_events_that_do_not_end_once(patient, hurt):
    call = one(patient)
    patient.sql(hurt)
    wrong = [finding for finding in patient.says(records.stories) if finding.level != "ok"]
    assert wrong == [Said("records.events", "fault", f"not one last event that ends the call: {call}")]


@pytest.mark.parametrize(
    ("hurt", "told"),
    [
        (f"DELETE FROM journal WHERE {OF_ONE}", "{}"),
        (f"DELETE FROM journal WHERE {OF_ONE} AND seq = 1", "{}"),
        (f"DELETE FROM journal WHERE {OF_ONE} AND CAST(entry AS TEXT) LIKE '%leg_moved%'", "{}"),
        (f"UPDATE journal SET entry = x'7b' WHERE {OF_ONE} AND seq = 2", "entry 2 of the journal of call {} cannot be read"),
        (f"UPDATE legs SET reason = 'busy' WHERE {OF_ONE} AND n = 1", "{}"),
        (f"UPDATE legs SET reason = 'of_the_future' WHERE {OF_ONE} AND n = 1", "leg 1 of call {} cannot be read"),
        (f"UPDATE calls SET updated_us = updated_us + 1 WHERE id = {ONE}", "{}"),
    ],
    ids=["none", "no beginning", "no moves", "unreadable", "another reason", "unknown reason", "another time"],
)
def test_a_journal_that_tells_another_story(patient, hurt, told):
    call = one(patient)
    patient.sql(hurt)
    wrong = [finding for finding in patient.says(records.stories) if finding.level != "ok"]
    assert wrong == [Said("records.journal", "fault", f"the journal tells another story than the rows: {told.format(call)}")]


def test_in_depth_every_ended_call_is_read_some_at_a_time(patient, monkeypatch):
    ended = patient.ask("SELECT COUNT(*) FROM calls WHERE ended_us IS NOT NULL")
    assert ended > 2
    monkeypatch.setattr(records, "SAMPLE", 2)
    for deep, looked_at in ((False, 2), (True, ended)):
        assert [finding.seen for finding in patient.says(records.stories, deep=deep)] == [
            f"one ending, and it is the last, of {looked_at} calls looked at",
            f"journal and rows agree of {looked_at} calls looked at",
        ]


def revive(patient, age_us, answered_us_ago="NULL"):
    """Make a call live again that is so old, and was answered then."""
    patient.sql(
        f"UPDATE legs SET status = 'ongoing', ended_us = NULL, reason = NULL, answered_us = {NOW_US} - {answered_us_ago} "
        f"WHERE {OF_ONE}",
        f"UPDATE calls SET status = 'ongoing', ended_us = NULL, created_us = {NOW_US - age_us} WHERE id = {ONE}",
    )


def test_a_live_call_the_server_does_not_know(patient):
    call = patient.ask("SELECT id FROM calls WHERE status = 'ended' ORDER BY pos LIMIT 1")
    revive(patient, age_us=records.MARGIN_US + 1)
    lost = Said("calls.stuck", "fault", f"live on record, and unknown to the server: {UUID(bytes=call)}")
    assert patient.says(records.stuck, server=server_state())[0] == lost
    known = server_state(live_calls=[UUID(bytes=call)])
    assert patient.says(records.stuck, server=known)[0].level == "ok"
    (stopped,) = patient.says(records.stuck)
    assert (stopped.check, stopped.level) == ("calls.live", "note")
    assert "calls live on record: 1;" in stopped.seen


def test_a_call_that_is_just_being_made_is_not_stuck(patient):
    revive(patient, age_us=records.MARGIN_US - 1)
    assert patient.says(records.stuck, server=server_state())[0].level == "ok"


def test_a_call_that_nobody_ends(patient):
    call = UUID(bytes=patient.ask("SELECT id FROM calls WHERE status = 'ended' ORDER BY pos LIMIT 1"))
    limit_us = Settings().calls.max_duration * 1_000_000 + records.MARGIN_US
    revive(patient, age_us=limit_us + 1, answered_us_ago=limit_us + 1)
    told = patient.says(records.stuck, server=server_state(live_calls=[call]))
    assert told[1] == Said("calls.long", "fault", f"answered longer ago than calls.max_duration: {call}")


@pytest.mark.parametrize("answered_us_ago", [1, "NULL"], ids=["just answered", "not answered yet"])
def test_a_call_that_rang_for_long_may_be_as_long_as_any(patient, answered_us_ago):
    """Its time runs from the first answer on."""
    call = UUID(bytes=patient.ask("SELECT id FROM calls WHERE status = 'ended' ORDER BY pos LIMIT 1"))
    limit_us = Settings().calls.max_duration * 1_000_000 + records.MARGIN_US
    revive(patient, age_us=limit_us + 1, answered_us_ago=answered_us_ago)
    told = patient.says(records.stuck, server=server_state(live_calls=[call]))
    assert told[1] == Said("calls.long", "ok", "none was answered more than 4 hours ago")


def test_a_dialog_that_outlives_its_leg(patient):
    leg = UUID(bytes=patient.ask(f"SELECT id FROM legs WHERE {OF_ONE} AND n = 1"))
    patient.sql(f"UPDATE legs SET dialog = x'00' WHERE {OF_ONE} AND n = 1")
    told = patient.says(records.stuck, server=server_state())
    assert told[2] == Said("calls.dialogs", "warning", f"legs over on record, and not known to be on the wire: {leg}")
    (stopped,) = patient.says(records.stuck)
    assert stopped.level == "note"


def test_callbacks_that_were_given_up(patient):
    made_us = NOW_US - 9 * 86_400_000_000 + 1
    patient.sql(
        f"UPDATE deliveries SET state = 'exhausted', settled_us = {NOW_US - 1}, created_us = {made_us} WHERE pos IN (1, 2)"
    )
    patient.sql("UPDATE deliveries SET endpoint = 'http://a.test/in;1' WHERE pos IN (1, 2)")
    told = patient.says(records.deliveries)[0]
    assert told == Said("webhooks.given_up", "warning", "2 callbacks of the last week: http://a.test/in;1")
    remedy = patient.remedies(records.deliveries)["webhooks.given_up"]
    # those made nine days ago, too, also when it is typed a while later
    assert remedy.endswith("by: callwright deliveries resend --failed --since 10d --endpoint 'http://a.test/in;1'")
    patient.sql("UPDATE deliveries SET world_id = (SELECT id FROM worlds WHERE kind = 'test') WHERE state = 'exhausted'")
    assert patient.remedies(records.deliveries)["webhooks.given_up"].endswith("--endpoint 'http://a.test/in;1' --test")
    patient.sql(f"UPDATE deliveries SET settled_us = {NOW_US - records.WEEK_US} WHERE state = 'exhausted'")
    assert patient.says(records.deliveries)[0].level == "ok"


def test_callbacks_of_many_endpoints_that_were_given_up_are_resent_by_one_command(patient):
    patient.sql(
        "UPDATE deliveries SET state = 'exhausted', endpoint = 'http://a.test/' || pos, "
        f"settled_us = {NOW_US - 1}, created_us = {NOW_US - 2} WHERE pos IN (1, 2, 3)"
    )
    remedy = patient.remedies(records.deliveries)["webhooks.given_up"]
    assert remedy.endswith("by: callwright deliveries resend --failed --since 1d")
    patient.sql("UPDATE deliveries SET world_id = (SELECT id FROM worlds WHERE kind = 'test') WHERE pos = 3")
    remedy = patient.remedies(records.deliveries)["webhooks.given_up"]
    assert remedy.endswith(
        "by: callwright deliveries resend --failed --since 1d; and "
        "callwright deliveries resend --failed --since 1d --endpoint http://a.test/3 --test"
    )


@pytest.mark.parametrize("of_no_use", ["test = 1", "last_error = 'webhook_deleted'"])
def test_what_nobody_wants_again_was_not_given_up(patient, of_no_use):
    patient.sql(f"UPDATE deliveries SET state = 'exhausted', settled_us = {NOW_US - 1}, {of_no_use} WHERE pos = 1")
    assert patient.says(records.deliveries)[0].level == "ok"


def test_endpoints_that_are_disabled(patient):
    patient.sql(
        "INSERT INTO endpoints (world_id, url, id, disabled_us, disabled_why, created_us, updated_us) "
        f"SELECT id, 'https://' || kind || '.test/hook', id, {NOW_US - 10_800_000_000} + (kind = 'test'), 'gone', 0, 0 "
        "FROM worlds"
    )
    (told,) = patient.says(records.endpoints)
    assert (told.check, told.level) == ("webhooks.disabled", "warning")
    assert told.seen == (
        "nothing is sent to https://test.test/hook (gone, for 3 hours), https://live.test/hook (gone, for 3 hours)"
    )
    remedy = patient.remedies(records.endpoints)["webhooks.disabled"]
    assert "callwright endpoints enable https://test.test/hook --test; and" in remedy


def fail(patient, host, *, since_us, rows, status="NULL"):
    patient.sql(
        "INSERT INTO endpoints (world_id, url, id, failures, failing_us, created_us, updated_us) SELECT id, "
        f"'https://{host}.test/in;1', x'{UUID(int=7).hex}', 3, {since_us}, 0, 0 FROM worlds WHERE kind = 'live'",
        f"UPDATE deliveries SET state = 'pending', endpoint = 'https://{host}.test/in;1', since_us = {since_us}, "
        f"passed = 1, next_at_us = {NOW_US}, tries = 3, last_error = 'timeout', last_status = {status} WHERE pos IN ({rows})",
    )


def test_endpoints_that_fail_for_long_with_something_waiting(patient):
    fail(patient, "a", since_us=NOW_US - 3_600_000_000, rows="1, 2")
    seen = f"2 wait, the oldest for 60 minutes, at a.test (endpoint {UUID(int=7)}), last error timeout"
    assert patient.says(records.failing, server=server_state()) == [Said("webhooks.failing", "warning", seen)]
    assert patient.says(records.failing) == [Said("webhooks.failing", "note", seen)]
    remedy = patient.remedies(records.failing)["webhooks.failing"]
    assert "callwright deliveries list --endpoint 'https://a.test/in;1' --state pending, and" in remedy


def test_what_waits_is_counted_to_a_bound(patient, monkeypatch):
    monkeypatch.setattr(records, "MOST_WAITING", 2)
    fail(patient, "a", since_us=NOW_US - 3_600_000_000, rows="1, 2, 3", status="500")
    (told,) = patient.says(records.failing, server=server_state())
    assert told.seen.startswith("2 or more wait, ")
    assert told.seen.endswith(", last error 500")
    patient.sql("UPDATE deliveries SET last_error = NULL WHERE state = 'pending'")
    assert patient.says(records.failing, server=server_state())[0].seen.endswith(", not tried yet")


@pytest.mark.parametrize(
    "mended",
    [
        f"UPDATE endpoints SET failing_us = {NOW_US - 299_000_000}",
        "UPDATE endpoints SET failing_us = NULL",
        "UPDATE deliveries SET state = 'delivered'",
        f"UPDATE endpoints SET disabled_us = {NOW_US}",
    ],
)
def test_endpoints_that_fail_for_a_moment_or_of_which_nothing_is_wanted(patient, mended):
    fail(patient, "a", since_us=NOW_US - 3_600_000_000, rows="1")
    patient.sql(mended)
    assert patient.says(records.failing, server=server_state())[0].level == "ok"


def test_old_callbacks_are_looked_at_in_depth_only(patient, monkeypatch):
    patient.sql(f"UPDATE deliveries SET state = 'exhausted', settled_us = {NOW_US - 1} WHERE pos = 1")
    count = patient.ask("SELECT COUNT(*) FROM deliveries")
    for looked_at, level in ((count, "warning"), (count - 1, "ok")):
        monkeypatch.setattr(records, "NEWEST_CALLBACKS", looked_at)
        assert patient.says(records.deliveries)[0].level == level
    assert patient.says(records.deliveries, deep=True)[0].level == "warning"


def test_a_lane_without_a_head(patient):
    patient.sql("UPDATE deliveries SET state = 'pending' WHERE pos = 1")
    told = patient.says(records.deliveries)
    assert told[1] == Said("webhooks.lanes", "fault", "1 receivers wait for a callback that is never sent")


def test_what_is_resent_of_a_lane_and_has_no_turn(patient):
    patient.sql("UPDATE deliveries SET state = 'pending', passed = 1, tries = 0 WHERE pos = 1")
    assert patient.says(records.deliveries)[1].check == "webhooks.lanes"
    patient.sql(f"UPDATE deliveries SET next_at_us = {NOW_US} WHERE pos = 1")
    assert patient.says(records.deliveries)[1].check == "webhooks.due"


def test_callbacks_that_are_overdue(patient):
    patient.sql(f"UPDATE deliveries SET state = 'pending', next_at_us = {NOW_US - 2 * records.LATE_US} WHERE pos = 1")
    seen = "1 callbacks are due and 0 events not yet turned into callbacks, the oldest for 2 minutes"
    assert patient.says(records.deliveries, server=server_state())[1] == Said("webhooks.due", "warning", seen)
    assert patient.says(records.deliveries)[1] == Said("webhooks.due", "note", seen)
    patient.sql(f"UPDATE deliveries SET next_at_us = {NOW_US} WHERE pos = 1")
    assert patient.says(records.deliveries, server=server_state())[1].level == "ok"


def test_callbacks_that_wait_for_a_time_no_pause_gives(patient):
    far_us = WebhookSettings().too_far_us(NOW_US)
    patient.sql(f"UPDATE deliveries SET state = 'pending', next_at_us = {far_us + 1} WHERE pos = 1")
    seen = "1 callbacks wait for a time further ahead than any pause in the settings"
    assert patient.says(records.deliveries, server=server_state())[1:] == [Said("webhooks.due", "warning", seen)]
    patient.sql(f"UPDATE deliveries SET next_at_us = {far_us} WHERE pos = 1")
    assert patient.says(records.deliveries, server=server_state())[1].level == "ok"


def test_events_that_nobody_turned_into_callbacks(patient):
    patient.sql("UPDATE fanned_out SET pos = pos - 3")
    told = patient.says(records.deliveries, server=server_state())[1]
    assert (told.check, told.level) == ("webhooks.due", "warning")
    assert told.seen.startswith("0 callbacks are due and 3 events not yet turned into callbacks")


def test_an_outbox_that_is_ahead_of_its_events(patient):
    patient.sql("UPDATE fanned_out SET pos = pos + 7")
    told = patient.says(records.deliveries)[1]
    assert told == Said(
        "webhooks.outbox", "fault", "the next 7 events would never become callbacks: more was sent on than there is"
    )
    patient.sql("UPDATE fanned_out SET pos = (SELECT COALESCE(MAX(pos), 0) FROM events)")  # the remedy
    assert [finding.level for finding in patient.says(records.deliveries)] == ["ok", "ok"]


def test_a_heartbeat_of_the_future(patient):
    patient.sql(f"UPDATE nodes SET heartbeat_us = {NOW_US + 3 * 3600 * 1_000_000}")
    assert patient.says(records.heartbeats) == [
        Said("clock.heartbeat", "fault", "node one was last seen 3 hours in the future")
    ]


def test_a_database_that_outgrows_its_disk(patient):
    day = 86_400 * 1_000_000
    patient.sql(
        "UPDATE calls SET created_us = (SELECT MAX(updated_us) FROM calls)",  # they were not all made on one day
        f"UPDATE calls SET created_us = created_us - {day * 2} WHERE pos = 1",
    )
    roomy = patient.says(database.growth)
    assert [(finding.check, finding.level) for finding in roomy] == [("disk.growth", "ok")]
    assert "a day" in roomy[0].seen
    full = StillMachine().disk(patient.folder.root)._replace(free=47 * patient.folder.database.stat().st_size // 20)
    (told,) = patient.says(database.growth, machine=StillMachine(disk=full))
    assert (told.check, told.level) == ("disk.growth", "warning")
    assert "the disk is full in 5 days" in told.seen  # it has grown for two
