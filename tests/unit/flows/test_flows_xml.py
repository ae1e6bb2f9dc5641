"""Flow documents in XML: the same flows as in JSON, and what is told when they are none."""

from __future__ import annotations

import contextlib
import gc
from typing import Any

import msgspec
import pytest

from callwright.dialect import decode
from callwright.errors import Invalid, Malformed, Problem
from callwright.flows import xml
from callwright.flows.schema import compile_flow
from support.litter import clear_litter

SAY = {"action": "say", "options": {"payload": "One moment please.", "language": "en-GB", "voice": "female"}}
TRANSFER = {"action": "transfer", "options": {"destination": "31205550199", "mask": True}}


def same_in_json(body: dict[str, Any]) -> dict[str, Any]:
    return decode.flow(msgspec.json.encode(body), limit=32_768)


@pytest.mark.parametrize(
    ("document", "body"),
    [
        # the two of the vendor's guides
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Say language="en-GB" voice="female">One moment please.</Say>',
            {"steps": [SAY]},
        ),
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Transfer destination="31205550199" mask="true" />',
            {"steps": [TRANSFER]},
        ),
        # several, in any element or side by side
        (
            '<Flow><Transfer destination="31205550199" mask="true"/><Hangup/></Flow>',
            {"steps": [TRANSFER, {"action": "hangup"}]},
        ),
        ('<Transfer destination="31205550199" mask="TRUE"/>\n<Hangup/>\n', {"steps": [TRANSFER, {"action": "hangup"}]}),
        (
            '<callFlow title="Desk" record="false" maxDuration="60" colour="red"><hangup/></callFlow>',
            {"title": "Desk", "record": False, "maxDuration": 60, "steps": [{"action": "hangup"}]},
        ),
        # names whatever their case
        (
            '<FETCHCALLFLOW URL="https://flows.test/next"/><sendkeys KEYS="12#" Duration="100"/>',
            {
                "steps": [
                    {"action": "fetchCallFlow", "options": {"url": "https://flows.test/next"}},
                    {"action": "sendKeys", "options": {"keys": "12#", "duration": 100}},
                ]
            },
        ),
        # what XML has no other form for
        (
            """<Tag Tags="vip, menu-{{choice}}" metadata='{"customer": "{{pin}}"}' remove=""/>""",
            {
                "steps": [
                    {"action": "tag", "options": {"tags": "vip, menu-{{choice}}", "metadata": {"customer": "{{pin}}"}}},
                ]
            },
        ),
        # what belongs to the step and not to its options
        (
            '<Play id="menu" media="https://sounds.test/a.wav" onKeypressGoto="menu" onkeypressvar="digits" '
            'endKey="#" maxNumKeys="3"/>',
            {
                "steps": [
                    {
                        "id": "menu",
                        "action": "play",
                        "onKeypressGoto": "menu",
                        "onKeypressVar": "digits",
                        "options": {"media": "https://sounds.test/a.wav", "endKey": "#", "maxNumKeys": 3},
                    }
                ]
            },
        ),
        # what is not set, and a zero that is
        ('<Pause length="0"/>', {"steps": [{"action": "pause", "options": {"length": 0}}]}),
        (
            '<Record maxLength="0" timeout="" beep="false" transcribe="1"/>',
            {"steps": [{"action": "record", "options": {"maxLength": 0, "timeout": "", "beep": False, "transcribe": True}}]},
        ),
        ('<Pause length="1.5"/>', {"steps": [{"action": "pause", "options": {"length": 1.5}}]}),
        ('<Hangup length="INF"/>', {"steps": [{"action": "hangup", "options": {"length": "INF"}}]}),
        # text
        (
            "<Say>\n  Tom &amp; Jerry&#33; <!-- not this --><![CDATA[<3]]>\n</Say>",
            {"steps": [{"action": "say", "options": {"payload": "Tom & Jerry! <3"}}]},
        ),
        ('<Say payload="Hello"> </Say>', {"steps": [{"action": "say", "options": {"payload": "Hello"}}]}),
        # what XML allows around it
        (
            '<!-- a flow --><?php-like instruction?><f:flow xmlns:f="urn:x" xmlns:xsi="urn:y" xsi:schemaLocation="a b">'
            '<f:Say xml:lang="nl" language="nl-NL">Hoi</f:Say></f:flow>\n<!-- over -->',
            {"steps": [{"action": "say", "options": {"payload": "Hoi", "language": "nl-NL"}}]},
        ),
        ('<Hangup xmlns="https://flows.test/"/>', {"steps": [{"action": "hangup"}]}),
        ("\n<?xml version='1.0'?>\n<Hangup/>", {"steps": [{"action": "hangup"}]}),
    ],
)
def test_a_document_is_the_flow_it_is_in_json(document: str, body: dict[str, Any]) -> None:
    assert xml.parse(document.encode()) == same_in_json(body)


