"""Calls changed while they are up, on a running server: what each party hears of it."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from support.far_end import FarEnd
from support.measuring import RATE, WHOLE, find, fingerprint, level, tones
from support.server import Server, record, until
from support.sound import tone_file
from support.steps import pause, play, transfer
from support.web_application import WebApplication

Telephone = Callable[..., FarEnd]
OF_A, OF_B, OF_C = (fingerprint(1.5, seed=seed) for seed in (21, 22, 23))
DESK = "sip:desk@127.0.0.1:5"  # asked for, and never called by the server


def packaged(name: str, seconds: float) -> Any:
    """The beginning of a sound that is part of the program."""
    with files("callwright.switch").joinpath(name).open("rb") as file, wave.open(file, "rb") as sound:
        return np.frombuffer(sound.readframes(round(seconds * RATE)), np.int16)


def music_in(heard: Any) -> float:
    """How surely the music is in it: the best of its first pieces, as a machine that stalls leaves gaps."""
    music = packaged("music.wav", 1.8)
    return max(find(piece, heard).likeness for piece in np.array_split(music, 3))


async def talking(server: Server, telephone: Telephone, number: str, *more: dict[str, Any]) -> tuple[FarEnd, FarEnd, str]:
    """A calls, and B answers; returns the call's id too."""
    a, b = telephone(), telephone()
    await asyncio.to_thread(server.answers, number, transfer(b.uri), *more)
    await a.call(number, answered=False)
    await b.answers()
    await a.is_answered()
    call = await asyncio.to_thread(server.call_to, number)
    await asyncio.to_thread(server.reaches, call, "ongoing", "ongoing")
    return a, b, call


async def ask(server: Server, method: str, path: str, body: Any = None) -> Any:
    answer = await asyncio.to_thread(server.live.ask, method, path, body)
    assert answer.status in (200, 201), answer
    return answer.made


async def leg_of(server: Server, call: str, n: int) -> str:
    """The n-th leg of a call, from 0."""
    legs = await asyncio.to_thread(server.live.listed, f"/calls/{call}/legs")
    return str(legs[::-1][n]["id"])


async def added(server: Server, telephone: Telephone, call: str) -> FarEnd:
    c = telephone()
    leg, _ = await asyncio.gather(ask(server, "POST", f"/calls/{call}/{quote(c.uri, safe='')}"), c.answers())
    assert (leg["callId"], leg["status"]) == (call, "starting")
    return c


async def takes_offer(one: FarEnd, direction: str, version: int) -> None:
    invite = await one.peer.get("INVITE")
    one.peer.reply(invite, 200, body=one.description(direction, version))
    await one.peer.get("ACK")


async def test_three_hear_each_other_and_two_go_on(server: Server, telephone: Telephone, number: str) -> None:
    a, b, call = await talking(server, telephone, number)
    c = await added(server, telephone, call)
    await asyncio.to_thread(server.reaches, call, "ongoing", "ongoing", "ongoing")
    await c.hears_for(0.5)
    for clip, speaker in ((OF_A, a), (OF_B, b), (OF_C, c)):
        await speaker.is_heard(clip, *(one for one in (a, b, c) if one is not speaker))
    await a.hang_up()
    await c.is_heard(OF_C, b)
    await c.hang_up()
    await b.is_hung_up()
    legs = [
        ("incoming", "hangup", "caller_hangup", 200),
        ("outgoing", "hangup", "peer_gone", 200),
        ("outgoing", "hangup", "callee_hangup", 200),
    ]
    assert await asyncio.to_thread(server.ended, call) == record("ended", *legs)


async def test_a_caller_on_hold_hears_music_and_is_handed_on(server: Server, telephone: Telephone, number: str) -> None:
    """The warm transfer: hold, add, leave, unhold."""
    a, b, call = await talking(server, telephone, number, pause(30))
    leg = await leg_of(server, call, 0)
    _, held = await asyncio.gather(takes_offer(a, "recvonly", 2), ask(server, "POST", f"/legs/{leg}/hold"))
    assert held["id"] == leg
    start = a.line.now
    c = await added(server, telephone, call)
    await c.hears_for(0.5)
    start_b = b.line.now
    await asyncio.gather(c.is_heard(OF_C, b), a.line.say(OF_A))
    assert find(OF_A, b.line.since(start_b)).likeness < 0.3  # who is on hold is not heard
    await a.hears_for(3)
    assert music_in(a.line.since(start)) > 0.9
    assert find(OF_C, a.line.since(start)).likeness < 0.3
    await b.hang_up()
    bridged = len(server.journal(call, "bridged"))
    await asyncio.gather(takes_offer(a, "sendrecv", 3), ask(server, "POST", f"/legs/{leg}/unhold"))
    await asyncio.to_thread(until, lambda: len(server.journal(call, "bridged")), lambda count: count > bridged)
    await c.is_heard(OF_C, a)
    await a.hang_up()
    await c.is_hung_up()
    assert (await asyncio.to_thread(server.ended, call)).status == "ended"


