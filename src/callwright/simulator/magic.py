"""Numbers that do what their last digits say, in every test world and without any set-up.

They begin with 999, a country code that the ITU has given to nobody (ITU-T E.164, list of country codes assigned), so that no
subscriber has such a number and a trunk that is handed one by mistake leads it nowhere. Ranges kept for films and examples,
as +1 555 01xx, are national, and their last digits are too few.
"""

from __future__ import annotations

from typing import NamedTuple

from callwright.simulator.settings import Act, CalleeScript
from callwright.telephony import phrase_of

PREFIX = "99900000"
REFUSALS = range(300, 700)


class Row(NamedTuple):
    """What happens at ``PREFIX + last``, in words for the page, and as a script.

    `status` and `reason` are what a leg there comes to that is never answered, as it stands on record.
    """

    last: str
    sentence: str
    script: CalleeScript
    status: str = ""
    reason: str = ""

    @property
    def number(self) -> str:
        return PREFIX + self.last


def _refuses(code: int, sentence: str, status: str = "failed", reason: str = "rejected") -> Row:
    return Row(
        str(code), f"{sentence} ({code} {phrase_of(code)}).", CalleeScript(outcome="fail", sip_code=code), status, reason
    )


def _acts(*acts: Act) -> CalleeScript:
    return CalleeScript(acts=acts)


GREETING = "You have reached the voice mail of Alice. Please leave a message after the tone."
TABLE = (
    Row("200", "Answers after a second and stays.", CalleeScript()),
    Row("201", "Answers and hangs up at once.", _acts(Act(hangs_up=True))),
    Row("205", "Answers and hangs up after 5 s.", _acts(Act(at=5.0, hangs_up=True))),
    Row("230", "Rings for 30 s, then answers.", CalleeScript(answer_after=30.0)),
    Row(
        "180",
        "Rings until it is given up, after `calls.ring_timeout`.",
        CalleeScript(outcome="no_answer"),
        "no_answer",
        "ring_timeout",
    ),
    Row("183", "Can be heard before it answers, after 5 s (early media).", CalleeScript(answer_after=5.0, early_media=True)),
    Row(
        "000",
        "Nothing is ever heard of it; it is given up after 32 s.",
        CalleeScript(outcome="no_response"),
        "failed",
        "no_response",
    ),
    Row(
        "210",
        "A machine: it speaks for 5 s, and beeps.",
        _acts(Act(says=GREETING, speaks_for=5.0), Act(at=5.5, beeps=True)),
    ),
    Row("211", "A machine that does not beep: it speaks for 5 s.", _acts(Act(says=GREETING, speaks_for=5.0))),
    Row("220", "Presses 1 two seconds after its answer.", _acts(Act(at=2.0, press="1"))),
    Row("221", "Presses 1234# two seconds after its answer.", _acts(Act(at=2.0, press="1234#"))),
    Row("222", "Presses 1 whenever it is asked for a key, up to ten times.", _acts(*[Act(when_asked=True, press="1")] * 10)),
    Row("223", 'Says "Hello, this is Alice." as soon as it has answered.', _acts(Act(at=0.3, says="Hello, this is Alice."))),
    Row(
        "224",
        'Says "Yes, please." whenever it is asked, up to ten times.',
        _acts(*[Act(when_asked=True, says="Yes, please.")] * 10),
    ),
    Row("225", "Speaks for a minute.", _acts(Act(at=0.3, speaks_for=60.0))),
    Row("240", "Answers, and would not be transferred (SIP REFER).", CalleeScript(takes_transfers=False)),
    Row("241", f"Asks after 3 s to be replaced by {PREFIX}200 (SIP REFER).", _acts(Act(at=3.0, transfers_to=f"{PREFIX}200"))),
    Row("242", "Puts us on hold after 3 s, for 5 s.", _acts(Act(at=3.0, holds=True), Act(at=8.0, resumes=True))),
    _refuses(302, "Sends us elsewhere, which is not followed", "failed", "redirect_refused"),
    _refuses(403, "Forbids the call"),
    _refuses(404, "There is no such number"),
    _refuses(408, "Timed out further on", "no_answer", "no_answer"),
    _refuses(480, "Not available now", "no_answer", "no_answer"),
    _refuses(486, "Is busy", "busy", "busy"),
    _refuses(487, "Was given up further on", "no_answer", "no_answer"),
    _refuses(488, "Shares no codec"),
    _refuses(500, "Fails"),
    _refuses(503, "Is overloaded, or out of order"),
    _refuses(600, "Is busy everywhere", "busy", "busy"),
    _refuses(603, "Declines"),
)
_SCRIPTS = {row.number: row.script for row in TABLE}
_NOBODY = CalleeScript(outcome="fail", sip_code=404)


def script(number: str) -> CalleeScript | None:
    """What is done at a number of the range; None for any other. Those that are not in the table refuse with the SIP code they
    end with, or 404 where that is none.
    """
    if not number.startswith(PREFIX):
        return None
    found = _SCRIPTS.get(number)
    if found is None:
        last = number.removeprefix(PREFIX)
        code = int(last) if last.isascii() and last.isdecimal() and len(last) == 3 else 0
        found = CalleeScript(outcome="fail", sip_code=code) if code in REFUSALS else _NOBODY
    return found