@pytest.mark.parametrize(
    "document",
    [
        "<Say>Bonjour, ça va ? 你好</Say>".encode(),
        "\ufeff<Say>Bonjour, ça va ? 你好</Say>".encode(),
        '\ufeff<?xml version="1.0" encoding="utf-8"?><Say>Bonjour, ça va ? 你好</Say>'.encode(),
        '<?xml version="1.0" encoding="utf-16"?><Say>Bonjour, ça va ? 你好</Say>'.encode("utf-16"),
        "\ufeff<Say>Bonjour, ça va ? 你好</Say>".encode("utf-16-be"),
        '<?xml version="1.0" encoding="ISO-8859-1"?><Say>Bonjour, ça va ? &#20320;&#x597D;</Say>'.encode("latin-1"),
        "<?xml version='1.0' encoding='windows-1252' standalone='yes'?><Say>Bonjour, ça va ? &#20320;&#22909;</Say>".encode(
            "cp1252"
        ),
    ],
)
def test_every_encoding_says_the_same(document: bytes) -> None:
    assert xml.parse(document) == same_in_json({"steps": [{"action": "say", "options": {"payload": "Bonjour, ça va ? 你好"}}]})


@pytest.mark.parametrize(
    ("document", "kind", "told"),
    [
        ("", Invalid, "The document has no element"),
        ("<!-- nothing -->", Invalid, "The document has no element"),
        ("<Flow/>", Invalid, "<Flow> is none and holds none"),
        ("<Dance/>", Invalid, "<Dance> is none and holds none; a step is one of: Transfer, Say,"),
        ("<Flow>\n  <Dance/>\n</Flow>", Invalid, "line 2, column 3: <Dance> is not a step. Known: Transfer, Say,"),
        ("<Flow><Group><Hangup/></Group></Flow>", Invalid, "line 1, column 7: <Group> is not a step."),
        ("<Tag metadata='customer=42'/>", Invalid, "line 1, column 1: metadata must be an object as JSON has it, such as"),
        ("<Tag metadata='[1]'/>", Invalid, "line 1, column 1: metadata must be an object as JSON has it, such as"),
        ("<Hangup/><Dance/>", Invalid, "line 1, column 10: <Dance> is not a step."),
        ("<Flow><Hangup/></Flow><Hangup/>", Invalid, "line 1, column 23: a step after </Flow>."),
        ("<Flow/><Flow><Hangup/></Flow>", Invalid, "line 1, column 8: <Flow> is not a step."),
        ("<Say>Hi <b>you</b></Say>", Invalid, "line 1, column 9: <b> stands in a step."),
        ("<Transfer><Say>Hi</Say></Transfer>", Invalid, "line 1, column 11: <Say> stands in a step."),
        ('<Transfer destination="1">Hi</Transfer>', Invalid, "line 1, column 29: transfer holds text."),
        ('<Say payload="Hi">Hi</Say>', Invalid, "line 1, column 21: say has its text twice"),
        ("<Flow>Hello<Hangup/></Flow>", Invalid, "line 1, column 7: 'Hello' stands outside of a step."),
        ("Hello", Invalid, "line 1, column 1: 'Hello' stands outside of a step."),
        ('<Play media="a" Media="b"/>', Invalid, "line 1, column 1: media is given twice."),
        ('<Play media="a" media="b"/>', Malformed, "line 1, column 17: this is not XML: duplicate attribute."),
        ("<Say>Hi", Malformed, "this is not XML: mismatched tag."),
        ("<Say>Hi</Sai>", Malformed, "line 1, column 10: this is not XML: mismatched tag."),
        ("</flow><flow>", Malformed, "line 1, column 1: this closes an element that was never opened."),
        ("<Hangup/></flow>", Malformed, "line 1, column 10: this closes an element that was never opened."),
        ('{"steps": []}', Invalid, "stands outside of a step"),
        ("<x:Hangup/>", Malformed, "line 1, column 1: this is not XML: unbound prefix."),
        ("<Say>a\x00b</Say>", Malformed, "line 1, column 7: this is not XML: not well-formed (invalid token)."),
        ("<!DOCTYPE say>\n<Say>Hi</Say>", Malformed, "line 1, column 1: a document type is not allowed. Leave it out."),
        (
            '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><Say>&c;</Say>',
            Malformed,
            "line 2, column 1: a document type is not allowed.",
        ),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><Say>&a;</Say>', Malformed, "a document type is not allowed."),
        ("<Say>&xxe;</Say>", Malformed, "line 1, column 6: an entity XML itself does not have. Write the character itself."),
        (
            '<?xml version="1.0" encoding="utf-7"?><Say>Hi</Say>',
            Malformed,
            "The document's encoding is 'utf-7'. Send it as UTF-8.",
        ),
        ('<?xml version="1.0" encoding="base64"?><Say>Hi</Say>', Malformed, "The document's encoding is 'base64'."),
        ("<Hangup/>" * 4_000, Invalid, "The call flow has 36000 bytes; at most 32768 are taken."),
    ],
)
def test_what_is_wrong_is_told_with_its_place(document: str, kind: type[Problem], told: str) -> None:
    with pytest.raises(kind) as caught:
        xml.parse(document.encode())
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "document", [b"<Say>\xff</Say>", b"\xff\xfe<", '<?xml version="1.0" encoding="ascii"?><Say>é</Say>'.encode()]
)
def test_bytes_that_are_no_text(document: bytes) -> None:
    with pytest.raises(Malformed, match="not valid in its encoding"):
        xml.parse(document)


