"""Calls from their first event to their last, told as stories: what the record says and what customers hear."""

from pathlib import Path
from typing import Any

import pytest

from callwright.calls import journal, rows
from callwright.clock import SECOND_US
from callwright.errors import NotFound, Unavailable
from callwright.simulator.settings import CalleeScript
from callwright.switch.settings import CallSettings
from support.platform import Platform, run, write_wav

NUMBER = "31205550123"
B = "31205550199"
CALLER = CalleeScript()


def transfer(**options: Any) -> dict[str, Any]:
    return {"action": "transfer", "options": {"destination": B, **options}}


HANGUP = {"action": "hangup"}


def pause(seconds: float) -> dict[str, Any]:
    return {"action": "pause", "options": {"length": seconds}}


def test_a_transferred_call_from_ring_to_end() -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [transfer()])
        platform.dial(NUMBER, CalleeScript(hangup_after=10))
        await platform.after(60)
        assert platform.outcome() == (
            "ended",
            [("incoming", "hangup", "caller_hangup"), ("outgoing", "hangup", "peer_gone")],
        )
        assert platform.told() == [
            ("callCreated", "starting", ["starting"]),
            ("callUpdated", "starting", ["starting", "starting"]),
            ("callUpdated", "starting", ["ringing", "ringing"]),
            ("callUpdated", "ongoing", ["ringing", "ongoing"]),
            ("callUpdated", "ongoing", ["ongoing", "ongoing"]),
            ("callUpdated", "ended", ["hangup", "hangup"]),
        ]
        assert platform.switch.live_calls == 0
        assert platform.engine.legs == 0

    run(story)


def test_a_number_that_a_flow_writes_with_a_plus_is_called_and_kept_by_its_digits() -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [transfer(destination="+31 (20) 555-0199"), transfer(destination="sip:B@192.0.2.1")])
        platform.dial(NUMBER)
        await platform.after(60)
        legs = rows.legs_of(platform.store, platform.world.id, platform.calls()[0].id)
        assert [(leg.destination, leg.status.value) for leg in legs] == [
            (NUMBER, "ongoing"),
            (B, "busy"),
            ("sip:B@192.0.2.1", "ongoing"),
        ]

    run(story, callees={B: CalleeScript(outcome="busy")})


def test_the_flow_goes_on_after_the_callee_hangs_up() -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [transfer(), pause(3)])
        platform.dial(NUMBER)
        await platform.after(60)
        (call,) = platform.calls()
        assert platform.outcome() == (
            "ended",
            [("incoming", "hangup", "flow_ended"), ("outgoing", "hangup", "callee_hangup")],
        )
        assert call.ended_us is not None
        assert (call.ended_us - call.created_us) / SECOND_US == pytest.approx(1 + 5 + 3, abs=0.01)

    run(story, callees={B: CalleeScript(hangup_after=5)})


@pytest.mark.parametrize(
    ("callee", "call", "incoming", "outgoing"),
    [
        (CalleeScript(outcome="busy"), "busy", ("busy", "busy"), ("busy", "busy")),
        (CalleeScript(outcome="fail"), "failed", ("failed", "rejected"), ("failed", "rejected")),
        (
            CalleeScript(outcome="fail", sip_code=302),
            "failed",
            ("failed", "redirect_refused"),
            ("failed", "redirect_refused"),
        ),
        (
            CalleeScript(outcome="no_answer"),
            "no_answer",
            ("no_answer", "ring_timeout"),
            ("no_answer", "ring_timeout"),
        ),
    ],
    ids=["busy", "fails", "redirects", "never answers"],
)
def test_a_caller_hears_what_became_of_the_last_transfer(
    callee: CalleeScript, call: str, incoming: tuple[str, str], outgoing: tuple[str, str]
) -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [transfer()])
        platform.dial(NUMBER)
        await platform.after(100)
        assert platform.outcome() == (call, [("incoming", *incoming), ("outgoing", *outgoing)])
        assert platform.calls()[0].ended_us is not None

    run(story, callees={B: callee})


def test_a_caller_who_hangs_up_during_a_sound_ends_the_flow(tmp_path: Path) -> None:
    async def story(platform: Platform) -> None:
        platform.sounds.sounds["http://sounds.test/long.wav"] = write_wav(tmp_path / "long.wav", 30)
        play = {"action": "play", "options": {"media": "http://sounds.test/long.wav"}}
        await platform.number(NUMBER, [play, transfer()])
        platform.dial(NUMBER, CalleeScript(hangup_after=4))
        await platform.after(60)
        assert platform.outcome() == ("ended", [("incoming", "hangup", "caller_hangup")])
        assert [line.entry.outcome for line in platform.journal() if isinstance(line.entry, journal.StepEnded)] == []

    run(story)


