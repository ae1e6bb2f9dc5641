"""Dialogs whose far end has not confirmed the end: kept on record until it has, whatever dies in between (row R2)."""

from __future__ import annotations

from callwright import telephony
from callwright.telephony import Cause, Who
from support.scripted import Stage, tell


def kept(stage: Stage) -> list[bytes | None]:
    return [dialog for (dialog,) in stage.store._reader.execute("SELECT dialog FROM legs ORDER BY n")]


async def hung_up(stage: Stage) -> None:
    """A caller hung up; the BYE to its callee is not answered yet, but for the call everything is over."""
    a = await stage.arrive([{"action": "transfer", "options": {"destination": "31205550191"}}], dialog=b"a")
    (b,) = stage.placed()
    stage.script.say(telephony.Answered, b, dialog=b"b")
    await stage.tick()
    stage.script.say(telephony.Answered, a, dialog=b"a")
    await stage.tick()
    stage.script.ended(a)
    await stage.tick()
    stage.script.ended(b, who=Who.US, unconfirmed=True)
    await stage.tick()
    assert stage.switch.live_calls == 0
    stage.sound()


def test_a_dialog_is_forgotten_when_its_far_end_is_gone() -> None:
    async def story(stage: Stage) -> None:
        await hung_up(stage)
        (b,) = stage.placed()
        await stage.after(30)
        assert kept(stage) == [None, b"b"]
        stage.script.say(telephony.Released, b)
        await stage.after(1)
        assert kept(stage) == [None, None]
        stage.sound()

    tell(story)


def test_what_the_disk_did_not_take_is_forgotten_later() -> None:
    async def story(stage: Stage) -> None:
        await stage.switch.start()  # its heart finds out that the database is back
        await hung_up(stage)
        (b,) = stage.placed()
        stage.disk.full = True
        stage.script.say(telephony.Released, b)
        await stage.after(30)
        assert kept(stage) == [None, b"b"]
        stage.disk.comes_back()
        await stage.after(5)
        assert kept(stage) == [None, None]

    tell(story)


def test_a_dialog_that_the_disk_took_late_is_forgotten_too() -> None:
    async def story(stage: Stage) -> None:
        await stage.switch.start()
        a = await stage.arrive([{"action": "pause", "options": {"length": 60}}], dialog=b"a")
        stage.script.say(telephony.Answered, a, dialog=b"a")
        await stage.tick()
        stage.disk.full = True
        stage.script.say(telephony.Moved, a, dialog=b"elsewhere")
        stage.script.ended(a, who=Who.US, unconfirmed=True)
        await stage.after(0.1)
        stage.script.say(telephony.Released, a)
        for seconds in (0.6, 0.7, 0.8, 0.9):  # the waits of the call and of its release meet the disk in any order
            await stage.after(seconds)
        stage.disk.comes_back()
        await stage.after(10)
        assert kept(stage) == [None]

    tell(story)


def test_what_waits_is_forgotten_when_the_server_stops() -> None:
    async def story(stage: Stage) -> None:
        await hung_up(stage)
        (b,) = stage.placed()
        stage.script.say(telephony.Released, b)
        await stage.switch.stop()
        assert kept(stage) == [None, None]

    tell(story)


def test_the_dialogs_of_a_dead_signalling_process_stay_until_its_successor_has_ended_them() -> None:
    async def story(stage: Stage) -> None:
        a = await stage.arrive([{"action": "pause", "options": {"length": 60}}], dialog=b"a")
        stage.script.say(telephony.Answered, a, dialog=b"a")
        await stage.tick()
        stage.script.ended(a, Cause.SIGNALLING_LOST, Who.US, unconfirmed=True)
        await stage.tick()
        assert stage.outcome() == ("ended", [("incoming", "hangup", "signalling_lost")])
        assert kept(stage) == [b"a"]
        stage.script.say(telephony.Released, a)
        await stage.after(1)
        assert kept(stage) == [None]
        stage.sound()

    tell(story)
