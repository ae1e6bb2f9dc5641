"""What a test says of a call, made into what a rehearsal takes: who does what, and what answers for URLs.

All is looked at before the call: in Python nobody has checked it yet, and what is passed over in silence tests nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import msgspec

from callwright import settings as settings_
from callwright.egress import Answer
from callwright.errors import SettingsError
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.prompts import SoundReply
from callwright.rehearsal.web import Reply, Request, Service
from callwright.scenarios.rules import no_url, party_breaches
from callwright.settings import Settings
from callwright.simulator.settings import Outcome
from callwright.testing.services import reply_of
from callwright.testing.stage import Stage
from callwright.trunks import routes

__tracebackhide__ = True

Checked = TypeVar("Checked", bound=msgspec.Struct)

KEYS = frozenset("0123456789*#ABCD")
# After the answer: when keys that are given without a time are pressed, and words are said.
KEYS_AT_S = 0.5
WORDS_AT_S = 1.0

# What somebody does on hearing a text: keys that are pressed, words that are said, or an act; of several one each time.
Doing = str | Act | Sequence[str | Act]
# What answers for a URL: a flow, a status or such, some of them in turn, or a function or application.
Answering = object


def checked_keys(keys: str) -> str:
    """Raises ValueError for what no telephone has."""
    if not isinstance(keys, str) or not KEYS.issuperset(keys):
        raise ValueError(f'Keys are a text of 0-9, *, # and A-D, such as "12#"; this is {keys!r}.')
    return keys


def checked_text(text: str, what: str) -> str:
    """Raises ValueError for nothing, or what is no text."""
    if not isinstance(text, str) or not text:
        raise ValueError(f"What {what} is a text, and not empty; this is {text!r}.")
    return text


def kind_of(name: str, given: object, kind: type | tuple[type, ...], wanted: str) -> None:
    """Raises TypeError where something is of another kind; of a list, a text is another too."""
    if not isinstance(given, kind) or (kind is Sequence and isinstance(given, str | bytes)):
        raise TypeError(f"{name} is {wanted}; this is {given!r}.")


def address(given: str) -> str:
    """A number as the server has it on record, or a URI as it is. Raises ValueError for what is neither."""
    kind_of("A number", given, str, 'a text, such as "31612345678"')
    known = routes.address(given)
    if known is None:
        raise ValueError(f"{given!r} is neither a telephone number of 3 to 15 digits nor a URI such as sip:user@host.")
    return known


def party(
    like: Party | str,
    *,
    keys: str = "",
    hears: Mapping[str, Doing] | Sequence[tuple[str, Doing]] = (),
    says: str | Mapping[float, str] = "",
    acts: Sequence[Act] = (),
    hangs_up: float | None = None,
) -> Party:
    """Raises ValueError or TypeError for what nobody can do."""
    base = _like(like)
    kind_of("acts", acts, Sequence, "a list, such as [Act(at=2, hangs_up=True)]")
    kind_of("says", says, (str, Mapping), 'a text, or texts by their seconds, such as {2.0: "Hello"}')
    done = [*base.acts, *acts]
    if keys:
        done.append(Act(at=KEYS_AT_S, press=checked_keys(keys)))
    words = {WORDS_AT_S: says} if isinstance(says, str) else says
    done += [Act(at=at, says=text) for at, text in words.items() if text]
    for text, doing in _pairs(hears):
        done += _upon(text, doing)
    if hangs_up is not None:
        done.append(Act(at=hangs_up, hangs_up=True))
    made = _checked(msgspec.structs.replace(base, acts=tuple(done)), "Nobody can do this")
    for breach in party_breaches(made, "party"):
        raise ValueError(f"Nobody can do this: {breach.key}: {breach.sentence}.")
    return made


def _pairs(hears: Mapping[str, Doing] | Sequence[tuple[str, Doing]]) -> list[tuple[str, Doing]]:
    pairs = [*hears.items()] if isinstance(hears, Mapping) else hears
    if isinstance(pairs, str) or not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        raise TypeError(f'hears has what is done by what is heard, such as {{"Press one": "1"}}; this is {hears!r}.')
    return [(text, doing) for text, doing in pairs]


def _like(given: Party | str) -> Party:
    if isinstance(given, Party):
        return given
    outcomes = get_args(Outcome)
    if given not in outcomes:
        raise ValueError(f"Who is called does one of {', '.join(outcomes)}, or is a Party; this is {given!r}.")
    return Party(outcome=cast("Outcome", given))


def _upon(text: str, doing: Doing) -> list[Act]:
    if not text or not doing:
        raise ValueError(f"hears has a text and what is then done, and neither is empty; this is {text!r}: {doing!r}.")
    if isinstance(doing, Act):
        return [msgspec.structs.replace(doing, hears=text)]
    if isinstance(doing, str):
        return [Act(hears=text, press=doing) if KEYS.issuperset(doing) else Act(hears=text, says=doing)]
    if not isinstance(doing, Sequence):
        raise TypeError(f'On hearing {text!r} one presses or says a text, such as "1", or does an Act; this is {doing!r}.')
    return [act for one in doing for act in _upon(text, one)]


def answer_for(stage: Stage, url: str, answering: Answering) -> None:
    """Raises ValueError for a URL that no request would be found by, TypeError for what is no answer."""
    if "?" in url or "#" in url:
        bare = url.partition("?")[0].partition("#")[0]
        raise ValueError(f"web has URLs without their query, such as {bare!r}; this is {url!r}.")
    if (why := no_url(url)) is not None:
        raise ValueError(f"web: {why}.")
    web = stage.rehearsal.web
    if callable(answering):
        web.serve(url, _caught(stage, cast("Callable[[Request], object]", answering)))
    elif isinstance(answering, list | tuple) and not all(isinstance(one, Mapping) and "action" in one for one in answering):
        web.script(url, [_reply(one) for one in answering])
    else:
        web.script(url, [_reply(answering)])


def _reply(given: object) -> Reply:
    return _checked(reply_of(given), "No server answers like this")


def _caught(stage: Stage, program: Callable[[Request], object]) -> Service:
    """What a program raises is for the test; the call has the answer that a server gives then."""

    def answer(request: Request) -> Reply | Answer:
        try:
            given = program(request)
            return given if isinstance(given, Answer) else _reply(given)
        except BaseException as error:
            stage.raised = stage.raised or error
            return Reply(status=500)

    return answer


def sound(given: float | SoundReply) -> SoundReply:
    reply = given if isinstance(given, SoundReply) else SoundReply(seconds=given)
    return _checked(reply, "No sound is like this")


def settings_of(given: Mapping[str, object]) -> Settings:
    """Raises `SettingsError`, and TypeError for what has no names. No file is read."""
    named = isinstance(given, Mapping) and all(isinstance(name, str) for name in given)
    if not named or any(isinstance(value, Mapping) and "." not in name for name, value in given.items()):
        raise TypeError(f'settings has values by name, such as {{"calls.ring_timeout": 5}}; this is {given!r}.')
    try:
        return settings_.load(given, {}, None, Path(os.devnull)).settings if given else Settings()
    except SettingsError as error:
        raise SettingsError(str(error).replace(" (command line)", "")) from None


def _checked(made: Checked, sentence: str) -> Checked:
    """Itself; ValueError where a value is out of its bounds, or of another kind."""
    try:
        return msgspec.convert(_given(made), type(made))
    except msgspec.ValidationError as error:
        raise ValueError(f"{sentence}: {_in_words(str(error))}.") from None


_KINDS = {"float": "a number", "int": "a whole number", "str": "a text", "bool": "True or False", "null": "None"}


def _in_words(misfit: str) -> str:
    """
    >>> _in_words("Expected `float | null`, got `str` - at `$.acts[0].at`")
    'acts[0].at: expected a number or None, got a text'
    """
    what, _, where = misfit.partition(" - at `$")
    kinds = re.sub("`([a-z |]+)`", lambda found: " or ".join(_KINDS.get(kind, kind) for kind in found[1].split(" | ")), what)
    place = where.strip("`.")
    return f"{place}: {kinds[0].lower()}{kinds[1:]}" if place else kinds


def _given(made: Any) -> Any:
    """As it would be written in a file: what is left out stays out."""
    if isinstance(made, msgspec.Struct):
        values = ((field, getattr(made, field.name)) for field in msgspec.structs.fields(made))
        return {field.name: _given(value) for field, value in values if value != field.default}
    return [_given(one) for one in made] if isinstance(made, tuple | list) else made
