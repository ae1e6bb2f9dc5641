"""From operations to a document: what is derived, and what is referred to."""

from __future__ import annotations

from callwright.openapi.document import CHAPTERS, SOCKET_ONLY, TRANSPORT, Chapter, Failure, Interface, describe
from callwright.openapi.operation import Access, Answer, Body, Link, Operation, Parameter, Place
from callwright.openapi.shapes import body, choice, extended, identity, or_null, page_of, record, said, several, text, whole

FAILURE = record("Failure", "What went wrong.", {"error": record("Problem", "It.", {"code": whole("A number.", 10)})})
FAILURES = {
    409: Failure(name="Sunk", sentence="It is gone.", example={"error": {"code": 10}}),
    500: Failure(name="Fault", sentence="Ours.", example={"error": {"code": 99}}, headers={"Retry-After": "Seconds."}),
}
SHIP = record("Ship", "A ship.", {"id": identity("The ship."), "name": or_null(text("Its name.", "Flora"))})


def operation(**changed):
    plain = {
        "method": "GET",
        "path": "/ships",
        "name": "listShips",
        "tag": "ships",
        "summary": "List ships",
        "answers": (Answer(status=200, sentence="A page.", shape=page_of("ShipPage", SHIP)),),
    }
    return Operation(**plain | changed)


def document(*operations):
    return describe(Interface(title="Ships", version="1", sentence="Ships.", chapters=(chapter(*operations),)))


def chapter(*operations, **changed):
    plain = {
        "title": "The ships",
        "sentence": "All of them.",
        "tags": {"ships": "Ships."},
        "operations": operations,
        "failure": FAILURE,
        "failures": FAILURES,
        "failures_of": lambda one: {500, *one.failures},
    }
    return Chapter(**plain | changed)


def test_a_shape_with_a_name_stands_once_and_is_referred_to():
    sunk = operation(
        path="/ships/{id}",
        name="showShip",
        parameters=(Parameter(name="id", place=Place.PATH, shape=identity("The ship.")),),
        answers=(Answer(status=200, sentence="The ship.", shape=SHIP),),
    )
    made = document(operation(), sunk)
    assert set(made["components"]["schemas"]) == {"Failure", "Problem", "Ship", "ShipPage"}
    page = made["components"]["schemas"]["ShipPage"]
    assert page["properties"]["data"]["items"] == {"$ref": "#/components/schemas/Ship"}
    shown = made["paths"]["/ships/{id}"]["get"]
    assert shown["responses"]["200"]["content"]["application/json"] == {
        "schema": {"$ref": "#/components/schemas/Ship"},
        "example": {"id": "01a01f4e-6a3b-7c52-9d0e-4f1b2c3d4e5f", "name": "Flora"},
    }
    assert shown["parameters"] == [
        {
            "name": "id",
            "in": "path",
            "description": "The ship.",
            "required": True,
            "schema": {"type": "string", "format": "uuid", "examples": ["01a01f4e-6a3b-7c52-9d0e-4f1b2c3d4e5f"]},
        }
    ]


WANTED = Body(shape=body("ShipWanted", "A ship.", {"name": text("Its name.", "Flora")}, wanted=("name",)))
ID = Parameter(name="id", place=Place.PATH, shape=identity("The ship."))
LIMIT = Parameter(name="limit", shape=whole("How many.", 10))


def test_what_may_go_wrong_is_referred_to():
    made = document(operation(failures=(409,)))
    responses = made["paths"]["/ships"]["get"]["responses"]
    assert {status: one for status, one in responses.items() if status != "200"} == {
        "409": {"$ref": "#/components/responses/Sunk"},
        "500": {"$ref": "#/components/responses/Fault"},
    }
    fault = made["components"]["responses"]["Fault"]
    assert fault["content"]["application/json"]["example"] == {"error": {"code": 99}}
    assert fault["headers"]["Retry-After"]["required"]
    assert made[CHAPTERS] == [
        {"name": "The ships", "description": "All of them.", "tags": ["ships"], "responses": ["Sunk", "Fault"]}
    ]


