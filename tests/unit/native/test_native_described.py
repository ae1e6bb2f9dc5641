"""The OpenAPI document of the native interface: valid, whole, and true of its examples."""

from __future__ import annotations

import re
import subprocess
import sys
from uuid import UUID

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from callwright.calls.model import CallStatus
from callwright.cli.control import call_asgi
from callwright.native import Authority, control_app, described, native_app
from callwright.native.described.common import LIMIT, identified
from callwright.native.described.failures import failures_of
from callwright.native.described.filters import FILTERS as TOLD
from callwright.native.filters import FILTERS, REPEATED
from callwright.native.routes import ENTRIES, Who
from callwright.openapi.operation import Access, Body, Operation, Place
from callwright.openapi.shapes import Named
from callwright.reasons import Reason
from callwright.switch.referring import Referral
from callwright.telephony import ReferOutcome
from support import described as proof
from support.native_room import NativeRoom

SOMEWHERE = "01890000-0000-7000-8000-000000000000"
OPERATIONS = described.chapter().operations
ACCESS = {Who.ANYONE: Access.ANYONE, Who.WORLD: Access.KEY, Who.OPERATOR: Access.SOCKET}


def test_every_route_is_described_with_who_may_ask_and_nothing_else_is():
    told = {(one.method, one.path): one.access for one in OPERATIONS}
    assert told == {(entry.method, f"/api{entry.path}"): ACCESS[entry.who] for entry in ENTRIES}


def test_the_document_is_valid_openapi():
    assert [error.message for error in OpenAPIV31SpecValidator(proof.document()).iter_errors()] == []


def test_names_are_used_once():
    names = [one.name for one in OPERATIONS]
    assert len(names) == len(set(names))
    shapes = {}
    for one in OPERATIONS:
        for shape in _named([one.body and one.body.shape, *(answer.shape for answer in one.answers)]):
            assert shapes.setdefault(shape.name, shape) == shape, f"two shapes are called {shape.name}"


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_an_operation_is_whole(one):
    in_path = re.findall(r"{(\w+)}", one.path)
    assert [parameter.name for parameter in one.of(Place.PATH)] == in_path
    assert one.tag in described.TAGS
    assert not one.summary.endswith(".")
    sentences = [one.sentence, *(answer.sentence for answer in one.answers)]
    sentences += [parameter.shape["description"] for parameter in one.parameters]
    assert [sentence for sentence in sentences if sentence and not sentence.endswith(".")] == []


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_its_examples_are_as_it_says(one):
    operation = proof.document()["paths"][one.path][one.method.lower()]
    sides = [
        operation.get("requestBody", {}),
        *(proof.response_of(operation, int(status)) for status in operation["responses"]),
    ]
    for side in sides:
        content = side.get("content", {}).get("application/json")
        assert content is None or proof.faults(content["example"], content["schema"]) == []
    for parameter in operation.get("parameters", ()):
        for example in parameter["schema"].get("examples", ()):
            assert proof.faults(example, parameter["schema"]) == []


def test_every_key_has_a_sentence():
    schemas = proof.document()["components"]["schemas"]
    without = [
        f"{name}.{key}"
        for name, schema in schemas.items()
        if not name.startswith(("Flow", "Voice"))  # the published schema of flows, which says what it says
        for key, shape in schema.get("properties", {}).items()
        if "$ref" not in shape and not shape.get("description")
    ]
    assert without == []


@pytest.mark.parametrize(
    ("changed", "statuses"),
    [
        ({"access": Access.ANYONE}, {500, 503}),
        ({"access": Access.ANYONE, "parameters": (LIMIT,)}, {422, 500, 503}),
        ({}, {400, 401, 422, 500, 503}),
        ({"access": Access.SOCKET}, {400, 403, 422, 500, 503}),
        ({"parameters": (identified("the ship"),)}, {400, 401, 404, 422, 500, 503}),
        ({"body": Body(shape=LIMIT.shape), "failures": (409,)}, {400, 401, 409, 413, 422, 500, 503}),
    ],
)
def test_what_may_go_wrong_follows_from_what_is_asked(changed, statuses):
    plain = {"method": "GET", "path": "/ships", "name": "listShips", "tag": "ships", "summary": "List ships", "answers": ()}
    assert failures_of(Operation(**plain | changed)) == statuses


def test_filters_of_calls_are_those_that_are_read():
    assert [one.name for one in TOLD if not one.open] == list(FILTERS)
    assert {one.name for one in TOLD if one.repeated} == set(REPEATED)


def test_a_filter_by_metadata_is_sent_under_its_whole_name():
    """An object in the style of a form: its names are the parameters, so that one without the prefix would be none."""
    (told,) = (one for one in proof.document()["paths"]["/api/calls"]["get"]["parameters"] if one["name"] == "metadata")
    assert (told["style"], told["explode"]) == ("form", True)
    assert proof.faults({"metadata.customer": "42", "metadata.a-b.c": "x"}, told["schema"]) == []
    for wrong in ({"customer": "42"}, {"metadata.": "x"}, {"metadata.a b": "x"}, {"metadataXa": "x"}, {"metadata.x": ""}):
        assert proof.faults(wrong, told["schema"]) != []


