"""SIPp is called: by a transfer, while another SIPp is the caller, and by POST /calls."""

import hashlib
import re

import pytest

from callwright.phone.sound import Tone, encode
from support.server import in_order, record

CALLER = "31612345678"
PAUSE = {"action": "pause", "options": {"length": 0.5}}
LAWS = {"PCMU": 0, "PCMA": 8}


def transfer(callee, **options):
    return {"action": "transfer", "options": {"destination": f"sip:31205550199@{callee.sip}", **options}}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """A tone in each law, as SIPp wants it: without a header."""
    folder = tmp_path_factory.mktemp("sounds")
    files = {}
    for law in LAWS.values():
        tone = Tone(500)
        files[law] = folder / f"tone.{law}"
        files[law].write_bytes(b"".join(encode(tone.frame(), law) for _ in range(50)))
    return files


# A transfer ---------------------------------------------------------------------------------------------------------


def test_a_transfer_is_relayed_or_mixed_by_the_laws_of_both_sides(server, web, sipp, sounds, number):
    pairs = [("PCMU", "PCMU", "relay"), ("PCMA", "PCMA", "relay"), ("PCMU", "PCMA", "mix"), ("PCMA", "PCMU", "mix")]
    running = []
    for near, far, how in pairs:
        callee = sipp("callee_is_hung_up", echo=True, LAW=LAWS[far])
        n = server.answers(number(), transfer(callee), webhook=web.url("/calls"))
        words = {"NUMBER": n, "CALLER": CALLER, "LAW": LAWS[near], "FILE": sounds[LAWS[near]], "HOLD_MS": 1500}
        running.append((n, how, callee, sipp("caller_speaks", server.sip, **words)))
    for n, how, callee, caller in running:
        caller.finish()
        callee.finish()
        call = server.call_to(n)
        assert server.ended(call) == record(
            "ended", ("incoming", "hangup", "caller_hangup", 200), ("outgoing", "hangup", "peer_gone", 200)
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
        near, far = server.counters(call)
        assert min(near["sent"], near["received"], far["sent"], far["received"]) >= 50
        assert far["received"] <= far["sent"]  # SIPp echoes what it hears
        assert (near["lost"], far["lost"]) == (0, 0)


def test_the_callee_hangs_up_and_the_flow_goes_on_with_the_caller(server, web, sipp, number):
    callee = sipp("callee_hangs_up", LAW=0, HOLD_MS=300)
    n = server.answers(number(), transfer(callee), PAUSE, webhook=web.url("/calls"))
    sipp("caller_is_hung_up", server.sip, NUMBER=n, CALLER=CALLER, LAW=0).finish()
    callee.finish()
    call = server.call_to(n)
    assert server.ended(call) == record(
        "ended", ("incoming", "hangup", "flow_ended", 200), ("outgoing", "hangup", "callee_hangup", 200)
    )
    assert web.told(call) == in_order(
        ("starting", "starting"),
        ("starting", "starting starting"),
        ("ongoing", "starting ongoing"),
        ("ongoing", "ongoing ongoing"),
        ("ongoing", "ongoing hangup"),
        ("ended", "hangup hangup"),
    )
    assert [(step["step"], step["outcome"]) for step in server.journal(call, "step_ended")] == [
        ("step-1", "talked"),
        ("step-2", "paused"),
    ]


FAILURES = [
    # the callee's answer; the caller's; how the call ends; how the callee's leg does, and why; and the caller's
    ((486, "Busy Here"), 486, "busy", ("busy", "busy", 486), ("busy", "busy", 486)),
    ((600, "Busy Everywhere"), 486, "busy", ("busy", "busy", None), ("busy", "busy", 486)),
    ((480, "Temporarily Unavailable"), 480, "no_answer", ("no_answer", "no_answer", 480), ("no_answer", "no_answer", 480)),
    ((404, "Not Found"), 503, "failed", ("failed", "rejected", 404), ("failed", "rejected", 503)),
    ((603, "Decline"), 503, "failed", ("failed", "rejected", None), ("failed", "rejected", 503)),
]


def test_a_callee_that_refuses_decides_what_the_caller_is_told(server, web, sipp, number):
    running = []
    for (code, phrase), told, *expected in FAILURES:
        callee = sipp("callee_refuses", CODE=code, PHRASE=phrase)
        n = server.answers(number(), transfer(callee), webhook=web.url("/calls"))
        caller = sipp("caller_is_refused", server.sip, NUMBER=n, CALLER=CALLER, LAW=0, CODE=told)
        running.append((n, callee, caller, *expected))
    for n, callee, caller, status, far, near in running:
        caller.finish()
        callee.finish()
        call = server.call_to(n)
        assert server.ended(call) == record(status, ("incoming", *near), ("outgoing", *far))
        assert web.told(call) == in_order(
            ("starting", "starting"),
            ("starting", "starting starting"),
            ("starting", "ringing ringing"),
            (status, f"{near[0]} {far[0]}"),
        )


def test_a_callee_that_never_answers_is_cancelled_and_the_caller_told(server, web, sipp, number):
    callee = sipp("callee_is_cancelled")
    n = server.answers(number(), transfer(callee), webhook=web.url("/calls"))
    sipp("caller_is_refused", server.sip, NUMBER=n, CALLER=CALLER, LAW=0, CODE=480).finish()
    callee.finish()
    call = server.call_to(n)
    assert server.ended(call) == record(
        "no_answer", ("incoming", "no_answer", "ring_timeout", 480), ("outgoing", "no_answer", "ring_timeout", None)
    )
    assert web.told(call) == in_order(
        ("starting", "starting"),
        ("starting", "starting starting"),
        ("starting", "ringing ringing"),
        ("no_answer", "no_answer no_answer"),
    )


def test_a_transfer_that_failed_is_followed_by_the_next_step(server, web, sipp, number):
    """The caller hears nothing of the first callee's refusal, and is connected to the second."""
    busy = sipp("callee_refuses", CODE=486, PHRASE="Busy Here")
    there = sipp("callee_hangs_up", LAW=0, HOLD_MS=200)
    n = server.answers(number(), transfer(busy), transfer(there), webhook=web.url("/calls"))
    sipp("caller_is_hung_up", server.sip, NUMBER=n, CALLER=CALLER, LAW=0).finish()
    busy.finish()
    there.finish()
    call = server.call_to(n)
    assert server.ended(call) == record(
        "ended",
        ("incoming", "hangup", "flow_ended", 200),
        ("outgoing", "busy", "busy", 486),
        ("outgoing", "hangup", "callee_hangup", 200),
    )
    assert web.told(call) == in_order(
        ("starting", "starting"),
        ("starting", "starting starting"),
        ("starting", "ringing ringing"),
        ("starting", "ringing busy starting"),
        ("ongoing", "ringing busy ongoing"),
        ("ongoing", "ongoing busy ongoing"),
        ("ended", "hangup busy hangup"),
    )


# POST /calls --------------------------------------------------------------------------------------------------------


def test_a_call_is_placed_answered_and_ends_with_its_flow(server, web, sipp):
    callee = sipp("callee_is_hung_up", echo=True, LAW=8)
    call = server.calls(f"sip:31205550199@{callee.sip}", PAUSE, webhook=web.url("/calls"))
    callee.finish()
    assert server.ended(call) == record("ended", ("outgoing", "hangup", "flow_ended", 200))
    assert web.told(call) == in_order(
        ("queued", "starting"), ("starting", "starting"), ("starting", "ringing"), ("ongoing", "ongoing"), ("ended", "hangup")
    )
    (counters,) = server.counters(call)
    assert min(counters["sent"], counters["received"]) >= 10


def test_the_called_party_hangs_up(server, web, sipp):
    callee = sipp("callee_hangs_up", LAW=0, HOLD_MS=200)
    call = server.calls(
        f"sip:31205550199@{callee.sip}", {"action": "pause", "options": {"length": 20}}, webhook=web.url("/calls")
    )
    callee.finish()
    assert server.ended(call) == record("ended", ("outgoing", "hangup", "callee_hangup", 200))
    assert web.told(call) == in_order(
        ("queued", "starting"), ("starting", "starting"), ("ongoing", "ongoing"), ("ended", "hangup")
    )


def test_the_called_party_rings_several_times_and_is_told_once(server, web, sipp):
    callee = sipp("callee_rings_often", LAW=0)
    call = server.calls(f"sip:31205550199@{callee.sip}", PAUSE, webhook=web.url("/calls"))
    callee.finish()
    assert server.ended(call) == record("ended", ("outgoing", "hangup", "flow_ended", 200))
    assert web.told(call) == in_order(
        ("queued", "starting"), ("starting", "starting"), ("starting", "ringing"), ("ongoing", "ongoing"), ("ended", "hangup")
    )


@pytest.mark.parametrize(
    ("code", "phrase", "status", "reason", "shown"),
    [
        (486, "Busy Here", "busy", "busy", 486),
        (404, "Not Found", "failed", "rejected", 404),
        (408, "Request Timeout", "no_answer", "no_answer", 408),
        (503, "Service Unavailable", "failed", "rejected", 503),
        (603, "Decline", "failed", "rejected", None),
    ],
)
def test_the_called_party_refuses(server, web, sipp, code, phrase, status, reason, shown):
    callee = sipp("callee_refuses", CODE=code, PHRASE=phrase)
    call = server.calls(f"sip:31205550199@{callee.sip}", PAUSE, webhook=web.url("/calls"))
    callee.finish()
    assert server.ended(call) == record(status, ("outgoing", status, reason, shown))
    assert web.told(call) == in_order(
        ("queued", "starting"), ("starting", "starting"), ("starting", "ringing"), (status, status)
    )
    (last,) = server.journal(call, "leg_last")
    assert (last["sip_code"], last["sip_phrase"]) == (code, phrase)


def test_the_called_party_never_answers(server, web, sipp):
    callee = sipp("callee_is_cancelled")
    call = server.calls(f"sip:31205550199@{callee.sip}", PAUSE, webhook=web.url("/calls"))
    callee.finish()
    assert server.ended(call) == record("no_answer", ("outgoing", "no_answer", "ring_timeout", None))
    assert web.told(call) == in_order(
        ("queued", "starting"), ("starting", "starting"), ("starting", "ringing"), ("no_answer", "no_answer")
    )


def test_a_call_is_deleted_while_it_rings(server, web, sipp):
    callee = sipp("callee_is_cancelled")
    call = server.calls(f"sip:31205550199@{callee.sip}", PAUSE, webhook=web.url("/calls"))
    server.reaches(call, "ringing")
    assert server.live.delete(f"/calls/{call}") == (204, None)
    callee.finish()
    assert server.ended(call) == record("ended", ("outgoing", "hangup", "api_hangup", None))
    assert web.told(call) == in_order(
        ("queued", "starting"), ("starting", "starting"), ("starting", "ringing"), ("ended", "hangup")
    )


def test_nobody_is_at_the_address(server, web, sipp):
    port = sipp("callee_is_cancelled")
    port.stop()
    call = server.calls(f"sip:31205550199@{port.sip}", PAUSE, webhook=web.url("/calls"))
    assert server.ended(call) == record("failed", ("outgoing", "failed", "unreachable", None))
    assert web.told(call) == in_order(("queued", "starting"), ("starting", "starting"), ("failed", "failed"))


@pytest.mark.parametrize(
    ("code", "challenge", "answer"),
    [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
)
def test_a_trunk_asks_for_credentials_and_gets_them(server, web, sipp, trunk, code, challenge, answer):
    carrier = sipp("trunk_challenges", port=trunk.port, LAW=0, HOLD_MS=200, CODE=code, CHALLENGE=challenge, ANSWER=answer)
    call = server.calls("31612340000", {"action": "pause", "options": {"length": 20}}, webhook=web.url("/calls"))
    carrier.finish()
    assert server.ended(call) == record("ended", ("outgoing", "hangup", "callee_hangup", 200))
    assert web.told(call) == in_order(
        ("queued", "starting"), ("starting", "starting"), ("ongoing", "ongoing"), ("ended", "hangup")
    )
    (credentials,) = carrier.notes()
    sent = {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', credentials)}
    assert (sent["username"], sent["realm"], sent["nonce"], sent["nc"]) == (
        trunk.username, "trunk.example", "4cb2a1", "00000001",
    )  # fmt: skip
    assert sent["uri"] == f"sip:31612340000@{carrier.sip}"
    secret = md5(f"{trunk.username}:trunk.example:{trunk.password}")
    asked = md5(f"INVITE:{sent['uri']}")
    assert sent["response"] == md5(f"{secret}:4cb2a1:00000001:{sent['cnonce']}:auth:{asked}")  # RFC 2617 §3.2.2.1


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def test_a_trunk_does_not_take_the_credentials(server, web, sipp, trunk):
    carrier = sipp("trunk_never_satisfied", port=trunk.port)
    call = server.calls("31612340000", PAUSE, webhook=web.url("/calls"))
    carrier.finish()
    assert server.ended(call) == record("failed", ("outgoing", "failed", "auth_failed", None))
    assert web.told(call) == in_order(("queued", "starting"), ("starting", "starting"), ("failed", "failed"))