@pytest.mark.parametrize("stays", [True, False], ids=["waits", "hangs up at once"])
async def test_a_callee_puts_another_in_its_place(stays: bool, server: Server, telephone: Telephone, number: str) -> None:
    a, b, call = await talking(server, telephone, number)
    c = telephone()
    assert b.dialog is not None
    b.dialog.send("REFER", fields=[f"Refer-To: <{c.uri}>"])
    await b.peer.get(202)
    await c.is_called()
    if not stays:
        start = a.line.now
        await b.hang_up()
        await a.hears_for(3)
        assert find(packaged("ringback.wav", 1), a.line.since(start)).likeness > WHOLE
    await c.answers()
    if stays:
        await b.is_hung_up()
    await c.hears_for(0.5)
    await c.is_heard(OF_C, a)
    await a.hang_up()
    await c.is_hung_up()
    reason = "referred" if stays else "callee_hangup"
    assert (await asyncio.to_thread(server.ended, call)).legs[1].reason == reason


async def test_who_is_put_on_hold_without_a_sound_hears_music(server: Server, telephone: Telephone, number: str) -> None:
    a, b, call = await talking(server, telephone, number)
    assert b.dialog is not None
    b.dialog.invite(b.description("inactive", 2))
    b.dialog.ack(await b.peer.get(200))
    start = a.line.now
    await a.hears_for(3)
    assert music_in(a.line.since(start)) > 0.9
    b.dialog.invite(b.description("sendrecv", 3))
    b.dialog.ack(await b.peer.get(200))
    await a.until(lambda: level(a.line.since(a.line.now - 0.5)) < 0.005, "silence")
    await b.is_heard(OF_B, a)
    await a.hang_up()
    await b.is_hung_up()
    await asyncio.to_thread(server.ended, call)


async def test_another_flow_is_heard_at_once(server: Server, telephone: Telephone, web: WebApplication, number: str) -> None:
    a, b, call = await talking(server, telephone, number)
    flow = {"steps": [play(web.at("/changed.wav", tone_file(600, 1.0)))]}
    start = a.line.now
    changed, _ = await asyncio.gather(ask(server, "PUT", f"/calls/{call}", {"callFlow": flow}), b.is_hung_up())
    assert (changed["id"], changed["status"]) == (call, "ongoing")
    await a.is_hung_up()
    assert [round(tone.hz or 0, -1) for tone in tones(a.line.since(start), longer=0.5)] == [600]
    assert (await asyncio.to_thread(server.ended, call)).legs[1].reason == "flow_replaced"
    over = await asyncio.to_thread(server.live.ask, "PUT", f"/calls/{call}", {"callFlow": flow})
    assert over.status == 422


async def refer(server: Server, call: str, leg: str, one: FarEnd, *told: str) -> Any:
    """Ask the far end of a leg to call someone else, who tells how that goes; return what the program is told."""
    asking = asyncio.create_task(asyncio.to_thread(server.live.post, f"/api/calls/{call}/legs/{leg}/refer", {"to": DESK}))
    request = await one.peer.get("REFER")
    assert request.get("Refer-To") == f"<{DESK}>"
    accepted = told[0] == "202"
    one.peer.reply(request, int(told[0]), "Accepted" if accepted else "Decline")
    for status in told[1:]:
        assert one.dialog is not None
        state = "active;expires=60" if status.startswith("1") else "terminated;reason=noresource"
        fields = ["Event: refer", f"Subscription-State: {state}"]
        one.dialog.send("NOTIFY", f"SIP/2.0 {status}\r\n", fields=fields, kind="message/sipfrag;version=2.0")
        await one.peer.ok("NOTIFY")
    return await asking


async def test_a_far_end_is_asked_to_call_someone_else(server: Server, telephone: Telephone, number: str) -> None:
    """Whoever has its new call is hung up, and the flow goes on as when it had left."""
    a, b, call = await talking(server, telephone, number)
    answer = await refer(server, call, await leg_of(server, call, 1), b, "202", "100 Trying", "180 Ringing", "200 OK")
    assert (answer.status, answer.content) == (200, {"outcome": "done", "sipCode": 200, "detail": "OK"})
    await b.is_hung_up()
    await a.is_hung_up()
    legs = [("incoming", "hangup", "flow_ended", 200), ("outgoing", "hangup", "referred", 200)]
    assert await asyncio.to_thread(server.ended, call) == record("ended", *legs)
    (sent,) = await asyncio.to_thread(server.journal, call, "refer_sent")
    assert sent["target"] == DESK


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (("603",), {"outcome": "refused", "sipCode": 603, "detail": "Decline"}),
        (("202", "100 Trying", "486 Busy Here"), {"outcome": "failed", "sipCode": 486, "detail": "Busy Here"}),
    ],
    ids=["refused", "busy"],
)
async def test_a_transfer_asked_of_a_far_end_that_fails_drops_nobody(
    told: tuple[str, ...], outcome: dict[str, Any], server: Server, telephone: Telephone, number: str
) -> None:
    a, b, call = await talking(server, telephone, number)
    answer = await refer(server, call, await leg_of(server, call, 0), a, *told)
    assert (answer.status, answer.content) == (200, outcome)
    await a.is_heard(OF_A, b)
    await a.hang_up()
    await b.is_hung_up()
    legs = [("incoming", "hangup", "caller_hangup", 200), ("outgoing", "hangup", "peer_gone", 200)]
    assert await asyncio.to_thread(server.ended, call) == record("ended", *legs)
    over = await asyncio.to_thread(
        server.live.post, f"/api/calls/{call}/legs/{await leg_of(server, call, 0)}/refer", {"to": number}
    )
    assert over.status == 409, over
