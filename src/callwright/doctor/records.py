"""The rows of calls and deliveries: what the lifecycle promises of them, and what has been left lying."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from callwright.calls import rows
from callwright.calls.replay import rebuild
from callwright.clock import SECOND_US
from callwright.doctor.findings import Findings, fault, note, ok, some, span, warning
from callwright.doctor.scene import Scene
from callwright.errors import Unreadable
from callwright.settings import rooms
from callwright.store.survey import Survey
from callwright.webhooks.backlog import FAILING_US
from callwright.webhooks.model import Endpoint

# Without --deep the newest calls and callbacks are looked at, and of some of those calls the journal and the events are read.
NEWEST, SAMPLE = 20_000, 200
NEWEST_CALLBACKS = 50_000
MOST, MOST_TOLD = 20, 3
# So many positions are read at a time.
STRETCH = 1_000
# What waits at one endpoint is counted so far.
MOST_WAITING = 1_000
# A commit that waits for the disk takes its call into memory this much later at most, and one over as much out of it.
MARGIN_US = 60 * SECOND_US
LATE_US = 60 * SECOND_US
HOUR_US = 3_600 * SECOND_US
WEEK_US = 7 * 24 * HOUR_US


class Rule(NamedTuple):
    """`query` finds calls that break it."""

    check: str
    query: str
    broken: str
    kept: str


RULES = (
    Rule("records.legs", "without_a_leg", "without any leg", "every call has a leg"),
    Rule("records.ends", "ended_with_a_live_leg", "over, with a leg that is not", "no leg outlives its call"),
    Rule("records.status", "status_against_end", "whose status and end disagree", "status and end agree"),
    Rule("records.times", "times_out_of_order", "whose times are out of order", "times are in order"),
    Rule("records.reasons", "reason_against_end", "with a leg that ended without a reason", "every ended leg has a reason"),
)
_CORRECT = (
    "Pages with such a call fail until it is corrected. callwright journal tells what it was; stop the server, keep a copy of "
    "the database, and write the right value with sqlite3 (tags and metadata may be NULL)."
)
_ASK = "callwright journal tells the call's story; report it with that, and leave the row."


def rules(scene: Scene, survey: Survey) -> Findings:
    after = _after(scene, survey)
    for rule in RULES:
        found = [_text(id_) for (id_,) in _rows(survey, f"doctor.{rule.query}", after, MOST)]
        if found:
            yield fault(rule.check, f"calls {rule.broken}: {some(found)}", _ASK)
        else:
            yield ok(rule.check, rule.kept)


def readable(scene: Scene, survey: Survey) -> Findings:
    """A value that no program of ours writes: of a list the whole page fails that has such a row."""
    found: list[str] = []
    for after, last in _stretches(scene, survey):
        calls, legs = (_rows(survey, f"doctor.{query}", after, last) for query in ("calls_between", "legs_between"))
        found += [f"call {_text(row[1])}: {why}" for row in calls if (why := rows.unreadable_call(row))]
        found += [f"leg {row[1]} of call {_text(row[0])}: {why}" for row in legs if (why := rows.unreadable_leg(row))]
        if len(found) >= MOST:
            break
    if found:
        yield fault("records.readable", some(found[:MOST]), _CORRECT)
    else:
        yield ok("records.readable", "every value can be read")


def _stretches(scene: Scene, survey: Survey) -> Iterator[tuple[int, int]]:
    """Positions of the calls to be looked at, some at a time, from the newest on: after the first, to the second."""
    ((newest,),), ((oldest,),) = _rows(survey, "doctor.newest_pos"), _rows(survey, "doctor.oldest_pos")
    first = max(oldest - 1, _after(scene, survey))
    for last in range(newest, first, -STRETCH):
        yield max(first, last - STRETCH), last


def stories(scene: Scene, survey: Survey) -> Findings:
    """Events and journal of a sample of ended calls."""
    wrong_events, wrong_journals = [], []
    looked_at = 0
    for world_id, call_id in _ended(scene, survey):
        looked_at += 1
        if not _ends_once(survey, world_id, call_id):
            wrong_events.append(str(call_id))
        # Rows and journal are two reads, and a last word may be written between them.
        if _disagreement(survey, world_id, call_id) and (told := _disagreement(survey, world_id, call_id)):
            wrong_journals.append(told)
    of = f"of {looked_at} calls looked at"
    if wrong_events:
        yield fault("records.events", f"not one last event that ends the call: {some(wrong_events)}", _ASK)
    else:
        yield ok("records.events", f"one ending, and it is the last, {of}")
    if wrong_journals:
        yield fault("records.journal", f"the journal tells another story than the rows: {some(wrong_journals)}", _ASK)
    else:
        yield ok("records.journal", f"journal and rows agree {of}")


def _ended(scene: Scene, survey: Survey) -> Iterator[tuple[UUID, UUID]]:
    """Ended calls, newest first, by world and id: some, or in depth all of them, of which a few are in memory at a time."""
    after, before = _after(scene, survey), 1 << 62
    while some_of_them := _rows(survey, "doctor.newest_calls", after, before, SAMPLE):
        for _, world, call in some_of_them:
            yield UUID(bytes=world), UUID(bytes=call)
        if not scene.deep:
            return
        before = some_of_them[-1][0]


def _ends_once(survey: Survey, world_id: UUID, call_id: UUID) -> bool:
    try:
        told = rows.events_of(survey, world_id, call_id, limit=-1)
        ending = [not event.snapshot.call.live for event in told]
    except (msgspec.MsgspecError, ValueError):
        return False
    return [event.seq for event in told] == [*range(1, len(told) + 1)] and ending == [False] * (len(told) - 1) + [True]


def _disagreement(survey: Survey, world_id: UUID, call_id: UUID) -> str | None:
    """What is to be told of a call whose journal does not make its rows."""
    try:
        stored = rows.find_call(survey, world_id, call_id), rows.legs_of(survey, world_id, call_id)
        return None if rebuild(rows.journal_of(survey, world_id, call_id)) == stored else str(call_id)
    except Unreadable as error:
        return f"{error.what} cannot be read"
    except (LookupError, ValueError):
        return str(call_id)


def stuck(scene: Scene, survey: Survey) -> Findings:
    """Calls that live on record and nowhere else, or too long; dialogs of legs that are over."""
    live = _rows(survey, "doctor.live")
    dialogs = _rows(survey, "doctor.dialogs_of_ended_legs")
    if scene.server is None:
        if live or dialogs:
            yield note(
                "calls.live",
                f"no server runs; calls live on record: {len(live)}; ended legs that may be up on the wire: {len(dialogs)}",
                "The next start ends them (node_restarted) and tells the far ends.",
            )
        else:
            yield ok("calls.live", "none is left on record")
        return
    now_us = scene.server.now_us
    in_memory = set(scene.server.live_calls)
    lost = [_text(id_) for id_, made_us, _ in live if UUID(bytes=id_) not in in_memory and made_us < now_us - MARGIN_US]
    if lost:
        yield fault(
            "calls.stuck",
            f"live on record, and unknown to the server: {some(lost)}",
            "Restart the server when you can: it ends them on record. Report it with callwright journal.",
        )
    else:
        yield ok("calls.stuck", f"{len(in_memory)} live calls, all known to the server")
    limit_us = scene.settings.calls.max_duration * SECOND_US + MARGIN_US
    # The time runs from the first answer on; before that there are others, for the ring and the queue.
    old = [_text(id_) for id_, _, answered_us in live if answered_us is not None and answered_us < now_us - limit_us]
    if old:
        yield fault(
            "calls.long",
            f"answered longer ago than calls.max_duration: {some(old)}",
            "DELETE /calls/{id} ends one; report it with callwright journal.",
        )
    else:
        yield ok("calls.long", f"none was answered more than {span(scene.settings.calls.max_duration)} ago")
    kept = [_text(id_) for id_, ended_us in dialogs if ended_us < now_us - MARGIN_US]
    if kept:
        yield warning(
            "calls.dialogs",
            f"legs over on record, and not known to be on the wire: {some(kept)}",
            "The far end has not answered our BYE; the next start sends it again.",
        )
    else:
        yield ok("calls.dialogs", "no dialog outlives its leg")


def deliveries(scene: Scene, survey: Survey) -> Findings:
    now_us = scene.clock.now_us()
    given_up = _rows(survey, "doctor.given_up", -1 if scene.deep else NEWEST_CALLBACKS, now_us - WEEK_US)
    if given_up:
        yield warning(
            "webhooks.given_up",
            f"{sum(count for _, count, *_ in given_up)} callbacks of the last week: {some([url for url, *_ in given_up])}",
            "Mend or remove the receiver. What was given up stays on record, and is sent again by: "
            + "; and ".join(_resends(given_up, now_us)),
        )
    else:
        yield ok("webhooks.given_up", "none in the last week")
    ((headless,),) = _rows(survey, "doctor.lanes_without_a_head")
    if headless:
        yield fault("webhooks.lanes", f"{headless} receivers wait for a callback that is never sent", _ASK)
    ((ahead,),) = _rows(survey, "doctor.outbox_ahead")
    if ahead > 0:
        yield fault(
            "webhooks.outbox",
            f"the next {ahead} events would never become callbacks: more was sent on than there is",
            "Rows were lost, or the database was put together by hand. Stop the server, then: sqlite3 callwright.db "
            '"UPDATE fanned_out SET pos = (SELECT COALESCE(MAX(pos), 0) FROM events)"',
        )
    ((far,),) = _rows(survey, "doctor.too_far_ahead", rooms.webhooks(scene.settings).too_far_us(now_us))
    if far:
        tell = note if scene.server is None else warning
        yield tell(
            "webhooks.due",
            f"{far} callbacks wait for a time further ahead than any pause in the settings",
            "The clock was set back: see to time synchronisation. They go out within seconds when the server runs.",
        )
    ((late, due_us),) = _rows(survey, "doctor.overdue", now_us - LATE_US)
    ((waiting, since_us),) = _rows(survey, "doctor.outbox")
    since = min((at_us for at_us in (due_us, since_us) if at_us is not None), default=now_us)
    seen = f"{late} callbacks are due and {waiting} events not yet turned into callbacks, the oldest for {_age(now_us, since)}"
    if not late and (not waiting or since > now_us - LATE_US):
        if not far:
            yield ok("webhooks.due", "nothing waits that could be sent")
    elif scene.server is None:
        yield note("webhooks.due", seen, "They go out when the server runs.")
    else:
        yield warning("webhooks.due", seen, "A receiver that hangs holds its own back: look for delivery lines in the log.")


def _resends(given_up: list[Any], now_us: int) -> Iterator[str]:
    """For each world a command that sends all of it again; it goes by when a callback was made, days before it was given up."""
    for kind in sorted({kind for *_, kind, _ in given_up}, key=str):
        of_this = [one for one in given_up if one[2] == kind]
        oldest_us = min(made_us for *_, made_us in of_this) - HOUR_US  # it is not typed at once
        days = 1 + (now_us - oldest_us) // (24 * HOUR_US)
        at = f" --endpoint {quote(of_this[0][0])}" if len(of_this) == 1 else ""
        yield f"callwright deliveries resend --failed --since {days}d{at}{_option(kind)}"


def endpoints(scene: Scene, survey: Survey) -> Findings:
    """Receivers that nothing is sent to any more."""
    now_us = scene.clock.now_us()
    disabled = _rows(survey, "doctor.disabled_endpoints", MOST)
    if not disabled:
        yield ok("webhooks.disabled", "no endpoint is disabled")
        return
    url, _, _, kind = disabled[0]
    seen = some([f"{one} ({why}, for {_age(now_us, since_us)})" for one, since_us, why, _ in disabled])
    test = _option(kind)
    yield warning(
        "webhooks.disabled",
        f"nothing is sent to {seen}",
        f"Mend the receiver, then: callwright endpoints enable {url}{test}; and callwright deliveries resend --failed{test} "
        f"--endpoint {url} for what it missed.",
    )


def failing(scene: Scene, survey: Survey) -> Findings:
    """Receivers that have taken nothing for a while, and what waits for them."""
    now_us = scene.clock.now_us()
    found = _rows(survey, "doctor.failing_endpoints", now_us - FAILING_US, MOST_WAITING, MOST)
    if not found:
        yield ok("webhooks.failing", "no endpoint fails for more than five minutes with something waiting for it")
        return
    seen = []
    for url, id_, _, since_us, status, error, count in found:
        waiting = f"{count} or more" if count == MOST_WAITING else count
        last = "not tried yet" if error is None else f"last error {status or error}"
        where = f"{Endpoint(UUID(bytes=id_), url).host} (endpoint {_text(id_)})"
        seen.append(f"{waiting} wait, the oldest for {_age(now_us, since_us)}, at {where}, {last}")
    url, _, kind, *_ = found[0]
    tell = warning if scene.server is not None else note
    yield tell(
        "webhooks.failing",
        "; ".join(seen[:MOST_TOLD]) + (f"; and {len(seen) - MOST_TOLD} endpoints more" if seen[MOST_TOLD:] else ""),
        f"Mend the receiver. What it answers: callwright deliveries list --endpoint {quote(url)} --state pending"
        f"{_option(kind)}, and deliveries show of one. They go out by themselves when it takes them.",
    )


def _option(kind: str | None) -> str:
    return " --test" if kind == "test" else ""


def heartbeats(scene: Scene, survey: Survey) -> Findings:
    """A stamp of the future gives ended calls a wrong end."""
    now_us = scene.clock.now_us()
    for name, at_us in _rows(survey, "doctor.heartbeats"):
        if at_us > now_us + 2 * SECOND_US:
            yield fault(
                "clock.heartbeat",
                f"node {name} was last seen {_age(at_us, now_us)} in the future",
                "The clock was set back: see to time synchronisation before the server starts again.",
            )
            return
    yield ok("clock.heartbeat", "not in the future")


def _after(scene: Scene, survey: Survey) -> int:
    """The calls after this position are looked at."""
    ((newest,),) = _rows(survey, "doctor.newest_pos")
    return -(1 << 62) if scene.deep else newest - NEWEST


def _rows(survey: Survey, query: str, *params: int) -> list[Any]:
    return survey.read(query, params)


def _text(id_: Any) -> str:
    return str(UUID(bytes=id_))


def _age(later_us: int, earlier_us: int) -> str:
    return span((later_us - earlier_us) / SECOND_US)
