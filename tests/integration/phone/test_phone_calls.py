"""Two phones, each a process of its own, call each other over loopback."""

import asyncio
import json
import subprocess
import sys
import wave

import pytest

from callwright.phone.client import PhoneError
from callwright.phone.sound import Tone


def seen(event, *names):
    return {name: event[name] for name in names}


async def pair(phone, **policy):
    alice, bob = await asyncio.gather(phone(user="alice"), phone(user="bob"))
    await bob.do("policy", **policy)
    return alice, bob


async def connected(phone, *, call=None, **policy):
    alice, bob = await pair(phone, **policy)
    await alice.call(f"sip:bob@{bob.sip}", **(call or {}))
    await alice.wait("answered")
    await bob.wait("answered")
    return alice, bob


async def test_each_hears_the_tone_of_the_other_and_a_digit(phone):
    alice, bob = await connected(phone, call={"tone": 440, "level": -10}, tone=620, ring=0.2)
    await asyncio.gather(alice.wait("heard", silence=False), bob.wait("heard", silence=False))
    at_alice, at_bob = await asyncio.gather(alice.measure(0.4), bob.measure(0.4))
    assert (at_alice["hz"], at_alice["level"]) == (pytest.approx(620, abs=1), pytest.approx(-13, abs=0.5))
    assert (at_bob["hz"], at_bob["level"]) == (pytest.approx(440, abs=1), pytest.approx(-10, abs=0.5))
    assert min(at_alice["share"], at_bob["share"]) > 0.95

    await alice.do("digits", digits="5#", tone_ms=120)
    assert [seen(await bob.wait("digit"), "digit", "duration_ms") for _ in range(2)] == [
        {"digit": "5", "duration_ms": 120},
        {"digit": "#", "duration_ms": 120},
    ]
    await bob.do("tone", hz=900)
    await alice.wait("heard", silence=False, asked=False)
    assert [hz for _, hz in alice.tones()] == [pytest.approx(620, abs=2), pytest.approx(900, abs=2)]

    await alice.do("hangup", reason='Q.850;cause=16;text="done"')
    assert seen(await alice.wait("ended"), "who", "code", "answered") == {"who": "us", "code": 200, "answered": True}
    assert seen(await bob.wait("ended"), "who", "code", "answered", "reason") == {
        "who": "far", "code": None, "answered": True, "reason": 'Q.850;cause=16;text="done"',
    }  # fmt: skip
    sent, received = await alice.wait("counters"), await bob.wait("counters")
    # What is on its way when the BYE arrives is not waited for.
    assert sent["sent"] - 25 <= received["received"] + received["lost"] <= sent["sent"]
    assert (received["event_packets"], received["event_ends"]) == (16, 6)  # two of six steps, their ends three times
    assert (received["ssrc_changes"], received["timestamp_back"], received["malformed"], received["unknown_type"]) == (
        0,
        0,
        0,
        0,
    )


async def test_one_law_is_chosen_or_the_call_is_refused(phone):
    alice, bob = await pair(phone)
    for offered, spoken, law in (
        (["PCMU", "PCMA"], "PCMA", "PCMA"),
        (["PCMA", "PCMU"], ["PCMU", "PCMA"], "PCMA"),
        ("PCMU", ["PCMA", "PCMU"], "PCMU"),
    ):
        await bob.do("policy", laws=spoken, tone=500)
        number = await alice.call(f"sip:bob@{bob.sip}", laws=offered, event_type=96)
        assert (await alice.wait("answered"))["law"] == (await bob.wait("answered"))["law"] == law
        assert (await alice.wait("heard", silence=False, call=number))["hz"] == pytest.approx(500, abs=2)
        await bob.do("digits", digits="9")  # in the payload type of the offer
        assert (await alice.wait("digit", call=number))["digit"] == "9"
    await alice.call(f"sip:bob@{bob.sip}", event_type=None)
    await alice.wait("answered")
    with pytest.raises(PhoneError, match="telephone-event was not agreed"):
        await alice.do("digits", digits="1")
    await bob.do("policy", laws="PCMA")
    await alice.call(f"sip:bob@{bob.sip}", laws="PCMU")
    assert (await alice.wait("refused"))["code"] == 488
    assert (await bob.wait("ended"))["code"] == 488


async def test_hold_is_answered_and_stops_the_sound_of_the_held_side(phone):
    alice, bob = await connected(phone, call={"tone": 440}, tone=620)
    await alice.wait("heard", silence=False)
    await alice.do("hold")
    assert seen(await alice.wait("changed"), "by", "direction") == {"by": "us", "direction": "sendonly"}
    assert seen(await bob.wait("changed"), "by", "direction") == {"by": "far", "direction": "recvonly"}
    await alice.wait("heard", silence=True)
    assert (await bob.measure(0.3))["hz"] == pytest.approx(440, abs=1)

    await bob.do("hold", direction="inactive")
    assert (await alice.wait("changed"))["direction"] == "inactive"
    await bob.wait("heard", silence=True)
    with pytest.raises(PhoneError, match="sideways: one of sendrecv, sendonly"):
        await alice.do("hold", direction="sideways")

    await bob.wait("changed", by="us")
    await alice.do("unhold")
    assert (await bob.wait("changed", by="far"))["direction"] == "inactive"  # for bob still holds
    await alice.wait("changed", by="us", direction="inactive")
    await bob.do("unhold")
    await alice.wait("changed", by="far", direction="sendrecv")
    assert (await alice.wait("heard", silence=False))["hz"] == pytest.approx(620, abs=2)
    await alice.do("hangup")
    counts = await alice.wait("counters")
    assert (counts["ssrc_changes"], counts["timestamp_back"], counts["gaps"]) == (0, 0, 0)
    assert counts["markers"] == 2  # the start, and the return from hold


