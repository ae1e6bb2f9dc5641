"""The caller: arriving, being answered, and leaving before or just as that happens.

The letter and digit in a test's docstring name the row of the lifecycle.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from callwright import telephony
from callwright.calls import rows
from callwright.egress import Streamer
from callwright.flows import effects as wanted
from callwright.flows import interpreter
from callwright.flows.schema import compile_flow
from callwright.simulator.settings import CalleeScript
from callwright.store import Write
from callwright.switch.sounds import SoundLibrary, SoundUnavailable
from callwright.telephony import Cause, Command, PlayOutcome, Who
from support.platform import FixedSounds, Platform, run, write_wav
from support.scripted import NUMBER, URL, B, C, Stage, pause, play, tell, transfer

# incoming: N1 to N3


def test_the_fifth_pass_is_taken_and_the_next_leg_counts_one_more() -> None:
    """N1, N7: hops up to five; Max-Forwards is decremented across legs."""

    async def story(stage: Stage) -> None:
        await stage.arrive([transfer()], hops=5, max_forwards=17)
        (placed,) = stage.script.of(telephony.Originate)
        assert (placed.hops, placed.max_forwards) == (6, 16)

    tell(story)


@pytest.mark.parametrize(
    ("blocked", "code", "reason"),
    [
        (Cause.NO_COMMON_CODEC, 488, "no_common_codec"),
        (Cause.BAD_SDP, 488, "bad_offer"),
        (Cause.MEDIA_CAPACITY, 503, "media_capacity"),
    ],
)
def test_a_call_that_cannot_be_answered_is_on_record_and_refused(blocked: Cause, code: int, reason: str) -> None:
    """N3"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()], blocked=blocked)
        assert [command.code for command in stage.script.of(telephony.Reject, a)] == [code]
        assert stage.sound() == ("failed", [("incoming", "failed", reason)])
        assert stage.placed() == []

    tell(story)


def test_no_port_for_a_caller_who_was_to_be_answered() -> None:
    """N3: the engine finds out only when it answers; it has sent the 503 itself."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(5)])
        stage.script.refused(a, Cause.MEDIA_CAPACITY, 503, sip_phrase="Service Unavailable")
        await stage.tick()
        assert stage.sound() == ("failed", [("incoming", "failed", "media_capacity")])
        assert stage.switch.live_calls == 0

    tell(story)


def test_a_stored_flow_that_cannot_be_run_refuses_the_caller_with_bad_flow() -> None:
    """N2, N3: nothing fails in silence, whatever an older version let into the table."""

    async def story(stage: Stage) -> None:
        await stage.number(NUMBER, [pause(1)])
        flow_id = stage.flows.page(stage.world.id, limit=1, offset=0).flows[0].id
        body = b'{"steps": [{"id": "s", "action": "vanished"}]}'
        written = Write("flows.replace", (0, body, 1, stage.world.id.bytes, flow_id.bytes))
        await stage.store.transact(lambda transaction: transaction.write(written))
        a = await stage.arrive()
        assert stage.outcome() == ("failed", [("incoming", "failed", "bad_flow")])
        assert stage.script.to(a) == ["Reject"]

    tell(story)


# the caller: A1 to A7


def test_an_intent_is_on_disk_before_it_is_on_the_wire() -> None:
    """A1, N7, B1: what each command does is committed when the engine gets it."""
    seen: list[tuple[str, str, str | None]] = []

    async def story(stage: Stage) -> None:
        def look(command: Command) -> None:
            leg = rows.find_leg(stage.store, stage.world.id, command.leg)
            assert leg is not None
            seen.append((type(command).__name__, leg.status.value, leg.intent))

        stage.script.before = look
        a, b = await stage.talking()
        stage.script.ended(a)
        await stage.tick()
        assert seen == [
            ("Originate", "starting", None),
            ("Answer", "starting", "answering"),
            ("Bridge", "ongoing", None),
            ("HangUp", "hangup", None),
        ]
        stage.script.ended(b, who=Who.US)
        await stage.tick()
        assert stage.switch.live_calls == 0

    tell(story)


def test_an_intent_to_answer_is_not_told() -> None:
    """A1, A2: nothing is shown before the 200 has left."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(5)])
        assert [leg.intent for leg in stage.legs()] == ["answering"]
        assert [kind for kind, _, _ in stage.told()] == ["callCreated"]
        await stage.after(3)
        await stage.answer(a)
        (leg,) = stage.legs()
        assert (leg.intent, leg.status.value, leg.sip_code) == (None, "ongoing", 200)
        assert leg.answered_us == leg.updated_us == stage.calls()[-1].updated_us
        assert stage.told()[1:] == [("callUpdated", "ongoing", ["ongoing"])]

    tell(story)


