"""From operations to one OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from callwright.openapi.operation import JSON, Access, Answer, Operation, Parameter, Place
from callwright.openapi.shapes import Named, Shape, example_of

VERSION = "3.1.1"
DIALECT = "https://spec.openapis.org/oas/3.1/dialect/base"
SCHEMAS = "#/components/schemas/"
# An extension: how the operation can be reached, where a key does not open it.
TRANSPORT = "x-callwright-transport"
STATUS = "x-callwright-status"  # of a response that operations refer to
SOCKET_ONLY = "Over the control socket alone: on the network the answer is 403."
KEY_SCHEME = "accessKey"

FAILURES = {
    400: ("Malformed", "The body cannot be read, or a value in it is wrong or missing."),
    401: ("Unauthenticated", "No access key, or not a known one."),
    403: ("Forbidden", "This may not be done from here."),
    404: ("NotFound", "There is no such thing in this world."),
    409: ("Conflict", "The object is not in a state that allows this."),
    413: ("TooLarge", "The body is larger than api.body_limit."),
    422: (
        "BadQuery",
        "A parameter is not known, is wrong, or does not go with another; `example` has the right form.",
    ),
    500: ("Fault", "A fault of the server; its log has the details."),
    503: ("Unavailable", "The server cannot do it now; try again."),
}


# Headers of those answers.
FAILURE_HEADERS = {503: {"Retry-After": "Seconds to wait before asking again."}}


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """All that a document is made of. `tags` have a sentence each, in the order of the page; `failure` is any error's body."""

    title: str
    version: str
    sentence: str
    tags: Mapping[str, str]
    operations: Sequence[Operation]
    failure: Named


def describe(interface: Interface) -> dict[str, Any]:
    """The document as plain JSON values."""
    schemas: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    for operation in interface.operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    failure = _plain(interface.failure, schemas)
    responses = {
        name: {
            STATUS: status,
            "description": sentence,
            **_headers(FAILURE_HEADERS.get(status, {})),
            "content": {JSON: {"schema": failure, "example": _failure_example(interface, status)}},
        }
        for status, (name, sentence) in FAILURES.items()
    }
    _exemplify(paths, schemas)
    return {
        "openapi": VERSION,
        "jsonSchemaDialect": DIALECT,
        "info": {
            "title": interface.title,
            "version": interface.version,
            "description": interface.sentence,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The server that this document comes from."}],
        "tags": [{"name": name, "description": sentence} for name, sentence in interface.tags.items()],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": responses,
            "securitySchemes": {
                KEY_SCHEME: {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`AccessKey` and the key, with a space between. It opens its world and no other.",
                }
            },
        },
    }


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    sentences = [operation.sentence] + [SOCKET_ONLY] * (operation.access is Access.SOCKET)
    told: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": " ".join(one for one in sentences if one),
        "security": [{KEY_SCHEME: []}] if operation.access is Access.KEY else [],
    }
    if operation.access is Access.SOCKET:
        told[TRANSPORT] = "control-socket"
    if operation.parameters:
        told["parameters"] = [_parameter(one, schemas) for one in operation.parameters]
    if operation.body is not None:
        content: dict[str, Any] = {"schema": _plain(operation.body.shape, schemas)}
        if operation.body.example is not None:
            content["example"] = operation.body.example
        told["requestBody"] = {"required": not operation.body.optional, "content": {JSON: content}}
    told["responses"] = _responses(operation, schemas)
    return told


def _parameter(parameter: Parameter, schemas: dict[str, Any]) -> dict[str, Any]:
    shape = dict(parameter.shape)
    told = {"name": parameter.name, "in": parameter.place.value, "description": shape.pop("description", "")}
    if parameter.place is Place.PATH:
        told["required"] = True
    if parameter.open:
        # One parameter of OpenAPI that stands for many: an object, each of whose names is a parameter of its own.
        told |= {"style": "form", "explode": True}
    elif parameter.repeated:
        told["explode"] = True
    return told | {"schema": _plain(shape, schemas)}


