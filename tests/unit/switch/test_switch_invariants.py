"""Whatever callers, callees and the API do, in whatever order: the record of every call stays sound."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from callwright.simulator.settings import CalleeScript
from callwright.switch.settings import CallSettings
from callwright.telephony import Cause
from support.invariants import check_record
from support.platform import Platform, run

NUMBER = "31205550123"
CALLEES = ("31205550191", "31205550192", "31205550193")

seconds = st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0, 1.5, 3.0, 8.0, 30.0])
scripts = st.builds(
    CalleeScript,
    answer_after=seconds,
    outcome=st.sampled_from(["answer", "answer", "busy", "no_answer", "fail"]),
    hangup_after=st.none() | seconds,
    digits=st.sampled_from(["", "1", "12#"]),
    early_media=st.booleans(),
)
steps: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(
        lambda to, timeout: {"action": "transfer", "options": {"destination": to, "ringTimeout": timeout}},
        st.sampled_from(CALLEES),
        st.sampled_from([5, 10, 60]),
    ),
    st.builds(lambda length: {"action": "pause", "options": {"length": length}}, seconds),
    st.just({"action": "hangup"}),
    st.just({"action": "say", "options": {"payload": "x"}}),
    st.just({"action": "play", "options": {"media": "http://sounds.test/none.wav"}}),
)
deeds = st.lists(
    st.tuples(seconds, st.sampled_from(["far", "delete_call", "delete_leg", "lose", "digit", "drain"]), st.integers(0, 3)),
    max_size=4,
)


def up_to_the_end(flow: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A flow with steps behind a hangup is not saved."""
    ends = [number for number, step in enumerate(flow, 1) if step["action"] == "hangup"]
    return flow[: ends[0]] if ends else flow


async def do(platform: Platform, deed: str, which: int) -> None:
    from callwright.calls import rows

    calls = platform.calls()
    legs = [leg for call in calls for leg in rows.legs_of(platform.store, platform.world.id, call.id)]
    wired = [leg for leg in legs if leg.id in platform.engine._legs]
    match deed:
        case "far" if wired:
            platform.engine.far_hangs_up(wired[which % len(wired)].id)
        case "digit" if wired:
            platform.engine.far_presses(wired[which % len(wired)].id, "5")
        case "lose" if wired:
            cause = (Cause.MEDIA_LOST, Cause.SIGNALLING_LOST)[which % 2]
            platform.engine.lose(wired[which % len(wired)].id, cause)
        case "delete_call" if calls:
            await platform.switch.hang_up_call(platform.world.id, calls[which % len(calls)].id)
        case "delete_leg" if legs:
            await platform.switch.hang_up_leg(platform.world.id, legs[which % len(legs)].id)
        case "drain":
            await platform.switch.drain(float(which))


@settings(max_examples=100)
@given(
    flow=st.lists(steps, min_size=1, max_size=4).map(up_to_the_end),
    callees=st.tuples(scripts, scripts, scripts),
    caller=scripts,
    inbound=st.booleans(),
    early_media=st.booleans(),
    story=deeds,
)
def test_no_story_breaks_a_record(
    flow: list[dict[str, Any]],
    callees: tuple[CalleeScript, ...],
    caller: CalleeScript,
    inbound: bool,
    early_media: bool,
    story: list[tuple[float, str, int]],
) -> None:
    async def tell(platform: Platform) -> None:
        await platform.number(NUMBER, flow)
        if inbound:
            platform.dial(NUMBER, caller)
        else:
            await platform.place(CALLEES[0], flow)
        for wait, deed, which in story:
            if wait:
                await platform.after(wait)
            await do(platform, deed, which)
        await platform.after(2_000)
        for call in platform.calls():
            check_record(platform.store, platform.world.id, call.id, over=True)
        assert platform.switch.live_calls == 0
        assert platform.engine.legs == 0

    run(
        tell, callees=dict(zip(CALLEES, callees, strict=True)), settings=CallSettings(max_duration=900, early_media=early_media)
    )
