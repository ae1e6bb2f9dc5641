"""Calls of a rehearsal, and their replays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from callwright.calls.rows import Told
from callwright.rehearsal.outcome import Outcome
from callwright.rehearsal.parties import Act, Party
from callwright.rehearsal.platform import Rehearsal, rehearse
from callwright.rehearsal.web import Reply
from callwright.replay.differences import Difference, differences
from callwright.replay.playing import Replayed, replay
from callwright.settings import Settings

NUMBER, CALLER, AGENT, OTHER = "31205550100", "31600000001", "31612345678", "31687654321"
Step = dict[str, Any]


def say(text: str, name: str = "", **more: Any) -> Step:
    options = {"payload": text, "language": "en-GB", "voice": "female"}
    return {"action": "say", "options": options, **({"id": name} if name else {}), **more}


def pause(seconds: float, name: str = "") -> Step:
    return {"action": "pause", "options": {"length": seconds}, **({"id": name} if name else {})}


def transfer(to: str = AGENT, name: str = "", **options: Any) -> Step:
    return {"action": "transfer", "options": {"destination": to, **options}, **({"id": name} if name else {})}


def called(
    steps: Sequence[Step],
    *acts: Act,
    callees: dict[str, Party] | None = None,
    web: dict[str, list[Reply]] | None = None,
    asked: dict[float, Callable[[Rehearsal, Any], Any]] | None = None,
    settings: Settings | None = None,
    **flow: Any,
) -> Outcome:
    """A call to a number with a flow, to its end; `asked` is what programs ask of it, by its second."""

    async def story(rehearsal: Rehearsal) -> Outcome:
        _expect(rehearsal, callees, web)
        await rehearsal.own(NUMBER, {"steps": list(steps), **flow})
        call_id = await rehearsal.dial(NUMBER, CALLER, Party(acts=acts))
        began_us = rehearsal.clock.now_us()
        for second, ask in (asked or {}).items():
            await rehearsal.clock.sleep(second - (rehearsal.clock.now_us() - began_us) / 1e6)
            await ask(rehearsal, call_id)
        return await rehearsal.over(call_id)

    return rehearse(story, settings)


def placed(steps: Sequence[Step], party: Party, *, callees: dict[str, Party] | None = None, **more: Any) -> Outcome:
    """A call that a program places."""

    async def story(rehearsal: Rehearsal) -> Outcome:
        _expect(rehearsal, callees, None)
        return await rehearsal.over(await rehearsal.place(NUMBER, AGENT, {"steps": list(steps)}, party, **more))

    return rehearse(story)


def _expect(rehearsal: Rehearsal, callees: dict[str, Party] | None, web: dict[str, list[Reply]] | None) -> None:
    for number, party in (callees or {}).items():
        rehearsal.network.expect(number, party)
    for url, replies in (web or {}).items():
        rehearsal.web.script(url, replies)


def again(
    recorded: Outcome | Sequence[Told], flow: dict[str, Any] | None = None, settings: Settings | None = None
) -> tuple[Replayed, list[Difference]]:
    """The replay of a call, and what is not as it was."""
    told = recorded.journal if isinstance(recorded, Outcome) else recorded
    replayed = replay(told, settings, flow)
    return replayed, differences(replayed.recorded, replayed.replayed, replayed.steps)


def in_short(replayed: Replayed, found: Sequence[Difference]) -> list[tuple[str, str, Any]]:
    """Each difference: its kind, which line it is about, and what of it."""
    short: list[tuple[str, str, Any]] = []
    for one in found:
        lines, place = (replayed.recorded, one.recorded) if one.recorded is not None else (replayed.replayed, one.replayed)
        assert place is not None
        what = one.later_s if one.kind == "shift" else one.fields
        short.append((one.kind, str(type(lines[place].entry).__name__), what))
    return short
