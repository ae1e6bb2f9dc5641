from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callwright.dialect import decode
from callwright.errors import Invalid, Malformed, Missing, Problem
from callwright.flows.schema import compile_flow
from support.bodies import bodies, steps

SAY = {"action": "say", "options": {"payload": "Hello.", "language": "en-GB", "voice": "female"}, "id": "step-1"}
LIMIT = 32_768


def call(body: bytes) -> dict[str, Any]:
    """The request as the switch would get it, without the compiled flow."""
    found = decode.call(body, flow_limit=LIMIT)
    assert found.flow == compile_flow(found.flow_body)
    return {
        "source": found.source,
        "destination": found.destination,
        "flow": found.flow_body,
        "webhook": (found.webhook_url, found.webhook_token),
    }


def request(**changes: Any) -> dict[str, Any]:
    """What a call request comes to, with changes to the usual one."""
    usual = {"source": "31205550100", "destination": "31205550123", "flow": {"steps": [SAY]}, "webhook": (None, None)}
    return usual | changes


HOOK = ("https://hooks.example.test/voice", "s3cr3t-token")

CALLS = {
    "python": (
        b'{"source":"31205550100","destination":"31205550123","callFlow":{"title":"Greet","steps":[{"action":"say","options":'
        b'{"payload":"Hello.","language":"en-GB","voice":"female"}}]},"webhook":null}',
        request(flow={"title": "Greet", "steps": [SAY]}),
    ),
    "php": (
        b'{"source":"31205550100","destination":"31205550123","callFlow":{"steps":[{"id":"bye","action":"hangup","options":[]}]}}',
        request(flow={"steps": [{"id": "bye", "action": "hangup"}]}),
    ),
    "go": (
        b'{"source":"31205550100","destination":"31205550123","callflow":{"title":"","record":true,"steps":[{"id":"",'
        b'"action":"say","onKeypressGoto":"","options":{"payload":"Hello.","voice":"female","language":"en-GB","Repeat":2}},'
        b'{"action":"record","options":{"maxLength":10000000000,"timeout":0,"finishOnKey":"","transcribe":false,'
        b'"transcribeLanguage":"","onFinish":""}}],"createdAt":"0001-01-01T00:00:00Z","updatedAt":"0001-01-01T00:00:00Z"},'
        b'"webhook":{"url":"https://hooks.example.test/voice","token":"s3cr3t-token"}}',
        request(
            flow={
                "record": True,
                "steps": [
                    {**SAY, "options": {**SAY["options"], "repeat": 2}},
                    {"action": "record", "options": {"maxLength": 10_000_000_000, "transcribe": False}, "id": "step-2"},
                ],
            },
            webhook=HOOK,
        ),
    ),
    "ruby": (
        b'{"source":"31205550100","destination":"31205550123","callFlow":"{\\"steps\\":[{\\"action\\":\\"say\\",\\"options\\":'
        b'{\\"payload\\":\\"Hello.\\",\\"language\\":\\"en-GB\\",\\"voice\\":\\"female\\"}}]}",'
        b'"webhook":"{\\"url\\":\\"https://hooks.example.test/voice\\",\\"token\\":\\"s3cr3t-token\\"}"}',
        request(webhook=HOOK),
    ),
    "java": (
        b'{"source":"31205550100","destination":"31205550123","callFlow":{"id":null,"title":null,"record":false,"default":false,'
        b'"maxDuration":0,"steps":[{"id":null,"action":"say","conditions":null,"onKeypressGoto":null,"onKeypressVar":null,'
        b'"options":{"destination":null,"payload":"Hello.","language":"en-GB","voice":"female","repeat":0,"media":null,'
        b'"length":0,"maxLength":0,"timeout":0,"finishOnKey":null,"transcribe":false,"transcribeLanguage":null,"record":null,'
        b'"url":null,"ifMachine":null,"machineTimeout":0,"onFinish":null,"mask":false,"keys":null,"duration":0,"interval":0}}],'
        b'"createdAt":null,"updatedAt":null},"webhook":{}}',
        request(
            flow={
                "record": False,
                "default": False,
                "steps": [{**SAY, "options": {**SAY["options"], "transcribe": False, "mask": False}}],
            }
        ),
    ),
    "csharp": (
        b'{"id":null,"status":null,"source":"31205550100","destination":"31205550123","duration":0,"callFlow":{"title":"Forward",'
        b'"record":false,"steps":[{"action":"transfer","options":{"destination":"31205550199"}}]},'
        b'"webhook":{"url":"https://hooks.example.test/voice","token":null}}',
        request(
            flow={
                "title": "Forward",
                "record": False,
                "steps": [{"action": "transfer", "options": {"destination": "31205550199"}, "id": "step-1"}],
            },
            webhook=(HOOK[0], None),
        ),
    ),
    "node": (
        b'{"source":"31205550100","destination":"31205550123","callFlow":{"steps":[{"action":"say","options":{"payload":"Hello.",'
        b'"language":"en-GB","voice":"female","repeat":"3"}}]}}',
        request(flow={"steps": [{**SAY, "options": {**SAY["options"], "repeat": 3}}]}),
    ),
    "dart": (
        b'{"id":null,"status":null,"source":"31205550100","destination":"31205550123","callFlow":{"id":null,"title":null,'
        b'"record":null,"steps":[{"id":null,"action":"say","conditions":null,"options":{"payload":"Hello.","language":"en-GB",'
        b'"voice":"female"}}],"default":null,"createdAt":null,"updatedAt":null},"webhook":{"id":null,"url":'
        b'"https://hooks.example.test/voice","channelId":null,"events":[],"status":"enabled","createdDatetime":null},'
        b'"createdAt":null,"updatedAt":null,"endedAt":null}',
        request(webhook=(HOOK[0], None)),
    ),
    "a shell with + in front of the numbers": (
        b'{"source":"+31 20 555 0100","destination":"0031205550123","callFlow":{"steps":[{"action":"say","options":'
        b'{"payload":"Hello.","language":"en-GB","voice":"female"}}]}}',
        request(),
    ),
    "URIs": (
        b'{"source":"client:anna","destination":"sip:bob@pbx.example.test:5070","callFlow":{"steps":[{"action":"say","options":'
        b'{"payload":"Hello.","language":"en-GB","voice":"female"}}]}}',
        request(source="client:anna", destination="sip:bob@pbx.example.test:5070"),
    ),
    "numbers as JSON numbers": (
        b'{"source":31205550100,"destination":31205550123,"callFlow":{"steps":[{"action":"say","options":'
        b'{"payload":"Hello.","language":"en-GB","voice":"female"}}]}}',
        request(),
    ),
}


