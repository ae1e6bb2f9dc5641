"""A call that is up, changed from outside: another flow, a party more, hold, and recordings paused."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from callwright import telephony
from callwright.calls import journal
from callwright.errors import Conflict, NotFound
from callwright.flows.schema import compile_flow, with_step_ids
from callwright.reasons import Reason
from callwright.recordings import rows as recording_rows
from callwright.recordings.model import RecordingStatus
from callwright.switch import parties
from callwright.telephony import Cause, PlayOutcome, RecordOutcome, Target
from callwright.trunks.routes import NoRoute
from support.scripted import B, C, Stage, pause, tell, transfer

MUSIC = "/sounds/music.wav"
RINGBACK = "/sounds/ringback.wav"


async def replace(stage: Stage, *steps: dict[str, Any], **flow: Any) -> None:
    body = {"steps": [*steps], **flow}
    await stage.switch.replace_flow(stage.world.id, stage.calls()[-1].id, compile_flow(body), with_step_ids(body))


async def add(stage: Stage, to: str = C, source: str | None = None) -> UUID:
    return await stage.switch.add_party(stage.world.id, stage.calls()[-1].id, to, source)


async def joined(stage: Stage, to: str = C) -> UUID:
    """A party that was added and has answered."""
    leg = await add(stage, to)
    await stage.answer(leg)
    return leg


async def hold(stage: Stage, leg: UUID, *, on: bool = True) -> None:
    await stage.switch.hold_leg(stage.world.id, leg, on=on)


# another flow (L7)


def test_another_flow_takes_the_place_of_the_transfer() -> None:
    async def story(stage: Stage) -> None:
        a, b = await stage.talking([transfer(), pause(50)])
        await replace(stage, pause(5))
        assert stage.script.to(b)[-1] == "HangUp"
        assert stage.outcome() == ("ongoing", [("incoming", "ongoing", ""), ("outgoing", "hangup", "flow_replaced")])
        started = [entry for entry in stage.entries() if isinstance(entry, journal.FlowStarted)]
        assert started[-1].flow["steps"][0]["action"] == "pause"
        await stage.after(6)
        assert stage.sound()[1][0] == ("incoming", "hangup", "flow_ended")
        assert stage.script.to(a)[-1] == "HangUp"

    tell(story)


def test_another_flow_stops_what_the_first_waits_for() -> None:
    """Neither its prompt, nor its keys, nor the flow it asked for come into the new one."""

    async def story(stage: Stage) -> None:
        stage.flow_source.flows["http://app.test/flow"] = {"steps": [transfer(B)]}
        stage.flow_source.seconds = 4.0
        a = await stage.arrive([pause(1), {"action": "fetchCallFlow", "options": {"url": "http://app.test/flow"}}])
        await stage.answer(a)
        await stage.after(2)
        await replace(stage, {"action": "sendKeys", "options": {"keys": "1w2"}}, pause(30))
        await stage.after(0.1)
        await replace(stage, {"action": "sendKeys", "options": {"keys": "9999999999"}}, pause(30))
        await stage.after(1)
        ended = [entry.step for entry in stage.entries() if isinstance(entry, journal.StepEnded)]
        assert ended == ["step-1", "step-2", "step-1"]
        await stage.after(10)
        assert stage.placed() == []
        assert stage.outcome()[0] == "ongoing"

    tell(story)


def test_a_queued_call_is_given_another_flow() -> None:
    async def story(stage: Stage) -> None:
        await stage.place(B, [transfer()])
        await replace(stage, pause(2))
        await stage.tick()
        (a,) = stage.placed()
        await stage.answer(a)
        await stage.after(3)
        assert stage.placed() == [a]
        assert stage.sound() == ("ended", [("outgoing", "hangup", "flow_ended")])

    tell(story)


def test_a_new_limit_counts_from_the_first_answer() -> None:
    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(500)])
        await stage.answer(a)
        await stage.after(20)
        await replace(stage, pause(500), maxDuration=30)
        await stage.after(9)
        assert stage.outcome()[0] == "ongoing"
        await stage.after(2)
        assert stage.sound() == ("ended", [("incoming", "hangup", "max_duration")])

    tell(story)


def test_what_is_over_takes_no_other_flow() -> None:
    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(1)])
        stage.script.refused(a, Cause.CANCELLED, 487)
        await stage.tick()
        for ask in (replace(stage, pause(1)), add(stage)):
            with pytest.raises(Conflict, match="The call is over"):
                await ask
        with pytest.raises(NotFound):
            await stage.switch.add_party(stage.world.id, UUID(int=1), C, None)
        with pytest.raises(Conflict):
            await hold(stage, a)

    tell(story)


# a party more (L1 to L3)


def test_an_added_party_joins_those_who_talk() -> None:
    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        c = await add(stage)
        (asked,) = stage.script.of(telephony.Originate, c)
        assert asked.caller == "31600000001"
        await stage.answer(c)
        (bridge,) = stage.script.of(telephony.Bridge, c)
        assert bridge.other in (a, b)
        assert stage.outcome()[1] == [("incoming", "ongoing", ""), ("outgoing", "ongoing", ""), ("outgoing", "ongoing", "")]
        stage.sound()

    tell(story)


def test_an_added_party_talks_to_a_caller_whose_flow_goes_on() -> None:
    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(10)])
        await stage.answer(a)
        c = await joined(stage)
        assert [bridge.other for bridge in stage.script.of(telephony.Bridge, c)] == [a]
        await stage.after(11)
        assert stage.outcome() == ("ongoing", [("incoming", "ongoing", ""), ("outgoing", "ongoing", "")])
        stage.script.ended(c)
        await stage.tick()
        assert stage.sound() == (
            "ended",
            [("incoming", "hangup", "flow_ended"), ("outgoing", "hangup", "callee_hangup")],
        )

    tell(story)


def test_an_added_party_that_is_busy_changes_nothing_else() -> None:
    async def story(stage: Stage) -> None:
        await stage.talking()
        c = await add(stage)
        stage.script.refused(c, Cause.BUSY, 486)
        await stage.tick()
        assert stage.outcome()[1] == [("incoming", "ongoing", ""), ("outgoing", "ongoing", ""), ("outgoing", "busy", "busy")]
        d = await add(stage)
        await stage.after(61)
        assert stage.outcome()[1][-1] == ("outgoing", "no_answer", "ring_timeout")
        assert stage.script.to(d) == ["Originate", "HangUp"]
        stage.sound()

    tell(story)


@pytest.mark.parametrize("reason", [Reason.NO_ROUTE, Reason.NOT_ALLOWED])
def test_a_party_that_cannot_be_placed_is_a_leg_that_failed(reason: Reason) -> None:
    async def story(stage: Stage) -> None:
        def route(to: str) -> Target:
            if to == C:
                raise NoRoute(reason, "not that way")
            return Target(to, "far")

        stage.route = route
        await stage.talking()
        c = await add(stage)
        assert stage.script.to(c) == []
        assert stage.outcome()[1][-1] == ("outgoing", "failed", reason.value)
        stage.sound()

    tell(story)


def test_nobody_is_added_to_a_call_that_nobody_has_answered() -> None:
    async def story(stage: Stage) -> None:
        await stage.arrive([transfer()])
        with pytest.raises(Conflict, match="nobody to add"):
            await add(stage)

    tell(story)


def test_nobody_is_added_to_a_call_that_has_had_its_legs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as a leg that fails either: each would be kept with the call, and programs ask without end."""
    monkeypatch.setattr(parties, "MOST_LEGS", 3)

    async def story(stage: Stage) -> None:
        await stage.talking()
        await add(stage)
        with pytest.raises(Conflict, match="has had 3 legs, as many as one may have; place another call"):
            await add(stage)
        assert len(stage.legs()) == 3

    tell(story)