def _responses(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    by_status: dict[int, list[Answer]] = {}
    for answer in operation.answers:
        by_status.setdefault(answer.status, []).append(answer)
    told: dict[str, Any] = {str(status): _response(answers, schemas) for status, answers in by_status.items()}
    for status in sorted(failures_of(operation) - by_status.keys()):
        told[str(status)] = {"$ref": f"#/components/responses/{FAILURES[status][0]}"}
    return told


def _response(answers: Sequence[Answer], schemas: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"description": " ".join(dict.fromkeys(answer.sentence for answer in answers))}
    told |= _headers({name: sentence for answer in answers for name, sentence in answer.headers.items()})
    content: dict[str, Any] = {}
    for answer in answers:
        if answer.shape is not None:
            content[answer.media] = {"schema": _plain(answer.shape, schemas)}
            if answer.example is not None:
                content[answer.media]["example"] = answer.example
        if answer.lines is not None:
            content[answer.media]["x-callwright-line"] = _plain(answer.lines, schemas)
    return told | ({"content": content} if content else {})


def _headers(sentences: Mapping[str, str]) -> dict[str, Any]:
    told = {name: {"description": sentence, "schema": {"type": "string"}} for name, sentence in sentences.items()}
    return {"headers": told} if told else {}


def failures_of(operation: Operation) -> set[int]:
    """Statuses that an operation may answer with when it cannot be done."""
    found = {500, 503, *operation.failures}
    if operation.access is not Access.ANYONE:
        found |= {400, 401 if operation.access is Access.KEY else 403}
    if operation.access is not Access.ANYONE or operation.of(Place.QUERY):
        found.add(422)
    if operation.body is not None:
        found |= {400, 413}
    if operation.of(Place.PATH):
        found.add(404)
    return found


def _plain(value: Any, schemas: dict[str, Any]) -> Any:
    """A schema with references in the place of all that has a name, which goes to `schemas`."""
    if isinstance(value, Named):
        if value.name not in schemas:
            schemas[value.name] = {}  # so that one may refer to itself
            schemas[value.name] = _plain(dict(value), schemas)
        return {"$ref": SCHEMAS + value.name}
    if isinstance(value, Mapping):
        return {name: _plain(inner, schemas) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, schemas) for inner in value]
    return value


def _exemplify(paths: dict[str, dict[str, Any]], schemas: dict[str, Any]) -> None:
    """Give every body and answer of JSON an example."""
    for operations in paths.values():
        for operation in operations.values():
            for side in (operation.get("requestBody", {}), *operation["responses"].values()):
                content = side.get("content", {}).get(JSON)
                if content is not None and "example" not in content:
                    content["example"] = example_of(content["schema"], schemas)


def _failure_example(interface: Interface, status: int) -> Shape:
    shown = dict(EXAMPLES_OF_FAILURES[status])
    keys = interface.failure["properties"]["error"]["properties"]
    return {"error": {name: shown.get(name) for name in keys}}


EXAMPLES_OF_FAILURES: dict[int, dict[str, Any]] = {
    400: {"code": 10, "message": "kind must be live or test; it was 'both'.", "parameter": "kind"},
    401: {"code": 15, "message": "No access key, or not a known one. Send the header: Authorization: AccessKey <key>."},
    403: {
        "code": 2,
        "message": "This is done on the server's own machine, over its control socket.",
        "remedy": "Run callwright there as the user that owns the data folder.",
    },
    404: {"code": 13, "message": "No call found for ID `01a01f4e-6a3b-7c52-9d0e-4f1b2c3d4e5f`."},
    409: {"code": 10, "message": "The recording is over."},
    413: {"code": 21, "message": "The body is larger than 65536 bytes (setting api.body_limit)."},
    422: {
        "code": 10,
        "message": "limit must be a whole number from 1 to 1000; it was '0'.",
        "parameter": "limit",
        "example": "limit=100",
    },
    500: {"code": 99, "message": "Something failed inside the server; its log has the details."},
    503: {"code": 99, "message": "No server runs on this data folder.", "remedy": "Start it: callwright serve"},
}