@pytest.mark.parametrize("library", CALLS)
def test_a_call_request_of_every_library(library: str) -> None:
    body, expected = CALLS[library]
    assert call(body) == expected


FLOWS = {
    "php": (b'{"steps":[{"action":"pause","options":{"length":"2"}}]}', [{"action": "pause", "options": {"length": 2}}]),
    "go": (
        b'{"title":"","record":false,"steps":[{"id":"","action":"pause","options":{"length":2}}],'
        b'"createdAt":"0001-01-01T00:00:00Z","updatedAt":"0001-01-01T00:00:00Z"}',
        [{"action": "pause", "options": {"length": 2}}],
    ),
    "csharp, PUT": (
        b'{"id":"2e9f4c61-0a7d-4f38-b6c9-8d1e5b7a3303","title":null,"record":false,"steps":[{"id":"a","action":"transfer",'
        b'"options":{"destination":"31205550199"}}],"createdAt":null,"updatedAt":null,"_links":null}',
        [{"id": "a", "action": "transfer", "options": {"destination": "31205550199"}}],
    ),
    "java": (
        b'{"steps":[{"action":"hangup","options":{"destination":null,"repeat":0,"length":0}}]}',
        [{"action": "hangup"}],
    ),
    "java's booleans in quotes": (
        b'{"steps":[{"action":"record","options":{"transcribe":"false","finishOnKey":1}}]}',
        [{"action": "record", "options": {"transcribe": False, "finishOnKey": "1"}}],
    ),
    "node, several sounds": (
        b'{"steps":[{"action":"play","options":{"media":["https://a.test/1.wav","https://a.test/2.wav"]}}]}',
        [{"action": "play", "options": {"media": ["https://a.test/1.wav", "https://a.test/2.wav"]}}],
    ),
    "dart, with keys beside the action": (
        b'{"steps":[{"id":"ask","action":"say","options":{"payload":"One?"},"onkeypressvar":"choice","OnKeypressGoto":"ask",'
        b'"maxNumKeys":"1","conditions":[{"Variable":"x","operator":"==","value":""}]}]}',
        [
            {
                "id": "ask",
                "action": "say",
                "options": {"payload": "One?"},
                "onKeypressVar": "choice",
                "onKeypressGoto": "ask",
                "maxNumKeys": 1,
                "conditions": [{"variable": "x", "operator": "==", "value": ""}],
            }
        ],
    ),
    "texts without quotes": (
        b'{"steps":[{"id":7,"action":"say","options":{"payload":12.0,"voice":false,"language":"en-GB"},"onKeypressVar":1,'
        b'"conditions":[{"variable":1,"operator":"==","value":1},{"variable":"x","operator":"neq","value":true},'
        b'{"variable":"x","operator":">","value":1.5},{"variable":"x","operator":"<","value":2.0}]}]}',
        [
            {
                "id": "7",
                "action": "say",
                "options": {"payload": "12", "voice": "false", "language": "en-GB"},
                "onKeypressVar": "1",
                "conditions": [
                    {"variable": "1", "operator": "==", "value": "1"},
                    {"variable": "x", "operator": "neq", "value": "true"},
                    {"variable": "x", "operator": ">", "value": "1.5"},
                    {"variable": "x", "operator": "<", "value": "2"},
                ],
            }
        ],
    ),
    "an option nobody knows is kept": (
        b'{"steps":[{"action":"hangup","options":{"Custom":"0","other":null}}]}',
        [{"action": "hangup", "options": {"Custom": "0"}}],
    ),
    "the keys 0": (
        b'{"steps":[{"action":"sendKeys","options":{"keys":"0"}}]}',
        [{"action": "sendKeys", "options": {"keys": "0"}}],
    ),
    "a pause of nothing": (
        b'{"steps":[{"action":"pause","options":{"length":0}}]}',
        [{"action": "pause", "options": {"length": 0}}],
    ),
    "the exact name before the other": (
        b'{"Steps":[],"steps":[{"ACTION":"say","action":"hangup"}],"STEPS":null}',
        [{"action": "hangup"}],
    ),
    "steps in a string": (b'{"steps":"[{\\"action\\":\\"hangup\\"}]"}', [{"action": "hangup"}]),
}