async def test_mute_is_silence_and_then_nothing(phone):
    alice, bob = await connected(phone, tone=620)
    await alice.wait("heard", silence=False)
    await bob.do("mute")
    await alice.wait("heard", silence=True)
    assert (await alice.measure(0.2))["level"] is not None
    await bob.do("mute", packets=False)
    async with asyncio.timeout(10):
        while (await alice.measure(0.2))["level"] is not None:  # the last packets, and those that alice has not read yet
            pass
    await bob.do("mute", on=False)
    assert (await alice.wait("heard", silence=False))["hz"] == pytest.approx(620, abs=2)
    assert [hz for _, hz in alice.tones()] == [pytest.approx(620, abs=2), None, pytest.approx(620, abs=2)]


async def test_early_media_and_several_provisional_responses(phone):
    policy = {"progress": [180, 183, 180, 183], "ring": 1.6, "early_media": True, "tone": 620}
    alice, bob = await pair(phone, **policy)
    await alice.call(f"sip:bob@{bob.sip}")
    answered = await alice.wait("answered")
    rings = [seen(event, "code", "sdp") for event in alice.events if event["event"] == "ringing"]
    assert rings[:2] == [{"code": 180, "sdp": False}, {"code": 183, "sdp": True}]
    first = await alice.wait("heard", silence=False)
    assert first["hz"] == pytest.approx(620, abs=2)
    assert first["at"] < answered["at"]
    await alice.do("hangup")
    assert (await alice.wait("counters"))["ssrc_changes"] == 0


async def test_calls_are_refused(phone):
    alice, bob = await pair(phone)
    for policy, refusal in (
        ({"answer": 486}, {"code": 486, "phrase": "Busy Here"}),
        ({"answer": 480, "phrase": "Gone Fishing", "ring": 0.2}, {"code": 480, "phrase": "Gone Fishing"}),
    ):
        await bob.do("policy", **policy)
        await alice.call(f"sip:bob@{bob.sip}")
        assert seen(await alice.wait("refused"), "code", "phrase") == refusal
        assert seen(await bob.wait("ended"), "who", "code", "answered") == {
            "who": "us",
            "code": refusal["code"],
            "answered": False,
        }


async def test_a_phone_that_never_answers_is_cancelled(phone):
    alice, bob = await pair(phone, answer=None)
    await alice.call(f"sip:bob@{bob.sip}", caller="31612345678", headers={"X-Shift": "night"})
    incoming = await bob.wait("incoming")
    assert incoming["from"].startswith("<sip:31612345678@")
    assert incoming["headers"]["x-shift"] == "night"
    assert incoming["uri"] == f"sip:bob@{bob.sip}"
    await alice.wait("ringing", code=180)
    await alice.do("hangup", reason='SIP;cause=200;text="elsewhere"')
    assert seen(await alice.wait("ended"), "who", "code", "answered") == {"who": "us", "code": 487, "answered": False}
    assert seen(await bob.wait("ended"), "who", "code", "answered") == {"who": "far", "code": 487, "answered": False}
    with pytest.raises(PhoneError, match="call 1 is not there, or over"):
        await alice.do("digits", digits="1")


async def test_a_call_is_answered_by_hand(phone):
    alice, bob = await pair(phone, answer=None, progress=[])
    number = await alice.call(f"sip:bob@{bob.sip}")
    await bob.wait("incoming")
    await bob.do("ring", code=183, early_media=True)
    assert (await alice.wait("ringing"))["sdp"] is True
    await bob.do("answer")
    await alice.wait("answered", call=number, law="PCMU")
    with pytest.raises(PhoneError, match="only an incoming call that has no answer yet"):
        await bob.do("answer")


async def test_two_calls_at_once_are_told_apart(phone):
    alice, bob = await pair(phone, tone=620)
    first, second = [await alice.call(f"sip:bob@{bob.sip}", tone=hz) for hz in (440, 900)]
    heard = [await bob.wait("heard", silence=False, call=n) for n in (1, 2)]
    assert [event["hz"] for event in heard] == [pytest.approx(440, abs=2), pytest.approx(900, abs=2)]
    await alice.do("hangup", call=first)
    assert (await bob.wait("ended"))["call"] == 1
    assert (await alice.measure(0.2, call=second))["hz"] == pytest.approx(620, abs=2)


