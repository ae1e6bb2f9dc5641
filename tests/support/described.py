"""Holds whatever the native interface answers against its OpenAPI document.

The other way round too: a request that was granted must be one that the document allows. So the tests of the interface
prove its description, and none of them has to think of it.
"""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from typing import Any
from urllib.parse import unquote

import jsonschema
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callwright import native
from callwright.clock import from_rfc3339
from callwright.native import Authority, Parts, described
from callwright.openapi.document import STATUS, describe

COMPONENTS = "#/components/"


FORMATS = jsonschema.FormatChecker(["uuid"])


@FORMATS.checks("date-time", ValueError)
def _is_moment(value: object) -> bool:
    """RFC 3339 with a zone; the library leaves times alone without another one."""
    return not isinstance(value, str) or from_rfc3339(value) is not None


@cache
def document() -> dict[str, Any]:
    """As a reader has it: through JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(describe(described.interface())))
    return plain


@cache
def strict() -> dict[str, Any]:
    """The document with every object of named keys closed: a key that is not described is a fault here, if not for clients."""
    closed = copy.deepcopy(document())
    _close(closed["components"]["schemas"])
    return closed


def _close(value: Any) -> None:
    if isinstance(value, dict):
        if isinstance(value.get("properties"), dict) and value.get("type") == "object":
            value.setdefault("additionalProperties", False)
        for inner in value.values():
            _close(inner)
    elif isinstance(value, list):
        for inner in value:
            _close(inner)


def faults(value: Any, schema: dict[str, Any]) -> list[str]:
    """Where a value is not as a schema of the document says."""
    validator = _validator(json.dumps(schema))
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]


@cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    """Made once for each schema, as a file of calls has thousands of lines."""
    whole = {**json.loads(schema), "components": {"schemas": strict()["components"]["schemas"]}}
    return jsonschema.Draft202012Validator(whole, format_checker=FORMATS)


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """The operation for a path such as ``/api/calls/123``; a fixed segment goes before a variable one."""
    method = "get" if method == "HEAD" else method.lower()
    fitting = [
        (template, operations[method])
        for template, operations in document()["paths"].items()
        if method in operations and re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path)
    ]
    return min(fitting, key=lambda one: one[0].count("{"))[1] if fitting else None


def response_of(operation: dict[str, Any], status: int) -> dict[str, Any] | None:
    found = operation["responses"].get(str(status))
    if found is not None and "$ref" in found:
        found = document()["components"]["responses"][found["$ref"].rpartition("/")[2]]
    response: dict[str, Any] | None = found
    return response


def check_answer(operation: dict[str, Any], status: int, media: str, body: bytes, *, head: bool = False) -> None:
    """AssertionError for an answer that the document does not have."""
    name = operation["operationId"]
    response = response_of(operation, status)
    assert response is not None, f"{name} answered {status}, which is not described: {body[:300]!r}"
    content = response.get("content", {})
    if head or not content:
        assert body == b"", f"{name} answered {status} with a body, and none is described: {body[:300]!r}"
        return
    assert media in content, f"{name} answered {status} with {media or 'nothing'}; described is {list(content)}"
    if media == "application/json":
        wrong = faults(json.loads(body), content[media]["schema"])
        assert wrong == [], f"{name} answered {status}: {wrong}"
    elif (line := content[media].get("x-callwright-line")) is not None and body:
        told = body.splitlines()
        if media == "text/event-stream":
            told = [one.removeprefix(b"data: ") for one in told if one.startswith(b"data: ")]
        wrong = [fault for one in told for fault in faults(json.loads(one), line)]
        assert wrong == [], f"{name} answered {status}: {wrong}"


def check_failure_headers(operation: dict[str, Any], status: int, headers: dict[str, str]) -> None:
    """AssertionError for an error without a header that the document has for every such one."""
    response = response_of(operation, status) or {}
    missing = [one for one in response.get("headers", ()) if STATUS in response and one.lower() not in headers]
    assert missing == [], f"{operation['operationId']} answered {status} without {missing}"


def check_request(operation: dict[str, Any], query: str, body: bytes) -> None:
    """AssertionError for a request that was granted and is not one of those the document allows."""
    name = operation["operationId"]
    known = {one["name"]: one for one in operation.get("parameters", ()) if one["in"] == "query"}
    for pair in filter(None, query.split("&")):
        key, _, text = pair.partition("=")
        key, text = unquote(key), unquote(text)
        parameter = known.get(key) or known.get(key.partition(".")[0])
        assert parameter is not None, f"{name} took {key}, which is not described"
        schema = parameter["schema"]
        values: list[Any] = [text]
        if schema.get("type") == "array":
            schema = schema["items"]
            values = text.split(",") if "enum" in schema else values
        if schema.get("type") == "integer":
            values = [int(text)]
        elif schema.get("type") == "object":
            values = [{key: text}]
        assert [fault for value in values for fault in faults(value, schema)] == [], f"{name} took {key}={text}"
    wanted = operation.get("requestBody")
    if wanted is not None and (body or wanted["required"]):
        wrong = faults(json.loads(body), wanted["content"]["application/json"]["schema"])
        assert wrong == [], f"{name} took a body that is not described: {wrong}"


class Proven:
    """An application of the native interface, as mounted under ``/api``, whose every exchange is checked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Taken now: a router puts its mount into the scope it is given.
        method, query = scope["method"], scope["query_string"].decode()
        path = f"/api{scope['path'].removeprefix(scope.get('root_path', ''))}"
        operation = operation_of(method, path)
        status, media, taken, given = 0, "", bytearray(), bytearray()
        headers: dict[str, str] = {}

        async def received() -> Message:
            message = await receive()
            taken.extend(message.get("body", b""))
            return message

        async def sent(message: Message) -> None:
            nonlocal status, media, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = {key.decode().lower(): value.decode() for key, value in message["headers"]}
                media = headers.get("content-type", "").partition(";")[0]
            elif message["type"] == "http.response.body":
                given.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, received, sent)
        if operation is None:
            assert status in (404, 405), f"{method} {path} answered {status} and is not described"
            return
        check_answer(operation, status, media, bytes(given), head=method == "HEAD")
        check_failure_headers(operation, status, headers)
        if status < 300:
            check_request(operation, query, bytes(taken))


def native_app(parts: Parts, authority: Authority) -> ASGIApp:
    """The interface of `callwright.native`, proven."""
    return Proven(native.native_app(parts, authority))