@pytest.mark.parametrize("library", FLOWS)
def test_the_steps_of_a_flow_are_kept_as_sent(library: str) -> None:
    body, expected = FLOWS[library]
    found = decode.flow(body, limit=LIMIT)
    compile_flow(found)
    assert found["steps"] == [{"id": f"step-{n}"} | step for n, step in enumerate(expected, 1)]


def test_a_given_id_does_not_clash_with_a_made_one() -> None:
    found = decode.flow(b'{"steps":[{"id":"step-2","action":"hangup"},{"action":"hangup"}]}', limit=LIMIT)
    assert [step.id for step in compile_flow(found).steps] == ["step-2", "step-2-"]


@pytest.mark.parametrize(
    ("step", "parameter", "missing"),
    [
        # a number that is not whole, which must not become another one by its point
        ({"action": "transfer", "options": {"destination": 3120555.5}}, "steps[0].options.destination", False),
        ({"action": "hangup", "conditions": [{"variable": "x", "operator": "==", "value": None}]}, "value", True),
        ({"action": "hangup", "conditions": [{"variable": "x", "operator": "==", "value": ["1"]}]}, "value", False),
    ],
)
def test_what_is_no_text(step: dict[str, Any], parameter: str, missing: bool) -> None:
    with pytest.raises(Missing if missing else Invalid) as caught:
        compile_flow(decode.flow(json.dumps({"steps": [step]}).encode(), limit=LIMIT))
    assert (caught.value.parameter or "").endswith(parameter)


def test_the_head_of_a_flow() -> None:
    body = b'{"TITLE":"T","record":"true","Default":1,"maxduration":"28800","id":"x","steps":[{"action":"hangup"}]}'
    found = decode.flow(body, limit=LIMIT)
    assert {name: found[name] for name in found if name != "steps"} == {
        "title": "T",
        "record": True,
        "default": True,
        "maxDuration": 28800,
    }


