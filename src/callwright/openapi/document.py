"""From operations to one OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from callwright.openapi.operation import JSON, Access, Answer, Link, Operation, Parameter, Place
from callwright.openapi.shapes import Named, example_of

VERSION = "3.1.1"
DIALECT = "https://spec.openapis.org/oas/3.1/dialect/base"
SCHEMAS = "#/components/schemas/"
# An extension: how the operation can be reached, where a key does not open it.
TRANSPORT = "x-callwright-transport"
CHAPTERS = "x-callwright-chapters"  # the interfaces in order: name, sentence, tags, and names of their failures
STATUS = "x-callwright-status"  # of a response that operations refer to
TRANSPORTS = {Access.SOCKET: "control-socket", Access.NETWORK: "network"}
SOCKET_ONLY = "Over the control socket alone: on the network the answer is 403."
KEY_SCHEME = "accessKey"
METHODS = ("get", "post", "put", "patch", "delete")


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that operations refer to: its name among the components, a sentence, and a body as an example."""

    name: str
    sentence: str
    example: Any
    headers: Mapping[str, str] = {}


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """One interface of those a document tells of. `tags` have a sentence each, in the order of the page; `failure` is any
    error's body, `failures` are those answers by status, and `failures_of` says which of them an operation may have.
    `prefixes` are what its paths are served behind.
    """

    title: str
    sentence: str
    tags: Mapping[str, str]
    operations: Sequence[Operation]
    failure: Named
    failures: Mapping[int, Failure]
    failures_of: Callable[[Operation], set[int]]
    prefixes: Sequence[str] = ("",)


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """All that a document is made of."""

    title: str
    version: str
    sentence: str
    chapters: Sequence[Chapter]


def describe(interface: Interface) -> dict[str, Any]:
    """The document as plain JSON values."""
    schemas: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    responses: dict[str, Any] = {}
    for chapter in interface.chapters:
        for operation in chapter.operations:
            at = paths.setdefault(operation.path, {})
            if len(chapter.prefixes) > 1:
                at["servers"] = _servers(chapter.prefixes)
            at[operation.method.lower()] = _operation(operation, chapter, schemas)
        responses |= _failures(chapter, schemas)
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
        "servers": _servers(("",)),
        "tags": [{"name": name, "description": sentence} for one in interface.chapters for name, sentence in one.tags.items()],
        CHAPTERS: [
            {"name": one.title, "description": one.sentence, "tags": list(one.tags), "responses": _names(one)}
            for one in interface.chapters
        ],
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


def _servers(prefixes: Sequence[str]) -> list[dict[str, str]]:
    said = {"": "The server that this document comes from.", **{one: f"The same, behind {one}." for one in prefixes if one}}
    return [{"url": one or "/", "description": said[one]} for one in prefixes]


def _names(chapter: Chapter) -> list[str]:
    return [failure.name for failure in chapter.failures.values()]


def _failures(chapter: Chapter, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = _plain(chapter.failure, schemas)
    return {
        failure.name: {
            STATUS: status,
            "description": failure.sentence,
            **_headers(failure.headers),
            "content": {JSON: {"schema": schema, "example": failure.example}},
        }
        for status, failure in chapter.failures.items()
    }


def _operation(operation: Operation, chapter: Chapter, schemas: dict[str, Any]) -> dict[str, Any]:
    sentences = [operation.sentence] + [SOCKET_ONLY] * (operation.access is Access.SOCKET)
    told: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": " ".join(one for one in sentences if one),
        "security": [{KEY_SCHEME: []}] if operation.access in (Access.KEY, Access.NETWORK) else [],
    }
    if operation.access in TRANSPORTS:
        told[TRANSPORT] = TRANSPORTS[operation.access]
    if operation.parameters:
        told["parameters"] = [_parameter(one, schemas) for one in operation.parameters]
    if operation.body is not None:
        content: dict[str, Any] = {"schema": _plain(operation.body.shape, schemas)}
        if operation.body.example is not None:
            content["example"] = operation.body.example
        told["requestBody"] = {"required": not operation.body.optional, "content": {JSON: content}}
    told["responses"] = _responses(operation, chapter, schemas)
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


def _responses(operation: Operation, chapter: Chapter, schemas: dict[str, Any]) -> dict[str, Any]:
    by_status: dict[int, list[Answer]] = {}
    for answer in operation.answers:
        by_status.setdefault(answer.status, []).append(answer)
    told: dict[str, Any] = {str(status): _response(answers, schemas) for status, answers in by_status.items()}
    for status in sorted(chapter.failures_of(operation) - by_status.keys()):
        told[str(status)] = {"$ref": f"#/components/responses/{chapter.failures[status].name}"}
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
    links = {name: _link(link) for answer in answers for name, link in answer.links.items()}
    return told | ({"content": content} if content else {}) | ({"links": links} if links else {})


def _link(link: Link) -> dict[str, Any]:
    return {"operationId": link.operation, "parameters": dict(link.parameters), "description": link.sentence}


def _headers(sentences: Mapping[str, str]) -> dict[str, Any]:
    told = {
        name: {"description": sentence, "required": True, "schema": {"type": "string"}} for name, sentence in sentences.items()
    }
    return {"headers": told} if told else {}


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
        for operation in (operations[method] for method in METHODS if method in operations):
            for side in (operation.get("requestBody", {}), *operation["responses"].values()):
                content = side.get("content", {}).get(JSON)
                if content is not None and "example" not in content:
                    content["example"] = example_of(content["schema"], schemas)
