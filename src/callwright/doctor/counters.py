"""What is kept beside the rows so that lists are fast: whether the counters and the labels are those of the rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from callwright.doctor.findings import Finding, Findings, fault, ok, some
from callwright.doctor.scene import Scene
from callwright.errors import DataFolderError
from callwright.store.survey import Survey

# Without --deep so many positions of each list are looked at, from the newest on.
NEWEST = 20_000
EVER = 1 << 62
MOST = 20
# What counts, and what it is held against.
_BLOCK, _SPAN = ("block", "rows are"), ("span of blocks", "blocks count")
_FIX = "stop the server, and run callwright doctor --fix, which makes them anew from the rows."
REMEDY = f"Pages and totals of lists are wrong, or slow, until then: {_FIX}"
OF_LABELS = f"Lists by tag or metadata lack calls, or show too many, until then: {_FIX}"
_OVERFLOW = "integer overflow"  # as SQLite says it
_DEEP = "callwright doctor --deep compares all."


def calls(scene: Scene, survey: Survey) -> Findings:
    """The counters of calls, of the whole world and of each number."""
    newest = _whole(survey.read("doctor.newest_pos"))
    first = -EVER if scene.deep else newest - NEWEST
    wrong = _held(survey, "wrong_blocks_of_calls", partial(_of_calls, _BLOCK), first, MOST)
    wrong += _held(survey, "wrong_spans_of_calls", partial(_of_calls, _SPAN), first, MOST)
    yield _told("counters.calls", wrong, scene)


def lists(scene: Scene, survey: Survey) -> Findings:
    """Those of call flows, numbers, webhooks, recordings and transcriptions."""
    wrong = _held(survey, "wrong_blocks_of_lists", partial(_of_list, _BLOCK), EVER if scene.deep else NEWEST, MOST)
    wrong += _held(survey, "wrong_spans_of_lists", partial(_of_list, _SPAN), MOST)
    yield _told("counters.lists", wrong, scene)


def staged(scene: Scene, survey: Survey) -> Findings:
    """What is still to be counted: nothing, between two transactions."""
    left = _whole(survey.read("doctor.uncounted"))
    if left:
        yield fault(
            "counters.staged",
            f"{left} changes of calls are not counted: something other than Callwright wrote them",
            "The next call puts it right where a server runs; else callwright doctor --fix does.",
        )
    else:
        yield ok("counters.staged", "every change is counted")


def labels(scene: Scene, survey: Survey) -> Findings:
    """Tags and metadata, and what calls are found by."""
    newest = _whole(survey.read("doctor.newest_pos"))
    first = -EVER if scene.deep else newest - NEWEST
    missing = [f"call {UUID(bytes=row[0])}" for row in _wrong(survey, "labels_missing", first, MOST)]
    left = [f"{value!r}"[:40] for _, _, value in _wrong(survey, "labels_left", MOST)] if scene.deep else []
    if missing or left:
        told = [f"not found by a tag or metadata of its own: {some(missing)}"] if missing else []
        told += [f"found by what no call has: {some(left)}"] if left else []
        yield fault("records.labels", "; ".join(told), OF_LABELS)
    else:
        yield ok("records.labels", f"calls are found by their tags and metadata{_extent(scene)}")


def _told(check: str, wrong: list[str], scene: Scene) -> Finding:
    if wrong:
        return fault(check, f"counters are wrong: {some(wrong)}", REMEDY)
    return ok(check, f"counters and rows agree{_extent(scene)}")


def _extent(scene: Scene) -> str:
    return "" if scene.deep else f", of the newest {NEWEST}; {_DEEP}"


def _of_calls(held: tuple[str, str], number_id: bytes, counted: int | None, there: int | None) -> str:
    of = f"number {UUID(bytes=number_id)}" if number_id else "all calls"
    if counted == there:
        return f"a {held[0]} of {of} counts them right in all, and wrong by status, direction or time"
    return _of_list(held, of, counted, there)


def _of_list(held: tuple[str, str], name: str, counted: int | None, there: int | None) -> str:
    return f"a {held[0]} of {name} counts {counted or 0}, and its {held[1]} {there or 0}"


def _held(survey: Survey, query: str, tell: Callable[..., str], *params: int) -> list[str]:
    """What there is to tell of counters held against what they count."""
    try:
        return [tell(*row) for row in _wrong(survey, query, *params)]
    except DataFolderError as error:
        if _OVERFLOW not in str(error):
            raise
        return ["some are too large to be summed"]


def _wrong(survey: Survey, query: str, *params: int) -> list[Any]:
    return survey.read(f"doctor.{query}", params)


def _whole(rows: Any) -> int:
    ((value,),) = rows
    return int(value or 0)


CHECKS: tuple[Callable[[Scene, Survey], Findings], ...] = (calls, lists, staged, labels)
