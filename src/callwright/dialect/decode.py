"""Request bodies to values: the one place that knows how client libraries write them (contract §1.3, §3.3, §5.1).

Keys match whatever their case, an exact match first. ``null``, ``""`` and ``{}`` mean "not set" (PHP writes the last as
``[]``), and so does a numeric 0 where 0 has no meaning of its own: in step options (except the length of a pause), in
``maxNumKeys`` and in ``maxDuration``. ``false`` is a value. An object that arrives as a string is read as JSON, once.
Whatever is wrong is told as `Malformed`, `Missing` or `Invalid`; no other exception leaves these functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from callwright.calls.labels import checked_metadata, checked_tags
from callwright.errors import Invalid, Malformed, Missing, Problem
from callwright.flows.schema import (
    KEYS_IN_OPTIONS,
    OPTIONS,
    Condition,
    Flow,
    Step,
    as_text,
    compile_flow,
    kinds_of,
    settle,
    settle_condition,
    with_step_ids,
)
from callwright.numbers.numbers import normalised
from callwright.transcriptions import languages
from callwright.trunks.routes import parse_sip_uri

MAX_DEPTH = 64
MAX_ADDRESS = 255
_INTEGER_LIMIT = 1 << 63
_TOO_DEEP = f"The body is nested more than {MAX_DEPTH} levels deep."


class CallRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /calls. Numbers are digits, other addresses as sent; `flow_body` is the flow to keep, `flow` the one to run."""

    source: str
    destination: str
    flow: Flow
    flow_body: dict[str, Any]
    webhook_url: str | None = None
    webhook_token: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = {}


class WebhookRequest(msgspec.Struct, frozen=True):
    """A webhook as sent; None is what was not set."""

    url: str | None
    token: str | None


class TranscriptionRequest(msgspec.Struct, frozen=True):
    """`language` is a tag that recognisers know; None when it was not set."""

    language: str | None


class FlowRequest(msgspec.Struct, frozen=True):
    """PUT /calls/{call}: the flow that is to go on, as it is run and as it is kept."""

    flow: Flow
    body: dict[str, Any]


def call(body: bytes, *, flow_limit: int) -> CallRequest:
    raw = _fields(_object(body), ("source", "destination", "callFlow", "webhook", "tags", "metadata"))
    source = _address(raw, "source")
    destination = _address(raw, "destination")
    flow, flow_body = _call_flow(raw, flow_limit)
    hook = _webhook(_inner_object(raw, "webhook") or {}, "webhook.")
    if hook.token is not None and hook.url is None:
        raise Missing("webhook.url is missing: where to send what happens to the call.", parameter="webhook.url")
    return CallRequest(
        source=source,
        destination=destination,
        flow=flow,
        flow_body=flow_body,
        webhook_url=hook.url,
        webhook_token=hook.token,
        tags=_tags(raw),
        metadata=_metadata(raw),
    )


def call_flow(body: bytes, *, flow_limit: int) -> FlowRequest:
    """``{"callFlow": …}``; other fields of a call, which PHP's library sends along, are passed over."""
    return FlowRequest(*_call_flow(_fields(_object(body), ("callFlow",)), flow_limit))


def party(body: bytes) -> str | None:
    """``{"source": …}`` or nothing at all: what an added party sees as the caller."""
    raw = _fields(_object(body), ("source",))
    return _address(raw, "source") if "source" in raw else None


def destination(text: str) -> str:
    """The number or URI in a path."""
    return _address({"destination": text}, "destination")


def flow(body: bytes, *, limit: int) -> dict[str, Any]:
    """A flow to store: ``steps`` as sent, with ids, and what was set of title, record, default and maxDuration."""
    return _flow(_object(body), limit, None)


def numbers(body: bytes) -> list[str]:
    """The digits of ``{"numbers": [...]}``, in order."""
    raw = _fields(_object(body), ("numbers",))
    sent = _unwrapped(raw.get("numbers"))
    if sent is None:
        raise Missing("numbers is missing: an array of telephone numbers.", parameter="numbers")
    if not isinstance(sent, list):
        raise Invalid("numbers must be an array of telephone numbers.", parameter="numbers")
    found = []
    for index, number in enumerate(sent):
        digits = normalised(as_text(number) or "")
        if digits is None:
            raise Invalid(
                f"{_shown(number)} is not a telephone number: 3 to 15 digits, with or without + or 00.",
                parameter=f"numbers[{index}]",
            )
        found.append(digits)
    return found


