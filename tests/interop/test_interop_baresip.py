"""baresip, a user agent with a stack of its own, calls in and is called."""

import pytest

from support.baresip_phone import baresip_phone
from support.server import in_order, record
from support.sound import tone_file

BARESIP_HZ, PHONE_HZ = 850.0, 500.0
PAUSE = {"action": "pause", "options": {"length": 20}}


def transfer(peer):
    return {"action": "transfer", "options": {"destination": f"sip:31205550199@{peer.sip}"}}


async def hears(phone, call, hz):
    for _ in range(100):
        heard = await phone.measure(0.3, call=call)
        if heard["hz"] is not None and abs(heard["hz"] - hz) < 3:
            return
    raise AssertionError(f"the telephone hears {heard} and not {hz}")


@pytest.mark.parametrize("codec", ["pcmu", "pcma"])
async def test_it_calls_in_hears_a_file_and_presses_keys(server, web, number, codec):
    web.files["/five.wav"] = tone_file(440, 5.0)
    play = {"action": "play", "options": {"media": web.url("/five.wav")}}
    n = server.answers(number(), play, webhook=web.url("/calls"))
    async with baresip_phone(user="31612345678", codecs=(codec,)) as phone:
        here = await phone.dial(f"sip:{n}@{server.sip}")
        await here.hears(440)
        await here.call.send_dtmf("159#")
        call = server.call_to(n)
        server.pressed(call, "159#")
        await here.call.hangup()
        await here.reaches("CLOSED")
    assert server.ended(call) == record("ended", ("incoming", "hangup", "caller_hangup", 200))
    assert web.told(call) == in_order(("starting", "starting"), ("ongoing", "ongoing"), ("ended", "hangup"))
    assert server.live.get(f"/calls/{call}").made["source"] == "31612345678"
    (counters,) = server.counters(call)
    assert min(counters["sent"], counters["received"]) >= 25
    assert counters["lost"] == 0


async def test_it_calls_in_and_is_hung_up_when_the_flow_is_over(server, web, number):
    n = server.answers(number(), {"action": "pause", "options": {"length": 2}}, webhook=web.url("/calls"))
    async with baresip_phone(user="31612345678") as phone:
        here = await phone.dial(f"sip:{n}@{server.sip}")
        await here.hears(None)
        await here.reaches("CLOSED")
    call = server.call_to(n)
    assert server.ended(call) == record("ended", ("incoming", "hangup", "flow_ended", 200))
    (counters,) = server.counters(call)
    assert min(counters["sent"], counters["received"]) >= 15


@pytest.mark.parametrize(("codec", "law", "how"), [("pcmu", "PCMU", "relay"), ("pcma", "PCMU", "mix")])
async def test_it_is_the_callee_of_a_transfer(server, web, phone, number, codec, law, how):
    a = await phone(user="31612345678")
    async with baresip_phone(codecs=(codec,), hz=BARESIP_HZ) as b:
        n = server.answers(number(), transfer(b), webhook=web.url("/calls"))
        at_a = await a.call(f"sip:{n}@{server.sip}", tone=PHONE_HZ, laws=law)
        there = await b.incoming()
        await a.wait("ringing", call=at_a, code=180)
        await there.call.answer()
        await there.reaches("ESTABLISHED")
        await a.wait("answered", call=at_a)
        await there.hears(PHONE_HZ)
        await hears(a, at_a, BARESIP_HZ)

        await a.do("digits", call=at_a, digits="27*")
        await there.presses("27*")
        await there.call.send_dtmf("8")
        assert (await a.wait("digit", call=at_a))["digit"] == "8"

        await there.call.hold()
        call = server.call_to(n)
        server.journalled(call, "held")
        await there.call.resume()
        await there.hears(PHONE_HZ)
        await hears(a, at_a, BARESIP_HZ)

        await there.call.hangup()
        assert (await a.wait("ended", call=at_a))["who"] == "far"
    assert server.ended(call) == record(
        "ended", ("incoming", "hangup", "flow_ended", 200), ("outgoing", "hangup", "callee_hangup", 200)
    )
    assert web.told(call) == in_order(
        ("starting", "starting"),
        ("starting", "starting starting"),
        ("starting", "ringing ringing"),
        ("ongoing", "ringing ongoing"),
        ("ongoing", "ongoing ongoing"),
        ("ended", "hangup hangup"),
    )
    assert server.bridges(call) == [how]
    server.pressed(call, "27*8")
    assert [held["direction"] for held in server.journal(call, "held")] == ["sendonly", "sendrecv"]
    near, far = server.counters(call)
    assert min(near["sent"], near["received"], far["sent"], far["received"]) >= 50


async def test_it_is_called_over_rest_hears_a_file_and_is_hung_up(server, web):
    web.files["/one.wav"] = tone_file(440, 1.0)
    play = {"action": "play", "options": {"media": web.url("/one.wav")}}
    async with baresip_phone() as b:
        call = server.calls(f"sip:31205550199@{b.sip}", play, webhook=web.url("/calls"))
        there = await b.incoming()
        server.reaches(call, "ringing")
        await there.call.answer()
        await there.reaches("ESTABLISHED")
        await there.hears(440)
        await there.reaches("CLOSED")
    assert server.ended(call) == record("ended", ("outgoing", "hangup", "flow_ended", 200))
    assert web.told(call) == in_order(
        ("queued", "starting"), ("starting", "starting"), ("starting", "ringing"), ("ongoing", "ongoing"), ("ended", "hangup")
    )
    (counters,) = server.counters(call)
    assert min(counters["sent"], counters["received"]) >= 40


async def test_it_is_busy_and_it_does_not_answer(server, web):
    async with baresip_phone() as b:
        busy = server.calls(f"sip:31205550199@{b.sip}", PAUSE, webhook=web.url("/calls"))
        await (await b.incoming()).call.reject()
        assert server.ended(busy) == record("busy", ("outgoing", "busy", "busy", 486))
        absent = server.calls(f"sip:31205550199@{b.sip}", PAUSE, webhook=web.url("/calls"))
        await (await b.incoming()).reaches("CLOSED")
        assert server.ended(absent) == record("no_answer", ("outgoing", "no_answer", "ring_timeout", None))
    for call, status in ((busy, "busy"), (absent, "no_answer")):
        assert web.told(call) == in_order(
            ("queued", "starting"), ("starting", "starting"), ("starting", "ringing"), (status, status)
        )
