"""Who is at the far end of a leg, and what they do: the script of a caller or callee.

It is a script of the simulator (`simulator.settings`) as scenarios write it: acts wait for what is heard, not until the flow
asks; there are no short forms; and what is said for 0 s takes no time, where there it takes as long as the text needs.
"""

from __future__ import annotations

from typing import Annotated, Self

import msgspec
from msgspec import Meta

from callwright.simulator.settings import DOES, CalleeScript, Outcome, Seconds, SipCode

Keys = Annotated[
    str, Meta(pattern=r"^[0-9*#A-D]{0,64}$", extra={"allowed": "up to 64 of the keys 0-9, *, # and A-D, without blanks"})
]
# A number, or a URI such as sip:user@host; whoever reads it brings a number into the form that records have.
Address = Annotated[str, Meta(min_length=1, max_length=255, extra={"address": True})]


class Act(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing a party does, and when: `at` a time, or `after` it has heard something.

    Acts that wait to hear something wait for one another, in their order. Exactly one thing is done.
    """

    at: Annotated[Seconds | None, Meta(description="Seconds after the party's answer.")] = None
    hears: Annotated[
        str, Meta(description="A text that is spoken to it, or a URL that is played, or a part of one, in any case of letters.")
    ] = ""
    interrupts: Annotated[bool, Meta(description="Do it once that begins, rather than once it has been said.")] = False
    after: Annotated[Seconds, Meta(description="Seconds after it has heard that.")] = 0.0
    press: Annotated[Keys, Meta(description="Press keys, `key_gap` apart.")] = ""
    says: Annotated[str, Meta(description="Say something: voice detection and recordings take note.")] = ""
    speaks_for: Annotated[
        Seconds | None, Meta(description="How long that takes, or how long it speaks; without it 15 characters a second.")
    ] = None
    beeps: Annotated[bool, Meta(description="Beep as an answering machine does.")] = False
    holds: Annotated[bool, Meta(description="Put us on hold.")] = False
    resumes: Annotated[bool, Meta(description="Take us off hold.")] = False
    transfers_to: Annotated[Address, Meta(description="Ask to be replaced by somebody else (a blind transfer).")] = ""
    hangs_up: Annotated[bool, Meta(description="Hang up.")] = False

    @property
    def what(self) -> str:
        """What is done, in words that follow "does"."""
        if self.press:
            return f"press {self.press}"
        if self.says or self.speaks_for is not None:
            return f'say "{self.says}"' if self.says else "speak"
        if self.transfers_to:
            return f"ask for a transfer to {self.transfers_to}"
        words = {"beeps": "beep", "holds": "hold", "resumes": "resume", "hangs_up": "hang up"}
        return next((word for name, word in words.items() if getattr(self, name)), "do anything")


class Party(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A far end. What comes before the answer is a callee's alone."""

    answer_after: Annotated[Seconds, Meta(description="Seconds it rings before its outcome.")] = 1.0
    outcome: Annotated[
        Outcome,
        Meta(
            description="What it does then; with no_answer it rings until it is given up, with no_response nothing is ever "
            "heard of it, which is found out after 32 s."
        ),
    ] = "answer"
    sip_code: Annotated[
        SipCode | None,
        Meta(description="The SIP code of one that is busy or fails; without it 486 and 503."),
    ] = None
    early_media: Annotated[bool, Meta(description="Whether it can be heard before it answers.")] = False
    takes_transfers: Annotated[bool, Meta(description="Whether it calls somebody else when it is asked to.")] = True
    key_gap: Annotated[Seconds, Meta(description="Seconds from one key to the next.")] = 0.3
    acts: Annotated[tuple[Act, ...], Meta(description="What it does, once it is answered.")] = ()

    @classmethod
    def of(cls, script: CalleeScript) -> Self:
        """Who does as a script of the simulator says; waiting to be asked (`when_asked`) is not in it."""
        return cls(
            answer_after=script.answer_after,
            outcome=script.outcome,
            sip_code=script.sip_code,
            early_media=script.early_media,
            takes_transfers=script.takes_transfers,
            key_gap=script.digit_gap,
            acts=tuple(
                Act(at=act.at, speaks_for=act.speaks_for or None, **{name: getattr(act, name) for name in DOES})
                for act in script.plan()
            ),
        )

    @property
    def script(self) -> CalleeScript:
        """What the simulator is told of it: all but its acts, which a `Performer` has it do."""
        return CalleeScript(
            answer_after=self.answer_after,
            outcome=self.outcome,
            sip_code=self.sip_code,
            early_media=self.early_media,
            takes_transfers=self.takes_transfers,
        )

    @property
    def plain(self) -> bool:
        """Whether nothing is said of it: it answers after a second and stays."""
        return all(getattr(self, name) == default for name, default in _PLAIN.items())


_PLAIN = msgspec.structs.asdict(Party())