WEBHOOKS = {
    "python, create": (b'{"url":"https://a.test/","title":null,"token":null}', ("https://a.test/", None)),
    "python, update": (b'{"title":"Mine","token":"t"}', (None, "t")),
    "php": (b'{"url":"https://a.test/","token":"t"}', ("https://a.test/", "t")),
    "go, whole": (
        b'{"id":"x","url":"https://a.test/","token":"","createdAt":"0001-01-01T00:00:00Z","updatedAt":"0001-01-01T00:00:00Z"}',
        ("https://a.test/", None),
    ),
    "ruby": (b'"{\\"url\\":\\"https://a.test/\\",\\"token\\":\\"t\\"}"', ("https://a.test/", "t")),
    "java": (b'{"url":"https://a.test/","token":"t"}', ("https://a.test/", "t")),
    "csharp": (b'{"Url":"https://a.test/","Token":"t"}', ("https://a.test/", "t")),
    "node": (b'{"title":"Mine","url":"https://a.test/","token":"t"}', ("https://a.test/", "t")),
    "dart": (
        b'{"url":"https://a.test/","events":["message.created"],"channelId":"c","status":"enabled"}',
        ("https://a.test/", None),
    ),
    "nothing": (b"", (None, None)),
    "with a byte order mark": (b'\xef\xbb\xbf{"token":"t"}', (None, "t")),
    "empty array": (b"[]", (None, None)),
}


@pytest.mark.parametrize("library", WEBHOOKS)
def test_a_webhook_of_every_library(library: str) -> None:
    body, (url, token) = WEBHOOKS[library]
    assert decode.webhook(body) == decode.WebhookRequest(url, token)


TRANSCRIPTIONS = {
    "python": (b'{"language": "nl-NL"}', "nl-NL"),
    "csharp": (b'{"Language":"nl-NL"}', "nl-NL"),
    "java": (b'"nl-NL"', "nl-NL"),
    "go": (b"{}", None),
    "php": (b"", None),
    "ruby": (b'"{\\"language\\":\\"nl-NL\\"}"', "nl-NL"),
}


@pytest.mark.parametrize("library", TRANSCRIPTIONS)
def test_a_transcription_request_of_every_library(library: str) -> None:
    body, language = TRANSCRIPTIONS[library]
    assert decode.transcription(body).language == language


def test_numbers_are_reduced_to_digits() -> None:
    assert decode.numbers(b'{"numbers":["+31 20 555 0123",31205550124,"tel:31-20-5550125"]}') == [
        "31205550123",
        "31205550124",
        "31205550125",
    ]
    assert decode.numbers(b'{"numbers":[]}') == []


STEPS = b'"callFlow":{"steps":[{"action":"hangup"}]}'