def webhook(body: bytes) -> WebhookRequest:
    """A webhook, or the part of one that is to change; ``title`` and the like are passed over."""
    return _webhook(_object(body), "")


def transcription(body: bytes) -> TranscriptionRequest:
    """``{"language": …}``, a bare JSON string, or nothing at all (contract §3.3)."""
    raw = _fields(_object(body, bare="language"), ("language",))
    sent = _text(raw, "language")
    if sent is None:
        return TranscriptionRequest(None)
    language = languages.canonical(sent)
    if language is None:
        raise Invalid(
            f"{_shown(sent)} is not a language that can be written down: {', '.join(languages.CONTRACT)}, "
            "or the tag of another (BCP 47).",
            parameter="language",
        )
    return TranscriptionRequest(language)


def _object(body: bytes, *, bare: str | None = None) -> dict[str, Any]:
    """Read a body; an empty one is an empty object, a bare string the value of the key `bare`."""
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not body:
        return {}
    value = _unwrapped(_json(body))
    if isinstance(value, str) and bare is not None:
        return {bare: value}
    if value is None or value == []:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"The body must be a JSON object; it is {_kind(value)}.")
    return value


def _json(text: bytes | str) -> Any:
    if not text.strip():
        raise Malformed("The body is missing: JSON is wanted.")
    try:
        value = msgspec.json.decode(text)
    except RecursionError:
        raise Malformed(_TOO_DEEP) from None
    except ValueError as error:  # msgspec's own errors, and text that is not UTF-8
        raise Malformed.as_json(text if isinstance(text, bytes) else text.encode(), error) from None
    _check_bounds(value)
    return value


def _check_bounds(value: Any) -> None:
    """Refuse what could be read but not be written again: nesting without end, integers beyond 64 bits."""
    level = [value]
    for _ in range(MAX_DEPTH):
        children: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                children.extend(item.values())
            elif isinstance(item, list):
                children.extend(item)
            elif isinstance(item, int) and not -_INTEGER_LIMIT <= item < _INTEGER_LIMIT:
                raise Malformed("The body holds an integer that 64 bits cannot.")
        level = children
        if not level:
            return
    raise Malformed(_TOO_DEEP)