def test_a_busy_transfer_is_followed_by_the_next_step() -> None:
    async def story(platform: Platform) -> None:
        steps = [transfer(), {"action": "transfer", "options": {"destination": "31205550177"}}]
        await platform.number(NUMBER, steps)
        platform.dial(NUMBER, CalleeScript(hangup_after=4))
        await platform.after(60)
        assert platform.outcome() == (
            "ended",
            [
                ("incoming", "hangup", "caller_hangup"),
                ("outgoing", "busy", "busy"),
                ("outgoing", "hangup", "peer_gone"),
            ],
        )

    run(story, callees={B: CalleeScript(outcome="busy")})


def test_the_ring_timeout_of_the_step_wins_over_the_setting() -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [transfer(ringTimeout=7)])
        platform.dial(NUMBER)
        await platform.after(60)
        (call,) = platform.calls()
        assert call.ended_us is not None
        assert (call.ended_us - call.created_us) / SECOND_US == pytest.approx(7, abs=0.01)

    run(story, callees={B: CalleeScript(outcome="no_answer")})


def test_mask_shows_the_called_number_to_the_callee() -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [transfer(mask=True), transfer()])
        platform.dial(NUMBER, source="+31 6 0000 0002")
        await platform.after(60)
        legs = rows.legs_of(platform.store, platform.world.id, platform.calls()[0].id)
        assert [(leg.source, leg.destination) for leg in legs] == [
            ("31600000002", NUMBER),
            (NUMBER, B),
            ("31600000002", B),
        ]

    run(story, callees={B: CalleeScript(outcome="busy")})


def test_a_caller_who_gives_up_cancels_the_transfer() -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [transfer()])
        leg = platform.dial(NUMBER)
        await platform.after(5)
        platform.engine.far_hangs_up(leg)
        await platform.after(1)
        assert platform.outcome() == (
            "no_answer",
            [("incoming", "no_answer", "caller_cancelled"), ("outgoing", "hangup", "caller_gone")],
        )

    run(story, callees={B: CalleeScript(outcome="no_answer")})


def test_play_answers_first_and_the_flow_ends_after_it(tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "hello.wav", 2.5)

    async def story(platform: Platform) -> None:
        platform.sounds.sounds["http://sounds.test/hello.wav"] = sound
        await platform.number(NUMBER, [{"action": "play", "options": {"media": "http://sounds.test/hello.wav"}}])
        platform.dial(NUMBER)
        await platform.after(10)
        (call,) = platform.calls()
        assert platform.outcome() == ("ended", [("incoming", "hangup", "flow_ended")])
        assert call.ended_us is not None
        assert (call.ended_us - call.created_us) / SECOND_US == pytest.approx(2.5, abs=0.01)

    run(story)


def test_media_that_is_not_there_ends_the_call_and_names_the_url() -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [{"action": "play", "options": {"media": "http://sounds.test/none.wav"}}])
        platform.dial(NUMBER)
        await platform.after(10)
        assert platform.outcome() == ("ended", [("incoming", "hangup", "media_unavailable")])
        fetched = [told.entry for told in platform.journal() if type(told.entry).__name__ == "MediaFetched"]
        assert [(entry.url, entry.status, entry.error) for entry in fetched] == [  # type: ignore[union-attr]
            ("http://sounds.test/none.wav", 404, "HTTP 404")
        ]

    run(story)


def test_an_answered_call_whose_text_nobody_can_say_hangs_up() -> None:
    """A7"""

    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [pause(1), {"action": "say", "options": {"payload": "Hello"}}])
        platform.dial(NUMBER)
        await platform.after(10)
        assert platform.outcome() == ("ended", [("incoming", "hangup", "speech_unavailable")])

    run(story)


def test_a_hangup_step_refuses_a_caller_who_was_not_answered() -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [HANGUP])
        platform.dial(NUMBER)
        await platform.after(1)
        assert platform.outcome() == ("ended", [("incoming", "hangup", "flow_ended")])

    run(story)


def test_a_number_without_flow_uses_the_default_and_fails_without_one() -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, None)
        platform.dial(NUMBER)
        await platform.after(1)
        assert platform.outcome() == ("failed", [("incoming", "failed", "no_flow")])
        assert platform.told() == [
            ("callCreated", "starting", ["starting"]),
            ("callUpdated", "failed", ["failed"]),
        ]
        await platform.flows.make(platform.world.id, {"steps": [pause(1)], "default": True})
        platform.dial(NUMBER)
        await platform.after(5)
        assert platform.outcome() == ("ended", [("incoming", "hangup", "flow_ended")])

    run(story)