@pytest.mark.parametrize(
    ("body", "error", "parameter"),
    [
        (b"{", Malformed, None),
        (b"\xff\xfe", Malformed, None),
        (b'{"a":"\xed\xa0\x80"}', Malformed, None),
        (b"[1]", Malformed, None),
        (b'"text"', Malformed, None),
        (b"12", Malformed, None),
        (b"[" * 2000, Malformed, None),
        (b"[" * 65 + b"]" * 65, Malformed, None),
        (b'{"source":123456789012345678901234567890}', Malformed, None),
        (b"", Missing, "source"),
        (b"{}", Missing, "source"),
        (b'{"source":""}', Missing, "source"),
        (b'{"source":"31205550100"}', Missing, "destination"),
        (b'{"source":"me","destination":"31205550123"}', Invalid, "source"),
        (b'{"source":"31205550100","destination":"sips:a@b"}', Invalid, "destination"),
        (b'{"source":"31205550100","destination":"sip:"}', Invalid, "destination"),
        (b'{"source":"31205550100","destination":"sip:a@b:port"}', Invalid, "destination"),
        (b'{"source":"31205550100","destination":"client:"}', Invalid, "destination"),
        (b'{"source":"31205550100","destination":"client:a\\u0000"}', Invalid, "destination"),
        (b'{"source":"31205550100","destination":"client:' + b"a" * 250 + b'"}', Invalid, "destination"),
        (b'{"source":"31205550100","destination":"12"}', Invalid, "destination"),
        (b'{"source":["31205550100"],"destination":"31205550123"}', Invalid, "source"),
        (b'{"source":true,"destination":"31205550123"}', Invalid, "source"),
        (b'{"source":"31205550100","destination":"31205550123"}', Missing, "callFlow"),
        (b'{"source":"31205550100","destination":"31205550123","callFlow":{}}', Missing, "callFlow"),
        (b'{"source":"31205550100","destination":"31205550123","callFlow":7}', Invalid, "callFlow"),
        (b'{"source":"31205550100","destination":"31205550123","callFlow":"greet"}', Invalid, "callFlow"),
        (b'{"source":"31205550100","destination":"31205550123","callFlow":"{broken"}', Invalid, "callFlow"),
        (b'{"source":"31205550100","destination":"31205550123","callFlow":{"id":"x"}}', Missing, "callFlow.steps"),
        (b'{"source":"31205550100","destination":"31205550123","callFlow":{"steps":[]}}', Invalid, "callFlow.steps"),
        (
            b'{"source":"31205550100","destination":"31205550123","callFlow":{"steps":[{}]}}',
            Missing,
            "callFlow.steps[0].action",
        ),
        (
            b'{"source":"31205550100","destination":"31205550123","callFlow":{"steps":[{"action":{}}]}}',
            Missing,
            "callFlow.steps[0].action",
        ),
        (
            b'{"source":"31205550100","destination":"31205550123","callFlow":{"steps":[{"action":["say"]}]}}',
            Invalid,
            "callFlow.steps[0].action",
        ),
        (
            b'{"source":"31205550100","destination":"31205550123","callFlow":{"steps":[{"action":"say"}]}}',
            Missing,
            "callFlow.steps[0].options.payload",
        ),
        (
            b'{"source":"31205550100","destination":"31205550123",'
            b'"callFlow":{"steps":[{"action":"play","options":{"media":"http://["}}]}}',
            Invalid,
            "callFlow.steps[0].options.media",
        ),
        (b'{"source":"31205550100","destination":"31205550123",' + STEPS + b',"webhook":7}', Invalid, "webhook"),
        (
            b'{"source":"31205550100","destination":"31205550123",' + STEPS + b',"webhook":{"url":{"a":1}}}',
            Invalid,
            "webhook.url",
        ),
        (
            b'{"source":"31205550100","destination":"31205550123",' + STEPS + b',"webhook":{"token":"t"}}',
            Missing,
            "webhook.url",
        ),
    ],
)
def test_what_is_wrong_with_a_call_request(body: bytes, error: type[Problem], parameter: str | None) -> None:
    with pytest.raises(Problem) as caught:
        decode.call(body, flow_limit=LIMIT)
    assert (type(caught.value), caught.value.parameter) == (error, parameter)


MANY = {f"{n:040}": "x" * 500 for n in range(50)}


def labelled(sent: str) -> tuple[tuple[str, ...], dict[str, str]]:
    body = b'{"source":"31205550100","destination":"31205550123",' + STEPS + b"," + sent.encode() + b"}"
    found = decode.call(body, flow_limit=LIMIT)
    return found.tags, found.metadata


@pytest.mark.parametrize(
    ("sent", "tags", "metadata"),
    [
        ('"tags":["vip"," new ","vip"],"metadata":{"customer":"42"}', ("vip", "new"), {"customer": "42"}),
        ('"Tags":["vip"],"METADATA":{"Customer.Id-1_a":"\u00e9 x"}', ("vip",), {"Customer.Id-1_a": "\u00e9 x"}),
        # what clients write for what is not set, and what is encoded twice
        ('"tags":null,"metadata":null', (), {}),
        ('"tags":[],"metadata":[]', (), {}),
        ('"tags":"","metadata":""', (), {}),
        ('"metadata":{"a":null,"b":"","c":"x"}', (), {"c": "x"}),
        ('"tags":"[\\"vip\\"]","metadata":"{\\"customer\\":\\"42\\"}"', ("vip",), {"customer": "42"}),
        # as many and as long as may be
        (
            f'"tags":{json.dumps([f"{n:064}" for n in range(20)])},"metadata":{json.dumps(MANY)}',
            tuple(f"{n:064}" for n in range(20)),
            MANY,
        ),
    ],
)
def test_a_call_may_have_labels(sent: str, tags: tuple[str, ...], metadata: dict[str, str]) -> None:
    assert labelled(sent) == (tags, metadata)


