"""Blind transfers by REFER, in and out, between real signalling and a far end that does what a test says."""

from __future__ import annotations

import asyncio

import pytest

from callwright.sip import wire
from support.signalling import SETTINGS, Core
from support.sip_peer import Caller, Message, Peer, sdp

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def answered(core: Core, peer: Peer) -> tuple[Caller, wire.LegArrived]:
    call = peer.call()
    call.invite()
    arrived = await core.take(wire.LegArrived)
    core.send(wire.SendAnswer(arrived.leg, sdp()))
    call.ack(await peer.get(200))
    await core.take(wire.AnswerSent, arrived.leg)
    return call, arrived


async def goes_on(core: Core, peer: Peer, call: Caller, arrived: wire.LegArrived) -> None:
    """The leg is still there, and ends as ever."""
    await peer.nothing("BYE", within=0.1)
    assert core.about(arrived.leg) == []
    call.send("BYE")
    await peer.ok("BYE")
    assert await core.take(wire.LegEnded, arrived.leg) == wire.LegEnded(arrived.leg, "far")


def told(notify: Message) -> tuple[str, str, str]:
    return notify.get("Event"), notify.get("Subscription-State"), notify.body.strip()


ACTIVE, OVER = "active;expires=180", "terminated;reason=noresource"


# asked for by the far end


