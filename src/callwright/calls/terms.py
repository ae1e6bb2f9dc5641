"""What a filter asks of a row of `calls`, and which indexes know of it, as SQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from callwright.calls.filters import At, CallFilter, Sought
from callwright.calls.lists import CELLS, cell_terms
from callwright.store import Param

# What comes after all that begins with a text begins with it and this.
_HIGHEST = "\U0010ffff"
# The index of ends has so many characters.
END = 4

# Seconds from answer to end as `Call.duration_s` has them: rounded up, 0 where either is not there.
DURATION_S = "COALESCE((ended_us - answered_us + 999999 * (ended_us > answered_us)) / 1000000, 0)"
_LABELLED = "SELECT 1 FROM call_labels WHERE world_id = :world AND name = {name} AND value = {value} AND pos = calls.pos"


class Term(NamedTuple):
    """One thing that is asked for, as a condition on a row.

    Where an index knows of it, its `arms` give the positions of its calls, together if there are several: each is to be
    continued by a condition on `pos`. What an index finds must be `checked` where it knows only a part. It has the positions
    in order, or else (`ordered`) they must be sorted.
    """

    condition: str
    arms: tuple[str, ...] = ()
    checked: bool = False
    ordered: bool = True


class Terms(NamedTuple):
    """The `facets` that the counters know, which have arms always, and what else there is; with what their texts name."""

    facets: Term
    others: list[Term]
    params: dict[str, Param]


def terms_of(world_id: UUID, wanted: CallFilter) -> Terms:
    """The terms of a filter; of equally good indexes that of an earlier term is to be preferred."""
    params: dict[str, Param] = {"world": world_id.bytes}
    others = [
        *_party("source", wanted.source, params),
        *_party("destination", wanted.destination, params),
        *_labels(wanted, params),
        *_flow(wanted, params),
        *_reasons(wanted),
        *_times(wanted, params),
    ]
    return Terms(_facets(wanted, params), others, params)


def _facets(wanted: CallFilter, params: dict[str, Param]) -> Term:
    cells = [
        cell for cell in CELLS if wanted.direction in (None, cell[0]) and (not wanted.statuses or cell[1] in wanted.statuses)
    ]
    told = len(cells) < len(CELLS)
    index = {
        (False, False): "calls_by_pos",
        (False, True): "calls_by_status",
        (True, False): "calls_by_number",
        (True, True): "calls_by_number_status",
    }[wanted.number_id is not None, told]
    others = []
    if wanted.number_id is not None:
        params["number"] = wanted.number_id.bytes
        others.append("number_id = :number")
    if wanted.created is not None:
        params["created_from"], params["created_to"] = wanted.created
        others.append("created_us >= :created_from AND created_us < :created_to")
    either = "(" + " OR ".join(cell_terms(*cell) for cell in cells) + ")"
    return Term(
        condition=" AND ".join([either, *others] if told else others),
        arms=tuple(
            f"FROM calls INDEXED BY {index} WHERE {' AND '.join(['world_id = :world', *terms])}"
            for terms in ([[cell_terms(*cell), *others] for cell in cells] if told else [others])
        ),
    )


def _party(column: str, sought: Sought | None, params: dict[str, Param]) -> Iterator[Term]:
    """`column` is ``source`` or ``destination``."""
    if sought is None:
        return
    text = sought.text
    params[column] = text
    match sought.at:
        case At.WHOLE:
            yield _indexed(f"calls_by_{column}", f"{column} = :{column}")
        case At.BEGINNING:
            params[f"{column}_after"] = text + _HIGHEST
            among = f"{column} >= :{column} AND {column} < :{column}_after"
            yield _indexed(f"calls_by_{column}", among)._replace(ordered=False)
        case At.END if len(text) >= END:
            params[f"{column}_end"] = text[-END:]
            arm = _indexed(f"calls_by_{column}_end", f"substr({column}, -{END}) = :{column}_end").arms
            yield Term(f"substr({column}, -{len(text)}) = :{column}", arm, checked=len(text) > END)
        case At.END:
            yield Term(f"substr({column}, -{len(text)}) = :{column}")
        case At.ANYWHERE:
            yield Term(f"instr({column}, :{column}) > 0")


def _labels(wanted: CallFilter, params: dict[str, Param]) -> Iterator[Term]:
    labels = [("", tag) for tag in sorted(wanted.tags)] + sorted(wanted.metadata)
    for n, label in enumerate(labels):
        params[f"name_{n}"], params[f"value_{n}"] = label
        exists = _LABELLED.format(name=f":name_{n}", value=f":value_{n}")
        arm = f"FROM call_labels WHERE world_id = :world AND name = :name_{n} AND value = :value_{n}"
        yield Term(f"EXISTS ({exists})", (arm,))


def _flow(wanted: CallFilter, params: dict[str, Param]) -> Iterator[Term]:
    if wanted.flow_id is not None:
        params["flow"] = wanted.flow_id.bytes
        yield _indexed("calls_by_flow", "flow_id = :flow")


def _reasons(wanted: CallFilter) -> Iterator[Term]:
    if wanted.reasons:
        each = [_indexed("calls_by_reason", f"reason = '{reason}'") for reason in sorted(one.value for one in wanted.reasons)]
        either = " OR ".join(term.condition for term in each)
        yield Term(f"({either})", tuple(arm for term in each for arm in term.arms))


def _times(wanted: CallFilter, params: dict[str, Param]) -> Iterator[Term]:
    if wanted.ended is not None:
        params["ended_from"], params["ended_to"] = wanted.ended
        yield Term("ended_us >= :ended_from AND ended_us < :ended_to")
    if wanted.duration is not None:
        params["duration_from"], params["duration_to"] = wanted.duration
        yield Term(f"{DURATION_S} BETWEEN :duration_from AND :duration_to")


def _indexed(index: str, condition: str) -> Term:
    return Term(condition, (f"FROM calls INDEXED BY {index} WHERE world_id = :world AND {condition}",))
