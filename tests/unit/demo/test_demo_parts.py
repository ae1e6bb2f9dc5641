"""The demo's parts that need no platform: expectations, receiver, judgement of callbacks, the customer's curl lines."""

from __future__ import annotations

import io
import json
import shlex
import urllib.error
import urllib.request
import wave

import numpy as np
import pytest

from callwright.cli.demo.acts import PAYLOAD_KEYS
from callwright.cli.demo.customer import Answer, Customer
from callwright.cli.demo.expectations import ACTS, EXPECTED, Findings
from callwright.cli.demo.receiver import Received, Receiver, tone_file
from callwright.cli.demo.stage import keys_fault, order_fault
from callwright.clock import SystemClock
from callwright.phone.sound import measure

DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy this machine has


def test_every_expectation_belongs_to_an_act():
    assert {name.partition(".")[0] for name in EXPECTED} == set(ACTS)


def test_all_is_well_only_when_everything_was_seen():
    findings = Findings()
    for name in list(EXPECTED)[:-1]:
        findings.note(name, 1, met=True)
    assert (findings.all_seen, findings.all_met, findings.misses) == (False, False, [])
    findings.note(list(EXPECTED)[-1], 1, met=True)
    assert (findings.all_seen, findings.all_met) == (True, True)
    assert [finding.name for finding in findings] == list(EXPECTED)


def test_what_an_act_did_not_get_to_is_a_miss_with_a_sentence():
    told = []
    findings = Findings(told.append)
    findings.note("greeting.answered", {"law": "PCMU"}, met=True)
    findings.note("greeting.sound", {"hz": []}, met=False)
    findings.close("greeting", "the phone went away")
    findings.note("greeting.answered", "a second word", met=False)
    assert told == list(findings)
    assert [finding.sentence for finding in findings] == [
        "Phone A dials the number and is answered.",
        "Phone A hears the sound file: not so; seen was hz nothing.",
        *(
            f"{EXPECTED[f'greeting.{name}'].removesuffix('.')}: not so; seen was nothing, because the phone went away."
            for name in ("digit", "released", "record")
        ),
    ]
    with pytest.raises(KeyError):
        findings.note("greeting.unheard_of", 1, met=True)


def callback(event="callUpdated", status="ongoing", sequence="2"):
    content = {"timestamp": "", "items": [{"type": "call", "event": event, "payload": {"id": "c", "status": status}}]}
    return Received("http://h/", {"Webhook-Sequence": sequence}, json.dumps(content).encode(), 0.0)


FIRST, LAST = callback("callCreated", "starting", "1"), callback(status="ended", sequence="3")


@pytest.mark.parametrize(
    ("received", "fault"),
    [
        ([FIRST, callback(), LAST], None),
        ([], "no callback came"),
        ([callback(), LAST], "the events were callUpdated, callUpdated"),
        ([FIRST, LAST], "webhook-sequence was 1, 3"),
        ([FIRST, callback(sequence="1"), LAST], "webhook-sequence was 1, 1, 3"),
        ([FIRST, callback()], "the statuses were starting, ongoing"),
        ([FIRST, callback(status="ended"), LAST], "the statuses were starting, ended, ended"),
        ([FIRST, callback(), callback(status="failed", sequence="3")], "the statuses were starting, ongoing, failed"),
    ],
)
def test_the_order_of_callbacks(received, fault):
    assert order_fault(received) == fault


def test_keys_are_the_documented_ones():
    whole = dict.fromkeys(PAYLOAD_KEYS)
    assert keys_fault(whole, PAYLOAD_KEYS) is None
    assert keys_fault({**whole, "more": 1}, PAYLOAD_KEYS) == "keys missing: none; not documented: more"
    assert keys_fault({**whole, "more": 1}, PAYLOAD_KEYS, ("more",)) is None
    assert keys_fault(dict.fromkeys(PAYLOAD_KEYS[1:]), PAYLOAD_KEYS) == "keys missing: id; not documented: none"
    assert keys_fault(None, PAYLOAD_KEYS) == "no object but None"


def test_the_receiver_keeps_what_came_and_has_the_sound():
    sound = tone_file(650.0, 0.5)
    receiver = Receiver(SystemClock(), {"/greeting.wav": sound})
    try:
        body = FIRST.body
        request = urllib.request.Request(receiver.url("/cb?x=1"), body, {"MessageBird-Request-Timestamp": "5"})
        with DIRECTLY.open(request, timeout=60) as answer:
            assert answer.status == 200
        (kept,) = receiver.of_call("c")
        assert (kept.url, kept.body, kept.item["event"]) == (receiver.url("/cb?x=1"), body, "callCreated")
        assert {name.lower(): value for name, value in kept.headers.items()}["messagebird-request-timestamp"] == "5"
        assert receiver.of_call("other") == []
        with DIRECTLY.open(receiver.url("/greeting.wav"), timeout=60) as answer:
            assert (answer.read(), answer.headers["Content-Type"]) == (sound, "audio/wav")
        with pytest.raises(urllib.error.HTTPError) as missing:
            DIRECTLY.open(receiver.url("/other.wav"), timeout=60)
        missing.value.close()
        assert missing.value.code == 404
    finally:
        receiver.close()


def test_the_sound_is_what_a_phone_can_measure():
    with wave.open(io.BytesIO(tone_file(650.0, 1.0))) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels(), file.getnframes()) == (8000, 2, 1, 8000)
        heard = measure(np.frombuffer(file.readframes(8000), "<i2"))
    assert heard.hz == pytest.approx(650.0, abs=0.5)


def test_a_request_can_be_repeated_by_hand():
    customer = Customer("http://127.0.0.1:8080/", "live_key")
    body = {"url": "http://h/?a=1&b=it's", "token": "foobar"}
    words = shlex.split(customer.curl("POST", "/numbers/31205550102/webhook", body))
    assert words[:4] == ["curl", "-X", "POST", "http://127.0.0.1:8080/numbers/31205550102/webhook"]
    assert words[4:8] == ["-H", "Authorization: AccessKey live_key", "-H", "Content-Type: application/json"]
    assert json.loads(words[9]) == body


@pytest.mark.parametrize("content", [None, [], {}, {"data": None}, {"data": []}, {"data": [1]}])
def test_an_answer_without_an_object(content):
    assert Answer(200, content).first == {}