async def test_a_transfer_is_taken_and_its_progress_told(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    refer = call.send(
        "REFER", fields=["Refer-To: <sip:31612345678@example.org;user=phone>", "Referred-By: <sip:me@example.org>"]
    )
    assert await core.take(wire.ReferArrived, arrived.leg) == wire.ReferArrived(
        arrived.leg, "sip:31612345678@example.org;user=phone", "sip:me@example.org"
    )
    peer.send(refer)  # repeated, as nobody has answered it yet
    await peer.nothing(202, 500, "NOTIFY", within=0.1)
    core.send(wire.AnswerRefer(arrived.leg))
    accepted = await peer.get(202)
    assert (accepted.cseq[1], accepted.get("Refer-Sub")) == ("REFER", "")
    assert accepted.get("Contact") != ""
    notify = await peer.get("NOTIFY")
    assert told(notify) == ("refer", ACTIVE, "SIP/2.0 100 Trying")
    assert notify.get("Content-Type") == "message/sipfrag;version=2.0"
    assert notify.get("Contact") != ""
    # One NOTIFY at a time: what comes while it is under way waits, and only the last of it is told.
    for code, phrase in ((180, "Ringing"), (183, "Session Progress")):
        core.send(wire.TellReferral(arrived.leg, code, phrase))
    await core.caught_up()
    await peer.caught_up()
    assert {message.raw for message in peer.seen("NOTIFY")} == {notify.raw}
    peer.reply(notify, 200)
    notify = await peer.get("NOTIFY")
    assert told(notify) == ("refer", ACTIVE, "SIP/2.0 183 Session Progress")
    peer.reply(notify, 200)
    core.send(wire.TellReferral(arrived.leg, 200, "OK"))
    notify = await peer.get("NOTIFY")
    assert told(notify) == ("refer", OVER, "SIP/2.0 200 OK")
    peer.reply(notify, 200)
    await goes_on(core, peer, call, arrived)


async def test_a_transfer_is_refused_and_the_next_one_taken(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.send("REFER", fields=["r: tel:+31612345678"])
    assert (await core.take(wire.ReferArrived, arrived.leg)).target == "tel:+31612345678"
    call.send("REFER", fields=["Refer-To: <tel:+31612345679>"])
    assert (await peer.get(491)).cseq[1] == "REFER"
    core.send(wire.AnswerRefer(arrived.leg, 603, "Decline"))
    assert (await peer.get(603)).cseq == (2, "REFER")
    number = call.cseq + 1
    call.send("REFER", fields=["Refer-To: 31612345678"])
    assert (await core.take(wire.ReferArrived, arrived.leg)).target == "31612345678"
    core.send(wire.AnswerRefer(arrived.leg))
    await peer.get(202)
    notify = await peer.get("NOTIFY")
    assert notify.get("Event") == f"refer;id={number}"
    call.send("REFER", fields=["Refer-To: <tel:+31612345679>"])
    assert (await peer.get(491)).cseq[1] == "REFER"
    peer.reply(notify, 200)
    core.send(wire.TellReferral(arrived.leg, 486, "Busy Here"))
    notify = await peer.get("NOTIFY")
    assert told(notify) == (f"refer;id={number}", OVER, "SIP/2.0 486 Busy Here")
    peer.reply(notify, 200)
    await goes_on(core, peer, call, arrived)


async def test_a_far_end_that_wants_to_be_told_nothing(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    fields = ["Refer-To: <sip:x@example.org>", "Refer-Sub: false", "Require: norefersub"]
    call.send("REFER", fields=fields)
    await core.take(wire.ReferArrived, arrived.leg)
    core.send(wire.AnswerRefer(arrived.leg), wire.TellReferral(arrived.leg, 200, "OK"))
    assert (await peer.get(202)).get("Refer-Sub") == "false"
    await peer.nothing("NOTIFY", within=0.2)
    await goes_on(core, peer, call, arrived)


@pytest.mark.parametrize(
    ("fields", "code", "phrase"),
    [
        ([], 400, "Missing Refer-To"),
        (["Refer-To: <sip:a@example.org>", "Refer-To: <sip:b@example.org>"], 400, "More Than One Refer-To"),
        (["Refer-To: <sip:a@example.org>, <sip:b@example.org>"], 400, "More Than One Refer-To"),
        (["Refer-To: <sip:a@example.org"], 400, "Bad Refer-To"),
        (["Refer-To: <sip:>"], 400, "Bad Refer-To"),
        (["Refer-To: you know who"], 400, "Bad Refer-To"),
        (["Refer-To: <sips:a@example.org>"], 416, "Unsupported URI Scheme"),
        (["Refer-To: <http://example.org/>"], 416, "Unsupported URI Scheme"),
        (["Refer-To: <cid:list@example.org>"], 416, "Unsupported URI Scheme"),
        (["Refer-To: <sip:a@example.org;method=BYE>"], 501, "Only INVITE Can Be Referred"),
        (
            ["Refer-To: <sip:a@example.org?Replaces=1%40b%3Bto-tag%3Dx%3Bfrom-tag%3Dy>"],
            501,
            "Attended Transfer Is Not Supported",
        ),
    ],
)
async def test_what_is_refused_without_asking(core: Core, peer: Peer, fields: list[str], code: int, phrase: str) -> None:
    call, arrived = await answered(core, peer)
    call.send("REFER", fields=fields)
    refused = await peer.get(400, 416, 501, 603, 202)
    assert (refused.start, refused.cseq[1]) == (f"SIP/2.0 {code} {phrase}", "REFER")
    await goes_on(core, peer, call, arrived)


async def test_a_call_that_is_not_answered_is_not_transferred(core: Core, peer: Peer) -> None:
    call = peer.call()
    call.invite()
    arrived = await core.take(wire.LegArrived)
    core.send(wire.SendProgress(arrived.leg))
    call.learn(await peer.get(180))
    call.send("REFER", fields=["Refer-To: <sip:a@example.org>"])
    assert (await peer.get(603)).cseq[1] == "REFER"
    assert core.about(arrived.leg) == []
    core.send(wire.EndLeg(arrived.leg))


@pytest.mark.parametrize("code", [481, 500, 408])
async def test_a_notify_that_fails_harms_nothing(core: Core, peer: Peer, code: int) -> None:
    call, arrived = await answered(core, peer)
    call.send("REFER", fields=["Refer-To: <sip:a@example.org>"])
    await core.take(wire.ReferArrived, arrived.leg)
    core.send(wire.AnswerRefer(arrived.leg))
    peer.reply(await peer.get("NOTIFY"), code, "No")
    call.send("INFO")  # by the time it is answered, that refusal has been read
    await peer.ok("INFO")
    await core.take(wire.InfoArrived, arrived.leg)
    core.send(wire.TellReferral(arrived.leg, 180, "Ringing"), wire.TellReferral(arrived.leg, 200, "OK"))
    await peer.nothing("NOTIFY", within=0.1)
    call.send("REFER", fields=["Refer-To: <sip:b@example.org>"])
    assert (await core.take(wire.ReferArrived, arrived.leg)).target == "sip:b@example.org"
    core.send(wire.AnswerRefer(arrived.leg, 603, "Decline"))
    await peer.get(603)
    await goes_on(core, peer, call, arrived)


async def test_a_notify_that_nobody_answers_harms_nothing(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.send("REFER", fields=["Refer-To: <sip:a@example.org>"])
    await core.take(wire.ReferArrived, arrived.leg)
    core.send(wire.AnswerRefer(arrived.leg))
    await peer.get("NOTIFY")
    # Given up after 64 T1, another can be asked for.
    async with asyncio.timeout(128 * SETTINGS.t1_s):
        while not core.about(arrived.leg):
            call.send("REFER", fields=["Refer-To: <sip:b@example.org>"])
            await peer.nothing(202, within=0.2)
    assert (await core.take(wire.ReferArrived, arrived.leg)).target == "sip:b@example.org"
    core.send(wire.AnswerRefer(arrived.leg, 603, "Decline"))
    await peer.get(603)
    await goes_on(core, peer, call, arrived)


@pytest.mark.parametrize("who", ["far", "us"])
async def test_the_call_ends_while_a_transfer_waits_for_a_word(core: Core, peer: Peer, who: str) -> None:
    call, arrived = await answered(core, peer)
    call.send("REFER", fields=["Refer-To: <sip:a@example.org>"])
    await core.take(wire.ReferArrived, arrived.leg)
    if who == "far":
        call.send("BYE")
    else:
        core.send(wire.EndLeg(arrived.leg))
    assert (await peer.get(487)).cseq[1] == "REFER"
    assert (await core.take(wire.LegEnded, arrived.leg)).who == who
    core.send(wire.AnswerRefer(arrived.leg), wire.TellReferral(arrived.leg, 200, "OK"))
    await peer.nothing("NOTIFY", 202, within=0.1)


async def test_the_last_word_of_a_transfer_goes_out_before_our_bye(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    call.send("REFER", fields=["Refer-To: <sip:a@example.org>"])
    await core.take(wire.ReferArrived, arrived.leg)
    core.send(wire.AnswerRefer(arrived.leg), wire.TellReferral(arrived.leg, 180, "Ringing"))
    first = await peer.get("NOTIFY")  # the far end takes its time to answer it
    core.send(wire.TellReferral(arrived.leg, 200, "OK"), wire.EndLeg(arrived.leg))
    bye = await peer.get("BYE")
    (last,) = {m.cseq[0]: m for m in peer.seen("NOTIFY") if m.cseq != first.cseq}.values()
    assert told(last) == ("refer", OVER, "SIP/2.0 200 OK")
    assert last.cseq[0] == bye.cseq[0] - 1
    for request in (first, last, bye):
        peer.reply(request, 200)
    assert await core.take(wire.LegEnded, arrived.leg) == wire.LegEnded(arrived.leg, "us")


# asked for by us


async def referred(core: Core, peer: Peer, target: str = "31612345678") -> tuple[Caller, wire.LegArrived, Message]:
    call, arrived = await answered(core, peer)
    core.send(wire.SendRefer(arrived.leg, target))
    return call, arrived, await peer.get("REFER")


def notify(
    call: Caller, status: str, *, state: str = "active;expires=60", event: str = "refer", cseq: int | None = None
) -> None:
    body = f"SIP/2.0 {status}\r\n" if status else ""
    call.send("NOTIFY", body, fields=[f"Event: {event}", f"Subscription-State: {state}"], kind="message/sipfrag;version=2.0")


@pytest.mark.parametrize(
    ("target", "field"),
    [
        ("31612345678", "<sip:31612345678@127.0.0.1>"),
        ("*21#", "<sip:*21%23@127.0.0.1>"),
        ("sip:sales@example.org;transport=udp", "<sip:sales@example.org;transport=udp>"),
        ("tel:+31612345678", "<tel:+31612345678>"),
    ],
)
async def test_a_transfer_that_is_done(core: Core, peer: Peer, target: str, field: str) -> None:
    call, arrived, refer = await referred(core, peer, target)
    assert refer.get("Refer-To") == field
    assert refer.get("Referred-By").startswith("<sip:")
    peer.reply(refer, 202, "Accepted")
    for status in ("100 Trying", "180 Ringing"):
        notify(call, status)
        assert (await peer.get(200)).cseq[1] == "NOTIFY"
    assert core.about(arrived.leg) == []
    notify(call, "200 OK", state="terminated;reason=noresource")
    await peer.get(200)
    assert await core.take(wire.ReferEnded, arrived.leg) == wire.ReferEnded(arrived.leg, "done", 200, "OK")
    notify(call, "200 OK", state="terminated;reason=noresource")  # some say it twice
    await peer.get(200)
    await goes_on(core, peer, call, arrived)


async def test_a_notify_before_the_answer_to_the_refer(core: Core, peer: Peer) -> None:
    call, arrived, refer = await referred(core, peer)
    notify(call, "486 Busy Here", state="terminated;reason=noresource", event=f"refer;id={refer.cseq[0]}")
    await peer.get(200)
    peer.reply(refer, 202, "Accepted")
    assert await core.take(wire.ReferEnded, arrived.leg) == wire.ReferEnded(arrived.leg, "failed", 486, "Busy Here")
    await goes_on(core, peer, call, arrived)


async def test_a_far_end_that_stops_telling(core: Core, peer: Peer) -> None:
    call, arrived, refer = await referred(core, peer)
    peer.reply(refer, 202, "Accepted")
    notify(call, "180 Ringing", state="terminated;reason=giveup")
    await peer.get(200)
    assert await core.take(wire.ReferEnded, arrived.leg) == wire.ReferEnded(
        arrived.leg, "unknown", 180, "the far end stopped telling (terminated;reason=giveup)"
    )
    await goes_on(core, peer, call, arrived)


async def test_a_far_end_that_will_tell_nothing(core: Core, peer: Peer) -> None:
    call, arrived, refer = await referred(core, peer)
    peer.reply(refer, 202, "Accepted", fields=["Refer-Sub: false"])
    assert (await core.take(wire.ReferEnded, arrived.leg)).outcome == "unknown"
    await goes_on(core, peer, call, arrived)


@pytest.mark.parametrize("code", [405, 501, 603])
async def test_a_far_end_that_does_not_transfer(core: Core, peer: Peer, code: int) -> None:
    call, arrived, refer = await referred(core, peer)
    peer.reply(refer, code, "No Way")
    assert await core.take(wire.ReferEnded, arrived.leg) == wire.ReferEnded(arrived.leg, "refused", code, "No Way")
    notify(call, "200 OK")
    await peer.get(200)
    await goes_on(core, peer, call, arrived)


async def test_a_far_end_that_does_not_answer_the_refer(core: Core, peer: Peer) -> None:
    call, arrived, _ = await referred(core, peer)
    ended = await core.take(wire.ReferEnded, arrived.leg, within=128 * SETTINGS.t1_s)
    assert ended == wire.ReferEnded(arrived.leg, "unknown", 0, "no answer to the REFER")
    await goes_on(core, peer, call, arrived)


async def test_notifies_about_something_else(core: Core, peer: Peer) -> None:
    call, arrived = await answered(core, peer)
    notify(call, "200 OK")
    await peer.get(481)
    core.send(wire.SendRefer(arrived.leg, "1"))
    refer = await peer.get("REFER")
    peer.reply(refer, 202, "Accepted")
    notify(call, "200 OK", event=f"refer;id={refer.cseq[0] + 77}")
    await peer.get(481)
    notify(call, "200 OK", event="message-summary")
    assert (await peer.get(489)).get("Allow-Events") == "refer"
    for status in ("", "1", "999 What"):
        notify(call, status)
        await peer.get(200)
    assert core.about(arrived.leg) == []
    notify(call, "200 OK")
    assert (await core.take(wire.ReferEnded, arrived.leg)).outcome == "done"
    await goes_on(core, peer, call, arrived)


async def test_the_far_end_hangs_up_once_it_has_taken_the_transfer(core: Core, peer: Peer) -> None:
    call, arrived, refer = await referred(core, peer)
    peer.reply(refer, 202, "Accepted")
    call.send("BYE")
    await peer.ok("BYE")
    assert await core.take(wire.LegEnded, arrived.leg) == wire.LegEnded(arrived.leg, "far")
    notify(call, "200 OK")
    await peer.get(481)
    assert core.about(arrived.leg) == []


async def test_a_refer_and_a_notify_that_are_challenged(core: Core, peer: Peer) -> None:
    """On a leg that we placed, where there are credentials; the call's own INVITE is not challenged here."""
    leg = wire.UUID(int=0xD16)
    core.send(wire.PlaceLeg(leg, "3000", "127.0.0.1", "127.0.0.1", peer.port, "1000", sdp(), username="bob", password="secret"))
    invite = await peer.get("INVITE")
    peer.reply(invite, 200, body=sdp())
    await peer.get("ACK")
    await core.take(wire.LegAnswered, leg)
    far = peer.called(invite)
    challenge = ['WWW-Authenticate: Digest realm="far", nonce="1"']
    core.send(wire.SendRefer(leg, "31612345678"))
    first = await peer.get("REFER")
    peer.reply(first, 401, "Unauthorized", fields=challenge)
    second = await peer.get("REFER")
    assert second.get("Refer-To") == first.get("Refer-To") == "<sip:31612345678@127.0.0.1>"
    assert 'username="bob"' in second.get("Authorization")
    peer.reply(second, 202, "Accepted")
    notify(far, "200 OK", event=f"refer;id={second.cseq[0]}")
    await peer.ok("NOTIFY")
    assert (await core.take(wire.ReferEnded, leg)).outcome == "done"
    far.send("REFER", fields=["Refer-To: <sip:a@example.org>"])
    await core.take(wire.ReferArrived, leg)
    core.send(wire.AnswerRefer(leg))
    peer.reply(await peer.get("NOTIFY"), 401, "Unauthorized", fields=challenge)
    again = await peer.get("NOTIFY")
    assert (again.body.strip(), 'username="bob"' in again.get("Authorization")) == ("SIP/2.0 100 Trying", True)
    peer.reply(again, 401, "Unauthorized", fields=challenge)
    far.send("BYE")
    await peer.ok("BYE")
    await core.take(wire.LegEnded, leg)