def test_a_caller_who_cancels_while_being_answered_takes_the_callee_along() -> None:
    """A3: the callee has answered and gets a BYE, `caller_gone`; B5 with B's 200 first."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        stage.script.say(telephony.Answered, b)
        stage.script.refused(a, Cause.CANCELLED, 487, reason="SIP;cause=487")
        await stage.tick()
        assert stage.script.to(a) == ["Answer"]
        assert [command.reason for command in stage.script.of(telephony.HangUp, b)] == ["SIP;cause=487"]
        assert stage.sound() == (
            "ended",
            [("incoming", "no_answer", "caller_cancelled"), ("outgoing", "hangup", "caller_gone")],
        )

    tell(story)


@pytest.mark.parametrize("event", ["answered", "cancelled"])
def test_deleting_a_call_while_its_caller_is_being_answered(event: str) -> None:
    """C1 in `answering`: the engine is told to hang up, and what it says later changes nothing."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([pause(5)])
        await stage.switch.hang_up_call(stage.world.id, stage.calls()[0].id)
        assert stage.script.to(a) == ["Answer", "HangUp"]
        events = len(stage.told())
        if event == "answered":
            await stage.answer(a)
            stage.script.ended(a, who=Who.US)
        else:
            stage.script.refused(a, Cause.CANCELLED, 487)
        await stage.tick()
        assert len(stage.told()) == events
        assert stage.sound() == ("ended", [("incoming", "hangup", "api_hangup")])
        assert [leg.answered_us for leg in stage.legs()] == [None]
        assert stage.switch.live_calls == 0

    tell(story)


def test_the_longest_duration_reached_while_the_caller_is_being_answered() -> None:
    """C5 in `answering`: it counts from the callee's answer."""

    async def story(stage: Stage) -> None:
        await stage.number(NUMBER, [transfer()], maxDuration=2)
        a = await stage.arrive()
        (b,) = stage.placed()
        await stage.answer(b)
        await stage.after(3)
        assert (stage.script.to(a), stage.script.to(b)) == (["Answer", "HangUp"], ["Originate", "HangUp"])
        assert stage.sound() == (
            "ended",
            [("incoming", "hangup", "max_duration"), ("outgoing", "hangup", "max_duration")],
        )

    tell(story)


def test_a_callee_who_leaves_while_the_caller_is_being_answered_is_followed_by_the_next() -> None:
    """A2, B2: A's answer leaves while C is dialled; A and C must hear each other."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer(B), transfer(C)])
        (b,) = stage.placed()
        await stage.answer(b)
        stage.script.refuses = lambda command: isinstance(command, telephony.Answer)  # a leg is answered once
        stage.script.ended(b)
        await stage.tick()
        await stage.answer(a)
        _, c = stage.placed()
        await stage.answer(c)
        assert [(bridge.leg, bridge.other) for bridge in stage.script.of(telephony.Bridge)] == [(a, c)]

    tell(story)


def test_a_caller_answered_during_a_later_transfer_hears_flow_ended() -> None:
    """A6, B4: the caller was answered, so the end of the flow is a BYE, `flow_ended`, not the callee's status."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer(B), transfer(C)])
        (b,) = stage.placed()
        await stage.answer(b)
        stage.script.ended(b)
        await stage.tick()
        await stage.answer(a)
        _, c = stage.placed()
        stage.script.refused(c, Cause.BUSY, 486)
        await stage.tick()
        assert stage.outcome()[1][0] == ("incoming", "hangup", "flow_ended")

    tell(story)


def test_an_answer_that_leaves_in_a_later_step_is_remembered() -> None:
    """A2, in the interpreter alone."""
    steps = [{"id": "b", **transfer(B)}, {"id": "c", **transfer(C)}]
    state = interpreter.State(compile_flow({"steps": steps}))
    done: list[wanted.Effect] = []
    for happened in (
        wanted.Begin(False),
        wanted.PeerAnswered(),
        wanted.PeerGone(),
        wanted.Answered(),
        wanted.PeerAnswered(),
    ):
        state, effects = interpreter.step(state, happened)
        done += effects
    assert [effect for effect in done if not isinstance(effect, wanted.Enter | wanted.Leave)] == [
        wanted.Dial(B, False, None),
        wanted.Answer(),
        wanted.Dial(C, False, None),
        wanted.Connect(),
    ]


def test_a_caller_who_hangs_up_during_a_prompt_hung_up(tmp_path: Path) -> None:
    """B1: an engine settles the prompt just before the leg's last event; that is no end of the step."""

    async def story(stage: Stage) -> None:
        stage.sounds.sounds[URL] = write_wav(tmp_path / "hello.wav", 5)
        a = await stage.arrive([play(), transfer(B)])
        await stage.answer(a)
        (prompt,) = stage.script.of(telephony.Play, a)
        stage.script.say(telephony.PlayFinished, a, play=prompt.id, outcome=PlayOutcome.STOPPED)
        stage.script.ended(a)
        await stage.tick()
        assert stage.placed() == [], "nobody is rung for a caller who has gone"
        assert stage.outcome() == ("ended", [("incoming", "hangup", "caller_hangup")])

    tell(story)


def test_a_simulated_caller_who_hangs_up_during_the_last_prompt_hung_up(tmp_path: Path) -> None:
    """B1, on the simulator: the reason is the caller's, not the flow's."""

    async def story(platform: Platform) -> None:
        platform.sounds.sounds[URL] = write_wav(tmp_path / "hello.wav", 5)
        await platform.number(NUMBER, [play()])
        platform.dial(NUMBER, CalleeScript(hangup_after=2))
        await platform.after(60)
        assert platform.outcome() == ("ended", [("incoming", "hangup", "caller_hangup")])

    run(story)


