"""Flows of every kind on calls to which everything happens: each call ends, and each leg and recording with it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from callwright.calls import rows
from callwright.calls.labels import Relabelling
from callwright.errors import Problem
from callwright.flows.check import check
from callwright.flows.schema import compile_flow
from callwright.flows.settings import FlowSettings
from callwright.reasons import Reason
from callwright.recordings import rows as recording_rows
from callwright.simulator.settings import CalleeScript
from callwright.switch.settings import CallSettings
from callwright.telephony import Cause
from support.flow_strategies import bodies
from support.invariants import check_record
from support.platform import Platform, run, write_wav

NUMBER = "31205550123"
CALLEES = ("31205550199", "31205550192", "31205550193")
Sounds = tuple[Path, Path]

seconds = st.sampled_from([0.0, 0.0, 0.1, 0.5, 1.0, 2.5, 8.0])
scripts = st.builds(
    CalleeScript,
    answer_after=st.sampled_from([0.0, 0.3, 1.0, 8.0]),
    outcome=st.sampled_from(["answer", "answer", "answer", "answer", "busy", "no_answer", "fail"]),
    hangup_after=st.sampled_from([None, None, None, 0.0, 0.5, 5.0, 60.0]),
    digits=st.sampled_from(["", "1", "12#"]),
    speaks_after=st.none() | st.sampled_from([0.2, 3.5]),
    speaks_for=st.sampled_from([0.5, 4.0]),
    greeting=st.sampled_from([0.0, 5.0]),
    beep=st.none() | st.just(6.0),
    takes_transfers=st.booleans(),
    early_media=st.booleans(),
)
DEEDS = (
    "far", "digit", "speak", "hush", "beep", "far hold", "far refer", "lose",
    "replace", "add", "hold", "unhold", "refer", "pause", "resume", "delete call", "delete leg", "label",
)  # fmt: skip
deeds = st.lists(st.tuples(seconds, st.sampled_from(DEEDS), st.integers(0, 6)), max_size=16)


@st.composite
def flows_that_talk(draw: st.DrawFn) -> dict[str, Any]:
    """A flow whose first step is a transfer, perhaps recorded, that keys may end."""
    options = {"destination": CALLEES[1], "record": draw(st.sampled_from(["in", "out", "both"]))}
    first = {"id": "talk", "action": "transfer", "options": options}
    if draw(st.booleans()):
        first["onKeypressVar"] = "choice"
    flow = draw(bodies())
    return {**flow, "steps": [first, *flow["steps"]]}


async def far(platform: Platform, deed: str, which: int) -> None:
    """Something that the far end of a leg does."""
    engine = platform.engine
    legs = list(engine._legs)
    if not legs:
        return
    leg = legs[which % len(legs)]
    match deed:
        case "far":
            engine.far_hangs_up(leg)
        case "digit":
            engine.far_presses(leg, "123#*A9"[which])
        case "speak" | "hush":
            engine.far_speaks(leg, deed == "speak")
        case "beep":
            engine.far_beeps(leg)
        case "far hold":
            engine.far_holds(leg, ("inactive", "sendonly", "sendrecv")[which % 3])
        case "far refer":
            engine.far_asks_for_transfer(leg, CALLEES[which % 3])
        case "lose":
            engine.lose(leg, (Cause.MEDIA_LOST, Cause.SIGNALLING_LOST)[which % 2])


async def ask(platform: Platform, deed: str, which: int, other: dict[str, Any]) -> None:
    """Something that a program asks for."""
    switch, world_id = platform.switch, platform.world.id
    call = platform.calls()[which % len(platform.calls())]
    legs = rows.legs_of(platform.store, world_id, call.id)
    leg = legs[which % len(legs)]
    made = recording_rows.of_call(platform.store, world_id, call.id, limit=100, offset=0).recordings
    match deed:
        case "replace":
            await switch.replace_flow(world_id, call.id, compile_flow(other), other)
        case "add":
            await switch.add_party(world_id, call.id, CALLEES[which % 3], None)
        case "hold" | "unhold":
            await switch.hold_leg(world_id, leg.id, on=deed == "hold")
        case "refer":
            await switch.refer_leg(world_id, call.id, leg.id, CALLEES[which % 3])
        case "pause" if made:
            await switch.pause_recording(world_id, made[which % len(made)].id)
        case "resume" if made:
            await switch.resume_recording(world_id, made[which % len(made)].id)
        case "delete call":
            await switch.hang_up_call(world_id, call.id)
        case "label":
            change = Relabelling(added=(f"asked-{which}",), removed=("vip",), metadata={"choice": None, "asked": str(which)})
            await switch.label_call(world_id, call.id, change)
        case "delete leg":
            await switch.hang_up_leg(world_id, leg.id)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Sounds:
    """A short one and a long one."""
    folder = tmp_path_factory.mktemp("sounds")
    return write_wav(folder / "short.wav", 0.5), write_wav(folder / "long.wav", 6)


def furnish(platform: Platform, sounds: Sounds, fetched: list[dict[str, Any] | str], slow: float) -> None:
    short, long = sounds
    platform.sounds.sounds = {"https://sounds.test/a.wav": short, "file:a.wav": long, "https://sounds.test/b.mp3": "HTTP 404"}
    platform.speech.texts = {"Hello.": [short, long], "Press one.": [short]}
    platform.speech.seconds = platform.flow_source.seconds = slow
    urls = ("https://flows.test/next", "https://flows.test/done", "/done")
    platform.flow_source.flows = dict(zip(urls, fetched, strict=True))
    platform.flow_settings = FlowSettings(fetches=5, longest_recording=20.0)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(
    flow=bodies() | flows_that_talk(),
    other=bodies(),
    fetched=st.lists(bodies() | st.just("it answered 500"), min_size=3, max_size=3),
    callees=st.tuples(scripts, scripts, scripts),
    caller=scripts,
    inbound=st.booleans(),
    slow=st.sampled_from([0.0, 0.4]),
    story=deeds,
)
def test_every_call_ends_whatever_happens_to_it(
    sounds: Sounds,
    flow: dict[str, Any],
    other: dict[str, Any],
    fetched: list[dict[str, Any] | str],
    callees: tuple[CalleeScript, ...],
    caller: CalleeScript,
    inbound: bool,
    slow: float,
    story: list[tuple[float, str, int]],
) -> None:
    async def tell(platform: Platform) -> None:
        furnish(platform, sounds, fetched, slow)
        platform.switch._supplies = platform.supplies()
        if inbound:
            assume(not check(flow).errors)  # it could not be saved
            await platform.number(NUMBER, flow["steps"], record=flow["record"])
            platform.dial(NUMBER, caller)
        else:
            await platform.place(CALLEES[0], flow["steps"], record=flow["record"])
        asking = []
        for wait, deed, which in story:
            await platform.after(wait)
            if deed in DEEDS[:8]:
                await far(platform, deed, which)
            elif platform.calls():
                asking.append(asyncio.ensure_future(asked(platform, deed, which)))
        await platform.after(2_000)
        await asyncio.gather(*asking)
        for call in platform.calls():
            check_record(platform.store, platform.world.id, call.id, over=True)
            legs = rows.legs_of(platform.store, platform.world.id, call.id)
            assert Reason.INTERNAL not in {leg.reason for leg in legs}
        assert platform.switch.live_calls == 0
        assert platform.engine.legs == 0

    async def asked(platform: Platform, deed: str, which: int) -> None:
        with suppress(Problem):
            await ask(platform, deed, which, other)

    short, long = sounds
    run(
        tell,
        callees=dict(zip(CALLEES, callees, strict=True)),
        settings=CallSettings(max_duration=600, ringback=str(long), music=str(long), beep=str(short)),
    )
