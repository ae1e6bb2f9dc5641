"""Who is at the far end of a leg, and what they do: the script of a caller or callee."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Keys = Annotated[str, Meta(pattern=r"^[0-9*#A-D]{0,64}$")]


class Act(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing a party does, and when: `at` seconds after its answer, or `after` seconds after it has heard something.

    `hears` is a text that is spoken to it, or a part of one, or a part of a URL that is played, in any case of letters; such
    acts wait for one another, in their order. Once it was said is meant; with `interrupts`, once it begins. Exactly one of the
    other fields says what is done.
    """

    at: Seconds | None = None
    hears: str = ""
    interrupts: bool = False
    after: Seconds = 0.0
    press: Keys = ""
    says: str = ""
    speaks_for: Seconds | None = None  # how long `says` takes, where it is not to be estimated
    beeps: bool = False
    holds: bool = False
    resumes: bool = False
    transfers_to: str = ""
    hangs_up: bool = False


class Party(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A far end. What comes before the answer is a callee's alone."""

    answer_after: Seconds = 1.0
    outcome: Literal["answer", "busy", "no_answer", "fail"] = "answer"
    sip_code: Annotated[int, Meta(ge=300, le=699)] | None = None
    early_media: bool = False
    takes_transfers: bool = True
    key_gap: Seconds = 0.3
    acts: tuple[Act, ...] = ()