@pytest.mark.parametrize(
    ("number", "hops", "refused"),
    [("31999999999", 0, "unknown_number"), (NUMBER, 6, "loop")],
    ids=["nobody's number", "sixth pass"],
)
def test_calls_that_are_turned_away_leave_no_record(number: str, hops: int, refused: str) -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [pause(1)])
        platform.dial(number, hops=hops)
        await platform.after(1)
        assert platform.calls() == []
        assert platform.counters.seen == {("refused", refused): 1}
        assert platform.engine.legs == 0

    run(story)


def test_a_call_of_the_api_runs_its_flow_once_answered() -> None:
    async def story(platform: Platform) -> None:
        call = await platform.place("31600000009", [pause(3)])
        assert (call.status.value, call.created_us, call.ended_us) == ("queued", call.updated_us, None)
        await platform.after(20)
        assert platform.outcome() == ("ended", [("outgoing", "hangup", "flow_ended")])
        assert platform.told() == [
            ("callCreated", "queued", ["starting"]),
            ("callUpdated", "starting", ["starting"]),
            ("callUpdated", "starting", ["ringing"]),
            ("callUpdated", "ongoing", ["ongoing"]),
            ("callUpdated", "ended", ["hangup"]),
        ]

    run(story)


@pytest.mark.parametrize(
    ("callee", "status", "leg"),
    [
        (CalleeScript(outcome="busy"), "busy", ("busy", "busy")),
        (CalleeScript(outcome="fail", sip_code=500), "failed", ("failed", "rejected")),
        (CalleeScript(outcome="no_answer"), "no_answer", ("no_answer", "ring_timeout")),
        (CalleeScript(hangup_after=2), "ended", ("hangup", "callee_hangup")),
    ],
    ids=["busy", "fails", "never answers", "hangs up"],
)
def test_a_call_of_the_api_ends_as_its_first_leg(callee: CalleeScript, status: str, leg: tuple[str, str]) -> None:
    async def story(platform: Platform) -> None:
        await platform.place("31600000009", [pause(30)])
        await platform.after(100)
        assert platform.outcome() == (status, [("outgoing", *leg)])

    run(story, callees={"31600000009": callee})


def test_a_call_of_the_api_can_transfer_and_is_bridged() -> None:
    async def story(platform: Platform) -> None:
        await platform.place("31600000009", [transfer()])
        await platform.after(30)
        assert platform.outcome() == (
            "ended",
            [("outgoing", "hangup", "flow_ended"), ("outgoing", "hangup", "callee_hangup")],
        )
        kinds = [type(told.entry).__name__ for told in platform.journal()]
        assert kinds.count("Bridged") == 1

    run(story, callees={B: CalleeScript(hangup_after=10)})


@pytest.mark.parametrize("at", [0.0, 0.1, 0.5, 1.5, 4.0], ids=["queued", "dialling", "ringing", "answered", "bridged"])
def test_deleting_a_call_ends_it_whatever_it_does(at: float) -> None:
    async def story(platform: Platform) -> None:
        call = await platform.place("31600000009", [transfer()])
        if at:
            await platform.after(at)
        await platform.switch.hang_up_call(platform.world.id, call.id)
        status, legs = platform.outcome(call)
        assert status == "ended"
        assert {leg[1:] for leg in legs} == {("hangup", "api_hangup")}
        events = len(platform.told(call))
        await platform.after(60)
        await platform.switch.hang_up_call(platform.world.id, call.id)  # C3: nothing more
        assert len(platform.told(call)) == events
        assert platform.engine.legs == 0
        assert platform.switch.live_calls == 0

    run(story)


@pytest.mark.parametrize("at", [0.001, 0.1, 0.5, 1.5], ids=["starting", "dialling", "ringing", "bridged"])
def test_deleting_a_call_that_came_in_ends_it_whatever_it_does(at: float) -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [transfer()])
        platform.dial(NUMBER)
        await platform.after(at)
        (call,) = platform.calls()
        await platform.switch.hang_up_call(platform.world.id, call.id)
        status, legs = platform.outcome(call)
        assert (status, {leg[1:] for leg in legs}) == ("ended", {("hangup", "api_hangup")})
        await platform.after(60)
        assert (platform.engine.legs, platform.switch.live_calls) == (0, 0)

    run(story)


def test_a_call_over_the_limit_leaves_no_record() -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [pause(30)])
        platform.dial(NUMBER)
        await platform.after(1)
        platform.dial(NUMBER)
        await platform.after(1)
        with pytest.raises(Unavailable, match="1 calls are live"):
            await platform.place(B, [pause(1)])
        assert len(platform.calls()) == 1
        assert platform.counters.seen["refused", "over_limit"] == 1
        await platform.after(60)

    run(story, settings=CallSettings(max_live=1))