def test_a_warm_transfer() -> None:
    """The caller on hold, an agent added, the first agent leaves, and the two who stay talk on."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking([transfer(), pause(60)])
        await hold(stage, a)
        assert stage.script.to(a)[-3:] == ["Unbridge", "Hold", "Play"]
        assert stage.script.of(telephony.Play, a)[-1].files == (MUSIC,)
        c = await joined(stage)
        assert [bridge.other for bridge in stage.script.of(telephony.Bridge, c)] == [b]
        stage.script.ended(b)
        await stage.tick()
        await hold(stage, a, on=False)
        assert stage.script.to(a)[-3:] == ["Stop", "Resume", "Bridge"]
        assert stage.script.of(telephony.Bridge, a)[-1].other == c
        assert stage.outcome()[0] == "ongoing"
        stage.script.ended(c)
        await stage.tick()
        steps = [entry.step for entry in stage.entries() if isinstance(entry, journal.StepStarted)]
        assert steps == ["step-1", "step-2"]  # the transfer was over when nobody was left for the caller
        stage.script.ended(a)
        await stage.tick()
        stage.sound()

    tell(story, music=MUSIC)


def test_who_waits_alone_hears_ringing_until_the_party_answers_or_does_not() -> None:
    async def story(stage: Stage) -> None:
        a, b = await stage.talking([transfer(), pause(60)])
        await hold(stage, a)
        c = await add(stage)
        stage.script.say(telephony.Ringing, c)
        await stage.tick()
        assert stage.script.of(telephony.Play, b)[-1].files == (RINGBACK,)
        stage.script.refused(c, Cause.BUSY, 486)
        await stage.tick()
        assert stage.script.to(b)[-2:] == ["Play", "Stop"]
        d = await add(stage)
        stage.script.say(telephony.Ringing, d)
        await stage.answer(d)
        assert stage.script.to(b)[-2:] == ["Play", "Stop"]
        assert [bridge.other for bridge in stage.script.of(telephony.Bridge, d)] == [b]
        stage.script.ended(a)
        stage.script.ended(b)
        stage.script.ended(d)
        await stage.tick()
        stage.sound()

    tell(story, music=MUSIC, ringback=RINGBACK)


@pytest.mark.parametrize("how", ["step", "another flow"])
def test_a_hangup_step_ends_those_who_were_added_too(how: str) -> None:
    async def story(stage: Stage) -> None:
        hang_up = {"action": "hangup"}
        await stage.number("31205550100", [pause(5), *([hang_up] if how == "step" else [pause(90)])])
        a = await stage.arrive(destination="31205550100")
        await stage.answer(a)
        c = await joined(stage)
        if how == "step":
            await stage.after(6)
        else:
            await replace(stage, hang_up)
        await stage.tick()
        assert {stage.script.to(a)[-1], stage.script.to(c)[-1]} == {"HangUp"}
        assert stage.outcome() == (
            "ended",
            [("incoming", "hangup", "flow_ended"), ("outgoing", "hangup", "flow_ended")],
        )

    tell(story)


def test_those_whom_the_first_party_leaves_talk_on() -> None:
    """L3: the flow is over then, and so is the call when one of the two leaves."""

    async def story(stage: Stage) -> None:
        a, b = await stage.talking([transfer(), pause(60)])
        c = await joined(stage)
        stage.script.ended(a)
        await stage.tick()
        assert stage.outcome() == (
            "ongoing",
            [("incoming", "hangup", "caller_hangup"), ("outgoing", "ongoing", ""), ("outgoing", "ongoing", "")],
        )
        with pytest.raises(Conflict, match="no flow to replace"):
            await replace(stage, pause(1))
        stage.script.ended(c)
        await stage.tick()
        assert stage.sound() == (
            "ended",
            [
                ("incoming", "hangup", "caller_hangup"),
                ("outgoing", "hangup", "peer_gone"),
                ("outgoing", "hangup", "callee_hangup"),
            ],
        )
        assert stage.script.to(b)[-1] == "HangUp"

    tell(story)


def test_a_party_that_rings_does_not_keep_a_call() -> None:
    async def story(stage: Stage) -> None:
        a, _ = await stage.talking()
        c = await add(stage)
        stage.script.ended(a)
        await stage.tick()
        assert stage.sound()[1] == [
            ("incoming", "hangup", "caller_hangup"),
            ("outgoing", "hangup", "peer_gone"),
            ("outgoing", "hangup", "caller_gone"),
        ]
        assert stage.script.to(c) == ["Originate", "HangUp"]

    tell(story)


def test_deleting_the_callee_leaves_the_caller_with_the_party_that_was_added() -> None:
    async def story(stage: Stage) -> None:
        a, b = await stage.talking([transfer(), pause(60)])
        c = await joined(stage)
        await stage.switch.hang_up_leg(stage.world.id, b)
        assert stage.outcome()[1] == [
            ("incoming", "ongoing", ""), ("outgoing", "hangup", "api_hangup"), ("outgoing", "ongoing", ""),
        ]  # fmt: skip
        await stage.switch.hang_up_leg(stage.world.id, c)
        assert [entry.step for entry in stage.entries() if isinstance(entry, journal.StepStarted)] == ["step-1", "step-2"]
        await stage.switch.hang_up_leg(stage.world.id, a)
        stage.sound()

    tell(story)


def test_a_call_has_only_so_many_legs_at_once() -> None:
    async def story(stage: Stage) -> None:
        await stage.talking()
        await joined(stage)
        await add(stage)
        assert stage.outcome()[1][-1] == ("outgoing", "failed", "limit")
        assert "3 live legs" in stage.legs()[-1].detail

    tell(story, max_parties=3)


def test_a_flow_that_goes_on_in_place_of_one_that_was_over() -> None:
    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(1)])
        await stage.answer(a)
        await joined(stage)
        await stage.after(2)
        stage.speech.texts["Hello."] = [Path("/cache/hello.wav")]
        await replace(stage, {"action": "say", "options": {"payload": "Hello."}}, pause(5))
        await stage.after(4)
        assert stage.outcome()[0] == "ongoing"
        # it remembers that this party called us: nobody wants to know whether it is a machine
        assert stage.script.of(telephony.Listen, a) == []
        assert len(stage.script.of(telephony.Play, a)) == 1

    tell(story)


# hold (L8)


def test_hold_asked_twice_is_done_once() -> None:
    async def story(stage: Stage) -> None:
        _, b = await stage.talking()
        await hold(stage, b)
        await hold(stage, b)
        assert stage.script.to(b).count("Hold") == 1
        await hold(stage, b, on=False)
        await hold(stage, b, on=False)
        assert stage.script.to(b).count("Resume") == 1
        stage.sound()

    tell(story, music=MUSIC)


def test_who_talks_to_nobody_cannot_be_put_on_hold() -> None:
    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(10), transfer()])
        with pytest.raises(Conflict, match="not answered"):
            await hold(stage, a)
        await stage.answer(a)
        with pytest.raises(Conflict, match="talks to nobody"):
            await hold(stage, a)

    tell(story)


def test_a_caller_on_hold_is_taken_off_it_when_the_callee_leaves() -> None:
    async def story(stage: Stage) -> None:
        stage.speech.texts["Bye."] = [Path("/speech/bye.wav")]
        a, b = await stage.talking([transfer(), {"action": "say", "options": {"payload": "Bye.", "language": "en-GB"}}])
        await hold(stage, a)
        stage.script.ended(b)
        await stage.tick()
        assert stage.script.to(a)[-4:] == ["Stop", "Resume", "Play", "PlayMore"]
        stage.script.say(telephony.PlayFinished, a, play=stage.script.of(telephony.Play, a)[-1].id, outcome=PlayOutcome.DONE)
        await stage.tick()
        stage.sound()

    tell(story, music=MUSIC)


@pytest.mark.parametrize(("hold_music", "heard"), [(True, [(MUSIC,)]), (False, [])])
def test_who_is_put_on_hold_by_a_silent_far_end_hears_music(hold_music: bool, heard: list[tuple[str, ...]]) -> None:
    async def story(stage: Stage) -> None:
        a, b = await stage.talking()
        for direction in ("sendonly", "inactive", "sendrecv"):
            stage.script.say(telephony.Held, b, direction=direction)
            await stage.tick()
        assert [play.files for play in stage.script.of(telephony.Play, a)] == heard
        assert stage.script.to(a).count("Stop") == len(heard)

    tell(story, music=MUSIC, hold_music=hold_music)


# recordings, paused


def test_a_recording_is_paused_and_goes_on() -> None:
    async def story(stage: Stage) -> None:
        a = await stage.arrive([{"action": "record", "options": {}}])
        await stage.answer(a)
        (asked,) = stage.script.of(telephony.StartRecording)
        stage.script.say(telephony.RecordingStarted, a, recording=asked.recording)
        await stage.tick()
        for _ in range(2):
            paused = await stage.switch.pause_recording(stage.world.id, asked.recording)
            assert paused.status is RecordingStatus.PAUSED
        assert await stage.switch.resume_recording(stage.world.id, asked.recording)
        assert stage.script.to(a)[-3:] == ["StartRecording", "PauseRecording", "ResumeRecording"]
        row = recording_rows.find(stage.store, stage.world.id, asked.recording)
        assert row is not None
        assert row.status is RecordingStatus.RECORDING
        stage.script.say(
            telephony.RecordingFinished, a, recording=asked.recording, outcome=RecordOutcome.SILENCE, duration_ms=5
        )
        await stage.tick()
        with pytest.raises(Conflict, match="over"):
            await stage.switch.pause_recording(stage.world.id, asked.recording)
        with pytest.raises(NotFound):
            await stage.switch.pause_recording(stage.world.id, UUID(int=1))

    tell(story)
