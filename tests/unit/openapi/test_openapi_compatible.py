"""The description of the compatible interface: whole, true of its examples, and as the switches have it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from callwright.api import described
from callwright.api.app import ROUTES
from callwright.calls.model import CallStatus
from callwright.dialect.strictness import LENIENT, Strictness
from callwright.openapi.document import CHAPTERS, TRANSPORT
from callwright.openapi.operation import Place
from callwright.openapi.shapes import Named
from support import described as proof

OPERATIONS = described.chapter(LENIENT).operations
STRICT = Strictness(documented_status_codes=True, collapse_statuses=True, authentication_code=2, method_on_get=True)


def test_every_route_is_described_and_nothing_else_is():
    assert sorted((one.method, one.path) for one in OPERATIONS) == sorted((route.method, route.path) for route in ROUTES)


@pytest.mark.parametrize("strictness", [LENIENT, STRICT], ids=["lenient", "strict"])
def test_the_document_of_both_interfaces_is_valid(strictness):
    document = proof.document(strictness)
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    assert [one["name"] for one in document[CHAPTERS]] == ["The compatible interface", "The native interface"]


def test_names_are_used_once_in_both_interfaces():
    chapters = proof.interface().chapters
    names = [one.name for chapter in chapters for one in chapter.operations]
    assert len(names) == len(set(names))
    tags = [tag for chapter in chapters for tag in chapter.tags]
    assert len(tags) == len(set(tags))
    failures = [one.name for chapter in chapters for one in chapter.failures.values()]
    assert len(failures) == len(set(failures))
    shapes = {}
    for chapter in chapters:
        for one in chapter.operations:
            for shape in _named([one.body and one.body.shape, chapter.failure, *(answer.shape for answer in one.answers)]):
                assert shapes.setdefault(shape.name, shape) == shape, f"two shapes are called {shape.name}"


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_an_operation_is_whole(one):
    assert [parameter.name for parameter in one.of(Place.PATH)] == re.findall(r"{(\w+)}", one.path)
    assert one.tag in described.TAGS
    assert not one.summary.endswith(".")
    sentences = [one.sentence, *(answer.sentence for answer in one.answers)]
    sentences += [parameter.shape["description"] for parameter in one.parameters]
    assert [sentence for sentence in sentences if sentence and not sentence.endswith((".", "bytes=0-99`."))] == []
    told = proof.document()["paths"][one.path]
    assert [server["url"] for server in told["servers"]] == ["/", "/v1"]
    assert told[one.method.lower()][TRANSPORT] == "network"


@pytest.mark.parametrize("strictness", [LENIENT, STRICT], ids=["lenient", "strict"])
@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_its_examples_are_as_it_says(one, strictness):
    operation = proof.document(strictness)["paths"][one.path][one.method.lower()]
    sides = [
        operation.get("requestBody", {}),
        *(proof.response_of(operation, int(status), strictness) for status in operation["responses"]),
    ]
    for side in sides:
        content = side.get("content", {}).get("application/json")
        assert content is None or proof.faults(content["example"], content["schema"], strictness) == []


def test_what_can_be_asked_next_is_there_with_all_it_needs():
    by_name = {one["operationId"]: one for path in proof.document()["paths"] for one in proof.operations_of(path).values()}
    links = 0
    for operation in by_name.values():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                wanted = {one["name"] for one in by_name[link["operationId"]]["parameters"] if one["in"] == "path"}
                # Whom to call, which leg of a call and which attempt is for the client to choose.
                assert {*link["parameters"], "destination", "leg", "n"} >= wanted
                assert set(link["parameters"]) <= wanted
                links += 1
    assert links > 100


def test_whatever_is_made_can_be_looked_at_by_a_link():
    for one in OPERATIONS:
        for answer in one.answers:
            assert answer.status != 201 or answer.links, one.name


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_statuses_follow_the_switch(one):
    responses = {
        strictness: set(proof.document(strictness)["paths"][one.path][one.method.lower()]["responses"])
        for strictness in (LENIENT, STRICT)
    }
    assert not responses[LENIENT] & {"400", "409"}
    assert not responses[STRICT] & {"422"}
    assert ("422" in responses[LENIENT]) == bool(responses[STRICT] & {"400", "409"})


def test_words_and_codes_follow_the_switches():
    said = {
        strictness: proof.document(strictness)["components"]["schemas"]["VoiceCall"]["properties"]["status"]["enum"]
        for strictness in (LENIENT, STRICT)
    }
    assert said[LENIENT] == [one.value for one in CallStatus]
    assert said[STRICT] == ["queued", "starting", "ongoing", "ended"]
    for strictness, methods in ((LENIENT, "on `POST` the"), (STRICT, "on `POST` and `GET` the")):
        assert methods in proof.document(strictness)[CHAPTERS][0]["description"]
    example = proof.document(STRICT)["components"]["responses"]["VoiceUnauthenticated"]["content"]["application/json"][
        "example"
    ]
    assert example["errors"][0]["code"] == 2


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ({"steps": [{"action": "hangup"}]}, True),
        ('{"steps": []}', True),  # Ruby's library
        ({"steps": '[{"action": "hangup"}]', "record": "false", "maxDuration": 0, "title": None}, True),
        ({"steps": [{"action": "say", "options": {"payload": "a", "repeat": "2", "machineTimeout": 0, "voice": ""}}]}, True),
        ({"steps": [{"action": "say", "options": '{"payload": "a"}', "conditions": [], "id": 7, "more": 1}]}, True),
        ({"steps": [{"action": "say", "options": {"payload": "a", "repeat": 11}}]}, False),
        ({"steps": [{"action": "say", "options": {"payload": "a", "repeat": "twice"}}]}, False),
        ({"steps": [{"action": "sing"}]}, False),
        ({"steps": []}, False),
        ({}, False),
        ("a flow", False),
    ],
)
def test_the_forms_of_a_flow(sent, taken):
    schema = proof.document()["components"]["schemas"]["VoiceCallWanted"]["properties"]["callFlow"]
    assert (proof.faults(sent, schema) == []) is taken


def test_a_server_starts_without_it():
    read = "{'callwright.api.described', 'callwright.native.described', 'callwright.openapi.page'} & set(sys.modules)"
    code = f"import sys, callwright.app; sys.exit(bool({read}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _named(value):
    if isinstance(value, Named):
        yield value
    if isinstance(value, dict):
        value = value.values()
    if not isinstance(value, str | None) and hasattr(value, "__iter__"):
        for inner in value:
            yield from _named(inner)