def test_refused_calls_are_logged_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    async def story(platform: Platform) -> None:
        await platform.switch.start()
        for _ in range(5):
            platform.dial("31999999999")
        await platform.after(0.5)
        platform.dial("31999999998")
        await platform.after(3)

    with caplog.at_level("INFO", "callwright.switch"):
        run(story)
    lines = [vars(record)["fields"] for record in caplog.records if record.getMessage() == "invite_refused"]
    assert [(line["reason"], line["count"], line["destination"]) for line in lines] == [
        ("unknown_number", 1, "********999"),
        ("unknown_number", 5, "********998"),
    ]


def test_deleting_the_callees_leg_lets_the_flow_go_on() -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [transfer(), pause(5)])
        platform.dial(NUMBER)
        await platform.after(10)
        (call,) = platform.calls()
        _, b = rows.legs_of(platform.store, platform.world.id, call.id)
        await platform.switch.hang_up_leg(platform.world.id, b.id)
        assert platform.outcome() == ("ongoing", [("incoming", "ongoing", ""), ("outgoing", "hangup", "api_hangup")])
        await platform.after(10)
        assert platform.outcome() == (
            "ended",
            [("incoming", "hangup", "flow_ended"), ("outgoing", "hangup", "api_hangup")],
        )

    run(story)


def test_deleting_what_is_not_there() -> None:
    async def story(platform: Platform) -> None:
        call = await platform.place("31600000009", [pause(1)])
        other = platform.accounts.world("test").id
        with pytest.raises(NotFound):
            await platform.switch.hang_up_call(other, call.id)
        with pytest.raises(NotFound):
            await platform.switch.hang_up_leg(platform.world.id, call.id)
        await platform.after(5)

    run(story)


@pytest.mark.parametrize(
    ("flow", "cap", "seconds"), [({"maxDuration": 20}, 100.0, 20), ({}, 30.0, 30), ({"maxDuration": 50}, 30.0, 30)]
)
def test_the_longest_duration_counts_from_the_answer(flow: dict[str, Any], cap: float, seconds: int) -> None:
    async def story(platform: Platform) -> None:
        await platform.place("31600000009", [pause(1000)], **flow)
        await platform.after(200)
        (call,) = platform.calls()
        assert platform.outcome() == ("ended", [("outgoing", "hangup", "max_duration")])
        assert call.ended_us is not None
        assert (call.ended_us - call.created_us) / SECOND_US == pytest.approx(1 + seconds, abs=0.01)

    run(story, settings=CallSettings(max_duration=cap))


def test_draining_waits_for_calls_and_then_ends_them() -> None:
    async def story(platform: Platform) -> None:
        await platform.place("31600000009", [pause(5)])
        long = await platform.place("31600000008", [pause(500)])
        await platform.after(2)
        await platform.switch.drain(30)
        assert platform.switch.live_calls == 0
        assert platform.outcome(long) == ("ended", [("outgoing", "hangup", "shutdown")])
        assert platform.outcome(platform.calls()[0]) == ("ended", [("outgoing", "hangup", "flow_ended")])
        platform.dial(NUMBER)
        await platform.after(1)
        assert platform.counters.seen["refused", "draining"] == 1

    run(story)


def test_two_calls_that_arrive_together_do_not_meet() -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [transfer()])
        for _ in range(50):
            platform.dial(NUMBER, CalleeScript(hangup_after=10))
        await platform.after(60)
        assert {str(platform.outcome(call)) for call in platform.calls()} == {
            "('ended', [('incoming', 'hangup', 'caller_hangup'), ('outgoing', 'hangup', 'peer_gone')])"
        }
        assert len(platform.calls()) == 50

    run(story)


def test_a_call_that_comes_while_the_engine_lacks_a_part_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(platform: Platform) -> None:
        await platform.number(NUMBER, [pause(1)])
        monkeypatch.setattr(platform.engine, "unhealthy", lambda: "media-1 is down")
        platform.dial(NUMBER)
        await platform.after(1)
        assert (platform.calls(), platform.counters.seen) == ([], {("refused", "unhealthy"): 1})
        with pytest.raises(Unavailable, match="media-1 is down"):
            await platform.place("31600000009", [pause(1)])

    run(story)


def test_a_leg_that_is_placed_is_on_record_with_its_sip_call_id() -> None:
    async def story(platform: Platform) -> None:
        await platform.place("31600000009", [pause(1)])
        await platform.after(10)
        (leg,) = rows.legs_of(platform.store, platform.world.id, platform.calls()[0].id)
        assert leg.sip_call_id == str(leg.id)

    run(story, callees={"31600000009": CalleeScript(outcome="busy")})
