"""Our telephone, which shares no code with the server, calls in and is called: what both sides see, and what they hear."""

import asyncio
import contextlib
import math
import time

import pytest
import pytest_asyncio

from callwright.phone.client import Phone
from support.server import Server, in_order, record
from support.sound import tone_file

pytestmark = pytest.mark.asyncio(loop_scope="module")

A_HZ, B_HZ = 500.0, 850.0
RINGBACK_HZ = 425.0
PAUSE = {"action": "pause", "options": {"length": 20}}
TRANSFERRED = (
    ("starting", "starting"),
    ("starting", "starting starting"),
    ("starting", "ringing ringing"),
    ("ongoing", "ringing ongoing"),
    ("ongoing", "ongoing ongoing"),
    ("ended", "hangup hangup"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def phones():
    """Phone A, which calls, and phone B, which is called."""
    both = await asyncio.gather(Phone.start(user="31612345678"), Phone.start(user="31205550199"))
    yield both
    await asyncio.gather(*(one.stop() for one in both))


async def rested(phone):
    """The phone, when what other tests left is over and heard of."""
    await phone.do("policy", tone=B_HZ)
    with contextlib.suppress(TimeoutError):
        while await phone.wait("incoming", "answered", "refused", "ended", timeout=0.01):
            pass
    return phone


@pytest_asyncio.fixture(loop_scope="module")
async def a(phones):
    return await rested(phones[0])


@pytest_asyncio.fixture(loop_scope="module")
async def b(phones):
    return await rested(phones[1])


@pytest.fixture(scope="module")
def forthcoming(tmp_path_factory):
    """A server that lets early media through, and soon gives up on silence."""
    running = Server.start(tmp_path_factory.mktemp("server") / "two", {"transfer.early_media": "true", "media.silence": "1"})
    yield running
    running.stop()


def transfer(phone, **options):
    return {"action": "transfer", "options": {"destination": f"sip:31205550199@{phone.sip}", **options}}


def play(*media):
    return {"action": "play", "options": {"media": media[0] if len(media) == 1 else list(media)}}


async def dial(phone, server, number, **manner):
    return await phone.call(f"sip:{number}@{server.sip}", **{"tone": A_HZ, **manner})


async def hears(phone, call, hz, *, level=None, within=30.0):
    """Wait until what a phone hears is this tone and no other; None is silence.

    With `level` in dBFS it must be that loud and clean too. A telephone whose machine stalls for a moment hears a gap, so it
    listens again.
    """
    deadline = time.monotonic() + within
    while True:
        heard = await phone.measure(0.3, call=call)
        right = heard["silence"] if hz is None else heard["hz"] is not None and abs(heard["hz"] - hz) < 3
        if right and (level is None or (heard["share"] > 0.95 and abs(heard["level"] - level) < 0.5)):
            return heard
        assert time.monotonic() < deadline, f"call {call} hears {heard} and not {hz}"


async def connected(server, a, b, n, *, near=None, far=None):
    """A calls the number and is connected to B: the number of the call at A, at B, and its id."""
    await b.do("policy", tone=B_HZ, **(far or {}))
    at_a = await dial(a, server, n, **(near or {}))
    at_b = (await b.wait("incoming"))["call"]
    await asyncio.gather(a.wait("answered", call=at_a), b.wait("answered", call=at_b))
    return at_a, at_b, server.call_to(n)


# Bridge -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("near", "far", "how"),
    [("PCMU", "PCMU", "relay"), ("PCMA", "PCMA", "relay"), ("PCMU", "PCMA", "mix"), ("PCMA", "PCMU", "mix")],
)
async def test_each_hears_the_other_and_a_digit_goes_across(server, web, a, b, number, near, far, how):
    n = server.answers(number(), transfer(b), webhook=web.url("/calls"))
    at_a, at_b, call = await connected(server, a, b, n, near={"laws": near}, far={"laws": far, "ring": 0.2})
    await asyncio.gather(hears(a, at_a, B_HZ, level=-13), hears(b, at_b, A_HZ, level=-13))

    await a.do("digits", call=at_a, digits="159#", tone_ms=120)
    sent = [(key["digit"], key["duration_ms"]) for key in [await b.wait("digit", call=at_b) for _ in "159#"]]
    assert [digit for digit, _ in sent] == list("159#")
    assert all(ms == pytest.approx(120, abs=80) for _, ms in sent), sent  # packets that come late make it longer or shorter
    await b.do("digits", call=at_b, digits="0")
    assert (await a.wait("digit", call=at_a))["digit"] == "0"
    await asyncio.gather(hears(a, at_a, B_HZ), hears(b, at_b, A_HZ))  # the sound comes back after the digits

    await a.do("hangup", call=at_a, reason='Q.850;cause=16;text="done"')
    over = await b.wait("ended", call=at_b)
    assert (over["who"], over["reason"]) == ("far", 'Q.850;cause=16;text="done"')
    assert server.ended(call) == record(
        "ended", ("incoming", "hangup", "caller_hangup", 200), ("outgoing", "hangup", "peer_gone", 200)
    )
    assert web.told(call) == in_order(*TRANSFERRED)
    server.pressed(call, "159#0")
    assert server.bridges(call) == [how]
    for phone, n_call in ((a, at_a), (b, at_b)):
        counts = await phone.wait("counters", call=n_call)
        wrong = {"lost", "duplicate", "reordered", "gaps", "ssrc_changes", "timestamp_back", "malformed", "unknown_type"}
        assert {name: counts[name] for name in wrong} == dict.fromkeys(wrong, 0)


async def test_the_far_end_holds_and_resumes(server, a, b, number):
    n = server.answers(number(), transfer(b))
    at_a, at_b, call = await connected(server, a, b, n)
    await asyncio.gather(hears(a, at_a, B_HZ), hears(b, at_b, A_HZ))

    await b.do("hold", call=at_b, direction="inactive")
    assert (await b.wait("changed", call=at_b))["direction"] == "inactive"
    await hears(b, at_b, None)
    music = await a.measure(1.0, call=at_a)
    assert music["level"] > -40, music
    assert music["hz"] is None or abs(music["hz"] - B_HZ) > 3, music
    await b.do("unhold", call=at_b)
    await b.wait("changed", call=at_b, direction="sendrecv")
    await asyncio.gather(hears(a, at_a, B_HZ), hears(b, at_b, A_HZ))

    await a.do("hold", call=at_a)  # sendonly: it may play its own music, and hears nothing
    assert (await a.wait("changed", call=at_a))["direction"] == "sendonly"
    await asyncio.gather(hears(a, at_a, None), hears(b, at_b, A_HZ))
    await a.do("unhold", call=at_a)
    await a.wait("changed", call=at_a, direction="sendrecv")
    await asyncio.gather(hears(a, at_a, B_HZ), hears(b, at_b, A_HZ))

    await b.do("hangup", call=at_b)
    assert (await a.wait("ended", call=at_a))["who"] == "far"
    assert server.ended(call) == record(
        "ended", ("incoming", "hangup", "flow_ended", 200), ("outgoing", "hangup", "callee_hangup", 200)
    )
    assert [(held["direction"]) for held in server.journal(call, "held")] == ["inactive", "sendrecv", "sendonly", "sendrecv"]


async def test_one_number_of_this_server_reaches_another_over_sip(server, web, a, number):
    """As a trunk does it that sends back the INVITE it was given."""
    web.files["/there.wav"] = tone_file(620, 3.0)
    behind = server.answers(number(), play(web.url("/there.wav")))
    first = server.answers(
        number(), {"action": "transfer", "options": {"destination": f"sip:{behind}@{server.sip}", "mask": True}}
    )
    at_a = await dial(a, server, first)
    await a.wait("answered", call=at_a)
    await hears(a, at_a, 620)
    await a.do("hangup", call=at_a)
    assert server.ended(server.call_to(first)) == record(
        "ended", ("incoming", "hangup", "caller_hangup", 200), ("outgoing", "hangup", "peer_gone", 200)
    )
    second = server.call_to(behind)
    assert server.ended(second) == record("ended", ("incoming", "hangup", "caller_hangup", 200))
    assert server.live.get(f"/calls/{second}").made["source"] == first  # masked


# Before the answer --------------------------------------------------------------------------------------------------


async def test_the_caller_is_answered_after_the_callee(server, a, b, number):
    n = server.answers(number(), transfer(b))
    await b.do("policy", answer=None)
    at_a = await dial(a, server, n)
    incoming = await b.wait("incoming")
    assert incoming["from"].startswith("<sip:31612345678@")
    rings = await a.wait("ringing", call=at_a)
    assert (rings["code"], rings["sdp"]) == (180, False)
    call = server.call_to(n)
    server.reaches(call, "ringing", "ringing")
    seen = [event["event"] for event in a.events if event.get("call") == at_a]
    assert "answered" not in seen
    await b.do("answer", call=incoming["call"])
    await a.wait("answered", call=at_a)
    await hears(a, at_a, None)
    await b.do("tone", call=incoming["call"], hz=B_HZ)
    await hears(a, at_a, B_HZ)
    server.reaches(call, "ongoing", "ongoing")

    # a leg is ended over REST: the flow has no further step, so that the other follows
    legs = {leg["direction"]: leg["id"] for leg in server.live.listed(f"/calls/{call}/legs")}
    assert server.live.delete(f"/legs/{legs['outgoing']}") == (204, None)
    for phone, n_call in ((a, at_a), (b, incoming["call"])):
        assert (await phone.wait("ended", call=n_call))["who"] == "far"
    assert server.ended(call) == record(
        "ended", ("incoming", "hangup", "flow_ended", 200), ("outgoing", "hangup", "api_hangup", 200)
    )


async def test_a_busy_callee_and_one_that_never_answers(server, a, b, number):
    busy, absent = (server.answers(number(), transfer(b)) for _ in range(2))
    await b.do("policy", answer=486)
    at_a = await dial(a, server, busy)
    assert (await a.wait("refused", call=at_a))["code"] == 486
    await b.do("policy", answer=None)
    at_a = await dial(a, server, absent)
    assert (await a.wait("refused", call=at_a))["code"] == 480
    over = await b.wait("ended", who="far", code=487)
    assert not over["answered"]


async def test_an_answered_caller_hears_it_ring(server, web, a, b, number):
    web.files["/short.wav"] = tone_file(620, 0.3)
    n = server.answers(number(), play(web.url("/short.wav")), transfer(b))
    await b.do("policy", tone=B_HZ, ring=1.2)
    at_a = await dial(a, server, n)
    await a.wait("answered", call=at_a)
    await hears(a, at_a, RINGBACK_HZ)
    at_b = (await b.wait("answered"))["call"]
    await asyncio.gather(hears(a, at_a, B_HZ), hears(b, at_b, A_HZ))
    await a.do("hangup", call=at_a)
    call = server.call_to(n)
    assert server.ended(call) == record(
        "ended", ("incoming", "hangup", "caller_hangup", 200), ("outgoing", "hangup", "peer_gone", 200)
    )


async def test_early_media_is_kept_from_the_caller_unless_it_is_wanted(server, forthcoming, a, b, number):
    await b.do("policy", progress=(183,), early_media=True, ring=1.5, tone=B_HZ)

    async def through(where, told, heard):
        n = where.answers(number(), transfer(b))
        at_a = await dial(a, where, n)
        rings = await a.wait("ringing", call=at_a)
        assert (rings["code"], rings["sdp"]) == told
        answered = await a.wait("answered", call=at_a)
        await hears(a, at_a, B_HZ)
        # What was heard is measured every 200 ms, and said a moment later.
        assert [hz for since, hz in a.tones(at_a) if hz is not None and since < answered["at"] - 0.3] == heard
        await a.do("hangup", call=at_a)
        return where.ended(where.call_to(n))

    ends = await asyncio.gather(
        through(server, (180, False), []), through(forthcoming, (183, True), [pytest.approx(B_HZ, abs=3)])
    )
    assert ends == [record("ended", ("incoming", "hangup", "caller_hangup", 200), ("outgoing", "hangup", "peer_gone", 200))] * 2


# Sounds and digits ----------------------------------------------------------------------------------------------------


async def test_sounds_are_played_whole_from_a_url_and_from_the_folder(server, web, a, number):
    """What was heard in all, against the level of the file, tells for how long it was heard."""
    peak, seconds = 8000, 1.0
    web.files["/one.wav"] = tone_file(440, seconds, peak)
    (server.folder / "data" / "sounds" / "two.wav").write_bytes(tone_file(600, seconds, peak))
    level = 20 * math.log10(peak / 32768)

    async def listens(media, hz, law):
        n = server.answers(number(), play(media), PAUSE)
        at_a = await dial(a, server, n, laws=law)
        heard = await a.measure(2.0, call=at_a)
        await a.do("counters", call=at_a)
        counts = await a.wait("counters", call=at_a)
        assert heard["hz"] == pytest.approx(hz, abs=1)
        # What came after it was measured is counted, too.
        lasted_at_most = counts["received"] * 0.02 * 10 ** ((heard["level"] - level) / 10)
        assert seconds - 0.04 < lasted_at_most < 2 * seconds
        server.journalled(server.call_to(n), "step_ended")
        await a.do("hangup", call=at_a)
        return server.ended(server.call_to(n))

    ends = await asyncio.gather(
        listens(web.url("/one.wav"), 440, "PCMU"),
        listens(web.url("/one.wav"), 440, "PCMA"),
        listens("file:two.wav", 600, "PCMU"),
    )
    assert ends == [record("ended", ("incoming", "hangup", "caller_hangup", 200))] * 3


async def test_sounds_follow_each_other(server, web, a, number):
    for hz in (440, 600):
        web.files[f"/{hz}.wav"] = tone_file(hz, 0.8)
    n = server.answers(number(), play(web.url("/440.wav"), web.url("/600.wav")))
    at_a = await dial(a, server, n)
    assert (await a.wait("ended", call=at_a))["who"] == "far"
    tones = [round(hz / 20) * 20 for _, hz in a.tones(at_a) if hz is not None]
    assert list(dict.fromkeys(tones)) == [440, 600]  # a machine that stalls leaves gaps in them


async def test_a_sound_that_is_not_there_ends_the_call_and_says_why(server, web, a, number):
    n = server.answers(number(), play(web.url("/nowhere.wav")))
    at_a = await dial(a, server, n)
    assert (await a.wait("ended", call=at_a))["who"] == "far"
    call = server.call_to(n)
    assert server.ended(call) == record("ended", ("incoming", "hangup", "media_unavailable", 200))
    (fetched,) = server.journal(call, "media_fetched")
    assert (fetched["url"], fetched["status"]) == (web.url("/nowhere.wav"), 404)


async def test_each_digit_is_on_record_once(server, a, number):
    n = server.answers(number(), PAUSE)
    at_a = await dial(a, server, n)
    await a.wait("answered", call=at_a)
    await a.do("digits", call=at_a, digits="0123456789*#ABCD", tone_ms=60, gap_ms=60)
    call = server.call_to(n)
    server.pressed(call, "0123456789*#ABCD")
    await a.do("digits", call=at_a, digits="5", tone_ms=400)
    await a.do("digits", call=at_a, digits="5")
    server.pressed(call, "0123456789*#ABCD55")
    await a.do("hangup", call=at_a)
    server.ended(call)
    pressed = server.pressed(call, "0123456789*#ABCD55")
    assert {key["means"] for key in pressed} == {"rfc4733"}
    assert [key["duration_ms"] for key in pressed] == [pytest.approx(60, abs=20)] * 16 + [
        pytest.approx(400, abs=20),
        pytest.approx(100, abs=20),
    ]


# Endings --------------------------------------------------------------------------------------------------------------


async def test_a_call_placed_over_rest_is_transferred_and_deleted(server, web, a, b):
    """A hears it ring at B, then B; the call is deleted, and both are hung up."""
    await a.do("policy", tone=A_HZ)
    await b.do("policy", tone=B_HZ, ring=1.0)
    call = server.calls(f"sip:31612345678@{a.sip}", transfer(b), source="31205550100", webhook=web.url("/calls"))
    incoming = await a.wait("incoming")
    assert incoming["from"].startswith("<sip:31205550100@")
    at_a = incoming["call"]
    await hears(a, at_a, RINGBACK_HZ)
    at_b = (await b.wait("answered"))["call"]
    await asyncio.gather(hears(a, at_a, B_HZ), hears(b, at_b, A_HZ))
    assert server.live.delete(f"/calls/{call}") == (204, None)
    for phone, n_call in ((a, at_a), (b, at_b)):
        assert (await phone.wait("ended", call=n_call))["who"] == "far"
    assert server.ended(call) == record(
        "ended", ("outgoing", "hangup", "api_hangup", 200), ("outgoing", "hangup", "api_hangup", 200)
    )
    assert web.told(call) == in_order(
        ("queued", "starting"),
        ("starting", "starting"),
        ("starting", "ringing"),
        ("ongoing", "ongoing starting"),
        ("ongoing", "ongoing ringing"),
        ("ongoing", "ongoing ongoing"),
        ("ended", "hangup hangup"),
    )


async def test_a_call_that_nobody_speaks_in_is_ended(forthcoming, a, b, number):
    n = forthcoming.answers(number(), transfer(b))
    at_a, at_b, call = await connected(forthcoming, a, b, n)
    await asyncio.gather(hears(a, at_a, B_HZ), hears(b, at_b, A_HZ))
    await a.do("mute", call=at_a, packets=False)
    await hears(b, at_b, None)
    await asyncio.sleep(1.5)  # one side alone may be silent for as long as it likes
    assert forthcoming.record(call).status == "ongoing"
    await b.do("mute", call=at_b, packets=False)
    for phone, n_call in ((a, at_a), (b, at_b)):
        assert (await phone.wait("ended", call=n_call))["who"] == "far"
    assert forthcoming.ended(call) == record(
        "ended", ("incoming", "hangup", "media_timeout", 200), ("outgoing", "hangup", "media_timeout", 200)
    )


async def test_a_call_on_hold_is_not_ended_for_its_silence(forthcoming, a, b, number):
    n = forthcoming.answers(number(), transfer(b))
    at_a, at_b, call = await connected(forthcoming, a, b, n)
    await asyncio.gather(hears(a, at_a, B_HZ), hears(b, at_b, A_HZ))
    await b.do("hold", call=at_b, direction="inactive")
    await b.wait("changed", call=at_b)
    await asyncio.gather(*(phone.do("mute", call=its, packets=False) for phone, its in ((a, at_a), (b, at_b))))
    await asyncio.sleep(2.5)  # more than twice the silence that ends a call
    assert forthcoming.record(call).status == "ongoing"
    await b.do("unhold", call=at_b)
    for phone, n_call in ((a, at_a), (b, at_b)):
        assert (await phone.wait("ended", call=n_call))["who"] == "far"
    assert forthcoming.ended(call) == record(
        "ended", ("incoming", "hangup", "media_timeout", 200), ("outgoing", "hangup", "media_timeout", 200)
    )


async def test_a_flow_that_cannot_be_had_refuses_the_caller(server, a, number):
    n = server.answers(number(), {"action": "fetchCallFlow", "options": {"url": "http://127.0.0.1:1/flow"}})
    at_a = await dial(a, server, n)
    assert (await a.wait("refused", call=at_a))["code"] == 503
    assert server.ended(server.call_to(n)) == record("failed", ("incoming", "failed", "flow_unavailable", 503))


async def test_a_server_that_is_stopped_takes_no_calls_and_lets_those_go_that_last(tmp_path, web, a, b, number):
    folder, n = tmp_path / "server", number()
    with contextlib.ExitStack() as stack:
        server = Server.start(folder)
        stack.callback(server.kill)
        server.answers(n, transfer(b), webhook=web.url("/calls"))
        at_a, at_b, call = await connected(server, a, b, n)
        server.ask_to_stop()
        late = await dial(a, server, n)
        refused = await a.wait("refused", call=late)
        assert (refused["code"], server.calls_to(n)) == (503, [call])
        for phone, n_call in ((a, at_a), (b, at_b)):
            assert (await phone.wait("ended", call=n_call))["who"] == "far"
        server.stopped()

        successor = Server.start(folder, keys=server.keys)
        stack.callback(successor.kill)
        assert successor.record(call) == record(
            "ended", ("incoming", "hangup", "shutdown", 200), ("outgoing", "hangup", "shutdown", 200)
        )
        assert web.told(call) == in_order(*TRANSFERRED)
        successor.stop()