@pytest.mark.parametrize(
    ("sent", "parameter", "message"),
    [
        ('"tags":"vip"', "tags", 'tags must be an array of texts, such as ["vip", "new"].'),
        ('"tags":{"a":"b"}', "tags", 'tags must be an array of texts, such as ["vip", "new"].'),
        ('"tags":["vip",42]', "tags[1]", 'tags[1] must be a text, such as "vip"; it was the number 42; put it in quotes.'),
        ('"tags":["vip",null]', "tags[1]", 'tags[1] must be a text, such as "vip"; it was null.'),
        ('"tags":[" "]', "tags[0]", "tags[0] must have 1 to 64 characters; it has 0."),
        (f'"tags":["{"x" * 65}"]', "tags[0]", "tags[0] must have 1 to 64 characters; it has 65."),
        ('"tags":["a,b"]', "tags[0]", "tags[0] must hold no comma, which stands between tags; it was 'a,b'."),
        ('"tags":["a\\nb"]', "tags[0]", "tags[0] must hold characters that can be printed; it holds U+000A."),
        ('"tags":["a\u202eb"]', "tags[0]", "tags[0] must hold characters that can be printed; it holds U+202E."),
        (f'"tags":{json.dumps([str(n) for n in range(21)])}', "tags", "tags may hold 20 tags; it holds 21."),
        ('"metadata":"customer"', "metadata", "metadata must be an object; it is a string."),
        ('"metadata":["a"]', "metadata", "metadata must be an object; it is an array."),
        ('"metadata":{"a b":"c"}', "metadata.a b", "'a b' is no name for metadata: 1 to 40 of A-Z, a-z, 0-9, _, . and -."),
        ('"metadata":{"a\\n":"c"}', "metadata.a\n", "'a\\n' is no name for metadata: 1 to 40 of A-Z, a-z, 0-9, _, . and -."),
        (
            '"metadata":{"customer":42}',
            "metadata.customer",
            'metadata.customer must be a text, such as "42"; it was the number 42; put it in quotes.',
        ),
        ('"metadata":{"vip":true}', "metadata.vip", 'metadata.vip must be a text, such as "42"; it was true.'),
        ('"metadata":{"a":[1]}', "metadata.a", 'metadata.a must be a text, such as "42"; it was an array.'),
        (f'"metadata":{{"a":"{"x" * 501}"}}', "metadata.a", "metadata.a must have 1 to 500 characters; it has 501."),
        (
            '"metadata":{"a":"\\n"}',
            "metadata.a",
            "metadata.a must hold characters that can be printed; it holds U+000A.",
        ),
        ('"metadata":{"a":"  "}', "metadata.a", "metadata.a must hold more than spaces."),
        (
            f'"metadata":{json.dumps({str(n): "x" for n in range(51)})}',
            "metadata",
            "metadata may hold 50 texts; it holds 51.",
        ),
    ],
)
def test_what_is_wrong_with_labels(sent: str, parameter: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        labelled(sent)
    assert (caught.value.parameter, caught.value.message) == (parameter, message)


@pytest.mark.parametrize(
    ("text", "half"),
    [
        (r"\ud800", r"\ud800"),
        (r"\uD83D and more", r"\uD83D"),
        (r"\udc00", r"\udc00"),
        (r"\ud83d\ude00 \ude00\ud83d", r"\ude00"),
        (r"\\\ud800", r"\ud800"),
        (r"\ud800\ud83d\ude00", r"\ud800"),
    ],
)
def test_half_a_character_is_named(text: str, half: str) -> None:
    with pytest.raises(Malformed) as caught:
        labelled(f'"tags":["{text}"]')
    assert caught.value.message == f"The body is not valid JSON: {half} is half of a character."


def test_whole_characters_are_none_of_it() -> None:
    assert labelled(r'"tags":["\ud83d\ude00", "\\ud800"]')[0] == ("😀", r"\ud800")
    with pytest.raises(Malformed, match="truncated"):
        labelled(r'"tags":["\ud83d\ude00", "\\ud800')


def test_a_tag_step_is_read_however_it_was_encoded() -> None:
    sent = b'{"steps":[{"action":"tag","Options":{"TAGS":["vip"],"metadata":"{\\"customer\\":\\"{{pin}}\\"}","remove":null}}]}'
    options = {"tags": ["vip"], "metadata": {"customer": "{{pin}}"}}
    assert decode.flow(sent, limit=LIMIT)["steps"] == [{"action": "tag", "options": options, "id": "step-1"}]


@pytest.mark.parametrize(
    ("body", "error", "parameter"),
    [
        (b"{}", Missing, "numbers"),
        (b'{"numbers":"31205550123"}', Invalid, "numbers"),
        (b'{"numbers":["31205550123","x"]}', Invalid, "numbers[1]"),
        (b'{"numbers":[null]}', Invalid, "numbers[0]"),
        (b'{"numbers":[{}]}', Invalid, "numbers[0]"),
        (b'{"numbers":[true]}', Invalid, "numbers[0]"),
    ],
)
def test_what_is_wrong_with_numbers(body: bytes, error: type[Problem], parameter: str) -> None:
    with pytest.raises(Problem) as caught:
        decode.numbers(body)
    assert (type(caught.value), caught.value.parameter) == (error, parameter)


def test_a_flow_has_a_size() -> None:
    def flow(length: int) -> bytes:
        return b'{"steps":[{"id":"a","action":"say","options":{"payload":"%b"}}]}' % (b"x" * length)

    spare = LIMIT - len(flow(0))
    assert decode.flow(flow(spare).replace(b":", b" : "), limit=LIMIT)["steps"]
    with pytest.raises(Invalid, match="32769 bytes; at most 32768"):
        decode.flow(flow(spare + 1), limit=LIMIT)


@settings(max_examples=200)
@given(bodies)
def test_no_body_raises_anything_but_a_problem(body: bytes) -> None:
    for read in (
        lambda: decode.call(body, flow_limit=LIMIT),
        lambda: decode.flow(body, limit=LIMIT),
        lambda: decode.numbers(body),
        lambda: decode.webhook(body),
        lambda: decode.transcription(body),
    ):
        with suppress(Problem):
            msgspec.json.encode(read())


@settings(max_examples=150)
@given(st.fixed_dictionaries({"steps": st.lists(steps, min_size=1)}))
def test_what_is_kept_of_a_flow_reads_as_itself(sent: dict[str, Any]) -> None:
    try:
        kept = decode.flow(msgspec.json.encode(sent), limit=LIMIT)
        compile_flow(kept)
    except Problem:
        return
    assert decode.flow(msgspec.json.encode(kept), limit=LIMIT) == kept


@pytest.mark.parametrize(
    "body",
    [
        {"callFlow": {"steps": [{"action": "hangup"}]}},
        {"callflow": {"Steps": [{"action": "hangup"}]}},
        {"callFlow": json.dumps({"steps": [{"action": "hangup"}]})},
        {"id": None, "source": "x", "callFlow": {"title": "", "steps": [{"action": "hangup", "options": {}}]}},
    ],
    ids=["plain", "Go", "Ruby", "PHP"],
)
def test_the_flow_that_a_call_is_to_go_on_with(body: dict[str, Any]) -> None:
    asked = decode.call_flow(json.dumps(body).encode(), flow_limit=1000)
    assert [step.action for step in asked.flow.steps] == ["hangup"]
    assert asked.body["steps"][0]["id"] == "step-1"


@pytest.mark.parametrize(
    ("body", "error", "parameter"),
    [
        (b"", Missing, "callFlow"),
        (b'{"callFlow": {}}', Missing, "callFlow"),
        (b'{"callFlow": "no"}', Invalid, "callFlow"),
        (b'{"callFlow": {"steps": []}}', Problem, "callFlow.steps"),
        (b'{"callFlow": {"steps": [{"action": "dance"}]}}', Invalid, "callFlow.steps[0].action"),
    ],
)
def test_what_is_wrong_with_such_a_flow(body: bytes, error: type[Problem], parameter: str) -> None:
    with pytest.raises(error) as raised:
        decode.call_flow(body, flow_limit=1000)
    assert raised.value.parameter == parameter


@pytest.mark.parametrize(
    ("body", "source"),
    [(b"", None), (b"{}", None), (b"[]", None), (b'{"source": ""}', None), (b'{"SOURCE": "+31 20 555 0100"}', "31205550100")],
)
def test_what_an_added_party_sees(body: bytes, source: str | None) -> None:
    assert decode.party(body) == source
    with pytest.raises(Invalid):
        decode.party(b'{"source": "nobody at all"}')


@pytest.mark.parametrize(
    ("text", "destination"),
    [("0031 20 555 0100", "31205550100"), ("sip:desk@pbx.test", "sip:desk@pbx.test"), ("client:joe", "client:joe")],
)
def test_a_destination_in_a_path(text: str, destination: str) -> None:
    assert decode.destination(text) == destination
    with pytest.raises(Invalid):
        decode.destination("legs?")