def test_media_that_arrives_after_the_caller_left_is_not_played(tmp_path: Path) -> None:
    """B1: the fetch is under way when A hangs up; nothing comes of it."""

    async def story(stage: Stage) -> None:
        class Slow(FixedSounds):
            async def find(self, url: str) -> Path:
                await asyncio.sleep(3)
                return tmp_path / "hello.wav"

        stage.switch._supplies = stage.switch._supplies._replace(sounds=Slow())
        a, b = await stage.talking([transfer(), play()])
        stage.script.ended(b)
        await stage.tick()
        await stage.switch.hang_up_call(stage.world.id, stage.calls()[0].id)
        await stage.after(5)
        assert stage.script.of(telephony.Play) == []
        stage.script.ended(a, who=Who.US)
        await stage.tick()
        stage.sound()

    tell(story)


def test_a_fetch_that_breaks_ends_the_call() -> None:
    """A7 in spirit: nothing fails in silence, a call that waits for ever least of all."""

    async def story(stage: Stage) -> None:
        class Broken(FixedSounds):
            async def find(self, url: str) -> Path:
                raise OSError("File name too long")

        stage.switch._supplies = stage.switch._supplies._replace(sounds=Broken())
        a = await stage.arrive([play()])
        await stage.answer(a)
        await stage.after(60)
        assert stage.outcome()[0] == "ended"
        assert stage.script.to(a) == ["Answer", "HangUp"]

    tell(story)


async def test_a_sound_with_an_impossible_name_is_unavailable(tmp_path: Path) -> None:
    """`file:` sounds: the name comes from a customer's flow."""
    library = SoundLibrary(Nowhere(), tmp_path, tmp_path)
    for name in ("a" * 300 + ".wav", "../secret.wav", ".hidden.wav", "", "a\0b.wav", "none.wav"):
        with pytest.raises(SoundUnavailable):
            await anext(aiter(library.stream("file:" + name)))


class Nowhere(Streamer):
    """A door that is never used."""


def test_no_ack_and_a_lost_dialog_end_the_call() -> None:
    """A5 and H2"""
    for cause, reason in ((Cause.NO_ACK, "no_ack"), (Cause.DIALOG_LOST, "dialog_lost")):

        async def story(stage: Stage, cause: Cause = cause, reason: str = reason) -> None:
            a, b = await stage.talking()
            stage.script.ended(a, cause, Who.US)
            await stage.tick()
            assert stage.script.to(b) == ["Originate", "HangUp"]
            assert stage.sound() == ("ended", [("incoming", "hangup", reason), ("outgoing", "hangup", "peer_gone")])

        tell(story)


def test_a_flow_that_cannot_be_had_says_503_before_the_answer() -> None:
    """A7"""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([{"action": "fetchCallFlow", "options": {"url": "http://app.test/flow"}}])
        assert [reject.code for reject in stage.script.of(telephony.Reject, a)] == [503]
        assert stage.sound() == ("failed", [("incoming", "failed", "flow_unavailable")])

    tell(story)


def test_the_last_callback_shows_the_legs_as_rest_does() -> None:
    """§2: `sipResponseCode` of a caller we refused stands in the terminal event too, not only in REST afterwards."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        (b,) = stage.placed()
        stage.script.refused(b, Cause.BUSY, 486)
        await stage.tick()
        stage.script.refused(a, Cause.REJECTED, 486)
        await stage.tick()
        last = rows.events_of(stage.store, stage.world.id, stage.calls()[0].id)[-1]
        assert [leg.sip_code for leg in last.snapshot.legs] == [leg.sip_code for leg in stage.legs()] == [486, 486]

    tell(story)


def test_a_caller_whose_max_forwards_is_used_up_is_transferred_nowhere() -> None:
    """N8: RFC 3261 §16.3. With one left the next leg has none."""

    async def story(stage: Stage) -> None:
        await stage.arrive([transfer()], max_forwards=0)
        assert stage.placed() == []
        assert stage.sound() == ("failed", [("incoming", "failed", "limit"), ("outgoing", "failed", "limit")])
        await stage.arrive(max_forwards=1)
        assert [placed.max_forwards for placed in stage.script.of(telephony.Originate)] == [0]

    tell(story)


def test_a_call_is_counted_when_it_ends_on_record_not_when_the_wire_is_done() -> None:
    """A silent callee can hold a CANCEL for half a minute."""

    async def story(stage: Stage) -> None:
        a = await stage.arrive([transfer()])
        stage.script.refused(a, Cause.CANCELLED, 487)
        await stage.tick()
        assert stage.switch.live_calls == 1
        assert stage.counters.seen["ended", "no_answer", "live"] == 1
        await stage.after(100)
        assert (stage.switch.live_calls, stage.counters.seen["ended", "no_answer", "live"]) == (0, 1)

    tell(story)