def test_what_is_served_behind_several_prefixes_says_so():
    boats = chapter(operation(path="/boats", name="listBoats"), prefixes=("", "/v1"))
    made = describe(Interface(title="Ships", version="1", sentence="Ships.", chapters=(boats, chapter(operation()))))
    assert [one["url"] for one in made["paths"]["/boats"]["servers"]] == ["/", "/v1"]
    assert "servers" not in made["paths"]["/ships"]


def test_what_can_be_asked_next():
    link = Link(operation="showShip", parameters={"id": "$response.body#/data/0/id"}, sentence="The first.")
    asked = operation(answers=(Answer(status=200, sentence="A page.", shape=page_of("ShipPage", SHIP), links={"one": link}),))
    assert document(asked)["paths"]["/ships"]["get"]["responses"]["200"]["links"] == {
        "one": {
            "operationId": "showShip",
            "parameters": {"id": "$response.body#/data/0/id"},
            "description": "The first.",
        }
    }


def test_who_may_ask():
    made = document(
        operation(),
        operation(method="POST", name="makeShip", access=Access.SOCKET, body=WANTED),
        operation(method="PUT", name="tellShip", access=Access.ANYONE),
        operation(method="PATCH", name="callShip", access=Access.NETWORK),
    )["paths"]["/ships"]
    key = [{"accessKey": []}]
    assert [made[method]["security"] for method in ("get", "post", "put", "patch")] == [key, [], [], key]
    assert made["patch"][TRANSPORT] == "network"
    assert made["post"][TRANSPORT] == "control-socket"
    assert made["post"]["description"] == SOCKET_ONLY
    assert TRANSPORT not in made["put"]


def test_a_body_is_closed_and_has_what_is_wanted():
    made = document(operation(method="POST", name="makeShip", body=WANTED))
    wanted = made["paths"]["/ships"]["post"]["requestBody"]
    assert wanted["required"]
    assert wanted["content"]["application/json"]["example"] == {"name": "Flora"}
    schema = made["components"]["schemas"]["ShipWanted"]
    assert (schema["required"], schema["additionalProperties"]) == (["name"], False)


def test_answers_of_one_status_and_several_media():
    asked = operation(
        answers=(
            Answer(status=200, sentence="Rows.", media="text/csv", shape={"type": "string"}, headers={"Link": "More."}),
            Answer(status=200, sentence="Lines.", media="application/x-ndjson", shape={"type": "string"}, lines=SHIP),
        )
    )
    answer = document(asked)["paths"]["/ships"]["get"]["responses"]["200"]
    assert answer["description"] == "Rows. Lines."
    assert list(answer["content"]) == ["text/csv", "application/x-ndjson"]
    assert answer["content"]["application/x-ndjson"]["x-callwright-line"] == {"$ref": "#/components/schemas/Ship"}
    assert answer["headers"] == {"Link": {"description": "More.", "required": True, "schema": {"type": "string"}}}


def test_a_parameter_that_stands_for_many_is_an_object_whose_names_are_parameters():
    asked = operation(parameters=(Parameter(name="metadata", shape={"type": "object"}, open=True),))
    (told,) = document(asked)["paths"]["/ships"]["get"]["parameters"]
    assert (told["style"], told["explode"]) == ("form", True)


def test_words_for_shapes():
    assert choice("A word.", ("a", "b"))["enum"] == ["a", "b"]
    assert or_null(whole("A number.", 3)) == {
        "anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}],
        "description": "A number.",
        "examples": [3],
    }
    assert or_null(SHIP)["anyOf"][0] is SHIP
    assert said(SHIP, "Another ship.") == {"allOf": [SHIP], "description": "Another ship."}
    fleet = extended("Fleet", "Ships.", SHIP, {"ships": several(SHIP, "Them.")})
    assert fleet["required"] == ["id", "name", "ships"]