@pytest.mark.parametrize(
    "document",
    [
        "<Flow>" * 5_000,
        "<Say>" * 6_000,
        "<Say " + "".join(f'a{number}="" ' for number in range(3_500)) + "/>",
        "<Say>" + "&#65;" * 6_000 + "</Say>",
        "<Say>" + "<!---->" * 4_000 + "</Say>",
        "<Flow>" + "<a/>" * 8_000 + "</Flow>",
        '<a xmlns:b="urn:' + "x" * 30_000 + '"><b:Say/></a>',
        "<?xml " + "encoding " * 3_000 + "?>",
    ],
    ids=lambda document: document[:12],
)
def test_size_alone_costs_nothing(document: str) -> None:
    """Deep, wide and repeated, all within the limit: a flow or its error."""
    assert len(document) <= xml.MAX_BYTES
    told = ""
    try:
        xml.parse(document.encode())
    except (Invalid, Malformed) as problem:
        told = str(problem)
    assert len(told) < 300


def test_what_the_check_of_a_flow_refuses_is_left_to_it() -> None:
    body = xml.parse(b'<Say repeat="often" conditions="x">Hi</Say>')
    assert body["steps"][0] == {
        "id": "step-1",
        "action": "say",
        "conditions": "x",
        "options": {"payload": "Hi", "repeat": "often"},
    }
    with pytest.raises(Invalid, match=r"steps\[0\]"):
        compile_flow(body)


@pytest.mark.parametrize("document", [b"<Say>Hi</Say>", b"<Say>Hi", b"<Dance/>", b"<Say><b/></Say>"])
def test_a_document_leaves_nothing_to_the_collector(document: bytes) -> None:
    """What others of this process left is collected with it, now and then; what a document leaves would be there each time."""

    def left() -> int:
        clear_litter()
        for _ in range(10):
            with contextlib.suppress(Problem):
                xml.parse(document)
        return gc.collect()

    gc.disable()
    try:
        assert 0 in (left() for _ in range(10))
    finally:
        gc.enable()