def _unwrapped(value: Any) -> Any:
    """Read a string that holds an object or array; Ruby's library encodes twice."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return _json(value.strip())
        except Malformed:
            return value
    return value


def _flow(sent: dict[str, Any], limit: int, parameter: str | None) -> dict[str, Any]:
    raw = _fields(sent, _FLOW)
    body = {name: raw[name] for name in _FLOW.values() if name in raw}
    settle(body, _FLOW_KINDS)
    steps = _unwrapped(body.get("steps"))
    if isinstance(steps, list):
        body["steps"] = [_step(step) if isinstance(step, dict) else step for step in steps]
        if all(isinstance(step, dict) and isinstance(step.get("id", ""), str) for step in body["steps"]):
            body = with_step_ids(body)
    size = len(msgspec.json.encode(body))
    if size > limit:
        raise Invalid(f"The call flow has {size} bytes; at most {limit} are taken.", parameter=parameter)
    return body


def _call_flow(raw: dict[str, Any], limit: int) -> tuple[Flow, dict[str, Any]]:
    sent = _inner_object(raw, "callFlow")
    if not sent:
        raise Missing("callFlow is missing: an object with the steps to run.", parameter="callFlow")
    body = _flow(sent, limit, "callFlow")
    try:
        return compile_flow(body), body
    except Problem as problem:
        problem.parameter = f"callFlow.{problem.parameter}"
        raise


def _step(sent: dict[str, Any]) -> dict[str, Any]:
    step = _fields(sent, _STEP)
    settle(step, _STEP_KINDS)
    if "options" in step:
        options = _unwrapped(step["options"])
        if isinstance(options, dict):
            options = _options(options, step.get("action"))
        if options in ({}, []):
            del step["options"]
        else:
            step["options"] = options
    conditions = _unwrapped(step.get("conditions"))
    if isinstance(conditions, list):
        step["conditions"] = [_condition(item) if isinstance(item, dict) else item for item in conditions]
    return step


def _condition(sent: dict[str, Any]) -> dict[str, Any]:
    return settle_condition(_folded(sent, _CONDITION))


def _options(sent: dict[str, Any], action: Any) -> dict[str, Any]:
    """The options of a step under their own names; Java sends those of every action, most of them 0."""
    options = _fields(sent, _OPTION)
    if action == "tag":
        options = {name: _unwrapped(value) for name, value in options.items()}
    settle(options, _OPTION_KINDS, keep_zero="length" if action == "pause" else "")
    return options


def _webhook(sent: dict[str, Any], place: str) -> WebhookRequest:
    raw = _fields(sent, ("url", "token"))
    return WebhookRequest(_text(raw, "url", place), _text(raw, "token", place))


def _tags(raw: dict[str, Any]) -> tuple[str, ...]:
    sent = _unwrapped(raw.get("tags"))
    return () if sent is None else checked_tags(sent, "tags")


def _metadata(raw: dict[str, Any]) -> dict[str, str]:
    sent = _inner_object(raw, "metadata") or {}
    checked = checked_metadata({name: value for name, value in sent.items() if value != ""}, "metadata")
    return {name: value for name, value in checked.items() if value is not None}


def _inner_object(raw: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = _unwrapped(raw.get(name))
    if value is None or value == []:
        return None
    if not isinstance(value, dict):
        raise Invalid(f"{name} must be an object; it is {_kind(value)}.", parameter=name)
    return value


def _address(raw: dict[str, Any], name: str) -> str:
    text = _text(raw, name)
    if text is None:
        raise Missing(f"{name} is missing: a telephone number, or a sip: or client: URI.", parameter=name)
    number = normalised(text)
    if number is not None:
        return number
    text = text.strip()
    scheme, _, rest = text.partition(":")
    is_uri = (scheme.lower() == "sip" and parse_sip_uri(text) is not None) or (scheme.lower() == "client" and rest != "")
    if not is_uri or len(text) > MAX_ADDRESS or not all("!" <= char <= "~" for char in text):
        raise Invalid(
            f"{_shown(text)} is neither a telephone number of 3 to 15 digits nor a URI such as sip:user@host or client:name.",
            parameter=name,
        )
    return text


def _text(raw: dict[str, Any], name: str, place: str = "") -> str | None:
    value = raw.get(name)
    if value is None:
        return None
    text = as_text(value)
    if text is None:
        raise Invalid(f"{place}{name} must be a string; it is {_kind(value)}.", parameter=f"{place}{name}")
    return text


def _fields(sent: dict[str, Any], names: Mapping[str, str] | Iterable[str]) -> dict[str, Any]:
    """Keys under their own names, without those that are not set."""
    names = names if isinstance(names, Mapping) else _by_lower(names)
    return {key: value for key, value in _folded(sent, names).items() if value is not None and value not in ("", {})}


def _folded(sent: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    folded = {}
    for key, value in sent.items():
        name = names.get(key.lower(), key)
        if name == key or name not in sent:
            folded[name] = value
    return folded


def _by_lower(names: Iterable[str]) -> dict[str, str]:
    return {name.lower(): name for name in names}


def _names(*structs: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for struct in structs for field in msgspec.structs.fields(struct)]


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return {str: "a string", bool: "a boolean", type(None): "null"}.get(type(value), "a number")


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else _kind(value) if isinstance(value, dict | list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


_FLOW = _by_lower(("title", "record", "default", "maxDuration", "steps"))
_FLOW_KINDS = kinds_of(Flow)
_STEP = _by_lower(_names(Step))
_CONDITION = _by_lower(_names(Condition))
_OPTION = _by_lower((*_names(*OPTIONS.values()), *KEYS_IN_OPTIONS))
_STEP_KINDS = kinds_of(Step)
_OPTION_KINDS = {**{name: kind for name, kind in _STEP_KINDS.items() if name in KEYS_IN_OPTIONS}, **kinds_of(*OPTIONS.values())}
