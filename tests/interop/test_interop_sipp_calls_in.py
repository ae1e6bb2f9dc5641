"""SIPp calls a number."""

import socket

import pytest

from support.server import in_order, record, until
from support.sound import tone_file

CALLER = "31612345678"
PAUSE = {"action": "pause", "options": {"length": 20}}
LAWS = pytest.mark.parametrize("law", [0, 8], ids=["PCMU", "PCMA"])


def transfer(callee, **options):
    return {"action": "transfer", "options": {"destination": f"sip:31205550199@{callee.sip}", **options}}


@LAWS
def test_a_file_is_played_and_the_caller_is_hung_up(server, web, sipp, number, law):
    web.files["/second.wav"] = tone_file(440, 1.0)
    play = {"action": "play", "options": {"media": web.url("/second.wav")}}
    n = server.answers(number(), play, webhook=web.url("/calls"))
    sipp("caller_is_hung_up", server.sip, echo=True, NUMBER=n, CALLER=CALLER, LAW=law).finish()
    call = server.call_to(n)
    assert server.ended(call) == record("ended", ("incoming", "hangup", "flow_ended", 200))
    assert web.told(call) == in_order(("starting", "starting"), ("ongoing", "ongoing"), ("ended", "hangup"))
    (counters,) = server.counters(call)
    # A second of 20 ms packets, and silence until the file is there; echoed by SIPp, and the last ones not in time.
    assert counters["sent"] >= 50
    assert 40 <= counters["received"] <= counters["sent"]
    assert (counters["lost"], counters["duplicate"]) == (0, 0)


@pytest.mark.parametrize("doing", ["pause", "play"])
@LAWS
def test_the_caller_hangs_up(server, web, sipp, number, law, doing):
    web.files["/long.wav"] = tone_file(440, 20.0)
    step = PAUSE if doing == "pause" else {"action": "play", "options": {"media": web.url("/long.wav")}}
    n = server.answers(number(), step, {"action": "hangup"}, webhook=web.url("/calls"))
    sipp("caller_hangs_up", server.sip, echo=True, NUMBER=n, CALLER=CALLER, LAW=law, HOLD_MS=500).finish()
    call = server.call_to(n)
    assert server.ended(call) == record("ended", ("incoming", "hangup", "caller_hangup", 200))
    assert web.told(call) == in_order(("starting", "starting"), ("ongoing", "ongoing"), ("ended", "hangup"))
    (counters,) = server.counters(call)
    assert min(counters["sent"], counters["received"]) >= 15
    assert server.journal(call, "step_ended") == []


def test_the_caller_cancels_while_the_callee_rings(server, web, sipp, number):
    callee = sipp("callee_is_cancelled")
    n = server.answers(number(), transfer(callee), webhook=web.url("/calls"))
    caller = sipp("caller_cancels", server.sip, NUMBER=n, CALLER=CALLER, LAW=0)
    caller.finish()
    callee.finish()
    call = server.call_to(n)
    assert server.ended(call) == record(
        "no_answer", ("incoming", "no_answer", "caller_cancelled", None), ("outgoing", "hangup", "caller_gone", None)
    )
    assert web.told(call) == in_order(
        ("starting", "starting"),
        ("starting", "starting starting"),
        ("starting", "ringing ringing"),
        ("no_answer", "no_answer hangup"),
    )


def test_a_call_that_goes_round_in_circles_is_stopped_after_five(server, sipp, number):
    n = number()
    step = {"action": "transfer", "options": {"destination": f"sip:{n}@{server.sip}"}}
    server.answers(n, step)
    before = server.metric('callwright_invites_refused_total{reason="loop"}')
    sipp("caller_is_refused", server.sip, NUMBER=n, CALLER=CALLER, LAW=0, CODE=503).finish()
    calls = server.calls_to(n)
    assert [server.ended(call) for call in calls[1:]] == [
        record("failed", ("incoming", "failed", "rejected", 503), ("outgoing", "failed", "rejected", 503))
    ] * 5
    # The newest was to be the sixth time through this server. The 483 is not among the codes that are shown (contract §2.2).
    assert server.ended(calls[0]) == record(
        "failed", ("incoming", "failed", "rejected", 503), ("outgoing", "failed", "rejected", None)
    )
    assert server.metric('callwright_invites_refused_total{reason="loop"}') == before + 1


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (404, "unknown_number", {}),
        (483, "loop", {"HEADER": "X-Callwright-Hops", "HOPS": 6}),
    ],
)
def test_what_never_becomes_a_call(server, sipp, number, code, reason, words):
    n = number()
    if words:
        server.answers(n, PAUSE)
    before = server.metric(f'callwright_invites_refused_total{{reason="{reason}"}}')
    scenario = "caller_came_far" if words else "caller_is_refused"
    sipp(scenario, server.sip, NUMBER=n, CALLER=CALLER, LAW=0, CODE=code, **words).finish()
    assert server.calls_to(n) == []
    assert server.metric(f'callwright_invites_refused_total{{reason="{reason}"}}') == before + 1
    # Logged at once, or within a second of the one before.
    until(lambda: server.logged(event="invite_refused", reason=reason, code=code, destination=f"{'*' * 8}{n[-3:]}"), bool)


