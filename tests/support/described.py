"""Holds whatever the interfaces answer against their OpenAPI document.

The other way round too: a request that was granted must be one that the document allows. So the tests of an interface
prove its description, and none of them has to think of it.
"""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import jsonschema
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callwright import native
from callwright.api import described as compatible
from callwright.api.app import ROUTES
from callwright.api.routing import Router
from callwright.clock import from_rfc3339
from callwright.dialect.strictness import LENIENT, Strictness
from callwright.native import Authority, Parts, described
from callwright.openapi.document import METHODS, Interface, describe

COMPONENTS = "#/components/"


FORMATS = jsonschema.FormatChecker(["uuid"])


@FORMATS.checks("date-time", ValueError)
def _is_moment(value: object) -> bool:
    """RFC 3339 with a zone; the library leaves times alone without another one."""
    return not isinstance(value, str) or from_rfc3339(value) is not None


def interface(strictness: Strictness = LENIENT) -> Interface:
    """Both interfaces, as a server has them."""
    chapters = (compatible.chapter(strictness), described.chapter())
    return Interface(title="Callwright", version="1", sentence="Both.", chapters=chapters)


@cache
def document(strictness: Strictness = LENIENT) -> dict[str, Any]:
    """As a reader has it: through JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(describe(interface(strictness))))
    return plain


def operations_of(path: str, strictness: Strictness = LENIENT) -> dict[str, Any]:
    """By method in small letters."""
    return {method: one for method, one in document(strictness)["paths"][path].items() if method in METHODS}


@cache
def strict(strictness: Strictness = LENIENT) -> dict[str, Any]:
    """The document with every object of named keys closed: a key that is not described is a fault here, if not for clients."""
    closed = copy.deepcopy(document(strictness))
    _close(closed["components"]["schemas"])
    return closed


def _close(value: Any, name: str = "") -> None:
    """Not what is sent to the compatible interface, and what is sent back of it: there, unknown keys have their place."""
    if isinstance(value, dict):
        if name.startswith("Voice") or name == "ListedVoiceFlow":
            return
        if isinstance(value.get("properties"), dict) and value.get("type") == "object":
            value.setdefault("additionalProperties", False)
        for key, inner in value.items():
            _close(inner, key)
    elif isinstance(value, list):
        for inner in value:
            _close(inner)


def faults(value: Any, schema: dict[str, Any], strictness: Strictness = LENIENT) -> list[str]:
    """Where a value is not as a schema of the document says."""
    validator = _validator(json.dumps(schema), strictness)
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]


@cache
def _validator(schema: str, strictness: Strictness) -> jsonschema.Draft202012Validator:
    """Made once for each schema, as a file of calls has thousands of lines."""
    whole = {**json.loads(schema), "components": {"schemas": strict(strictness)["components"]["schemas"]}}
    return jsonschema.Draft202012Validator(whole, format_checker=FORMATS)


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """The operation for a path such as ``/api/calls/123``; a fixed segment goes before a variable one."""
    method = "get" if method == "HEAD" else method.lower()
    fitting = [
        template for template in document()["paths"] if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path)
    ]
    found = min(fitting, key=lambda template: template.count("{"), default="")
    operation: dict[str, Any] | None = operations_of(found).get(method) if found else None
    return operation


def response_of(operation: dict[str, Any], status: int, strictness: Strictness = LENIENT) -> dict[str, Any] | None:
    found = operation["responses"].get(str(status))
    if found is not None and "$ref" in found:
        found = document(strictness)["components"]["responses"][found["$ref"].rpartition("/")[2]]
    response: dict[str, Any] | None = found
    return response


def check_answer(
    operation: dict[str, Any],
    status: int,
    media: str,
    body: bytes,
    *,
    head: bool = False,
    strictness: Strictness = LENIENT,
) -> None:
    """AssertionError for an answer that the document does not have."""
    name = operation["operationId"]
    response = response_of(operation, status, strictness)
    assert response is not None, f"{name} answered {status}, which is not described: {body[:300]!r}"
    content = response.get("content", {})
    if head or not content:
        assert body == b"", f"{name} answered {status} with a body, and none is described: {body[:300]!r}"
        return
    assert media in content, f"{name} answered {status} with {media or 'nothing'}; described is {list(content)}"
    if media == "application/json":
        wrong = faults(json.loads(body), content[media]["schema"], strictness)
        assert wrong == [], f"{name} answered {status}: {wrong}"
    elif (line := content[media].get("x-callwright-line")) is not None and body:
        told = body.splitlines()
        if media == "text/event-stream":
            told = [one.removeprefix(b"data: ") for one in told if one.startswith(b"data: ")]
        wrong = [fault for one in told for fault in faults(json.loads(one), line)]
        assert wrong == [], f"{name} answered {status}: {wrong}"


def check_headers(operation: dict[str, Any], status: int, headers: dict[str, str], strictness: Strictness = LENIENT) -> None:
    """AssertionError for an answer without a header that the document has for every such one."""
    response = response_of(operation, status, strictness) or {}
    missing = [one for one in response.get("headers", ()) if one.lower() not in headers]
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


def check_lax_request(operation: dict[str, Any], body: bytes, strictness: Strictness = LENIENT) -> None:
    """The same for the compatible interface, which passes over what it does not know and folds the case of keys."""
    wanted = operation.get("requestBody")
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    if wanted is None or (not body and not wanted["required"]):
        return
    sent = _folded(json.loads(body))
    if isinstance(sent, str) and sent.lstrip().startswith(("{", "[")):
        sent = _folded(json.loads(sent))
    wrong = faults(sent, wanted["content"]["application/json"]["schema"], strictness)
    assert wrong == [], f"{operation['operationId']} took a body that is not described: {wrong}"


@cache
def _names() -> dict[str, str]:
    """Every key of what is sent to the compatible interface, by its small letters."""
    found: dict[str, str] = {}
    for name, schema in document()["components"]["schemas"].items():
        if name.startswith("Voice"):
            found |= {key.lower(): key for key in schema.get("properties", ())}
    return found


def _folded(value: Any) -> Any:
    if isinstance(value, dict):
        names = {key: _names().get(key.lower(), key) for key in value}
        return {names[key]: _folded(inner) for key, inner in value.items() if names[key] == key or names[key] not in value}
    return [_folded(one) for one in value] if isinstance(value, list) else value


class Exchange:
    """What goes in and out of an application while it answers a request."""

    def __init__(self) -> None:
        self.status, self.media = 0, ""
        self.taken, self.given = bytearray(), bytearray()
        self.headers: dict[str, str] = {}

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def received() -> Message:
            message = await receive()
            self.taken.extend(message.get("body", b""))
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {key.decode().lower(): value.decode() for key, value in message["headers"]}
                self.media = self.headers.get("content-type", "").partition(";")[0]
            elif message["type"] == "http.response.body":
                self.given.extend(message.get("body", b""))
            await send(message)

        await app(scope, received, sent)


class Proven:
    """An application of the native interface, as mounted under ``/api``, whose every exchange is checked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Taken now: a router puts its mount into the scope it is given.
        method, query = scope["method"], scope["query_string"].decode()
        path = f"/api{scope['path'].removeprefix(scope.get('root_path', ''))}"
        operation = operation_of(method, path)
        seen = Exchange()
        await seen.run(self._app, scope, receive, send)
        if operation is None:
            assert seen.status in (404, 405), f"{method} {path} answered {seen.status} and is not described"
            return
        check_answer(operation, seen.status, seen.media, bytes(seen.given), head=method == "HEAD")
        check_headers(operation, seen.status, seen.headers)
        if seen.status < 300:
            check_request(operation, query, bytes(seen.taken))


class ProvenApi:
    """The application of the compatible interface, whose every exchange is checked."""

    def __init__(self, app: ASGIApp, strictness: Strictness = LENIENT) -> None:
        self._app = app
        self._strictness = strictness
        self._router = Router(ROUTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, place = scope["method"], self._router.find(scope["path"])
        if method == "POST" or (method == "GET" and self._strictness.method_on_get):
            method = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("_method", method).upper()
        seen = Exchange()
        await seen.run(self._app, scope, receive, send)
        if not seen.status:
            return  # the client was gone
        operations = {} if place is None else operations_of(place.path, self._strictness)
        operation = operations.get("get" if method == "HEAD" else method.lower())
        if operation is None:
            assert seen.status in (401, 404 if place is None else 405)
            return
        body, head = bytes(seen.given), scope["method"] == "HEAD"
        check_answer(operation, seen.status, seen.media, body, head=head, strictness=self._strictness)
        check_headers(operation, seen.status, seen.headers, self._strictness)
        if seen.status < 300:
            check_lax_request(operation, bytes(seen.taken), self._strictness)


def native_app(parts: Parts, authority: Authority) -> ASGIApp:
    """The interface of `callwright.native`, proven."""
    return Proven(native.native_app(parts, authority))