def test_a_parameter_of_several_words_names_them_one_by_one():
    told = {one["name"]: one["schema"] for one in proof.document()["paths"]["/api/calls"]["get"]["parameters"]}
    for name, words in (("status", CallStatus), ("reason", Reason)):
        assert told[name]["items"]["enum"] == [word.value for word in words]
        assert proof.faults(told[name]["items"]["examples"][0], told[name]["items"]) == []


def _bounds():
    for one in OPERATIONS:
        for parameter in one.of(Place.QUERY):
            for word, beyond in (("minimum", -1), ("maximum", 1)):
                if word in parameter.shape:
                    yield pytest.param(
                        one, parameter.name, parameter.shape[word], beyond, id=f"{one.name}-{parameter.name}-{word}"
                    )


@pytest.mark.parametrize(("one", "name", "bound", "beyond"), list(_bounds()))
async def test_the_bounds_it_names_are_those_that_hold(one, name, bound, beyond):
    room = await NativeRoom.open()
    path = re.sub(r"{\w+}", SOMEWHERE, one.path.removeprefix("/api"))
    if one.answers[0].media != "text/event-stream":  # an answer that would not end
        assert (await room.customer(one.method, f"{path}?{name}={bound}")).status in (200, 404)
    refused = await room.customer(one.method, f"{path}?{name}={bound + beyond}")
    assert (refused.status, refused.error["parameter"]) == (422, name)


WRONG = [
    pytest.param(one, parameter.name, text, id=f"{one.name}-{parameter.name}")
    for one in OPERATIONS
    for parameter in one.of(Place.QUERY)
    for word, text in (("enum", "nonsense"), ("format", "yesterday"))
    if word in parameter.shape.get("items", parameter.shape)
]


@pytest.mark.parametrize(("one", "name", "text"), WRONG)
async def test_what_it_says_of_a_parameter_is_wanted_of_it(one, name, text):
    room = await NativeRoom.open()
    refused = await room.customer(one.method, re.sub(r"{\w+}", SOMEWHERE, f"{one.path.removeprefix('/api')}?{name}={text}"))
    assert (refused.status, refused.error.get("parameter")) == (422, name)
    assert refused.error["example"].startswith(f"{name}=")


@pytest.mark.parametrize("one", [one for one in OPERATIONS if one.name != "showHealth"], ids=lambda one: one.name)
async def test_what_a_query_has_no_name_for_is_refused(one):
    room = await NativeRoom.open()
    path = f"{re.sub(r'{[a-z]+}', SOMEWHERE, one.path.removeprefix('/api'))}?bogus=1"
    asked = room.operator if one.access is Access.SOCKET else room.customer
    reply = await asked(one.method, path)
    assert (reply.status, reply.error["parameter"]) == (422, "bogus")
    told = [parameter.name for parameter in one.of(Place.QUERY)]
    assert ("is not known here; nothing is, in the query." in reply.error["message"]) == (told == [])
    if one.access is Access.KEY and not told:
        assert (await room.customer(one.method, path, key="nobody's")).status == 401


async def test_whoever_looks_at_the_health_may_put_what_he_likes_behind_it():
    room = await NativeRoom.open()
    room.lacking = {"store": None}
    status, _ = await call_asgi(native_app(room.parts, Authority.NETWORK), "GET", "/health?bogus=%FF", {}, b"")
    assert status == 200


@pytest.mark.parametrize(
    ("became", "status", "outcome"),
    [
        (Referral(ReferOutcome.DONE, 200), 200, "done"),
        (Referral(ReferOutcome.REFUSED, 603, "Decline"), 200, "refused"),
        (None, 202, "pending"),
    ],
)
async def test_what_became_of_a_referral(became, status, outcome):
    room = await NativeRoom.open()
    room.switchboard.referrals = [became]
    reply = await room.customer("POST", f"/calls/{SOMEWHERE}/legs/{SOMEWHERE}/refer", {"to": "+31612345678"})
    assert (reply.status, reply.content["outcome"]) == (status, outcome)
    assert room.switchboard.asked == [{"call": UUID(SOMEWHERE), "leg": UUID(SOMEWHERE), "to": "31612345678"}]


async def test_it_is_there_over_the_control_socket_too():
    room = await NativeRoom.open()
    for path in ("/openapi.json", "/docs"):
        status, body = await call_asgi(control_app(room.parts), "GET", path, {}, b"")
        assert status == 200
        assert len(body) > 10_000


def test_a_server_starts_without_it():
    """What the interface says of itself is imported when somebody asks for it."""
    read = "{'callwright.native.described', 'callwright.openapi.page'} & set(sys.modules)"
    code = f"import sys, callwright.native; sys.exit(bool({read}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _named(value):
    if isinstance(value, Named):
        yield value
    if isinstance(value, dict):
        value = value.values()
    if not isinstance(value, str | None) and hasattr(value, "__iter__"):
        for inner in value:
            yield from _named(inner)