def test_a_stranger_is_refused(server, sipp, number):
    """Loopback is trusted, all of it; a packet from another address of this machine is as good as one from afar."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks for the way
        except OSError:
            pytest.skip("this machine has no address but loopback")
        here = probe.getsockname()[0]
    if here.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    n = server.answers(number(), PAUSE)
    stranger = sipp("caller_is_refused", server.sip, address=here, NUMBER=n, CALLER=CALLER, LAW=0, CODE=403)
    stranger.finish()
    assert server.calls_to(n) == []
    assert server.metric('callwright_invites_refused_total{reason="stranger"}') >= 1
    assert server.logged(event="invites_refused", reason="stranger", address=f"{here}:{stranger.port}")


SESSION = ("v=0", "o=sipp 1 1 IN IP4 [media_ip]", "s=-", "c=IN IP4 [media_ip]", "t=0 0")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((*SESSION, "m=audio [media_port] RTP/AVP 18 101", "a=rtpmap:18 G729/8000"), "no_common_codec"),
        ((*SESSION, "m=video [media_port] RTP/AVP 96", "a=rtpmap:96 VP8/90000"), "no_common_codec"),
        ((*SESSION, "m=audio [media_port] RTP/SAVP 0"), "no_common_codec"),
        ((*SESSION[:3], "m=audio [media_port] RTP/AVP 0"), "bad_offer"),
        ((*SESSION, "m=audio port RTP/AVP 0"), "bad_offer"),
        (("v=0", "this is no session description"), "bad_offer"),
    ],
    ids=["another codec", "no sound", "encrypted", "no address", "no port", "no description"],
)
def test_an_offer_that_cannot_be_taken(server, web, sipp, number, lines, reason):
    n = server.answers(number(), PAUSE, webhook=web.url("/calls"))
    sdp = "\n      ".join(lines)
    sipp("caller_offers", server.sip, NUMBER=n, CALLER=CALLER, SDP=sdp, CODE=488).finish()
    call = server.call_to(n)
    assert server.ended(call) == record("failed", ("incoming", "failed", reason, 488))
    assert web.told(call) == in_order(("starting", "starting"), ("failed", "failed"))


def test_a_number_without_a_flow(server, web, sipp, number):
    n = number()
    assert server.live.post(f"/numbers/{n}/webhook", {"url": web.url("/calls"), "token": "token"}).status == 201
    sipp("caller_is_refused", server.sip, NUMBER=n, CALLER=CALLER, LAW=0, CODE=480).finish()
    call = server.call_to(n)
    assert server.ended(call) == record("failed", ("incoming", "failed", "no_flow", 480))
    assert web.told(call) == in_order(("starting", "starting"), ("failed", "failed"))


def test_options_is_answered(server, sipp):
    sipp("asks_options", server.sip).finish()


def test_twenty_calls_at_once_are_kept_apart(server, web, sipp, number):
    web.files["/second.wav"] = tone_file(440, 1.0)
    play = {"action": "play", "options": {"media": web.url("/second.wav")}}
    n = server.answers(number(), play, webhook=web.url("/calls"))
    burst = ("-r", "20", "-rp", "100", "-l", "20")
    sipp("caller_is_hung_up", server.sip, calls=20, echo=True, options=burst, NUMBER=n, CALLER=CALLER, LAW=0).finish()
    calls = server.calls_to(n)
    assert len(calls) == 20
    for call in calls:
        assert server.ended(call) == record("ended", ("incoming", "hangup", "flow_ended", 200))
        assert web.told(call) == in_order(("starting", "starting"), ("ongoing", "ongoing"), ("ended", "hangup"))
        (counters,) = server.counters(call)
        assert counters["sent"] >= 50
        assert 40 <= counters["received"] <= counters["sent"]


def test_thirty_calls_a_second_leave_nothing_behind(server, sipp, number):
    n = server.answers(number(), PAUSE)
    server.idle()
    load = ("-r", "30", "-l", "150")
    done = sipp("caller_hangs_up", server.sip, calls=150, options=load, NUMBER=n, CALLER=CALLER, LAW=0, HOLD_MS=300).finish()
    assert (done["SuccessfulCall(C)"], done["FailedCall(C)"]) == (150, 0)
    server.idle()
    calls = server.calls_to(n)
    assert len(calls) == 150
    assert {server.record(call) for call in calls} == {record("ended", ("incoming", "hangup", "caller_hangup", 200))}