async def test_a_command_that_cannot_be_done_says_why_and_the_phone_goes_on(phone):
    alice = await phone()
    for command, fields, complaint in (
        ("dance", {}, "dance: not among call, policy, ring"),
        ("hangup", {}, "call 0 is not there"),
        ("policy", {"rings": 3}, "rings: not among laws"),
        ("policy", {"tone": 4000}, "below 4000 Hz"),
        ("policy", {"laws": []}, "one or more of PCMU, PCMA"),
        ("call", {"uri": "tel:123"}, "tel:123: sip:user@host"),
        ("call", {"uri": "sip:a@127.0.0.1:9", "laws": "G729"}, "one or more of PCMU, PCMA"),
        ("call", {"uri": "sip:a@127.0.0.1:9", "tone": 5000}, "below 4000 Hz"),
    ):
        with pytest.raises(PhoneError, match=complaint):
            await alice.do(command, **fields)
    await alice.do("policy")


async def test_a_phone_that_is_stopped_hangs_up_first(phone):
    alice, bob = await connected(phone)
    assert await alice.stop() == 0
    assert (await bob.wait("ended"))["who"] == "far"
    with pytest.raises(PhoneError, match="ended before never came"):
        await alice.wait("never")


@pytest.mark.parametrize("how", ["SIGTERM", "end of input"])
async def test_the_process_ends_and_writes_nothing_but_json(how):
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "callwright.phone", stdin=pipe, stdout=pipe, stderr=pipe
    )
    ready = json.loads(await process.stdout.readline())
    assert ready["event"] == "ready"
    host, port = ready["sip"].split(":")
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=(host, int(port))
    )
    transport.sendto(b"INVITE sip:garbage SIP/2.0\r\n" + b"\xff\x00" * 40)
    transport.close()
    await asyncio.sleep(0.1)
    process.stdin.write(b'not json\n{"do": "policy", "id": 7}\n')
    answers = [json.loads(await process.stdout.readline()) for _ in range(2)]
    assert [answer["event"] for answer in answers] == ["error", "done"]
    if how == "SIGTERM":
        process.terminate()
    else:
        process.stdin.close()
    async with asyncio.timeout(30):
        rest, complaints = await process.stdout.read(), await process.stderr.read()
        assert await process.wait() == 0
    assert rest == b""
    assert b"SipTransactionManager" in complaints or b"unhandled exception" in complaints  # what sippy prints goes there
    process.stdin.close()


def test_it_ends_quietly_when_who_drives_it_was_killed():
    command, pipe = [sys.executable, "-m", "callwright.phone"], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b'{"do": "policy"}\n')
        process.stdin.close()
        assert (process.stderr.read(), process.wait()) == (b"", 0)


async def test_a_file_is_played_to_its_end_over_the_tone_under_a_call_id_of_ones_own(phone, tmp_path):
    tone = Tone(900, -10)
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"".join(tone.frame().astype("<i2").tobytes() for _ in range(100)))
    alice, bob = await pair(phone)
    await alice.call(f"sip:bob@{bob.sip}", tone=440, call_id="one-of-our-own@alice")
    incoming = await bob.wait("incoming")
    assert incoming["headers"]["call-id"] == "one-of-our-own@alice"
    await alice.wait("answered")
    with pytest.raises(PhoneError, match="No such file"):
        await alice.do("play", file=str(tmp_path / "none.wav"))
    await alice.do("play", file=str(tmp_path / "tone.wav"))
    await alice.wait("played")
    await bob.wait("heard", hz=pytest.approx(440, abs=2), asked=False)
    assert [hz for _, hz in bob.tones()][-2:] == [pytest.approx(900, abs=2), pytest.approx(440, abs=2)]


async def test_one_asks_the_other_to_call_somebody_else_and_hears_how_that_goes(phone):
    alice, bob = await connected(phone)
    await alice.do("refer", uri="tel:31612345678")
    assert (await bob.wait("refer"))["to"] == "<tel:31612345678>"
    assert (await alice.wait("referred"))["code"] == 202
    for code, phrase in [(180, "Ringing"), (486, "Busy Here")]:
        await bob.do("notify", code=code, phrase=phrase)
        assert (await alice.wait("notified"))["body"] == f"SIP/2.0 {code} {phrase}"
    await bob.do("transfers", taken=False)
    await alice.do("refer", uri="sip:carol@example.com")
    assert (await alice.wait("referred"))["code"] == 603
    await alice.do("hangup")  # none of that has ended the call
    assert (await bob.wait("ended"))["answered"]


async def test_a_phone_that_does_not_listen_counts_what_it_hears(phone):
    alice, bob = await asyncio.gather(phone(user="alice"), phone(user="bob", deaf=True))
    await alice.call(f"sip:bob@{bob.sip}", tone=440)
    await asyncio.gather(alice.wait("answered"), bob.wait("answered"))
    await alice.do("digits", digits="7")
    assert (await bob.wait("digit"))["digit"] == "7"
    await alice.do("hangup")
    assert (await bob.wait("counters"))["received"] > 0
    assert bob.tones() == []
