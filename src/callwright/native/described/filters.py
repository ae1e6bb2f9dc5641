"""What calls are looked for by: the same words for the list, its export and the live feed (`native.filters`)."""

from __future__ import annotations

from enum import Enum

from callwright.calls.labels import LONGEST_VALUE, NAME_PATTERN
from callwright.calls.model import CallStatus, Direction
from callwright.native.asking import MOMENT
from callwright.native.filters import LONGEST_DURATION_S, LONGEST_RANGE_DAYS, METADATA, SHORTEST_END
from callwright.openapi.operation import Parameter
from callwright.openapi.shapes import choice, identity, moment, several, text, texts_by_pattern, whole
from callwright.reasons import Reason


def _words(name: str, words: type[Enum], example: Enum, said: str) -> Parameter:
    return Parameter(name, several(choice("A word of the list.", words, example.value), said), repeated=True)


_SOUGHT = (
    f"`31612345678` whole, `316*` its beginning, `*5678` its end of at least {SHORTEST_END} characters, `*345*` anywhere, "
    f"which needs a created range of at most {LONGEST_RANGE_DAYS} days. A `+` is one, and never a space."
)
_METADATA_NAMED = "^" + METADATA.replace(".", r"\.") + NAME_PATTERN.removeprefix("^")

FILTERS = (
    _words("status", CallStatus, CallStatus.ENDED, "Any of these statuses; several times, or once with commas."),
    Parameter("direction", choice("Of the first leg.", Direction)),
    Parameter("source", text(f"Who called: {_SOUGHT}", "316*")),
    Parameter("destination", text(f"Who was called: {_SOUGHT}", "31205550100")),
    Parameter("number", text("A number of this world, by its digits or its id.", "31205550100")),
    Parameter("flow", identity("The flow that answered.")),
    _words("reason", Reason, Reason.BUSY, "Any of these reasons why the first leg ended; several times, or once with commas."),
    Parameter("tag", several(text("A tag.", "vip"), "All of these tags; one each time it is given."), repeated=True),
    Parameter(
        "metadata",
        texts_by_pattern(
            f"A metadata value: `{METADATA}customer=42`. Several names may be asked for, each once.",
            _METADATA_NAMED,
            {f"{METADATA}customer": "42"},
            minLength=1,
            maxLength=LONGEST_VALUE,
        ),
        open=True,
    ),
    Parameter("createdFrom", moment("Made at this time or later.", MOMENT)),
    Parameter("createdTo", moment("Made before this time.", "2026-05-05T10:00:00Z")),
    Parameter("endedFrom", moment("Over at this time or later.", MOMENT)),
    Parameter("endedTo", moment("Over before this time.", "2026-05-05T10:00:00Z")),
    Parameter("durationFrom", whole("Seconds from answer to end, at least.", 10, 0, LONGEST_DURATION_S)),
    Parameter("durationTo", whole("Seconds from answer to end, at most.", 60, 0, LONGEST_DURATION_S)),
)
SORT = Parameter("sort", choice("`newest` first, or `oldest`.", ("newest", "oldest"), "newest") | {"default": "newest"})
